"""A small world for the engine's stories: policies two people approved, and a ledger of a few lines."""

import hashlib
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from peewee import fn

from engine.commands import mark_dirty
from engine.events import drain_dirty
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Allocation, Credit, CreditLimit, Customer, Decision, Document, DueLine, Entity, Run
from ledger.canonical import canonical, sha256_of
from scoring.features import FACTS_READ, FEATURES
from scoring.labels import TASK
from scoring.model import FEATURES_SHA256, FORMAT, built, score_row

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at
EARLY = 0  # documents of these tests hold from 1970 on


def parameters(**values: int) -> dict[str, Any]:
    """A parameters document: tolerance, minimum and minimum days, and what else is named."""
    named = {"dunning_tolerance": 500, "dunning_minimum": 0, "minimum_contact_days": 0, **values}
    return {
        "format": 1,
        "kind": "parameters",
        "key": "parameters",
        "entity": None,
        "source": "test",
        "parameters": [
            {
                "name": name,
                "kind": "days" if name.endswith("_days") else "money",
                "label": name,
                "meaning": name,
                "low": 0,
                "high": 10**12,
                "values": [{"from": "1970-01-01", "value": value, "segment": None}],
            }
            for name, value in named.items()
        ],
    }


def policy(key: str, stage: str, hit: str, rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A policy document with what every one of them needs."""
    return {
        "format": 1,
        "kind": "policy",
        "key": key,
        "name": key,
        "stage": stage,
        "subject": "customer",
        "entity": None,
        "effective": {"from": "1970-01-01", "until": None},
        "source": "test",
        "because": "the tests need it",
        "hit": hit,
        "rules": rules,
        "cases": [],
        **more,
    }


def rule(key: str, when: Any, then: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule with a label and a reason."""
    return {"key": key, "label": key, "because": "test", "priority": 10, "when": when, "then": then, **more}


def segmentation(large_from: int = 1_000_000) -> dict[str, Any]:
    """Customers with a large open amount are key accounts."""
    return policy(
        "segmentation",
        "segmentation",
        "first",
        [rule("large", {"all": [["open_minor", ">=", large_from]]}, {"segment": "key"})],
        otherwise={"then": {"segment": "standard"}, "because": "all others"},
    )


def hold() -> dict[str, Any]:
    """Orders stop when something is more than 30 days past due."""
    return policy(
        "hold",
        "hold",
        "most_severe",
        [rule("late", {"all": [["leader_days_past_due", ">", 30]]}, {"hold": True, "hold_reason": "late"})],
        otherwise={"then": {"hold": False, "hold_reason": None}, "because": "nothing is late"},
    )


def step(key: str, days: int, **more: Any) -> dict[str, Any]:
    """One step of a scenario."""
    return {"key": key, "days": days, "channel": "email", "template": "reminder_1", **more}


def escalation(steps: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Mail 10 days before the due date and 4, 14, 33 days after it."""
    steps = steps or [
        step("m10", -10, level=0),
        step("p4", 4, level=1),
        step("p14", 14, level=2),
        step("p33", 33, level=3),
    ]
    terms = {
        "tolerance": {"param": "dunning_tolerance"},
        "minimum": {"param": "dunning_minimum"},
        "minimum_days": {"param": "minimum_contact_days"},
        "after_leader_paid": "resume",
        "catch_up": False,
        "scenario_by": "segment",
        "scenarios": {"standard": steps},
        **more,
    }
    document = policy("escalation", "escalation", "most_severe", [], escalation=terms)
    del document["rules"]
    document["otherwise"] = {"then": {"level": 0, "step": None}, "because": "nothing is due"}
    return document


def in_force(document: dict[str, Any], from_day: int = EARLY) -> Document:
    """Put a document in force as if two people had approved it."""
    entity = document.get("entity")
    return Document.create(
        kind=document["kind"],
        key=document["key"],
        stage=document.get("stage"),
        subject=document.get("subject"),
        entity=None if entity is None else Entity.get(Entity.code == entity),
        sha256=sha256_of(document),
        body=canonical(document),
        status="approved",
        from_day=from_day,
        approved_at=1,
    )


def model_body(
    base_micro: int, trained_day: int = DAY - 200, lead: tuple[float, float] = (0.01, 0.05), **card: Any
) -> dict[str, Any]:
    """A score model by hand that says the same of everybody, with the card that a training writes."""
    part = {"from_day": trained_day - 300, "until_day": trained_day - 100, "rows": 200, "customers": 80, "bad": 40}
    body: dict[str, Any] = {
        "format": FORMAT,
        "kind": "score_model",
        "task": TASK,
        "features_sha256": FEATURES_SHA256,
        "prior": {"share_bp": 2_000, "strength": 3},
        "base": base_micro,
        "features": [{"name": f.name, "edges": [], "steps": [0], "unknown": 0, "usual": None} for f in FEATURES],
        "card": {
            "trained_day": trained_day,
            "slices": dict.fromkeys(("fit", "calibrate", "test"), part),
            "measures": {"lead": {"auc": 0.03, "auc_interval": list(lead)}},
            "leak_alarm": False,
            **card,
        },
    }
    facts: dict[str, Any] = dict.fromkeys(FACTS_READ)
    said = score_row(facts, built(body, ""))
    row = {"facts": facts, "raw": said.raw, "score_bp": said.score_bp, "rival_bp": said.rival_bp}
    return body | {"golden": [row]}


class Books:
    """Posts a ledger entry by entry, as of a day."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.count = 0

    def customer(self, number: str, **more: Any) -> Customer:
        """A debtor account."""
        return Customer.create(entity=self.entity, number=number, name=f"Customer {number}", **more)

    def _entry(self, customer: Customer, day: int, kind: str, number: str) -> dict[str, Any]:
        self.count += 1
        return {
            "entity_id": self.entity.id,
            "customer": customer,
            "booked_day": day,
            "recorded_day": day,
            "recorded_at": day * 86_400_000_000,
            "identity": hashlib.sha256(f"{kind}{number}{self.count}".encode()).hexdigest(),
            "number": number,
            "currency": self.entity.currency,
        }

    def invoice(self, customer: Customer, amount_minor: int, day: int, due_day: int | None) -> DueLine:
        """An invoice with one due line."""
        number = f"INV-{self.count + 1:05d}"
        entry = self._entry(customer, day, "invoice", number)
        return DueLine.create(**entry, invoice_day=day, due_day=due_day, amount_minor=amount_minor)

    def payment(self, customer: Customer, line: DueLine, amount_minor: int, day: int) -> Credit:
        """A payment set against a due line."""
        entry = self._entry(customer, day, "payment", "")
        credit = Credit.create(**entry, kind="payment", amount_minor=amount_minor)
        common = {k: entry[k] for k in ("entity_id", "customer", "booked_day", "recorded_day", "recorded_at")}
        Allocation.create(**common, credit=credit, due_line=line, amount_minor=amount_minor)
        return credit


@pytest.fixture
def books(entity: Entity) -> Books:
    """The entity's books."""
    return Books(entity)


@pytest.fixture
def forty_customers(runtime: Runtime, entity: Entity, books: Books) -> Callable[[int], None]:
    """Post eight months of forty customers, who pay early, late or not at all, up to a day."""

    def post(day: int) -> None:
        draw = random.Random(11)
        with runtime.database.atomic():
            for n in range(40):
                customer = books.customer(f"{1000 + n}", terms_days=30, opened_day=day - draw.randrange(50, 3000))
                if draw.random() < 0.7:
                    CreditLimit.create(
                        entity_id=entity.id,
                        customer=customer,
                        booked_day=day - 300,
                        recorded_day=day - 300,
                        recorded_at=0,
                        amount_minor=draw.choice((100_000, 400_000, 1_000_000)),
                        from_day=day - 300,
                    )
                habit = draw.choice((-5, 0, 10, 29, 31, 62))
                for invoice in range(8):
                    booked = day - 240 + invoice * 30 + draw.randrange(5)
                    line = books.invoice(customer, draw.randrange(2_000, 300_000), booked, booked + 30)
                    if booked + 30 + habit < day:
                        books.payment(customer, line, line.amount_minor, max(booked, booked + 30 + habit))

    return post


@pytest.fixture
def policies(runtime: Runtime, entity: Entity, letter_templates: None) -> SimpleNamespace:
    """Segmentation, hold and escalation in force for everybody since 1970; no run is too large."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    return SimpleNamespace(
        parameters=in_force(parameters()),
        segmentation=in_force(segmentation()),
        hold=in_force(hold()),
        escalation=in_force(escalation()),
    )


@pytest.fixture
def day(
    runtime: Runtime, entity: Entity, books: Books, policies: SimpleNamespace, go_live: Callable[[int], Entity]
) -> int:
    """A day with its run, and a payment decided on it as an event."""
    for late in (-10, -3, 0, 3, 4, 13, 14, 33, 90):
        line = books.invoice(books.customer(f"{late}"), 50_000, DAY - 200, DAY - late)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    run_entity(runtime, Entity.get(), DAY)
    books.payment(line.customer, line, 50_000, DAY)
    mark_dirty([line.customer_id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    return DAY


def rewrite(runtime: Runtime, decision: Decision, **columns: Any) -> None:
    """Change a decision behind the program's back."""
    on = " on decision" if runtime.settings.on_postgresql else ""
    runtime.database.execute_sql(f"drop trigger if exists decision_no_update{on}")
    Decision.update(**columns).where(Decision.id == decision.id).execute()


@pytest.fixture
def go_live(runtime: Runtime, entity: Entity) -> Callable[[int], Entity]:
    """Make the entity live from a day, as two people would."""

    def live(from_day: int) -> Entity:
        last = Run.select(fn.max(Run.id)).where(Run.entity == entity).scalar() or 0
        Entity.update(live_from_day=from_day, sending=True, live_after_run=last).where(Entity.id == entity.id).execute()
        return Entity.get_by_id(entity.id)

    return live
