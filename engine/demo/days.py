"""A day of the demo: decided at night, letters and calls in the morning, bookings in the evening.

Everything goes through the doors a customer of ours would use: runs, the outbox, commands,
imports; the clock stands at the day. Commands carry keys made from what they are about, so
that a day done twice is a day done once.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from engine.after_run import REFER
from engine.commands import Command, CommandError
from engine.corrections import AcknowledgeAlarm, RecordPromise, SetBlock
from engine.demo import agreements, desk
from engine.demo.companies import BOOKS, Books, Company
from engine.demo.files import ITEMS_MAPPING, RATES_MAPPING, items_file, rates_file
from engine.demo.place import DemoClock, Standing
from engine.demo.year import Invoice, Year
from engine.diary import FIND_CONTACT, CompleteAction, ConfirmMessage
from engine.disputes import CloseDispute, RecordDispute
from engine.going_live import ApproveRun
from engine.importing import ImportFile, import_file
from engine.outbox import deliver
from engine.runs import resume, run_entity
from engine.tables import Action, Alarm, Customer, Dispute, DueLine, Entity, Run

if TYPE_CHECKING:
    from engine.runtime import Runtime

CONFIRMED = 0.85  # of the letters that wait for a person, each day
CALLED = 0.8  # of the calls that are due, each day
TASKS_DONE = 0.25  # of the tasks that a manager may close, each day
RESULTS = ("reached", "no_answer", "no_answer", "reached", "refused", "promised", "already_paid")
ISO_WEEKEND = 5


@dataclass(slots=True)
class Demo:
    """A demo at work.

    Args:
        runtime: on the demo's clock.
        clock: that clock.
        standing: how far it has come.
        year: what happens in it.
        users: ids by role address.
        entities: by code.
        parts: the invoice of each part of ``agreements``.
    """

    runtime: "Runtime"
    clock: DemoClock
    standing: Standing
    year: Year
    users: dict[str, int]
    entities: dict[str, Entity]
    parts: dict[str, Invoice]
    companies: dict[str, Company] = field(init=False)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.companies = {company.number: company for company in self.year.companies}

    def execute(self, command: Command) -> bool:
        """Carry out a command; what is moot by now (paid, disputed already) is left, as a person would."""
        try:
            self.runtime.execute(command)
        except CommandError as error:
            self.refused.append(f"{type(command).__name__}: {error}")
            return False
        return True

    def customer(self, number: str) -> Customer:
        """Return a customer's row."""
        found: Customer = Customer.get(
            Customer.entity == self.entities[self.companies[number].entity], Customer.number == number
        )
        return found


def decide(demo: Demo, day: int) -> None:
    """Decide every entity as of the day; a person lets a run through that changes much."""

    demo.clock.set(day, 2, 30)
    for entity in demo.entities.values():
        run = run_entity(demo.runtime, Entity.get_by_id(entity.id), day)
        if run.state == "gated":
            demo.execute(
                ApproveRun(
                    actor=demo.users["credit.manager"],
                    reason="looked through: a day like others",
                    key=f"demo/gate/{run.id}",
                    run=run.id,
                )
            )
            resume(demo.runtime, Run.get_by_id(run.id))
            for alarm in Alarm.select().where(Alarm.kind == "gated", Alarm.acknowledged_at.is_null()):
                demo.execute(
                    AcknowledgeAlarm(
                        actor=demo.users["credit.manager"],
                        reason="approved",
                        key=f"demo/alarm/{alarm.id}",
                        alarm=alarm.id,
                    )
                )


def work(demo: Demo, day: int) -> None:
    """Confirm letters, let the outbox deliver, make the calls; nobody works at weekends."""
    random = Random(f"{demo.standing.seed}/work/{day}")  # noqa: S311 - a demo, not a secret
    working = (day + 3) % 7 < ISO_WEEKEND
    demo.clock.set(day, 8, 30)
    if working:
        waiting = Action.select().where(Action.state == "waiting", Action.waiting_for == "unconfirmed")
        for action in list(waiting.order_by(Action.id)):
            if action.channel not in {"call", "task"} and random.random() < CONFIRMED:
                demo.execute(
                    ConfirmMessage(
                        actor=desk.worker(demo, action.customer),
                        reason="read and sent",
                        key=f"demo/confirm/{action.id}",
                        action=action.id,
                    )
                )
    demo.clock.set(day, 9, 30)
    deliver(demo.runtime)
    if working:
        demo.clock.set(day, 10, 30)
        _call(demo, random, day)
        _close_tasks(demo, random, day)


def _close_tasks(demo: Demo, random: Random, day: int) -> None:
    """Close tasks of the scenario; those that name a missing fact or contact stay for whoever tries the demo."""
    tasks = Action.select().where(
        Action.state == "open",
        Action.channel == "task",
        Action.due_day < day,
        Action.template.not_in((REFER, FIND_CONTACT)),
    )
    for action in list(tasks.order_by(Action.id)):
        if random.random() < TASKS_DONE:
            demo.execute(
                CompleteAction(
                    actor=demo.users["credit.manager"],
                    reason="talked it over",
                    key=f"demo/task/{action.id}",
                    action=action.id,
                    result="done",
                )
            )


