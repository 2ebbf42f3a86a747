"""The one pipeline: ledger frames -> facts -> what was before -> score -> stages.

A portfolio run, an event on one customer, a simulation and a replay all come through here: a
frame with a million rows, or one row.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.differences import with_differences
from engine.editions import Edition, edition_for
from engine.frames import (
    STREAM,
    Frames,
    collected,
    columns_of,
    count_of,
    frames_on_disk,
    is_small,
    keep,
    read_frames,
    read_rows,
    rows_of,
    schemas_of,
    typed_rows,
)
from engine.kept_frames import scan_frame
from engine.queries import STEP_PENDING, Question, Table, questions
from engine.ready_plans import PLAN_DAY, Slot, Slots
from engine.tables import Customer, Entity, Run
from ledger.lines import LINE_COLUMNS, LINE_TECHNICAL, line_facts
from ledger.money import convert
from ledger.state import FRAMES, Basis, Keep, booked_rows, customer_facts, facts_on, parts_of, unkept
from rules import columns, reference
from rules.reference import Decided
from rules.stages import OUTCOMES
from scoring.model import score
from scoring.risk import with_risk

if TYPE_CHECKING:
    from engine.runtime import Runtime

Frame = nw.LazyFrame[Any]
Row = dict[str, Any]
SLOTS_KEPT = 8  # questions whose plans are kept ready: one per entity and edition


@dataclass(frozen=True)
class Asking:
    """All that a decision of an entity on a day depends on, beside the tables' rows.

    Args:
        entity: whose customers.
        as_of_day: the day decided for.
        edition: policies, parameters, model and rates.
        begins: whether a step may begin: the entity is live and its policy adopted.
        question: how the tables are read.
    """

    entity: Entity
    as_of_day: int
    edition: Edition
    begins: bool
    question: Question

    @property
    def basis(self) -> Basis:
        """What the facts rest on."""
        return self.edition.basis(self.entity, self.as_of_day)


def asking(
    runtime: "Runtime",
    entity: Entity,
    as_of_day: int,
    edition: Edition | None = None,
    sent_until_day: int | None = None,
) -> Asking:
    """Gather what a decision of an entity on a day depends on.

    Args:
        edition: by default the one in force on that day.
        sent_until_day: in a catch-up, the last day whose steps have their actions.
    """
    found = edition or edition_for(runtime, entity, as_of_day)
    question = Question(
        entity_id=entity.id,
        as_of_day=as_of_day,
        zone=entity.zone,
        policy_key=found.policy_key,
        sent_until_day=sent_until_day,
        group_exposure=group_exposure(runtime, entity, found),
    )
    return Asking(entity, as_of_day, found, may_begin(entity, as_of_day, found.policy_key), question)


def may_begin(entity: Entity, as_of_day: int, policy_key: str, *, of_lines: bool = False) -> bool:
    """Whether a step may begin: never before go-live, nor in the first run of a policy.

    Args:
        of_lines: whether the policy decides due lines.
    """
    if not entity.sending or entity.live_from_day is None or as_of_day < entity.live_from_day:
        return False
    decided_with = Run.line_policy_key if of_lines else Run.policy_key
    known = (
        Run.select()
        .where(Run.entity == entity, decided_with == policy_key, Run.state == "done", Run.kind != "event")
        .exists()
    )
    return bool(known)


def facts_frame(frames: Frames, ask: Asking, keep: Keep = keep) -> Frame:
    """Every fact of every customer: the ledger's, what was decided before, overrides, the score."""
    return _known_before(customer_facts(frames, ask.basis, keep), frames, ask)


def _known_before(facts: Frame, frames: Frames, ask: Asking) -> Frame:
    """Add what was decided before, overrides and the score to the ledger's facts."""
    facts = facts.join(frames["previous"], on="customer_id", how="left")
    return with_risk(score(with_before(facts, ask), ask.edition.model))


