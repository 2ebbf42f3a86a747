"""Stages: the fixed order in which policies decide, and the outcomes each one sets.

A stage reads facts, the outcomes of earlier stages and ``previous_*`` outcomes, never its
own. Source: design.md 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ledger.columns import COUNT_BOUND, DAYS_BOUND, MONEY_BOUND, Column, Kind
from rules.conditions import Scalar

HIT_POLICIES = ("first", "unique", "any", "collect", "sum", "min", "max", "count", "most_severe")
PREVIOUS = "previous_"
LEVEL_MAX = 99


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline.

    Args:
        name: as documents write it.
        label: what the console calls it.
        meaning: one sentence a credit manager understands.
        outcomes: the columns it sets, the decisive one first.
        settable: which of them a rule's ``then`` names (the others are derived).
        hits: the hit policies that make sense for it.
        absent: the outcome when nothing decided yet; null where not named.
    """

    name: str
    label: str
    meaning: str
    outcomes: tuple[Column, ...]
    settable: tuple[str, ...]
    hits: tuple[str, ...]
    absent: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))

    def outcome(self, name: str) -> Column:
        """The declaration of one of its outcomes.

        Raises:
            KeyError: it has no such outcome.
        """
        for column in self.outcomes:
            if column.name == name:
                return column
        raise KeyError(name)


POINTS = Column(
    name="points",
    kind=Kind.COUNT,
    nullable=True,
    label="Points",
    meaning="Sum of the scorecard's points; more points are more risk.",
    low=-COUNT_BOUND,
    high=COUNT_BOUND,
)
RISK_CLASS = Column(
    name="risk_class",
    kind=Kind.CODE,
    nullable=True,
    label="Risk class",
    meaning="Class that the scorecard's points fall into, A the best.",
)
SEGMENT = Column(
    name="segment",
    kind=Kind.CODE,
    nullable=True,
    label="Segment",
    meaning="Group of customers that are treated alike; it chooses the scenario.",
)
PROPOSED_LIMIT = Column(
    name="proposed_limit_minor",
    kind=Kind.MONEY,
    nullable=True,
    label="Proposed credit limit",
    meaning="Credit limit that the rules propose; it is not in force until it is approved.",
    low=0,
    high=MONEY_BOUND,
)
PROPOSED_TERMS = Column(
    name="proposed_terms_days",
    kind=Kind.DAYS,
    nullable=True,
    label="Proposed payment terms",
    meaning="Days to pay that the rules propose for new orders.",
    low=0,
    high=DAYS_BOUND,
)
HOLD = Column(
    name="hold",
    kind=Kind.BOOL,
    label="Hold",
    meaning="New orders are stopped.",
)
HOLD_REASON = Column(
    name="hold_reason",
    kind=Kind.CODE,
    nullable=True,
    label="Reason of the hold",
    meaning="Why new orders are stopped, or which exclusion lets them pass.",
)
LEVEL = Column(
    name="level",
    kind=Kind.COUNT,
    label="Dunning level",
    meaning="How far the escalation has gone; 0 is none.",
    low=0,
    high=LEVEL_MAX,
)
STEP = Column(
    name="step",
    kind=Kind.CODE,
    nullable=True,
    label="Step",
    meaning="Step of the scenario the customer stands at.",
)
WORKLIST_POINTS = Column(
    name="worklist_points",
    kind=Kind.COUNT,
    nullable=True,
    label="Worklist points",
    meaning="Rank in the collectors' worklist; more points come first.",
    low=-COUNT_BOUND,
    high=COUNT_BOUND,
)
ALERT = Column(
    name="alert",
    kind=Kind.CODE,
    nullable=True,
    label="Alert",
    meaning="What somebody should look at.",
)

STAGES: tuple[Stage, ...] = (
    Stage(
        "scorecard",
        "Scorecard",
        "Adds up points and sorts customers into risk classes.",
        (POINTS, RISK_CLASS),
        ("points",),
        ("sum", "min", "max", "count", "first"),
    ),
    Stage(
        "segmentation",
        "Segmentation",
        "Puts each customer into the segment that is treated alike.",
        (SEGMENT,),
        ("segment",),
        ("first", "unique", "any"),
    ),
    Stage(
        "credit_limit",
        "Credit limit",
        "Proposes a credit limit and payment terms.",
        (PROPOSED_LIMIT, PROPOSED_TERMS),
        ("proposed_limit_minor", "proposed_terms_days"),
        ("first", "unique", "any", "min", "max"),
    ),
    Stage(
        "hold",
        "Hold",
        "Stops new orders, with a reason.",
        (HOLD, HOLD_REASON),
        ("hold", "hold_reason"),
        ("most_severe", "first", "unique", "any"),
        MappingProxyType({"hold": False}),
    ),
    Stage(
        "escalation",
        "Escalation",
        "Decides the dunning level and step.",
        (LEVEL, STEP),
        ("level", "step"),
        ("most_severe",),
        MappingProxyType({"level": 0}),
    ),
    Stage(
        "worklist",
        "Worklist",
        "Ranks the customers a collector should work on.",
        (WORKLIST_POINTS,),
        ("worklist_points",),
        ("sum", "max", "min", "count", "first"),
    ),
    Stage(
        "alert",
        "Alert",
        "Raises what somebody should look at.",
        (ALERT,),
        ("alert",),
        ("collect", "first", "unique", "any"),
    ),
)
STAGE: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in STAGES})
STAGE_NAMES = tuple(STAGE)
POINT_OUTCOMES = ("points", "worklist_points")  # they change every day: a class is decided by them, a rank is not
OUTCOMES: Mapping[str, Column] = MappingProxyType({c.name: c for stage in STAGES for c in stage.outcomes})


def stage_of(outcome: str) -> str | None:
    """The stage that sets an outcome, or None.

    >>> stage_of("segment")
    'segmentation'
    """
    return next((s.name for s in STAGES if any(c.name == outcome for c in s.outcomes)), None)


def earlier(stage: str) -> tuple[Stage, ...]:
    """The stages whose outcomes a stage may read.

    >>> [before.name for before in earlier("credit_limit")]
    ['scorecard', 'segmentation']
    """
    return STAGES[: STAGE_NAMES.index(stage)]
