"""The statement a letter carries: open lines and credits of one customer, as of a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.charged_rows import charges_of
from engine.claim_account import ClaimAccount
from engine.doors import INTERNAL, LETTER, WEBHOOK
from engine.frames import Frames, read_rows, rows_of, schemas_of, typed_rows
from engine.invoice_documents import Enclosed, documents_of, enclosed_in
from engine.pipeline import asking
from engine.queries import Question, Table, questions
from engine.reaching import Reached, address_of, postal_of
from engine.ready_plans import PLAN_DAY, Slot, Slots
from engine.tables import Action, Credit, Customer, DueLine, Entity
from ledger.state import Basis, Keep, parts_of
from notifiers.banking import in_fours
from notifiers.composing import Wording
from notifiers.letter_templates import Template
from notifiers.letters import Letter, LetterCredit, Letterhead, LetterLine
from notifiers.manuscripts import EVENT, MAIL, PAPER, SHORT, Manuscript, statement_name
from notifiers.printing import Printed, print_letter
from rules.policies import Step

if TYPE_CHECKING:
    from engine.runtime import Runtime

EARLY_DAYS = 14  # a notice before the due date lists what falls due within so many days
BEFORE_DUE = "coming"  # what a template asks for that is written before the due date
FORMS = {LETTER: PAPER, "sms": SHORT, "chat": SHORT, WEBHOOK: EVENT}  # by channel; any other is a mail
SLOTS_KEPT = 4  # entities whose plans are kept ready
LINE_COLUMNS = (
    "number",
    "ordinal",
    "invoice_day",
    "due_day",
    "amount_minor",
    "open_minor",
    "disputed_minor",
    "promised_minor",
    "is_paused",
    "currency",
)

# By customer: open lines (columns `LINE_COLUMNS`), and open credits.
Items = Mapping[int, tuple[list[dict[str, Any]], list[LetterCredit]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message will say and carry.

    Args:
        enclosed: documents of the invoices it asks for.
        lacking: what should go along and is not there, in words.
    """

    manuscript: Manuscript
    enclosed: tuple[Enclosed, ...] = ()
    lacking: str | None = None


def letter_of(
    action: Action,
    entity: Entity,
    day: int,
    reached: Reached,
    items: Items,
    wording: Wording,
    step: Step | None = None,
    link: str = "",
    account: ClaimAccount | None = None,
) -> Asked | None:
    """Fix what the letter of an action says, in the form of its channel; None when there is nothing to ask for.

    Args:
        items: open items of its customer and perhaps of others, by customer.
        step: of the policy in force; what goes along (a letter on paper is a statement itself, and nothing
            goes along with a short text or an event), and whether it claims interest and costs.
        link: where colleagues find the customer, for an internal mail.
        account: what is claimed beside the lines, where the step claims it.
    """
    customer, form = action.customer, FORMS.get(action.way, MAIL)
    lines, owed_back = items.get(customer.id, ([], []))
    listed = lines_listed(action)
    if listed is not None:
        lines = [row for row in lines if (row["number"], row["ordinal"]) in listed]
    letter = statement(entity, customer, lines, owed_back, day=day, template=wording.template, contact=reached.name)
    if not letter.demanded:
        return None
    attach = () if step is None or form not in (MAIL, PAPER) else step.attach
    language, mark = reached.language, f"{entity.code}-{customer.number}-{action.id}"
    enclosed, too_large, missing = _documents(customer, lines, letter) if "invoices" in attach else ([], [], [])
    with_statement = "statement" in attach and form != PAPER
    names = [statement_name(letter, wording, language)] if with_statement else []
    letter = replace(
        letter,
        enclosed=(*names, *(one.name for one in enclosed)),
        not_enclosed=tuple(too_large),
        penalties=step is not None and step.penalties,
        charges=() if account is None else charges_of(account),
        law="" if account is None or account.regime is None else account.regime.law,
    )
    if form == PAPER:
        letter = addressed(letter, entity, reached.lines, mark)
    manuscript = Manuscript(
        wording=wording,
        letter=letter,
        language=language,
        country=customer.country or entity.country,
        form=form,
        about=_about(action, entity) if form == EVENT else {},
        link=link if action.way == INTERNAL else "",
        statement=addressed(letter, entity, (), mark) if with_statement else None,
    )
    lacking = [f"no document of {', '.join(missing)}"] if missing else []
    lacking += [f"the documents of {', '.join(too_large)} do not fit"] if too_large else []
    return Asked(manuscript, tuple(enclosed), "; ".join(lacking) or None)


def _documents(
    customer: Customer, lines: list[dict[str, Any]], letter: Letter
) -> tuple[list[Enclosed], list[str], list[str]]:
    """Documents of the invoices a letter asks for, the oldest debt first (see ``invoice_documents.enclosed_in``)."""
    asked = {line.number for line in letter.demanded}
    several = _several(lines)
    ordered = sorted(lines, key=lambda row: (row["due_day"] is None, row["due_day"] or 0, row["number"]))
    wanted = list(dict.fromkeys(row["number"] for row in ordered if _shown(row, several) in asked))
    return enclosed_in(wanted, documents_of(customer, wanted))


