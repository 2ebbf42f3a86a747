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
from sim_people import Department
from sim_receivers import Arrival, Killed, Life, MortalDatabase, Receiver
from sim_setting_up import COMPANIES, FIRST_DAY, FOREIGN, ITEMS_MAPPING, accounts, opened, people, take_in, written

from engine import outbox, runs
from engine.commands import Command, CommandError
from engine.runtime import EPOCH, Runtime
from engine.tables import Action, Customer
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
        self.asleep_until = 0  # no worker works before this day
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
        self.department = Department(self)
        self.checks = sim_checks.Checks(self)
        self._set(20)
        self.trade(many=2.5, due_from=-16)

    def _receiver(self, channel: str) -> Receiver:
        return Receiver(channel, self.random.random() < 0.5, self.random, self.life, self._arrived, self._wait)

    def receiver_of(self, channel: str) -> Receiver:
        """Who takes the messages of a channel."""
        return self.receivers["email" if channel in ("email", "internal") else "sms"]

    # --- clock and workers -------------------------------------------------------------

    def now(self) -> datetime:
        """The clock the product reads."""
        return self.instant

    def _set(self, hour: int, minute: int = 0, *, may_jump: bool = False) -> None:
        """Move on in the day; now and then the machine of the workers has a wrong time for a while."""
        skew = timedelta(0)
        if may_jump and self.random.random() < 0.04:
            skew = timedelta(minutes=self.random.choice((-300, -50, 90, 240, 500)))
            self.told["clock jumps"] += 1
        self.instant = EPOCH + timedelta(days=self.day, hours=hour, minutes=minute) + skew

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
            if self.random.random() < 0.5:  # another worker sends while what was booked is not decided yet
                outbox.deliver(self.runtime)
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
        if account.number in FOREIGN and draw.random() < 0.6:
            currency = FOREIGN[account.number]
        bill = Bill(
            f"{account.company[0]}-{self.numbers:05d}",
            currency,
            draw.randrange(3_000, 400_000),
            self.day + draw.randrange(due_from, 15),
        )
        if account.late is not None:
            bill.pays_on = bill.due + account.late + draw.choice((0, 0, 0, -1, 1, 3))
        rows.append(
            self._row(account, "invoice", bill.number, bill.amount, currency, due=date_of(bill.due).isoformat())
        )
        booked.append(lambda: account.bills.append(bill))

    def _pay(self, account: Account, rows: list[Any], booked: list[Any]) -> None:
        draw = self.random
        for bill in account.bills:
            if not bill.open or bill.pays_on is None or bill.pays_on > self.day or account.insolvent:
                continue
            amount = bill.open if draw.random() < 0.7 else draw.randrange(1, bill.open + 1)
            kind = "payment" if draw.random() < 0.93 else draw.choice(("credit_note", "write_off"))
            named = kind == "write_off" or draw.random() < 0.9
            bill.pays_on = self.day + 5 if amount < bill.open else None
            self.numbers += 1
            reference = bill.number if named else ""
            rows.append(self._row(account, kind, f"P{self.numbers}", amount, bill.currency, reference=reference))
            paid = bill if named else None
            booked.append(lambda paid=paid, bill=bill, amount=amount: account.pay(paid, bill.currency, amount))
            if amount < bill.open:
                bill.part_paid_on = self.day

    # --- days --------------------------------------------------------------------------

    def live(self, days: int) -> None:
        """Let days pass; raises AssertionError with a line that replays the year as soon as something is wrong."""
        for _ in range(days):
            self.one_day()
            self._halt_if_wrong()
        self.checks.after_all()
        self._halt_if_wrong()

    def _halt_if_wrong(self) -> None:
        if self.wrong:
            raise AssertionError("\n".join([self.replay_line(), *self.wrong]))

    def one_day(self) -> None:
        """One day, and what must hold after it."""
        self.day += 1
        self._providers()
        if self.random.random() < 0.03:
            self.asleep_until = self.day + self.random.randrange(1, 4)
            self.told["missed days"] += 1
        acts = (
            (1, 10, self.work),
            (8, 30, self.department.act),
            (9, 0, self.work),
            (14, 0, self.department.act),
            (15, 30, self.work),
            (self.random.choice((8, 18)), 0, self.trade),
        )
        for hour, minute, act in sorted(acts, key=lambda one: one[:2]):
            self._set(hour, minute, may_jump=act == self.work)
            if act != self.work or self.day >= self.asleep_until:
                act()
        self.checks.after_day()

    def _providers(self) -> None:
        for receiver in self.receivers.values():
            receiver.trouble = self.random.choice((0.05, 0.2, 0.5))
            receiver.down = self.random.random() < (0.6 if receiver.down else 0.02)

    def replay_line(self) -> str:
        """What plays this year again up to here."""
        days = self.day - FIRST_DAY + 1
        return f"DUNWELL_YEAR={self.seed}:{days} python -m pytest tests/sim/test_trading_year.py"

    def close(self) -> None:
        """Leave the matching children to the next year."""
        self.runtime.database.shut()
