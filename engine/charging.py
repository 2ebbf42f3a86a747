"""Commands of the claim account: charge by law, note costs and payments, waive, take back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.claim_account import ClaimAccount, claim_account_of
from engine.commands import Change, Command, Context, Invalid, NotFound, carry_out, register
from engine.corrections import entry_of, reverse
from engine.proposals import bound, entered_by, propose
from engine.tables import Action, ClaimEntry, Customer, DueLine, Reversal
from ledger.claims import CHARGES, Charging
from ledger.columns import MONEY_BOUND

if TYPE_CHECKING:
    from engine.runtime import Runtime

WAIVER = "waiver"  # kind of its entries and of what waits for a second person
ALONE = "waiver_alone_maximum"  # parameter: up to here one person waives
UNDONE_BY_HAND = ("cost", "payment", WAIVER)  # what the law charges is brought up to date by charging again


@dataclass(frozen=True, kw_only=True)
class ChargeClaims(Command):
    """Bring a claim account up to date: charge what the law adds, take back what it no longer does.

    Args:
        since_day: charge lines that were paid late as well, if they fell due since that day.
    """

    customer: int
    since_day: int | None = None


@register(ChargeClaims, permission="claims.charge")
def charge_claims(context: Context, command: ChargeClaims) -> Change:
    """Charge interest and fixed sums until today."""
    customer = context.customer(command.customer)
    account = claim_account_of(context.runtime, customer, context.today(customer.entity))
    if account.regime is None:
        raise Invalid.because(
            "customer", "no law of late payment in force fits its country", "put a regime in force for both countries"
        )
    found = account.charging(command.since_day)
    book(context, account, found)
    charged: dict[str, int] = {}
    for one in found.charges:
        charged[one.currency] = charged.get(one.currency, 0) + one.amount_minor
    return Change(
        subject_kind="claim_account",
        subject_id=customer.id,
        after={"charged": charged, "taken_back": list(found.undone), "regime": account.regime_sha256},
        answer={
            "charged": charged,
            "entries": len(found.charges),
            "taken_back": len(found.undone),
            "unknown": list(found.unknown),
        },
        dirty=(customer.id,) if found.charges or found.undone else (),
        entity_id=customer.entity_id,
    )


def book(context: Context, account: ClaimAccount, found: Charging) -> None:
    """Append what brings an account up to date."""
    customer = account.customer
    common = entry_of(context, customer, account.day)
    for entry_id in found.undone:
        Reversal.create(**common, target="claim_entry", target_id=entry_id, reason="the debt was lower than known then")
    for one in found.charges:
        ClaimEntry.create(
            **common,
            kind=one.kind,
            part=one.kind,
            due_line=one.line_id or None,
            amount_minor=one.amount_minor,
            currency=one.currency,
            from_day=one.from_day,
            until_day=one.until_day,
            regime=account.regime_sha256,
            by=None if context.actor is None else context.actor.id,
        )


def charged_for(runtime: "Runtime", action: Action, now_at: int) -> ClaimAccount | None:
    """The claim account brought up to date for a letter that claims it; None: no law fits. Inside the claim.

    What the letter asks for is booked as it is written: letter and account never differ.
    """
    customer = action.customer
    today = runtime.today(customer.entity)
    account = claim_account_of(runtime, customer, today)
    if account.regime is None:
        return None
    found = account.charging()
    if not found.charges and not found.undone:
        return account
    command = ChargeClaims(actor=None, reason=f"letter {action.key}", customer=customer.id)
    carry_out(Context(runtime, now_at, None), command)
    return claim_account_of(runtime, customer, today)


@dataclass(frozen=True, kw_only=True)
class RecordCost(Command):
    """Note a cost of recovery: a fee, postage, a court's advance.

    Args:
        due_line: the line it was for; None: the account.
    """

    customer: int
    amount_minor: int
    currency: str
    due_line: int | None = None


@register(RecordCost, permission="claims.charge")
def record_cost(context: Context, command: RecordCost) -> Change:
    """Append it to the claim account."""
    return _noted(context, command, "cost", "cost", command.due_line)


@dataclass(frozen=True, kw_only=True)
class RecordClaimPayment(Command):
    """Note money that was paid on interest and costs; it goes to costs, then fixed sums, then interest."""

    customer: int
    amount_minor: int
    currency: str


@register(RecordClaimPayment, permission="claims.charge")
def record_claim_payment(context: Context, command: RecordClaimPayment) -> Change:
    """Append it to the claim account; the ledger does not change."""
    return _noted(context, command, "payment", "", None)


def _noted(
    context: Context, command: RecordCost | RecordClaimPayment, kind: str, part: str, due_line: int | None
) -> Change:
    customer = context.customer(command.customer)
    _check_amount(command.amount_minor, command.currency)
    if (
        due_line is not None
        and not DueLine.select().where(DueLine.id == due_line, DueLine.customer == customer).exists()
    ):
        raise NotFound(f"no due line {due_line} of this customer")
    entry = ClaimEntry.create(
        **entry_of(context, customer, context.today(customer.entity)),
        kind=kind,
        part=part,
        due_line=due_line,
        amount_minor=command.amount_minor,
        currency=command.currency,
        reason=command.reason,
        by=None if context.actor is None else context.actor.id,
    )
    return _appended(entry, customer)


@dataclass(frozen=True, kw_only=True)
class WaiveClaim(Command):
    """Waive charges; more than a parameter says takes a second person.

    Args:
        part: interest | fixed_sum | cost.
    """

    customer: int
    part: str
    amount_minor: int
    currency: str


@register(WaiveClaim, permission="claims.waive", person_only=True)
def waive_claim(context: Context, command: WaiveClaim) -> Change:
    """Waive at once, or propose it."""
    customer = context.customer(command.customer)
    _check_amount(command.amount_minor, command.currency)
    account = claim_account_of(context.runtime, customer, context.today(customer.entity))
    _check_waiver(account, command.part, command.amount_minor, command.currency)
    body = {"part": command.part, "amount_minor": command.amount_minor, "currency": command.currency}
    in_base = account.exchange(command.amount_minor, command.currency, customer.entity.currency)
    waived = sum(_in_base(account, row) for row in account.rows if row.kind == WAIVER and row.approved_by is None)
    # Many small waivers are one large one: what was waived alone before counts, however it was cut.
    alone = in_base is not None and waived + in_base <= bound(context.runtime, customer, ALONE)
    if not alone:
        return propose(context, customer, WAIVER, body, command.reason)
    return enter_waiver(context, customer, body, command.reason, None)


@entered_by(WAIVER)
def enter_waiver(
    context: Context, customer: Customer, body: Mapping[str, Any], reason: str, proposed_by: int | None
) -> Change:
    """Append it to the claim account, if so much is still open."""
    account = claim_account_of(context.runtime, customer, context.today(customer.entity))
    _check_waiver(account, body["part"], body["amount_minor"], body["currency"])
    actor = None if context.actor is None else context.actor.id
    entry = ClaimEntry.create(
        **entry_of(context, customer, account.day),
        kind=WAIVER,
        **body,
        reason=reason,
        by=proposed_by or actor,
        approved_by=actor if proposed_by else None,
    )
    return _appended(entry, customer)


def _in_base(account: ClaimAccount, row: ClaimEntry) -> int:
    amount = account.exchange(row.amount_minor, row.currency, account.customer.entity.currency)
    return row.amount_minor if amount is None else amount


@dataclass(frozen=True, kw_only=True)
class ReverseClaimEntry(Command):
    """Take back a cost, a payment or a waiver that was noted by mistake."""

    claim_entry: int


@register(ReverseClaimEntry, permission="claims.charge", person_only=True)
def reverse_claim_entry(context: Context, command: ReverseClaimEntry) -> Change:
    """Append its reversal; what the account said on past days stays."""
    entry: ClaimEntry | None = ClaimEntry.get_or_none(ClaimEntry.id == command.claim_entry)
    if entry is None:
        raise NotFound(f"no claim entry {command.claim_entry}")
    customer = context.customer(entry.customer_id)
    if entry.kind not in UNDONE_BY_HAND:
        raise Invalid.because(
            "claim_entry", f"is {entry.kind}, charged by law", "waive it, or charge the account again"
        )
    done = f"claim entry {entry.id} is taken back already"
    reverse(context, customer, "claim_entry", entry.id, command.reason, done)
    return Change(
        subject_kind="claim_entry",
        subject_id=entry.id,
        before={"kind": entry.kind, "amount_minor": entry.amount_minor},
        after={"taken_back": True},
        answer={"claim_entry": entry.id},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class SetConsumer(Command):
    """Say whether a customer is a consumer: the law of late payment spares or charges them otherwise."""

    customer: int
    consumer: bool


@register(SetConsumer, permission="claims.charge", person_only=True)
def set_consumer(context: Context, command: SetConsumer) -> Change:
    """Note it on the customer."""
    customer = context.customer(command.customer)
    before = bool(customer.consumer)
    Customer.update(consumer=command.consumer, version=Customer.version + 1).where(Customer.id == customer.id).execute()
    return Change(
        subject_kind="customer",
        subject_id=customer.id,
        before={"consumer": before},
        after={"consumer": command.consumer},
        answer={"customer": customer.id, "consumer": command.consumer},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )


def _check_amount(amount_minor: int, currency: str) -> None:
    if not 0 < amount_minor <= MONEY_BOUND:
        raise Invalid.because("amount_minor", "must be above 0", "give an amount in minor units")
    if len(currency) != 3 or not currency.isupper():
        raise Invalid.because("currency", f"{currency!r} is no currency", "give its ISO code, as EUR")


def _check_waiver(account: ClaimAccount, part: str, amount_minor: int, currency: str) -> None:
    if part not in CHARGES:
        raise Invalid.because("part", f"is {part!r}", f"choose from {', '.join(CHARGES)}")
    of_currency = [one for one in account.balances if one.currency == currency]
    left = max((one.parts[part].open_minor for one in of_currency), default=0)
    if amount_minor > left:
        raise Invalid.because(
            "amount_minor",
            f"is more than the {left} minor units of {part} that are open",
            "charge first, or waive less",
        )


def _appended(entry: ClaimEntry, customer: Customer) -> Change:
    return Change(
        subject_kind="claim_entry",
        subject_id=entry.id,
        after={
            "customer": customer.id,
            "kind": entry.kind,
            "part": entry.part,
            "amount_minor": entry.amount_minor,
            "currency": entry.currency,
        },
        answer={"claim_entry": entry.id},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )
