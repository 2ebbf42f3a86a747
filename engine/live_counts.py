"""Live counts: whom a policy that is being edited would match on today's facts, part by part.

Today's facts are those that the last closed run stored. They stay in memory column by column, as
they are asked for, until a newer run or another edition takes their place. Nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from engine.baseline import side_of_run
from engine.editions import Edition, edition_for, parameters_for
from engine.kept_frames import scan_frame
from engine.live_facts import Counted, LiveFacts
from engine.pipeline import last_portfolio_run
from engine.tables import Entity, Run
from ledger.problems import Problem
from rules.book import Book
from rules.counting import Countable, countable
from rules.documents import parse
from rules.facts import readable
from rules.gap_checks import SAYS, gaps
from rules.overlap_checks import stage_for_checks

if TYPE_CHECKING:
    from engine.runtime import Runtime

RUNS_KEPT = 4  # entities whose facts stay in memory
ALL_RULES, OTHERWISE = "/rules", "/otherwise"  # the places of the whole: whom any rule matches, and whom none
_opening = Lock()


@dataclass(frozen=True, slots=True)
class Count:
    """What one place of a policy matches.

    Args:
        customers, money_minor: those it matches, and their exposure.
        decides: of a rule, those that it decides because no rule before it does; None where that
            is not known, or not asked of such a policy.
    """

    customers: int
    money_minor: int
    decides: Counted | None = None

    def __add__(self, other: "Count") -> "Count":
        both = None
        if self.decides is not None and other.decides is not None:
            both = _sum(self.decides, other.decides)
        return Count(self.customers + other.customers, self.money_minor + other.money_minor, both)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a whole document.

    Args:
        days: by code of the entity, the day of its facts.
        customers: how many were asked about.
        currency: of the money; None when the entities have several, which are never added up.
        places: by JSON pointer; ``/rules`` for whom any rule matches, ``/otherwise`` for the rest.
            What cannot be read is not there.
        undecided: who waits for a person, where one rule decides each row.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    customers: int = 0
    currency: str | None = None
    places: Mapping[str, Count] = field(default_factory=dict)
    undecided: Counted | None = None


def live_counts(runtime: "Runtime", entities: Sequence[Entity], body: Mapping[str, Any]) -> Counts:
    """Count what can be counted of a document as it stands, wrong or right.

    Args:
        entities: those that it decides for and the reader sees whole; their counts are added up.
        body: the decoded JSON, of whatever shape.

    Returns:
        The counts; without days when no entity has facts, or the policy is not about customers.

    Raises:
        Unusable: what is in force cannot be read.
    """
    total = Counts()
    if body.get("kind") != "policy" or body.get("subject", "customer") != "customer":
        return total
    for entity in entities:
        facts = facts_today(runtime, entity)
        if facts is None:
            continue
        sets = parameters_for(runtime, entity, runtime.today(entity))
        found, live = countable(body, sets, facts.book.parameters, facts.book.dictionary), facts.live
        own = Counts({entity.code: facts.day}, live.customers, entity.currency, *_counted(live, found))
        total = own if not total.days else _both(total, own)
    return total


@dataclass(frozen=True, slots=True)
class Today:
    """The facts of an entity's last run, in memory, their day, and the book in force today."""

    live: LiveFacts
    day: int
    book: Book


def facts_today(runtime: "Runtime", entity: Entity) -> Today | None:
    """The facts of an entity's last closed run; None when there is none, or its facts are gone.

    Raises:
        Unusable: what is in force cannot be read.
    """
    run = last_portfolio_run(entity)
    if run is None or run.facts_file is None:
        return None
    edition = edition_for(runtime, entity, runtime.today(entity))
    key = (run.facts_sha256, edition.sha256, edition.book.day)
    with _opening:
        kept: dict[int, tuple[Any, LiveFacts]] = runtime.cache.setdefault("live_facts", {})
        known = kept.pop(entity.id, None)
        if known is None or known[0] != key:
            try:
                known = key, _opened(runtime, run, edition)
            except FileNotFoundError:
                return None
        kept[entity.id] = known
        while len(kept) > RUNS_KEPT:
            kept.pop(next(iter(kept)))
    return Today(known[1], int(run.as_of_day), edition.book)


def _opened(runtime: "Runtime", run: Run, edition: Edition) -> LiveFacts:
    stored = scan_frame(runtime, str(run.facts_file))
    return LiveFacts(
        stored, lambda: side_of_run(runtime, run, stored, edition.sha256, edition.book).frame, edition.book
    )


def customers_in_gaps(
    runtime: "Runtime", entities: Sequence[Entity], body: Mapping[str, Any], problems: Iterable[Problem]
) -> dict[Problem, int]:
    """For each finding that is a gap, a customer who lies in it today: the one with the largest exposure.

    Args:
        entities: those that the policy decides for and the reader sees whole.
        body: the policy the findings are about.
        problems: findings of any kind.

    Returns:
        Ids of customers; a gap in which nobody lies today is left out.

    Raises:
        Unusable: what is in force cannot be read.
    """
    wanted = {problem for problem in problems if problem.what.startswith(SAYS)}
    policy = parse(body)[0] if wanted else None
    if policy is None or policy.subject != "customer":
        return {}
    found: dict[Problem, int] = {}
    for entity in entities:
        facts = facts_today(runtime, entity)
        sets = parameters_for(runtime, entity, runtime.today(entity))
        if facts is None:
            continue
        try:
            stage = stage_for_checks(policy, sets)
        except ValueError:  # a parameter has no value on the day the policy begins
            continue
        for gap in gaps(stage, readable(policy.stage, facts.book.dictionary)):
            there = facts.live.largest(gap.region, 1) if gap.problem in wanted and gap.problem not in found else []
            if there:
                found[gap.problem] = there[0]
    return found


def _counted(live: LiveFacts, found: Countable) -> tuple[dict[str, Count], Counted | None]:
    counted = {place: live.count(condition) for place, condition in found.places.items()}
    places = {place: Count(one.customers, one.money_minor) for place, one in counted.items()}
    if found.rules and found.is_whole:
        matched, rest = live.count_any(found.places[place] for place in found.rules)
        places[ALL_RULES] = Count(matched.customers, matched.money_minor)
        places[OTHERWISE] = Count(rest.customers, rest.money_minor)
    if found.stage is None:
        return places, None
    settled = live.settle(found.stage)
    for rule in found.stage.rules:
        place = rule.rule.place
        places[place] = replace(places[place], decides=settled.decided[rule.key])
    if OTHERWISE in places:
        places[OTHERWISE] = replace(places[OTHERWISE], decides=settled.otherwise)
    return places, settled.undecided


def _both(one: Counts, other: Counts) -> Counts:
    """Of two entities; a place that only one of them can read has no sum."""
    undecided = None
    if one.undecided is not None and other.undecided is not None:
        undecided = _sum(one.undecided, other.undecided)
    return Counts(
        {**one.days, **other.days},
        one.customers + other.customers,
        one.currency if one.currency == other.currency else None,
        {place: one.places[place] + other.places[place] for place in one.places if place in other.places},
        undecided,
    )


def _sum(one: Counted, other: Counted) -> Counted:
    return Counted(one.customers + other.customers, one.money_minor + other.money_minor)
