"""What to do next with a customer, and the rule that asks for it."""

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from admin import formatting, gate
from admin.customer_page import CustomerFile
from admin.silence import Answer
from admin.steps import step_label
from admin.worklist_view import Reasons
from engine.claims import MESSAGE_CHANNELS
from engine.tables import Action
from rules.book import Book


@dataclass(frozen=True)
class NextStep:
    """The recommended next action.

    Args:
        what: in words.
        rule: name of the rule that asks for it; empty: no rule, a person planned it.
        because: why there is such a rule.
        url, go: where it is done, and the word on the button; empty: nothing to do there.
    """

    sign: str
    what: str
    rule: str = ""
    because: str = ""
    day: int | None = None
    url: str = ""
    go: str = ""


def next_step(file: CustomerFile, answer: Answer, reasons: Reasons | None) -> NextStep:
    """Work that is due, then what waits for a person, then a call by rank, then what comes by itself."""
    book, today = file.ask.edition.book, file.ask.as_of_day
    customer = file.customer
    work = Action.select().where(Action.customer == customer, Action.state == "open", Action.due_day <= today)
    due: Action | None = work.order_by(Action.due_day, Action.id).first()
    works = gate.may("actions.work")
    if due is not None:
        url = url_for("day.work" if works else "actions.action_page", action_id=due.id)
        sign = "phone" if due.channel == "call" else "list-checks"
        words = step_label(due.step_key) if due.template != "refer" else _("Decide what the rules cannot")
        return NextStep(sign, words, *rule_of(book, due.step_key), due.due_day, url, _("Work on it"))
    held = Action.select().where(
        Action.customer == customer,
        Action.channel.in_(MESSAGE_CHANNELS),
        Action.state.in_(("waiting", "uncertain", "failed")),
    )
    message: Action | None = held.order_by(Action.due_day, Action.id).first()
    if message is not None:
        words = _("Read and let go: %(step)s", step=step_label(message.step_key))
        if message.state != "waiting":
            words = _("Look after a message in doubt: %(step)s", step=step_label(message.step_key))
        url = url_for("messages.message_page", action_id=message.id) if gate.may("people.view") else ""
        return NextStep(
            "mail", words, *rule_of(book, message.step_key), message.due_day, url, _("Open it") if url else ""
        )
    blocked = file.row.get("dunning_block") or file.row.get("insolvent")
    if reasons is not None and (reasons.points or 0) > 0 and reasons.parts and not blocked:
        first = reasons.parts[0]
        words = _("Call: %(points)s points in the worklist", points=reasons.points)
        url = url_for("day.by_rank", customer_id=customer.id) if works else ""
        return NextStep("phone", words, first.label, first.because, today, url, _("Call now") if url else "")
    if answer.coming:
        coming = answer.coming[0]
        words = _("Nothing by hand: %(step)s comes by %(channel)s", step=coming["step"], channel=coming["channel"])
        return NextStep("clock", words, "", answer.answered.words, coming["day"])
    return NextStep("circle-check", _("Nothing to do"), "", answer.answered.words)


def rule_of(book: Book, step: str | None) -> tuple[str, str]:
    """Name of the rule that leads to a step, and why there is one."""
    stage: Any = book.stages.get("escalation")
    for rule in () if stage is None else stage.ranked:
        if rule.key == step:
            return formatting.said(rule.rule.label), formatting.said(rule.rule.because)
    return "", ""
