"""The console's lists over a whole portfolio: every page a person can ask for, timed through the application.

    python -m benchmarks.lists --customers 1000000 --database sqlite

Reads the database that ``benchmarks.night`` decided and adds people to sign in as and work to list.
First, next, previous and last page, page 5,000, every sort up and down, every filter and tab, search,
the beginning of an export, the same as somebody who sees two portfolios only, and the pages beside.
"""

import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from argon2 import PasswordHasher
from flask.testing import FlaskClient

from admin.app import create_app
from admin.console import PAGE_ROWS, ConsoleView, cursor
from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from engine.runtime import Runtime
from engine.tables import Action, Customer, Entity, Outcome, User, UserRole, UserScope

PAGE_MS, PAGES = 300, 5_000
TIMES, TIMES_OF_FEW = 12, 1  # each page; of a small portfolio once, to be done in time
MANY = 100_000
PORTFOLIOS = ("P01", "P07")
PASSWORD = "correct horse battery staple"
WORK_SHARE = 0.3  # of the customers have a call, task or letter
STATES = ("open", "open", "done", "sent", "sent", "due", "waiting", "skipped")


@dataclass(frozen=True)
class Asked:
    """One address and what it is called."""

    name: str
    address: str


@dataclass
class Timed:
    """What a page took, in milliseconds, a value a time."""

    name: str
    wall: list[float]
    cpu: list[float]

    def at(self, share: float, values: list[float]) -> float:
        """The value below which a share of the times lies."""
        return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """Every page, for somebody who sees everything and for somebody who sees two portfolios."""
    people(runtime)
    _work(chosen.customers)
    app = create_app(runtime)
    app.extensions["dunwell_limiter"].enabled = False
    pages = list(_pages(app, runtime, chosen.customers))
    times = TIMES if chosen.customers >= MANY else TIMES_OF_FEW
    timed = []
    for who in ("whole", "portfolios") if chosen.customers >= MANY else ("portfolios",):
        client = app.test_client()
        sign_in(client, f"{who}@dunwell.example")
        for page in pages:
            timed.append(_time(client, f"{who}: {page.name}", page.address, times))
    every = [value for one in timed for value in one.wall]
    p95 = sorted(every)[int(0.95 * len(every))]
    worst = max(timed, key=lambda one: one.at(0.95, one.wall))
    found.goal(Goal(f"{chosen.database}.lists_p95", p95, PAGE_MS, "ms"))
    found.goal(Goal(f"{chosen.database}.slowest_list_p95", worst.at(0.95, worst.wall), PAGE_MS, "ms"))
    rows = [
        [
            one.name,
            *(f"{one.at(share, one.wall):.0f}" for share in (0.5, 0.95)),
            f"{one.at(0.5, one.cpu):.0f}",
        ]
        for one in sorted(timed, key=lambda one: -one.at(0.95, one.wall))
    ]
    note = f"{chosen.customers:,} customers; each page {times} times, warm, through the application, slowest first."
    found.table(Table(f"Lists, {chosen.database}", ["page", "p50 ms", "p95 ms", "p50 CPU ms"], rows, note))


def people(runtime: Runtime) -> None:
    """Somebody who sees everything and somebody who sees two portfolios."""
    entity = Entity.get()
    password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with runtime.database.atomic():
        for who, portfolios in (("whole", (None,)), ("portfolios", PORTFOLIOS)):
            email = f"{who}@dunwell.example"
            if User.select().where(User.email == email).exists():
                continue
            user = User.create(email=email, name=who.title(), password=password, fs_uniquifier=who)
            for role in ("credit_manager", "auditor"):
                UserRole.create(user=user, role=role)
            for portfolio in portfolios:
                UserScope.create(user=user, entity=entity, portfolio=portfolio)


def _work(customers: int) -> None:
    """Calls, tasks and letters as they gather in a year."""
    entity, wanted = Entity.get(), int(customers * WORK_SHARE)
    have = Action.select(Action.id).order_by(Action.id.desc()).limit(1).scalar() or 0
    rows = []
    for number in range(have, wanted):
        state = STATES[number % len(STATES)]
        channel = "email" if state in ("sent", "due", "waiting") else ("call", "task")[number % 2]
        customer = number * 3 % customers + 1
        rows.append(
            {
                "key": f"{customer}/bench/{number}",
                "entity_id": entity.id,
                "customer": customer,
                "policy_key": "escalation",
                "episode": number,
                "step_key": "p4",
                "level": number % 4,
                "channel": channel,
                "owner_role": "collector",
                "state": state,
                "due_day": 20_000 + number % 400,
                "created_at": 1,
            }
        )
        if len(rows) == 2_000 or number == wanted - 1:
            Action.insert_many(rows).execute()
            rows = []


