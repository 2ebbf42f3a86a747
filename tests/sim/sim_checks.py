"""What must hold after every day, and for every message when it arrives."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import holidays
from sim_books import Account
from sim_receivers import Arrival
from sim_setting_up import COMPANIES, DAILY_CAP, FOREIGN

from engine import statements
from engine.pipeline import asking
from engine.silence import silence_of
from engine.tables import Action, Alarm, Customer, Decision, DueLine, Entity
from engine.verify import decided, records, verify
from engine.verify.report import checked

if TYPE_CHECKING:
    from sim_year import Year

CURRENCIES = {currency for _, _, currency in COMPANIES.values()} | set(FOREIGN.values())
CONTACTS_MAX, CONTACT_DAYS = 3, 7  # the shipped contact cap
TOLERANCE = 500
CONTACT_CHANNELS = ("email", "letter", "sms", "chat")
SMS_HOURS = (9, 18)
PUT_OFF_LEVELS = {4}  # of the step that comes so many days after the one before it
CLAIM_AGE = timedelta(minutes=12)  # so long ago at most a message that arrives was claimed
FAULTS_OF_OURS = ("run_failed", "undecidable", "disagreement", "verify_failed", "outage")


@cache
def calendar(country: str) -> Any:
    """Public holidays of a country."""
    return holidays.country_holidays(country)


def judge(year: "Year", arrival: Arrival, account: Account, action: Action) -> Iterator[str]:
    """What is wrong with a message that arrives now."""
    what = f"{year.instant:%Y-%m-%d %H:%M} {arrival.key} by {arrival.channel} to {account.number}"
    day = year.today(account)
    why = account.why_not(day, before_due=action.level == 0, tolerance=TOLERANCE)
    if why is not None:
        yield f"{what}: the customer {why}"
    if action.way == "email" and not arrival.to.endswith(f"@{account.number.lower()}.example"):
        yield f"{what}: went to another customer"
    if action.line_id:
        number = DueLine.get_by_id(action.line_id).number
        bill = next(bill for bill in account.bills if bill.number == number)
        if not bill.may_be_dunned(day) or bill.due >= day:
            yield f"{what}: {number} is paid, disputed, promised, paused or not due"
    elif action.level and arrival.asked is not None:
        year.checks.counts["sums"] += 1
        if arrival.asked != account.to_be_asked(day):
            yield f"{what}: asks for {arrival.asked}, {account.to_be_asked(day)} may be asked for"
    stopped = {account.company, action.policy_key} & year.department.stopped
    if stopped:
        yield f"{what}: although a person stopped {stopped}"
    known = {bill.number: bill for bill in account.bills}
    for number in sorted(arrival.bills):
        if number not in known or not known[number].open:
            yield f"{what}: lists {number}, which is not open"
    if arrival.channel in CONTACT_CHANNELS:
        local = [(year.instant - ago).astimezone(account.zone) for ago in (timedelta(0), CLAIM_AGE)]
        if all(at.isoweekday() > 5 or at.date() in calendar(account.country) for at in local):
            yield f"{what}: on a quiet day"
        if arrival.channel == "sms" and not any(SMS_HOURS[0] <= at.hour < SMS_HOURS[1] for at in local):
            yield f"{what}: outside sending hours"


class Checks:
    """What must hold after every day."""

    def __init__(self, year: "Year") -> None:
        self.year = year
        self.decisions = 0
        self.counts: Counter[str] = Counter()

    def after_day(self) -> None:
        """Look at everything; what does not hold is noted in the year."""
        for look in (self._once, self._contacts, self._money, self._levels, self._records, self._silence):
            self.year.wrong += look()

    def after_all(self) -> None:
        """Let the product verify itself."""
        report = verify(self.year.runtime)
        self.year.wrong += (f"{check.name}: {finding}" for check in report.checks for finding in check.findings)

    def _once(self) -> Iterator[str]:
        """Each step once: what is sent arrived exactly once, and nothing arrived that no action stands for."""
        effects: Counter[str] = Counter()
        for receiver in self.year.receivers.values():
            effects.update(receiver.effects)
        states = {
            key: (state, carrier)
            for key, state, carrier in Action.select(Action.key, Action.state, Action.covered_by).tuples()
        }
        for key, many in effects.items():
            if many > 1:
                yield f"{key} arrived {many} times"
            if states.get(key, ("missing", None))[0] not in ("sent", "uncertain", "sending", "claimed"):
                yield f"{key} arrived and is {states.get(key)}"
        contacts = Action.channel.in_((*CONTACT_CHANNELS, "internal"))
        for key, carrier in (
            Action.select(Action.key, Action.covered_by).where(Action.state == "sent", contacts).tuples()
        ):
            if carrier is None and effects[key] != 1:
                yield f"{key} is sent and arrived {effects[key]} times"
        self.counts["arrived"] = sum(effects.values())

    def _contacts(self) -> Iterator[str]:
        """The contact cap, one message a day by a channel, a company's messages of a day."""
        days: defaultdict[str, list[int]] = defaultdict(list)
        a_day: Counter[tuple[str, str, int]] = Counter()
        of_company: Counter[tuple[str, int]] = Counter()
        for arrival, account, day in self.year.arrivals:
            if arrival.channel in CONTACT_CHANNELS and day > self.year.day - 2 * CONTACT_DAYS:
                days[account.number].append(day)
                a_day[account.number, arrival.channel, day] += 1
                of_company[account.company, day] += 1
        for number, day in self.year.calls:
            days[number].append(day)
        for (number, channel, day), many in a_day.items():
            if many > 1:
                yield f"{number} got {many} messages by {channel} on day {day}"
        for (company, day), many in of_company.items():
            if many > DAILY_CAP[company]:
                yield f"{company} sent {many} messages on day {day}"
        messages = {(account.number, day) for _, account, day in self.year.arrivals}
        for number, contacts in days.items():
            for last in set(contacts):
                if (number, last) in messages and sum(
                    last - CONTACT_DAYS < day <= last for day in contacts
                ) > CONTACTS_MAX:
                    yield f"{number} had more than {CONTACTS_MAX} contacts in {CONTACT_DAYS} days up to day {last}"

    def _money(self) -> Iterator[str]:
        """What the product shows as open is what the town's own books say, by customer and currency."""
        year = self.year
        for entity in Entity.select():
            customers = {row.id: row.number for row in Customer.select().where(Customer.entity == entity)}
            ask = asking(year.runtime, entity, year.runtime.today(entity))
            items = statements.open_items_of(year.runtime, entity, list(customers), ask.basis)
            for customer, number in customers.items():
                lines, owed_back = items.get(customer, ([], []))
                shown: Counter[str] = Counter()
                for row in lines:
                    shown[row["currency"]] += row["open_minor"]
                for row in owed_back:
                    shown[row.currency] -= row.open_minor
                own = {currency: year.accounts[number].balance(currency) for currency in CURRENCIES}
                if any(shown[currency] != own[currency] for currency in {*shown, *own}):
                    yield f"{number} owes {dict(shown)}, by the town's books {own}"

    def _levels(self) -> Iterator[str]:
        """At most one step up a day, and none left out but one whose day the step before puts off."""
        rises: Counter[tuple[int, int, int]] = Counter()
        for row in Decision.select().where(Decision.id > self.decisions).order_by(Decision.id):
            self.decisions = row.id
            change = json.loads(row.changes).get("escalation")
            if change is not None:
                before, after = ((change[side] or {}).get("level") or 0 for side in ("before", "after"))
                rises[row.customer_id, row.line_id, row.as_of_day] += after > before
                if left_out := set(range(before + 1, after)) - PUT_OFF_LEVELS:
                    yield f"decision {row.id} leaves out the levels {left_out}"
        for key, rise in rises.items():
            if rise > 1:
                yield f"customer, line and day {key} rose {rise} times"

    def _records(self) -> Iterator[str]:
        """Standings are the fold of their history, the audit chain is whole, nothing failed in the product."""
        year = self.year
        looks = {"standings": lambda: decided.standings(year.runtime), "audit chain": lambda: records.chain([])}
        for name, look in looks.items():
            yield from (f"{name}: {finding}" for finding in checked(name, look).findings)
        for alarm in Alarm.select().where(Alarm.kind.in_(FAULTS_OF_OURS)):
            yield f"alarm {alarm.kind}: {alarm.text}"

    def _silence(self) -> Iterator[str]:
        """Whoever owes something overdue and got nothing today is told why; so is whoever asks about them."""
        year = self.year
        today = {account.number for _, account, day in year.arrivals if day == year.day}
        for account in year.random.sample(list(year.accounts.values()), 2):
            if any(bill.open and bill.due < year.day for bill in account.bills) and account.number not in today:
                found = silence_of(year.runtime, year.customer_of(account), year.today(account)).findings
                if not found:
                    yield f"nobody can say why {account.number} got nothing"
                else:
                    self.counts[f"silent: {found[0].code}"] += 1