def with_before(rows: Frame, ask: Asking) -> Frame:
    """Add the facts about what stood before, from ``was_*`` (outcomes) and ``at_*`` (standing)."""
    number = {"previous_level": nw.coalesce(nw.col("at_level"), nw.lit(0, dtype=nw.Int64))}
    done, none = nw.col("step_state"), nw.lit(0, dtype=nw.Int64)
    number["leader_month_end_days"] = nw.col("leader_days_past_due") - nw.col("since_month_end")
    number["days_since_step_done"] = nw.when(done >= none).then(done)
    texts = {"previous_step": nw.col("at_step_key")}
    kept = {f"previous_{name}": nw.col(f"was_{name}") for name in OUTCOMES if name not in {"level", "step"}}
    today = nw.lit(ask.as_of_day, dtype=nw.Int64)
    moved = (nw.col("at_level") > nw.lit(0, dtype=nw.Int64)) | ~nw.col("at_step_key").is_null()
    raised = (nw.col("at_since_day") >= today) & moved
    claims = {
        "episode_open": nw.col("at_open").fill_null(False),
        "same_leader": (nw.col("leader_line_id") == nw.col("at_leader_line_id")).fill_null(False),
        "step_finished": (done != nw.lit(STEP_PENDING, dtype=nw.Int64)).fill_null(True),
        "promise_broken": (today - nw.col("days_since_promise_broken") >= nw.col("at_since_day")).fill_null(False),
        # While nothing may begin, every step waits as if one had been taken today.
        "raised_today": raised.fill_null(False) if ask.begins else nw.lit(True),
    }
    named = {**number, **texts, **kept, **claims}
    return rows.with_columns(*(expression.alias(name) for name, expression in named.items()))


def decide_frame(facts: Frame, edition: Edition, keep: Keep = unkept) -> Frame:
    """Decide every row: outcomes, masks of the rules that hold, undecided stages."""
    return columns.decide(facts, edition.book, keep)


def facts_of(runtime: "Runtime", ask: Asking, customers: Sequence[int]) -> list[Row]:
    """Fact rows of a few customers, through a plan that is ready."""
    return facts_and_frames_of(runtime, ask, customers)[0] if customers else []


def facts_and_frames_of(runtime: "Runtime", ask: Asking, customers: Sequence[int]) -> tuple[list[Row], Frames]:
    """Fact rows of a few customers, and what was read for them, of them and of the members of their groups."""
    tables = questions(ask.question, runtime.database)
    read = typed_rows(tables, read_rows(runtime, tables, customers))
    return _facts_in(runtime, ask, tables, read, customers), read


@dataclass(frozen=True, slots=True)
class Reading:
    """One customer, its tables read once.

    Args:
        row: its facts.
        lines: its open due lines (see ``lines_of``).
        frames: the rows all this was computed from, its group's members among them.
        tables: how they were read.
    """

    row: Row
    lines: list[Row]
    frames: Frames
    tables: Mapping[str, Table]


def reading_of(runtime: "Runtime", ask: Asking, customer: int) -> Reading:
    """The facts of one customer and its open due lines, from rows that are read once."""
    tables = questions(ask.question, runtime.database)
    read = typed_rows(tables, read_rows(runtime, tables, [customer]))
    (row,) = _facts_in(runtime, ask, tables, read, [customer])
    return Reading(row, _lines_in(runtime, ask, tables, read, [customer]), read, tables)


def _facts_in(
    runtime: "Runtime", ask: Asking, tables: Mapping[str, Table], read: Any, customers: Sequence[int]
) -> list[Row]:
    wanted = set(customers)
    with facts_slots(runtime, ask, tables).slot() as slot:
        facts = slot.answer(read, ask.as_of_day)
    return [row for row in rows_of(facts) if row["customer_id"] in wanted]


def facts_slots(runtime: "Runtime", ask: Asking, tables: Mapping[str, Table]) -> Slots:
    """Plans of ``facts_frame`` that are ready."""
    of = (ask.entity.id, ask.edition, ask.begins)
    return kept_slots(runtime, "facts", of, lambda: _facts_slot(replace(ask, as_of_day=PLAN_DAY), tables))


def lines_of(runtime: "Runtime", ask: Asking, customers: Sequence[int]) -> list[Row]:
    """Open due lines of a few customers, with the technical columns and facts of a line; oldest first."""
    tables = questions(ask.question, runtime.database)
    return _lines_in(runtime, ask, tables, typed_rows(tables, read_rows(runtime, tables, customers)), customers)


