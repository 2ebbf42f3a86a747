"""What the page of one customer shows, read as of today through the same pipeline as any decision."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_login import current_user
from peewee import JOIN, fn

from admin import gate
from admin.console import cursor, position
from admin.invoices import name_invoices, standings_of_lines
from admin.score_words import Scored, scored
from engine.disputes import Told, disputes_of
from engine.external import External, external_of
from engine.invoice_documents import documents_of
from engine.invoice_scores import Scored as ScoredLines
from engine.invoice_scores import scores_of_customer
from engine.payment_plans import Told as PlanTold
from engine.payment_plans import plans_of
from engine.pipeline import Asking, asking, reading_of
from engine.promises import Told as PromiseTold
from engine.promises import promises_of
from engine.proposals import waiting_for
from engine.tables import (
    Action,
    Alert,
    Allocation,
    AuditEntry,
    Block,
    ClaimEntry,
    Contact,
    Credit,
    CreditLimit,
    Customer,
    Decision,
    Dispute,
    DueLine,
    FinancialStatement,
    HandOver,
    InvoiceDocument,
    Message,
    Outcome,
    Override,
    PaymentPlan,
    Person,
    Promise,
    Proposal,
    Rating,
    Reversal,
    Standing,
    User,
)
from engine.write_offs import write_offs_of
from rules import reference
from rules.reference import Decided

PAYMENTS_SHOWN = 12
DECISIONS_SHOWN = 12
ACTIONS_SHOWN = 12
AUDIT_SHOWN = 20
DOCUMENTS_SHOWN = 50
ITEMS_SHOWN = 50
INVOICES_OFFERED = 200
PROMISES_SHOWN = 3
BUCKETS = (
    ("0", "not_due_minor", "not_due"),
    ("1", "d1_30_minor", "d1_30"),
    ("2", "d31_60_minor", "d31_60"),
    ("3", "d61_90_minor", "d61_90"),
    ("4", "d90_over_minor", "d90_over"),
    ("x", "no_due_date_minor", "no_due_date"),
)


@dataclass(frozen=True)
class Items:
    """Some open items, the oldest due first.

    Args:
        first: number of the first of them, from 1.
        next, previous: positions for the address.
    """

    rows: list[dict[str, Any]]
    first: int
    of: int
    next: str = ""
    previous: str = ""


@dataclass(frozen=True)
class CustomerFile:
    """Everything about one customer."""

    customer: Customer
    ask: Asking
    row: dict[str, Any]
    decided: Decided
    outcome: Outcome | None
    standing: Standing | None
    line_standings: Mapping[tuple[str, int], Standing]
    lines: list[dict[str, Any]]
    scored: Scored
    invoices_scored: ScoredLines | None = None
    payments: list[dict[str, Any]] = field(default_factory=list)
    promises: list[PromiseTold] = field(default_factory=list)
    plans: list[PlanTold] = field(default_factory=list)
    write_offs: list[tuple[Credit, DueLine]] = field(default_factory=list)
    external: External = field(default_factory=External)
    proposals: list[Proposal] = field(default_factory=list)
    disputes: list[Told] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    limit: CreditLimit | None = None
    actions: list[Action] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    documents: list[InvoiceDocument] = field(default_factory=list)

    @property
    def currency(self) -> str:
        """The entity's base currency, in which all figures are."""
        return str(self.customer.entity.currency)

    @property
    def invoices(self) -> list[str]:
        """Numbers of its open invoices, each once; the oldest due ones where they are many."""
        return list(dict.fromkeys(str(line["number"]) for line in self.lines))[:INVOICES_OFFERED]

    def items(self, after: str = "") -> Items:
        """Open items from a position on; the first ones where the position is none."""
        keys = [item_key(line) for line in self.lines]
        begin = bisect_right(keys, item_position(after)) if item_position(after) else 0
        rows = self.lines[begin : begin + ITEMS_SHOWN]
        more = begin + ITEMS_SHOWN < len(self.lines)
        before = begin - ITEMS_SHOWN - 1
        return Items(
            rows,
            begin + 1,
            len(self.lines),
            item_word(keys[begin + len(rows) - 1]) if more else "",
            (item_word(keys[before]) if before >= 0 else "first") if begin else "",
        )

    @property
    def buckets(self) -> list[tuple[str, str, int]]:
        """Class, name and amount of each ageing bucket with debits."""
        return [(tone, name, int(self.row.get(fact) or 0)) for tone, fact, name in BUCKETS]


Key = tuple[bool, int, str, int]


def item_key(line: Mapping[str, Any]) -> Key:
    """By what open items are ordered: due day, number, instalment; without a due day last."""
    return line["due_day"] is None, line["due_day"] or 0, str(line["number"]), int(line["ordinal"])


def item_word(key: Key) -> str:
    """A position among open items as one word of an address."""
    return cursor(None if key[0] else key[1], f"{key[3]}/{key[2]}")


def item_position(word: str) -> Key | None:
    """The position a word names; None when it names none.

    >>> item_position(item_word((False, 20_000, "INV/5", 2)))
    (False, 20000, 'INV/5', 2)
    """
    found = position(word)
    if found is None or not isinstance(found[1], str):
        return None
    ordinal, _slash, number = found[1].partition("/")
    if not ordinal.isdigit() or not isinstance(found[0], int | None):
        return None
    return found[0] is None, found[0] or 0, number, int(ordinal)


