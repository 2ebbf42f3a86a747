"""Several hosts on one PostgreSQL: two consoles and two workers as real processes, and who sweeps."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from http.cookiejar import CookieJar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, build_opener

import psycopg
import pytest
from argon2 import PasswordHasher

from admin.starting import bind_address, serve_command
from engine import audit, tasks
from engine.locks import Lead
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.setting_up import shipped_documents
from engine.tables import (
    Action,
    AuditEntry,
    CommandRecord,
    Contact,
    Customer,
    Document,
    DueLine,
    Entity,
    Promise,
    User,
)
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of

SECONDS_MAX = 240  # a busy machine starts four processes slowly
PASSWORD = "correct horse battery staple"
WORKER = """
import os, sys
from huey.consumer import Scheduler
from wsgi import huey

Scheduler.periodic_task_seconds = 1  # the minute comes each second
put = huey.enqueue

def noted(task):
    if "sweep" in task.name:
        with open(sys.argv[1], "a") as sweeps:
            sweeps.write(f"{os.getpid()}\\n")
    return put(task)

huey.enqueue = noted
huey.create_consumer(workers=2, worker_type="thread", periodic=True).run()
"""


def until(true, what):
    """Wait until something is so."""
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.2)
    raise AssertionError(f"waited {SECONDS_MAX} s in vain: {what}")


class Unfollowed(HTTPRedirectHandler):
    """Answers with a redirect are looked at, not followed."""

    def redirect_request(self, *_):
        return None


class Person:
    """Somebody with a browser; the session holds on every host."""

    def __init__(self, address, email):
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()), Unfollowed())
        self.token = self.token_in(self.ask(f"{address}/login"))
        self.ask(f"{address}/login", {"email": email, "password": PASSWORD})
        self.token = self.token_in(self.ask(f"{address}/"))

    @staticmethod
    def token_in(answer):
        return re.search(r'name="csrf_token" value="([^"]+)"', answer[1]).group(1)

    def ask(self, url, values=None):
        """Status and text; with values a form is sent."""
        body = None if values is None else urlencode({**values, "csrf_token": self.token}).encode()
        try:
            with self.opener.open(url, body, timeout=120) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


def up(address):
    try:
        with build_opener().open(f"{address}/healthz", timeout=120) as answer:
            return answer.status == 200
    except URLError:
        return False


@pytest.fixture
def world(runtime, entity, users, clock):
    """Shipped policies; twelve customers whose first reminder is due today, as of the real clock."""
    clock.set(datetime.now(UTC))
    User.update(password=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)).execute()
    Entity.update(portfolio_share_bp=10_000, daily_cap=10_000).where(Entity.id == entity.id).execute()
    for document in shipped_documents():
        kept = {"kind": document["kind"], "key": document["key"], "stage": document.get("stage")}
        Document.create(
            **kept, subject=document.get("subject"), sha256=sha256_of(document), body=canonical(document),
            status="approved", from_day=0, approved_at=1,
        )  # fmt: skip
    today = runtime.today(entity)
    person = runtime.vault.create_person({"name": "Accounts Payable", "email": "payables@customer.example"})
    for number in range(12):
        customer = Customer.create(
            entity=entity, number=str(number), name=f"Customer {number}", country="GB", opened_day=today - 900
        )
        Contact.create(customer=customer, person=person, language="en")
        DueLine.create(
            entity_id=entity.id, customer=customer, booked_day=today - 38, recorded_day=today - 38, recorded_at=1,
            number=f"INV-{number}", identity=sha256(str(number).encode()).hexdigest(), invoice_day=today - 38,
            due_day=today - 8, amount_minor=50_000, currency="EUR",
        )  # fmt: skip
    clock.advance(days=-1)
    run_entity(runtime, Entity.get(), today - 1)
    Entity.update(live_from_day=today - 1, sending=True).execute()
    clock.advance(days=1)
    assert run_entity(runtime, Entity.get(), today).state == "done"
    assert Action.select().where(Action.channel == "email", Action.state == "due").count() == 12
    return entity


@pytest.fixture
def start(settings, tmp_path):
    """Start a process of the product on the test's database; all are ended afterwards."""
    environment = {
        **os.environ,
        "DUNWELL_DATABASE": settings.database,
        "DUNWELL_VAR": str(settings.var),
        "DUNWELL_SECRET_KEY": settings.secret_key,
    }
    started = []

    def begin(command):
        with (tmp_path / f"said-{len(started)}").open("w") as said:
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.postgresql("several hosts share a server, not a file")
def test_two_consoles_and_two_workers_share_a_database(runtime, world, users, start, tmp_path):
    """Commands at both consoles at once, each message once, one sweeps; killed -9, the other carries on."""
    held = Action.select(Action.id).where(Action.channel == "email").order_by(Action.id).limit(4)
    Action.update(state="waiting", waiting_for="unconfirmed").where(Action.id.in_(held)).execute()
    consoles = [bind_address("127.0.0.1:0") for _ in range(2)]
    for console in consoles:
        start([*serve_command(console), "--workers", "1"])
    sweeps = tmp_path / "sweeps"
    sweeps.touch()
    workers = {process.pid: process for process in (start([sys.executable, "-c", WORKER, str(sweeps)]) for _ in "12")}
    addresses = [f"http://{console}" for console in consoles]
    until(lambda: all(up(address) for address in addresses), "the consoles answer")

    person = Person(addresses[0], users.collector.email)
    buyers = [Customer.create(entity=world, number=f"B{n}", name=f"Buyer {n}", country="GB") for n in range(6)]
    promised = str(date_of(runtime.today(world) + 5))
    forms = [
        {
            "customer": buyer.id, "amount_minor": "12.50", "currency": "EUR", "promised_day": promised,
            "reason": "said so on the phone", "key": f"promise-{buyer.id}",
        }
        for buyer in buyers
    ]  # fmt: skip
    with ThreadPoolExecutor(8) as hands:
        asked = [(f"{address}/commands/RecordPromise", form) for form in forms for address in addresses]
        answers = [status for status, _ in hands.map(lambda one: person.ask(*one), asked)]
    assert set(answers) == {303}
    assert sorted(promise.customer_id for promise in Promise) == [buyer.id for buyer in buyers]
    assert CommandRecord.select().where(CommandRecord.name == "RecordPromise").count() == len(buyers)
    report = audit.verify_chain()
    assert (report.broken, report.entries) == ((), AuditEntry.select().count())

    sent = Action.select().where(Action.channel == "email", Action.state == "sent")
    until(lambda: sent.count() == 8, "eight messages are sent")
    until(lambda: len(sweeps.read_text().split()) >= 3, "somebody sweeps")
    (leader,) = {int(line) for line in sweeps.read_text().split()}
    workers.pop(leader).kill()
    ((other, _),) = workers.items()
    Action.update(state="due", waiting_for=None).where(Action.state == "waiting").execute()  # nobody rings
    until(lambda: sent.count() == 12, "the other worker sends what is left")
    until(lambda: str(other) in sweeps.read_text().split(), "the other worker sweeps")
    seen = [int(line) for line in sweeps.read_text().split()]
    assert seen == [leader] * seen.count(leader) + [other] * seen.count(other)
    assert {action.attempts for action in sent} == {1}
    delivered = [path.read_text() for path in (runtime.settings.var / "mailbox" / "new").iterdir()]
    assert len(delivered) == 12
    assert len({re.search(r"^Message-ID: *\n? *(\S+)", text, re.M | re.I).group(1) for text in delivered}) == 12


