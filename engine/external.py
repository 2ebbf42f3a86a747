"""Ratings and financial statements of a customer: what is known, and entering one by hand.

They come in by imports mostly (``engine.importing``). What is entered of the same rating or statement again
corrects it: the old entry is taken back, the past stays as it was seen.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine import tables
from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.corrections import appended, entry_of, reverse
from engine.known import known_external, rating_row, statement_row
from engine.taking_in import rating_columns, statement_columns
from ledger.cells import CURRENCY
from ledger.external import RATING, STATEMENT, YEAR_MONTHS, Rating, Statement
from ledger.problems import Problem

if TYPE_CHECKING:
    from engine.runtime import Runtime

RATINGS_SHOWN = 12
STATEMENTS_SHOWN = 3
CORRECTED = "entered again, said differently"


@dataclass(frozen=True, kw_only=True)
class RecordRating(Command):
    """Enter what an agency thinks of a customer.

    Args:
        from_day: from which day it holds.
        scale, grade, score: as printed.
        pd_bp: chance of a default within a year.
        limit_minor, currency: the credit limit it recommends.
    """

    customer: int
    agency: str
    from_day: int
    scale: str = ""
    grade: str = ""
    score: int | None = None
    pd_bp: int | None = None
    limit_minor: int | None = None
    currency: str | None = None


@register(RecordRating, permission="external.record")
def record_rating(context: Context, command: RecordRating) -> Change:
    """Append the entry; rules read it from tomorrow on."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    wanted = Rating(
        customer=customer.number,
        agency=command.agency.strip(),
        scale=command.scale.strip(),
        grade=command.grade.strip(),
        score=command.score,
        pd_bp=command.pd_bp,
        limit_minor=command.limit_minor,
        limit_currency=None if command.limit_minor is None else _currency(command.currency, customer),
        booked_day=command.from_day,
        recorded_day=today,
    )
    new = replace(wanted, revision=_revision(context, customer, wanted, RATING))
    common = entry_of(context, customer, today) | {"booked_day": new.booked_day}
    row = tables.Rating.create(**common, **rating_columns(new), by=_actor(context))
    after = {"agency": row.agency, "grade": row.grade, "pd_bp": row.pd_bp, "from_day": row.booked_day}
    return appended(RATING, row.id, customer, after)


@dataclass(frozen=True, kw_only=True)
class RecordStatement(Command):
    """Enter a financial statement of a customer.

    Args:
        filed_day: when it became public or reached us; None: today.
        months: that profit and loss cover.
        audited: None where it does not say.
        consolidated: of the customer's group.
    """

    customer: int
    period_end_day: int
    currency: str
    months: int = YEAR_MONTHS
    filed_day: int | None = None
    audited: bool | None = None
    consolidated: bool = False
    source: str = ""
    revenue_minor: int | None = None
    operating_result_minor: int | None = None
    net_result_minor: int | None = None
    operating_cash_flow_minor: int | None = None
    total_assets_minor: int | None = None
    current_assets_minor: int | None = None
    inventories_minor: int | None = None
    cash_minor: int | None = None
    equity_minor: int | None = None
    current_liabilities_minor: int | None = None
    total_debt_minor: int | None = None
    interest_cost_minor: int | None = None
    employees: int | None = None


