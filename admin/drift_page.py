"""Drift over time: how far scores and features moved, how many customers have a score, and how true scores were."""

from collections.abc import Callable, Sequence

from babel.dates import format_skeleton
from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import charts, formatting, gate
from admin.charts import Axis, Chart, Column, Line
from admin.dashboard import chosen_entity
from admin.scores_page import TONES, verdict_names
from admin.sheet import saved, sent
from admin.signs import signs
from engine import access, score_history
from engine.score_history import SCORE, YEAR_DAYS, Watched
from engine.tables import Entity
from ledger.days import date_of
from scoring.drift import ACT, WATCH
from scoring.features import WITH_EXTERNAL
from scoring.labels import HORIZON_DAYS

blueprint = Blueprint("drift", __name__, url_prefix="/scores")

FEATURES_DRAWN = 4
TICKS_MAX = 6
ENDS = (0.3, 0.5, 1.0, 2.0, 20.0)  # of the axis of the index
Point = tuple[float, float | None]


def runs_of(entity: Entity | None) -> list[Watched] | None:
    """The runs of the last year; None to whoever sees a part of the entity only."""
    if entity is None or not access.sees_whole_entity(current_user.id, entity.id):
        return None
    return score_history.history(entity, gate.runtime().today(entity) - YEAR_DAYS)


def feature_words(name: str) -> str:
    """What a feature is called."""
    labels = {one.name: one.label for one in WITH_EXTERNAL}
    return str(_("The score") if name == SCORE else _(labels[name]) if name in labels else formatting.spelled(name))


def drawn(runs: Sequence[Watched]) -> list[Chart]:
    """Every chart of the page, from the runs of a year."""
    if not runs:
        return []
    latest = runs[-1].figures["drift"]
    farthest = sorted((name for name in latest if name != SCORE), key=lambda name: (-latest[name][0], name))
    unknown = runs[-1].figures["unknown"]
    emptiest = sorted(unknown, key=lambda name: (-unknown[name], name))[:FEATURES_DRAWN]
    return [
        _indexes("score", _("Stability of the score"), _told_drift(runs[-1]), runs, [SCORE]),
        _indexes(
            "features",
            _("Stability of the features"),
            _("The %(n)s that lie farthest from where they were; the table below has all.", n=FEATURES_DRAWN),
            runs,
            farthest[:FEATURES_DRAWN],
        ),
        _coverage(runs),
        _shares(
            "unknown",
            _("Unknown values"),
            _("The features that most customers lack today. A feed that stops is seen here first."),
            runs,
            [(feature_words(name), [run.figures["unknown"].get(name) for run in runs]) for name in emptiest],
        ),
        *_performance([run for run in runs if run.outcome]),
    ]


def _told_drift(run: Watched) -> str:
    index = run.figures["drift"].get(SCORE, [0.0])[0]
    return _(
        "Stability index %(index)s against %(day)s: %(verdict)s.",
        index=charts.cell(index, "index"),
        day=formatting.day_text(run.figures["since"]),
        verdict=verdict_names()[run.verdict(SCORE)],
    )


