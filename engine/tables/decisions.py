"""What was decided: runs, decisions, outcomes, alerts, standings."""

from peewee import BigIntegerField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.base import Table
from engine.tables.parties import Customer, Entity, User


class Run(Table):
    """One decision run of an entity as of a day."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    as_of_day = IntegerField()
    kind = CharField()  # adoption | nightly | event
    state = CharField()  # gated | confirming | done | superseded
    acts = BooleanField(default=True)  # false: a missed day, decided without creating actions
    starts_by_age = BooleanField(default=False)  # by a go-live: everybody stands where their oldest item would be
    sent_until_day = IntegerField(null=True)  # steps reached after it, in missed days, get their action now
    edition = CharField(max_length=64, null=True)
    policy_key = TextField(default="")  # of the escalation it decided with
    line_policy_key = TextField(default="")  # of the escalation that decided due lines; empty without one
    facts_sha256 = CharField(max_length=64, null=True)
    facts_file = TextField(null=True)
    lines_sha256 = CharField(max_length=64, null=True)  # of the due lines, where a policy decides them
    lines_file = TextField(null=True)
    invoice_model = CharField(max_length=64, null=True)  # that scored the open invoices
    invoices_file = TextField(null=True)  # their scores
    cash_file = TextField(null=True)  # the cash forecast of the entity
    cash_at = BigIntegerField(null=True)  # when it was made, or found that there is nothing to forecast
    customers = IntegerField(default=0)
    changed = IntegerField(default=0)
    lines = IntegerField(default=0)
    lines_changed = IntegerField(default=0)
    applied = IntegerField(default=0)
    undecided = IntegerField(default=0)
    disagreed = IntegerField(default=0)
    seconds = TextField(default="{}")  # per step, JSON
    approved_by = ForeignKeyField(User, null=True)
    entries_until = TextField(default="{}")  # per table of entries the last id before it read them, JSON
    started_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)
    version = IntegerField(default=1)


class Decision(Table):
    """One per customer, or due line, and run with at least one changed outcome."""

    run = ForeignKeyField(Run, on_delete="RESTRICT")
    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    line_id = IntegerField(default=0)  # the due line, as it was first posted; 0: the customer itself
    as_of_day = IntegerField()
    edition = CharField(max_length=64)
    changes = TextField()  # {stage: {before, after, by_rules, rules: [keys]}}
    facts = TextField()  # canonical JSON of the fact row its policies read
    confirmed_by = CharField()  # durable | reference
    created_at = BigIntegerField()

    class Meta:
        indexes = ((("as_of_day", "id"), False),)


class WatchedRun(Table):
    """What the scores of one run were like, computed once when it ended; kept when its facts are not."""

    run = ForeignKeyField(Run, unique=True, on_delete="RESTRICT")
    entity_id = IntegerField()
    as_of_day = IntegerField()
    model = CharField(max_length=64)
    reference = TextField(null=True)  # JSON of the distributions, at the first run of a model: what drift starts from
    figures = TextField()  # JSON: customers, scored, thin, open items, unknown values and drift by feature
    outcome = TextField(null=True)  # JSON: what became of them; null: not known yet, {}: nobody can tell any more

    class Meta:
        indexes = ((("entity_id", "as_of_day"), False),)


class DayReplay(Table):
    """A past day that somebody asked to decide again, and what came of it; nothing else is written."""

    run = ForeignKeyField(Run, on_delete="RESTRICT")
    asked_by = ForeignKeyField(User, on_delete="RESTRICT")
    asked_at = BigIntegerField()
    finished_at = BigIntegerField(null=True, index=True)  # null: waits for a worker, or is under way
    decisions = IntegerField(default=0)
    from_own_facts = IntegerField(default=0)  # of them compared without the run's facts, kept no more
    found = IntegerField(default=0)  # differences
    differences = TextField(default="[]")  # the first of them, JSON
    failed = TextField(default="")  # why it could not be replayed


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
    """Where a customer, or a due line, stands in a policy of escalation: a fold of decisions and results."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    line_id = IntegerField(default=0)  # the due line, as it was first posted; 0: the customer itself
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
        indexes = ((("customer", "policy_key", "line_id"), True),)


class DirtyCustomer(Table):
    """A customer whose state changed since it was decided; drained by the workers."""

    customer = ForeignKeyField(Customer, primary_key=True, on_delete="RESTRICT")
    entity_id = IntegerField()
    since_at = BigIntegerField()