@register(RecordStatement, permission="external.record")
def record_statement(context: Context, command: RecordStatement) -> Change:
    """Append the entry; rules read it from tomorrow on."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    wanted = Statement(
        customer=customer.number,
        period_end_day=command.period_end_day,
        months=command.months,
        consolidated=int(command.consolidated),
        audited=None if command.audited is None else int(command.audited),
        filed_day=command.filed_day,
        source=command.source.strip(),
        currency=_currency(command.currency, customer),
        amounts=_amounts(command),
        employees=command.employees,
        booked_day=today if command.filed_day is None else command.filed_day,
        recorded_day=today,
    )
    new = replace(wanted, revision=_revision(context, customer, wanted, STATEMENT))
    common = entry_of(context, customer, today) | {"booked_day": new.booked_day}
    row = tables.FinancialStatement.create(**common, **statement_columns(new), by=_actor(context))
    after = {"period_end_day": row.period_end_day, "months": row.months, "currency": row.currency}
    return appended(STATEMENT, row.id, customer, after | {"revenue_minor": row.revenue_minor})


def _amounts(command: RecordStatement) -> dict[str, int | None]:
    return {
        "revenue": command.revenue_minor,
        "operating_result": command.operating_result_minor,
        "net_result": command.net_result_minor,
        "operating_cash_flow": command.operating_cash_flow_minor,
        "total_assets": command.total_assets_minor,
        "current_assets": command.current_assets_minor,
        "inventories": command.inventories_minor,
        "cash": command.cash_minor,
        "equity": command.equity_minor,
        "current_liabilities": command.current_liabilities_minor,
        "total_debt": command.total_debt_minor,
        "interest_cost": command.interest_cost_minor,
    }


def _revision(context: Context, customer: tables.Customer, wanted: Rating | Statement, target: str) -> int:
    """Check what was entered, take back what it corrects, and give its revision."""
    faults = [Problem(place=name, what=what, cure=cure) for name, what, cure in wanted.faults()]
    if faults:
        raise Invalid(faults)
    known = known_external(customer)
    old = known.external.get(wanted.identity)
    if old is not None and old.content == wanted.content:
        raise Conflict("the very same is known already")
    if old is not None and old.id is not None:
        reverse(context, customer, target, old.id, CORRECTED, "it was corrected already")
    return known.revisions.get(wanted.identity, -1) + 1


def _currency(code: str | None, customer: tables.Customer) -> str:
    found = (code or customer.entity.currency).strip().upper()
    if CURRENCY.fullmatch(found) is None:
        raise Invalid.because("currency", f"is {found!r}", "write the ISO code of three letters, as in EUR")
    return str(found)


def _actor(context: Context) -> int | None:
    return None if context.actor is None else int(context.actor.id)


@dataclass(frozen=True, kw_only=True)
class TakeBackRating(Command):
    """Take a rating back that was wrong."""

    rating: int


@register(TakeBackRating, permission="external.record")
def take_back_rating(context: Context, command: TakeBackRating) -> Change:
    """Reverse its entry; what it meant on past days stays as it was seen."""
    row = tables.Rating.get_or_none(tables.Rating.id == command.rating)
    if row is None:
        raise NotFound(f"no rating {command.rating}")
    customer = context.customer(row.customer_id)
    reverse(context, customer, RATING, row.id, command.reason, f"rating {row.id} was taken back already")
    return appended(RATING, row.id, customer, {"taken_back": True})


@dataclass(frozen=True, kw_only=True)
class TakeBackStatement(Command):
    """Take a financial statement back that was wrong."""

    financial_statement: int


@register(TakeBackStatement, permission="external.record")
def take_back_statement(context: Context, command: TakeBackStatement) -> Change:
    """Reverse its entry; what it meant on past days stays as it was seen."""
    row = tables.FinancialStatement.get_or_none(tables.FinancialStatement.id == command.financial_statement)
    if row is None:
        raise NotFound(f"no financial statement {command.financial_statement}")
    customer = context.customer(row.customer_id)
    reverse(context, customer, STATEMENT, row.id, command.reason, f"statement {row.id} was taken back already")
    return appended(STATEMENT, row.id, customer, {"taken_back": True})


# --- what is known ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingTold:
    """A rating and whether it still holds.

    Args:
        taken_back: it was wrong, or said anew.
        counts: rules of the day read it, or an earlier day's did.
    """

    rating: Rating
    taken_back: bool
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTold:
    """A financial statement in force."""

    statement: Statement
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """What others say of a customer: ratings from the latest on, the last statements."""

    ratings: tuple[RatingTold, ...] = ()
    statements: tuple[StatementTold, ...] = ()

    @property
    def latest(self) -> RatingTold | None:
        """The rating that facts read, or will tomorrow."""
        return next((one for one in self.ratings if not one.taken_back), None)


def external_of(runtime: "Runtime", customer: tables.Customer) -> External:
    """What is known of a customer today, the newest first; ratings that were taken back too."""
    today = runtime.today(customer.entity)
    back = set(
        tables.Reversal.select(tables.Reversal.target, tables.Reversal.target_id)
        .where(tables.Reversal.customer == customer, tables.Reversal.target.in_((RATING, STATEMENT)))
        .tuples()
    )
    rated, stated = tables.Rating, tables.FinancialStatement
    ratings = rated.select().where(rated.customer == customer).order_by(rated.booked_day.desc(), rated.id.desc())
    theirs = [key for target, key in back if target == STATEMENT]
    statements = stated.select().where(stated.customer == customer, stated.id.not_in(theirs))
    statements = statements.order_by(stated.period_end_day.desc(), stated.consolidated, stated.id.desc())
    return External(
        ratings=tuple(
            RatingTold(
                rating=rating_row(row, customer.number),
                taken_back=(RATING, row.id) in back,
                counts=max(row.booked_day, row.recorded_day) < today,
            )
            for row in ratings.limit(RATINGS_SHOWN)
        ),
        statements=tuple(
            StatementTold(
                statement=statement_row(row, customer.number), counts=max(row.booked_day, row.recorded_day) < today
            )
            for row in statements.limit(STATEMENTS_SHOWN)
        ),
    )
