"""A small made-up trade for pages to show: forty customers, their invoices, a run, a go-live.

Loaded by the console's conftest. Names are invented, addresses end in ``.example``.
"""

import random
from typing import Any

from engine.promotion import PromoteModel
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.setting_up import shipped_documents
from engine.tables import (
    Allocation,
    Contact,
    Credit,
    CreditLimit,
    Customer,
    Dispute,
    Document,
    DueLine,
    Entity,
    Promise,
    ScoreModel,
    User,
)
from engine.training import RegisterModel
from ledger.canonical import canonical, sha256_of
from scoring.features import FACTS_READ, FEATURES
from scoring.labels import TASK
from scoring.model import FEATURES_SHA256, FORMAT, built, score_row

FIRST = tuple("Hollow Amber Stone Copper Linden Harbour Maple Granite Silver Meadow Falcon Juniper Beacon".split())  # noqa: SIM905
LAST = tuple("Oak Trading/Components/Foods/Paper Works/Textiles/Marine Supply/Timber/Packaging/Optics".split("/"))  # noqa: SIM905
COUNTRIES = ("DE", "FR", "NL", "AT", "PL", "GB")


def put_policies_in_force(first: User, second: User, from_day: int) -> None:
    """The shipped documents, as if proposed and approved by two people."""
    for document in shipped_documents():
        Document.create(
            kind=document["kind"],
            key=document["key"],
            stage=document.get("stage"),
            subject=document.get("subject"),
            sha256=sha256_of(document),
            body=canonical(document),
            status="approved",
            from_day=from_day,
            reason="as shipped",
            proposed_by=first,
            proposed_at=1,
            approved_by=second,
            approved_at=2,
        )


def trade(
    runtime: Runtime,
    entity: Entity,
    customers: int = 40,
    seed: int = 7,
    portfolio: str | None = None,
    prefix: str = "",
    today: int | None = None,
) -> None:
    """Write customers with a year of invoices; some pay late, some not at all."""
    draw = random.Random(seed)
    today = runtime.today(entity) if today is None else today
    with runtime.database.atomic():
        for n in range(customers):
            name = f"{FIRST[n % len(FIRST)]} {LAST[(n * 7) % len(LAST)]}"
            _customer(runtime, entity, draw, today, f"{prefix}{10_000 + n}", name, portfolio)


def _customer(
    runtime: Runtime, entity: Entity, draw: random.Random, today: int, number: str, name: str, portfolio: str | None
) -> None:
    terms = draw.choice((14, 30, 30, 45, 60))
    customer = Customer.create(
        entity=entity,
        number=number,
        name=name,
        country=draw.choice(COUNTRIES),
        terms_days=terms,
        opened_day=today - draw.randrange(400, 3000),
        portfolio=portfolio,
    )
    person = runtime.vault.create_person(
        {"name": "Accounts payable", "email": f"payables@{number}.example", "phone": "", "address": ""}
    )
    Contact.create(customer=customer, person=person, role="accounts payable")
    size = draw.lognormvariate(8, 0.9)
    if draw.random() < 0.8:
        _entry(CreditLimit, customer, today - 200, amount_minor=int(size * 6) // 10 * 1000, from_day=today - 200)
    habit = draw.choice((-3, 0, 4, 9, 20, 45, 80))
    for n in range(14):
        booked = today - 350 + n * 25 + draw.randrange(10)
        amount = int(size * draw.uniform(30, 160))
        line = _entry(
            DueLine,
            customer,
            booked,
            number=f"{number}-{n + 1:02d}",
            identity=f"{number}-{n}",
            invoice_day=booked,
            due_day=booked + terms,
            amount_minor=amount,
            currency=entity.currency,
        )
        paid = booked + terms + habit + draw.randrange(-4, 8)
        if paid < today:
            _pay(customer, line, max(paid, booked), amount)
        elif draw.random() < 0.12:
            _entry(Dispute, customer, today - 3, due_line=line, reason="quantity differs from the delivery note")
        elif draw.random() < 0.15:
            _entry(
                Promise,
                customer,
                today - 2,
                due_line=line,
                amount_minor=amount,
                currency=entity.currency,
                promised_day=today + draw.randrange(1, 15),
                after_credit_id=0,
            )


def _pay(customer: Customer, line: DueLine, day: int, amount: int) -> None:
    credit = _entry(
        Credit,
        customer,
        day,
        kind="payment",
        number=f"P{line.number}",
        identity=f"p{line.identity}",
        amount_minor=amount,
        currency=line.currency,
    )
    _entry(Allocation, customer, day, credit=credit, due_line=line, amount_minor=amount)


def _entry(model: type, customer: Customer, day: int, **values: object) -> object:
    return model.create(
        entity_id=customer.entity_id, customer=customer, booked_day=day, recorded_day=day, recorded_at=0, **values
    )


def decide(runtime: Runtime, entity: Entity, day: int) -> None:
    """Decide the entity as of a day."""
    run_entity(runtime, entity, day)


def model_in_force(runtime: Runtime, first: User, second: User, trained_day: int) -> ScoreModel:
    """A model by hand that reads how late the oldest item is, proposed and approved by two people."""
    edges = list(range(-40, 120))
    features = [{"name": f.name, "edges": [], "steps": [0], "unknown": 0, "usual": None} for f in FEATURES]
    for one in features:
        if one["name"] == "leader_days_past_due":
            one |= {"edges": edges, "steps": [number * 30_000 for number in range(len(edges) + 1)], "usual": -10}
        if one["name"] == "shrunk_late_share_bp":
            one |= {"edges": [2_000, 4_000], "steps": [-200_000, 100_000, 700_000], "usual": 3_000}
    tenths = [{"rows": 100, "expected": 5.0 + 10 * number, "bad": 4 + 10 * number} for number in range(10)]
    body: dict[str, Any] = {
        "format": FORMAT,
        "kind": "score_model",
        "task": TASK,
        "features_sha256": FEATURES_SHA256,
        "prior": {"share_bp": 2_000, "strength": 3},
        "base": -2_000_000,
        "features": features,
        "card": {
            "trained_day": trained_day,
            "slices": {name: {"until_day": trained_day} for name in ("fit", "calibrate")},
            "measures": {"score": {"reliability": tenths}},
            "leak_alarm": False,
        },
    }
    facts = dict.fromkeys(FACTS_READ)
    answer = score_row(facts, built(body, ""))
    golden = {"facts": facts, "raw": answer.raw, "score_bp": answer.score_bp, "rival_bp": answer.rival_bp}
    body |= {"golden": [golden]}
    name = sha256_of(body)
    runtime.execute(RegisterModel(actor=first.id, reason="the first", body=canonical(body), sha256=name))
    row: ScoreModel = ScoreModel.get(ScoreModel.sha256 == name)
    runtime.execute(
        PromoteModel(actor=second.id, reason="the first", model=row.id, sha256=name, override="made by hand")
    )
    return row
