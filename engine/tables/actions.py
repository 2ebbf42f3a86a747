"""What is done and kept about it: actions, messages, alarms, commands, the audit chain."""

from peewee import BigIntegerField, BlobField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.base import Table
from engine.tables.decisions import Decision
from engine.tables.parties import Customer, Person, User


class Action(Table):
    """One step to carry out, once (promises.md 3). The key is unique for ever."""

    # customer/policy/episode/step/repeat/channel, with line-<id> for a customer, or the command's key
    key = CharField(unique=True)
    entity_id = IntegerField()
    customer = ForeignKeyField(Customer, on_delete="RESTRICT", index=True)
    line_id = IntegerField(default=0)  # the due line, as it was first posted; 0: the customer itself
    decision = ForeignKeyField(Decision, null=True, on_delete="RESTRICT")
    policy_key = CharField()
    episode = IntegerField()
    step_key = CharField()
    repeat_no = IntegerField(default=0)
    level = IntegerField(default=0)
    channel = CharField()  # email | letter | sms | chat | webhook | internal | call | task
    otherwise = TextField(default="")  # channels tried in this order where an address is missing, by commas
    sends_by = CharField(null=True)  # the one of them it leaves by; null: its channel
    template = CharField(null=True)
    owner_role = CharField(null=True)
    owner = ForeignKeyField(User, null=True)  # whose work it is; null: of whoever has the role
    blocks = BooleanField(default=False)
    state = CharField()
    # messages: waiting due claimed sending sent uncertain failed cancelled; work: open done skipped cancelled
    covered_by = ForeignKeyField("self", null=True, on_delete="RESTRICT", index=True)  # whose message carries it
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
    settled_by = ForeignKeyField(User, null=True, backref="settled")  # who did it, or let it go
    version = IntegerField(default=1)

    @property
    def way(self) -> str:
        """The channel a message leaves by: its own, or the one tried in its place."""
        return str(self.sends_by or self.channel)

    @property
    def ways(self) -> tuple[str, ...]:
        """Its channel, and those tried in its place where an address is missing."""
        return tuple(dict.fromkeys((str(self.channel), *filter(None, str(self.otherwise).split(",")))))

    class Meta:
        indexes = (
            (("entity_id", "settled_at"), False),
            (("owner", "state", "due_day", "id"), False),
            (("state", "due_day", "id"), False),
            (("due_day", "id"), False),
            (("level", "id"), False),
        )


class ActionWait(Table):
    """A reason for which a message waited on a day; the action itself keeps the last one only."""

    action = ForeignKeyField(Action, on_delete="RESTRICT")
    day = IntegerField()  # the business day it belongs to
    why = CharField()
    since_at = BigIntegerField()

    class Meta:
        indexes = ((("action", "day", "why"), True),)


class Message(Table):
    """What was sent, sealed with the key of the person it went to."""

    action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    message_id = CharField(unique=True)
    sealed = BlobField()  # JSON: to, subject, attachments; text, html, or of a letter pdf (base64)
    body_sha256 = CharField(max_length=64)
    template_sha256 = CharField(max_length=64, default="")  # of the template it was written by; empty: by hand
    gateway = CharField()  # name of the gateway it left by, a key of engine.door_settings.LIMITS
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

    class Meta:
        indexes = ((("command", "at"), False),)
