"""What the workers do on models, under way, done, failed or broken off; and what was measured of a challenger.

The part of the models page that asks again while something is under way.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import gate
from admin.models_page import figure
from engine import promotion, trainings
from engine.tables import ScoreModel, Training
from scoring.labels import TASK

CARD_WORDS = (_l("the champion's; only slope and intercept of the sigmoid differ"),)  # what the card of a re-fit says

blueprint = Blueprint("trainings", __name__, url_prefix="/models")


def question_words(task: str) -> str:
    """What a task is called, in short."""
    return _("Customers: 30 days past due within 90") if task == TASK else _("Invoices: when they are paid")


def work_words(row: Training) -> str:
    """What is done."""
    return {"train": _("Training"), "refit": _("Re-fit of the champion"), "measure": _("Comparison with the champion")}[
        str(row.what)
    ]


def step_words(row: Training) -> str:
    """Which step a training is at."""
    if row.started_at is None:
        return _("waits for a worker")
    steps = {
        "": _("begins"),
        "read": _("reads the ledger"),
        "features": _("computes features"),
        "learn": _("learns"),
        "test": _("is tested"),
        "register": _("is registered"),
    }
    told = steps.get(str(row.step), str(row.step))
    if row.step == "learn" and row.rows_read:
        return _("%(step)s from %(rows)s rows", step=told, rows=row.rows_read)
    if row.parts:
        return _("%(step)s, %(done)s of %(parts)s", step=told, done=row.done + 1, parts=row.parts)
    return told


def trouble_words(row: Training) -> str:
    """Why there is no model."""
    if row.failed == trainings.BROKEN:
        return _("Broken off: its worker was stopped. Start it again.")
    return str(row.failed)


@dataclass(frozen=True)
class Compared:
    """One question of a comparison as it is shown.

    Args:
        lead: of what it is judged by, with its interval.
        ece: of both.
    """

    question: str
    rows: str
    lead: str
    ece: str


def compared(row: ScoreModel) -> list[Compared]:
    """What was measured of a model beside the champion of today."""
    measured = promotion.conditions_of(row, gate.runtime().today()).measured
    return [_line(name, part, measured["by"]) for name, part in measured.get("questions", {}).items()]


def _line(name: str, part: dict[str, Any], by: str) -> Compared:
    names = {"score": _("Customers"), "p_late": _("Paid late"), "p_late30": _("Over 30 days late")}
    rows = _("%(n)s, %(bad)s bad", n=part["n"], bad=part["bad"])
    if by not in part:
        return Compared(names.get(name, name), rows, "–", "–")
    low, high = (figure(bound, 4, sign=True) for bound in part[by]["interval"] or (None, None))
    judged = _("AUC") if by == "auc" else _("log loss")
    lead = _(
        "%(judged)s %(lead)s (%(low)s to %(high)s)",
        judged=judged,
        lead=figure(part[by]["lead"], 4, sign=True),
        low=low,
        high=high,
    )
    ece = (figure(part["measures"][side]["ece"]) for side in ("challenger", "champion"))
    return Compared(
        names.get(name, name), rows, lead, _("%(ours)s against %(theirs)s", ours=next(ece), theirs=next(ece))
    )


def failing_words(row: ScoreModel) -> list[str]:
    """What a model does not meet, in the reader's words."""
    found = promotion.conditions_of(row, gate.runtime().today()).failings
    return _failing_words(found)


@dataclass(frozen=True)
class Promoted:
    """How a model became the champion.

    Args:
        how: in words.
        failings: what was not met.
        override: why it became the champion all the same.
        lines: what was measured.
    """

    how: str
    failings: list[str]
    override: str
    lines: list[Compared]


def promoted(row: ScoreModel) -> Promoted | None:
    """How a model became the champion; None where it never did, or nothing was kept."""
    if not row.promoted:
        return None
    kept = json.loads(str(row.promoted))
    how = {
        "first": _("It was the first champion of its question."),
        "back": _("It was gone back to; an earlier champion is not measured again."),
        "challenger": _("It was measured beside the champion before it."),
    }[kept["kind"]]
    measured = kept["measured"]
    lines = [_line(name, part, measured["by"]) for name, part in measured.get("questions", {}).items()]
    return Promoted(how, _failing_words(kept["failings"]), kept["override"], lines)


def _failing_words(failings: Iterable[Sequence[str]]) -> list[str]:
    words = {
        "few": _("Too few outcomes that neither has learned from: wait for more."),
        "auc": _("Its lead over the champion may be chance: more history or other features help."),
        "log_loss": _("Its chances may be no better than the champion's: wait for more outcomes."),
        "ece": _("Its chances lie further from what happened than the champion's."),
        "worse": _("It is worse than the champion, beyond chance."),
        "untested": _("It was never tested on later outcomes: import more history, then train again."),
        "rival": _("It ranks below the naive rival, beyond chance."),
        "unmeasured": _("It is not measured beside the champion as of today: the workers do that once it is proposed."),
    }
    return list(dict.fromkeys(words[code] for _question, code in failings))


def meets_conditions(row: ScoreModel) -> bool:
    """Whether nothing measured stands against a model."""
    return promotion.conditions_of(row, gate.runtime().today()).are_met


@blueprint.get("/trainings")
@gate.needs("policies.view")
def progress() -> ResponseReturnValue:
    """The list alone, asked for again while something is under way."""
    return render_template("console/_trainings.html")


def words() -> dict[str, Any]:
    """What the partial templates need, wherever they are included."""
    return {
        "trainings": trainings.latest_trainings,
        "training_words": {
            "question": question_words,
            "work": work_words,
            "step": step_words,
            "trouble": trouble_words,
        },
        "compared_models": compared,
        "failing_words": failing_words,
        "promoted_model": promoted,
    }
