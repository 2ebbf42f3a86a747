"""What others say of a customer, as its page shows it: statements side by side, with ratios and how they moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_decimal
from flask_babel import gettext as _
from markupsafe import Markup

from admin import formatting
from engine.external import StatementTold
from ledger.external import RATIOS, YEAR_MONTHS, Statement, ratio_of

TIMES = frozenset({"current_ratio_bp", "debt_to_equity_bp", "interest_cover_bp"})  # shown as 1.5 times, not per cent


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of statements side by side.

    Args:
        label: what it is.
        cells: one per statement.
        moved: from the statement before to the latest, in words; empty where that says nothing.
    """

    label: str
    cells: list[Markup]
    moved: str = ""


def figures_of(statements: Sequence[StatementTold]) -> list[Figure]:
    """Amounts and ratios of some statements, the newest first; lines that none of them says are left out."""
    told = [one.statement for one in statements]
    names = {
        "revenue": _("Revenue"),
        "operating_result": _("Operating result (EBIT)"),
        "net_result": _("Net result"),
        "operating_cash_flow": _("Operating cash flow"),
        "total_assets": _("Total assets"),
        "equity": _("Equity"),
        "total_debt": _("Financial debt"),
        "cash": _("Cash"),
    }
    found = []
    for name, label in names.items():
        amounts = [one.amounts.get(name) for one in told]
        if any(amount is not None for amount in amounts):
            cells = [formatting.money(amount, one.currency, decimals=False) for amount, one in zip(amounts, told)]
            found.append(Figure(label, cells, _moved(told, amounts)))
    ratios = {
        "equity_ratio_bp": _("Equity ratio"),
        "current_ratio_bp": _("Current ratio"),
        "net_margin_bp": _("Net margin"),
        "debt_to_equity_bp": _("Debt to equity"),
        "interest_cover_bp": _("Interest cover"),
    }
    for name in RATIOS:
        shares = [ratio_of(one.amounts, name) for one in told]
        if any(share is not None for share in shares):
            found.append(Figure(ratios[name], [_ratio(name, share) for share in shares], _by(name, shares)))
    if any(one.employees is not None for one in told):
        found.append(Figure(_("Employees"), [formatting.count(one.employees) for one in told]))
    return found


def _ratio(name: str, share: int | None) -> Markup:
    return _times(share) if name in TIMES else formatting.percent(share)


def _times(share: int | None) -> Markup:
    """10,000 basis points as 1.00 ×."""
    if share is None:
        return formatting.NOTHING
    return Markup('<span class="num">{} <span class="unit">×</span></span>').format(_figure(share, 4, 2))


def _figure(number: int, scale: int, places: int) -> str:
    text = format_decimal(Decimal(number).scaleb(-scale), format="#,##0." + "0" * places, locale=formatting.locale())
    return str(text)


def _moved(told: Sequence[Statement], amounts: Sequence[int | None]) -> str:
    """By how many per cent an amount grew, where both periods are alike."""
    if len(told) < 2 or (told[0].currency, told[0].months) != (told[1].currency, told[1].months):
        return ""
    now, before = amounts[0], amounts[1]
    if now is None or before is None or before <= 0 or told[0].consolidated != told[1].consolidated:
        return ""
    return _signed((now - before) * 10_000 // before, 2, 1, "%")


def _by(name: str, shares: Sequence[int | None]) -> str:
    if len(shares) < 2 or shares[0] is None or shares[1] is None:
        return ""
    change = shares[0] - shares[1]
    if name in TIMES:
        return _signed(change, 4, 2, "×")
    return _signed(change, 2, 1, _("points"))


def _signed(number: int, scale: int, places: int, unit: str) -> str:
    return f"{'+' if number >= 0 else ''}{_figure(number, scale, places)}\u202f{unit}"


def months_of(one: Statement) -> str:
    """What a statement covers, where it is no year."""
    return "" if one.months == YEAR_MONTHS else _("%(n)s months", n=one.months)
