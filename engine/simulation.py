"""Simulation: what a changed policy or parameter would do to the whole portfolio. Writes nothing.

Both editions decide the same facts, those of the last closed run where there is one, through the
pipeline the real run uses; so the answer is what the run would have given. Only a parameter that
shapes the facts themselves makes both sides compute them anew.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.baseline import Hits, Side, changed_side, reached, side_of, side_of_run
from engine.commands import Invalid
from engine.editions import BASIS_PARAMETERS, documents_in_force, edition_for, edition_of, stopped_policies
from engine.frames import are_alike, beside, collected, count_of, rows_of, scan_frame
from engine.pipeline import Frame, asking, last_portfolio_run, read_facts
from engine.tables import Entity, Run
from ledger.canonical import sha256_of
from ledger.problems import Problem
from rules.book import Book
from rules.derived import parse_derived
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.formulas import DerivedFacts
from rules.stages import POINT_OUTCOMES, STAGE_NAMES, stage_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

MOVERS_MAX = 25  # customers named per stage, those with the largest exposure first
# The outcome a manager asks about, per stage.
DECISIVE = {
    "scorecard": "risk_class",
    "segmentation": "segment",
    "credit_limit": "proposed_limit_minor",
    "hold": "hold",
    "escalation": "level",
    "worklist": "worklist_points",
    "alert": "alert",
}


@dataclass(frozen=True)
class Move:
    """So many customers, with so much exposure, go from one outcome to another (or stay)."""

    before: Any
    after: Any
    customers: int
    exposure_minor: int


@dataclass(frozen=True)
class Mover:
    """One customer whose outcome changes."""

    customer_id: int
    before: Any
    after: Any
    exposure_minor: int | None


@dataclass(frozen=True)
class RuleHits:
    """How many customers a rule matches before and after; None where the rule is not there."""

    key: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class StageImpact:
    """What the change does to one stage.

    Args:
        moves: every pair of outcomes that occurs, the unchanged ones too; of the credit limit and of
            worklist points only raised, lowered, set, removed and unchanged.
        changed: customers whose outcome changes, with their exposure in ``changed_minor``.
        undecided: customers that would wait for a person, before and after.
        total: of an amount, its sum over all customers before and after.
        movers: at most ``MOVERS_MAX`` of them, the largest exposure first.
    """

    stage: str
    outcome: str
    moves: tuple[Move, ...]
    changed: int
    changed_minor: int
    undecided: tuple[int, int]
    total: tuple[int, int] | None
    movers: tuple[Mover, ...]
    hits: tuple[RuleHits, ...]


@dataclass(frozen=True)
class Simulation:
    """The answer, plain values throughout.

    Args:
        as_of_day: the day of the facts.
        run_id: the run whose facts were used; None when today's were computed.
        customers: how many were decided, ``changed`` of them with at least one other outcome; points
            alone are none, as in a run.
        outcomes_sha256: over the new outcomes of all customers, equal to those of a real run.
    """

    as_of_day: int
    run_id: int | None
    customers: int
    changed: int
    changed_minor: int
    stages: tuple[StageImpact, ...]
    outcomes_sha256: str

    def values(self) -> dict[str, Any]:
        """JSON-able."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


def simulate(
    runtime: "Runtime",
    entity: Entity,
    changed: Sequence[Mapping[str, Any]],
    *,
    from_day: int | None = None,
    run: Run | None = None,
    as_of_day: int | None = None,
) -> Simulation:
    """Try changed documents on the whole portfolio of an entity.

    Both sides are decided with what will hold on ``from_day``, so that the difference is what the
    change itself does, not what other approved documents or later values of parameters do.

    Args:
        changed: documents (policies or parameters) that would replace those of their scope.
        from_day: the day they would begin to hold; by default the day of the facts.
        run: whose stored facts to use; by default the last closed run's, else today's facts.
        as_of_day: use the facts of this day instead, computed now.

    Raises:
        Invalid: a document cannot be read; the problems say where.
    """
    chosen = run or (last_portfolio_run(entity) if as_of_day is None else None)
    day = as_of_day if as_of_day is not None else runtime.today(entity) if chosen is None else chosen.as_of_day
    holds = day if from_day is None else max(day, from_day)
    before = edition_for(runtime, entity, holds)
    after = trial_book(entity, holds, changed)
    facts = None if _facts_differ(before.book, after) else _stored(runtime, chosen)
    if facts is not None and chosen is not None:
        touched = reached(before.book, after)
        left = side_of_run(runtime, chosen, facts, before.sha256, before.book)
        return compare(left, changed_side(facts, left, touched, after), touched, day, chosen.id)
    sides = []
    for edition in (before, replace(before, book=after)):
        computed = read_facts(runtime, asking(runtime, entity, day, edition=edition))
        sides.append(side_of(computed.sort("customer_id"), edition.book))
    return compare(sides[0], sides[1], frozenset(STAGE_NAMES), day, None)


