"""What a simulation answers: plain values that a page, a file and a command read alike."""

import json
from dataclasses import asdict, dataclass
from typing import Any


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
        movers: at most ``engine.comparison.MOVERS_MAX`` of them, the largest exposure first.
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
class Figure:
    """A figure of the whole portfolio before and after; minor units where its name ends so."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class StepCount:
    """For how many customers a step begins on the day, before and after."""

    step: str
    channel: str
    before: int
    after: int


@dataclass(frozen=True)
class LinesImpact:
    """What a change does to invoices, where their policy changes; later days are not looked at.

    Args:
        lines: open due lines that were decided, ``changed`` of them to another level.
        steps: for how many of them each step begins on the day, if steps may begin.
        adopts: the policy has not run yet: its first run contacts nobody.
    """

    lines: int
    changed: int
    steps: tuple[StepCount, ...]
    adopts: bool


@dataclass(frozen=True)
class Workload:
    """What waits for one collector (None: customers without one), before and after.

    Args:
        worklist: customers with points on the worklist.
        work: calls and tasks that begin on the day.
    """

    collector_id: int | None
    worklist: tuple[int, int]
    work: tuple[int, int]


@dataclass(frozen=True)
class Simulation:
    """The answer, plain values throughout.

    Args:
        as_of_day: the day of the facts.
        run_id: the run whose facts were used; None when they were computed.
        customers: how many it speaks of, ``changed`` of them with at least one other outcome; points
            alone are none, as in a run.
        figures: exposure held, limits, headroom and what else a portfolio is judged by.
        steps: which begin on the day, on either side.
        work: by collector.
        outcomes_sha256: over the new outcomes of all customers, equal to those of a real run; empty
            of a sample.
        sampled: of how many customers all counts are an estimate; None: all were decided.
        lines: of invoices; None where no policy of theirs changes.
        margin: so many customers more or fewer may change, in 19 of 20 samples; 0 where all were decided.
    """

    as_of_day: int
    run_id: int | None
    customers: int
    changed: int
    changed_minor: int
    stages: tuple[StageImpact, ...]
    figures: tuple[Figure, ...]
    steps: tuple[StepCount, ...]
    work: tuple[Workload, ...]
    outcomes_sha256: str
    sampled: int | None = None
    lines: LinesImpact | None = None
    margin: int = 0

    def values(self) -> dict[str, Any]:
        """JSON-able."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found
