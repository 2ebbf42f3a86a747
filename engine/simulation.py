"""Simulation: what a changed policy or parameter would do to the whole portfolio. Writes nothing.

Both editions decide the same facts, those of the last closed run where there is one, through the
pipeline the real run uses; so the answer is what the run would have given.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.canonical import sha256_of
from engine.commands import Invalid
from engine.editions import Edition, documents_in_force, edition_for
from engine.frames import collected, columns_of, rows_of, scan_frame
from engine.pipeline import Frame, asking, decide_frame, last_portfolio_run, read_facts
from engine.tables import Entity, Run
from ledger.problems import Problem
from rules.book import MASK_BITS, Book, BookStage
from rules.columns import mask_name
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.stages import STAGES

if TYPE_CHECKING:
    from engine.runtime import Runtime

MOVERS_MAX = 20  # customers named per stage, those with the largest exposure first
# The outcome a manager asks about, per stage.
DECISIVE = {
    "scorecard": "risk_class",
    "segmentation": "segment",
    "credit_limit": "proposed_limit_minor",
    "hold": "hold",
    "escalation": "level",
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
        moves: every pair of outcomes that occurs, the unchanged ones too; of the credit limit only
            raised, lowered, set, removed and unchanged.
        changed: customers whose outcome changes, with their exposure in ``changed_minor``.
        movers: at most ``MOVERS_MAX`` of them, the largest exposure first.
    """

    stage: str
    outcome: str
    moves: tuple[Move, ...]
    changed: int
    changed_minor: int
    movers: tuple[Mover, ...]
    hits: tuple[RuleHits, ...]


