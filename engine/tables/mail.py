"""Received mail: the mailbox it is read from, and what became of each."""

from peewee import BigIntegerField, BlobField, CharField, ForeignKeyField, IntegerField

from engine.tables.actions import Action
from engine.tables.base import Table
from engine.tables.parties import Customer, Person, User


class Mailbox(Table):
    """How far a mailbox is read, and how reading it fares."""

    name = CharField(unique=True)  # user@host/folder
    uid_validity = BigIntegerField(default=0)
    last_uid = BigIntegerField(default=0)  # the last that was taken in
    next_read_at = BigIntegerField(default=0)
    last_read_at = BigIntegerField(null=True)
    failures = IntegerField(default=0)  # in a row
    last_failure_at = BigIntegerField(null=True)
    last_error = CharField(null=True)


class ReceivedMail(Table):
    """A mail that was taken in, sealed with the key of the person it belongs to."""

    mailbox = ForeignKeyField(Mailbox, on_delete="RESTRICT")
    uid_validity = BigIntegerField()
    uid = BigIntegerField()
    identity = CharField(max_length=64, unique=True)  # of Message-ID and body: read again it is the same
    received_at = BigIntegerField()
    kind = CharField()  # hard_bounce | soft_bounce | automatic | reply | other
    status = CharField(default="")  # of a bounce, as 5.1.1
    state = CharField()  # noted | goes_again | diary | unassigned | set_aside
    action = ForeignKeyField(Action, null=True, on_delete="RESTRICT", index=True)  # our message it is about
    customer = ForeignKeyField(Customer, null=True, on_delete="RESTRICT")
    task = ForeignKeyField(Action, null=True, on_delete="RESTRICT", index=True)  # the diary item it became
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    sealed = BlobField()  # JSON: from, subject, text, said, attachments
    settled_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")  # who assigned it, or set it aside
    settled_at = BigIntegerField(null=True)
    version = IntegerField(default=1)

    class Meta:
        indexes = (
            (("mailbox", "uid_validity", "uid"), True),
            (("customer", "id"), False),
            (("state", "id"), False),
        )