def impact_of(
    runtime: "Runtime", entities: Sequence[Entity], document: Mapping[str, Any], from_day: int
) -> dict[str, Any]:
    """The impact of one document on the entities it decides for, as a proposal keeps it.

    Raises:
        Invalid: it cannot be tried as it stands.
    """
    parts = [{"entity": one.code, **simulate(runtime, one, [document], from_day=from_day).values()} for one in entities]
    return {"from_day": from_day, "document": sha256_of(document), "entities": parts}


def trial_book(entity: Entity, day: int, changed: Sequence[Mapping[str, Any]]) -> Book:
    """The book of a day with some documents replaced, as if they held already.

    Raises:
        Invalid: a document cannot be read, or names a parameter that is not there.
    """
    policies: dict[tuple[str, str, str | None], Policy] = {}
    parameters: dict[tuple[str, str | None], Parameters] = {}
    derived: dict[tuple[str, str | None], DerivedFacts] = {}
    problems: list[Problem] = []
    in_force = [(json.loads(document.body), False) for document in documents_in_force(entity, day)]
    for body, tried in [*in_force, *((dict(body), True) for body in changed)]:
        if body.get("kind") == "parameters":
            found, faults = parse_parameters(body)
            if found is not None:
                parameters[found.key, found.entity] = found
        elif body.get("kind") == "derived_facts":
            facts, faults = parse_derived(body)
            if facts is not None:
                derived[facts.key, facts.entity] = facts
        else:
            policy, faults = parse(body)
            if policy is not None and tried:
                policy = replace(policy, from_day=min(policy.from_day, day), until_day=None)
            if policy is not None:
                policies[policy.stage, policy.subject, policy.entity] = policy
        problems += [fault for fault in faults if fault.severity == "error"]
    if problems:
        raise Invalid(problems)
    try:
        # A version that is tried decides as it will once its policy goes on.
        own = {body.get("key") for body in changed}
        stopped = [key for key in stopped_policies(entity) if key not in own]
        return Book.build(
            policies.values(),
            parameters.values(),
            day,
            derived=derived.values(),
            entity=entity.code,
            stopped=stopped,
        )
    except ValueError as error:
        raise Invalid.because("parameters", str(error), "propose and approve the parameters first") from error


def rule_hits(runtime: "Runtime", run: Run) -> Hits:
    """By stage and key of the rule, how many customers a rule matched in a run; empty when its facts are gone."""
    facts = _stored(runtime, run)
    if facts is None:
        return {}
    edition = edition_of(runtime, run.entity, run.edition, run.as_of_day)
    return side_of_run(runtime, run, facts, edition.sha256, edition.book).hits


def compare(before: Side, after: Side, touched: AbstractSet[str], day: int, run_id: int | None) -> Simulation:
    """Count what differs between two sides.

    Args:
        before, after: the same customers under two books.
        touched: stages in which they may differ.
        day: of the facts.
        run_id: the run they were stored by, if any.
    """
    both = _both(before, after, touched)
    stages = tuple(
        _impact(both, before, after, stage) if stage in touched else _unmoved(before, stage) for stage in DECISIVE
    )
    customers, changed, money = _total(both, touched)
    digest = sha256_of({"customers": customers, "outcomes": dict(after.hashes)})
    return Simulation(day, run_id, customers, changed, money, stages, digest)


def _both(before: Side, after: Side, touched: AbstractSet[str]) -> Frame:
    """Customers with the outcomes of the touched stages, ``before_`` and ``after_``."""
    names = [name for name in before.frame.collect_schema().names() if name not in ("customer_id", "exposure_minor")]
    news = [name for name in after.frame.collect_schema().names() if name not in ("customer_id", "exposure_minor")]
    left = before.frame.select(
        "customer_id", "exposure_minor", *(nw.col(n).alias(f"before_{n}") for n in names if _is_of(n, touched))
    )
    right = after.frame.select("customer_id", *(nw.col(n).alias(f"after_{n}") for n in news if _is_of(n, touched)))
    if are_alike(left, right, "customer_id"):
        return beside(left, right.drop("customer_id"))
    return collected(left.join(right, on="customer_id", how="inner"))  # the ledger was read twice, and grew


def _is_of(name: str, stages: AbstractSet[str]) -> bool:
    return (stage_of(name) or name.removeprefix("undecided_")) in stages


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


def _differs(outcome: str) -> nw.Expr:
    before, after = nw.col(f"before_{outcome}"), nw.col(f"after_{outcome}")
    return (before != after).fill_null(False) | (before.is_null() != after.is_null())


def _total(both: Frame, touched: AbstractSet[str]) -> tuple[int, int, int]:
    """Customers; those with any other decisive outcome; their exposure."""
    decisive = [DECISIVE[stage] for stage in STAGE_NAMES if stage in touched]
    differing = [_differs(outcome) for outcome in decisive if outcome not in POINT_OUTCOMES]
    if not differing:
        return count_of(both), 0, 0
    moved = nw.any_horizontal(*differing, ignore_nulls=True)
    (row,) = rows_of(
        both.select(
            nw.len().alias("customers"),
            _count(moved).sum().alias("changed"),
            _money(moved).sum().alias("money"),
        )
    )
    return int(row["customers"]), int(row["changed"] or 0), int(row["money"] or 0)


