"""Debts handed over to others."""

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.base import Table
from engine.tables.entries import Block
from engine.tables.parties import Customer, User


class HandOver(Table):
    """All that a customer owes on a day, given to an agency, an insurer or a court."""

    customer = ForeignKeyField(Customer, on_delete="RESTRICT")
    target = CharField()  # agency | insurer | court
    recipient = TextField()  # its name
    reason = TextField()
    state = CharField()  # proposed | declined | handed_over | accepted | rejected | closed
    proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
    proposed_at = BigIntegerField()
    settled_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")  # who approved or declined it
    handed_day = IntegerField(null=True)
    block = ForeignKeyField(Block, null=True, on_delete="RESTRICT")  # what keeps us from dunning meanwhile
    figures = TextField(default="{}")  # JSON: what was handed over, by currency, minor units
    recovered = TextField(default="{}")  # JSON: what came back so far, by currency, minor units
    version = IntegerField(default=1)


class HandOverNote(Table):
    """What the agency, insurer or court said. Append-only."""

    hand_over = ForeignKeyField(HandOver, on_delete="RESTRICT")
    state = CharField()  # accepted | rejected | recovered | closed
    amount_minor = BigIntegerField(null=True)
    currency = CharField(max_length=3, null=True)
    text = TextField()
    by = ForeignKeyField(User, on_delete="RESTRICT")
    at = BigIntegerField()