def _lines_in(
    runtime: "Runtime", ask: Asking, tables: Mapping[str, Table], read: Any, customers: Sequence[int]
) -> list[Row]:
    of = (ask.entity.id, ask.edition, ask.begins)
    with kept_slots(runtime, "lines", of, lambda: _lines_slot(replace(ask, as_of_day=PLAN_DAY), tables)).slot() as slot:
        lines = rows_of(slot.answer(read, ask.as_of_day))
    found = [row for row in lines if row["customer_id"] in set(customers)]
    return sorted(found, key=lambda row: (row["due_day"] is None, row["due_day"] or 0, row["number"], row["ordinal"]))


def _lines_slot(ask: Asking, tables: Mapping[str, Table]) -> Slot:
    names = dict.fromkeys([*LINE_TECHNICAL, *(column.name for column in LINE_COLUMNS)])
    return Slot(
        schemas_of(tables),
        lambda frames, keep: line_facts(frames, ask.basis, keep).select(*names),
    )


def _facts_slot(ask: Asking, tables: Mapping[str, Table]) -> Slot:
    return Slot(schemas_of(tables), lambda frames, keep: facts_frame(frames, ask, keep))


def kept_slots(
    runtime: "Runtime",
    what: str,
    of: tuple[int, Edition, bool],
    build: Callable[[], Slot],
    columns: frozenset[str] = frozenset(),
) -> Slots:
    """Slots for an entity, an edition and whether steps begin; a frame stored long ago may have other columns."""
    kept: dict[Any, Slots] = runtime.cache.setdefault(f"{what} slots", {})
    entity_id, edition, begins = of
    # The book by itself: a simulation tries another one under the edition's name. The slot keeps it alive.
    key = (entity_id, edition.sha256, id(edition.book), begins, columns)
    if key not in kept:
        if len(kept) >= SLOTS_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = Slots(build)
    return kept[key]


def decided_day(
    runtime: "Runtime", entity: Entity, edition: Edition, as_of_day: int, begins: bool, facts: Frame
) -> Frame:
    """Decide every row of computed facts, with the differences to what stood before; computed."""
    book = edition.book
    if count_of(facts) >= STREAM:
        return collected(with_differences(decide_frame(facts, edition), book, as_of_day, begins), STREAM)
    schema = dict(facts.collect_schema())

    def plan(frames: Frames, _: Keep) -> Frame:
        return with_differences(decide_frame(frames["facts"], edition), book, PLAN_DAY, begins)

    of = (entity.id, edition, begins)
    with kept_slots(runtime, "decisions", of, lambda: Slot({"facts": schema}, plan), frozenset(schema)).slot() as slot:
        return slot.answer({"facts": facts}, as_of_day)


def decide_customer(runtime: "Runtime", customer_id: int, as_of_day: int | None = None) -> tuple[Row, Decided]:
    """Decide one customer now, writing nothing: for a credit check, a page, an explanation.

    Raises:
        Customer.DoesNotExist: there is no such customer.
    """
    customer = Customer.get_by_id(customer_id)
    day = runtime.today(customer.entity) if as_of_day is None else as_of_day
    ask = asking(runtime, customer.entity, day)
    (row,) = facts_of(runtime, ask, [customer_id])
    return row, reference.decide(row, ask.edition.book)


def open_amounts(runtime: "Runtime", customers: Sequence[Customer]) -> dict[str, int | None]:
    """The open amount of some customers today, by number; None where it is unknown."""
    found: dict[str, int | None] = {}
    for customer in customers:
        row, _ = decide_customer(runtime, customer.id)
        found[customer.number] = row["open_minor"]
    return found


def group_exposure(runtime: "Runtime", entity: Entity, edition: Edition) -> tuple[tuple[int, int | None], ...]:
    """Exposure of each group in the other entities, in this entity's base currency.

    Read from the facts of their last closed runs; a missing rate or an unknown exposure makes the
    group's sum unknown.
    """
    sums: dict[int, int | None] = {}
    for other in Entity.select().where(Entity.id != entity.id).order_by(Entity.id):
        run = last_portfolio_run(other)
        if run is None or run.facts_file is None:
            continue
        for group, exposure in _exposures(runtime, run).items():
            converted = _converted(exposure, other.currency, entity.currency, edition.body["rates"])
            before = sums.get(group, 0)
            sums[group] = None if converted is None or before is None else before + converted
    return tuple(sorted(sums.items()))


