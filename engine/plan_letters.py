"""The confirmation of a payment plan: one message to the customer once the plan is in force.

It is no dunning: no rule decides it, and pauses, the minimum of days and the contact cap do not hold it
back (docs/decisions/0061). Whatever guards sending itself does.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine import contact_times, edited_texts, reaching
from engine.doors import LETTER, sender_of
from engine.open_amounts import open_of_lines
from engine.payment_plans import Told, told
from engine.pipeline import asking
from engine.sending import HOUR_US, Cancel, Go, Verdict, Wait, business_day, unreached
from engine.statements import addressed, statement
from engine.tables import Action, DueLine, Entity, PaymentPlan
from engine.wordings import wording_for
from notifiers.composing import Wording
from notifiers.gateways import Gateway
from notifiers.letters import Letter, LetterInstalment
from notifiers.manuscripts import MAIL, PAPER, Manuscript

if TYPE_CHECKING:
    from engine.reaching import Reached
    from engine.runtime import Runtime


def prepare(runtime: "Runtime", action: Action, now_at: int, gateway: Gateway) -> Verdict:
    """What the confirmation says, as long as its plan is in good order."""
    entity, day = action.customer.entity, business_day(runtime, action)
    found = _plan_of(runtime, action, day)
    if found is None or found.state != "active":
        return Cancel("the payment plan is not in force any more")
    later = contact_times.wait_of(action, entity, None, now_at)
    if later is not None:
        return later
    reached = reaching.reached(runtime, action, entity, action.way)
    if reached is None:
        return unreached(runtime, action, entity, now_at)
    from_address = sender_of(runtime, entity, gateway)
    if from_address is None:
        return Wait(now_at + HOUR_US, "no_sender")
    wording = wording_for(runtime, entity, str(action.template), day)
    if wording is None:
        return Wait(now_at + HOUR_US, "no_template")
    own = edited_texts.with_own_words(runtime, action, wording, reached.language)
    if own is None:
        return Wait(now_at + HOUR_US, edited_texts.OTHER_LANGUAGE)
    return Go(
        person=reached.person,
        to_address=reached.address,
        copies=reached.copies,
        to_name=reached.name,
        from_address=from_address,
        from_name=entity.name,
        letter=_manuscript(action, entity, day, found, reached, own),
        edition=None,
    )


def _plan_of(runtime: "Runtime", action: Action, day: int) -> Told | None:
    number = action.key.partition("/")[0].rpartition("-")[2]
    plan = PaymentPlan.get_or_none(PaymentPlan.id == int(number)) if number.isdecimal() else None
    if plan is None:
        return None
    tolerance_days = asking(runtime, action.customer.entity, day).basis.promise_tolerance_days
    return told([plan], day, tolerance_days)[0]


def _manuscript(
    action: Action, entity: Entity, day: int, found: Told, reached: "Reached", wording: Wording
) -> Manuscript:
    form = PAPER if action.way == LETTER else MAIL
    letter = confirmation(action, entity, day, found, reached.name, wording)
    if form == PAPER:
        mark = f"{entity.code}-{action.customer.number}-{action.id}"
        letter = addressed(letter, entity, reached.lines, mark)
    country = action.customer.country or entity.country
    return Manuscript(wording=wording, letter=letter, language=reached.language, country=country, form=form)


def confirmation(action: Action, entity: Entity, day: int, found: Told, contact: str, wording: Wording) -> Letter:
    """The lines of a plan with what is open of them, and its instalments; by the last day all is paid."""
    lines = list(DueLine.select().where(DueLine.id.in_(found.lines)).order_by(DueLine.due_day, DueLine.id))
    left = open_of_lines(lines)
    names = ("number", "ordinal", "invoice_day", "due_day", "amount_minor", "currency")
    rows = [
        {name: line.__data__[name] for name in names}
        | {"open_minor": left[line.id], "disputed_minor": 0, "promised_minor": 0, "is_paused": False}
        for line in lines
    ]
    letter = statement(entity, action.customer, rows, [], day=day, template=wording.template, contact=contact)
    currency = str(found.plan.currency)
    instalments = tuple(
        LetterInstalment(due_day=one.due_day, open_minor=one.amount_minor, currency=currency)
        for one in found.instalments
    )
    return replace(
        letter,
        demanded=(*letter.demanded, *letter.later),
        later=(),
        instalments=instalments,
        pay_by_day=max(one.due_day for one in instalments),
    )
