"""A console to click on: the application, people who can sign in, a live server, a browser.

For pages of other rooms too: ``signed_in("manager")`` gives a test client, ``page_as("manager")`` a
browser page on a live server whose every answer is watched for policy violations and strangers.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule
from werkzeug.serving import make_server

from admin.app import create_app
from engine.runtime import Runtime
from engine.tables import Contact, Customer, DueLine, Entity, Run, User
from engine.tasks import make_huey

PASSWORD = "correct horse battery staple"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WORKER = Path(__file__).with_name("day_worker.py")
PATIENCE_SECONDS = 120  # of a machine that is busy with other things
# Twice the browser has drawn, and rested: by then scripts have begun what a click or a key makes them begin.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
AXE = {"resultTypes": ["violations"]}  # all rules are asked; what passed need not be described
CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}  # of argon2, which is slow on purpose
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hashed once, with settings that do for tests."""
    return PasswordHasher(**CHEAP).hash(PASSWORD)


@pytest.fixture
def people(users: SimpleNamespace, password_hash: str) -> SimpleNamespace:
    """The users of every role, with a password."""
    User.update(password=password_hash).execute()
    return users


class CompiledTemplates(BytecodeCache):
    """What Jinja made of the templates, kept for the applications of this process: each test makes one."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Hand out what is kept under a name and content."""
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self.kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


