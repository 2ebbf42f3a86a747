"""Who there is: entities, groups, users with their roles and scopes, customers, contacts."""

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from engine.tables.base import Table


class Entity(Table):
    """One of our legal entities; a run is per entity and day."""

    code = CharField(unique=True)
    name = TextField()
    currency = CharField(max_length=3)
    zone = TextField(default="UTC")
    country = CharField(max_length=2, default="DE")  # of its holidays
    region = TextField(null=True)
    portfolio_share_bp = IntegerField(default=500)  # mass-change gate: a run that changes more stops
    live_from_day = IntegerField(null=True)  # null: adopted at most, contacts nobody
    live_after_run = IntegerField(null=True)  # its last run when go-live was approved
    sending = BooleanField(default=False)
    daily_cap = IntegerField(default=50)  # messages a collector a day
    contact_times = TextField(default="{}")  # JSON: hours, quiet days, holidays; what is left out is as shipped
    adopted_day = IntegerField(null=True)
    mail_from = TextField(default="")  # sender of its letters; empty: the sender of the mail server's URL
    address = TextField(default="")  # postal, without the name, one line each
    account_holder = TextField(default="")  # empty: the entity's name
    iban = CharField(max_length=34, default="")
    bic = CharField(max_length=11, default="")
    payment_details = TextField(default="")  # further ways to pay, as its letters print them
    version = IntegerField(default=1)


class CustomerGroup(Table):
    """Customers under one parent, across entities."""

    code = CharField(unique=True)
    name = TextField()
    parent = ForeignKeyField("self", null=True)
    currency = CharField(max_length=3)
    limit_minor = BigIntegerField(null=True)


class User(Table):
    """Who signs in; commands name one as their actor."""

    email = CharField(unique=True)
    name = TextField()
    password = TextField(null=True)
    active = BooleanField(default=True)
    fs_uniquifier = CharField(max_length=64, unique=True)
    language = CharField(max_length=2, default="en")
    last_login_at = BigIntegerField(null=True)
    tf_primary_method = TextField(null=True)
    tf_totp_secret = TextField(null=True)
    stand_in = ForeignKeyField("self", null=True)  # for work left undone too long
    version = IntegerField(default=1)

    class Meta:
        table_name = "account"


class UserRole(Table):
    """A role held; roles and their permissions are data in engine.access."""

    user = ForeignKeyField(User, backref="role_rows", on_delete="RESTRICT")
    role = CharField()

    class Meta:
        indexes = ((("user", "role"), True),)


class RoleProposal(Table):
    """A role that can approve, given to somebody and not yet approved by a second person."""

    user = ForeignKeyField(User, backref="role_proposals", on_delete="RESTRICT")
    role = CharField()
    state = CharField(default="proposed")  # proposed | approved | withdrawn
    proposed_by = ForeignKeyField(User, backref="roles_proposed", on_delete="RESTRICT")
    proposed_at = BigIntegerField()
    approved_by = ForeignKeyField(User, null=True, backref="roles_approved", on_delete="RESTRICT")
    approved_at = BigIntegerField(null=True)


class UserScope(Table):
    """What a user may see: an entity, all of it or one portfolio. No row: nothing."""

    user = ForeignKeyField(User, backref="scopes", on_delete="RESTRICT")
    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    portfolio = TextField(null=True)


class Customer(Table):
    """Who owes: a debtor account in one entity."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    number = TextField()
    name = TextField()
    customer_group = ForeignKeyField(CustomerGroup, null=True, on_delete="RESTRICT")
    country = CharField(max_length=2, null=True)
    language = CharField(max_length=2, default="en")
    portfolio = TextField(null=True)
    terms_days = IntegerField(null=True)
    opened_day = IntegerField(null=True)
    collector = ForeignKeyField(User, null=True, on_delete="RESTRICT")
    consumer = BooleanField(null=True)  # true: no undertaking, the law of late payment may spare it; null: not said
    custom = TextField(default="{}")  # customer-defined fields, canonical JSON
    version = IntegerField(default=1)

    class Meta:
        indexes = ((("entity", "number"), True), (("name", "id"), False), (("entity", "portfolio"), False))


class CustomerWord(Table):
    """A word of a customer's number or name, by which the console finds it. Kept by SQL triggers on the customer."""

    word = BlobField()  # UTF-8 in small letters: bytes sort alike in every database and locale
    customer = ForeignKeyField(Customer, on_delete="RESTRICT")

    class Meta:
        primary_key = CompositeKey("word", "customer")


class Person(Table):
    """Personal data, sealed with this person's own key; erasure destroys the key."""

    sealed = BlobField()  # JSON: name, email, phone, mobile, chat, address, postcode, city, country
    key_sealed = BlobField(null=True)  # null: erased
    erased_at = BigIntegerField(null=True)


class Contact(Table):
    """A person we write to for a customer."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    role = TextField(default="accounts payable")
    language = CharField(max_length=2, default="en")
    usable = BooleanField(default=True)  # its e-mail address: false after a hard bounce
    refused = TextField(default="")  # other channels by which a provider refused it, by commas
