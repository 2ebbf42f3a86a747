"""What a template would say: to a customer the reader picks, or to a made-up one."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.letter_templates import claims_penalties
from admin.messages_view import letter_for_frame
from engine import access
from engine.statements import addressed, letter_now, payment_details_of
from engine.tables import Customer, Document, Entity
from engine.wordings import wording_of_draft
from notifiers.composing import Pen, Wording, compose, script, short_message
from notifiers.letter_templates import LETTER_USES, Template, parse_template
from notifiers.letters import Letter, LetterCredit, LetterLine
from notifiers.printing import Unprintable, page_image

WAYS = ("mail", "page", "short")
EARLY, LATE = -12, 35  # days past due of the oldest line of the made-up customer


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see.

    Args:
        language: of the letter.
        way: one of `WAYS`.
        customer: number of a customer; empty: a made-up one.
    """

    language: str
    way: str = "mail"
    customer: str = ""


def preview(document: Document, body: Mapping[str, Any], asked: Asked, nonce: str) -> dict[str, Any]:
    """What the page shows: subject, and framed HTML, picture of a page or paragraphs; or why there is nothing to see.

    Args:
        body: of the draft, as it stands in the form.
        nonce: of the page that shows it.
    """
    template, _problems = parse_template(body)
    if template is None:
        return {"why_not": _("It shows once nothing is wrong with it any more.")}
    entity = document.entity or Entity.select().order_by(Entity.code).first()
    wording = wording_of_draft(gate.runtime(), entity, template)
    customer = _customer(document, asked.customer)
    if customer is None and asked.customer:
        return {"why_not": _("You see no customer with this number.")}
    letter, country = _letter(wording.template, entity, customer)
    if not letter.demanded:
        return {"why_not": _("Nothing is open that a letter could ask for.")}
    letter = replace(letter, penalties=claims_penalties(template.key))
    if asked.way == "mail":
        letter = replace(letter, payment_details=payment_details_of(customer.entity if customer else entity))
    try:
        shown = _written(wording, letter, asked, country, nonce)
    except Unprintable:
        return {"why_not": _("The letter holds characters that our fonts cannot print.")}
    except ValueError:
        return {"why_not": _("The template has no such text in this language.")}
    return {**shown, "to": letter.customer, "blocks_only": template.use == "shared"}


def _customer(document: Document, number: str) -> Customer | None:
    """A customer of the entities the template is for, if the reader may see it and what is written to it."""
    if not number or not gate.may("people.view"):
        return None
    query = Customer.select(Customer, Entity).join(Entity).where(Customer.number == number)
    if document.entity_id is not None:
        query = query.where(Customer.entity == document.entity)
    found: Customer | None = access.visible_to(current_user.id, query).order_by(Customer.id).first()
    return found


def _letter(template: Template, entity: Entity, customer: Customer | None) -> tuple[Letter, str]:
    if customer is not None:
        now = letter_now(gate.runtime(), customer, template)
        return now.letter, now.country
    return made_up(entity, gate.runtime().today(entity), template), str(entity.country)


def made_up(entity: Entity, day: int, template: Template) -> Letter:
    """A letter to a customer nobody is."""
    first = EARLY if template.asks == "coming" else LATE

    def line(number: str, late: int, amount_minor: int) -> LetterLine:
        return LetterLine(
            number=number,
            invoice_day=day - late - 30,
            due_day=day - late,
            days_past_due=late,
            original_minor=amount_minor * 2,
            open_minor=amount_minor,
            currency=entity.currency,
        )

    letter = Letter(
        creditor=entity.name,
        payment_details=entity.payment_details,
        customer=_("Made-up Customer Ltd"),
        customer_number="10042",
        contact=_("Accounts Payable"),
        reference="10042",
        as_of_day=day,
        pay_by_day=day + (-EARLY if template.asks == "coming" else template.pay_within_days),
        demanded=(line("R-1001", first, 123_450), line("R-1002", first - 2, 300_000)),
        held=(line("R-1003", first - 4, 80_000),),
        credits=(LetterCredit(kind="credit_note", number="C-17", booked_day=day - 3, open_minor=20_000,
                              currency=entity.currency),),
    )  # fmt: skip
    return addressed(letter, entity, (letter.customer, "1 Example Street", "12345 Exampletown"), f"{entity.code}-10042")


def _written(wording: Wording, letter: Letter, asked: Asked, country: str, nonce: str) -> dict[str, Any]:
    language = asked.language
    if wording.template.use == "script":
        return {"paragraphs": script(wording, letter, language, country)}
    if asked.way == "short" or wording.template.use not in LETTER_USES:
        said = short_message(wording, letter, language, country)
        return {"paragraphs": ((said,),), "characters": len(said)}
    if asked.way == "page":
        picture = base64.b64encode(page_image(wording, letter, language, country)).decode()
        return {"subject": Pen(wording, letter, language, country).line("subject"), "picture": picture}
    composed = compose(wording, letter, language, country)
    return {"subject": composed.subject, "framed": letter_for_frame(composed.html, nonce), "text": composed.text}
