"""A network that fails, and a provider that is down for a day (promise A3).

Between our gateway and a real small mail server stands a proxy on loopback that spoils each connection
as its seed says. A red test prints the line that runs it again.
"""

import email
import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest

from engine import outbox
from engine.diary import ResolveUncertain
from engine.door_states import FAILURES_MAX, REST_MAX_US
from engine.tables import Action, Door, Entity
from notifiers.gateways import message_id_of
from notifiers.smtp import SmtpGateway, SmtpServer

pytestmark = pytest.mark.sqlite  # the outbox is tried on both elsewhere; here it is the network
HOUR_US = 3_600 * 1_000_000
SENDER = "credit@main.example"
FAULTS = ("fine", "delay", "cut", "reset", "half-open", "garbage", "421", "451")
STEP_SECONDS = 0.15
BYTES_MAX = 6_000  # of one connection before the fault: about four mails
LINES_MAX = 15  # commands


@dataclass(frozen=True)
class Fault:
    """What becomes of one connection, and after how many bytes, or lines of ours, it does."""

    kind: str
    after: int


class FaultyProxy:
    """Passes connections on to a port of this machine, and spoils them.

    Args:
        port: where to.
        draw: gives the fault of the next connection.
    """

    def __init__(self, port, draw):
        self.port, self.draw, self.faults = port, draw, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.here = self.listening.getsockname()[1]
        self.open = set()
        self.connections = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for one in list(self.open):
            one.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            fault = self.draw()
            self.faults.append(fault)
            self.connections.append(Connection(self, client, fault))

    def quiet(self, server):
        """Wait until what was on its way has arrived or is lost: who asks earlier may hear no and send it again."""
        for connection in list(self.connections):
            connection.pumps[0].join()
            connection.hang_up()
        while len(server.ended) < len(self.connections):
            time.sleep(0.002)


