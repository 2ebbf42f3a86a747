"""Workers that die, as real processes: driven by test_crashes.py, prints one JSON object.

``fleet.py crash FOLDER`` runs one outbox to its end again and again; the n-th run exits 137 at its
n-th commit or call, before or after it, until a run gets through.

``fleet.py kill FOLDER [--one-way] [--no-generation]`` lets two workers empty 1,000 actions while they
are killed -9 and stopped at random; on the PostgreSQL database DUNWELL_FLEET_DATABASE names, if it is
set. ``--no-generation`` takes the generation out of the fence, to show
that the tests would notice.

The workers are forked from this process, which holds no connection of its own while they run.
"""

import json
import logging
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import conftest

from engine import claims, outbox, settlements
from engine.database import connect
from engine.diary import ResolveUncertain
from engine.runtime import Runtime, build, system_clock
from engine.sending import Cancel
from engine.settings import Settings
from engine.sqlite import Sqlite
from engine.tables import Action, Contact, Customer, Entity, User, UserRole, UserScope
from engine.vault import Vault
from notifiers.gateways import Rejected, Unreachable

SECRET = "a secret only for tests, 32 characters and more"
LEASE_US = 500_000
CUSTOMERS, STEPS = 500, ("p4", "p14")
KILLS = 50
STOPS = 10
LATENCY = 0.006  # seconds a receiver takes before the point of no return
LATE_EVERY = 50  # one customer in so many finds it slower than a lease, once


def settings_in(folder):
    url = os.environ.get("DUNWELL_FLEET_DATABASE") or f"sqlite:///{folder / 'dunwell.db'}"
    return Settings(database=url, var=folder, secret_key=SECRET)


def opened(folder, now=system_clock):
    """A runtime on a database that is set up: hundreds of starts need not look at its schema."""
    settings = settings_in(folder)
    return Runtime(settings=settings, database=connect(settings), now=now, vault=Vault(SECRET))


def set_up(folder, customers, steps=STEPS, special=False):
    """An entity that sends, customers with a contact, and their due actions."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = build(settings_in(folder))
    with runtime.database.atomic():
        entity = Entity.create(code="main", name="Main Ltd", currency="EUR", sending=True, live_from_day=0)
        Entity.update(daily_cap=10**6).execute()
        manager = User.create(email="credit.manager@dunwell.example", name="Manager", fs_uniquifier="1")
        UserRole.create(user=manager, role="credit_manager")
        UserScope.create(user=manager, entity=entity)
        person = runtime.vault.create_person({"name": "Payables", "email": "payables@customer.example"})
        for number in range(customers):
            customer = Customer.create(entity=entity, number=str(number), name=f"Customer {number}")
            if not (special and number == 1):
                Contact.create(customer=customer, person=person)
            for level, step in enumerate(steps, 1):
                Action.create(
                    key=f"{customer.id}/escalation/1/{step}/0/email",
                    entity_id=entity.id,
                    customer=customer,
                    policy_key="escalation",
                    episode=1,
                    step_key=step,
                    level=level,
                    channel="email",
                    state="due",
                    due_day=runtime.today(entity),
                    created_at=runtime.now_at(),
                )
    runtime.close()


# --- crash points ----------------------------------------------------------------------


class Points:
    """Counts the boundaries a run passes; the process dies at the one CRASH_AT names."""

    def __init__(self, crash_at):
        self.crash_at, self.passed = crash_at, 0

    def point(self):
        self.passed += 1
        if self.passed == self.crash_at:
            os._exit(137)


class CrashingDatabase(Sqlite):
    """Dies before or after a commit."""

    points: Points

    def commit(self):
        self.points.point()
        super().commit()
        self.points.point()


class CrashingGateway:
    """Dies before or after a call, and before or after the point of no return; fails where it is told to."""

    def __init__(self, inner, points):
        self.inner, self.points = inner, points
        self.name, self.idempotent = inner.name, inner.idempotent

    def deliver(self, message, about_to_send):
        self.points.point()
        if message.key.startswith("4/") and not self.inner.calls_of(message.key):
            self.inner.note_call(message.key)
            raise Unreachable("450 later")
        if message.key.startswith("5/"):
            raise Rejected("554 no")

        def about():
            self.points.point()
            about_to_send()
            self.points.point()

        receipt = self.inner.deliver(message, about)
        self.points.point()
        return receipt

    def find(self, key):
        return self.inner.find(key)


def prepare(runtime, action, now_at, gateway):
    if action.customer_id == 3:
        return Cancel("nothing is overdue any more")
    return conftest.letter_for(runtime, action, now_at, gateway)


def one_run(folder, gateway_class, crash_at, ahead):
    """Sweep and deliver once; exits 137 at the crash point, else returns the points passed."""
    points = Points(crash_at)
    clock = conftest_clock(ahead)
    runtime = opened(folder, clock)
    runtime.database.__class__ = CrashingDatabase
    runtime.database.points = points
    gateway = CrashingGateway(gateway_class(folder / "receiver.db"), points)
    for _ in range(3):
        outbox.sweep(runtime, gateway=gateway)
        outbox.deliver(runtime, gateway=gateway, prepare=prepare, batch=3)
        clock.ahead += 3_600
    runtime.close()
    return points.passed


def conftest_clock(ahead):
    from datetime import UTC, datetime, timedelta

    class Ahead:
        def __init__(self):
            self.ahead = ahead

        def __call__(self):
            return datetime(2026, 3, 31, 9, tzinfo=UTC) + timedelta(seconds=self.ahead)

    return Ahead()


def in_child(work, *arguments):
    """Run a function in a forked process; its exit code, 0 when it returned."""
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
        except BaseException:
            logging.exception("the child failed")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def crash_everywhere(folder, gateway_class):
    """Crash at the 1st, 2nd, 3rd ... boundary; after each crash a second process finishes the work."""
    in_child(set_up, folder / "template", 5, STEPS, True)
    in_child(gateway_class, folder / "template" / "receiver.db")
    outcomes, crash_at = [], 0
    while True:
        crash_at += 1
        here = folder / str(crash_at)
        shutil.copytree(folder / "template", here)
        code = in_child(one_run, here, gateway_class, crash_at, 0)
        if code not in (0, 137):
            raise SystemExit(f"crash point {crash_at} ended with {code}")
        if in_child(one_run, here, gateway_class, 0, 20_000) != 0:
            raise SystemExit(f"the run after crash point {crash_at} did not get through")
        outcomes.append(here)
        if code == 0:
            return outcomes


def told(folder, gateway_class):
    """How things stand after all: states, effects and texts, and what a person then says about doubt."""
    runtime = opened(folder)
    gateway = gateway_class(folder / "receiver.db")
    effects = Counter(gateway.effects())
    doubtful = [action.key for action in Action.select().where(Action.state == "uncertain")]
    states = dict(Action.select(Action.key, Action.state).tuples())
    runtime.close()
    return {"states": states, "effects": effects, "doubtful": doubtful}


# --- kill -9 ---------------------------------------------------------------------------


class Slow:
    """A receiver that takes its time before the point of no return, now and then longer than a lease."""

    def __init__(self, inner):
        self.inner, self.name, self.idempotent = inner, inner.name, inner.idempotent

    def deliver(self, message, about_to_send):
        time.sleep(1.6 * LEASE_US / 1e6 if self.is_late(message.key) else LATENCY)
        return self.inner.deliver(message, about_to_send)

    def is_late(self, key):
        """Whether this call outlasts its lease: the first one for some customers."""
        customer, _, _, step, *_ = key.split("/")
        if int(customer) % LATE_EVERY or step != "p4":
            return False
        try:
            os.close(os.open(f"{self.inner.path}.late.{customer}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def find(self, key):
        return self.inner.find(key)


class Told(logging.Handler):
    """The worker's log, written at once and whole lines only, so that a kill cannot take it along."""

    def __init__(self, path):
        super().__init__()
        self.descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def emit(self, record):
        os.write(self.descriptor, f"{os.getpid()} {record.getMessage()}\n".encode())


