"""The ledger: append-only entries, imports, exchange rates."""

from peewee import BigIntegerField, BlobField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.base import Table
from engine.tables.parties import Customer, Entity, Person, User


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

    target = CharField()  # due_line | credit | allocation | dispute | promise | credit_limit | block | ...
    target_id = IntegerField()
    reason = TextField()

    class Meta:
        indexes = ((("target", "target_id"), True),)


class Dispute(Entry):
    """A customer contests a due line, whole or in part; opened on booked_day."""

    due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")
    amount_minor = BigIntegerField(null=True)  # null: all of it
    cause = CharField(default="other")  # a code of engine.dispute_causes
    reason = TextField()
    owner_role = TextField(default="sales")
    owner = IntegerField(null=True)  # a person; null: whoever holds the role
    deadline_day = IntegerField(null=True)
    first_id = IntegerField(null=True)  # the dispute it goes on from, on a line that replaced another; null: itself


class DisputeClosing(Entry):
    """The end of a dispute, on booked_day."""

    dispute = ForeignKeyField(Dispute, on_delete="RESTRICT", unique=True)
    outcome = CharField()  # accepted | rejected | withdrawn
    accepted_minor = BigIntegerField(null=True)  # of an accepted one; null: all that was disputed


class DisputeStep(Entry):
    """What was said about a dispute, and who is to solve it until when; kept by its first dispute."""

    dispute = ForeignKeyField(Dispute, on_delete="RESTRICT")
    kind = CharField()  # comment | change | question | answer
    text = TextField()
    owner_role = TextField(null=True)  # with a change: of all three, as they are from now on
    owner = IntegerField(null=True)
    deadline_day = IntegerField(null=True)
    by = IntegerField(null=True)  # a user; null: the system, or somebody by a mail link
    link_id = IntegerField(null=True)  # the mail link it was asked or answered by


class AnswerLink(Table):
    """A link by which one colleague answers about one dispute, once. The link itself is nowhere: its hash is."""

    dispute = ForeignKeyField(Dispute, on_delete="RESTRICT")  # the first
    person = ForeignKeyField(Person, on_delete="RESTRICT")  # sealed: name, email
    user = ForeignKeyField(User, null=True)  # null: somebody without an account
    token_sha256 = CharField(max_length=64, unique=True)
    sealed = BlobField(null=True)  # the token until the mail is written, with the person's key
    asked_by = IntegerField(null=True)
    asked_at = BigIntegerField()
    expires_at = BigIntegerField()
    answered_at = BigIntegerField(null=True)
    withdrawn_at = BigIntegerField(null=True)


class Promise(Entry):
    """A customer promises to pay by a day; made on booked_day. Kept or broken is derived."""

    due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")  # null: any of them
    amount_minor = BigIntegerField()
    currency = CharField(max_length=3)
    promised_day = IntegerField()
    after_credit_id = IntegerField()  # the last credit there was when it was made; 0: none


class PaymentPlan(Entry):
    """Some lines are paid in instalments; agreed on booked_day. How it stands is derived."""

    total_minor = BigIntegerField()
    currency = CharField(max_length=3)
    reason = TextField()
    agreed_by = IntegerField(null=True)
    approved_by = IntegerField(null=True)  # where it took a second person


class PlanLine(Entry):
    """A due line that a payment plan pays."""

    plan = ForeignKeyField(PaymentPlan, on_delete="RESTRICT")
    due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")


class Instalment(Entry):
    """So much of a payment plan by a day."""

    plan = ForeignKeyField(PaymentPlan, on_delete="RESTRICT")
    due_day = IntegerField()
    amount_minor = BigIntegerField()


class Proposal(Table):
    """Entries that take a second person, as they were proposed."""

    kind = CharField()  # payment_plan | write_off | waiver
    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT", index=True)
    body = TextField()  # canonical JSON
    sha256 = CharField(max_length=64)
    reason = TextField()
    state = CharField(default="proposed")  # proposed | approved | declined
    proposed_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
    proposed_at = BigIntegerField()
    decided_by = ForeignKeyField(User, null=True, backref="proposals_decided", on_delete="RESTRICT")
    decided_at = BigIntegerField(null=True)
    version = IntegerField(default=1)


