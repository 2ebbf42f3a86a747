"""A trading year, day by day: what the clock, the customers, the people, the providers and the workers do.

Whatever is random comes from one generator with the year's seed, so a year of a seed is always the same.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import sim_checks
from sim_books import Account, Bill
from sim_receivers import Arrival, Killed, Life, MortalDatabase, Receiver
from sim_setting_up import COMPANIES, FIRST_DAY, ITEMS_MAPPING, accounts, opened, people, take_in, written

from engine import outbox, runs
from engine.commands import Command, CommandError
from engine.corrections import CloseDispute, RecordDispute, RecordPromise, SetBlock
from engine.diary import CancelAction, CompleteAction, ConfirmMessage, ResolveUncertain, RetryMessage
from engine.runtime import EPOCH, Runtime
from engine.tables import Action, Customer, Dispute, DueLine
from ledger.days import date_of, day_of

DAYS = 365
CHANNELS = ("email", "sms")  # the second provider takes whatever is no mail


class Year:
    """The year of a seed, on a database of its own.

    Args:
        seed: decides everything.
        town: folder of the database to begin with.
        folder: where this year's is kept.
        kept: what a worker keeps between days; shared by all years.
    """

    def __init__(self, seed: int, town: Path, folder: Path, kept: Mapping[str, Any]) -> None:
        self.seed, self.random, self.folder, self.kept = seed, Random(seed), folder, kept
        folder.mkdir(parents=True)
        shutil.copyfile(town / "dunwell.db", folder / "dunwell.db")
        self.day, self.instant = FIRST_DAY - 1, EPOCH
        self.accounts = {account.number: account for account in accounts()}
        self.life, self.told = Life(), Counter()
        self.receivers = {channel: self._receiver(channel) for channel in CHANNELS}
        self.wrong: list[str] = []
        self.arrivals: list[tuple[Arrival, Account, int]] = []
        self.calls: list[tuple[str, int]] = []  # customer and day of calls that reached somebody
        self.numbers = 0
        self.nested = False
        self.runtime = self._worker()
        self.people = people()
        self.checks = sim_checks.Checks(self)
        self._set(20)
        self.trade(many=2.5, due_from=-16)

    def _receiver(self, channel: str) -> Receiver:
        return Receiver(channel, self.random.random() < 0.5, self.random, self.life, self._arrived, self._wait)

    # --- clock and workers -------------------------------------------------------------

    def now(self) -> datetime:
        """The clock the product reads."""
        return self.instant

    def _set(self, hour: int, minute: int = 0) -> None:
        self.instant = EPOCH + timedelta(days=self.day, hours=hour, minutes=minute)

    def _worker(self) -> Runtime:
        runtime = opened(self.folder, self.now, dict(self.kept))
        mail, other = self.receivers["email"], self.receivers["sms"]
        rest = dict.fromkeys(("sms", "letter", "chat", "webhook"), other)
        runtime.cache["doors"] = {"email": mail, "internal": mail, **rest}
        runtime.database.__class__ = MortalDatabase
        runtime.database.life = self.life
        return runtime

    def _die(self) -> None:
        """What is left after a kill is the file; another worker begins on it."""
        self.told["kills"] += 1
        self.life.left, self.life.dead = None, False
        self.runtime.database.shut()
        self.runtime = self._worker()

    def survive(self, what: Callable[[], Any], mortal: float = 0.0) -> Any:
        """Do something, again and again where the worker dies of it."""
        while True:
            if self.random.random() < mortal:
                self.life.left = self.random.randrange(1, 40)
            try:
                done = what()
                self.life.left = None
                return done
            except Killed:
                self._die()
                mortal = 0.0

    def work(self) -> None:
        """What a worker does each minute, seen a few times a day."""

        def turn() -> None:
            outbox.sweep(self.runtime)
            runs.run_due_days(self.runtime)
            runs.drain_dirty(self.runtime)
            outbox.deliver(self.runtime)

        self.survive(turn, 0.15)

    def _wait(self) -> None:
        """A provider takes its time, now and then longer than a lease; another worker goes on meanwhile."""
        late = self.random.random() < 0.5
        self.instant += timedelta(
            seconds=self.random.randrange(20, 140) if not late else self.random.randrange(160, 600)
        )
        if late and not self.nested:
            self.nested = True
            try:
                outbox.sweep(self.runtime)
                outbox.deliver(self.runtime)
            finally:
                self.nested = False

    def _arrived(self, arrival: Arrival) -> None:
        action = Action.get(Action.key == arrival.key)
        account = self.accounts[action.customer.number]
        company = ZoneInfo(COMPANIES[account.company][0])
        self.arrivals.append((arrival, account, day_of(self.instant.astimezone(company).date())))
        self.wrong += sim_checks.judge(self, arrival, account, action)

    # --- what people and customers do --------------------------------------------------

    def say(self, command: Command) -> dict[str, Any] | None:
        """Carry out a command, once; None: it was refused."""
        try:
            return dict(self.survive(lambda: self.runtime.execute(command), 0.03))
        except CommandError as error:
            self.told[f"refused {type(command).__name__}: {error}"[:90]] += 1
            return None

    def today(self, account: Account) -> int:
        """The day at an account's company."""
        return day_of(self.instant.astimezone(ZoneInfo(COMPANIES[account.company][0])).date())

    def line_of(self, bill: Bill) -> DueLine:
        """The product's row of a bill."""
        return DueLine.get(DueLine.number == bill.number)

    def customer_of(self, account: Account) -> Customer:
        """The product's row of an account."""
        return Customer.get(Customer.number == account.number)

    def trade(self, many: float = 0.12, due_from: int = 7) -> None:
        """The evening's export: new invoices, and what was paid.

        Args:
            many: invoices a customer gets.
            due_from: days until the first of them may be due.
        """
        for code, (_, _, currency) in COMPANIES.items():
            rows: list[dict[str, object]] = []
            booked: list[Callable[[], None]] = []
            for account in self.accounts.values():
                if account.company == code:
                    for _ in range(int(many) + (self.random.random() < many % 1)):
                        self._invoice(account, currency, due_from, rows, booked)
                    self._pay(account, rows, booked)
            if rows:
                header = "customer,invoice,payment,credit_note,write_off,day,due,amount,currency,reference"
                content = written(header, rows)
                self.survive(
                    lambda code=code, content=content: take_in(
                        self.runtime, code, ITEMS_MAPPING, content, f"items-{self.day}", self.people
                    ),
                    0.05,
                )
                for book in booked:
                    book()

    def _row(
        self, account: Account, kind: str, number: str, amount: int, currency: str, **more: object
    ) -> dict[str, object]:
        day = date_of(self.day).isoformat()
        money = f"{amount // 100}.{amount % 100:02d}"
        return {"customer": account.number, kind: number, "day": day, "amount": money, "currency": currency, **more}

    def _invoice(self, account: Account, currency: str, due_from: int, rows: list[Any], booked: list[Any]) -> None:
        if account.insolvent:
            return
        self.numbers += 1
        draw = self.random
        bill = Bill(
            f"{account.company[0]}-{self.numbers:05d}",
            currency,
            draw.randrange(3_000, 400_000),
            self.day + draw.randrange(due_from, 15),
        )
        if account.late is not None:
            bill.pays_on = bill.due + account.late + draw.randrange(-1, 4)
        rows.append(
            self._row(account, "invoice", bill.number, bill.amount, currency, due=date_of(bill.due).isoformat())
        )
        booked.append(lambda: account.bills.append(bill))

    def _pay(self, account: Account, rows: list[Any], booked: list[Any]) -> None:
        draw = self.random
        for bill in account.bills:
            if not bill.open or bill.pays_on is None or bill.pays_on > self.day or account.insolvent:
                continue
            amount = bill.open if draw.random() < 0.8 else draw.randrange(1, bill.open + 1)
            kind = "payment" if draw.random() < 0.93 else draw.choice(("credit_note", "write_off"))
            named = kind == "write_off" or draw.random() < 0.9
            bill.pays_on = self.day + 5 if amount < bill.open else None
            self.numbers += 1
            reference = bill.number if named else ""
            rows.append(self._row(account, kind, f"P{self.numbers}", amount, bill.currency, reference=reference))
            paid = bill if named else None
            booked.append(lambda paid=paid, bill=bill, amount=amount: account.pay(paid, bill.currency, amount))

    def people_act(self) -> None:
        """A morning in the credit department."""
        self._calls()
        self._messages()
        for account in self.accounts.values():
            self._customer_says(account)

    def _messages(self) -> None:
        who = self.people
        for action in list(Action.select().where(Action.state.in_(("waiting", "uncertain", "failed")))):
            if self.random.random() < 0.4:
                continue
            if action.state == "uncertain":
                receiver = self.receivers["email" if action.way == "email" else "sms"]
                there = receiver.effects[action.key] > 0
                self.say(ResolveUncertain(actor=who["manager"], reason="asked", action=action.id, delivered=there))
            elif action.state == "failed":
                command = RetryMessage if self.random.random() < 0.6 else CancelAction
                self.say(command(actor=who["manager"], reason="looked at it", action=action.id))
            elif action.waiting_for == "unconfirmed":
                command = ConfirmMessage if self.random.random() < 0.8 else CancelAction
                self.say(command(actor=who["collector"], reason="looked at it", action=action.id))

    def _calls(self) -> None:
        for action in list(Action.select().where(Action.state == "open")):
            if self.random.random() < 0.5:
                continue
            account = self.accounts[action.customer.number]
            if action.channel == "task":
                self.say(CompleteAction(actor=self.people["collector"], reason="done", action=action.id, result="done"))
                continue
            result = self.random.choice(("reached", "no_answer", "refused", "promised"))
            agreed: dict[str, Any] = {}
            bill = self._late_bill(account)
            if result == "promised" and bill is not None:
                agreed = {
                    "due_line": self.line_of(bill).id,
                    "amount_minor": bill.open,
                    "agreed_day": self.today(account) + self.random.randrange(2, 9),
                }
            done = self.say(
                CompleteAction(
                    actor=self.people["collector"], reason="called", action=action.id, result=result, **agreed
                )
            )
            if done is None:
                continue
            if result != "no_answer":
                self.calls.append((account.number, self.today(account)))
                self._remember(account)
            if agreed and bill is not None:
                self._promised(bill, agreed["agreed_day"])

    def _promised(self, bill: Bill, day: int) -> None:
        bill.promised_until = day
        bill.pays_on = day if self.random.random() < 0.6 else day + 25  # kept or broken

    def _remember(self, account: Account) -> None:
        """Who forgot, and was asked, may pay."""
        for bill in account.bills:
            if bill.open and bill.pays_on is None and self.random.random() < 0.4:
                bill.pays_on = self.day + self.random.randrange(0, 6)

    def _late_bill(self, account: Account) -> Bill | None:
        late = [bill for bill in account.bills if bill.may_be_dunned(self.day) and bill.due < self.day]
        return self.random.choice(late) if late else None

    def _customer_says(self, account: Account) -> None:
        draw, today = self.random, self.today(account)
        bill = self._late_bill(account)
        by = {"actor": self.people["collector"], "reason": "the customer called"}
        if bill is not None and draw.random() < 0.04:
            part = None if draw.random() < 0.6 else draw.randrange(1, bill.open + 1)
            if self.say(RecordDispute(**by, due_line=self.line_of(bill).id, amount_minor=part)):
                bill.disputed = bill.open if part is None else part
        elif bill is not None and draw.random() < 0.04:
            until = today + draw.randrange(1, 10)
            promise = {
                "customer": self.customer_of(account).id,
                "due_line": self.line_of(bill).id,
                "amount_minor": bill.open,
            }
            if self.say(RecordPromise(**by, **promise, currency=bill.currency, promised_day=until)):
                self._promised(bill, until)
        elif draw.random() < 0.01:
            until = today + draw.randrange(1, 12)
            whole = bill is None or draw.random() < 0.5
            line = None if whole else self.line_of(bill).id
            if self.say(
                SetBlock(
                    **by,
                    customer=self.customer_of(account).id,
                    kind="pause",
                    from_day=today,
                    until_day=until,
                    due_line=line,
                )
            ):
                place = account if whole else bill
                place.paused_until = max(until, place.paused_until or 0)
        elif draw.random() < 0.001 and self.say(
            SetBlock(**by, customer=self.customer_of(account).id, kind="insolvent", from_day=today)
        ):
            account.insolvent = True
        for other in account.bills:
            if other.disputed and draw.random() < 0.06:
                dispute = (
                    Dispute.select().where(Dispute.due_line == self.line_of(other)).order_by(Dispute.id.desc()).first()
                )
                if self.say(CloseDispute(**by, dispute=dispute.id, accepted=False)):
                    other.disputed = 0

    # --- days --------------------------------------------------------------------------

    def live(self, days: int) -> None:
        """Let days pass; raises AssertionError with a line that replays the year as soon as something is wrong."""
        for _ in range(days):
            self.one_day()

    def one_day(self) -> None:
        """One day, and what must hold after it."""
        self.day += 1
        self._providers()
        asleep = self.random.random() < 0.03  # nobody works today
        for hour, minute, act in (
            (1, 10, self.work),
            (8, 30, self.people_act),
            (9, 0, self.work),
            (14, 0, self.people_act),
            (15, 30, self.work),
            (18, 0, self.trade),
        ):
            self._set(hour, minute)
            if act != self.work or not asleep:
                act()
        self.checks.after_day()
        if self.wrong:
            raise AssertionError("\n".join([self.replay_line(), *self.wrong]))

    def _providers(self) -> None:
        for receiver in self.receivers.values():
            receiver.trouble = 0.12
            receiver.down = self.random.random() < (0.6 if receiver.down else 0.02)

    def replay_line(self) -> str:
        """What plays this year again up to here."""
        days = self.day - FIRST_DAY + 1
        return f"DUNWELL_YEAR={self.seed}:{days} python -m pytest tests/sim/test_trading_year.py"

    def close(self) -> None:
        """Leave the matching children to the next year."""
        self.runtime.database.shut()