class Connection:
    """One connection; both ways are passed on until its fault comes."""

    def __init__(self, proxy, client, fault):
        self.fault, self.client = fault, client
        self.server = socket.create_connection(("127.0.0.1", proxy.port))
        for one in (client, self.server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        proxy.open |= {client, self.server}
        self.passed = self.lines = 0
        self.spoilt = threading.Event()
        self.pumps = [
            threading.Thread(target=self.pumped, args=(pump,), daemon=True) for pump in (self.ours, self.theirs)
        ]
        for pump in self.pumps:
            pump.start()

    def pumped(self, pump):
        with suppress(OSError, ValueError):
            pump()
        if self.fault.kind != "half-open" or not self.spoilt.is_set():
            self.hang_up()

    def hang_up(self):
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def ours(self):
        """What we say, line by line; a code is answered in the server's place, which never hears that line."""
        for line in self.client.makefile("rb"):
            self.lines += not self.in_content(line)
            if self.fault.kind in ("421", "451") and self.lines > self.fault.after and not self.in_content(line):
                self.spoilt.set()
                self.client.sendall(f"{self.fault.kind} not now\r\n".encode())
                return
            self.move(line, self.server)
            if self.spoilt.is_set():
                return

    def in_content(self, line):
        """A server that takes no more says so at a command, or at the dot that ends the content."""
        return not line.startswith((b"ehlo", b"mail", b"rcpt", b"data", b"DATA", b"QUIT", b".\r"))

    def theirs(self):
        while not self.spoilt.is_set() and (part := self.server.recv(4_096)):
            if self.fault.kind == "garbage" and self.passed > self.fault.after:
                part = random.Random(self.fault.after).randbytes(len(part)) + b"\r\n"
            self.move(part, self.client)

    def move(self, part, to):
        if self.fault.kind == "delay":
            threading.Event().wait(self.fault.after / BYTES_MAX / 300)
        room = self.fault.after - self.passed
        self.passed += len(part)
        if self.fault.kind in ("cut", "reset", "half-open") and len(part) > room:
            self.spoilt.set()
            to.sendall(part[: max(0, room)])
            if self.fault.kind == "reset":
                for one in (self.client, self.server):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        to.sendall(part)


def gateway_to(port):
    return SmtpGateway(
        SmtpServer(host="127.0.0.1", port=port, tls="none"), step_seconds=STEP_SECONDS, call_seconds=10 * STEP_SECONDS
    )


def arrived(server):
    """How often each Message-ID was taken, as whole mails only."""
    return Counter(email.message_from_bytes(content)["Message-ID"] for content in server.accepted)


def look_up(runtime, server, manager):
    """A person asks the provider for each doubtful message; how many there were."""
    seen, doubtful = arrived(server), list(Action.select().where(Action.state == "uncertain"))
    for action in doubtful:
        delivered = message_id_of(action.key, SENDER) in seen
        runtime.execute(
            ResolveUncertain(actor=manager, reason="asked the provider", action=action.id, delivered=delivered)
        )
    return len(doubtful)


@pytest.mark.promise("A3")
@pytest.mark.seeds(2, 60)
def test_whatever_the_network_does_no_mail_is_lost_or_sent_twice(
    runtime, make_customer, make_action, prepare, clock, users, dying_server, replay, seed
):
    """Delayed, cut, reset, half open, garbled, put off: each mail arrives once, in doubt only after its content."""
    chance = random.Random(seed)

    bag = []

    def draw():
        bag.extend([] if bag else chance.sample(FAULTS, len(FAULTS)))
        kind = bag.pop()
        return Fault(kind, chance.randrange(LINES_MAX if kind.isdigit() else BYTES_MAX))

    actions = [make_action(make_customer(str(number))) for number in range(25)]
    with dying_server() as server, FaultyProxy(server.port, draw) as proxy:
        gateway, doubted, rounds = gateway_to(proxy.here), 0, 0
        while Action.select().where(Action.state != "sent").exists():
            outbox.sweep(runtime, gateway=gateway)
            outbox.deliver(runtime, gateway=gateway, prepare=prepare, batch=4)
            proxy.quiet(server)
            assert set(arrived(server).values()) <= {1}
            doubted += look_up(runtime, server, users.manager.id)
            clock.advance(hours=1)
            rounds += 1
            assert rounds < 200
        kinds = {fault.kind for fault in proxy.faults}
        taken = arrived(server)
    assert taken == dict.fromkeys((message_id_of(action.key, SENDER) for action in actions), 1)
    assert doubted <= len(proxy.faults)
    assert len(kinds) > 5
    assert max(Action.get_by_id(action.id).attempts for action in actions) < outbox.ATTEMPTS_MAX


# --- down for a day ---------------------------------------------------------------------


@pytest.mark.promise("A3")
@pytest.mark.seeds(1, 20)
def test_a_provider_that_is_down_for_a_day_costs_nothing_but_the_day(
    runtime, live, make_customer, make_action, prepare, clock, users, dying_server, replay, seed
):
    """Sixty mails wait, short messages leave meanwhile at once, and once it is back each mail arrives once."""
    chance = random.Random(seed)
    down, back_at = True, runtime.now_at() + 24 * HOUR_US

    def draw():
        return Fault(chance.choice(("cut", "reset", "421")), 0) if down else Fault("fine", 0)

    mails = [make_action(make_customer(str(number))) for number in range(60)]
    tried, others = [], 0
    with dying_server() as server, FaultyProxy(server.port, draw) as proxy:
        runtime.cache["gateway"] = gateway_to(proxy.here)
        while Action.select().where(Action.state.in_(outbox.IN_FLIGHT)).exists():
            down = runtime.now_at() < back_at
            if down and runtime.now_at() >= back_at - 24 * HOUR_US + others * HOUR_US:
                short = make_action(make_customer(f"p{others}"), channel="sms")
                others += 1
            before = len(proxy.faults)
            outbox.sweep(runtime)
            outbox.deliver(runtime, prepare=prepare)
            assert Action.get_by_id(short.id).state == "sent"  # at once, by its own way
            if down and len(proxy.faults) > before:
                tried.append(runtime.now_at())
            assert not (down and server.accepted)
            clock.advance(minutes=1)
            if down:  # on to the minute in which something may happen
                rests = Door.get(Door.name == "smtp").rests_until_at or 0
                until = min(max(rests, runtime.now_at()), back_at, back_at - 24 * HOUR_US + others * HOUR_US)
                clock.advance(minutes=max(0, -(-(until - runtime.now_at()) // 60_000_000)))
            assert runtime.now_at() < back_at + 3 * HOUR_US
        taken = arrived(server)
    assert others == 24
    assert taken == dict.fromkeys((message_id_of(action.key, SENDER) for action in mails), 1)
    rows = [Action.get_by_id(action.id) for action in mails]
    assert max(row.attempts for row in rows) < outbox.ATTEMPTS_MAX
    assert max(row.settled_at for row in rows) <= back_at + REST_MAX_US * 5 // 4 + 60_000_000
    pauses = [(later - earlier) // 60_000_000 for earlier, later in pairwise(tried)]
    assert len(tried) <= FAILURES_MAX + 36  # a day of one probe an hour, and those before it
    assert pauses[:3] == sorted(pauses[:3])
    assert all(45 <= pause <= 76 for pause in pauses[8:])
    assert len(set(pauses[8:])) > 5  # never at the same minute of each hour
    assert Entity.get_by_id(live.id).sending