@dataclass(frozen=True)
class Simulation:
    """The answer, plain values throughout.

    Args:
        as_of_day: the day of the facts.
        run_id: the run whose facts were used; None when today's were computed.
        customers: how many were decided, ``changed`` of them with at least one other outcome.
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
    runtime: "Runtime", entity: Entity, changed: Sequence[Mapping[str, Any]], run: Run | None = None
) -> Simulation:
    """Try changed documents on the whole portfolio of an entity.

    Args:
        changed: documents (policies or parameters) that would replace those of their scope.
        run: whose stored facts to use; by default the last closed run's, else today's facts.

    Raises:
        Invalid: a document cannot be read; the problems say where.
    """
    chosen = run or last_portfolio_run(entity)
    day = runtime.today(entity) if chosen is None else chosen.as_of_day
    edition = edition_for(runtime, entity, day)
    book = trial_book(entity, day, changed)
    facts = _facts(runtime, entity, chosen, day)
    return compare(facts, edition, book, day, None if chosen is None else chosen.id)


def trial_book(entity: Entity, day: int, changed: Sequence[Mapping[str, Any]]) -> Book:
    """The book of a day with some documents replaced, as if they held already.

    Raises:
        Invalid: a document cannot be read.
    """
    policies: dict[tuple[str, str], Policy] = {}
    parameters: dict[tuple[str, str | None], Parameters] = {}
    problems: list[Problem] = []
    in_force = [json.loads(document.body) for document in documents_in_force(entity, day)]
    for body in [*in_force, *changed]:
        if body.get("kind") == "parameters":
            found, faults = parse_parameters(body)
            if found is not None:
                parameters[found.key, found.entity] = found
        else:
            policy, faults = parse(body)
            if policy is not None:
                policies[policy.stage, policy.subject] = replace(
                    policy, from_day=min(policy.from_day, day), until_day=None
                )
        problems += [fault for fault in faults if fault.severity == "error"]
    if problems:
        raise Invalid(problems)
    return Book.build(policies.values(), parameters.values(), day, entity=entity.code)


def compare(facts: Frame, edition: Edition, book: Book, day: int, run_id: int | None) -> Simulation:
    """Decide the same facts under two books and count what differs."""
    names = [column.name for stage in STAGES if stage.name in DECISIVE for column in stage.outcomes]
    before = _decided(decide_frame(facts, edition), edition.book, names, "before_")
    after = _decided(decide_frame(facts, replace(edition, book=book)), book, names, "after_")
    both = collected(before.join(after.drop("exposure_minor"), on="customer_id", how="inner"))
    outcomes = columns_of(both.sort("customer_id"), "customer_id", *(f"after_{name}" for name in names))
    stages = tuple(_impact(both, stage, edition.book, book) for stage in DECISIVE)
    customers, changed, money = _total(both)
    return Simulation(day, run_id, customers, changed, money, stages, sha256_of([list(column) for column in outcomes]))


def _facts(runtime: "Runtime", entity: Entity, run: Run | None, day: int) -> Frame:
    if run is not None and run.facts_file is not None:
        try:
            return scan_frame(runtime, run.facts_file)
        except FileNotFoundError:
            pass  # frames are kept for a time only; the day's facts can be computed again
    return collected(read_facts(runtime, asking(runtime, entity, day)))


def _decided(frame: Frame, book: Book, names: Sequence[str], prefix: str) -> Frame:
    masks = [mask_name(stage.name, word) for stage in book.stages.values() for word in range(stage.words)]
    return frame.select(
        "customer_id",
        "exposure_minor",
        *(nw.col(name).alias(f"{prefix}{name}") for name in [*names, *masks]),
    )


def _differs(outcome: str) -> nw.Expr:
    before, after = nw.col(f"before_{outcome}"), nw.col(f"after_{outcome}")
    return (before != after).fill_null(False) | (before.is_null() != after.is_null())


def _total(both: Frame) -> tuple[int, int, int]:
    """Customers; those with any other decisive outcome; their exposure."""
    moved = nw.any_horizontal(*(_differs(outcome) for outcome in DECISIVE.values()), ignore_nulls=True)
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


def _impact(both: Frame, stage: str, before: Book, after: Book) -> StageImpact:
    outcome = DECISIVE[stage]
    known = nw.coalesce(nw.col("exposure_minor"), nw.lit(0, dtype=nw.Int64))
    shown = (
        _direction(outcome) if outcome.endswith("_minor") else (nw.col(f"before_{outcome}"), nw.col(f"after_{outcome}"))
    )
    pairs = both.select(shown[0].alias("before"), shown[1].alias("after"), known.alias("exposure"))
    moves = rows_of(
        pairs.group_by("before", "after").agg(nw.len().alias("customers"), nw.col("exposure").sum().alias("exposure"))
    )
    moved = both.filter(_differs(outcome))
    movers = rows_of(
        moved.select("customer_id", "exposure_minor", f"before_{outcome}", f"after_{outcome}", known.alias("rank"))
        .sort("rank", "customer_id", descending=[True, False])
        .head(MOVERS_MAX)
    )
    (sums,) = rows_of(moved.select(nw.len().alias("customers"), known.sum().alias("exposure")))
    return StageImpact(
        stage=stage,
        outcome=outcome,
        moves=tuple(
            Move(row["before"], row["after"], int(row["customers"]), int(row["exposure"] or 0))
            for row in sorted(moves, key=lambda row: (str(row["before"]), str(row["after"])))
        ),
        changed=int(sums["customers"]),
        changed_minor=int(sums["exposure"] or 0),
        movers=tuple(
            Mover(row["customer_id"], row[f"before_{outcome}"], row[f"after_{outcome}"], row["exposure_minor"])
            for row in movers
        ),
        hits=_hits(both, before.stages.get(stage), after.stages.get(stage)),
    )


def _direction(outcome: str) -> tuple[nw.Expr, nw.Expr]:
    """Of an amount: which way it goes, in place of the pair of amounts."""
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
    return nw.lit("limit"), way


def _hits(both: Frame, before: BookStage | None, after: BookStage | None) -> tuple[RuleHits, ...]:
    old, new = _counts(both, before, "before_"), _counts(both, after, "after_")
    return tuple(RuleHits(key, old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old]))


def _counts(both: Frame, stage: BookStage | None, prefix: str) -> dict[str, int]:
    if stage is None or not stage.rules:
        return {}
    bits = []
    for rule in stage.rules:
        word, bit = divmod(rule.index, MASK_BITS)
        mask = nw.col(f"{prefix}{mask_name(stage.name, word)}")
        bits.append(((mask // nw.lit(1 << bit, dtype=nw.Int64)) % nw.lit(2, dtype=nw.Int64)).sum().alias(rule.key))
    (row,) = rows_of(both.select(*bits))
    return {key: int(count or 0) for key, count in row.items()}
