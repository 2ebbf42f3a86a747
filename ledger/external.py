"""What others say of a customer: ratings of agencies and financial statements, as posting sees them.

Both are entries: dated, recorded, never changed. A correction reverses the old entry and posts a new one,
so that the past stays as it was seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.columns import COUNT_BOUND, MONEY_BOUND
from ledger.dialect import WHOLE, warning
from ledger.entries import identity_of
from ledger.problems import Problem

if TYPE_CHECKING:
    from ledger.records import Record

RATING, STATEMENT = "rating", "financial_statement"
EXTERNAL = (RATING, STATEMENT)
AMOUNTS = (
    "revenue",
    "operating_result",
    "net_result",
    "operating_cash_flow",
    "total_assets",
    "current_assets",
    "inventories",
    "cash",
    "equity",
    "current_liabilities",
    "total_debt",
    "interest_cost",
)  # of a statement, in its currency
SIGNED = frozenset({"operating_result", "net_result", "operating_cash_flow", "equity"})  # may be below zero
RATIOS = {
    "equity_ratio_bp": ("equity", "total_assets"),
    "current_ratio_bp": ("current_assets", "current_liabilities"),
    "net_margin_bp": ("net_result", "revenue"),
    "debt_to_equity_bp": ("total_debt", "equity"),
    "interest_cover_bp": ("operating_result", "interest_cost"),
}  # of a statement: one amount of another in basis points, rounded down
FACTOR_BOUND = 9 * 10**14  # a larger amount times 10,000 leaves 64 bits
WHOLE_BP = 10_000
YEAR_MONTHS = 12
MONTHS_MAX = 24
SCORE_MAX = 99_999_999
TEXT_CHARACTERS = 200
NAMED_UNKNOWN = 20  # customers a problem names one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What an agency thinks of a customer from a day on. ``id`` is None until it is posted.

    Args:
        scale: name of the agency's scale.
        grade: as printed.
        score: the agency's figure, as printed; which way is better is the agency's.
        pd_bp: chance of a default within a year.
        limit_minor, limit_currency: the credit limit it recommends.
        booked_day: from which day it holds.
    """

    customer: str
    agency: str
    scale: str = ""
    grade: str = ""
    score: int | None = None
    pd_bp: int | None = None
    limit_minor: int | None = None
    limit_currency: str | None = None
    booked_day: int
    recorded_day: int
    revision: int = 0
    id: int | None = None

    @property
    def identity(self) -> str:
        """What makes it the same rating, whatever file it comes in."""
        return identity_of(RATING, self.customer, self.agency, self.booked_day)

    @property
    def content(self) -> tuple[object, ...]:
        """What a later file may say differently."""
        return (self.scale, self.grade, self.score, self.pd_bp, self.limit_minor, self.limit_currency)

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """What cannot be: field, what, cure."""
        if not self.agency.strip():
            yield "agency", "is missing", "name who rated the customer"
        if not self.grade and self.score is None and self.pd_bp is None and self.limit_minor is None:
            yield "grade", "is missing", "give a grade, a score, a default probability or a recommended limit"
        if any(len(text) > TEXT_CHARACTERS for text in (self.agency, self.scale, self.grade)):
            yield "grade", f"has more than {TEXT_CHARACTERS} characters", "give it as the agency prints it"
        if self.pd_bp is not None and not 0 <= self.pd_bp <= 10_000:
            yield "pd_bp", "is not from 0 to 10,000 basis points", "give a share of 100 per cent"
        if self.score is not None and not 0 <= self.score <= SCORE_MAX:
            yield "score", f"is not from 0 to {SCORE_MAX:,}", "give the agency's figure"
        if self.limit_minor is not None and not 0 <= self.limit_minor <= MONEY_BOUND:
            yield "limit_minor", "is below zero or beyond the largest amount", "give the recommended limit"
        if self.limit_minor is not None and self.limit_currency is None:
            yield "limit_currency", "is missing", "give the currency of the recommended limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A financial statement of a customer. ``id`` is None until it is posted.

    Args:
        amounts: ``AMOUNTS`` -> minor units; what it does not say is None or absent.
        months: that profit and loss cover.
        filed_day: when it became public or reached us.
        booked_day: the same, or the day of posting where nobody says.
    """

    customer: str
    period_end_day: int
    months: int = YEAR_MONTHS
    consolidated: int = 0
    audited: int | None = None
    filed_day: int | None = None
    source: str = ""
    currency: str
    amounts: Mapping[str, int | None] = field(default_factory=dict)
    employees: int | None = None
    booked_day: int
    recorded_day: int
    revision: int = 0
    id: int | None = None

    @property
    def identity(self) -> str:
        """What makes it the same statement, whatever file it comes in."""
        return identity_of(STATEMENT, self.customer, self.period_end_day, self.consolidated)

    @property
    def content(self) -> tuple[object, ...]:
        """What a later file may say differently."""
        said = (self.months, self.audited, self.filed_day, self.source, self.currency, self.employees)
        return (*said, *(self.amounts.get(name) for name in AMOUNTS))

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """What cannot be: field, what, cure."""
        known = [name for name in AMOUNTS if self.amounts.get(name) is not None]
        if not known:
            yield "revenue", "and every other amount are missing", "give at least one figure of the statement"
        for name in known:
            amount = self.amounts[name] or 0
            if abs(amount) > MONEY_BOUND:
                yield name, "is beyond the largest amount", "look whether thousands were taken for units"
            elif amount < 0 and name not in SIGNED:
                yield name, "is below zero", "give it without a sign"
        if not 1 <= self.months <= MONTHS_MAX:
            yield "months", f"are not 1 to {MONTHS_MAX}", "give the months that the statement covers"
        if self.period_end_day > self.booked_day:
            yield "period_end_day", "is after the day it was filed, or lies ahead", "correct one of the dates"
        assets, part = self.amounts.get("total_assets"), self.amounts.get("current_assets")
        if assets is not None and part is not None and part > assets:
            yield "current_assets", "are more than all assets", "look whether two columns are swapped"


def ratio_of(amounts: Mapping[str, int | None], name: str) -> int | None:
    """A ratio of a statement, as the fact of this name says it.

    >>> ratio_of({"net_result": -50, "revenue": 1_000}, "net_margin_bp")
    -500
    """
    above, below = (amounts.get(one) for one in RATIOS[name])
    if above is None or below is None or below <= 0 or abs(above) >= FACTOR_BOUND:
        return None
    return max(-COUNT_BOUND, min(COUNT_BOUND, above * WHOLE_BP // below))


def rating_of(record: "Record", recorded: int) -> Rating:
    """The rating a row gives.

    Args:
        recorded: the day it counts as recorded.
    """
    values = record.values
    limit = values.get("recommended_limit")
    return Rating(
        customer=values["customer"],
        agency=values["agency"],
        scale=values.get("scale") or "",
        grade=values.get("grade") or "",
        score=values.get("score"),
        pd_bp=values.get("default_probability"),
        limit_minor=limit,
        limit_currency=None if limit is None else values.get("currency"),
        booked_day=values["from_on"],
        recorded_day=recorded,
    )


def statement_of(record: "Record", booked: int, recorded: int) -> Statement:
    """The statement a row gives."""
    values = record.values
    return Statement(
        customer=values["customer"],
        period_end_day=values["period_end_on"],
        months=values.get("months", YEAR_MONTHS),
        consolidated=values.get("consolidated") or 0,
        audited=values.get("audited"),
        filed_day=values.get("filed_on"),
        source=values.get("source") or "",
        currency=values["currency"],
        amounts={name: values.get(name) for name in AMOUNTS},
        employees=values.get("employees"),
        booked_day=booked,
        recorded_day=recorded,
    )


def of_strangers(records: list["Record"]) -> Problem:
    """A warning about rows whose customers are not known; they are left out."""
    rows = ", ".join(f"{one.values['customer']} (line {one.line})" for one in records[:NAMED_UNKNOWN])
    more = f" and {len(records) - NAMED_UNKNOWN} more" if len(records) > NAMED_UNKNOWN else ""
    what = f"{len(records)} rows name customers that are not known and were left out: {rows}{more}"
    cure = "import these customers first, or correct their numbers; then import the file again"
    return warning(records[0].line, WHOLE, what, cure)
