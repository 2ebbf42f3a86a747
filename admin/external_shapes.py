"""The forms of what others say of a customer."""

from flask_babel import lazy_gettext as _l

from admin import choices
from admin.forms import Ask, Shape


def _or_not_said(yes: str, no: str) -> object:
    return lambda _subject: [("", _l("Not said")), ("yes", yes), ("no", no)]


EXTERNAL_SHAPES = (
    Shape(
        "RecordRating",
        _l("Enter a rating"),
        _l("Rules read it from tomorrow on. The same agency and day again corrects what was entered."),
        _l("Enter the rating"),
        {
            "agency": Ask(_l("Agency")),
            "from_day": Ask(_l("Holds from"), first=choices.today),
            "scale": Ask(_l("Scale"), _l("Name of the agency's scale, if it has one.")),
            "grade": Ask(_l("Grade"), _l("As printed.")),
            "score": Ask(_l("Figure"), _l("An index or score as printed.")),
            "pd_bp": Ask(_l("Default probability (%)"), _l("Within a year, of 100: 0.35.")),
            "limit_minor": Ask(_l("Recommended limit")),
            "currency": Ask(_l("Currency"), first=lambda subject: subject.entity.currency),
        },
    ),
    Shape(
        "TakeBackRating",
        _l("Take a rating back"),
        _l("For one that was wrong. Past days stay as they were seen."),
        _l("Take it back"),
    ),
    Shape(
        "RecordStatement",
        _l("Enter a financial statement"),
        _l("Rules read it from tomorrow on. Leave empty what it does not say; the same period again corrects it."),
        _l("Enter the statement"),
        {
            "period_end_day": Ask(_l("End of the period")),
            "currency": Ask(_l("Currency"), _l("Of all amounts below."), first=lambda subject: subject.entity.currency),
            "months": Ask(_l("Months"), _l("That profit and loss cover."), first=lambda _subject: 12),
            "filed_day": Ask(_l("Filed"), _l("When it became public or reached you; empty: today.")),
            "audited": Ask(_l("Audited"), options=_or_not_said(_l("Yes"), _l("No"))),
            "consolidated": Ask(
                _l("Whose"),
                options=choices.yes_no(_l("The customer's group"), _l("The customer's own")),
                first=lambda _subject: "no",
            ),
            "source": Ask(_l("Source")),
            "revenue_minor": Ask(_l("Revenue")),
            "operating_result_minor": Ask(_l("Operating result (EBIT)")),
            "net_result_minor": Ask(_l("Net result")),
            "operating_cash_flow_minor": Ask(_l("Operating cash flow")),
            "total_assets_minor": Ask(_l("Total assets")),
            "current_assets_minor": Ask(_l("Current assets")),
            "inventories_minor": Ask(_l("Inventories")),
            "cash_minor": Ask(_l("Cash")),
            "equity_minor": Ask(_l("Equity")),
            "current_liabilities_minor": Ask(_l("Current liabilities")),
            "total_debt_minor": Ask(_l("Financial debt")),
            "interest_cost_minor": Ask(_l("Interest cost")),
            "employees": Ask(_l("Employees")),
        },
    ),
    Shape(
        "TakeBackStatement",
        _l("Take a financial statement back"),
        _l("For one that was wrong. Past days stay as they were seen."),
        _l("Take it back"),
    ),
)