def lines_listed(action: Action) -> set[tuple[str, int]] | None:
    """Number and instalment of the lines a message is about: its own and those of the steps it covers; None: all."""
    if not action.line_id:
        return None
    covered = Action.select(Action.line_id).where(Action.covered_by == action.id)
    lines = {action.line_id, *(line for (line,) in covered.tuples())}
    if 0 in lines:  # a step of the customer is about the whole account
        return None
    return set(DueLine.select(DueLine.number, DueLine.ordinal).where(DueLine.id.in_(lines)).tuples())


@dataclass(frozen=True, slots=True)
class Current:
    """A letter to a customer as it would be today.

    Args:
        letter: with what paper needs; it may demand nothing.
        language: of the contact.
        country: of the customer.
    """

    letter: Letter
    language: str
    country: str


def letter_now(runtime: "Runtime", customer: Customer, template: Template) -> Current:
    """What a letter to a customer would say today. Nothing is kept or sent."""
    entity, day = customer.entity, runtime.today(customer.entity)
    items = open_items_of(runtime, entity, [customer.id], asking(runtime, entity, day).basis)
    reached = postal_of(runtime, customer, entity) or address_of(runtime, customer.id)
    lines, owed_back = items[customer.id]
    contact = reached.name if reached else ""
    letter = statement(entity, customer, lines, owed_back, day=day, template=template, contact=contact)
    language = reached.language if reached else customer.language
    window = reached.lines if reached and len(reached.lines) > 1 else ()
    whole = addressed(letter, entity, window, f"{entity.code}-{customer.number}")
    return Current(whole, language, customer.country or entity.country)


def _about(action: Action, entity: Entity) -> dict[str, str | int]:
    """What an event says of its step."""
    return {
        "key": action.key,
        "entity": entity.code,
        "policy": action.policy_key,
        "episode": action.episode,
        "step": action.step_key,
        "repeat": action.repeat_no,
        "level": action.level,
        "template": action.template,
    }


def preview_of(runtime: "Runtime", customer: Customer, wording: Wording) -> Printed | None:
    """What a letter to a customer would say today; None when there is nothing to ask for. Nothing is kept or sent.

    Raises:
        ValueError: the template is for no letter.
        Unprintable: a name cannot be printed with the fonts we have.
    """
    now = letter_now(runtime, customer, wording.template)
    return print_letter(wording, now.letter, now.language, now.country) if now.letter.demanded else None


def addressed(letter: Letter, entity: Entity, lines: Sequence[str], mark: str) -> Letter:
    """A letter with what only paper needs: window, letterhead, bank account, our reference."""
    head = Letterhead(
        address=tuple(str(entity.address).splitlines()),
        country=entity.country,
        email=entity.mail_from,
        account_holder=entity.account_holder,
        iban=entity.iban,
        bic=entity.bic,
    )
    return replace(letter, payment_details=entity.payment_details, head=head, recipient=tuple(lines), mark=mark)


def open_items_of(
    runtime: "Runtime", entity: Entity, customers: Sequence[int], basis: Basis, frames: Frames | None = None
) -> Items:
    """Open lines (columns `LINE_COLUMNS`) and open credits of some customers, each in its own currency.

    Args:
        frames: what was read of them for that day already.
    """
    tables = questions(Question(entity_id=entity.id, as_of_day=basis.as_of_day, zone=entity.zone), runtime.database)
    read = typed_rows(tables, read_rows(runtime, tables, customers)) if frames is None else frames
    with _slots(runtime, entity, basis, tables).slot() as slot:
        rows = rows_of(slot.answer(read, basis.as_of_day))
    credit_ids = [row["credit_id"] for row in rows if row["credit_id"] is not None]
    numbers = dict(Credit.select(Credit.id, Credit.number).where(Credit.id.in_(credit_ids)).tuples())
    items: dict[int, tuple[list[dict[str, Any]], list[LetterCredit]]] = {customer: ([], []) for customer in customers}
    for row in rows:
        if row["customer_id"] not in items:
            continue  # the members of its group were read as well
        lines, owed_back = items[row["customer_id"]]
        if row["credit_id"] is None:
            lines.append({name: row[name] for name in LINE_COLUMNS})
        else:
            owed_back.append(
                LetterCredit(
                    kind="payment" if row["credit_kind"] == "payment" else "credit_note",
                    number=numbers[row["credit_id"]],
                    booked_day=row["invoice_day"],
                    open_minor=row["open_minor"],
                    currency=row["currency"],
                )
            )
    return items


def _slots(runtime: "Runtime", entity: Entity, basis: Basis, tables: Mapping[str, Table]) -> Slots:
    """Plans that are ready: building one takes ten times as long as its answer."""
    kept: dict[Any, Slots] = runtime.cache.setdefault("statement_slots", {})
    parts = (basis.exposure_less_credits, basis.exposure_less_unapplied, basis.promise_tolerance_days)
    key = (entity.id, basis.entity, basis.currency, tuple(sorted(basis.rates_e9.items())), *parts)
    if key not in kept:
        if len(kept) >= SLOTS_KEPT:
            kept.pop(next(iter(kept)))
        lasting = replace(basis, as_of_day=PLAN_DAY)
        kept[key] = Slots(lambda: Slot(schemas_of(tables), lambda frames, keep: _open_items(frames, lasting, keep)))
    return kept[key]


