"""The town before the year begins: companies, people, rules two people approved, customers, adopted and live."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sim_books import Account

from engine.going_live import ApproveGoLive, ProposeGoLive
from engine.governance import ApproveDocument, ProposeDocument
from engine.importing import ImportFile, import_file
from engine.runs import run_entity
from engine.runtime import Runtime, build
from engine.sending_terms import SetSendingTerms
from engine.setting_up import CreateEntity
from engine.settings import Settings
from engine.tables import Document, Entity, ExchangeRate, User, UserRole, UserScope
from ledger.days import day_of
from ledger.money import RATE_SCALE
from rules.documents import shipped

FIRST_DAY = day_of(datetime(2026, 1, 7, tzinfo=UTC).date())  # the first day of the year, a Wednesday
SECRET = "a secret only for tests, 32 characters and more"
COMPANIES = {
    "NORTH": ("Europe/Berlin", "DE", "EUR"),
    "EAST": ("America/New_York", "US", "USD"),
}
PEOPLE = {"manager": "credit_manager", "second": "credit_manager", "collector": "collector"}
# Country, and how late the customer usually pays: about the days on which steps fall due, or, None, when
# somebody asks. What is booked and agreed on the day of a step shows most faults.
CUSTOMERS = {
    "NORTH": [("DE", 3), ("DE", None), ("FR", 3), ("GB", None), ("DE", 11), ("FR", 0), ("GB", None)],
    "EAST": [("US", None), ("US", 3), ("US", None), ("GB", 11), ("US", None), ("US", 0)],
}
ZONES = {"DE": "Europe/Berlin", "FR": "Europe/Paris", "GB": "Europe/London", "US": "America/New_York"}
UNREACHED = {"EAST3"}  # nobody knows its address
FOREIGN = {"NORTH4": "GBP", "EAST4": "GBP"}  # now and then billed in pounds, which are worth one of either company's
DAILY_CAP = {"NORTH": 50, "EAST": 3}
ITEMS = "kind,customer,number,day,due,amount,currency,reference"


def _columns(**names: str) -> dict[str, Any]:
    return {field: {"column": column} for field, column in names.items()}


def _mapping(key: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {"format": 1, "kind": "mapping", "key": key, "name": key, "decimal_mark": "."}
    return {**kept, "file": {"delimiter": ",", "encoding": "utf-8"}, "records": records}


_SETTLES = _columns(
    customer="customer",
    booked_on="day",
    amount="amount",
    currency="currency",
    reference="reference",
)
ITEMS_MAPPING = _mapping(
    "town_items",
    [
        {
            "kind": "invoice",
            "present_when": "invoice",
            "fields": _columns(
                customer="customer",
                number="invoice",
                invoiced_on="day",
                due_on="due",
                amount="amount",
                currency="currency",
            ),
        },
        *(
            {"kind": kind, "present_when": kind, "fields": {**_SETTLES, "number": {"column": kind}}}
            for kind in ("payment", "credit_note", "write_off")
        ),
    ],
)
CUSTOMERS_MAPPING = _mapping(
    "town_customers",
    [
        {"kind": "customer", "fields": _columns(number="customer", name="name", country="country")},
        {
            "kind": "contact",
            "present_when": "email",
            "fields": _columns(customer="customer", email="email", mobile="mobile"),
        },
    ],
)


def written(header: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """A file as accounts would export it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header.split(","), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def accounts() -> list[Account]:
    """The town's customers, with empty books."""
    return [
        Account(f"{company}{number}", company, country, ZoneInfo(ZONES[country]), late)
        for company, customers in CUSTOMERS.items()
        for number, (country, late) in enumerate(customers, 1)
    ]


def opened(folder: Path, now: Any, kept: dict[str, Any]) -> Runtime:
    """A worker's runtime on the files of a town."""
    settings = Settings(database=f"sqlite:///{folder / 'dunwell.db'}", var=folder, secret_key=SECRET)
    runtime = build(settings, now=now)
    runtime.cache.update(kept)
    return runtime


def set_up(folder: Path, ready_file: Path, kept: dict[str, Any]) -> None:
    """Make the town's database: the evening before its first day everybody is adopted and both companies are live."""
    shutil.copyfile(ready_file, folder / "dunwell.db")
    runtime = opened(folder, lambda: datetime(2026, 1, 6, 20, tzinfo=UTC), kept)
    for code, (zone, country, currency) in COMPANIES.items():
        runtime.execute(
            CreateEntity(
                actor=None, reason="it trades", code=code, name=f"{code.title()} Ltd", currency=currency, zone=zone,
                country=country, portfolio_share_bp=5_000,
            )
        )  # fmt: skip
    for _, _, currency in COMPANIES.values():
        rate = {"base": currency, "currency": "GBP", "day": FIRST_DAY - 900, "rate_e9": RATE_SCALE}
        ExchangeRate.create(**rate, source="the town", recorded_at=0)
    who = _people()
    for document in _documents():
        put_in_force(runtime, document, who, FIRST_DAY - 1)
    for code in COMPANIES:
        _adopt(runtime, code, who)
    hours = {"entity": "NORTH", "daily_cap": DAILY_CAP["NORTH"], "email_hours": "8-18"}
    runtime.execute(SetSendingTerms(actor=who["manager"], reason="mail reaches people at work", **hours))
    runtime.database.shut()


def _people() -> dict[str, int]:
    """One person for each place, as if an administrator had let them in."""
    made = {}
    for place, role in PEOPLE.items():
        user = User.create(email=f"{place}@town.example", name=place, fs_uniquifier=place)
        UserRole.create(user=user, role=role)
        for entity in Entity.select():
            UserScope.create(user=user, entity=entity)
        made[place] = user.id
    return made


