"""Messages from due to sent: two workers, a mail server on loopback, nothing left out.

    python -m benchmarks.sending --customers 20000

Each message is claimed and decided again, written, stored, handed over and settled, on a database
as durable as it ships. Measured is the time between the hundredth and the last mail that arrives
at the server (the first ones wait for a new worker's plans), once without files and once with the
statement as PDF.
"""

import json
import resource
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from peewee import fn

from benchmarks.filling import put_in_force, settings_for
from benchmarks.goals import Found, Goal, Table
from benchmarks.night import ADOPTED_DAY, LIVE_DAY, NIGHT_DAY, decide_day, go_live
from benchmarks.places import Place, arguments, opened
from engine import outbox
from engine.runtime import Runtime, build, settle
from engine.setting_up import shipped_documents
from engine.tables import Action, Contact, Entity, Message, Run

WORKERS = 2
MESSAGES, MESSAGES_MIN = 3_000, 50
WARMED = 100  # mails after which the plans of a worker that has just started are built
IBAN = "DE02120300000000202051"
GOALS = {"email": 150, "statement": 40}  # messages a second
FAR_AT = 2**62
UNLIMITED = 10**6  # messages a minute; as shipped a mail server gets at most 200 a second
HOUR = 10  # at which everybody may be written to


@dataclass(frozen=True)
class Measured:
    """What sending some messages cost.

    Args:
        rate: a second.
        worker_cpu, server_cpu: seconds, the workers' warming up included.
        database_cpu: seconds of PostgreSQL's processes meanwhile; SQLite works within the workers.
    """

    sent: int
    rate: float
    bytes_each: int
    worker_cpu: float
    server_cpu: float
    database_cpu: float


def main() -> None:
    """Send and measure."""
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="to send each time")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes that send at the same time")
    parser.add_argument("--work", help="URL of the database a worker empties; used by this program itself")
    parser.add_argument("--smtp", help="URL of the mail server, for a worker")
    chosen = parser.parse_args()
    if chosen.work is not None:
        _work(chosen)
        return
    found = Found(chosen.json)
    with opened(chosen.database, chosen.folder) as place:
        runtime = place.runtime(chosen.customers)
        try:
            runtime.now = _office_hour()
            _decided(runtime)
            measured = {"email": _measure(place, runtime, chosen, parts=2)}
            _with_statement()
            measured["statement"] = _measure(place, runtime, chosen)
        finally:
            runtime.close()
    _tell(chosen, found, measured)


def _tell(chosen: Namespace, found: Found, measured: dict[str, Measured]) -> None:
    rows = []
    for name, one in measured.items():
        found.goal(Goal(f"{chosen.database}.{name}_rate", one.rate, GOALS[name], "/s", at_most=False))
        cpu = [f"{1000 * cpu / one.sent:.1f}" for cpu in (one.worker_cpu, one.database_cpu, one.server_cpu)]
        rows.append([name, f"{one.sent:,}", f"{one.rate:.0f}", f"{one.bytes_each / 1000:.0f}", *cpu])
    columns = ["messages", "sent", "a second", "KB each", "CPU ms each, workers", "PostgreSQL", "mail server"]
    note = (
        f"{chosen.workers} worker processes, a mail server of its own process on loopback, "
        f"{chosen.customers:,} customers. Processor time includes the plans each worker builds once."
    )
    found.table(Table(f"Sending, {chosen.database}", columns, rows, note))


def _office_hour() -> Callable[[], datetime]:
    """A clock that runs from an hour at which everybody may be written to; actions keep to the day of their run."""
    real = datetime.now(UTC)
    start = real.astimezone(ZoneInfo("Europe/Berlin")).replace(hour=HOUR, minute=0)
    shift = start.astimezone(UTC) - real
    return lambda: datetime.now(UTC) + shift


def _decided(runtime: Runtime) -> None:
    """The days after go-live are decided, unless the benchmark of the night has left them so."""
    Entity.update(daily_cap=10**6).execute()
    if Run.select().exists():
        return
    run, _ = decide_day(runtime, ADOPTED_DAY)
    go_live(run)
    for day in range(LIVE_DAY, NIGHT_DAY + 1):
        decide_day(runtime, day)