def _open_items(frames: Frames, basis: Basis, keep: Keep) -> nw.LazyFrame[Any]:
    """Open lines, and below them open credits in the same columns; only a credit has a credit_id."""
    parts = parts_of(frames, basis, keep)
    zero, number, text = nw.lit(0, dtype=nw.Int64), nw.lit(None, dtype=nw.Int64), nw.lit(None, dtype=nw.String)
    lines = parts.lines.filter(nw.col("open_minor") != zero).select(
        "customer_id", *LINE_COLUMNS, number.alias("credit_id"), text.alias("credit_kind")
    )
    rests = parts.credits.filter(nw.col("rest_minor") != zero).select(
        "customer_id",
        text.alias("number"),
        number.alias("ordinal"),
        nw.col("booked_day").alias("invoice_day"),
        number.alias("due_day"),
        number.alias("amount_minor"),
        nw.col("rest_minor").alias("open_minor"),
        number.alias("disputed_minor"),
        number.alias("promised_minor"),
        nw.lit(None, dtype=nw.Boolean).alias("is_paused"),
        "currency",
        nw.col("id").alias("credit_id"),
        nw.col("kind").alias("credit_kind"),
    )
    return nw.concat([lines, rests], how="vertical")


def statement(
    entity: Entity,
    customer: Customer,
    lines: list[dict[str, Any]],
    owed_back: list[LetterCredit],
    *,
    day: int,
    template: Template,
    contact: str = "",
) -> Letter:
    """Sort open items into what is asked for, what is held back, and what is for information.

    The disputed, promised or paused part of a line is shown apart and not asked for; a line that
    was paid too much is a credit.
    """
    horizon = day - 1
    if template.asks == BEFORE_DUE:
        coming = [row["due_day"] for row in lines if row["due_day"] is not None and row["due_day"] >= day]
        horizon = max(day + EARLY_DAYS, min(coming, default=day))
    several = _several(lines)
    demanded: list[LetterLine] = []
    held: list[LetterLine] = []
    later: list[LetterLine] = []
    kept = list(owed_back)
    for row in lines:
        number = _shown(row, several)
        if row["open_minor"] < 0:
            kept.append(
                LetterCredit(
                    kind="payment",
                    number=number,
                    booked_day=row["invoice_day"],
                    open_minor=-row["open_minor"],
                    currency=row["currency"],
                )
            )
            continue
        back = row["open_minor"] if row["is_paused"] else row["disputed_minor"] + row["promised_minor"]
        if back:
            held.append(_line(row, number, back, day))
        if row["open_minor"] > back:
            due = row["due_day"] is not None and row["due_day"] <= horizon
            (demanded if due else later).append(_line(row, number, row["open_minor"] - back, day))
    due_days = [line.due_day for line in demanded if line.due_day is not None]
    pay_by_day = max(due_days, default=day) if template.asks == BEFORE_DUE else day + template.pay_within_days
    numbers = [line.number for line in demanded]
    return Letter(
        creditor=entity.name,
        payment_details=payment_details_of(entity),
        customer=customer.name,
        customer_number=customer.number,
        contact=contact,
        reference=f"{customer.number} / {numbers[0]}" if len(numbers) == 1 else customer.number,
        as_of_day=day,
        pay_by_day=max(pay_by_day, day),
        demanded=tuple(demanded),
        held=tuple(held),
        later=tuple(later),
        credits=tuple(kept),
    )


def _several(lines: list[dict[str, Any]]) -> set[str]:
    """Invoices with instalments."""
    return {row["number"] for row in lines if row["ordinal"] > 1}


def _shown(row: dict[str, Any], several: set[str]) -> str:
    """The number of a line as a letter shows it."""
    return f"{row['number']}/{row['ordinal']}" if row["number"] in several else str(row["number"])


def payment_details_of(entity: Entity) -> str:
    """The bank account as a mail says it, and whatever else the house writes about paying.

    >>> print(payment_details_of(Entity(name="A", iban="DE02120300000000202051", bic="BYLADEM1001")))
    IBAN DE02 1203 0000 0000 2020 51
    BIC BYLADEM1001
    """
    account = [entity.account_holder] if entity.account_holder else []
    account += [f"IBAN {in_fours(entity.iban)}"] if entity.iban else []
    account += [f"BIC {entity.bic}"] if entity.bic else []
    return "\n".join([*account, *([entity.payment_details] if entity.payment_details else [])])


def _line(row: dict[str, Any], number: str, open_minor: int, day: int) -> LetterLine:
    return LetterLine(
        number=number,
        invoice_day=row["invoice_day"],
        due_day=row["due_day"],
        days_past_due=None if row["due_day"] is None else day - row["due_day"],
        original_minor=row["amount_minor"],
        open_minor=open_minor,
        currency=row["currency"],
    )