def another(runtime):
    """A second process's view of the same database, in a thread of its own."""
    return Runtime(settings=runtime.settings, database=runtime.database, now=runtime.now, vault=runtime.vault)


def test_one_leads_until_it_lets_go(runtime):
    """Two who ask: the first holds the lead however often it asks, the second has it once the first is gone."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        leads = [Lead(another(runtime), "sweep") for _ in range(2)]
        assert first.submit(leads[0].holds).result()
        assert first.submit(leads[0].holds).result()
        assert not second.submit(leads[1].holds).result()
        first.submit(leads[0].close).result()
        assert second.submit(leads[1].holds).result()
        assert not first.submit(leads[0].holds).result()
        for thread, lead in zip((first, second), leads):
            thread.submit(lead.close).result()
            thread.submit(runtime.database.close).result()


@pytest.mark.postgresql("SQLite has no connection that could break")
def test_a_leader_whose_connection_breaks_does_not_lead(runtime, postgres_url):
    """The server let go of its lock with the connection: it asks again, and finds who has it now."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        leads = [Lead(another(runtime), "sweep") for _ in range(2)]
        assert first.submit(leads[0].holds).result()
        number = first.submit(lambda: runtime.database.connection().info.backend_pid).result()
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute("select pg_terminate_backend(%s, 5000)", (number,))
        assert second.submit(leads[1].holds).result()
        assert not first.submit(leads[0].holds).result()
        for thread, lead in zip((first, second), leads):
            thread.submit(lead.close).result()
            thread.submit(runtime.database.close).result()


@pytest.mark.postgresql("SQLite has no server that could be out")
def test_nobody_leads_while_the_database_is_out(runtime, postgres_url):
    """Asking fails for nobody, which would end the thread that asks; once the database is back one leads."""
    (name,) = runtime.database.execute_sql("select current_database()").fetchone()
    with ThreadPoolExecutor(1) as thread, psycopg.connect(postgres_url, dbname="postgres", autocommit=True) as server:
        lead = Lead(another(runtime), "sweep")
        assert thread.submit(lead.holds).result()
        server.execute(f'alter database "{name}" allow_connections false')
        server.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))
        assert not thread.submit(lead.holds).result()
        server.execute(f'alter database "{name}" allow_connections true')
        assert thread.submit(lead.holds).result()
        thread.submit(lead.close).result()
        thread.submit(runtime.database.close).result()


@pytest.mark.postgresql("SQLite has no server that could restart")
def test_a_worker_outlives_a_restart_of_the_server(
    runtime, postgres_url, make_customer, make_action, counting, prepare, monkeypatch
):
    """What it was doing fails; the next bell is answered on a new connection."""
    action = make_action(make_customer("1"))
    huey = tasks.make_huey(runtime)
    deliver = tasks.outbox.deliver
    monkeypatch.setattr(tasks.outbox, "deliver", lambda runtime: deliver(runtime, gateway=counting, prepare=prepare))

    def answer_a_bell():
        runtime.ring()
        return huey.execute(huey.dequeue())

    with ThreadPoolExecutor(1) as worker:
        number = worker.submit(lambda: runtime.database.connection().info.backend_pid).result()
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute("select pg_terminate_backend(%s, 5000)", (number,))
        worker.submit(answer_a_bell).exception()
        assert Action.get_by_id(action.id).state == "due"
        worker.submit(answer_a_bell).result()
        assert Action.get_by_id(action.id).state == "sent"
        worker.submit(runtime.database.close).result()
    huey.storage.close()
