"""The forms of what is agreed with a customer or decided about one."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import choices, gate
from admin.forms import Ask, Shape
from engine.overrides import scenarios_in_force, segments_in_force
from engine.pipeline import asking

TARGETS = {
    "risk_class": _l("Risk class"),
    "segment": _l("Segment"),
    "limit": _l("Credit limit"),
    "terms": _l("Payment terms (days)"),
    "hold": _l("Orders held (yes or no)"),
    "level": _l("Dunning level"),
    "scenario": _l("Dunning scenario"),
}


def _values(subject: Any) -> list[tuple[str, str]]:
    """Values an override can give that the policies in force know by name, each with what it is a value of."""
    runtime = gate.runtime()
    book = asking(runtime, subject.entity, runtime.today(subject.entity)).edition.book
    scorecard = book.stages.get("scorecard")
    classes = [] if scorecard is None else [band.risk_class for band in scorecard.policy.bands]
    segments = segments_in_force(runtime, subject.entity, runtime.today(subject.entity))
    scenarios = scenarios_in_force(runtime, subject.entity, runtime.today(subject.entity))
    named = [("risk_class", classes), ("segment", segments), ("hold", ["yes", "no"]), ("scenario", scenarios)]
    return [(value, target) for target, values in named for value in values]


CUSTOMER_SHAPES = (
    Shape(
        "RecordPromise",
        _l("Record a promise to pay"),
        _l("The line leaves dunning until the promise is broken."),
        _l("Record the promise"),
        {
            "due_line": Ask(_l("Invoice"), options=choices.lines),
            "amount_minor": Ask(_l("Amount promised")),
            "currency": Ask(_l("Currency"), first=lambda subject: subject.entity.currency),
            "promised_day": Ask(_l("Paid by"), first=choices.in_days(7)),
        },
    ),
    Shape(
        "CancelPlan",
        _l("Cancel a payment plan"),
        _l("Its lines are dunned again where they stood."),
        _l("Cancel the plan"),
        danger=True,
    ),
    Shape(
        "WriteOff",
        _l("Write off"),
        _l("The debt is given up here until the accounts say the same. A large one takes a second person."),
        _l("Write it off"),
        {
            "due_line": Ask(_l("Invoice"), options=choices.one_line),
            "amount_minor": Ask(_l("Amount"), _l("Leave empty for all that is open.")),
        },
    ),
    Shape(
        "ReverseWriteOff",
        _l("Take a write-off back"),
        _l("Its amount is owed and dunned again."),
        _l("Take it back"),
    ),
    Shape(
        "ApproveEntry",
        _l("Approve as the second person"),
        _l("It is entered at once, if it still fits what is open. Nobody approves their own."),
        _l("Approve"),
        {"sha256": Ask("", kind="hidden")},
    ),
    Shape("DeclineEntry", _l("Decline what was proposed"), _l("Nothing is entered."), _l("Decline")),
    Shape(
        "SetBlock",
        _l("Pause or block dunning"),
        _l("Steps wait; interest and days past due run on."),
        _l("Set the block"),
        {
            "kind": Ask(
                _l("Kind"),
                options=lambda _s: [
                    ("pause", _("Pause, until a day")),
                    ("dunning_block", _("Dunning block")),
                    ("insolvent", _("Insolvent")),
                ],
            ),
            "from_day": Ask(_l("From"), first=choices.today),
            "until_day": Ask(_l("Until"), _l("First day it no longer holds."), first=choices.in_days(14)),
            "due_line": Ask(_l("Invoice"), options=choices.lines),
        },
    ),
    Shape(
        "RemoveInvoiceDocument",
        _l("Take a document away"),
        _l("It is shown and sent no more; letters it went out with keep it."),
        _l("Take it away"),
    ),
    Shape("EndBlock", _l("End a block"), _l("The rules decide again at once."), _l("End the block")),
    Shape(
        "SetOverride",
        _l("Override the rules"),
        _l("Your value stands in place of the rules' until its day. What gives more takes a second person."),
        _l("Set the override"),
        {
            "target": Ask(_l("What"), options=lambda _s: list(TARGETS.items())),
            "value": Ask(
                _l("Value"),
                _l("A class, segment or scenario (none: no dunning), an amount, days, a level, or yes and no."),
                suggest=_values,
            ),
            "until_day": Ask(
                _l("Until"), _l("It ends by itself; how late at most is a parameter."), first=choices.in_days(30)
            ),
        },
    ),
    Shape(
        "ApproveOverride",
        _l("Approve an override"),
        _l("It takes effect at once. Nobody approves their own."),
        _l("Approve"),
    ),
    Shape("EndOverride", _l("End an override"), _l("The rules decide again."), _l("End the override")),
    Shape(
        "ApproveLimit",
        _l("Put a credit limit in force"),
        _l("Up to what the rules propose. More is an override and takes two people."),
        _l("Put in force"),
        {
            "amount_minor": Ask(_l("Limit")),
            "from_day": Ask(_l("From"), first=choices.today),
            "until_day": Ask(_l("Until"), _l("Leave empty for as long as no other comes.")),
        },
    ),
)
