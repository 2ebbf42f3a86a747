"""The SQL that reads an entity's tables for a decision: one description per frame.

Ledger frames follow from ``ledger.state.FRAMES`` and ``engine.tables``; the others are what was
decided before and whom we reached, from the engine's own tables.
"""

# Values are never pasted in as text a user gave: integers through ``:d``, names from the declarations,
# a policy key quoted.
# ruff: noqa: S608

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
from peewee import Model

from engine.database import Store
from engine.tables import TABLES
from ledger.days import date_of, days_since_month_end
from ledger.state import FRAMES

DAY_US = 86_400 * 1_000_000
DERIVED = ("contact_made", "group_other")
# A step is finished once its message is sent, or a person ended it; a failed or doubtful one is not.
STEP_PENDING, STEP_OPEN = -2, -1  # in place of the days since the step stood at was done
UNFINISHED_MESSAGE = ("waiting", "due", "claimed", "sending", "uncertain", "failed")


@dataclass(frozen=True, slots=True)
class Question:
    """What a read depends on beside the tables.

    Args:
        entity_id: whose tables.
        as_of_day: the day asked for.
        zone: time zone in which a contact's instant falls on a day.
        policy_key: the escalation policy whose standing is read.
        sent_until_day: steps reached after this day were decided while catching up and have
            no action yet; they count as unfinished. None: there are none such.
        rates_e9: for the exposure of groups in other entities.
        group_exposure: exposure of groups in other entities, base currency minor units.
    """

    entity_id: int
    as_of_day: int
    zone: str = "UTC"
    policy_key: str = ""
    sent_until_day: int | None = None
    group_exposure: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a frame as it is read."""

    name: str
    dtype: Any
    empty_is_null: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """How one frame is read: everything of the entity, or some customers (one JSON array)."""

    columns: tuple[Field, ...]
    all: str
    some: str


def questions(question: Question, store: Store) -> dict[str, Table]:
    """The SQL of every frame for a question, as its database wants it."""
    tables = {name: _ledger_table(name, question, store) for name in FRAMES if name not in DERIVED}
    tables["contact_made"] = _contact_made(question, store)
    tables["group_other"] = _group_other(question, store)
    tables["previous"] = _previous(question, store)
    return tables


def questions_of_lines(question: Question, store: Store) -> dict[str, Table]:
    """The SQL of what deciding due lines needs beside the frames of a question.

    Args:
        question: with the key of the policy that decides them.

    Returns:
        ``line_standing``, where each line stands, and ``line_renewed``, which line took the place of
        which when it was corrected: a line keeps the standing of the first.
    """
    columns = [Field("line_id", nw.Int64), Field("line_customer_id", nw.Int64)]
    parts = ["s.line_id as line_id", "s.customer_id as line_customer_id"]
    _add_standing(columns, parts, question, store)
    standing = (
        f"select {', '.join(parts)} from standing s where {store.unindexed}s.entity_id = {question.entity_id:d} "
        f"and s.policy_key = '{_quoted(question.policy_key)}' and s.line_id != 0"
    )
    renewed = (
        "select l.id as renewed_id, f.id as first_id from due_line l join due_line f on f.entity_id = l.entity_id "
        f"and f.identity = l.identity and f.revision = 0 where l.entity_id = {question.entity_id:d} and l.revision > 0"
    )
    ids = (Field("renewed_id", nw.Int64), Field("first_id", nw.Int64))
    return {
        "line_standing": Table(tuple(columns), standing, f"{standing} and s.customer_id in {store.listed}"),
        "line_renewed": Table(ids, renewed, f"{renewed} and l.customer_id in {store.listed}"),
    }


def questions_ahead(
    question: Question, store: Store, days: Sequence[int], policy_keys: Sequence[str]
) -> dict[str, Table]:
    """The SQL of what looking ahead needs beside the frames of a question.

    Args:
        question: of the first day.
        days: that are looked at.
        policy_keys: of further escalation policies that decide on one of them.

    Returns:
        ``owner`` (who collects from each customer, and its country), ``made`` (actions of the episodes
        that last), ``undone`` (messages and calls that are not carried out yet), ``overrides <day>``,
        and ``previous <n>``, what stands under the n-th further policy.
    """
    others = [_previous(replace(question, policy_key=key), store) for key in policy_keys]
    return {
        "owner": _owners(question, store),
        "made": _made(question, store),
        "undone": _undone(question, store),
        **{f"overrides {day}": _overrides(replace(question, as_of_day=day), store) for day in days},
        **{f"previous {number}": table for number, table in enumerate(others)},
    }


def _owners(question: Question, store: Store) -> Table:
    columns = (Field("customer_id", nw.Int64), Field("collector", nw.Int64), Field("country", nw.String))
    sql = (
        "select id as customer_id, collector_id as collector, coalesce(country, '') as country from customer "
        f"where {store.unindexed}entity_id = {question.entity_id:d}"
    )
    return Table(columns, sql, f"{sql} and id in {store.listed}")


MADE: Mapping[str, Any] = {
    "customer_id": nw.Int64,
    "policy_key": nw.String,
    "episode": nw.Int64,
    "step_key": nw.String,
    "repeat_no": nw.Int64,
    "channel": nw.String,
}


def _made(question: Question, store: Store) -> Table:
    columns = tuple(Field(name, dtype) for name, dtype in MADE.items())
    sql = (
        f"select {', '.join(f'a.{name}' for name in MADE)} from action a "
        "join standing s on s.customer_id = a.customer_id and s.policy_key = a.policy_key and s.episode = a.episode "
        "and s.line_id = 0 and a.line_id = 0 "
        f"where {store.unindexed}a.entity_id = {question.entity_id:d}"
    )
    return Table(columns, sql, f"{sql} and a.customer_id in {store.listed}")


def _undone(question: Question, store: Store) -> Table:
    states = ", ".join(f"'{state}'" for state in UNFINISHED_MESSAGE)
    sql = (
        "select customer_id, coalesce(sends_by, channel) as channel, step_key from action "
        f"where {store.unindexed}entity_id = {question.entity_id:d} and line_id = 0 "
        f"and ((channel not in ('call', 'task') and state in ({states})) or (channel = 'call' and state = 'open'))"
    )
    columns = (Field("customer_id", nw.Int64), Field("channel", nw.String), Field("step_key", nw.String))
    return Table(columns, sql, f"{sql} and customer_id in {store.listed}")


def _overrides(question: Question, store: Store) -> Table:
    """Per customer with any override, what is in force on a day; and who collects from them then."""
    columns, parts = [Field("customer_id", nw.Int64)], ["c.id as customer_id"]
    for column, part in _overridden(question, store):
        columns.append(column)
        parts.append(part)
    columns.append(Field("collector", nw.Int64))
    value = _override("collector", store.value_of("v.value", SQL_TYPES[nw.Int64]), question)
    parts.append(f"coalesce({value}, c.collector_id) as collector")
    sql = (
        f"select {', '.join(parts)} from customer c where {store.unindexed}c.entity_id = {question.entity_id:d} "
        "and exists (select 1 from override v where v.customer_id = c.id)"
    )
    return Table(tuple(columns), sql, f"{sql} and c.id in {store.listed}")


def _ledger_table(name: str, question: Question, store: Store) -> Table:
    model = MODELS[name]
    columns = []
    for column, dtype in FRAMES[name].items():
        nullable = model._meta.columns[column].null
        columns.append(Field(column, dtype, empty_is_null=dtype is nw.String and nullable))
    owner = "id" if name == "customer" else "customer_id"
    sql = f"select {_selected(columns)} from {name} where {store.unindexed}entity_id = {question.entity_id:d}"
    return Table(tuple(columns), sql, f"{sql} and {owner} in {store.listed}")


def _selected(columns: list[Field], prefix: str = "") -> str:
    return ", ".join(
        f"coalesce({prefix}{c.name}, '') as {c.name}" if c.empty_is_null else f"{prefix}{c.name}" for c in columns
    )


def _contact_made(question: Question, store: Store) -> Table:
    columns = tuple(Field(name, dtype) for name, dtype in FRAMES["contact_made"].items())
    sql = (
        f"select customer_id, {_settled_day(question)} as day from action "
        f"where {store.unindexed}entity_id = {question.entity_id:d} "
        "and settled_at is not null and ((state = 'sent' and channel not in ('webhook', 'internal')) "
        "or (state = 'done' and channel = 'call' "
        "and coalesce(result, '') not in ('no_answer', 'wrong_contact')))"
    )
    return Table(columns, sql, f"{sql} and customer_id in {store.listed}")


def _settled_day(question: Question) -> str:
    """The business day on which an action was settled."""
    settled = f"((settled_at + {_offset_us(question)}) / {DAY_US})"
    # A run of a past day is carried out today: there the business day of the contact is its due day.
    return (
        f"case when {settled} > {question.as_of_day:d} then due_day "
        f"when {settled} > due_day then {settled} else due_day end"
    )


def _offset_us(question: Question) -> int:
    noon = datetime.combine(date_of(question.as_of_day), time(12), tzinfo=UTC)
    offset = noon.astimezone(ZoneInfo(question.zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * 1_000_000


def _group_other(question: Question, store: Store) -> Table:
    columns = tuple(Field(name, dtype) for name, dtype in FRAMES["group_other"].items())
    rows = [f"({group:d}, {'null' if amount is None else f'{amount:d}'})" for group, amount in question.group_exposure]
    values = ", ".join(["(cast(null as bigint), cast(null as bigint))", *rows])
    sql = (
        f"select column1 as customer_group_id, column2 as exposure_minor from (values {values}) as v "
        "where column1 is not null"
    )
    some = f"column1 in (select customer_group_id from customer where id in {store.listed})"
    return Table(columns, sql, f"{sql} and {some}")


def people_table(entity_id: int, store: Store) -> Table:
    """Collector and portfolio of every customer of an entity that has one."""
    columns = (
        Field("customer_id", nw.Int64),
        Field("collector_id", nw.Int64),
        Field("portfolio", nw.String, empty_is_null=True),
    )
    sql = (
        "select id as customer_id, collector_id, coalesce(portfolio, '') as portfolio from customer "
        f"where {store.unindexed}entity_id = {entity_id:d} and (collector_id is not null or portfolio is not null)"
    )
    return Table(columns, sql, f"{sql} and id in {store.listed}")


PREVIOUS: Mapping[str, Any] = {
    "points": nw.Int64,
    "risk_class": nw.String,
    "segment": nw.String,
    "proposed_limit_minor": nw.Int64,
    "proposed_terms_days": nw.Int64,
    "hold": nw.Boolean,
    "hold_reason": nw.String,
    "level": nw.Int64,
    "step": nw.String,
    "worklist_points": nw.Int64,
    "alert": nw.String,
    "as_of_day": nw.Int64,
}
STANDING: Mapping[str, Any] = {
    "episode": nw.Int64,
    "open": nw.Boolean,
    "leader_line_id": nw.Int64,
    "since_day": nw.Int64,
    "last_contact_day": nw.Int64,
    "leader_due_day": nw.Int64,
    "level": nw.Int64,
    "step_key": nw.String,
    "repeat_no": nw.Int64,
    "next_step": nw.String,
    "next_day": nw.Int64,
    "waiting": nw.String,
}
OVERRIDDEN: Mapping[str, tuple[str, Any]] = {
    "risk_class": ("risk_class", nw.String),
    "segment": ("segment", nw.String),
    "limit": ("proposed_limit_minor", nw.Int64),
    "terms": ("proposed_terms_days", nw.Int64),
    "hold": ("hold", nw.Boolean),
    "level": ("level", nw.Int64),
    "scenario": ("scenario", nw.String),
}


SQL_TYPES: Mapping[Any, str] = {nw.Int64: "bigint", nw.String: "text", nw.Boolean: "boolean"}


def _previous(question: Question, store: Store) -> Table:
    """What was decided before: ``was_*`` of outcomes, ``at_*`` of the standing, ``override_*``.

    Beside them ``step_state``: days since the step stood at was done, ``STEP_PENDING`` while it holds back
    the next one, ``STEP_OPEN`` while it does not but is open, null without a step; and ``since_month_end``.
    """
    columns = [Field("customer_id", nw.Int64), Field("known", nw.Boolean)]
    parts = ["c.id as customer_id", "o.customer_id is not null as known"]
    joins = "left join outcome o on o.customer_id = c.id"
    for name, dtype in PREVIOUS.items():
        columns.append(Field(f"was_{name}", dtype, empty_is_null=dtype is nw.String))
        parts.append(_part(f"o.{name}", f"was_{name}", dtype))
    joins += f" left join standing s on s.customer_id = c.id and s.policy_key = '{_quoted(question.policy_key)}'"
    joins += " and s.line_id = 0"
    _add_standing(columns, parts, question, store)
    columns.append(Field("since_month_end", nw.Int64))
    parts.append(f"{days_since_month_end(question.as_of_day):d} as since_month_end")
    for by_hand, part in _overridden(question, store):
        columns.append(by_hand)
        parts.append(part)
    entity = f"{store.unindexed}c.entity_id = {question.entity_id:d}"
    sql = f"select {', '.join(parts)} from customer c {joins} where {entity}"
    return Table(tuple(columns), sql, f"{sql} and c.id in {store.listed}")


def _add_standing(columns: list[Field], parts: list[str], question: Question, store: Store) -> None:
    """``at_*`` of the standing ``s``, and how its step stands."""
    for name, dtype in STANDING.items():
        columns.append(Field(f"at_{name}", dtype, empty_is_null=dtype is nw.String))
        column = store.first_of("s.waiting_for") if name == "waiting" else f"s.{name}"
        parts.append(_part(column, f"at_{name}", dtype))
    columns.append(Field("step_state", nw.Int64))
    parts.append(f"{_step_state(question)} as step_state")


def _overridden(question: Question, store: Store) -> list[tuple[Field, str]]:
    found = []
    for target, (outcome, dtype) in OVERRIDDEN.items():
        value = _override(target, store.value_of("v.value", SQL_TYPES[dtype]), question)
        column = Field(f"override_{outcome}", dtype, empty_is_null=dtype is nw.String)
        found.append((column, _part(value, column.name, dtype)))
    return found


def _part(expression: str, name: str, dtype: Any) -> str:
    return f"coalesce({expression}, '') as {name}" if dtype is nw.String else f"{expression} as {name}"


def _step_state(question: Question) -> str:
    states = ", ".join(f"'{state}'" for state in UNFINISHED_MESSAGE)
    pending = f"((a.channel not in ('call', 'task') and a.state in ({states})) or (a.blocks and a.state = 'open'))"
    # Where the step has no action (it was imported, or resumed at) it counts as done on the day it was reached.
    state = (
        f"coalesce((select case when sum(case when {pending} then 1 else 0 end) > 0 then {STEP_PENDING:d} "
        f"when sum(case when a.state = 'open' then 1 else 0 end) > 0 then {STEP_OPEN:d} "
        f"else {question.as_of_day:d} - max({_settled_day(question)}) end "
        "from action a where a.customer_id = s.customer_id and a.line_id = s.line_id and a.policy_key = s.policy_key "
        f"and a.episode = s.episode and a.step_key = s.step_key), {question.as_of_day:d} - s.since_day)"
    )
    unsent = (
        ""
        if question.sent_until_day is None
        else f"when s.since_day > {question.sent_until_day:d} then {STEP_PENDING:d} "
    )
    return f"case when coalesce(s.step_key, '') = '' then null {unsent}else {state} end"


def _override(target: str, value: str, question: Question) -> str:
    # The latest one in force wins; one that needs a second person counts once it is approved.
    return (
        f"(select {value} from override v where v.customer_id = c.id "
        f"and v.target = '{target}' and v.from_day <= {question.as_of_day:d} and v.until_day > {question.as_of_day:d} "
        f"and (v.ended_day is null or v.ended_day > {question.as_of_day:d}) "
        "and (not v.needs_approval or v.approved_by_id is not null) order by v.id desc limit 1)"
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")


MODELS: Mapping[str, type[Model]] = {model._meta.table_name: model for model in TABLES}
