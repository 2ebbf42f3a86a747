"""Score models: champion and challengers side by side with their naive rivals, and the card of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.numbers import format_decimal
from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from openpyxl import Workbook

from admin import formatting, gate
from admin.sheet import add_sheet, saved, sent
from engine import access
from engine.tables import ScoreModel
from scoring.invoice_model import TASK as INVOICE_TASK
from scoring.invoice_model import load_invoice_model
from scoring.model import Model, load, probability_bp
from scoring.reasons import value_text

blueprint = Blueprint("models", __name__, url_prefix="/models")

# What a card says in English, so that it is translated.
CARD_WORDS = (
    _l("some invoice goes 30 or more days past due within 90 days"),
    _l("customers with business in the last 12 months and no invoice 30 or more days past due"),
    _l("own share of invoices paid late at all: a ranking to beat, not a chance of the question"),
    _l("is an invoice paid late, over 30 days late, and how many days after its due date"),
    _l("invoices on their invoice date"),
)
CHALLENGERS_SHOWN = 3  # beside the champion; the newest, and the one that waits
MODELS_LISTED = 200
MINUS = "\u2212"
Measures = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """A model as it is compared.

    Args:
        name: the beginning of its sha256.
        measures: of its card: by ranking, the model itself under ``score``.
    """

    row: ScoreModel
    name: str
    card: dict[str, Any]
    measures: Measures


@dataclass(frozen=True)
class Line:
    """One figure of all models compared.

    Args:
        label, hint: what it is and how to read it.
        cells: in the order of the models.
        rival: whether it is a naive rival's.
    """

    label: str
    cells: list[str]
    hint: str = ""
    rival: bool = False


@dataclass(frozen=True)
class Effect:
    """What a feature can do to the odds."""

    label: str
    usual: str
    least: str
    most: str


@dataclass(frozen=True)
class Task:
    """The models of one question, as they are compared."""

    question: str
    models: list[Shown]
    lines: list[Line]
    waiting: ScoreModel | None = None
    listed: list[ScoreModel] = field(default_factory=list)


def ranking_words(name: str) -> str:
    """What a ranking of a card is called."""
    known = {
        "score": _("The model"),
        "own_late_share": _("Own late share (naive)"),
        "own_share": _("Own late share (naive)"),
        "ageing_rule": _("Oldest item first (naive)"),
    }
    return known.get(name, formatting.title(name))


def figure(value: float | None, places: int = 3, sign: bool = False) -> str:
    """A measure in the reader's notation; a dash where the card has none."""
    if value is None:
        return "–"
    text = str(format_decimal(abs(value), format="0." + "0" * places, locale=formatting.locale()))
    return (MINUS if value < 0 else "+" if sign else "") + text


def with_interval(one: Measures | None, sign: bool = False) -> str:
    """An AUC and where 95 of 100 draws lie."""
    if not one:
        return "–"
    bounds = one.get("auc_interval")
    if not bounds:
        return figure(one.get("auc"), sign=sign)
    low, high = (figure(bound, sign=sign) for bound in bounds)
    return _("%(auc)s (%(low)s to %(high)s)", auc=figure(one.get("auc"), sign=sign), low=low, high=high)


def shown(row: ScoreModel) -> Shown:
    """A model with what its card says."""
    card = json.loads(row.card)
    found = measures_of(card)
    return Shown(row, str(row.sha256)[:8], card, found[0][1] if found else {})


def measures_of(card: Mapping[str, Any]) -> list[tuple[str, Measures]]:
    """The measures a card holds, by what was tested: of a customer's score, or of both chances of an invoice."""
    tested = card.get("tested") or {}
    found = [
        (_("All tested"), card.get("measures")),
        (_("Those that owe"), card.get("measures_of_those_that_owe")),
        (_("Paid late"), of_report(tested.get("p_late") or {})),
        (_("Over 30 days late"), of_report(tested.get("p_late30") or {})),
    ]
    return [(label, measures) for label, measures in found if measures]


