"""The collector's desk: what is said about a customer, who stands in for whom, kept views, edited texts."""

from peewee import BigIntegerField, BlobField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.actions import Action
from engine.tables.base import Table
from engine.tables.parties import Customer, Person, User


class Note(Table):
    """What somebody of ours said about a customer, in the thread that all who work with it share. Append-only."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")  # with whose key it is sealed, and erased
    sealed = BlobField()  # JSON: text
    action = ForeignKeyField(Action, null=True, on_delete="RESTRICT")  # at which work it was said
    by = ForeignKeyField(User, on_delete="RESTRICT")
    at = BigIntegerField()

    class Meta:
        indexes = ((("customer", "id"), False),)


class Mention(Table):
    """A note that asks for somebody: it is in their list until they have seen it."""

    note = ForeignKeyField(Note, on_delete="RESTRICT")
    user = ForeignKeyField(User, on_delete="RESTRICT")
    seen_at = BigIntegerField(null=True)

    class Meta:
        indexes = ((("note", "user"), True), (("user", "seen_at", "id"), False))


class Absence(Table):
    """Somebody is away from a day until a day (half-open); their work is with the stand-in meanwhile."""

    user = ForeignKeyField(User, on_delete="RESTRICT")
    stand_in = ForeignKeyField(User, backref="stands_in", on_delete="RESTRICT")
    from_day = IntegerField()
    until_day = IntegerField()
    ended_at = BigIntegerField(null=True)  # taken back, or over early
    by = ForeignKeyField(User, backref="absences_entered", on_delete="RESTRICT")
    version = IntegerField(default=1)


class SavedView(Table):
    """What a list was asked for, kept under a name."""

    user = ForeignKeyField(User, on_delete="RESTRICT")
    page = CharField()  # diary | worklist
    name = TextField()
    arguments = TextField()  # of the address
    shared = BooleanField(default=False)
    version = IntegerField(default=1)

    class Meta:
        indexes = ((("user", "page", "name"), True), (("page", "shared"), False))


class EditedText(Table):
    """Words that a person put in place of the template's before a message left; in force until it has left."""

    action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")  # with whose key it is sealed
    language = CharField(max_length=2)
    template_sha256 = CharField(max_length=64)  # of the template that was edited
    sealed = BlobField()  # JSON: the texts by name
    by = ForeignKeyField(User, on_delete="RESTRICT")
    at = BigIntegerField()
