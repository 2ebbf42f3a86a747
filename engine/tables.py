"""The tables. Ledger tables are append-only; days are integers since 1970-01-01.

Suffixes: ``_minor`` integer minor units, ``_bp`` basis points, ``_day`` integer days since
1970-01-01, ``_at`` integer microseconds since 1970-01-01 UTC, ``_id`` a key.
"""

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DatabaseProxy,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


# --- who -------------------------------------------------------------------------------


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

    sealed = BlobField()  # JSON: name, email, phone, address, postcode, city, country
    key_sealed = BlobField(null=True)  # null: erased
    erased_at = BigIntegerField(null=True)


class Contact(Table):
    """A person we write to for a customer."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    role = TextField(default="accounts payable")
    language = CharField(max_length=2, default="en")
    usable = BooleanField(default=True)  # false after a hard bounce


# --- the ledger: append-only entries ---------------------------------------------------


class Import(Table):
    """One file taken in."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    mapping = TextField()
    file_name = TextField()
    file_sha256 = CharField(max_length=64)
    history_until_day = IntegerField(null=True)
    rows_read = IntegerField()
    entries_posted = IntegerField()
    entries_known = IntegerField()
    warnings = TextField(default="[]")
    recorded_at = BigIntegerField()
    by = ForeignKeyField(User, null=True)


class Entry(Table):
    """What every ledger entry carries. Never updated, never deleted (SQL triggers)."""

    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT", index=True)
    booked_day = IntegerField()
    recorded_day = IntegerField()
    recorded_at = BigIntegerField()
    import_id = IntegerField(null=True)


class DueLine(Entry):
    """One due line of an invoice (an invoice without instalments has one, ordinal 1)."""

    number = TextField()  # of the invoice
    ordinal = IntegerField(default=1)
    identity = CharField(max_length=64)  # sha256 over what makes it the same line (ledger.posting)
    revision = IntegerField(default=0)  # rises when a changed line replaces a reversed one
    invoice_day = IntegerField()
    due_day = IntegerField(null=True)
    amount_minor = BigIntegerField()
    currency = CharField(max_length=3)
    text = TextField(default="")

    class Meta:
        indexes = ((("entity_id", "identity", "revision"), True),)


class Credit(Entry):
    """What reduces a debt: a payment, a credit note or a write-off."""

    kind = CharField()  # payment | credit_note | write_off
    number = TextField(default="")
    reference = TextField(default="")  # the invoice it says it is for
    identity = CharField(max_length=64)
    revision = IntegerField(default=0)
    amount_minor = BigIntegerField()  # positive
    currency = CharField(max_length=3)

    class Meta:
        indexes = ((("entity_id", "identity", "revision"), True),)


class Allocation(Entry):
    """So much of a credit set against so much of a due line (same currency)."""

    credit = ForeignKeyField(Credit, on_delete="RESTRICT")
    due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")
    amount_minor = BigIntegerField()


class Reversal(Entry):
    """Takes back one entry; itself an entry, so the past stays as it was seen."""

    target = CharField()  # due_line | credit | allocation | dispute | promise | credit_limit | block
    target_id = IntegerField()
    reason = TextField()

    class Meta:
        indexes = ((("target", "target_id"), True),)


class Dispute(Entry):
    """A customer contests a due line, whole or in part; opened on booked_day."""

    due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")
    amount_minor = BigIntegerField(null=True)  # null: all of it
    reason = TextField()
    owner_role = TextField(default="sales")
    deadline_day = IntegerField(null=True)


class DisputeClosing(Entry):
    """The end of a dispute, on booked_day."""

    dispute = ForeignKeyField(Dispute, on_delete="RESTRICT", unique=True)
    accepted = BooleanField()


class Promise(Entry):
    """A customer promises to pay by a day; made on booked_day. Kept or broken is derived."""

    due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")  # null: any of them
    amount_minor = BigIntegerField()
    currency = CharField(max_length=3)
    promised_day = IntegerField()


class CreditLimit(Entry):
    """A limit in force from a day until a day (half-open); the latest entry wins."""

    amount_minor = BigIntegerField(null=True)  # null: no limit
    from_day = IntegerField()
    until_day = IntegerField(null=True)
    approved_by = IntegerField(null=True)
    reason = TextField(default="")


