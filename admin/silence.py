"""Why was nothing sent? A page of one customer and one day, and the steps that come."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import formatting, gate
from admin.explanation_page import visible_customer
from admin.silence_words import holds_words, sentence
from admin.steps import step_label
from admin.wording import channel_words
from engine.claims import MESSAGE_CHANNELS
from engine.silence import Silence, silence_of
from engine.silence_actions import Finding
from engine.tables import Action, Customer
from ledger.days import day_of

blueprint = Blueprint("silence", __name__, url_prefix="/customers")
SENT = frozenset({"sent", "sent_along", "on_its_way", "covered"})


@dataclass(frozen=True)
class Reason:
    """A finding as it is shown.

    Args:
        url: where more stands; empty: nowhere, or not for this reader.
    """

    words: str
    url: str = ""
    link: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer as it is shown.

    Args:
        answered: the sentence that answers.
        sent: whether something was sent after all.
        others: what else held.
        coming: step, channel, level, day and what could hold it back.
    """

    day: int
    answered: Reason
    sent: bool
    others: tuple[Reason, ...]
    coming: tuple[dict[str, Any], ...]
    rebuilt: bool


def shown(silence: Silence, customer: Customer) -> Answer:
    """An answer in the reader's words."""
    reasons = [_reason(finding, customer) for finding in silence.findings]
    return Answer(
        day=silence.day,
        answered=reasons[0],
        sent=silence.answer.code in SENT,
        others=tuple(reasons[1:]),
        coming=tuple(
            {
                "step": step_label(one.step),
                "channel": channel_words(one.channel),
                "level": one.level,
                "day": one.day,
                "holds": holds_words(one),
            }
            for one in silence.coming
        ),
        rebuilt=silence.rebuilt,
    )


def _reason(finding: Finding, customer: Customer) -> Reason:
    words = sentence(finding, customer.entity)
    url, label = ("", "") if finding.link is None else _address(*finding.link)
    return Reason(words, url, label)


def _address(kind: str, number: int) -> tuple[str, str]:
    """Where a link leads and what it is called; empty where the reader may not go."""
    if kind == "action":
        channel = Action.select(Action.channel).where(Action.id == number).scalar()
        if channel not in MESSAGE_CHANNELS:
            return url_for("actions.action_page", action_id=number), _("The work")
        if gate.may("people.view"):
            return url_for("messages.message_page", action_id=number), _("The message")
    if kind == "run":
        return url_for("runs.details_view", id=number), _("The run")
    if kind == "pauses":
        return url_for("pauses.page", customer_id=number), _("Pauses")
    if kind == "audit" and gate.may("audit.view"):
        return url_for("audit.details_view", id=number), _("The audit trail")
    if kind == "alarm" and gate.may("alarms.acknowledge"):
        return url_for("alarms.details_view", id=number), _("The alarm")
    return "", ""


def day_asked(customer: Customer) -> int:
    """The day the address asks for; today where it names none."""
    try:
        return day_of(date.fromisoformat(request.args.get("day", "")))
    except ValueError:
        return gate.runtime().today(customer.entity)


@blueprint.get("/<int:customer_id>/silence")
@gate.needs("customers.view")
def page(customer_id: int) -> ResponseReturnValue:
    """Why nothing was sent to a customer on a day, with what it rests on, and what comes."""
    customer = visible_customer(customer_id)
    today, day = gate.runtime().today(customer.entity), day_asked(customer)
    return render_template(
        "console/silence.html",
        customer=customer,
        day=day,
        today=today,
        answer=shown(silence_of(gate.runtime(), customer, day), customer),
        before=formatting.iso(day - 1),
        after=formatting.iso(day + 1) if day < today else "",
    )