def _call(demo: Demo, random: Random, day: int) -> None:
    calls = Action.select().where(Action.state == "open", Action.channel == "call", Action.due_day <= day)
    promising = {promise.customer for promise in demo.year.promises if promise.day == day}
    for action in list(calls.order_by(Action.id)):
        if random.random() >= CALLED:
            continue
        result = "promised" if action.customer.number in promising else random.choice(RESULTS)
        desk.remember(demo, random, action)
        demo.execute(
            CompleteAction(
                actor=desk.worker(demo, action.customer),
                reason="call made",
                key=f"demo/call/{action.id}",
                action=action.id,
                result="reached" if result == "promised" and action.customer.number not in promising else result,
            )
        )


def answer(demo: Demo, first_day: int, day: int, hour: int = 11) -> None:
    """Record what customers said from a first day to a day: promises, disputes and their ends, a failure."""
    demo.clock.set(day, hour)
    for promise in demo.year.promises:
        if first_day <= promise.day <= day < promise.promised_day:
            _promise(demo, promise.customer, promise.invoice, promise.promised_day)
    for dispute in demo.year.disputes:
        if first_day <= dispute.day <= day:
            line = _line(demo, dispute.customer, dispute.invoice)
            if line is not None:
                demo.execute(
                    RecordDispute(
                        actor=demo.users["collector"],
                        reason=dispute.reason,
                        key=f"demo/dispute/{dispute.invoice}",
                        due_line=line.id,
                        cause=dispute.cause,
                    )
                )
        if first_day <= dispute.closed_day <= day:
            _close(demo, dispute.customer, dispute.invoice, dispute.accepted)
    for company in demo.companies.values():
        if company.insolvent_day is not None and first_day <= company.insolvent_day <= day:
            demo.execute(
                SetBlock(
                    actor=demo.users["credit.manager"],
                    reason="insolvency published by the court",
                    key=f"demo/insolvent/{company.number}",
                    customer=demo.customer(company.number).id,
                    kind="insolvent",
                    from_day=day,
                )
            )


def _promise(demo: Demo, number: str, invoice: str, promised_day: int) -> None:
    line = _line(demo, number, invoice)
    if line is None:
        return
    demo.execute(
        RecordPromise(
            actor=demo.users["collector"],
            reason="promised on the phone",
            key=f"demo/promise/{invoice}",
            customer=line.customer_id,
            due_line=line.id,
            amount_minor=line.amount_minor,
            currency=line.currency,
            promised_day=promised_day,
        )
    )


def _close(demo: Demo, number: str, invoice: str, accepted: bool) -> None:
    line = _line(demo, number, invoice)
    found = None if line is None else Dispute.get_or_none(Dispute.due_line == line)
    if found is not None:
        demo.execute(
            CloseDispute(
                actor=demo.users["sales"],
                reason="looked into: the customer is right" if accepted else "looked into: delivered as ordered",
                key=f"demo/closing/{invoice}",
                dispute=found.id,
                outcome="accepted" if accepted else "rejected",
            )
        )


def _line(demo: Demo, number: str, invoice: str) -> DueLine | None:
    found: DueLine | None = DueLine.get_or_none(DueLine.customer == demo.customer(number), DueLine.number == invoice)
    return found


def book(demo: Demo, first_day: int, day: int, *, history: bool) -> None:
    """Import what was booked from a first day to a day, as one file per entity; rates once a month.

    Args:
        history: the entries count as recorded when they were booked.
    """
    demo.clock.set(day, 17)
    lines, credits_ = defaultdict(list), defaultdict(list)
    for invoice in demo.year.invoices:
        if first_day <= invoice.day <= day:
            lines[demo.companies[invoice.customer].entity].append(invoice)
    for credit in demo.year.credits:
        if first_day <= credit.day <= day:
            credits_[demo.companies[credit.customer].entity].append(credit)
    for books in BOOKS:
        months = [one for one in range(first_day, day + 1) if (one - demo.standing.first_day) % 30 == 0]
        if months:
            _import(demo, books, f"rates-{day}", RATES_MAPPING, rates_file(books, months), day if history else None)
        if lines[books.code] or credits_[books.code]:
            content = items_file(lines[books.code], credits_[books.code])
            _import(demo, books, f"items-{day}", ITEMS_MAPPING, content, day if history else None)


def _import(
    demo: Demo, books: Books, name: str, mapping: dict[str, object], content: bytes, history_until: int | None
) -> None:
    import_file(
        demo.runtime,
        ImportFile(
            actor=demo.users["analyst"],
            reason="evening export of the accounts",
            key=f"demo/{books.code}/{name}",
            entity=books.code,
            mapping=mapping,
            content=content,
            file_name=f"{books.code.lower()}-{name}.csv",
            history_until=history_until,
        ),
    )


def live_day(demo: Demo, day: int) -> None:
    """Let one whole day pass."""
    decide(demo, day)
    work(demo, day)
    answer(demo, day, day)
    agreements.agree(demo, day)
    book(demo, day, day, history=False)


def spans(first_day: int, until_day: int, every_days: int) -> Iterable[tuple[int, int]]:
    """Cut days into spans that are taken in together: the first and the last day of each."""
    for start in range(first_day, until_day, every_days):
        yield start, min(start + every_days, until_day) - 1