def of_report(part: Measures) -> Measures:
    """A part of a backtest's report in the shape of a score's card."""
    if "measures" not in part:
        return {}
    counted = {"n": part["n"], "bad": part["bad"]}
    named = {("score" if name == "champion" else name): one | counted for name, one in part["measures"].items()}
    return {**named, "lead": (part.get("lead") or {}).get("own_share")}


def without_amounts(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card as whoever sees a part of the customers may read it: without amounts, months and parts of all of them."""

    def bare(part: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in part.items() if name != "parts"}
        if kept.get("curves"):
            kept["curves"] = {name: value for name, value in kept["curves"].items() if name != "money"}
        return kept

    tested = card.get("tested") or {}
    found = bare(card)
    if tested:
        found["tested"] = {name: bare(one) if isinstance(one, dict) else one for name, one in tested.items()}
    return found


def tasks() -> list[Task]:
    """Every question a model was trained for, with the models compared."""
    rows: dict[str, list[ScoreModel]] = {}
    but_body = [column for name, column in ScoreModel._meta.fields.items() if name != "body"]  # a hundred kB each
    newest = ScoreModel.select(*but_body).order_by(ScoreModel.id.desc()).limit(MODELS_LISTED)
    for row in newest:
        rows.setdefault(str(row.task), []).append(row)
    return [_task(rows[name]) for name in sorted(rows)]


def _task(rows: list[ScoreModel]) -> Task:
    champion = [row for row in rows if row.status == "champion"]
    waiting = [row for row in rows if row.proposed_by_id is not None]
    newest = [row for row in rows if row.status == "challenger" and row not in waiting]
    compared = [shown(row) for row in [*champion, *waiting, *newest[:CHALLENGERS_SHOWN]]]
    if len(compared) < 2:  # nothing challenges: the earlier champion is what one could go back to
        compared += [shown(row) for row in rows if row.status == "retired" and row not in waiting][:1]
    question = compared[0].card.get("question", "") if compared else ""
    return Task(str(question), compared, lines_of(compared), waiting[0] if waiting else None, rows)


def lines_of(models: list[Shown]) -> list[Line]:
    """The figures that decide, each with the naive rivals' beneath it."""
    rivals = list(dict.fromkeys(name for one in models for name in one.measures if name not in {"score", "lead"}))
    chances = [name for name in rivals if any("brier" in (one.measures.get(name) or {}) for one in models)]
    found = [
        Line(
            _("AUC"),
            [with_interval(one.measures.get("score")) for one in models],
            _("how often it ranks the worse payer higher; 0.5 is chance, in brackets 95 % of the draws"),
        ),
        *(
            Line(ranking_words(name), [with_interval(one.measures.get(name)) for one in models], rival=True)
            for name in rivals
        ),
        Line(
            _("Lead over own late share"),
            [with_interval(one.measures.get("lead"), sign=True) for one in models],
            _("what the model adds to the naive rival on the same customers"),
        ),
    ]
    for key, label, hint in (
        ("brier", _("Brier"), _("mean squared error of the chance; less is better")),
        ("ece", _("ECE"), _("how far chances lie from what happened; less is better")),
    ):
        found.append(Line(label, [figure((one.measures.get("score") or {}).get(key)) for one in models], hint))
        found += [
            Line(ranking_words(name), [figure((one.measures.get(name) or {}).get(key)) for one in models], rival=True)
            for name in chances
        ]
    found.append(Line(_("Tested on"), [_slice(one.card, "test") for one in models]))
    found.append(Line(_("Learned from"), [_slice(one.card, "fit") for one in models]))
    found.append(Line(_("Calibrated on"), [_slice(one.card, "calibrate") for one in models]))
    return found


def _slice(card: Mapping[str, Any], name: str) -> str:
    one = (card.get("slices") or {}).get(name)
    if not one:
        return "–"
    if "from_day" not in one:
        return _(
            "%(rows)s rows of %(customers)s customers",
            rows=formatting.count(one["rows"]).striptags(),
            customers=formatting.count(one["customers"]).striptags(),
        )
    return _(
        "%(first)s to %(last)s: %(rows)s rows of %(customers)s customers, %(bad)s bad",
        first=formatting.day_text(one["from_day"]),
        last=formatting.day_text(one["until_day"]),
        rows=formatting.count(one["rows"]).striptags(),
        customers=formatting.count(one["customers"]).striptags(),
        bad=formatting.count(one["bad"]).striptags(),
    )


def beats_rival(one: Shown) -> bool | None:
    """Whether the lead over the naive rival is more than chance; None where the card does not say."""
    bounds = (one.measures.get("lead") or {}).get("auc_interval")
    return None if not bounds else bounds[0] > 0


@blueprint.get("/")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """All models, the ones that matter side by side."""
    return render_template("console/models.html", tasks=tasks(), beats=beats_rival)


@blueprint.get("/xlsx")
@gate.needs("policies.view")
def workbook() -> ResponseReturnValue:
    """The comparison as a workbook."""
    book = Workbook(write_only=True)
    for task in tasks():
        head = [_("Figure"), *(f"{formatting.title(one.row.status)} {one.name}" for one in task.models)]
        rows = ([("  " if line.rival else "") + line.label, *line.cells] for line in task.lines)
        add_sheet(book, str(task.models[0].row.task) if task.models else _("Models"), rows, head)
    if not ScoreModel.select().exists():
        add_sheet(book, _("Models"), [[_("No model was trained yet")]])
    return sent(saved(book), "models.xlsx")


def found_model(model_id: int) -> ScoreModel:
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.id == model_id)
    if row is None:
        abort(404)
    return row