def people() -> dict[str, int]:
    """Ids of the people, by place."""
    return {str(user.name): user.id for user in User.select()}


def put_in_force(runtime: Runtime, document: int | Mapping[str, Any], who: Mapping[str, int], from_day: int) -> None:
    """Propose a document, and let a second person approve it."""
    proposal = ProposeDocument(actor=who["manager"], reason="agreed", document=document, from_day=from_day)
    proposed = runtime.execute(proposal)
    approval = {"document_id": proposed["document"], "sha256": proposed["sha256"]}
    runtime.execute(ApproveDocument(actor=who["second"], reason="read", **approval))


def _adopt(runtime: Runtime, code: str, who: Mapping[str, int]) -> None:
    rows = [
        {
            "customer": account.number,
            "name": f"Customer {account.number}",
            "country": account.country,
            "email": "" if account.number in UNREACHED else account.email,
            "mobile": "+447700900123" if account.country == "GB" and account.company == "NORTH" else "",
        }
        for account in accounts()
        if account.company == code
    ]
    take_in(runtime, code, CUSTOMERS_MAPPING, written("customer,name,country,email,mobile", rows), "customers", who)
    entity = Entity.get(Entity.code == code)
    run_entity(runtime, entity, runtime.today(entity))
    runtime.execute(ProposeGoLive(actor=who["manager"], reason="ready", entity=code, daily_cap=DAILY_CAP[code]))
    runtime.execute(ApproveGoLive(actor=who["second"], reason="ready", entity=code))


def take_in(
    runtime: Runtime, code: str, mapping: Mapping[str, Any], content: bytes, key: str, who: Mapping[str, int]
) -> None:
    """Import a file; the same key twice is the same import."""
    asked = ImportFile(
        actor=who["manager"], reason="evening export", key=f"{code}/{key}", entity=code, mapping=mapping,
        content=content, file_name=f"{key}.csv",
    )  # fmt: skip
    import_file(runtime, asked)


# --- rules -----------------------------------------------------------------------------


def _documents() -> list[int | dict[str, Any]]:
    """Drafts of the shipped parameters and templates, and the town's own policies: in the order they build on."""
    drafts = Document.select().where(Document.kind.in_(("template", "parameters"))).order_by(Document.id)
    return [*(draft.id for draft in drafts), _segmentation(), _escalation()]


def _policy(key: str, stage: str, hit: str, **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "kind": "policy",
        "key": key,
        "name": key.title(),
        "stage": stage,
        "subject": "customer",
        "entity": None,
        "effective": {"from": "2010-01-01", "until": None},
        "source": "the town's credit policy",
        "because": "the town agreed on it",
        "hit": hit,
        "cases": [],
        **more,
    }


def _segmentation() -> dict[str, Any]:
    """Who is insolvent is left alone; who owes much is a key account."""
    rules = [
        {"key": "insolvent", "when": ["insolvent", "==", True], "then": {"segment": "insolvent"}},
        {"key": "large", "when": ["open_minor", ">=", 600_000], "then": {"segment": "key_account"}},
    ]
    named = [{"label": one["key"], "because": "agreed", "priority": 10 * n, **one} for n, one in enumerate(rules, 1)]
    otherwise = {"then": {"segment": "standard"}, "because": "everybody else"}
    return _policy("segmentation", "segmentation", "first", rules=named, otherwise=otherwise)


def _step(key: str, channel: str, template: str, level: int = 0, **more: Any) -> dict[str, Any]:
    mode = {} if channel in ("call", "task") else {"mode": more.pop("mode", "automatic")}
    owner = {"owner": "collector"} if channel in ("call", "task") else {}
    return {
        "key": key, "channel": channel, "template": template, "label": key, "because": "agreed",
        **({"level": level} if level else {}), **mode, **owner, **more,
    }  # fmt: skip


def _escalation() -> dict[str, Any]:
    """Mail, call, short message; the last word is confirmed by a person."""
    terms = next(json.loads(json.dumps(one)) for one in shipped() if one["key"] == "escalation")["escalation"]
    standard = [
        _step("s-m5", "email", "before_due", days=-5),
        _step("s-p3", "email", "reminder_1", 1, days=3),
        _step("s-p7", "call", "call_first", 2, days=7),
        _step("s-p11", "sms", "reminder_2", 3, days=11, otherwise=["email"]),
        _step("s-after", "email", "reminder_2", 4, after_previous=4),
        _step("s-p20", "email", "reminder_penalties", 5, days=20, mode="confirm"),
        _step("s-month", "task", "litigation", 6, end_of_month=30),
    ]
    key_account = [
        _step("k-p4", "call", "call_first", 1, days=4, blocks=True),
        _step("k-p9", "email", "reminder_1", 2, days=9, mode="confirm"),
        _step("k-p15", "email", "reminder_2", 3, days=15),
    ]
    terms["scenarios"] = {"standard": standard, "key_account": key_account}
    otherwise = {"then": {"level": 0, "step": None}, "because": "nothing is due"}
    return _policy("escalation", "escalation", "most_severe", escalation=terms, otherwise=otherwise)


def invoice_policy() -> dict[str, Any]:
    """Beside it, each invoice has two steps of its own; put in force in the course of the year."""
    terms = _escalation()["escalation"] | {"scenarios": {"standard": [
        _step("i-p6", "email", "reminder_1", 1, days=6),
        _step("i-p13", "sms", "reminder_2", 2, days=13, otherwise=["email"]),
    ]}}  # fmt: skip
    otherwise = {"then": {"level": 0, "step": None}, "because": "nothing is due"}
    of_invoices = _policy("invoices", "escalation", "most_severe", escalation=terms, otherwise=otherwise)
    return {**of_invoices, "subject": "invoice"}
