"""What governs: documents, models, editions, overrides, go-live."""

from peewee import BigIntegerField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from engine.tables.base import Table
from engine.tables.parties import Customer, Entity, User


class Document(Table):
    """One version of a policy, parameters, derived facts, a letter template or a law of late payment.

    Immutable once proposed.
    """

    kind = CharField()  # policy | parameters | derived_facts | template | regime | rate_table
    key = CharField()
    stage = CharField(null=True)
    subject = CharField(null=True)
    entity = ForeignKeyField(Entity, null=True, on_delete="RESTRICT")
    sha256 = CharField(max_length=64, index=True)
    body = TextField()  # canonical JSON
    status = CharField()  # draft | proposed | approved | live | retired | rejected | withdrawn
    from_day = IntegerField(null=True)
    until_day = IntegerField(null=True)
    reason = TextField(default="")
    impact = TextField(null=True)  # the simulation it was proposed with, JSON
    replaces = CharField(max_length=64, null=True)  # sha256 of the version it was made from and takes the place of
    drafted_by = ForeignKeyField(User, null=True)  # who wrote this content last; may not approve it
    authors = TextField(default="[]")  # ids of all who wrote in the draft; none of them may approve it
    undo = TextField(default="[]")  # of a draft: how to take its last edits back, the newest last
    proposed_by = ForeignKeyField(User, null=True)
    proposed_at = BigIntegerField(null=True)
    approved_by = ForeignKeyField(User, null=True)
    approved_at = BigIntegerField(null=True)
    version = IntegerField(default=1)


class DocumentComment(Table):
    """A remark about a version. Append-only: a remark is settled by another that answers it."""

    document = ForeignKeyField(Document, on_delete="RESTRICT")
    by = ForeignKeyField(User, on_delete="RESTRICT")
    at = BigIntegerField()
    place = CharField(null=True)  # JSON pointer into the version; null: all of it
    about = CharField(null=True)  # key of the rule, step or parameter at that place
    text = TextField()
    settles = ForeignKeyField("self", null=True, on_delete="RESTRICT")  # the remark it settles


class PolicyStop(Table):
    """A policy that a person stopped, until two people let it go on."""

    policy_key = CharField(index=True)
    stage = CharField()
    entity = ForeignKeyField(Entity, null=True, on_delete="RESTRICT")  # null: for all
    reason = TextField()
    stopped_by = ForeignKeyField(User)
    stopped_at = BigIntegerField()
    resume_reason = TextField(null=True)
    resume_by = ForeignKeyField(User, null=True)  # who proposes that it goes on; another person approves
    resume_at = BigIntegerField(null=True)
    approved_by = ForeignKeyField(User, null=True)
    over_at = BigIntegerField(null=True)
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
    proposed_by = ForeignKeyField(User, null=True)  # who waits for a second person to make it the champion
    proposed_at = BigIntegerField(null=True)
    approved_by = ForeignKeyField(User, null=True)  # another person
    approved_at = BigIntegerField(null=True)  # when it last became the champion
    measured = TextField(default="")  # beside the champion on the same rows, the last time: JSON
    promoted = TextField(default="")  # what was measured when it became the champion, and who overrode it: JSON


class Training(Table):
    """Work on models that takes longer than a page: asked for, at some step, finished or broken off."""

    key = CharField(unique=True)  # a month's work, or a day's comparison, is asked for once
    task = CharField()
    what = CharField()  # train | refit | measure
    model = ForeignKeyField(ScoreModel, null=True)  # measured, or what came of it
    as_of_day = IntegerField()
    grace_days = IntegerField(default=0)
    asked_by = ForeignKeyField(User, null=True)  # null: the worker, each month or before an approval
    asked_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    tries = IntegerField(default=0)
    step = CharField(default="")  # read | features | learn | test | register
    done = IntegerField(default=0)  # of the step, so many of ``parts``
    parts = IntegerField(default=0)
    rows_read = IntegerField(default=0)
    finished_at = BigIntegerField(null=True, index=True)
    failed = TextField(default="")  # why there is no model


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


class TermsProposal(Table):
    """Sending terms of an entity that permit more than now, until another person approves them."""

    entity = ForeignKeyField(Entity, on_delete="RESTRICT")
    terms = TextField()  # JSON: daily_cap, contact_times
    reason = TextField()
    state = CharField()  # proposed | approved | replaced
    proposed_by = ForeignKeyField(User)
    proposed_at = BigIntegerField()
    approved_by = ForeignKeyField(User, null=True)
    approved_at = BigIntegerField(null=True)
