"""Facts: the one dictionary of everything a rule may read about a row.

Joins the ledger's declarations with those of the score, of what stood before, and of the
outcomes of earlier stages. Editor, checker, documentation and compilers read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ledger.columns import DAYS_BOUND, MONEY_BOUND, Column, Kind
from ledger.lines import LEADING_COLUMNS, LINE_COLUMNS
from ledger.state import CUSTOMER_COLUMNS
from rules.conditions import Scalar
from rules.formulas import DerivedFact, Formula
from rules.stages import OUTCOMES, PREVIOUS, STAGE_NAMES, earlier
from rules.stepping import TIED

SUBJECTS = ("customer", "invoice")
SCORE = (
    Column(
        name="score_bp",
        kind=Kind.RATIO,
        nullable=True,
        label="Score",
        meaning="Chance that the next invoices are paid late, from the model.",
        low=0,
        high=10_000,
    ),
    Column(
        name="thin_history",
        kind=Kind.BOOL,
        nullable=True,
        label="Thin history",
        meaning="Too few paid invoices for the score to lean on the customer's own habits.",
    ),
    Column(
        name="at_risk_minor",
        kind=Kind.MONEY,
        nullable=True,
        label="Amount at risk",
        meaning="Net overdue times the score: what is likely to come late once more; unknown without a score.",
        low=0,
        high=MONEY_BOUND,
    ),
)
STANDING = (
    Column(
        name="step_finished",
        kind=Kind.BOOL,
        nullable=True,
        label="Step finished",
        meaning="The message or blocking task of the present step is done.",
    ),
    Column(
        name="raised_today",
        kind=Kind.BOOL,
        nullable=True,
        label="Raised today",
        meaning="The dunning level was already raised on this business day.",
    ),
    Column(
        name="episode_open",
        kind=Kind.BOOL,
        nullable=True,
        label="Episode open",
        meaning="An escalation is under way.",
    ),
    Column(
        name="same_leader",
        kind=Kind.BOOL,
        nullable=True,
        label="Same leader",
        meaning="The oldest due line is the one the present step was taken for.",
    ),
    Column(
        name="promise_broken",
        kind=Kind.BOOL,
        nullable=True,
        label="Promise broken",
        meaning="A promise to pay was broken since the present step was taken, so that the step comes again.",
    ),
    Column(
        name=TIED,
        kind=Kind.CODE,
        nullable=True,
        label="Scenario by hand",
        meaning="The scenario a person tied the customer to, until a day; unknown while the policy chooses it.",
    ),
    Column(
        name="leader_month_end_days",
        kind=Kind.DAYS,
        nullable=True,
        label="Days past due at the month's end",
        meaning="Days the leader was past due at the last month end, today if it is one; negative before it is due.",
        low=-DAYS_BOUND,
        high=DAYS_BOUND,
    ),
    Column(
        name="days_since_step_done",
        kind=Kind.DAYS,
        nullable=True,
        label="Days since the step was done",
        meaning="Days since the message of the present step was sent, or its call or task was finished.",
        low=0,
        high=DAYS_BOUND,
    ),
)
PREVIOUS_OUTCOMES = tuple(
    replace(
        column,
        name=f"{PREVIOUS}{name}",
        nullable=True,
        label=f"Previous {column.label[0].lower()}{column.label[1:]}",
        meaning=f"Outcome before this run. {column.meaning}",
    )
    for name, column in OUTCOMES.items()
)
NULL_SAYS_SOMETHING = frozenset(
    {
        "credit_limit_minor",
        "headroom_minor",
        "leader_open_minor",
        "group_exposure_minor",
        "uninsured_exposure_minor",
        "at_risk_minor",
        "rating_limit_minor",
        "statement_revenue_minor",
    }
)  # money whose null is an answer (no limit, no leader, no group, no score, no rating), not a missing rate


def _joined(*columns: tuple[Column, ...]) -> Mapping[str, Column]:
    named: dict[str, Column] = {}
    for column in (column for group in columns for column in group):
        if column.name in named:
            raise ValueError(f"the fact {column.name!r} is declared twice")
        named[column.name] = column
    return MappingProxyType(named)


FACTS = _joined(CUSTOMER_COLUMNS, SCORE, STANDING, PREVIOUS_OUTCOMES)
DICTIONARY = _joined(CUSTOMER_COLUMNS, SCORE, STANDING, PREVIOUS_OUTCOMES, tuple(OUTCOMES.values()))
# A line is its own leader: of the subject invoice some facts of the customer are facts of the line.
_OF_LINE = {column.name: column for column in LEADING_COLUMNS}
INVOICE_DICTIONARY = _joined(
    tuple(column for column in LINE_COLUMNS if column.name not in DICTIONARY),
    tuple(_OF_LINE.get(name, column) for name, column in DICTIONARY.items()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedColumn(Column):
    """A fact computed from others; it is nullable where its inputs or a division make it so.

    Args:
        fact: as its document says it.
        formula: proved: with scales, rounding and caps; parameters still by name.
        ready: the first stage that may read it; its inputs are known just before.
    """

    fact: DerivedFact
    formula: Formula
    ready: str


def dictionary_of(subject: str) -> Mapping[str, Column]:
    """Every fact and outcome of a subject."""
    return INVOICE_DICTIONARY if subject == "invoice" else DICTIONARY


def readable(stage: str, dictionary: Mapping[str, Column]) -> Mapping[str, Column]:
    """What a policy of a stage may read: facts, outcomes of earlier stages, and what is derived before it."""
    before = {column.name for done in earlier(stage) for column in done.outcomes}
    return MappingProxyType(
        {
            name: column
            for name, column in dictionary.items()
            if (name not in OUTCOMES or name in before) and _is_ready(column, stage)
        }
    )


def _is_ready(column: Column, stage: str) -> bool:
    return not isinstance(column, DerivedColumn) or STAGE_NAMES.index(column.ready) <= STAGE_NAMES.index(stage)


def is_unknowable_money(column: Column) -> bool:
    """Whether a null of this column means that an amount is unknown (a missing rate)."""
    return (
        column.kind is Kind.MONEY
        and column.nullable
        and not isinstance(column, DerivedColumn)  # its inputs say whether an amount is unknown
        and column.name not in NULL_SAYS_SOMETHING
        and column.name not in OUTCOMES
        and not column.name.startswith(PREVIOUS)
    )


def empty_row(dictionary: Mapping[str, Column]) -> dict[str, Scalar | None]:
    """A customer without debts and without history: where every case starts from.

    Amounts and counts are 0, claims false; what only history or a person can tell is null.
    """
    return {name: _empty(column) for name, column in dictionary.items()}


def _empty(column: Column) -> Scalar | None:
    if is_unknowable_money(column):
        return 0
    if column.nullable:
        return None
    if column.kind is Kind.BOOL:
        return False
    return "" if column.unit is None else 0


def fits(value: object, column: Column) -> bool:
    """Whether a value is of a column's type; null fits when it is nullable."""
    if value is None:
        return column.nullable
    if column.kind is Kind.BOOL:
        return isinstance(value, bool)
    if column.unit is None:
        return isinstance(value, str) and (not column.values or value in column.values)
    return isinstance(value, int) and not isinstance(value, bool)