def sign_in(client: FlaskClient, email: str) -> None:
    """Sign in as one of ``people``."""
    page = client.get("/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    client.post("/login", data={"email": email, "password": PASSWORD, "csrf_token": token})
    if client.get("/").status_code != 200:
        raise RuntimeError(f"{email} cannot sign in")


def _time(client: FlaskClient, name: str, address: str, times: int) -> Timed:
    timed = Timed(name, [], [])
    for _ in range(times + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        timed.wall.append((time.perf_counter() - wall) * 1_000)
        timed.cpu.append((time.process_time() - cpu) * 1_000)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answers {answer.status_code}")
        answer.close()
    del timed.wall[0], timed.cpu[0]  # what a process does once
    print(f"{name}: {timed.at(0.5, timed.wall):.0f} ms", flush=True)
    return timed


def views_of(app: Any) -> dict[str, ConsoleView]:
    """The lists of the console by endpoint."""
    found = {}
    for endpoint, function in app.view_functions.items():
        view = getattr(function, "__self__", None)
        if isinstance(view, ConsoleView) and endpoint.endswith(".index_view"):
            found[view.endpoint] = view
    return found


def _pages(app: Any, runtime: Runtime, customers: int) -> Iterator[Asked]:
    for endpoint, view in views_of(app).items():
        yield Asked(endpoint, f"{view.url}/")
        for tab in view.tabs:
            yield Asked(f"{endpoint}, {tab.key}", f"{view.url}/?{urlencode({'view': tab.key})}")
        yield Asked(f"{endpoint}, last page", f"{view.url}/?end=1")
        for sort in view.sorts:
            for desc in ("1", ""):
                order = {"sort": sort, "desc": desc} if desc else {"sort": sort}
                yield Asked(f"{endpoint} by {sort}{' down' if desc else ''}", f"{view.url}/?{urlencode(order)}")
        if view.searched:
            for words in ("Lund", "C0500", "and", "Zellcombe", "qqq"):
                yield Asked(f"{endpoint}, search {words}", f"{view.url}/?{urlencode({'search': words})}")
    for values in (
        {"risk_class": "E"},
        {"risk_class": "A"},
        {"segment": "risky"},
        {"view": "held"},
        {"view": "held", "sort": "name"},
        {"risk_class": "B", "segment": "standard", "sort": "name"},
        {"figure": "d90_over"},
        {"level": "2"},
    ):
        yield Asked(f"customers, {', '.join(values.values())}", f"/customers/?{urlencode(values)}")
    yield from _deep(customers)
    yield Asked("dashboard", "/")
    theirs = Customer.select(Customer.id).where(Customer.id >= customers // 2, Customer.portfolio.in_(PORTFOLIOS))
    yield Asked("customer", f"/customers/{theirs.order_by(Customer.id).limit(1).scalar()}")


def _deep(customers: int) -> Iterator[Asked]:
    """Page 5,000 and its neighbours, by the position a reader who went there would have."""
    rows = min(PAGES * PAGE_ROWS, customers // 2)
    for name, model, field, key, url, sort in (
        ("customers by name", Customer, Customer.name, Customer.id, "/customers/", "name"),
        ("customers by class", Outcome, Outcome.risk_class, Outcome.customer, "/customers/", "risk_class"),
        ("diary", Action, Action.due_day, Action.id, "/diary/", "due_day"),
    ):
        at = (
            model.select(field, key).order_by(field, key).offset(min(rows, int(customers * WORK_SHARE) // 2)).limit(1)
        ).tuples()
        for value, row in at:
            for way in ("after", "before"):
                asked = {"sort": sort, way: cursor(value, row)}
                yield Asked(f"{name}, page {rows // PAGE_ROWS:,} {way}", f"{url}?{urlencode(asked)}")
    yield Asked(
        "customers by overdue, page 5,000", f"/customers/?{urlencode({'after': cursor(5_000, customers // 2)})}"
    )


if __name__ == "__main__":
    measured(__doc__, measure)