def file_of(customer: Customer) -> CustomerFile:
    """Gather everything about a customer; the caller has checked that the reader may see them."""
    runtime = gate.runtime()
    day = runtime.today(customer.entity)
    ask = asking(runtime, customer.entity, day)
    read = reading_of(runtime, ask, customer.id)
    row = read.row
    return CustomerFile(
        customer=customer,
        ask=ask,
        row=row,
        decided=reference.decide(row, ask.edition.book),
        outcome=Outcome.get_or_none(Outcome.customer == customer),
        standing=Standing.get_or_none(
            Standing.customer == customer, Standing.policy_key == ask.edition.policy_key, Standing.line_id == 0
        ),
        line_standings=standings_of_lines(customer, ask.edition.line_policy_key),
        lines=read.lines,
        scored=scored(row, ask.edition.model),
        invoices_scored=scores_of_customer(runtime, customer.entity, customer.id),
        payments=_payments(customer),
        promises=promises_of(runtime, ask, customer, read),
        plans=plans_of(runtime, customer, ask),
        write_offs=write_offs_of(customer),
        external=external_of(runtime, customer),
        proposals=waiting_for(current_user.id, customer),
        disputes=disputes_of(customer, day),
        blocks=[b for b in _standing(Block, "block", customer) if b.until_day is None or b.until_day > day],
        overrides=list(
            Override.select(Override, User)
            .join(User, on=(Override.by == User.id))
            .where(Override.customer == customer, Override.ended_day.is_null(), Override.until_day > day)
            .order_by(Override.id.desc())
        ),
        limit=_limit(customer, day),
        actions=_actions(customer),
        decisions=_decisions(customer),
        contacts=contacts_of(customer) if gate.may("people.view") else [],
        documents=list(documents_of(customer).order_by(InvoiceDocument.id.desc()).limit(DOCUMENTS_SHOWN)),
    )


def _standing(model: Any, target: str, customer: Customer) -> Any:
    """Entries of a customer that were not taken back."""
    back = Reversal.select(Reversal.target_id).where(Reversal.target == target)
    return model.select().where(model.customer == customer, model.id.not_in(back))


def _payments(customer: Customer) -> list[dict[str, Any]]:
    latest = _standing(Credit, "credit", customer).order_by(Credit.booked_day.desc(), Credit.id.desc())
    found = list(latest.limit(PAYMENTS_SHOWN))
    back = Reversal.select(Reversal.target_id).where(Reversal.target == "allocation")
    used = dict(
        Allocation.select(Allocation.credit, fn.SUM(Allocation.amount_minor))
        .where(Allocation.credit.in_(found), Allocation.id.not_in(back))
        .group_by(Allocation.credit)
        .tuples()
    )
    return [{"credit": credit, "free_minor": credit.amount_minor - (used.get(credit.id) or 0)} for credit in found]


def recent_promises(customer: Customer) -> list[Promise]:
    """The latest promises that were not taken back."""
    return list(_standing(Promise, "promise", customer).order_by(Promise.id.desc()).limit(PROMISES_SHOWN))


def _limit(customer: Customer, day: int) -> CreditLimit | None:
    in_force = _standing(CreditLimit, "credit_limit", customer).where(
        CreditLimit.from_day <= day, CreditLimit.until_day.is_null() | (CreditLimit.until_day > day)
    )
    found: CreditLimit | None = in_force.order_by(CreditLimit.from_day.desc(), CreditLimit.id.desc()).first()
    return found


def _actions(customer: Customer) -> list[Action]:
    query = (
        Action.select(Action, Message, Person)
        .join(Message, JOIN.LEFT_OUTER, on=(Message.action == Action.id), attr="message")
        .join(Person, JOIN.LEFT_OUTER)
        .where(Action.customer == customer)
        .order_by(Action.due_day.desc(), Action.id.desc())
    )
    found = list(query.limit(ACTIONS_SHOWN))
    name_invoices(action.line_id for action in found)
    return found


def _decisions(customer: Customer) -> list[Decision]:
    query = Decision.select().where(Decision.customer == customer)
    found = list(query.order_by(Decision.as_of_day.desc(), Decision.id.desc()).limit(DECISIONS_SHOWN))
    name_invoices(decision.line_id for decision in found)
    return found


def contacts_of(customer: Customer) -> list[dict[str, Any]]:
    """Contacts with what is known of them; None of an erased one."""
    vault = gate.runtime().vault
    query = Contact.select(Contact, Person).join(Person).where(Contact.customer == customer).order_by(Contact.id)
    return [{"contact": contact, "known": vault.open_person(contact.person)} for contact in query]


def audit_of(customer: Customer) -> list[AuditEntry]:
    """Entries about the customer and about what is theirs."""
    about = (AuditEntry.subject_kind == "customer") & (AuditEntry.subject_id == str(customer.id))
    for kind, model in (
        ("override", Override),
        ("promise", Promise),
        ("dispute", Dispute),
        ("block", Block),
        ("action", Action),
        ("alert", Alert),
        ("invoice_document", InvoiceDocument),
        ("payment_plan", PaymentPlan),
        ("write_off", Credit),
        ("claim_entry", ClaimEntry),
        ("hand_over", HandOver),
        ("proposal", Proposal),
        ("rating", Rating),
        ("financial_statement", FinancialStatement),
    ):
        theirs = [str(key) for (key,) in model.select(model.id).where(model.customer == customer).limit(500).tuples()]
        if theirs:
            about |= (AuditEntry.subject_kind == kind) & AuditEntry.subject_id.in_(theirs)
    return list(AuditEntry.select().where(about).order_by(AuditEntry.id.desc()).limit(AUDIT_SHOWN))