def last_portfolio_run(entity: Entity) -> Run | None:
    """The last closed adoption or nightly run of an entity."""
    found: Run | None = (
        Run.select()
        .where(Run.entity == entity, Run.kind != "event", Run.state == "done")
        .order_by(Run.as_of_day.desc(), Run.id.desc())
        .first()
    )
    return found


def _exposures(runtime: "Runtime", run: Run) -> Mapping[int, int | None]:
    kept: dict[str, Mapping[int, int | None]] = runtime.cache.setdefault("group_exposures", {})
    name = str(run.facts_sha256)
    if name not in kept:
        sums: dict[int, int | None] = {}
        try:
            frame = scan_frame(runtime, str(run.facts_file)).filter(~nw.col("group_id").is_null())
            groups, exposures = columns_of(frame, "group_id", "exposure_minor")
        except FileNotFoundError:
            groups, exposures = [], []
        for group, exposure in zip(groups, exposures, strict=True):
            before = sums.get(group, 0)
            sums[group] = None if before is None or exposure is None else before + exposure
        kept[name] = sums
    return kept[name]


def _converted(amount: int | None, currency: str, base: str, rates_e9: Mapping[str, int]) -> int | None:
    if amount is None or currency == base:
        return amount
    rate = rates_e9.get(currency)
    return None if rate is None else convert(amount, rate)


def read_facts(runtime: "Runtime", ask: Asking) -> Frame:
    """The facts of a whole entity, computed."""
    if not is_small(runtime):
        with frames_on_disk(runtime, ask.question) as frames:
            return collected(facts_frame(frames, ask), STREAM)
    frames = read_frames(runtime, ask.entity, as_of_day=ask.as_of_day, question=ask.question)
    with facts_slots(runtime, ask, questions(ask.question, runtime.database)).slot() as slot:
        return slot.answer(frames, ask.as_of_day)


def booked(runtime: "Runtime", ask: Asking, frames: Frames) -> Frame:
    """What of the facts of a whole entity limits, contacts and decisions do not change; computed."""
    if not is_small(runtime):
        rows = booked_rows(parts_of(frames, ask.basis, keep), frames, ask.basis, keep)
        return collected(rows, STREAM)

    def plan(own: Frames, kept: Keep) -> Frame:
        basis = replace(ask, as_of_day=PLAN_DAY).basis
        return booked_rows(parts_of(own, basis, kept), own, basis, kept)

    schemas = {name: dict(frames[name].collect_schema()) for name in FRAMES}
    of = (ask.entity.id, ask.edition, ask.begins)
    with kept_slots(runtime, "booked", of, lambda: Slot(schemas, plan)).slot() as slot:
        return slot.answer(frames, ask.as_of_day)


def decided_beside(runtime: "Runtime", ask: Asking, rows: Frame, frames: Frames, wanted: AbstractSet[str]) -> Frame:
    """Decide every row from what is booked and the frames of limits, contacts and ``previous``; computed.

    Args:
        rows: of ``booked``.
        wanted: columns of the answer, as far as they are there; a large portfolio computes no others.
    """
    if count_of(rows) >= STREAM:
        facts = _known_before(facts_on(rows, frames, ask.basis), frames, ask)
        book = ask.edition.book
        decided = with_differences(decide_frame(facts, ask.edition), book, ask.as_of_day, ask.begins)
        return collected(_only(decided, wanted), STREAM)

    def plan(own: Frames, _: Keep) -> Frame:
        then = replace(ask, as_of_day=PLAN_DAY)
        return _known_before(facts_on(own["rows"], own, then.basis), own, then)

    read = {name: frames[name] for name in ("previous", "contact_made", "credit_limit", "reversal")} | {"rows": rows}
    schemas = {name: dict(frame.collect_schema()) for name, frame in read.items()}
    of = (ask.entity.id, ask.edition, ask.begins)
    with kept_slots(runtime, "beside", of, lambda: Slot(schemas, plan)).slot() as slot:
        facts = slot.answer(read, ask.as_of_day)
    return _only(decided_day(runtime, ask.entity, ask.edition, ask.as_of_day, ask.begins, facts), wanted)


def _only(frame: Frame, wanted: AbstractSet[str]) -> Frame:
    return frame.select(*(name for name in frame.collect_schema().names() if name in wanted))
