"""Ways out: how each of them fares, addresses two people agreed on, and letters printed together."""

from peewee import BigIntegerField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.actions import Action
from engine.tables.base import Table
from engine.tables.parties import Entity, User


class Door(Table):
    """How a way out fares, for all workers. A row appears when something first leaves by it."""

    name = CharField(unique=True)  # of the gateway; of webhooks with the entity's code
    window_at = BigIntegerField(default=0)  # since when messages are counted
    used = IntegerField(default=0)  # messages claimed since then
    failures = IntegerField(default=0)  # in a row
    rests_until_at = BigIntegerField(null=True)
    last_success_at = BigIntegerField(null=True)
    last_failure_at = BigIntegerField(null=True)
    last_error = TextField(null=True)


class ClockMark(Table):
    """The latest instant a worker saw, in one row: a clock that was set back shows by it."""

    seen_at = BigIntegerField()


class GatewayAddress(Table):
    """Where an entity's webhooks go: proposed by one person, in force when another has approved it."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    url = TextField()
    sha256 = CharField(max_length=64)  # of the url: what is approved is what was proposed
    state = CharField(default="proposed")  # proposed | approved | replaced | withdrawn
    proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
    proposed_at = BigIntegerField()
    approved_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
    approved_at = BigIntegerField(null=True)


class LetterBatch(Table):
    """Letters of one entity that are printed and posted together."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    until_day = IntegerField()  # letters written up to this day
    sorted_by = CharField()  # postcode | customer
    trial = BooleanField(default=False)  # written while nothing might be sent for real: not to be posted
    letters = IntegerField()
    state = CharField(default="closed")  # closed | posted
    closed_by = ForeignKeyField(User, on_delete="RESTRICT")
    closed_at = BigIntegerField()
    posted_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
    posted_at = BigIntegerField(null=True)
    evidence = TextField(null=True)  # receipt of the post office, number of the pick-up
    version = IntegerField(default=1)

    class Meta:
        indexes = ((("entity", "id"), False),)


class BatchLetter(Table):
    """A letter's place in its batch; a letter is in one batch at most."""

    batch = ForeignKeyField(LetterBatch, on_delete="RESTRICT")
    action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
    position = IntegerField()

    class Meta:
        indexes = ((("batch", "position"), True),)
