"""What the people of the credit department do, and what customers tell them; each told to the town's own books."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sim_books import Account, Bill
from sim_setting_up import (
    COMPANIES,
    CUSTOMERS_MAPPING,
    DAILY_CAP,
    FIRST_DAY,
    invoice_policy,
    put_in_force,
    take_in,
    written,
)

from engine.commands import Command
from engine.corrections import RecordPromise, SetBlock
from engine.diary import (
    FIND_CONTACT,
    CancelAction,
    CompleteAction,
    ConfirmMessage,
    ResolveUncertain,
    RetryMessage,
)
from engine.disputes import CloseDispute, RecordDispute
from engine.going_live import ApproveGoLive, ApproveRun, ProposeGoLive, StopSending
from engine.overrides import ApproveOverride, EndOverride, SetOverride
from engine.stopping import ApproveResume, ProposeResume, StopPolicy
from engine.tables import Action, Customer, Dispute, Document, DueLine, Run

if TYPE_CHECKING:
    from sim_year import Year

CALL_RESULTS = ("reached", "no_answer", "refused", "promised", "wrong_contact")
POLICY = "escalation"
BY_INVOICE_FROM = FIRST_DAY + 10


class Department:
    """The people who work with the product."""

    def __init__(self, year: "Year") -> None:
        self.year, self.draw, self.who = year, year.random, year.people
        self.stopped: set[str] = set()  # companies, and the policy, that send nothing just now
        self.by_invoice = False  # whether invoices have steps of their own
        self.tied: dict[str, tuple[int, int]] = {}  # override and its end, by customer

    def act(self) -> None:
        """Half a day in the department."""
        self._calls()
        self._messages()
        for account in self.year.accounts.values():
            self._customer_says(account)
        self._tie()
        self._stop_and_go()
        for run in list(Run.select().where(Run.state == "gated")):
            self._say(ApproveRun, "second", run=run.id)
        if self.draw.random() < 0.01:
            self._edit()
        if not self.by_invoice and self.year.day > BY_INVOICE_FROM and self.draw.random() < 0.03:
            self.by_invoice = True
            put_in_force(self.year.runtime, invoice_policy(), self.who, self.year.runtime.today() + 1)

    def _say(self, command: type[Command], who: str, **values: Any) -> dict[str, Any] | None:
        return self.year.say(command(actor=self.who[who], reason="as agreed", **values))

    def _line(self, bill: Bill) -> int:
        return int(DueLine.get(DueLine.number == bill.number).id)

    def _customer(self, account: Account) -> int:
        return int(Customer.get(Customer.number == account.number).id)

    # --- the diary and the messages ----------------------------------------------------

    def _calls(self) -> None:
        for action in list(Action.select().where(Action.state == "open")):
            account = self.year.accounts[action.customer.number]
            if self.draw.random() < 0.5:
                continue
            if action.template == FIND_CONTACT:
                self._find_contact(account, action)
            elif action.channel == "task":
                self._say(CompleteAction, "manager", action=action.id, result="done")
            elif self.draw.random() < 0.05:
                self._say(CancelAction, "collector", action=action.id)
            else:
                self._call(account, action)

    def _call(self, account: Account, action: Action) -> None:
        result, bill = self.draw.choice(CALL_RESULTS), self._late_bill(account)
        agreed: dict[str, Any] = {}
        if result == "promised" and bill is not None:
            until = self.year.today(account) + self.draw.randrange(2, 9)
            agreed = {"due_line": self._line(bill), "amount_minor": bill.open, "agreed_day": until}
        if self._say(CompleteAction, "collector", action=action.id, result=result, **agreed) is None:
            return
        if result not in ("no_answer", "wrong_contact"):
            self.year.calls.append((account.number, self.year.today(account)))
            self._remember(account)
        if agreed and bill is not None:
            self._promised(bill, agreed["agreed_day"])

    def _find_contact(self, account: Account, task: Action) -> None:
        account.addresses += 1
        row = {"customer": account.number, "email": account.email}
        content = written("customer,name,country,email,mobile", [row])
        key = f"contact-{account.number}-{account.addresses}"
        mapping = {**CUSTOMERS_MAPPING, "records": CUSTOMERS_MAPPING["records"][1:]}
        year = self.year
        year.survive(lambda: take_in(year.runtime, account.company, mapping, content, key, self.who))
        self._say(CompleteAction, "collector", action=task.id, result="contact_found")

    def _messages(self) -> None:
        for action in list(Action.select().where(Action.state.in_(("waiting", "uncertain", "failed")))):
            if self.draw.random() < 0.4:
                continue
            if action.state == "uncertain":
                there = self.year.receiver_of(action.way).effects[action.key] > 0
                self._say(ResolveUncertain, "manager", action=action.id, delivered=there)
            elif action.state == "failed":
                self._say(RetryMessage if self.draw.random() < 0.6 else CancelAction, "manager", action=action.id)
            elif action.waiting_for == "unconfirmed":
                self._say(ConfirmMessage if self.draw.random() < 0.8 else CancelAction, "collector", action=action.id)

    # --- what customers say ------------------------------------------------------------

    def _promised(self, bill: Bill, day: int) -> None:
        bill.promised_until = day
        bill.pays_on = day if self.draw.random() < 0.6 else day + 25  # kept or broken

    def _remember(self, account: Account) -> None:
        """Who forgot, and was asked, may pay."""
        for bill in account.bills:
            if bill.open and bill.pays_on is None and self.draw.random() < 0.4:
                bill.pays_on = self.year.day + self.draw.randrange(0, 6)

    def _late_bill(self, account: Account) -> Bill | None:
        day = self.year.day
        late = [bill for bill in account.bills if bill.may_be_dunned(day) and bill.due < day]
        return self.draw.choice(late) if late else None

    def _customer_says(self, account: Account) -> None:
        for other in account.bills:  # who has paid a part says when the rest comes
            if other.part_paid_on == self.year.day and other.may_be_dunned(self.year.day) and self.draw.random() < 0.5:
                self._promise(account, other)
        bill, says = self._late_bill(account), self.draw.random()
        if bill is not None and says < 0.04:
            self._dispute(bill)
        elif bill is not None and says < 0.08:
            self._promise(account, bill)
        elif says < 0.09:
            self._pause(account, bill if self.draw.random() < 0.5 else None)
        elif says < 0.091:
            day = self.year.today(account)
            if self._say(SetBlock, "collector", customer=self._customer(account), kind="insolvent", from_day=day):
                account.insolvent = True
        for other in account.bills:
            if other.disputed and self.draw.random() < 0.06:
                dispute = (
                    Dispute.select().where(Dispute.due_line == self._line(other)).order_by(Dispute.id.desc()).get()
                )
                if self._say(CloseDispute, "collector", dispute=dispute.id, outcome="rejected"):
                    other.disputed = 0

    def _dispute(self, bill: Bill) -> None:
        part = None if self.draw.random() < 0.6 else self.draw.randrange(1, bill.open + 1)
        if self._say(RecordDispute, "collector", due_line=self._line(bill), amount_minor=part):
            bill.disputed = bill.open if part is None else part

    def _promise(self, account: Account, bill: Bill) -> None:
        until = self.year.today(account) + self.draw.randrange(1, 10)
        promise = {"customer": self._customer(account), "due_line": self._line(bill), "amount_minor": bill.open}
        if self._say(RecordPromise, "collector", **promise, currency=bill.currency, promised_day=until):
            self._promised(bill, until)

    def _pause(self, account: Account, bill: Bill | None) -> None:
        today = self.year.today(account)
        until = today + self.draw.randrange(1, 12)
        days = {"from_day": today, "until_day": until, "due_line": None if bill is None else self._line(bill)}
        if self._say(SetBlock, "collector", customer=self._customer(account), kind="pause", **days):
            place = account if bill is None else bill
            place.paused_until = max(until, place.paused_until or 0)

    # --- what managers do --------------------------------------------------------------

    def _tie(self) -> None:
        """Tie a customer to another scenario or to none; end it before its day."""
        for number, (override, until) in list(self.tied.items()):
            account = self.year.accounts[number]
            ends = self.draw.random() < 0.1 and self._say(EndOverride, "manager", override=override)
            if ends or self.year.today(account) >= until:
                del self.tied[number]
                account.left_alone_until = 0
        if self.draw.random() >= 0.05:
            return
        account = self.draw.choice(list(self.year.accounts.values()))
        if account.number in self.tied:
            return
        scenario, until = (
            self.draw.choice(("none", "key_account")),
            self.year.today(account) + self.draw.randrange(2, 20),
        )
        terms = {"customer": self._customer(account), "target": "scenario", "value": scenario, "until_day": until}
        made = self._say(SetOverride, "manager", **terms)
        if made is not None and made["needs_approval"]:
            self._say(ApproveOverride, "second", override=made["override"])
        if made is not None:
            self.tied[account.number] = made["override"], until
            account.left_alone_until = until if scenario == "none" else 0

    def _stop_and_go(self) -> None:
        """One person stops a company or the policy; two let it go on."""
        for code in COMPANIES:
            if code in self.stopped and self.draw.random() < 0.4:
                terms = {"entity": code, "daily_cap": DAILY_CAP[code]}
                if self._say(ProposeGoLive, "manager", **terms) and self._say(ApproveGoLive, "second", entity=code):
                    self.stopped.discard(code)
            elif (
                code not in self.stopped
                and self.draw.random() < 0.01
                and self._say(StopSending, "collector", entity=code)
            ):
                self.stopped.add(code)
        if POLICY in self.stopped:
            if self.draw.random() < 0.4 and self._say(ProposeResume, "manager", policy=POLICY):
                self._say(ApproveResume, "second", policy=POLICY)
                self.stopped.discard(POLICY)
        elif self.draw.random() < 0.006 and self._say(StopPolicy, "manager", policy=POLICY):
            self.stopped.add(POLICY)

    def _edit(self) -> None:
        """A letter says something else, or a parameter another number, from today on."""
        edits: tuple[tuple[str, Callable[[dict[str, Any]], None]], ...] = (
            ("reminder_1", self._reword),
            ("parameters", self._reset),
        )
        key, edit = self.draw.choice(edits)
        approved = Document.status.in_(("approved", "live"))
        row = Document.select().where(Document.key == key, approved).order_by(Document.id.desc()).get()
        body = json.loads(row.body)
        edit(body)
        year = self.year
        put_in_force(year.runtime, body, self.who, max(year.runtime.today(), row.from_day) + 1)
        year.told[f"edited {key}"] += 1

    def _reword(self, body: dict[str, Any]) -> None:
        body["languages"]["en"]["heading"] = f"A friendly reminder, wording {self.draw.randrange(1_000)}"

    def _reset(self, body: dict[str, Any]) -> None:
        named = {one["name"]: one for one in body["parameters"]}
        named["minimum_contact_days"]["values"][0]["value"] = self.draw.randrange(2, 6)
        named["dunning_minimum"]["values"][0]["value"] = self.draw.randrange(1_000, 9_000)