def sweep_on(folder, gateway_class):
    """What the worker's second thread does in production, all the time."""
    runtime = opened(folder)
    while True:
        outbox.sweep(runtime, gateway=gateway_class(folder / "receiver.db"))
        time.sleep(0.1)


def ask_people(folder, gateway_class):
    """A person looks at the receiver for each doubtful message and says what they saw."""
    runtime = opened(folder)
    effects = set(gateway_class(folder / "receiver.db").effects())
    manager = User.get()
    for action in Action.select().where(Action.state == "uncertain"):
        delivered = action.key in effects
        runtime.execute(
            ResolveUncertain(actor=manager.id, reason="looked it up", action=action.id, delivered=delivered)
        )
    runtime.close()


def work(folder, gateway_class, alone=False):
    """One worker: deliver until nothing is left."""
    runtime = opened(folder)
    gateway = Slow(gateway_class(folder / "receiver.db"))
    while True:
        outbox.deliver(runtime, gateway=gateway, prepare=conftest.letter_for, batch=5, lease_us=LEASE_US)
        blocked = Action.select().where(Action.state.in_(("claimed", "sending"))).count()
        if alone:
            outbox.sweep(runtime, gateway=gateway)
        waiting = Action.select().where(Action.state == "due", Action.not_before_at > runtime.now_at()).count()
        if not blocked and not waiting:
            return
        time.sleep(0.05)


