"""Scores of an entity: their distribution, whose moved and why, drift, and what really happened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import formatting, gate
from admin.dashboard import chosen_entity
from admin.figures import facts_of_run
from admin.models_page import figure, ranking_words, with_interval
from admin.sheet import add_sheet, saved, sent
from admin.signs import signs
from engine import access, score_watch
from engine.editions import Unusable
from engine.score_watch import BAND_BP, Moved
from engine.tables import Customer, Entity, Run
from scoring.drift import Drift
from scoring.features import WITH_EXTERNAL
from scoring.labels import HORIZON_DAYS
from scoring.model import Model

blueprint = Blueprint("scores", __name__, url_prefix="/scores")

MOVED_SHOWN = 25
MOVED_EXPORTED = 1_000
TONES = {"steady": "good", "chance": "calm", "watch": "warm", "act": "bad"}


@dataclass(frozen=True)
class Band:
    """One bar of the distribution."""

    label: str
    now: int
    before: int


@dataclass(frozen=True)
class DriftLine:
    """The drift of the score or of one feature, in words."""

    label: str
    index: str
    verdict: str
    tone: str
    unknown: str


@dataclass(frozen=True)
class Watched:
    """What the page shows.

    Args:
        run, before: the last run and the one before it, of which facts are kept.
        since: what drift is measured from.
        model: of the last run.
        another: the two runs scored with different models.
    """

    run: Run
    before: Run | None
    since: Run | None
    model: Model | None
    another: bool
    bands: list[Band]
    unscored: int
    moved: list[tuple[Customer, Moved]]
    drifts: list[DriftLine]


def verdict_names() -> dict[str, str]:
    """What is to be done about a drift, by its verdict."""
    return {
        "steady": _("steady"),
        "chance": _("no more than chance among so few"),
        "watch": _("watch it"),
        "act": _("act: find out why, or train anew"),
    }


def verdict_words(one: Drift | None) -> str:
    """What is to be done about a drift."""
    return _("nobody to compare") if one is None else verdict_names()[one.verdict]


def watched(entity: Entity, rows: int) -> Watched | None:
    """Everything of the page as far as the reader may see; None before the first run.

    Raises:
        Unusable: the model of a run cannot be loaded.
    """
    runtime, user = gate.runtime(), current_user.id
    runs = score_watch.runs_with_facts(runtime, entity)
    now = facts_of_run(runtime, runs[0], user) if runs else None
    if now is None:
        return None
    run, before = runs[0], runs[1] if len(runs) > 1 else None
    model = score_watch.model_of(runtime, run)
    earlier = score_watch.model_of(runtime, before) if before is not None else None
    another = before is not None and (model and model.sha256) != (earlier and earlier.sha256)
    then = facts_of_run(runtime, before, user) if before is not None else None
    since = score_watch.before_drift(runs, model) if model is not None else None
    base = facts_of_run(runtime, since, user) if since is not None else None
    scores = score_watch.scores_of(now)
    return Watched(
        run=run,
        before=before,
        since=since if base is not None else None,
        model=model,
        another=another,
        bands=_bands(score_watch.bands_of(scores), [] if then is None else _bands_of(then)),
        unscored=int((scores != scores).sum()),
        moved=[] if then is None else _moved(then, now, run, None if another else model, rows),
        drifts=[] if base is None or model is None else _drifts(base, now, model),
    )


def _bands_of(frame: Any) -> list[int]:
    return score_watch.bands_of(score_watch.scores_of(frame))


def _bands(now: list[int], before: list[int]) -> list[Band]:
    step = BAND_BP // 100
    then = before or [0] * len(now)
    return [
        Band(f"{number * step}–{(number + 1) * step}", one, other)
        for number, (one, other) in enumerate(zip(now, then, strict=True))
    ]


def _moved(then: Any, now: Any, run: Run, model: Model | None, rows: int) -> list[tuple[Customer, Moved]]:
    found = score_watch.moved(then, now, score_watch.classes_moved(run), model, rows, _)
    ids = [one.customer_id for one in found]
    seen = access.visible_to(current_user.id, Customer.select().where(Customer.id.in_(ids)))
    known = {customer.id: customer for customer in seen}
    return [(known[one.customer_id], one) for one in found if one.customer_id in known]


def _drifts(base: Any, now: Any, model: Model) -> list[DriftLine]:
    labels = {"score": _("The score"), **{one.name: _(one.label) for one in WITH_EXTERNAL}}
    return [
        DriftLine(
            label=labels[name],
            index="–" if one is None else figure(one.index, 2),
            verdict=verdict_words(one),
            tone="calm" if one is None else TONES[one.verdict],
            unknown="–" if one is None else _unknown(one),
        )
        for name, one in score_watch.drifts(base, now, model)
    ]


def _unknown(one: Drift) -> str:
    if not one.unknown_before and not one.unknown_now:
        return _("none")
    before, now = (
        formatting.percent_text(round(10_000 * part / whole))
        for part, whole in ((one.unknown_before, one.before), (one.unknown_now, one.now))
    )
    return _("%(before)s, now %(now)s", before=before, now=now)


def _asked(draw: Callable[[Entity | None], ResponseReturnValue]) -> ResponseReturnValue:
    """A page of the entity asked for; where a model cannot be used it says so."""
    entity = chosen_entity()
    try:
        return draw(entity)
    except Unusable as error:
        return render_template("console/scores.html", entity=entity, entities=signs().entities, problem=str(error))


@blueprint.get("/")
@gate.needs("customers.view")
def index() -> ResponseReturnValue:
    """Distribution, movement and drift."""
    return _asked(
        lambda entity: render_template(
            "console/scores.html",
            entity=entity,
            entities=signs().entities,
            shown=watched(entity, MOVED_SHOWN) if entity else None,
            problem="",
        )
    )


@blueprint.get("/xlsx")
@gate.needs("customers.view")
def workbook() -> ResponseReturnValue:
    """The same as a workbook, with more of those that moved."""
    return _asked(_workbook)


def _workbook(entity: Entity | None) -> ResponseReturnValue:
    found = watched(entity, MOVED_EXPORTED) if entity else None
    book = Workbook(write_only=True)
    bands = [] if found is None else [[one.label, one.now, one.before] for one in found.bands]
    add_sheet(book, _("Distribution"), bands, [_("Score in per cent"), _("Customers now"), _("Customers before")])
    add_sheet(
        book,
        _("Moved"),
        ([customer.number, customer.name, *_cells(one)] for customer, one in (found.moved if found else [])),
        [
            *(_("Number"), _("Customer"), _("Score before"), _("Score now")),
            *(_("Class before"), _("Class now"), _("Reasons that changed")),
        ],
    )
    drifts = [] if found is None else [[one.label, one.index, one.verdict, one.unknown] for one in found.drifts]
    add_sheet(book, _("Drift"), drifts, [_("What"), _("Stability index"), _("In words"), _("Unknown")])
    return sent(saved(book), f"scores-{entity.code if entity else ''}.xlsx")


def _cells(one: Moved) -> list[Any]:
    why = "; ".join(reason.text for reason in one.reasons)
    before, now = (formatting.percent_text(score) for score in (one.before_bp, one.now_bp))
    return [before, now, one.class_before, one.class_now, why]


@blueprint.get("/happened")
@gate.needs("customers.view")
def happened() -> ResponseReturnValue:
    """What became of the customers of a past day: by decile, and beside the naive rivals."""
    return _asked(_happened)


def _happened(entity: Entity | None) -> ResponseReturnValue:
    found = outcome_of(entity)
    rows = _deciles(found.comparison) if found else []
    if found is not None and request.args.get("file") == "xlsx":
        return _happened_file(found.comparison, rows)
    return render_template(
        "console/scores_happened.html",
        entity=entity,
        entities=signs().entities,
        whole=entity is not None and access.sees_whole_entity(current_user.id, entity.id),
        found=found,
        seen=[candidate_words(name) for name in found.seen] if found else [],
        rows=rows,
        sentence=_sentence(rows),
        horizon=HORIZON_DAYS,
        words=candidate_words,
        figure=figure,
        with_interval=with_interval,
    )


def outcome_of(entity: Entity | None) -> score_watch.Happened | None:
    """What happened since the latest run that is old enough; None without one, or to whoever sees a part only."""
    if entity is None or not access.sees_whole_entity(current_user.id, entity.id):
        return None
    runtime = gate.runtime()
    runs = score_watch.runs_with_facts(runtime, entity)
    run = score_watch.run_decided(runs, runtime.today(entity))
    model = score_watch.model_of(runtime, runs[0]) if runs else None
    return None if run is None or model is None else score_watch.happened(runtime, entity, run, model)


def candidate_words(name: str) -> str:
    """What one of those compared is called."""
    if name == "champion":
        return _("The champion")
    kind, _space, sha256 = name.partition(" ")
    return _("Challenger %(name)s", name=sha256) if kind == "challenger" else ranking_words(name)


def _deciles(comparison: Any) -> list[dict[str, int]]:
    """Expected and happened in basis points by group, the calmest first."""
    return [
        {
            "group": number,
            "rows": one["rows"],
            "bad": one["bad"],
            "expected_bp": round(10_000 * one["expected"] / one["rows"]),
            "happened_bp": round(10_000 * one["bad"] / one["rows"]),
        }
        for number, one in enumerate(comparison.get("reliability", ()), start=1)
    ]


def _sentence(rows: list[dict[str, int]]) -> str:
    """The worst group in words."""
    if not rows:
        return ""
    worst = rows[-1]
    return _(
        "Of 100 customers like those of the worst group %(happened)s turned bad; the score had said %(expected)s.",
        happened=round(worst["happened_bp"] / 100),
        expected=round(worst["expected_bp"] / 100),
    )


def _happened_file(comparison: Any, rows: list[dict[str, int]]) -> ResponseReturnValue:
    book = Workbook(write_only=True)
    head = [_("Group"), _("Customers"), _("Turned bad"), _("Expected"), _("Happened")]
    cells = (
        [
            *(one["group"], one["rows"], one["bad"]),
            *(formatting.percent_text(one["expected_bp"]), formatting.percent_text(one["happened_bp"])),
        ]
        for one in rows
    )
    add_sheet(book, _("Expected and happened"), cells, head)
    measured = (
        [candidate_words(name), with_interval(one), figure(one.get("brier")), figure(one.get("ece"))]
        for name, one in comparison.get("measures", {}).items()
    )
    add_sheet(book, _("Compared"), measured, [_("Ranking"), _("AUC"), _("Brier"), _("ECE")])
    return sent(saved(book), "scores-happened.xlsx")