def _days(runs: Sequence[Watched]) -> Axis:
    """The axis of days, with a few dates on it."""
    first, last = runs[0].day, runs[-1].day
    span = max(last - first, 1)
    step = max(1, -(-span // TICKS_MAX))
    words = [
        (float(day), format_skeleton("MMMd", date_of(day), locale=formatting.locale()))
        for day in range(first, last + 1, step)
    ]
    return Axis(_("Day of the run"), float(first) - span * 0.02, float(last) + span * 0.02, words)


def _points(runs: Sequence[Watched], values: Sequence[float | None]) -> list[Point]:
    return [(float(run.day), value) for run, value in zip(runs, values, strict=True)]


def _indexes(key: str, title: str, told: str, runs: Sequence[Watched], names: Sequence[str]) -> Chart:
    """Stability indexes with the lines from which one watches and acts."""
    series = [(name, [run.figures["drift"].get(name, [None])[0] for run in runs]) for name in names]
    most = max((value for _name, values in series for value in values if value is not None), default=0.0)
    return Chart(
        key,
        title,
        told,
        _days(runs),
        charts.index_axis(
            _("Stability index"), next(end for end in (0.3, 0.5, 1.0, 2.0, 20.0) if end >= min(most, 20))
        ),
        [Line(feature_words(name), _points(runs, values), None, style) for style, (name, values) in enumerate(series)],
        [
            *(Column(_("Day"), "text"), Column(_("Model"), "text"), Column(_("Against"), "text")),
            *(Column(feature_words(name), "index") for name in names),
        ],
        [
            [
                *(formatting.day_text(run.day), run.model[:8], formatting.day_text(run.figures["since"])),
                *(values[place] for _name, values in series),
            ]
            for place, run in enumerate(runs)
        ],
        levels=[(WATCH, _("watch it")), (ACT, _("act"))],
    )


def _shares(
    key: str, title: str, told: str, runs: Sequence[Watched], series: Sequence[tuple[str, Sequence[float | None]]]
) -> Chart:
    """Shares of customers over time."""
    most = max((value for _label, values in series for value in values if value is not None), default=1.0)
    return Chart(
        key,
        title,
        told,
        _days(runs),
        charts.share_axis(_("Customers, %"), charts.rounded_up(most)),
        [Line(label, _points(runs, values), None, style) for style, (label, values) in enumerate(series)],
        [Column(_("Day"), "text"), *(Column(label) for label, _values in series)],
        [
            [formatting.day_text(run.day), *(values[place] for _label, values in series)]
            for place, run in enumerate(runs)
        ],
    )


def _coverage(runs: Sequence[Watched]) -> Chart:
    """How many customers have a score, and of how many little is known; the table counts open items too."""
    figures = [run.figures for run in runs]
    counted = [max(one["customers"], 1) for one in figures]
    series = [
        (_("With a score"), [one["scored"] / n for one, n in zip(figures, counted, strict=True)]),
        (_("Thin history"), [one["thin"] / n for one, n in zip(figures, counted, strict=True)]),
    ]
    told = _("Who has a score, and of whom so little is known that it leans on others.")
    chart = _shares("coverage", _("Coverage"), told, runs, series)
    return charts.with_columns(
        chart,
        [Column(_("Customers"), "count"), Column(_("Open items"), "count")],
        [[one["customers"], one["open_items"]] for one in figures],
    )


def _performance(runs: Sequence[Watched]) -> list[Chart]:
    """What became of the scores of runs whose days are over."""
    if not runs:
        return []
    said = [run.outcome.get("expected") for run in runs]
    came = [run.outcome["bad"] / run.outcome["n"] if run.outcome.get("n") else None for run in runs]
    aucs = [(run.outcome.get("auc"), run.outcome.get("rival_auc")) for run in runs]
    truth = _shares(
        "came",
        _("Said and happened"),
        _(
            "Of the customers scored on a day, how many were said to turn bad within %(n)s days, and did.",
            n=HORIZON_DAYS,
        ),
        runs,
        [(_("Happened"), came), (_("Said"), said)],
    )
    ranks = Chart(
        "auc",
        _("Ranking, once labels were known"),
        _("AUC of the score as it was stored that day, beside the own late share on the same customers."),
        _days(runs),
        charts.index_axis(_("AUC"), 1.0),
        [
            Line(_("The score"), _points(runs, [score for score, _rival in aucs]), None, 0),
            Line(_("Own late share (naive)"), _points(runs, [rival for _score, rival in aucs]), None, 1),
        ],
        [
            *(Column(_("Day"), "text"), Column(_("Model"), "text"), Column(_("Customers"), "count")),
            *(Column(_("Turned bad"), "count"), Column(_("AUC"), "figure"), Column(_("AUC, naive"), "figure")),
            *(Column(_("Brier"), "figure"), Column(_("ECE"), "figure")),
        ],
        [
            [
                *(formatting.day_text(run.day), run.model[:8], run.outcome.get("n"), run.outcome.get("bad")),
                *(run.outcome.get(name) for name in ("auc", "rival_auc", "brier", "ece")),
            ]
            for run in runs
        ],
    )
    return [ranks, truth]


def latest_table(runs: Sequence[Watched]) -> list[dict[str, object]]:
    """Every feature of the latest run: index, highest of the year and when, verdict, unknown values."""
    if not runs:
        return []
    now = runs[-1]
    found: list[dict[str, object]] = []
    for name in (SCORE, *(one.name for one in WITH_EXTERNAL)):
        if name not in now.figures["drift"]:
            continue
        highest = max(runs, key=lambda run: run.figures["drift"].get(name, [0.0])[0])
        found.append(
            {
                "label": feature_words(name),
                "index": charts.cell(now.figures["drift"][name][0], "index"),
                "highest": charts.cell(highest.figures["drift"][name][0], "index"),
                "day": formatting.day_text(highest.day),
                "verdict": verdict_names()[now.verdict(name)],
                "tone": TONES[now.verdict(name)],
                "unknown": None if name == SCORE else charts.cell(now.figures["unknown"].get(name), "share"),
            }
        )
    return found


def _page(draw: Callable[[Entity, list[Watched]], ResponseReturnValue]) -> ResponseReturnValue:
    entity = chosen_entity()
    runs = runs_of(entity)
    if entity is None or runs is None:
        return render_template(
            "console/scores_drift.html", entity=entity, entities=signs().entities, whole=False, charts=[], table=[]
        )
    return draw(entity, runs)


@blueprint.get("/drift")
@gate.needs("customers.view")
def index() -> ResponseReturnValue:
    """Drift, coverage, unknown values and performance of the last twelve months."""
    return _page(
        lambda entity, runs: render_template(
            "console/scores_drift.html",
            entity=entity,
            entities=signs().entities,
            whole=True,
            charts=drawn(runs),
            table=latest_table(runs),
            runs=len(runs),
            horizon=HORIZON_DAYS,
            told=any(run.outcome for run in runs),
            cut_off=bool(runs) and runs[-1].figures["open_items"] == 0,
            file=url_for("drift.workbook", entity=entity.code),
        )
    )


@blueprint.get("/drift.xlsx")
@gate.needs("customers.view")
def workbook() -> ResponseReturnValue:
    """The tables of all charts, or of the one asked for."""

    def written(entity: Entity, runs: list[Watched]) -> ResponseReturnValue:
        asked = request.args.get("chart", "")
        chosen = [chart for chart in drawn(runs) if asked in {"", chart.key}]
        if not chosen:
            abort(404)
        book = Workbook(write_only=True)
        for chart in chosen:
            charts.add_chart(book, chart)
        return sent(saved(book), f"drift-{entity.code}{'-' + asked if asked else ''}.xlsx")

    return _page(written)