def _count(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1, dtype=nw.Int64)).otherwise(nw.lit(0, dtype=nw.Int64))


def _money(condition: nw.Expr) -> nw.Expr:
    known = nw.coalesce(nw.col("exposure_minor"), nw.lit(0, dtype=nw.Int64))
    return nw.when(condition).then(known).otherwise(nw.lit(0, dtype=nw.Int64))


def _impact(both: Frame, before: Side, after: Side, stage: str) -> StageImpact:
    outcome = DECISIVE[stage]
    shown = _direction(outcome) if is_graded(outcome) else (nw.col(f"before_{outcome}"), nw.col(f"after_{outcome}"))
    known = nw.coalesce(nw.col("exposure_minor"), nw.lit(0, dtype=nw.Int64))
    moved = both.filter(_differs(outcome))
    movers = rows_of(
        moved.select("customer_id", "exposure_minor", f"before_{outcome}", f"after_{outcome}", known.alias("rank"))
        .sort("rank", "customer_id", descending=[True, False])
        .head(MOVERS_MAX)
    )
    (sums,) = rows_of(moved.select(nw.len().alias("customers"), known.sum().alias("exposure")))
    old, new = before.hits.get(stage, {}), after.hits.get(stage, {})
    return StageImpact(
        stage=stage,
        outcome=outcome,
        moves=_moves(both, *shown),
        changed=int(sums["customers"]),
        changed_minor=int(sums["exposure"] or 0),
        undecided=(_undecided(before, stage), _undecided(after, stage)),
        total=_sums(both, outcome) if outcome.endswith("_minor") else None,
        movers=tuple(
            Mover(row["customer_id"], row[f"before_{outcome}"], row[f"after_{outcome}"], row["exposure_minor"])
            for row in movers
        ),
        hits=tuple(RuleHits(key, old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])),
    )


def _unmoved(side: Side, stage: str) -> StageImpact:
    """A stage that the change does not reach; counted once for a side."""
    if stage not in side.kept:
        outcome = DECISIVE[stage]
        now = nw.col(outcome)
        graded = is_graded(outcome)
        pair = (nw.lit(outcome), nw.lit("unchanged")) if graded else (now, now)
        (total,) = rows_of(side.frame.select(now.sum())) if outcome.endswith("_minor") else ({outcome: None},)
        doubts = _undecided(side, stage)
        side.kept[stage] = StageImpact(
            stage=stage,
            outcome=outcome,
            moves=_moves(side.frame, *pair),
            changed=0,
            changed_minor=0,
            undecided=(doubts, doubts),
            total=(int(total[outcome] or 0),) * 2 if outcome.endswith("_minor") else None,
            movers=(),
            hits=tuple(RuleHits(key, count, count) for key, count in side.hits.get(stage, {}).items()),
        )
    kept: StageImpact = side.kept[stage]
    return kept


def _moves(frame: Frame, before: nw.Expr, after: nw.Expr) -> tuple[Move, ...]:
    known = nw.coalesce(nw.col("exposure_minor"), nw.lit(0, dtype=nw.Int64))
    pairs = frame.select("customer_id", before.alias("before"), after.alias("after"), known.alias("exposure"))
    moves = rows_of(
        pairs.group_by("before", "after").agg(nw.len().alias("customers"), nw.col("exposure").sum().alias("exposure"))
    )
    return tuple(
        Move(row["before"], row["after"], int(row["customers"]), int(row["exposure"] or 0))
        for row in sorted(moves, key=lambda row: (str(row["before"]), str(row["after"])))
    )


def _undecided(side: Side, stage: str) -> int:
    name = f"undecided_{stage}"
    if name not in side.frame.collect_schema().names():
        return 0
    (row,) = rows_of(side.frame.select(_count(nw.col(name).fill_null(False)).sum().alias("n")))
    return int(row["n"] or 0)


def _sums(both: Frame, outcome: str) -> tuple[int, int]:
    (row,) = rows_of(both.select(nw.col(f"before_{outcome}").sum(), nw.col(f"after_{outcome}").sum()))
    return int(row[f"before_{outcome}"] or 0), int(row[f"after_{outcome}"] or 0)


def is_graded(outcome: str) -> bool:
    """Whether an outcome is a number on a long scale, of which only the direction is counted."""
    return outcome.endswith("_minor") or outcome in POINT_OUTCOMES


def _direction(outcome: str) -> tuple[nw.Expr, nw.Expr]:
    """Of an amount or of points: which way they go, in place of the pair."""
    before, after = nw.col(f"before_{outcome}"), nw.col(f"after_{outcome}")
    way = (
        nw.when(before.is_null() & ~after.is_null())
        .then(nw.lit("set"))
        .when(~before.is_null() & after.is_null())
        .then(nw.lit("removed"))
        .when(after > before)
        .then(nw.lit("raised"))
        .when(after < before)
        .then(nw.lit("lowered"))
        .otherwise(nw.lit("unchanged"))
    )
    return nw.lit(outcome), way