@blueprint.get("/<int:model_id>")
@gate.needs("policies.view")
def card(model_id: int) -> ResponseReturnValue:
    """The card of one model, to be read and printed."""
    one = shown(found_model(model_id))
    loader = load_invoice_model if one.row.task == INVOICE_TASK else load
    model, refused = loader(str(one.row.body), str(one.row.sha256))
    scores = model if isinstance(model, Model) else None
    return render_template(
        "console/model_card.html",
        one=one,
        tables=measures_of(one.card),
        reliability=(one.measures.get("score") or {}).get("reliability") or [],
        effects=effects_of(scores) if scores else [],
        usual_bp=probability_bp(scores.base) if scores else None,
        refused=refused,
        slices=[(label, _slice(one.card, name)) for label, name in _slices()],
        words=ranking_words,
        figure=figure,
        with_interval=with_interval,
    )


def _slices() -> list[tuple[str, str]]:
    return [(_("Learned from"), "fit"), (_("Calibrated on"), "calibrate"), (_("Tested on"), "test")]


def effects_of(model: Model) -> list[Effect]:
    """What each feature can do to the odds, the strongest first."""
    spans = []
    for feature, table in zip(model.features, model.tables, strict=True):
        pulls = (*table.steps, table.unknown)
        spans.append((max(pulls) - min(pulls), feature, table, min(pulls), max(pulls)))
    spans.sort(key=lambda span: (-span[0], span[1].name))
    return [
        Effect(_(feature.label), value_text(feature, table.usual, _), _odds(low), _odds(high))
        for _span, feature, table, low, high in spans
    ]


def _odds(micro: int) -> str:
    """Micro-logits as a factor on the odds."""
    from math import exp

    return "\u00d7\u202f" + figure(exp(micro / 1_000_000), 2)


@blueprint.get("/<int:model_id>/card.json")
@gate.needs("policies.view")
def card_file(model_id: int) -> ResponseReturnValue:
    """The card with what the registry knows of the model, as a file."""
    row = found_model(model_id)
    card = json.loads(row.card)
    told = {
        "task": row.task,
        "sha256": row.sha256,
        "status": row.status,
        "trained_day": formatting.iso(row.trained_day),
        "trained_by": row.trained_by_id,
        "approved_by": row.approved_by_id,
        "card": card if access.sees_all_of(current_user.id, None) else without_amounts(card),
    }
    answer = Response(json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="model-{str(row.sha256)[:8]}.json"'
    return answer
