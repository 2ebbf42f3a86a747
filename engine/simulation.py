"""Simulation: what changed policies or parameters would do to the whole portfolio. Writes nothing.

Both editions decide the same facts, those of the last closed run or of another stored day, through
the pipeline the real run uses; so the answer is what the run would have given. Only a parameter that
shapes the facts themselves makes both sides compute them anew.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.baseline import Hits, Side, part_of, sample_of_run, side_of, side_of_run
from engine.commands import Invalid
from engine.comparison import compare
from engine.editions import BASIS_PARAMETERS, Edition, documents_in_force, edition_for, edition_of, stopped_policies
from engine.frames import collected, count_of, is_small, read_table
from engine.impact import Simulation
from engine.kept_frames import scan_frame
from engine.line_trials import decides_lines, lines_impact
from engine.pairing import Pair, changed, paired
from engine.pipeline import Frame, asking, last_portfolio_run, read_facts
from engine.queries import people_table
from engine.sampling import scaled
from engine.tables import Entity, Run
from engine.wordings import letters_of
from ledger.canonical import canonical, sha256_of
from ledger.problems import Problem
from rules.book import Book
from rules.derived import parse_derived
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.formulas import DerivedFacts
from rules.regimes import RATE_TABLE, REGIME

if TYPE_CHECKING:
    from engine.runtime import Runtime

SAMPLE = 20_000  # customers, of a larger portfolio
TRIED_KEPT = 3  # answers whose customers can be looked at without deciding them again
READ_KEPT = 64  # documents


@dataclass(frozen=True)
class Whom:
    """Whose customers a simulation is about, as the rules in force put them; None: any.

    Args:
        segment, risk_class: outcomes under what is in force.
        portfolio: as the books name it.
    """

    segment: str | None = None
    risk_class: str | None = None
    portfolio: str | None = None

    def claim(self) -> nw.Expr | None:
        """About the outcomes of a side."""
        asked = {"segment": self.segment, "risk_class": self.risk_class}
        claims = [
            (nw.col(name) == nw.lit(value)).fill_null(False) for name, value in asked.items() if value is not None
        ]
        return reduce(and_, claims) if claims else None


EVERYBODY = Whom()


@dataclass(frozen=True)
class Tried:
    """Both sides of a simulation, whose customers can be looked at.

    Args:
        pair: the sides.
        as_of_day: the day of the facts.
        run_id: the run whose facts they are; None when they were computed.
        customers_of: of every customer that has one its ``collector_id`` and ``portfolio``.
    """

    pair: Pair
    as_of_day: int
    run_id: int | None
    customers_of: Frame


def simulate(
    runtime: "Runtime",
    entity: Entity,
    changes: Sequence[Mapping[str, Any]],
    *,
    from_day: int | None = None,
    run: Run | None = None,
    as_of_day: int | None = None,
    whom: Whom = EVERYBODY,
) -> Simulation:
    """Try changed documents on the portfolio of an entity.

    Both sides are decided with what will hold on ``from_day``, so that the difference is what the
    change itself does, not what other approved documents or later values of parameters do.

    Args:
        changes: documents (policies or parameters) that would replace those of their scope, in order:
            of two for the same scope the later one counts.
        from_day: the day they would begin to hold; by default the day of the facts.
        run: whose stored facts to use; by default the last closed run's, else today's facts.
        as_of_day: use the facts of this day instead, computed now.
        whom: the customers to look at.

    Raises:
        Invalid: a document cannot be read; the problems say where.
    """
    tried = try_changes(runtime, entity, changes, from_day=from_day, run=run, as_of_day=as_of_day, whom=whom)
    found = compare(tried.pair, tried.as_of_day, tried.run_id, tried.customers_of)
    if not decides_lines(changes):
        return found
    day = tried.as_of_day
    holds = day if from_day is None else max(day, from_day)
    after = trial_book(entity, holds, changes, "invoice")
    return replace(found, lines=lines_impact(runtime, entity, day, edition_for(runtime, entity, holds), after))


def estimate(
    runtime: "Runtime",
    entity: Entity,
    changes: Sequence[Mapping[str, Any]],
    *,
    from_day: int | None = None,
    run: Run | None = None,
    whom: Whom = EVERYBODY,
) -> Simulation | None:
    """The answer of ``simulate`` from a sample of the customers, always the same ones; None where it takes all.

    Counts and amounts are scaled to the portfolio; nobody is named.

    Raises:
        Invalid: as ``simulate``.
    """
    question = _question(runtime, entity, changes, from_day, run, None)
    facts = question.stored(runtime)
    if facts is None or question.run is None or question.run.customers <= SAMPLE:
        return None
    side = sample_of_run(runtime, question.run, facts, question.before.sha256, question.before.book, SAMPLE)
    people = _people(runtime, question)
    pair = changed(_part(side, whom, people), question.after)
    found = compare(pair, question.day, question.run.id, people, hashed=False)
    return scaled(found, count_of(side.frame), question.run.customers)


def try_changes(
    runtime: "Runtime",
    entity: Entity,
    changes: Sequence[Mapping[str, Any]],
    *,
    from_day: int | None = None,
    run: Run | None = None,
    as_of_day: int | None = None,
    whom: Whom = EVERYBODY,
) -> Tried:
    """Decide both sides of a simulation; the arguments are those of ``simulate``.

    Raises:
        Invalid: as ``simulate``.
    """
    question = _question(runtime, entity, changes, from_day, run, as_of_day)
    facts = question.stored(runtime)
    if facts is None or question.run is None:
        return _computed(runtime, question, whom)
    kept: dict[Any, Tried] = runtime.cache.setdefault("simulations", {})
    key = (question.key, tuple(sha256_of(body) for body in changes), whom)
    people = _people(runtime, question)
    with runtime.cache.setdefault("simulating", threading.Lock()):  # one at a time: each takes much memory
        known = kept.pop(key, None)
        if known is None or (whom.portfolio is not None and known.customers_of is not people):
            side = side_of_run(runtime, question.run, facts, question.before.sha256, question.before.book)
            part = _part(side, whom, people)
            known = Tried(changed(part, question.after), question.day, question.run.id, people)
        while len(kept) >= TRIED_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = known
        return replace(known, customers_of=people)


@dataclass(frozen=True)
class _Question:
    """What a simulation asks, once it is known which facts and books answer it."""

    entity: Entity
    run: Run | None
    day: int
    before: Edition
    after: Book

    @property
    def key(self) -> tuple[Any, ...]:
        """What the answer follows from, beside the changes."""
        return (None if self.run is None else self.run.facts_sha256, self.before.sha256, self.after.day)

    def stored(self, runtime: "Runtime") -> Frame | None:
        """The facts to decide; None where they must be computed."""
        return None if _facts_differ(self.before.book, self.after) else _stored(runtime, self.run)


def _question(
    runtime: "Runtime",
    entity: Entity,
    changes: Sequence[Mapping[str, Any]],
    from_day: int | None,
    run: Run | None,
    as_of_day: int | None,
) -> _Question:
    chosen = run or (last_portfolio_run(entity) if as_of_day is None else None)
    day = as_of_day if as_of_day is not None else runtime.today(entity) if chosen is None else chosen.as_of_day
    holds = day if from_day is None else max(day, from_day)
    return _Question(entity, chosen, day, edition_for(runtime, entity, holds), trial_book(entity, holds, changes))


def _computed(runtime: "Runtime", question: _Question, whom: Whom) -> Tried:
    """Both sides on facts that are computed now; once, where the change leaves facts alone."""
    books = {"before": question.before.book, "after": question.after}
    alike = not _facts_differ(*books.values())
    sides = {}
    for name, book in books.items():
        if name == "before" or not alike:
            ask = asking(runtime, question.entity, question.day, edition=replace(question.before, book=book))
            sides[name] = side_of(collected(read_facts(runtime, ask).sort("customer_id")), book)
    people = _people(runtime, question)
    side = _part(sides["before"], whom, people)
    pair = changed(side, question.after) if alike else paired(side, sides["after"])
    return Tried(pair, question.day, None, people)


def _part(side: Side, whom: Whom, people: Frame) -> Side:
    """The customers of a side that were asked for."""
    among = None
    if whom.portfolio is not None:
        among = people.filter((nw.col("portfolio") == nw.lit(whom.portfolio)).fill_null(False)).select("customer_id")
    claim = whom.claim()
    return side if claim is None and among is None else part_of(side, claim, among)


def _people(runtime: "Runtime", question: _Question) -> Frame:
    """Collector and portfolio of every customer that has one; of a large ledger read once for a run."""
    table = people_table(question.entity.id, runtime.database)
    if is_small(runtime) or question.run is None:
        return read_table(runtime, table)
    kept: dict[Any, Frame] = runtime.cache.setdefault("collectors", {})
    key = question.run.facts_sha256
    if key not in kept:
        kept.clear()
        kept[key] = read_table(runtime, table)
    return kept[key]


def impact_of(
    runtime: "Runtime", entities: Sequence[Entity], document: Mapping[str, Any], from_day: int
) -> dict[str, Any]:
    """The impact of one document on the entities it decides for, as a proposal keeps it.

    Raises:
        Invalid: it cannot be tried as it stands.
    """
    if document.get("kind") in (REGIME, RATE_TABLE):  # it decides nothing; it says what is owed beside the debts
        return {"from_day": from_day, "document": sha256_of(document), "entities": []}
    if document.get("kind") == "template":  # it decides nothing; it says what was decided
        letters = {one.code: asdict(letters_of(runtime, one, str(document["key"]))) for one in entities}
        return {"from_day": from_day, "document": sha256_of(document), "entities": [], "letters": letters}
    parts = [{"entity": one.code, **simulate(runtime, one, [document], from_day=from_day).values()} for one in entities]
    return {"from_day": from_day, "document": sha256_of(document), "entities": parts}


def trial_book(entity: Entity, day: int, changes: Sequence[Mapping[str, Any]], subject: str = "customer") -> Book:
    """The book of a day with some documents replaced, as if they held already; the later of two for a scope.

    Raises:
        Invalid: a document cannot be read, or names a parameter that is not there.
    """
    policies: dict[tuple[str, str, str | None], Policy] = {}
    parameters: dict[tuple[str, str | None], Parameters] = {}
    derived: dict[tuple[str, str | None], DerivedFacts] = {}
    problems: list[Problem] = []
    in_force = [(document.body, False) for document in documents_in_force(entity, day)]
    for body, tried in [*in_force, *((canonical(body), True) for body in changes)]:
        found, faults = _read(body)
        if isinstance(found, Parameters):
            parameters[found.key, found.entity] = found
        elif isinstance(found, DerivedFacts):
            derived[found.key, found.entity] = found
        elif found is not None:
            policy = replace(found, from_day=min(found.from_day, day), until_day=None) if tried else found
            policies[policy.stage, policy.subject, policy.entity] = policy
        problems += [fault for fault in faults if fault.severity == "error"]
    if problems:
        raise Invalid(problems)
    try:
        # A version that is tried decides as it will once its policy goes on.
        own = {body.get("key") for body in changes}
        stopped = [key for key in stopped_policies(entity) if key not in own]
        return Book.build(
            policies.values(),
            parameters.values(),
            day,
            derived=derived.values(),
            entity=entity.code,
            currency=entity.currency,
            subject=subject,
            stopped=stopped,
        )
    except ValueError as error:
        raise Invalid.because("parameters", str(error), "propose and approve the parameters first") from error


@lru_cache(maxsize=READ_KEPT)
def _read(body: str) -> tuple[Policy | Parameters | DerivedFacts | None, list[Problem]]:
    """A document read from its JSON; reading a large one takes longer than trying it."""
    document = json.loads(body)
    match document.get("kind"):
        case "parameters":
            return parse_parameters(document)
        case "derived_facts":
            return parse_derived(document)
        case "template":
            what, cure = "a letter template decides nothing", "look at its preview in the console"
            return None, [Problem("/kind", what, cure)]
        case "regime" | "rate_table":
            what, cure = "a law of late payment decides nothing", "look at the claim accounts it bears on"
            return None, [Problem("/kind", what, cure)]
        case _:
            return parse(document)


def rule_hits(runtime: "Runtime", run: Run) -> Hits:
    """By stage and key of the rule, how many customers a rule matched in a run; empty when its facts are gone."""
    facts = _stored(runtime, run)
    if facts is None:
        return {}
    edition = edition_of(runtime, run.entity, run.edition, run.as_of_day)
    return side_of_run(runtime, run, facts, edition.sha256, edition.book).hits()


def _stored(runtime: "Runtime", run: Run | None) -> Frame | None:
    """The facts a run kept; None when they are gone: frames are kept for a time only."""
    if run is None or run.facts_file is None:
        return None
    try:
        return scan_frame(runtime, run.facts_file)
    except FileNotFoundError:
        return None


def _facts_differ(before: Book, after: Book) -> bool:
    """Whether the change reaches into the facts themselves, so that stored ones do not show it."""
    return any(before.parameters.get(name) != after.parameters.get(name) for name in BASIS_PARAMETERS)