class Block(Entry):
    """Stops something about a customer or a line from a day until a day (half-open)."""

    kind = CharField()  # dunning_block | pause | insolvent
    due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")
    from_day = IntegerField()
    until_day = IntegerField(null=True)
    reason = TextField()
    by = IntegerField(null=True)


class ExchangeRate(Table):
    """Dated rate: minor units of `base` per minor unit of `currency`, times 10**9."""

    base = CharField(max_length=3)
    currency = CharField(max_length=3)
    day = IntegerField()
    rate_e9 = BigIntegerField()
    source = TextField()
    recorded_at = BigIntegerField()

    class Meta:
        indexes = ((("base", "currency", "day"), True),)


# --- what governs ----------------------------------------------------------------------


class Document(Table):
    """One version of a policy or of the parameters. Immutable once proposed."""

    kind = CharField()  # policy | parameters
    key = CharField()
    stage = CharField(null=True)
    subject = CharField(null=True)
    entity = ForeignKeyField(Entity, null=True, on_delete="RESTRICT")
    sha256 = CharField(max_length=64, index=True)
    body = TextField()  # canonical JSON
    status = CharField()  # draft | proposed | approved | live | retired | rejected
    from_day = IntegerField(null=True)
    until_day = IntegerField(null=True)
    reason = TextField(default="")
    impact = TextField(null=True)  # the simulation it was proposed with, JSON
    replaces = CharField(max_length=64, null=True)  # sha256 of the version it was made from and takes the place of
    drafted_by = ForeignKeyField(User, null=True)  # who wrote this content; may not approve it
    proposed_by = ForeignKeyField(User, null=True)
    proposed_at = BigIntegerField(null=True)
    approved_by = ForeignKeyField(User, null=True)
    approved_at = BigIntegerField(null=True)
    version = IntegerField(default=1)


class ScoreModel(Table):
    """A trained model: JSON tables, never a pickle."""

    task = CharField()
    sha256 = CharField(max_length=64, unique=True)
    body = TextField()
    card = TextField()
    status = CharField()  # challenger | champion | retired
    trained_day = IntegerField()
    created_at = BigIntegerField()
    trained_by = ForeignKeyField(User, null=True)
    approved_by = ForeignKeyField(User, null=True)  # another person


class Edition(Table):
    """All that a decision depended on, by hash (semantics.md 2)."""

    sha256 = CharField(max_length=64, primary_key=True)
    body = TextField()


class Override(Table):
    """A person's decision in place of a rule's, with an end."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    target = CharField()  # risk_class | segment | limit | terms | hold | level | collector
    value = TextField(null=True)  # JSON
    from_day = IntegerField()
    until_day = IntegerField()
    reason = TextField()
    by = ForeignKeyField(User)
    approved_by = ForeignKeyField(User, null=True)
    approved_at = BigIntegerField(null=True)
    needs_approval = BooleanField(default=False)
    ended_day = IntegerField(null=True)
    created_at = BigIntegerField()


class GoLive(Table):
    """A proposal that an entity starts sending, and its approval by another person."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    start_level = CharField()  # zero | ageing
    daily_cap = IntegerField()
    preview = TextField()  # what each step would send, JSON
    state = CharField()  # proposed | approved | replaced
    proposed_by = ForeignKeyField(User)
    proposed_at = BigIntegerField()
    approved_by = ForeignKeyField(User, null=True)
    approved_at = BigIntegerField(null=True)


# --- what was decided ------------------------------------------------------------------


class Run(Table):
    """One decision run of an entity as of a day."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    as_of_day = IntegerField()
    kind = CharField()  # adoption | nightly | event
    state = CharField()  # gated | confirming | done | superseded
    acts = BooleanField(default=True)  # false: a missed day, decided without creating actions
    sent_until_day = IntegerField(null=True)  # steps reached after it, in missed days, get their action now
    edition = CharField(max_length=64, null=True)
    policy_key = TextField(default="")  # of the escalation it decided with
    facts_sha256 = CharField(max_length=64, null=True)
    facts_file = TextField(null=True)
    customers = IntegerField(default=0)
    changed = IntegerField(default=0)
    applied = IntegerField(default=0)
    undecided = IntegerField(default=0)
    disagreed = IntegerField(default=0)
    seconds = TextField(default="{}")  # per step, JSON
    approved_by = ForeignKeyField(User, null=True)
    started_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)
    version = IntegerField(default=1)


class Decision(Table):
    """One per customer and run with at least one changed outcome."""

    run = ForeignKeyField(Run, on_delete="RESTRICT")
    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    as_of_day = IntegerField()
    edition = CharField(max_length=64)
    changes = TextField()  # {stage: {before, after, by_rules, rules: [keys]}}
    facts = TextField()  # canonical JSON of the fact row its policies read
    confirmed_by = CharField()  # durable | reference
    created_at = BigIntegerField()

    class Meta:
        indexes = ((("as_of_day", "id"), False),)


class Outcome(Table):
    """The current outcomes of one customer, one wide row."""

    customer = ForeignKeyField(Customer, primary_key=True, on_delete="RESTRICT")
    entity_id = IntegerField(index=True)
    points = IntegerField(null=True)
    risk_class = CharField(null=True)
    segment = CharField(null=True)
    proposed_limit_minor = BigIntegerField(null=True)
    proposed_terms_days = IntegerField(null=True)
    hold = BooleanField(default=False)
    hold_reason = CharField(null=True)
    level = IntegerField(default=0)
    step = CharField(null=True)
    worklist_points = IntegerField(null=True)  # ranks the worklist
    alert = TextField(null=True)  # codes of the alerts that hold, joined by commas
    run_id = IntegerField()
    decision_id = IntegerField(null=True)
    as_of_day = IntegerField()

    class Meta:
        indexes = (
            (("worklist_points", "customer"), False),
            (("segment", "customer"), False),
            (("risk_class", "customer"), False),
            (("level", "customer"), False),
            (("hold", "customer"), False),
            (("entity_id", "segment"), False),
            (("entity_id", "risk_class"), False),
        )


class Alert(Table):
    """Something about a customer that somebody should look at, raised once when its rule begins to hold.

    Not to be confused with an alarm, which is about the system. One row per edge: when the rule no
    longer holds the row is over, and the next time it holds another row is raised.
    """

    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT", index=True)
    alert = CharField()  # its code
    rules = TextField()  # keys of the rules that raised it, JSON
    facts = TextField()  # what those rules saw, canonical JSON
    decision = ForeignKeyField(Decision, on_delete="RESTRICT")  # that raised it
    since_day = IntegerField()
    over_day = IntegerField(null=True)  # from when on it no longer held
    over_decision_id = IntegerField(null=True)
    acknowledged_by = ForeignKeyField(User, null=True)
    acknowledged_at = BigIntegerField(null=True)
    snoozed_by = ForeignKeyField(User, null=True)
    snoozed_until_day = IntegerField(null=True)  # comes up again on this day
    reason = TextField(default="")  # of the acknowledgement or the snooze
    version = IntegerField(default=1)

    class Meta:
        indexes = (
            (("decision", "alert"), True),
            (("entity_id", "over_day"), False),
            (("since_day", "id"), False),
        )


class Standing(Table):
    """Where a customer stands in a policy of escalation: a fold of decisions and results."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    entity_id = IntegerField()
    policy_key = CharField()
    episode = IntegerField(default=0)
    open = BooleanField(default=False)
    leader_line_id = IntegerField(null=True)
    leader_due_day = IntegerField(null=True)
    level = IntegerField(default=0)
    step_key = CharField(null=True)
    repeat_no = IntegerField(default=0)  # times the episode fell back: a step may then come again under a new key
    since_day = IntegerField(null=True)
    last_contact_day = IntegerField(null=True)
    next_step = CharField(null=True)
    next_day = IntegerField(null=True)
    waiting_for = TextField(default="[]")

    class Meta:
        indexes = ((("customer", "policy_key"), True),)


class DirtyCustomer(Table):
    """A customer whose state changed since it was decided; drained by the workers."""

    customer = ForeignKeyField(Customer, primary_key=True, on_delete="RESTRICT")
    entity_id = IntegerField()
    since_at = BigIntegerField()