class KnownRule(Rule):
    """An address of the console, whose builder is compiled once in this process and not for each test's application."""

    compiled: ClassVar[dict[Any, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        defaults = tuple(sorted((self.defaults or {}).items()))
        key = (tuple(self._trace), tuple(sorted(self.arguments)), defaults, append_unknown)
        if key not in self.compiled:
            self.compiled[key] = super()._compile_builder(append_unknown)
        return self.compiled[key]


Flask.url_rule_class = KnownRule


@pytest.fixture
def app(runtime: Runtime, people: SimpleNamespace) -> Flask:
    """The console on the test's runtime; passwords are hashed as cheaply as those of the people."""
    made = create_app(runtime)
    made.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    made.jinja_env.bytecode_cache = COMPILED
    made.extensions["dunwell_limiter"].enabled = False
    made.extensions["security"].pwd_context.update(**{f"argon2__{name}": value for name, value in CHEAP.items()})
    return made


def token_of(text: str) -> str:
    """The anti-forgery token of a page."""
    found = TOKEN.search(text)
    assert found is not None, "the page carries no token"
    return found.group(1)


class Browser:
    """A test client that is signed in and sends the token with each form."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        """Fill in the sign-in form."""
        self.token = token_of(self.client.get("/login").text)
        answer = self.client.post("/login", data={"email": email, "password": password, "csrf_token": self.token})
        self.token = token_of(self.client.get("/account/").text)  # a small page, for everybody
        return answer

    def get(self, path: str, **more: Any) -> Any:
        """Ask for a page."""
        return self.client.get(path, **more)

    def post(self, path: str, values: dict[str, Any] | None = None, **more: Any) -> Any:
        """Send a form with its token."""
        return self.client.post(path, data={**(values or {}), "csrf_token": self.token}, **more)


@pytest.fixture
def signed_in(app: Flask) -> Callable[[User | str], Browser]:
    """A signed-in client for a user, or for the e-mail address of one."""

    def enter(user: User | str) -> Browser:
        browser = Browser(app.test_client())
        browser.sign_in(user if isinstance(user, str) else user.email)
        return browser

    return enter


@pytest.fixture
def trade() -> ModuleType:
    """The made-up trade of ``trade.py``, beside this file."""
    spec = spec_from_file_location("console_trade", Path(__file__).with_name("trade.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kept:
    """States of a database that several tests begin with: built by the first, copied for the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, runtime: Runtime, name: str, build: Callable[[], None]) -> None:
        """Bring a runtime's database into a state. Ids are the same each time, for nothing is drawn at random."""
        kept, frames = self.folder / name, runtime.settings.var / "frames"
        if runtime.settings.on_postgresql:  # few tests ask for it there
            build()
            return
        if kept.exists():
            shutil.copytree(kept / "frames", frames, dirs_exist_ok=True)
            with closing(sqlite3.connect(kept / "dunwell.db")) as source:
                source.backup(runtime.database.connection())
            return
        build()
        kept.mkdir()
        shutil.copytree(frames, kept / "frames")
        with closing(sqlite3.connect(kept / "dunwell.db")) as target:
            runtime.database.connection().backup(target)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """States kept for this session."""
    return Kept(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def decided(
    runtime: Runtime, entity: Entity, people: SimpleNamespace, trade: ModuleType, clock: Any, kept: Kept
) -> Entity:
    """Thirty customers, adopted; live since; decided a second day, so that there are actions."""
    today = runtime.today(entity)
    clock.advance(days=1)

    def build() -> None:
        trade.put_policies_in_force(people.manager, people.second, today - 400)
        trade.trade(runtime, entity, 30, today=today)
        trade.decide(runtime, entity, today)
        Entity.update(sending=True, live_from_day=today, live_after_run=1).where(Entity.id == entity.id).execute()
        trade.decide(runtime, entity, today + 1)

    kept.fill(runtime, "decided", build)
    found: Entity = Entity.get_by_id(entity.id)
    return found


class Night:
    """A real worker on the same database, and the night that comes when a test says so."""

    def __init__(self, runtime: Runtime, clock: Any) -> None:
        self.runtime, self.clock = runtime, clock
        self.file = runtime.settings.var / "clock"
        self.file.write_text(clock().isoformat())
        make_huey(runtime)
        command = [sys.executable, str(WORKER), str(runtime.settings.var), runtime.settings.secret_key]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def falls(self, entity: Entity) -> Run:
        """Move every clock to the next morning and wait until the worker has decided the day."""
        self.clock.advance(days=1)
        self.file.write_text(self.clock().isoformat())
        day = self.runtime.today(entity)
        (sweep,) = self.runtime.huey._registry._periodic_tasks  # it would come by itself within the minute
        self.runtime.huey.enqueue(sweep())
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            run = Run.get_or_none(
                Run.entity == entity, Run.as_of_day == day, Run.state == "done", Run.kind == "nightly"
            )
            if run is not None:
                return run
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.1)
        raise AssertionError("the worker has not decided the day")

    def end(self) -> None:
        """Stop the worker."""
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def night_of(runtime: Runtime, clock: Any) -> Iterator[Callable[[Entity], Night]]:
    """``night_of(entity)``: a worker that runs all through a story and is not restarted."""
    made = []

    def begin(entity: Entity) -> Night:
        Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
        made.append(Night(runtime, clock))
        return made[0]

    yield begin
    for one in made:
        one.end()


@pytest.fixture
def night(decided: Entity, night_of: Callable[[Entity], Night]) -> Night:
    """A worker on a trade that is decided and live."""
    return night_of(decided)


@pytest.fixture
def dunned(runtime: Runtime, decided: Entity, trade: Any, clock: Any) -> Callable[..., DueLine]:
    """``dunned(number, name, amount_minor)``: a customer with one invoice, 20 days late, that was dunned once."""

    def make(number: str, name: str, amount_minor: int) -> DueLine:
        Entity.update(portfolio_share_bp=10_000).where(Entity.id == decided.id).execute()
        entity = Entity.get_by_id(decided.id)
        today = runtime.today(entity)
        customer = Customer.create(
            entity=entity, number=number, name=name, country="DE", terms_days=30, opened_day=today - 900
        )
        person = runtime.vault.create_person({"name": "Accounts payable", "email": f"payables@{number}.example"})
        Contact.create(customer=customer, person=person, role="accounts payable")
        line: DueLine = DueLine.create(
            entity_id=entity.id,
            customer=customer,
            booked_day=today - 50,
            recorded_day=today - 50,
            recorded_at=0,
            number=f"{number}-1",
            identity=f"{number}-1",
            invoice_day=today - 50,
            due_day=today - 20,
            amount_minor=amount_minor,
            currency="EUR",
        )
        clock.advance(days=1)
        trade.decide(runtime, entity, today + 1)
        return line

    return make


def _closed(app: Flask) -> Callable[..., Iterator[bytes]]:
    """The application whose answers are closed once they are told: the server leaves the file of one open whose
    browser resets the connection, and some later test would be blamed for it."""

    def answer(environ: Any, start_response: Any) -> Iterator[bytes]:
        with closing(app(environ, start_response)) as told:
            yield from told

    return answer


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """A live server on loopback; its address."""
    app.testing = False  # each request of a thread opens and closes its own connection
    server = make_server("127.0.0.1", 0, _closed(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One Chromium for all browser tests; a machine without one skips them."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"no browser at {CHROMIUM}")
    sync_api.expect.set_options(timeout=PATIENCE_SECONDS * 1_000)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


class Watched:
    """A browser page and what it did wrong so far."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.begun = 0
        self.unanswered: set[Any] = set()
        page.set_default_timeout(PATIENCE_SECONDS * 1_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.on("requestfinished", self._answered)
        page.on("requestfailed", self._answered)

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        self.begun += 1
        self.unanswered.add(request)
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and parts.hostname != "127.0.0.1":
            self.strangers.append(request.url)

    def _answered(self, request: Any) -> None:
        self.unanswered.discard(request)

    def goto(self, path: str) -> None:
        """Open a page by its path and wait until it is quiet."""
        self.page.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is there, and what it asked for since, and it asks for nothing more."""
        from playwright.sync_api import Error

        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            begun = self.begun
            try:
                self.page.wait_for_load_state()
                self.page.evaluate(DRAWN)
            except Error:  # it went away while it was asked, and the next one has not come
                continue
            if not self.unanswered and begun == self.begun:
                return
        raise AssertionError(f"no answer to {[request.url for request in self.unanswered]}")

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in through the form, by its visible labels."""
        self.page.goto(self.address + "/login")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda address: "/login" not in address)
        self.settle()

    def check(self, accessible: bool = True) -> None:
        """Nothing was blocked by the policy, nothing left the machine, nothing serious for axe."""
        assert self.strangers == [], "requests left 127.0.0.1"
        assert self.complaints == [], "the browser complained"
        if accessible:
            self.settle()
            assert serious_on(self.page) == []


@pytest.fixture
def serious() -> Callable[[Any], list[str]]:
    """``serious(page)``: what axe calls serious or critical."""
    return serious_on


def serious_on(page: Any) -> list[str]:
    """What axe calls serious or critical on a page, in one line each."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Error

    page.wait_for_load_state()
    try:
        found = Axe().run(page, options=AXE).response["violations"]
    except Error:  # a click returns before its page has come, and the old one went away while it was read
        page.wait_for_load_state()
        found = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{v['id']}: {v['help']} at {[node['target'] for node in v['nodes']][:3]}"
        for v in found
        if v["impact"] in {"serious", "critical"}
    ]


@pytest.fixture
def page_as(chromium: Any, address: str) -> Iterator[Callable[..., Watched]]:
    """A watched browser page, signed in as a user: ``page_as(people.manager, width=390, height=844)``."""
    contexts = []

    def open_page(user: User | None = None, width: int = 1440, height: int = 900, language: str = "en-GB") -> Watched:
        context = chromium.new_context(viewport={"width": width, "height": height}, locale=language)
        contexts.append(context)
        watched = Watched(context.new_page(), address)
        if user is not None:
            watched.sign_in(user.email)
        return watched

    yield open_page
    for context in contexts:
        context.close()
