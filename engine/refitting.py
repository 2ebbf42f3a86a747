"""Re-fits: the champion's tables under a sigmoid from the newest outcomes, each month by the worker.

On the first business day of a month each champion is re-fitted and a fresh challenger trained. Both only
wait: nothing is promoted by itself.
"""

import json
from typing import TYPE_CHECKING, Any

from engine.backtesting import last_told_day, ledgers_of
from engine.shadow import (
    decided_since,
    entities_all,
    labels_of,
    learned_until,
    loaded,
    outcome_of,
    raws,
    rows_since,
    sigmoids_of,
    tables_of,
    trained_day,
)
from engine.tables import Entity, ScoreModel, Training
from engine.training import RegisterModel, Tell, Trained, untold
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of, day_of
from ledger.problems import Problem
from rules.contact_hours import Place, Times, first_open_day
from scoring.invoice_training import questions_of
from scoring.labels import HORIZON_DAYS
from scoring.model import Model
from scoring.past import WORSE_DAYS
from scoring.refit import refitted, sigmoid_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

MONTHLY = ("refit", "train")
FEW = "there are too few new outcomes, or they ask for no other sigmoid"


def refit(
    runtime: "Runtime", champion: ScoreModel, day: int, *, actor: int | None = None, tell: Tell = untold
) -> Trained:
    """Fit a champion's sigmoid again on the outcomes decided since it learned, and register that as a challenger.

    Args:
        day: only what was known before it counts.
        actor: who asks; the system when None.
    """
    model = loaded(champion)
    if isinstance(model, Model):
        rows = rows_since(runtime, learned_until(model) + HORIZON_DAYS, day, tell)
        fitted = sigmoid_of(raws(rows, model), labels_of(rows).astype(float)) if rows else None
        sigmoids = {} if fitted is None else {"": fitted}
        days = [int(row["as_of_day"]) for row in rows]
        learned: dict[str, Any] = {
            "rows": len(rows),
            "customers": len({row["customer_id"] for row in rows}),
            "bad": int(labels_of(rows).sum()),
            "from_day": min(days, default=day),
            "until_day": max(days, default=day),
        }
    else:
        tell("read", 0, 0)
        ledgers = ledgers_of(runtime, entities_all(), day)
        if not ledgers:
            return _none(champion, "there are no invoices")
        until = min(day, last_told_day(ledgers) + 1)
        tell("features", 0, 0)
        asked = questions_of(ledgers, until - 1, model.shrinkage)
        newest = decided_since(asked, trained_day(model))
        grace = int(model.card["grace_days"])
        sigmoids = sigmoids_of(model, asked, newest, grace)
        learned = {
            "rows": int(newest.sum()),
            "customers": len(set(asked.lines["customer_id"][newest].tolist())),
            "late": int(outcome_of(asked.known, "late", newest, grace).sum()),
            "over_30": int(outcome_of(asked.known, "late30", newest, WORSE_DAYS).sum()),
        }
        day = until
    if not sigmoids:
        return _none(champion, FEW)
    tell("register", 0, 0)
    card = json.loads(str(champion.card))
    told = {
        "trained_day": day,
        "tables_of": tables_of(champion),
        "slices": card.get("slices", {}) | {"refit": learned},
    }
    body = refitted(str(champion.body), str(champion.sha256), sigmoids, told)
    name = sha256_of(body)
    answer = runtime.execute(
        RegisterModel(actor=actor, reason="the champion's sigmoid fitted again", body=canonical(body), sha256=name)
    )
    return Trained(name, answer["model"], body["card"])


def _none(champion: ScoreModel, what: str) -> Trained:
    problem = Problem(place=str(champion.task), what=what, cure="wait until more outcomes are decided")
    return Trained(None, None, {}, (problem,))


def month_of(day: int) -> str:
    """The month of a day, as the key of what is done once in it."""
    return f"{date_of(day):%Y-%m}"


def first_business_day(day: int, entity: Entity) -> int:
    """The first business day of the month of a day, where an entity is."""
    place = Place((str(entity.zone),), str(entity.country), entity.region)
    return first_open_day(Times(), place, day_of(date_of(day).replace(day=1)))


def ask_month(runtime: "Runtime", day: int | None = None) -> int:
    """Ask for the month's re-fits and trainings once its first business day has come; how many were asked for.

    A champion that took its place in this month has nothing new to learn from yet. Asking again asks for nothing.

    Args:
        day: by default today.
    """
    entity = Entity.select().order_by(Entity.id).first()
    if entity is None:
        return 0
    day = runtime.today(entity) if day is None else day
    begins = first_business_day(day, entity)
    if day < begins:
        return 0
    asked = 0
    for champion in ScoreModel.select().where(ScoreModel.status == "champion").order_by(ScoreModel.task):
        approved_day = 0 if champion.approved_at is None else champion.approved_at // 86_400_000_000
        if max(champion.trained_day, approved_day) >= begins:
            continue
        for what in MONTHLY:
            key = f"{month_of(day)}/{champion.task}/{what}"
            if Training.get_or_none(Training.key == key) is not None:
                continue
            row = {"key": key, "task": champion.task, "what": what, "as_of_day": day, "asked_at": runtime.now_at()}
            if what == "train":
                row["grace_days"] = int(json.loads(str(champion.card)).get("grace_days", 0))
            Training.insert(row).on_conflict_ignore().execute()
            asked += 1
    return asked