class Fleet:
    """Two workers and somebody who kills them."""

    def __init__(self, folder, gateway_class):
        self.folder, self.gateway_class = folder, gateway_class
        self.chance = random.Random(20260331)
        self.workers, self.stopped = set(), {}
        self.kills = self.between = self.stops = 0
        self.log = folder / "workers.log"
        self.looked, self.read, self.held = 0.0, 0, {}

    def hire(self):
        child = os.fork()
        if child == 0:
            try:
                work(self.folder, self.gateway_class)
            except BaseException:
                logging.exception("the worker failed")
                os._exit(1)
            os._exit(0)
        self.workers.add(child)

    def run(self):
        self.log.touch()
        sweeper = os.fork()
        if sweeper == 0:
            sweep_on(self.folder, self.gateway_class)
        try:
            while len(self.workers) < 2:
                self.hire()
            while self.workers and not self.is_red():
                self.go_on()
        finally:
            for process in (*self.workers, sweeper):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)

    def go_on(self):
        time.sleep(self.chance.uniform(0.005, 0.04))
        self.wake()
        self.bury()
        # Mostly whoever is at work; now and then one that is starting, waiting or ending.
        awake = sorted(worker for worker in self.workers - self.stopped.keys() if self.is_a_target(worker))
        if awake and self.kills < KILLS:
            self.aim(self.chance.choice(awake))
        while self.workers and len(self.workers) < 2 and self.kills < KILLS:
            self.hire()
        if not self.workers and self.left():
            self.hire()

    def is_red(self, at_most_every=1.0):
        """A second effect of one key ends the run at once."""
        if time.monotonic() < self.looked + at_most_every:
            return False
        self.looked = time.monotonic()
        effects = self.gateway_class(self.folder / "receiver.db").effects()
        return len(effects) > len(set(effects))

    def is_a_target(self, worker):
        return self.held_by(worker) > 0 or self.chance.random() < 0.02

    def aim(self, worker):
        """Hold a worker still and look again: on a busy machine it may have settled all it held by now."""
        os.kill(worker, signal.SIGSTOP)
        if self.is_a_target(worker):
            self.strike(worker)
        else:
            os.kill(worker, signal.SIGCONT)

    def strike(self, worker):
        if self.stops < STOPS and self.stops * 4 <= self.kills and not self.stopped:
            os.kill(worker, signal.SIGSTOP)
            self.stops += 1
            self.stopped[worker] = time.monotonic() + 1.5 * LEASE_US / 1e6
            return
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        self.workers.discard(worker)
        self.kills += 1
        self.between += self.held_by(worker) > 0
        self.hire()

    def wake(self):
        for worker, until in list(self.stopped.items()):
            if time.monotonic() >= until:
                os.kill(worker, signal.SIGCONT)
                del self.stopped[worker]

    def bury(self):
        for worker in list(self.workers):
            done, status = os.waitpid(worker, os.WNOHANG)
            if done:
                self.workers.discard(worker)
                if os.waitstatus_to_exitcode(status) != 0:
                    raise SystemExit("a worker failed by itself")

    def held_by(self, worker):
        """Actions the worker had claimed and not settled, by its own log."""
        with self.log.open() as log:
            log.seek(self.read)
            for line in log.readlines():
                pid, verb, key, *_ = line.split()
                if verb == "claimed":
                    self.held.setdefault(int(pid), set()).add(key)
                elif verb == "settled":
                    self.held.setdefault(int(pid), set()).discard(key)
            self.read = log.tell()
        return len(self.held.get(worker, ()))

    def left(self):
        """Whether anything can still be sent without a person."""

        def ask():
            runtime = opened(self.folder)
            open_now = [action.id for action in Action.select().where(Action.state.in_(("claimed", "sending")))]
            os._exit(3 if open_now or claims.due(runtime, 2**62, 1) else 0)

        return in_child(ask) == 3


def without_generation():
    """Take the generation out of the fence."""
    settlements.fence = lambda claimed: {"id": claimed.action_id}


def main():
    mode, folder = sys.argv[1], Path(sys.argv[2])
    gateway_class = conftest.OneWayGateway if "--one-way" in sys.argv else conftest.CountingGateway
    if mode == "crash":
        folders = crash_everywhere(folder, gateway_class)
        print(json.dumps([told(here, gateway_class) for here in folders]))
        return
    if "--no-generation" in sys.argv:
        without_generation()
    in_child(set_up, folder, CUSTOMERS)
    in_child(gateway_class, folder / "receiver.db")
    for handler in logging.getLogger("engine.outbox").handlers:
        logging.getLogger("engine.outbox").removeHandler(handler)
    logging.getLogger("engine.outbox").addHandler(Told(folder / "workers.log"))
    logging.getLogger("engine.outbox").setLevel(logging.INFO)
    logging.getLogger("engine.outbox").propagate = False
    fleet = Fleet(folder, gateway_class)
    begun = time.monotonic()
    fleet.run()
    doubtful = len(told(folder, gateway_class)["doubtful"])
    while not fleet.is_red(0) and told(folder, gateway_class)["doubtful"]:
        in_child(ask_people, folder, gateway_class)
        in_child(work, folder, gateway_class, True)
    gateway = gateway_class(folder / "receiver.db")
    found = told(folder, gateway_class)
    effects = found["effects"]
    print(
        json.dumps(
            {
                "seconds": round(time.monotonic() - begun, 1),
                "kills": fleet.kills,
                "between": fleet.between,
                "stops": fleet.stops,
                "actions": len(found["states"]),
                "states": Counter(found["states"].values()),
                "twice": sorted(key for key, many in effects.items() if many > 1),
                "never": sorted(set(found["states"]) - set(effects)),
                "doubtful": doubtful,
                "order": conftest.out_of_order(gateway.effects_in_order()),
                "calls": len(gateway.calls()),
            }
        )
    )


if __name__ == "__main__":
    main()