def _with_statement() -> None:
    """From now on each mail carries the statement."""
    document = next(one for one in shipped_documents() if one.get("stage") == "escalation")
    for steps in document["escalation"]["scenarios"].values():
        for step in steps:
            if step["channel"] == "email":
                step["attach"] = ["statement"]
    Entity.update(iban=IBAN).execute()
    put_in_force([document])


def _measure(place: Place, runtime: Runtime, chosen: Namespace, parts: int = 1) -> Measured:
    """Let the next messages leave, and nothing else; at most one part of what is due."""
    policy = Run.select(Run.policy_key).order_by(Run.id.desc()).scalar()
    reached = Contact.select().where(Contact.customer == Action.customer, Contact.usable)
    wanted = (
        Action.select(Action.id)
        .where(Action.state == "due", Action.channel == "email", Action.policy_key == policy, fn.EXISTS(reached))
        .order_by(Action.due_day, Action.id)
    )
    many = min(chosen.messages, wanted.count() // parts)
    if many < MESSAGES_MIN:
        raise RuntimeError(f"only {many} messages are due at {chosen.customers:,} customers: take more of them")
    wanted = wanted.limit(many)
    ids = [action.id for action in wanted]
    with runtime.database.atomic():
        Action.update(not_before_at=FAR_AT).where(Action.state == "due", Action.id.not_in(wanted)).execute()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sink:
        port = int(sink.stdout.readline())
        before = place.server_cpu()
        workers_cpu = _sent_by_workers(place, chosen, f"smtp://127.0.0.1:{port}?from=credit@house.example")
        database_cpu = place.server_cpu() - before
        told = json.loads(sink.communicate("")[0])
    Action.update(not_before_at=0).where(Action.not_before_at == FAR_AT).execute()
    return _checked(ids, told, workers_cpu, database_cpu)


def _sent_by_workers(place: Place, chosen: Namespace, smtp: str) -> float:
    """Start the workers together once all are ready; the CPU time they used from then on."""
    command = [sys.executable, "-m", "benchmarks.sending", "--work", place.url(chosen.customers), "--smtp", smtp]
    command += ["--customers", str(chosen.customers), "--folder", str(place.var(chosen.customers))]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(chosen.workers)
    ]
    for worker in workers:
        worker.stdout.readline()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate()[0]) for worker in workers]
    print("workers:", told, flush=True)
    return sum(one["cpu"] for one in told)


def _work(chosen: Namespace) -> None:
    """One worker: warm what a worker that has run for a day has, wait for the word, empty the outbox."""
    settings = replace(
        settings_for(chosen.work, chosen.folder), smtp=chosen.smtp, send_for_real=True, limits=(("smtp", UNLIMITED),)
    )
    runtime = build(settings, _office_hour())
    settle()
    print("ready", flush=True)
    sys.stdin.readline()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    tally = outbox.deliver(runtime)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu": cpu, "seconds": time.monotonic() - start, "tally": tally.counts}))
    runtime.close()


def _checked(ids: list[int], told: dict, workers_cpu: float, database_cpu: float) -> Measured:
    """Each message once, by the server's own account and by ours.

    Raises:
        RuntimeError: one is missing or came twice.
    """
    sent = {
        message_id
        for (message_id,) in Message.select(Message.message_id)
        .join(Action)
        .where(Action.id.in_(ids), Action.state == "sent")
        .tuples()
    }
    arrived = [message_id for _, message_id, _ in told["taken"]]
    if len(arrived) != len(sent) or set(arrived) != sent:
        raise RuntimeError(f"{len(sent)} messages are sent, {len(arrived)} arrived, {len(set(arrived))} of them differ")
    times = sorted(at for at, _, _ in told["taken"])
    warm = times[min(WARMED, len(times) // 4) :]
    return Measured(
        sent=len(sent),
        rate=(len(warm) - 1) / (warm[-1] - warm[0]),
        bytes_each=sum(size for _, _, size in told["taken"]) // len(sent),
        worker_cpu=workers_cpu,
        server_cpu=told["cpu"],
        database_cpu=database_cpu,
    )


if __name__ == "__main__":
    main()
