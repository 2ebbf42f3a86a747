"""What outbox tests share: an entity that sends, actions to send, gateways that count, servers that die."""

import os
import socketserver
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.diary import _same_step  # noqa: F401 - registers the commands
from engine.reaching import address_of
from engine.sending import Go, NoAddress
from engine.tables import Action, Contact, Customer, Entity
from notifiers.composing import Composed
from notifiers.gateways import Receipt

HOUR_US = 3_600 * 1_000_000


class CountingGateway:
    """An idempotent receiver with a database of its own: effects by key, and every call."""

    name = "counting"
    idempotent = True
    table = "effect"

    def __init__(self, path: Path) -> None:
        self.path, self.kept = path, None
        with closing(self.open()) as connection:
            connection.execute("create table if not exists effect (key text primary key)")
            connection.execute("create table if not exists taken (key text)")
            connection.execute("create table if not exists call (key text)")

    def open(self):
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")  # processes are killed here, the power stays on
        return connection

    def write(self, *statements):
        """Execute as one transaction, on a connection this process keeps."""
        if self.kept is None or self.kept[0] != os.getpid():
            self.kept = (os.getpid(), self.open())
        connection = self.kept[1]
        connection.execute("begin immediate")
        for statement, key in statements:
            connection.execute(statement, (key,))
        connection.execute("commit")

    def deliver(self, message, about_to_send):
        self.write(
            ("insert into call values (?)", message.key),
            ("insert or ignore into effect values (?)", message.key),
        )
        return Receipt(self.name, "taken")

    def find(self, key):
        with closing(self.open()) as connection:
            found = connection.execute("select 1 from effect where key = ?", (key,)).fetchone()
        return Receipt(self.name, "taken") if found else None

    def effects(self):
        with closing(self.open()) as connection:
            return [key for (key,) in connection.execute("select key from effect order by key")]

    def effects_in_order(self):
        with closing(self.open()) as connection:
            return [key for (key,) in connection.execute(f"select key from {self.table} order by rowid")]

    def note_call(self, key):
        self.write(("insert into call values (?)", key))

    def calls_of(self, key):
        return self.calls().count(key)

    def calls(self):
        with closing(self.open()) as connection:
            return [key for (key,) in connection.execute("select key from call order by rowid")]


class OneWayGateway(CountingGateway):
    """A receiver that drops no repeat and cannot be asked, like a mail server: each call is an effect."""

    name = "oneway"
    idempotent = False
    table = "taken"

    def deliver(self, message, about_to_send):
        about_to_send()
        self.write(
            ("insert into call values (?)", message.key),
            ("insert into taken values (?)", message.key),
        )
        return Receipt(self.name, "taken")

    def find(self, key):
        return None

    def effects(self):
        with closing(self.open()) as connection:
            return [key for (key,) in connection.execute("select key from taken order by key")]


class LastCall:
    """Takes a message, and then the worker dies."""

    def __init__(self, inner):
        self.inner, self.name, self.idempotent = inner, inner.name, inner.idempotent

    def deliver(self, message, about_to_send):
        self.inner.deliver(message, about_to_send)
        raise SystemExit


@pytest.fixture
def dying_after():
    """The class itself: ``dying_after(gateway)``."""
    return LastCall


def out_of_order(keys):
    """Keys that arrived before an earlier step of the same customer."""
    seen, wrong = set(), []
    for key in keys:
        customer, _, _, step, *_ = key.split("/")
        if step == "p14" and (customer, "p4") not in seen:
            wrong.append(key)
        seen.add((customer, step))
    return wrong


def letter_for(runtime, action, now_at, gateway):
    """Prepare a short letter without deciding again: for tests of the outbox itself."""
    reached = address_of(runtime, action.customer_id)
    if reached is None:
        return NoAddress()
    return Go(
        person=reached.person,
        to_address=reached.address,
        to_name=reached.name,
        from_address="credit@main.example",
        from_name="Main Ltd",
        letter=Composed("Reminder", f"Action {action.key}", f"<p>Action {action.key}</p>", "en"),
        edition=None,
    )


@pytest.fixture
def live(runtime, entity):
    """An entity that went live today and sends."""
    Entity.update(live_from_day=runtime.today(entity), sending=True, daily_cap=10_000).where(
        Entity.id == entity.id
    ).execute()
    return Entity.get_by_id(entity.id)


@pytest.fixture
def make_customer(runtime, live):
    """Make a customer with a contact: ``make_customer("1002")``; ``email=None`` leaves the contact out."""

    def make(number, email="payables@customer.example", **changes):
        customer = Customer.create(entity=live, number=number, name=f"Customer {number}", country="DE", **changes)
        if email is not None:
            person = runtime.vault.create_person({"name": "Accounts Payable", "email": email})
            Contact.create(customer=customer, person=person)
        return customer

    return make


@pytest.fixture
def make_action(runtime):
    """Make an action of a customer: ``make_action(customer, step="p4", level=1)``."""

    def make(customer, step="p4", level=1, state="due", channel="email", episode=1, **changes):
        return Action.create(
            key=f"{customer.id}/escalation/{episode}/{step}/0/{channel}",
            entity_id=customer.entity_id,
            customer=customer,
            policy_key="escalation",
            episode=episode,
            step_key=step,
            level=level,
            channel=channel,
            state=state,
            due_day=runtime.today(),
            created_at=runtime.now_at(),
            **{"template": "reminder_1", "owner_role": "collector", **changes},
        )

    return make


@pytest.fixture
def counting(tmp_path):
    """An idempotent receiver."""
    return CountingGateway(tmp_path / "receiver.db")


@pytest.fixture
def one_way(tmp_path):
    """A receiver that is not idempotent."""
    return OneWayGateway(tmp_path / "receiver.db")


@pytest.fixture
def prepare():
    """The short letter as a fixture, since test folders import nothing from each other."""
    return letter_for


class DyingServer(socketserver.ThreadingTCPServer):
    """A mail server that dies at one line of the protocol, before or after it has acted on it.

    Args:
        dies_at: a verb (EHLO, MAIL, RCPT, DATA, dot) or "connect"; None: it lives.
        when: "before" (the line is not acted on), "after" (acted on, but no answer) or a number:
            it answers with that code instead.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, dies_at=None, when="before"):
        self.dies_at, self.when = dies_at, when
        self.accepted, self.sessions, self.ended = [], 0, []
        super().__init__(("127.0.0.1", 0), Session)

    @property
    def port(self):
        return self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    """One conversation."""

    def handle(self):
        self.server.sessions += 1
        if self.step("connect", "220 mail.test ready"):
            return
        while line := self.rfile.readline():
            verb = line.split()[0].upper().decode() if line.split() else ""
            if verb == "DATA":
                if self.step("DATA", "354 go ahead"):
                    return
                if self.server.dies_at != "DATA" and self.take_content():
                    return
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif self.step(verb, "250 mail.test" if verb == "EHLO" else "250 fine"):
                return

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.ended.append(True)

    def take_content(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                return True  # who hangs up within the content has sent nothing
            lines.append(line)
        content = b"".join(lines)

        def act():
            self.server.accepted.append(content)

        return self.step("dot", "250 taken", act)

    def step(self, name, answer, act=lambda: None):
        """Do one step of the protocol; True: the connection is dead."""
        if self.server.dies_at != name:
            act()
            self.say(answer)
            return False
        if self.server.when == "before":
            return True
        if self.server.when == "after":
            act()
            return True
        self.say(f"{self.server.when} no")
        return False

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def dying_server():
    """The class itself: ``with dying_server("DATA", "after") as server``."""
    return DyingServer
