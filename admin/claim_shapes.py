"""The forms of the claim account and of hand-overs."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import formatting, gate
from admin.forms import Ask, Shape
from engine.claim_account import claim_account_of
from engine.handing_over import NOTES, TARGETS
from engine.tables import DueLine
from ledger.claims import CHARGES

LINES_MAX = 200


def _lines(subject: Any) -> list[tuple[str, str]]:
    lines = DueLine.select().where(DueLine.customer == subject.id).order_by(DueLine.due_day.desc()).limit(LINES_MAX)
    named = [(str(line.id), f"{line.number} · {formatting.day_text(line.due_day)}") for line in lines]
    return [("", _("The account")), *named]


def _parts(subject: Any) -> list[tuple[str, str]]:
    account = claim_account_of(gate.runtime(), subject, gate.runtime().today(subject.entity))
    open_ = {kind for one in account.balances for kind in CHARGES if one.parts[kind].open_minor > 0}
    return [(kind, formatting.title(kind)) for kind in CHARGES if kind in open_ or not open_]


def _currency(subject: Any) -> str:
    return str(subject.entity.currency)


def _titles(codes: tuple[str, ...]) -> Any:
    return lambda _subject: [(code, formatting.title(code)) for code in codes]


CURRENCY = Ask(_l("Currency"), first=_currency)
CLAIM_SHAPES = (
    Shape(
        "ChargeClaims",
        _l("Charge interest and fixed sums"),
        _l("What the law adds until today is booked on the claim account; open amounts do not change."),
        _l("Charge"),
        {
            "since_day": Ask(
                _l("Paid late as well, if due since"),
                _l("Leave empty to charge open invoices and those charged before."),
            )
        },
    ),
    Shape(
        "RecordCost",
        _l("Record a cost"),
        _l("A fee, postage, a court's advance: booked on the claim account."),
        _l("Record it"),
        {
            "amount_minor": Ask(_l("Amount")),
            "currency": CURRENCY,
            "due_line": Ask(_l("For"), options=_lines),
        },
    ),
    Shape(
        "RecordClaimPayment",
        _l("Record a payment of interest and costs"),
        _l("It goes to costs, then fixed sums, then interest. Payments of invoices come with the accounts."),
        _l("Record it"),
        {"amount_minor": Ask(_l("Amount")), "currency": CURRENCY},
    ),
    Shape(
        "WaiveClaim",
        _l("Waive interest or costs"),
        _l("Above what one person may waive of a customer, a second person decides."),
        _l("Waive"),
        {
            "part": Ask(_l("What"), options=_parts),
            "amount_minor": Ask(_l("Amount")),
            "currency": CURRENCY,
        },
    ),
    Shape(
        "ReverseClaimEntry",
        _l("Take an entry back"),
        _l("What the account said on past days stays."),
        _l("Take it back"),
    ),
    Shape(
        "SetConsumer",
        _l("Say whether a customer is a consumer"),
        _l("The law of late payment spares consumers, or charges them otherwise."),
        _l("Keep it"),
        {
            "consumer": Ask(
                _l("The customer is"),
                options=lambda _s: [("yes", _("a consumer")), ("no", _("an undertaking"))],
            )
        },
    ),
    Shape(
        "ProposeHandOver",
        _l("Hand the debt over"),
        _l("All that the customer owes goes there; dunning stops once a second person has approved it."),
        _l("Propose it"),
        {
            "target": Ask(_l("To"), options=_titles(TARGETS)),
            "recipient": Ask(_l("Its name")),
        },
    ),
    Shape(
        "ApproveHandOver",
        _l("Approve a hand-over"),
        _l("Interest is charged until today, dunning stops, the file can be downloaded. Nobody approves their own."),
        _l("Approve"),
    ),
    Shape("DeclineHandOver", _l("Decline a hand-over"), _l("Nothing is handed over."), _l("Decline")),
    Shape(
        "NoteHandOver",
        _l("Note what became of a hand-over"),
        _l("Rejected or closed: the debt is back, and the rules decide again."),
        _l("Note it"),
        {
            "state": Ask(_l("What was said"), options=_titles(NOTES)),
            "amount_minor": Ask(_l("If recovered: how much"), _l("Leave empty otherwise.")),
            "currency": Ask(_l("Currency"), first=lambda subject: subject.customer.entity.currency),
        },
    ),
)
