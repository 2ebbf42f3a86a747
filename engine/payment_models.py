"""The payment models of invoices: trained on the ledger there is, registered, and asked about open invoices."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import scoring.invoice_features
import scoring.past
from engine.backtesting import last_told_day, ledgers_of
from engine.editions import Unusable
from engine.portfolio_parts import about_of
from engine.tables import Customer, DueLine, Entity, ScoreModel
from engine.training import RegisterModel, Tell, Trained, untold
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of
from ledger.problems import Problem
from scoring.backtest import Window, backtest_invoices
from scoring.cash_habits import open_places
from scoring.features import THIN_HISTORY_PAID
from scoring.invoice_features import INVOICE_FEATURES, invoice_features
from scoring.invoice_model import TASK, InvoiceModel, load_invoice_model, scores_of
from scoring.invoice_reasons import InvoiceReason, invoice_reasons
from scoring.invoice_training import train_invoices
from scoring.loading import load_any

if TYPE_CHECKING:
    from engine.runtime import Runtime

TEST_DAYS = 120  # of due dates, the last that are decided, on which a model is measured before it is trained on all
LABELS = {feature.name: feature for feature in INVOICE_FEATURES}
KEPT_OF_REPORT = ("p_late", "p_late30", "days_late", "rows", "customers", "leak")


def train_payment(
    runtime: "Runtime",
    entities: Sequence[Entity],
    as_of_day: int,
    *,
    actor: int | None = None,
    grace_days: int = 0,
    reason: str = "training of the payment models",
    tell: Tell = untold,
) -> Trained:
    """Train the payment models on what was known before a day and register them as a challenger.

    They are measured first: trained as of an earlier day and tested on the last invoices that are
    decided. The card holds those figures, the slices, hashes of rows and code, versions and seed.

    Args:
        entities: whose ledgers.
        as_of_day: only what was known before it counts.
        actor: who trains; the system when None.
        grace_days: a payment up to so many days after the due date is not late.
        reason: for the audit trail.
        tell: called with each step, as it begins.
    """
    tell("read", 0, 0)
    ledgers = ledgers_of(runtime, entities, as_of_day)
    if not ledgers:
        return Trained(None, None, {}, (_problem("there are no invoices"),))
    until = min(as_of_day, last_told_day(ledgers) + 1)
    tell("features", 0, 0)
    found = train_invoices(ledgers, until, grace_days=grace_days, tell=tell)
    if found.body is None:
        return Trained(None, None, {}, tuple(_problem(what) for what in found.problems))
    test_to = until - 30
    tell("test", 0, 0)
    window = Window(test_to - TEST_DAYS, test_to - TEST_DAYS, test_to, grace_days=grace_days)
    tested = backtest_invoices(ledgers, window, until - 1, about_of(entities))
    card = found.body["card"] | {
        "code_sha256": code_sha256(),
        "tested": {name: tested.report[name] for name in KEPT_OF_REPORT if name in tested.report},
        "not_tested": list(tested.problems),
        "leak_alarm": bool(tested.report.get("leak", {}).get("alarm", False)),
    }
    body = found.body | {"card": card}
    tell("register", 0, 0)
    name = sha256_of(body)
    answer = runtime.execute(RegisterModel(actor=actor, reason=reason, body=canonical(body), sha256=name))
    return Trained(name, answer["model"], card)


def _problem(what: str) -> Problem:
    return Problem(place=TASK, what=what, cure="import more history, then train again")


def code_sha256() -> str:
    """Name the code that computes features: another name says why a model trained again may differ."""
    digest = hashlib.sha256()
    for module in (scoring.past, scoring.invoice_features):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def payment_model(runtime: "Runtime") -> InvoiceModel | None:
    """The champion, checked and replayed once a process; None while nobody approved one.

    Raises:
        Unusable: the stored model is not what was approved.
    """
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.task == TASK, ScoreModel.status == "champion")
    return None if row is None else _loaded(runtime, row)


def payment_model_named(runtime: "Runtime", sha256: str) -> InvoiceModel:
    """A registered model, checked and replayed once a process.

    Raises:
        Unusable: there is none of that name, or it is not what was approved.
    """
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.task == TASK, ScoreModel.sha256 == sha256)
    if row is None:
        raise Unusable(f"the payment model {sha256[:12]} is not registered")
    return _loaded(runtime, row)


def _loaded(runtime: "Runtime", row: ScoreModel) -> InvoiceModel:
    kept = runtime.cache.setdefault("payment_models", {})
    if row.sha256 not in kept:
        model, problems = load_invoice_model(row.body, row.sha256)
        if model is None:
            raise Unusable(f"the payment model {str(row.sha256)[:12]} cannot be used: {'; '.join(problems)}")
        kept[row.sha256] = model
    found: InvoiceModel = kept[row.sha256]
    return found


def score_open_invoices(runtime: "Runtime", entity: Entity, day: int, model: InvoiceModel) -> list[dict[str, Any]]:
    """Ask a model about every invoice that is open on a day, with what was known before it.

    Returns:
        One row per open due line, likeliest to be late first: line, invoice, customer, due_on, amount_minor (in
        the line's currency),
        p_late, p_late30, days_late with low and high, thin_history and reasons.
    """
    ledgers = ledgers_of(runtime, [entity], day)
    if not ledgers:
        return []
    (ledger,) = ledgers
    places = np.flatnonzero(open_places(ledger, day))
    asked = {
        name: ledger.lines[name][places]
        for name in ("customer_id", "invoice_day", "due_day", "amount", "amount_minor", "line_id")
    }
    asked["day"] = np.full(len(places), day)
    features = invoice_features(ledger.past, asked, model.shrinkage)
    scores = scores_of(model, features)
    reasons = invoice_reasons(model, features)
    numbers = dict(DueLine.select(DueLine.id, DueLine.number).where(DueLine.entity_id == entity.id).tuples())
    customers = dict(Customer.select(Customer.id, Customer.number).where(Customer.entity == entity).tuples())
    order = np.lexsort((asked["line_id"], -scores.p_late))
    return [
        {
            "line": int(asked["line_id"][row]),
            "invoice": numbers[int(asked["line_id"][row])],
            "customer": customers[int(asked["customer_id"][row])],
            "due_on": date_of(int(asked["due_day"][row])).isoformat(),
            "amount_minor": int(asked["amount_minor"][row]),
            "p_late": round(float(scores.p_late[row]), 4),
            "p_late30": round(float(scores.p_late30[row]), 4),
            "days_late": round(float(scores.days_late[row]), 1),
            "days_low": round(float(scores.low[row]), 1),
            "days_high": round(float(scores.high[row]), 1),
            "thin_history": bool(features["paid_count"][row] < THIN_HISTORY_PAID),
            "reasons": [told(one) for one in reasons[row]],
        }
        for row in order.tolist()
    ]


def told(reason: InvoiceReason) -> str:
    """One reason in words, with value and usual value."""
    feature = LABELS[reason.feature]
    way = "+" if reason.micro > 0 else "-"
    value, usual = (_value(feature.unit, number) for number in (reason.value, reason.usual))
    return f"{way} {feature.label}: {value}, usual {usual}"


def _value(unit: str, value: int | None) -> str:
    if value is None:
        return "unknown"
    match unit:
        case "bp":
            return f"{value / 100:.0f} %"
        case "days":
            return "1 day" if value == 1 else f"{value} days"
        case "weekday":
            return ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[value % 7]
    return str(value)


def _without_curves(part: Any) -> Any:
    """A part of a card without the points of its curves, which only a drawing tells: they are in the JSON."""
    return {name: value for name, value in part.items() if name != "curves"} if isinstance(part, dict) else part


def _promotion_lines(kept: Mapping[str, Any]) -> list[str]:
    """What was measured when the model became the champion, and who went over it for what reason."""
    lines = ["## Promotion", "", f"{KINDS_TOLD[kept['kind']]}  "]
    lines += [f"not met: {': '.join(filter(None, one))}  " for one in kept["failings"]]
    if kept["override"]:
        lines.append(f"**all the same, because**: {kept['override']}  ")
    if kept["measured"]:
        lines += ["", "```json", json.dumps(kept["measured"], indent=1, sort_keys=True), "```"]
    return [*lines, ""]


KINDS_TOLD = {
    "first": "the first champion of its question",
    "back": "gone back to; an earlier champion is not measured again",
    "challenger": "measured beside the champion before it",
}


def card_lines(row: ScoreModel) -> list[str]:
    """The model card of a registered model as Markdown, from its row alone."""
    card = json.loads(row.card)
    lines = [f"# Model card: {row.task}", "", f"sha256 `{row.sha256}`, {row.status}", ""]
    _loaded, refused = load_any(str(row.body), str(row.sha256))
    lines += [f"**It cannot be used**: {why}  " for why in refused]
    if row.promoted:
        lines += _promotion_lines(json.loads(row.promoted))
    heads = ("question", "population")
    lines += [f"**{name}**: {card[name]}  " for name in heads if name in card]
    lines += ["", "| | |", "|---|---|"]
    plain = {name: value for name, value in card.items() if not isinstance(value, dict | list) and name not in heads}
    lines += [f"| {name} | {value} |" for name, value in sorted(plain.items())]
    for title, part in sorted(card.items()):
        if isinstance(part, dict) and part and title != "curves":
            part = {name: _without_curves(value) for name, value in part.items()}
            lines += ["", f"## {title}", "", "```json", json.dumps(part, indent=1, sort_keys=True), "```"]
    return lines
