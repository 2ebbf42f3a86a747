"""What two people agree in the demo: plans, write-offs, hand-overs, waivers, overrides, pauses.

They fall into the last four weeks of the first build. Which customers they are about is drawn from the
ledger alone -- long unpaid invoices that nobody contests -- so that a build that goes on does the same.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.charging import ChargeClaims, WaiveClaim
from engine.claim_account import claim_account_of
from engine.commands import Command
from engine.corrections import RecordPromise, SetBlock
from engine.demo.year import Credit, Invoice, Year, business_day
from engine.disputes import CloseDispute, CommentDispute, HandOverDispute, RecordDispute
from engine.handing_over import ApproveHandOver, NoteHandOver, ProposeHandOver
from engine.open_amounts import open_of
from engine.overrides import ApproveOverride, SetOverride, limit_in_force
from engine.payment_plans import AgreePlan
from engine.proposals import ApproveEntry
from engine.tables import Customer, Dispute, DueLine, HandOver, Override, Proposal
from engine.write_offs import WriteOff

if TYPE_CHECKING:
    from engine.demo.days import Demo

LATE_DAYS = 35  # past due by the last day of the build
PARTS = (  # what becomes of the customers found, the largest unpaid invoice first
    "running",
    "broken",
    "court",
    "asked",
    "agency",
    "disputed",
    "written_off",
    "paused",
    "promised",
    "given_up",
)
RUNNING = ((20, 15), (20, 2), (20, -12), (40, -26))  # percent of the debt, days before the last day
BROKEN = ((30, 19), (70, -11))
ASKED = ((50, -14), (50, -44))


def cast(year: Year, last_day: int) -> dict[str, Invoice]:
    """Return the unpaid invoice of each part; a part is missing where the ledger has too few.

    Args:
        last_day: of the first build, so that a day that is added changes nothing.
    """
    companies = {company.number: company for company in year.companies}
    touched = {one.reference for one in year.credits if one.day <= last_day}
    touched |= {one.invoice for one in year.disputes} | {one.invoice for one in year.promises}
    failed = {number for number, company in companies.items() if company.insolvent_day is not None}
    largest: dict[str, Invoice] = {}
    for one in year.invoices:
        if one.due_day > last_day - LATE_DAYS or one.number in touched or one.customer in failed:
            continue
        known = largest.get(one.customer)
        if known is None or one.amount_minor > known.amount_minor:
            largest[one.customer] = one
    ordered = sorted(largest.values(), key=lambda one: (-one.amount_minor, one.number))
    return dict(zip(PARTS, ordered, strict=False))


def pay_instalments(year: Year, parts: dict[str, Invoice], last_day: int) -> None:
    """Let the customer whose plan runs pay each instalment in time, and nothing else on that invoice."""
    invoice = parts.get("running")
    if invoice is None:
        return
    year.credits[:] = [one for one in year.credits if one.reference != invoice.number]
    country = next(company.country for company in year.companies if company.number == invoice.customer)
    for index, (due_day, amount_minor) in enumerate(_instalments(invoice.amount_minor, RUNNING, last_day)):
        paid_day = business_day(due_day - 3, country)
        if paid_day <= year.last_day:
            year.credits.append(
                Credit(
                    kind="payment",
                    number=f"P{invoice.number}-{index + 3}",
                    customer=invoice.customer,
                    reference=invoice.number,
                    day=paid_day,
                    amount_minor=amount_minor,
                    currency=invoice.currency,
                )
            )
    year.credits.sort(key=lambda one: (one.day, one.number))


def _instalments(total_minor: int, shares: tuple[tuple[int, int], ...], last_day: int) -> tuple[tuple[int, int], ...]:
    """(due day, amount) of each instalment; the last takes what the percents leave."""
    amounts = [total_minor * percent // 100 for percent, _before in shares[:-1]]
    amounts.append(total_minor - sum(amounts))
    return tuple((last_day - before, amount) for (_percent, before), amount in zip(shares, amounts, strict=True))


def agree(demo: "Demo", day: int) -> None:
    """Do what falls on a day."""
    last_day = demo.standing.last_planned_day
    demo.clock.set(day, 14)
    _Desk(demo, last_day).on(last_day - day)


class _Desk:
    """Two people at work on the customers of a cast.

    Args:
        demo: the demo at work.
        last_day: of the first build.
    """

    def __init__(self, demo: "Demo", last_day: int) -> None:
        self.demo, self.last_day = demo, last_day

    def on(self, before: int) -> None:
        """Do what falls so many days before the last day."""
        todo: dict[int, Callable[[], None]] = {
            27: lambda: self._plan("broken", BROKEN),
            24: lambda: self._plan("running", RUNNING),
            22: self._dispute,
            21: lambda: self._override(0, "risk_class", "D", -3, "their bank has cut the line; see again in a month"),
            20: lambda: self._hand_over("agency", "agency", "Collection agency", approve=True),
            18: lambda: self._write_off("given_up", 20_00, "bank charges they kept back"),
            16: self._talk_about_dispute,
            15: lambda: self._waive("running", "fixed_sum", "part of the agreed plan", approve=True),
            13: lambda: self._raise_limit(1, approve=True),
            12: lambda: self._write_off("written_off", None, "the company was struck off the register"),
            11: self._note_hand_over,
            10: lambda: self._override(2, "terms", 14, -35, "orders against shorter terms until they are current"),
            9: self._accept_dispute,
            7: lambda: self._waive("broken", "interest", "asked for when they named their new bank", approve=True),
            6: self._pause,
            5: self._promise,
            3: lambda: self._plan("asked", ASKED, approve=False),
            2: self._ask_for_write_off,
            1: self._leave_open,
        }
        if before in todo:
            todo[before]()

    def _do(self, place: str, command: type[Command], reason: str, **values: Any) -> bool:
        demo = self.demo
        key = f"demo/agreed/{command.__name__}/{self.last_day}/{'/'.join(str(one) for one in values.values())}"[:200]
        return demo.execute(command(actor=demo.users[place], reason=reason, key=key, **values))

    def _line(self, part: str) -> DueLine | None:
        invoice = self.demo.parts.get(part)
        if invoice is None:
            return None
        customer = self.demo.customer(invoice.customer)
        found: DueLine | None = DueLine.get_or_none(DueLine.customer == customer, DueLine.number == invoice.number)
        return found

    def _approve_proposals(self, customer: Customer) -> None:
        for row in list(Proposal.select().where(Proposal.customer == customer, Proposal.state == "proposed")):
            self._do("second.manager", ApproveEntry, "read and agreed", proposal=row.id, sha256=row.sha256)

    def _plan(self, part: str, shares: tuple[tuple[int, int], ...], *, approve: bool = True) -> None:
        line = self._line(part)
        if line is None:
            return
        instalments = _instalments(open_of(line), shares, self.last_day)
        reason = "they sent their figures: this is what they can pay"
        values = {"customer": line.customer_id, "due_lines": (line.id,), "instalments": instalments}
        if self._do("credit.manager", AgreePlan, reason, **values) and approve:
            self._approve_proposals(line.customer)

    def _write_off(self, part: str, amount_minor: int | None, reason: str, *, approve: bool = True) -> None:
        line = self._line(part)
        if line is None:
            return
        if self._do("credit.manager", WriteOff, reason, due_line=line.id, amount_minor=amount_minor) and approve:
            self._approve_proposals(line.customer)

    def _ask_for_write_off(self) -> None:
        self._write_off("given_up", None, "below what a claim in court would cost", approve=False)

    def _hand_over(self, part: str, target: str, recipient: str, *, approve: bool) -> None:
        line = self._line(part)
        reason = "no answer to the formal notice"
        if line is None or not self._do(
            "credit.manager", ProposeHandOver, reason, customer=line.customer_id, target=target, recipient=recipient
        ):
            return
        if approve:
            row = HandOver.get(HandOver.customer == line.customer)
            self._do("second.manager", ApproveHandOver, "file read", hand_over=row.id)

    def _note_hand_over(self) -> None:
        line = self._line("agency")
        row = None if line is None else HandOver.get_or_none(HandOver.customer == line.customer)
        if row is not None:
            self._do("credit.manager", NoteHandOver, "they have taken the case", hand_over=row.id, state="accepted")

    def _waive(self, part: str, kind: str, reason: str, *, approve: bool) -> None:
        """Charge the account, then waive all that is open of a part of it."""
        line = self._line(part)
        if line is None or not self._do(
            "collector", ChargeClaims, "account brought up to date", customer=line.customer_id, since_day=None
        ):
            return
        customer = line.customer
        account = claim_account_of(self.demo.runtime, customer, self.demo.runtime.today(customer.entity))
        left = next((one.parts[kind].open_minor for one in account.balances if one.currency == line.currency), 0)
        values = {"customer": customer.id, "part": kind, "amount_minor": left, "currency": line.currency}
        if left and self._do("collector", WaiveClaim, reason, **values) and approve:
            self._approve_proposals(customer)

    def _customer(self, rank: int) -> Customer | None:
        """One of the larger customers that is in no part: what is overridden is not what is in default."""
        taken = {invoice.customer for invoice in self.demo.parts.values()}
        able = [one for one in self.demo.year.companies if one.limit_minor and not one.insolvent_day and not one.group]
        own = [one for one in able if one.number not in taken][12:]
        return self.demo.customer(own[rank].number) if rank < len(own) else None

    def _override(self, rank: int, target: str, value: Any, until_before: int, reason: str) -> None:
        customer = self._customer(rank)
        if customer is not None:
            values = {"customer": customer.id, "target": target, "value": value}
            self._do("credit.manager", SetOverride, reason, **values, until_day=self.last_day - until_before)

    def _raise_limit(self, rank: int, *, approve: bool) -> None:
        """A limit a fifth above the one in force: one person sets it, another lets it count."""
        customer = self._customer(rank)
        limit = None if customer is None else limit_in_force(customer.id, self.demo.runtime.today(customer.entity))
        if customer is None or limit is None:
            return
        self._override(rank, "limit", limit * 6 // 5, -40, "an order for their new site; the insurer agrees")
        row = Override.get_or_none(Override.customer == customer, Override.target == "limit")
        if approve and row is not None:
            self._do("second.manager", ApproveOverride, "seen the insurer's letter", override=row.id)

    def _dispute(self) -> None:
        """A part of an invoice is contested; the cause says who is to solve it."""
        line = self._line("disputed")
        if line is not None:
            self._do(
                "collector",
                RecordDispute,
                "a third of the goods arrived wet",
                due_line=line.id,
                amount_minor=line.amount_minor // 3,
                cause="quality",
            )

    def _disputed(self) -> Dispute | None:
        line = self._line("disputed")
        found: Dispute | None = None if line is None else Dispute.get_or_none(Dispute.due_line == line)
        return found

    def _talk_about_dispute(self) -> None:
        found = self._disputed()
        if found is not None:
            self._do(
                "sales", CommentDispute, "The carrier's report says the same; photos are with us.", dispute=found.id
            )
            reason = "only the warehouse knows what was loaded"
            self._do("sales", HandOverDispute, reason, dispute=found.id, owner_role="customer_care")

    def _accept_dispute(self) -> None:
        found = self._disputed()
        if found is not None:
            half = (found.amount_minor or found.due_line.amount_minor) // 2
            reason = "half of it was damaged before it left us"
            self._do("customer.care", CloseDispute, reason, dispute=found.id, outcome="accepted", accepted_minor=half)

    def _pause(self) -> None:
        line = self._line("paused")
        if line is not None:
            self._do(
                "collector",
                SetBlock,
                "their accounts move house and cannot pay before",
                customer=line.customer_id,
                kind="pause",
                from_day=self.last_day - 6,
                until_day=self.last_day + 9,
            )

    def _promise(self) -> None:
        """One promise for a part of an invoice, one for whatever is open."""
        line = self._line("promised")
        if line is None:
            return
        values = {"customer": line.customer_id, "currency": line.currency}
        half = line.amount_minor // 2
        for days, amount, due_line in ((6, half, line.id), (12, line.amount_minor - half, None)):
            promised_day = self.last_day + days
            self._do(
                "collector",
                RecordPromise,
                "promised on the phone",
                **values,
                amount_minor=amount,
                promised_day=promised_day,
                due_line=due_line,
            )

    def _leave_open(self) -> None:
        """What waits for a second person on the day the demo is opened, and a dispute that was withdrawn."""
        self._hand_over("court", "court", "Local court", approve=False)
        self._waive("asked", "interest", "they ask for it as a condition of the plan", approve=False)
        self._raise_limit(3, approve=False)
        found = Dispute.select().order_by(Dispute.id.desc()).first()
        if found is not None:
            self._do("sales", CloseDispute, "they have found the delivery note", dispute=found.id, outcome="withdrawn")