class CreditLimit(Entry):
    """A limit in force from a day until a day (half-open); the latest entry wins."""

    amount_minor = BigIntegerField(null=True)  # null: no limit
    from_day = IntegerField()
    until_day = IntegerField(null=True)
    approved_by = IntegerField(null=True)
    reason = TextField(default="")


class Rating(Entry):
    """What an agency thinks of a customer, from booked_day on."""

    agency = TextField()
    scale = TextField(default="")  # name of the agency's scale
    grade = TextField(default="")  # as printed
    score = IntegerField(null=True)  # the agency's figure, as printed
    pd_bp = IntegerField(null=True)  # chance of a default within a year
    limit_minor = BigIntegerField(null=True)  # recommended
    currency = CharField(max_length=3, default="")  # of the limit
    identity = CharField(max_length=64)  # sha256 over what makes it the same rating (ledger.external)
    revision = IntegerField(default=0)
    by = IntegerField(null=True)  # a user; null: a file

    class Meta:
        indexes = ((("entity_id", "identity", "revision"), True),)


class FinancialStatement(Entry):
    """A financial statement of a customer; booked on the day it was filed. Null: it does not say."""

    period_end_day = IntegerField()
    months = IntegerField(default=12)
    consolidated = IntegerField(default=0)  # 1: of the customer's group
    audited = IntegerField(null=True)  # 1 | 0
    filed_day = IntegerField(null=True)
    source = TextField(default="")
    currency = CharField(max_length=3)
    revenue_minor = BigIntegerField(null=True)
    operating_result_minor = BigIntegerField(null=True)
    net_result_minor = BigIntegerField(null=True)
    operating_cash_flow_minor = BigIntegerField(null=True)
    total_assets_minor = BigIntegerField(null=True)
    current_assets_minor = BigIntegerField(null=True)
    inventories_minor = BigIntegerField(null=True)
    cash_minor = BigIntegerField(null=True)
    equity_minor = BigIntegerField(null=True)
    current_liabilities_minor = BigIntegerField(null=True)
    total_debt_minor = BigIntegerField(null=True)
    interest_cost_minor = BigIntegerField(null=True)
    employees = IntegerField(null=True)
    identity = CharField(max_length=64)
    revision = IntegerField(default=0)
    by = IntegerField(null=True)

    class Meta:
        indexes = ((("entity_id", "identity", "revision"), True),)


class Block(Entry):
    """Stops something about a customer or a line from a day until a day (half-open)."""

    kind = CharField()  # dunning_block | pause | insolvent | handed_over
    due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")
    from_day = IntegerField()
    until_day = IntegerField(null=True)
    reason = TextField()
    by = IntegerField(null=True)


class ClaimEntry(Entry):
    """Interest, a fixed sum or a cost beside the ledger, and what was paid or waived of them (semantics.md 1)."""

    kind = CharField()  # interest | fixed_sum | cost | payment | waiver
    part = CharField(default="")  # of a charge its kind, of a waiver the kind it waives
    due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")  # null: about the account
    amount_minor = BigIntegerField()  # positive
    currency = CharField(max_length=3)
    from_day = IntegerField(null=True)  # of interest: after this day
    until_day = IntegerField(null=True)  # of interest: up to and with this day
    regime = CharField(max_length=64, default="")  # sha256 of the document it was charged by
    reason = TextField(default="")
    by = IntegerField(null=True)
    approved_by = IntegerField(null=True)


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


class DocumentContent(Table):
    """A file, sealed; never changed, and kept for the letters it went out with."""

    sha256 = CharField(max_length=64, primary_key=True)  # of the bytes before they were sealed
    sealed = BlobField()


class InvoiceDocument(Table):
    """The PDF of an invoice, kept beside it."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    number = TextField()  # of the invoice
    name = TextField()  # of the file
    sha256 = CharField(max_length=64)  # of its DocumentContent
    size = IntegerField()  # bytes
    added_at = BigIntegerField()
    added_by = ForeignKeyField(User, null=True)
    removed_at = BigIntegerField(null=True)

    class Meta:
        indexes = ((("customer", "number", "sha256"), True),)
