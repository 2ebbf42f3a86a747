"""Looking ahead: what the coming days would send and hold if nobody paid. Writes nothing.

From the state after the last decided day each following day is decided as its nightly run would
decide it: the ledger as of that day without new bookings, the documents that hold on it, and what
the day before left, carried in memory. Steps count as carried out on the day they come, messages on
the first from then on that is no quiet day where the customer is; a run that stops at the gate counts
as approved. A test runs the real days and finds exactly the same actions.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.carrying import (
    READ,
    Carried,
    after,
    begun_steps,
    carried,
    frames_of,
    leaving_of,
    limits_taken,
    no_steps,
    under,
    with_events,
)
from engine.commands import Invalid
from engine.contact_times import foretold_day
from engine.editions import Edition, edition_for
from engine.frames import collected, count_of, entries, frames_on_disk, read_frames, rows_of
from engine.pipeline import Frame, asking, booked, decided_beside, last_portfolio_run
from engine.queries import questions_ahead
from engine.simulation import trial_book
from engine.tables import Entity, Run
from ledger.basis import Basis
from ledger.days import date_of
from rules.policies import Step

if TYPE_CHECKING:
    from engine.runtime import Runtime

DAYS = 28
MESSAGE = "email"  # any message: quiet days hold for all of them alike
DAYS_MAX = 60
HELD_ENTRIES = 2_000_000  # up to here the ledger is held in memory: from files each day takes a tenth longer


@dataclass(frozen=True)
class Day:
    """One day of one side.

    Args:
        begins: whether steps may begin: the entity is live and its policy adopted.
        changed: customers with another outcome in force; ``gated``: so many that the run would wait
            for a person.
        held: customers whose orders are held in the evening, ``newly_held`` and ``released`` that day.
        proposed: customers with a new proposal for their limit; ``taken`` of them within the automatic band.
        steps: of the escalation policy that decides, by key, with the scenario each belongs to.
        begun: one row per step that begins (``engine.carrying.BEGUN``).
    """

    day: int
    customers: int
    begins: bool
    changed: int
    gated: bool
    held: int
    newly_held: int
    released: int
    proposed: int
    taken: int
    steps: Mapping[str, tuple[Step, str]]
    begun: Frame = field(compare=False, repr=False)


@dataclass(frozen=True)
class Pair:
    """One day under what is in force, and with the change where there is one."""

    live: Day
    changed: Day | None


@dataclass
class _Side:
    """One of both sides on its way through the days.

    Args:
        adopted: keys of the escalation policies that have had their first run.
        new: nothing was decided since the entity went live; that run is not gated.
        is_live: whether the entity sends, or is looked at as if it did.
    """

    editions: Mapping[int, Edition]
    state: Carried
    adopted: set[str]
    new: bool
    is_live: bool


def look_ahead(
    runtime: "Runtime",
    entity: Entity,
    changed: Sequence[Mapping[str, Any]] = (),
    *,
    days: int = DAYS,
    from_day: int | None = None,
    as_if_live: bool = False,
) -> Iterator[Pair]:
    """Decide the coming days one after another, nothing being paid or booked.

    Args:
        changed: documents that would replace those of their scope; without, only what is in force.
        days: how many, the first being the one after the last decided day.
        from_day: the day the changes begin to hold; by default the first.
        as_if_live: whether an entity that does not send is looked at as if it went live on the first day,
            everybody beginning with the first step.

    Yields:
        Each day as soon as it is decided.

    Raises:
        Invalid: the entity was never decided or is behind, a document cannot be read, or days are out of range.
    """
    last = _last(runtime, entity, days)
    first = last.as_of_day + 1
    span = range(first, first + days)
    live = {day: edition_for(runtime, entity, day) for day in span}
    trial = _with(live, entity, changed, max(first, from_day or first)) if changed else None
    of_sides = [live] if trial is None else [live, trial]
    with _read(runtime, entity, of_sides) as ledger:
        sides = _sides(entity, last, ledger, of_sides, as_if_live)
        for day in span:
            rows: list[tuple[Basis, Frame]] = []
            found = [_decide(runtime, entity, ledger, side, day, rows) for side in sides]
            yield Pair(found[0], found[1] if trial is not None else None)


def _last(runtime: "Runtime", entity: Entity, days: int) -> Run:
    if not 0 < days <= DAYS_MAX:
        raise Invalid.because("days", f"is {days}", f"give 1 to {DAYS_MAX}")
    last = last_portfolio_run(entity)
    if last is None:
        raise Invalid.because(
            "entity", f"{entity.code} was not decided yet", "run it once: the first run contacts nobody"
        )
    behind = runtime.today(entity) - last.as_of_day
    if behind > 1:
        raise Invalid.because(
            "entity",
            f"{entity.code} was decided as of {date_of(last.as_of_day)} and is {behind} days behind",
            "let the workers decide the days that are missing first",
        )
    return last


def _with(
    live: Mapping[int, Edition], entity: Entity, changed: Sequence[Mapping[str, Any]], from_day: int
) -> dict[int, Edition]:
    """The editions of the days with the changed documents in them; books that say the same are one."""
    found: dict[int, Edition] = {}
    book = None
    for day, edition in live.items():
        if day < from_day:
            found[day] = edition
            continue
        tried = trial_book(entity, day, changed)
        if book is None or tried.edition() != book.edition():
            book = tried
        escalation = book.stages.get("escalation")
        key = "" if escalation is None else escalation.policy.key
        found[day] = replace(edition, book=book, policy_key=key)
    return found


@contextmanager
def _read(runtime: "Runtime", entity: Entity, of_sides: Sequence[Mapping[int, Edition]]) -> Iterator[dict[str, Frame]]:
    """Everything that is read, as of one instant: in memory while it is small, else in files."""
    days = sorted(of_sides[0])
    question = asking(runtime, entity, days[0], of_sides[0][days[0]]).question
    more = questions_ahead(question, runtime.database, days, _further(of_sides))
    if entries(runtime) <= HELD_ENTRIES:
        yield read_frames(runtime, entity, as_of_day=days[0], question=question, more=more)
        return
    with frames_on_disk(runtime, question, more) as frames:
        yield frames


def _further(of_sides: Sequence[Mapping[int, Edition]]) -> list[str]:
    """Escalation policies that decide on one of the days, beside that of the first."""
    first = of_sides[0][min(of_sides[0])].policy_key
    return sorted({edition.policy_key for editions in of_sides for edition in editions.values()} - {first})


def _sides(
    entity: Entity,
    last: Run,
    ledger: Mapping[str, Frame],
    of_sides: Sequence[Mapping[int, Edition]],
    as_if_live: bool,
) -> list[_Side]:
    """Both sides begin with the same state."""
    key = of_sides[0][min(of_sides[0])].policy_key
    standings = {other: ledger[f"previous {number}"] for number, other in enumerate(_further(of_sides))}
    state = carried(ledger, key, standings, last.as_of_day, _later(entity, ledger, last.as_of_day))
    known = Run.select(Run.policy_key).where(Run.entity == entity, Run.state == "done", Run.kind != "event")
    adopted = {str(row) for (row,) in known.distinct().tuples()}
    new = as_if_live or (entity.live_after_run is not None and entity.live_after_run >= last.id)
    is_live = as_if_live or (entity.sending and entity.live_from_day is not None)
    return [_Side(editions, state, set(adopted), new, bool(is_live)) for editions in of_sides]


def _decide(
    runtime: "Runtime",
    entity: Entity,
    ledger: Mapping[str, Frame],
    side: _Side,
    day: int,
    rows: list[tuple[Basis, Frame]],
) -> Day:
    """Decide a day and move the side on to its evening.

    Args:
        rows: what is booked as of the day, by the basis it was computed on; added to.
    """
    edition = side.editions[day]
    side.state = under(side.state, edition.policy_key)
    ask = replace(asking(runtime, entity, day, edition), begins=_begins(entity, side, day))
    frames = frames_of(side.state, ledger, ledger[f"overrides {day}"], day)
    known = next((kept for basis, kept in rows if basis == ask.basis), None)
    if known is None:
        known = booked(runtime, ask, frames)
        rows.append((ask.basis, known))
    decided = decided_beside(runtime, ask, known, frames, READ)
    begun, keys = no_steps()
    steps = _steps(edition)
    stage = edition.book.stages.get("escalation")
    if stage is not None and stage.plan is not None:
        decided = collected(with_events(decided, stage.plan))
        if ask.begins:
            channels = {key: step.channel for key, (step, _scenario) in steps.items()}
            begun, keys = begun_steps(side.state, decided, channels, _owners(ledger, day), day)
    taken = limits_taken(side.state, ledger, decided, edition, day)
    leaving = leaving_of(begun, ledger["owner"], _later(entity, ledger, day), day)
    side.state = after(side.state, decided, begun, keys, taken, leaving, day)
    side.adopted.add(edition.policy_key)
    counts = _counts(decided)
    share = counts["changed"] * 10_000 > counts["customers"] * entity.portfolio_share_bp
    gated, side.new = share and not side.new, False
    return Day(day=day, begins=ask.begins, gated=gated, taken=count_of(taken), steps=steps, begun=begun, **counts)


def _later(entity: Entity, ledger: Mapping[str, Frame], day: int) -> dict[str, int]:
    """The countries of customers in which no message leaves on a day, with the first day on which one does."""
    countries = [row["country"] for row in rows_of(ledger["owner"].select("country").unique())]
    first = {country: foretold_day(entity, country, MESSAGE, day) for country in countries}
    return {country: on for country, on in sorted(first.items()) if on != day}


def _begins(entity: Entity, side: _Side, day: int) -> bool:
    """``engine.pipeline.may_begin`` of a day that nobody has decided yet."""
    begun = entity.live_from_day is None or entity.live_from_day <= day
    return side.is_live and begun and side.editions[day].policy_key in side.adopted


def _steps(edition: Edition) -> dict[str, tuple[Step, str]]:
    stage = edition.book.stages.get("escalation")
    terms = None if stage is None else stage.policy.escalation
    if terms is None:
        return {}
    return {step.key: (step, scenario) for scenario, steps in terms.scenarios.items() for step in steps}


def _owners(ledger: Mapping[str, Frame], day: int) -> Frame:
    """Who collects from each customer on a day."""
    by_hand = ledger[f"overrides {day}"].select(
        "customer_id", nw.col("collector").alias("now"), nw.lit(True).alias("own")
    )
    owners = ledger["owner"].join(by_hand, on="customer_id", how="left")
    return owners.select(
        "customer_id",
        nw.when(nw.col("own").fill_null(False)).then(nw.col("now")).otherwise(nw.col("collector")).alias("collector"),
    )


def _counts(decided: Frame) -> dict[str, int]:
    held, was = nw.col("hold").fill_null(False), nw.col("was_hold").fill_null(False)
    claims = {
        "changed": nw.col("changed"),
        "held": held,
        "newly_held": held & ~was,
        "released": was & ~held,
        "proposed": nw.col("changed_credit_limit") & ~nw.col("proposed_limit_minor").is_null(),
    }
    (row,) = rows_of(
        decided.select(nw.len().alias("customers"), *(claim.sum().alias(name) for name, claim in claims.items()))
    )
    return {name: int(row[name] or 0) for name in ("customers", *claims)}