# --- what is done ----------------------------------------------------------------------


class Action(Table):
    """One step to carry out, once (promises.md 3). The key is unique for ever."""

    key = CharField(unique=True)  # customer/policy/episode/step/repeat/channel, or the command's key
    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT", index=True)
    decision = ForeignKeyField(Decision, null=True, on_delete="RESTRICT")
    policy_key = CharField()
    episode = IntegerField()
    step_key = CharField()
    repeat_no = IntegerField(default=0)
    level = IntegerField(default=0)
    channel = CharField()  # email | letter | call | task
    template = CharField(null=True)
    owner_role = CharField(null=True)
    owner = ForeignKeyField(User, null=True)
    blocks = BooleanField(default=False)
    state = CharField()
    # messages: waiting due claimed sending sent uncertain failed cancelled; work: open done skipped cancelled
    due_day = IntegerField()
    not_before_at = BigIntegerField(default=0)
    waiting_for = CharField(null=True)  # why it is not under way, see engine.outbox.WAITING
    generation = IntegerField(default=0)
    lease_until_at = BigIntegerField(null=True)
    attempts = IntegerField(default=0)
    body_sha256 = CharField(max_length=64, null=True)
    receipt = TextField(null=True)
    result = TextField(null=True)  # call result, or why it was cancelled, failed, skipped
    edition_planned = CharField(max_length=64, null=True)
    edition_sent = CharField(max_length=64, null=True)
    created_at = BigIntegerField()
    settled_at = BigIntegerField(null=True)
    version = IntegerField(default=1)

    class Meta:
        indexes = (
            (("entity_id", "settled_at"), False),
            (("state", "due_day", "id"), False),
            (("due_day", "id"), False),
            (("level", "id"), False),
        )


class Message(Table):
    """What was sent, sealed with the key of the person it went to."""

    action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    message_id = CharField(unique=True)
    sealed = BlobField()  # JSON: to, subject, text, html; of a letter: to, subject, pdf (base64)
    body_sha256 = CharField(max_length=64)
    gateway = CharField()  # smtp | mailbox | print_folder
    composed_at = BigIntegerField()
    sent_at = BigIntegerField(null=True)


class Alarm(Table):
    """Something a person must know: a disagreement, a crash, a missing rate."""

    entity_id = IntegerField(null=True)
    customer = ForeignKeyField(Customer, null=True, on_delete="RESTRICT")
    kind = CharField()
    text = TextField()
    raised_at = BigIntegerField()
    acknowledged_by = ForeignKeyField(User, null=True)
    acknowledged_at = BigIntegerField(null=True)


class Verification(Table):
    """What must always hold, checked once; the last one is shown on the dashboard."""

    night = IntegerField(null=True, unique=True)  # the day whose nightly verification it is; null: by a person
    started_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)  # null: under way, or died
    seconds = IntegerField(default=0)
    problems = IntegerField(default=0)
    checks = TextField(default="[]")  # JSON: name, checked, found, seconds, findings of each


class CommandRecord(Table):
    """An answered command: the same key and body gets the same answer, another body is refused."""

    key = CharField(unique=True)
    name = CharField()
    body_sha256 = CharField(max_length=64)
    answer = TextField()
    at = BigIntegerField()


class AuditEntry(Table):
    """Hash chain over every write (promises.md 3)."""

    at = BigIntegerField()
    actor_id = IntegerField(null=True)  # null: the system
    command = CharField()
    entity_id = IntegerField(null=True)
    subject_kind = CharField()
    subject_id = CharField()
    before = TextField(null=True)
    after = TextField(null=True)
    reason = TextField()
    previous_hash = CharField(max_length=64)
    hash = CharField(max_length=64, unique=True)


ENTRY_TABLES = (DueLine, Credit, Allocation, Reversal, Dispute, DisputeClosing, Promise, CreditLimit, Block)
APPEND_ONLY = (*ENTRY_TABLES, Import, Decision, Edition, AuditEntry)
TABLES = tuple(t for t in Table.__subclasses__() if t is not Entry) + tuple(Entry.__subclasses__())
