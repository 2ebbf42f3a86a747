"""The curves of a model and its errors by month and part, beside its naive rivals and beside another model.

Everything is drawn from the cards of the registry: no ledger is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import charts, formatting, gate
from admin.charts import Axis, Chart, Column, Line
from admin.model_parts import parts_drawn
from admin.models_page import (
    Shown,
    figure,
    found_model,
    of_report,
    ranking_words,
    shown,
    with_interval,
    without_amounts,
)
from admin.sheet import saved, sent
from engine import access
from engine.tables import ScoreModel

blueprint = Blueprint("curves", __name__, url_prefix="/models")

TESTS = ("customers", "p_late", "p_late30")
TOLD_AT_BP = (1_000, 2_000)  # where a sentence says what was found
BESIDE_MAX = 20
IN_ORDER = ("score", "champion", "own_share", "own_late_share", "ageing_rule", "amount")


def in_order(named: Mapping[str, Any]) -> dict[str, Any]:
    """The model first, then its naive rivals, then what else there is: a card is sorted by name."""
    known = {name: place for place, name in enumerate(IN_ORDER)}
    return {name: named[name] for name in sorted(named, key=lambda name: (known.get(name, len(known)), name))}


def tests_of(card: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a card holds curves and parts of, by what was tested; none in cards of earlier times."""
    tested = card.get("tested") or {}
    found = {"customers": card, **{name: tested.get(name) or {} for name in ("p_late", "p_late30")}}
    return {name: found[name] for name in TESTS if found[name].get("curves") or found[name].get("parts")}


def test_words(name: str) -> str:
    """What was tested, as a tab."""
    return {
        "customers": _("Customers, 30 days past due within 90"),
        "p_late": _("Invoices, paid late"),
        "p_late30": _("Invoices, over 30 days late"),
    }[name]


def measures_of_test(card: Mapping[str, Any], test: str) -> Mapping[str, Any]:
    """The figures of one test, the model itself under ``score``."""
    if test == "customers":
        return in_order(card.get("measures") or {})
    return in_order(of_report((card.get("tested") or {}).get(test) or {}))


def line_words(name: str) -> str:
    """What a line of a chart is called."""
    known = {"champion": _("The model"), "amount": _("The amount alone (naive)")}
    return known.get(name) or ranking_words(name)


def drawn(one: Shown, test: str, other: Shown | None = None) -> list[Chart]:
    """Every chart of a model's test.

    Args:
        test: of ``tests_of``.
        other: another model of the same question, whose line is drawn too.
    """
    curves = tests_of(one.card).get(test, {}).get("curves") or {}
    if not curves:
        return []
    beside = (tests_of(other.card).get(test, {}).get("curves") or {}) if other is not None else {}
    if beside and beside["grid_bp"] != curves["grid_bp"]:
        beside = {}
    named = {name: line_words(name) for name in in_order(curves["lines"])}
    lines = {**named, "champion": _("This model (%(name)s)", name=one.name)} if beside else named
    grid = [bp / 10_000 for bp in curves["grid_bp"]]
    parts = [(lines[name], curves["lines"][name]) for name in lines]
    if beside and other is not None:
        parts.insert(1, (_("Beside it (%(name)s)", name=other.name), beside["lines"]["champion"]))
    flagged, found = _("Good ones flagged, %"), _("Bad ones found, %")
    worked = _("Looked at, worst first, % of all")
    return [
        _reliability(curves, beside, one, other),
        _curve(
            *("roc", _("ROC"), _told_auc(one, test), grid, parts),
            across=charts.share_axis(flagged),
            up=charts.share_axis(found),
            first=_("Good ones flagged"),
            diagonal=_("chance"),
        ),
        _curve(
            *("precision", _("Precision and recall"), _told_precision(curves), grid, parts),
            across=charts.share_axis(found),
            up=charts.share_axis(_("Bad among those flagged, %")),
            first=_("Bad ones found"),
        ),
        _curve(
            *("lift", _("Lift"), _told_lift(curves, lines), grid, parts),
            across=charts.share_axis(worked),
            up=charts.share_axis(found),
            first=_("Looked at"),
            diagonal=_("chance"),
        ),
        *(
            _money(money, _same_currency(beside, money), curves["grid_bp"], one, other)
            for money in curves.get("money", ())
        ),
    ]


def _curve(
    key: str,
    title: str,
    told: str,
    grid: Sequence[float],
    parts: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    across: Axis,
    up: Axis,
    first: str,
    diagonal: str = "",
) -> Chart:
    """One chart of lines on the common grid."""
    shown_lines = [(label, line[key]) for label, line in parts]
    return Chart(
        key,
        title,
        told,
        across,
        up,
        [
            Line(label, list(zip(grid, line["at"], strict=True)), _band(line), style)
            for style, (label, line) in enumerate(shown_lines)
        ],
        [Column(first), *charts.interval_columns(label for label, _line in shown_lines)],
        [
            [share, *(value for _label, line in shown_lines for value in _cells(line, place))]
            for place, share in enumerate(grid)
        ],
        diagonal=diagonal,
    )


def _band(line: Mapping[str, Any]) -> list[tuple[float, float]] | None:
    return list(zip(line["low"], line["high"], strict=True)) if line.get("low") else None


def _cells(line: Mapping[str, Any], place: int) -> list[Any]:
    return [line["at"][place], _ends(line, place)]


def _ends(line: Mapping[str, Any], place: int) -> tuple[float, float] | None:
    return (line["low"][place], line["high"][place]) if line.get("low") else None


def _reliability(curves: Mapping[str, Any], beside: Mapping[str, Any], one: Shown, other: Shown | None) -> Chart:
    """Said against happened, by decile."""
    tables = [(line_words(name), rows) for name, rows in in_order(curves["reliability"]).items()]
    if beside and other is not None:
        tables[0] = (_("This model (%(name)s)", name=one.name), tables[0][1])
        tables.insert(1, (_("Beside it (%(name)s)", name=other.name), beside["reliability"]["champion"]))
    shares = [(row["expected"] / row["rows"], row["bad"] / row["rows"], row) for _label, rows in tables for row in rows]
    high = charts.rounded_up(max((max(said, came, row.get("high", 0)) for said, came, row in shares), default=1.0))
    worst = curves["reliability"]["champion"][-1]
    return Chart(
        "reliability",
        _("Reliability"),
        _(
            "Of 100 like the worst tenth %(happened)s turned bad; the model had said %(said)s. On the line a chance is "
            "as large as it says.",
            happened=round(100 * worst["bad"] / worst["rows"]),
            said=round(100 * worst["expected"] / worst["rows"]),
        ),
        charts.share_axis(_("The score said, %"), high),
        charts.share_axis(_("Turned bad, %"), high),
        [
            Line(
                label,
                [(row["expected"] / row["rows"], row["bad"] / row["rows"]) for row in rows],
                [(row["low"], row["high"]) for row in rows] if all("low" in row for row in rows) else None,
                style,
                bars=True,
            )
            for style, (label, rows) in enumerate(tables)
        ],
        [
            *(Column(_("Ranking"), "text"), Column(_("Tenth"), "count"), Column(_("Rows"), "count")),
            *(Column(_("Turned bad"), "count"), Column(_("Said")), Column(_("Happened"))),
            Column(_("Happened, interval"), range=True),
        ],
        [
            [
                *(label, place, row["rows"], row["bad"], row["expected"] / row["rows"], row["bad"] / row["rows"]),
                (row["low"], row["high"]) if "low" in row else None,
            ]
            for label, rows in tables
            for place, row in enumerate(rows, start=1)
        ],
        diagonal=_("said as it happened"),
    )


def _same_currency(beside: Mapping[str, Any], money: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((one for one in beside.get("money", ()) if one["currency"] == money["currency"]), {})


def _money(
    money: Mapping[str, Any], beside: Mapping[str, Any], grid_bp: Sequence[int], one: Shown, other: Shown | None
) -> Chart:
    """Late money found by chance x amount, by the naive chance x amount and by the amount alone."""
    total, currency = money["total_minor"], money["currency"]
    lines = [(line_words(name), total, line) for name, line in in_order(money["by"]).items()]
    if beside and other is not None:
        lines[0] = (_("This model (%(name)s)", name=one.name), total, lines[0][2])
        lines.insert(1, (_("Beside it (%(name)s)", name=other.name), beside["total_minor"], beside["by"]["champion"]))
    grid = [bp / 10_000 for bp in grid_bp]
    at = list(grid_bp).index(TOLD_AT_BP[1])
    by = money["by"]
    told = _(
        "Of %(total)s %(currency)s that went bad, chance times amount finds %(model)s when a fifth is looked at; the "
        "amount alone finds %(amount)s.",
        total=formatting.money_text(total, currency, False),
        currency=currency,
        model=_percent(by["champion"]["found_minor"][at] / total),
        amount=_percent(by["amount"]["found_minor"][at] / total),
    )
    return Chart(
        f"money-{currency.lower()}",
        _("Money, %(currency)s", currency=currency),
        told,
        charts.share_axis(_("Looked at, worst first, % of all")),
        charts.share_axis(_("Bad money found, %")),
        [
            Line(
                label,
                [(x, found / whole) for x, found in zip(grid, line["found_minor"], strict=True)],
                _band(line),
                style,
            )
            for style, (label, whole, line) in enumerate(lines)
        ],
        [
            Column(_("Looked at")),
            *(
                column
                for label, _total, _line in lines
                for column in (
                    Column(_("%(what)s, found", what=label), "money"),
                    *charts.interval_columns([label]),
                )
            ),
        ],
        [
            [
                x,
                *(
                    value
                    for _label, whole, line in lines
                    for value in (
                        line["found_minor"][place],
                        line["found_minor"][place] / whole,
                        _ends(line, place),
                    )
                ),
            ]
            for place, x in enumerate(grid)
        ],
        diagonal=_("chance"),
        currency=currency,
    )


def _percent(share: float) -> str:
    return formatting.percent_text(round(10_000 * share), 0)


def _told_auc(one: Shown, test: str) -> str:
    measures = measures_of_test(one.card, test)
    rival = next((measures[name] for name in ("own_share", "own_late_share") if name in measures), {})
    return _(
        "Of a bad one and a good one it ranks the bad one higher %(model)s times of 100; the own late share %(rival)s "
        "times.",
        model=round(100 * (measures.get("score") or {}).get("auc", 0)),
        rival=round(100 * rival.get("auc", 0)),
    )


def _told_precision(curves: Mapping[str, Any]) -> str:
    half = curves["grid_bp"].index(5_000)
    return _(
        "To find half of the bad ones, of 100 it flags %(right)s are bad.",
        right=round(100 * curves["lines"]["champion"]["precision"]["at"][half]),
    )


def _told_lift(curves: Mapping[str, Any], lines: Mapping[str, str]) -> str:
    at = curves["grid_bp"].index(TOLD_AT_BP[0])
    rival = next((name for name in lines if name.startswith("own_")), "champion")
    found = {name: curves["lines"][name]["lift"]["at"][at] for name in ("champion", rival)}
    return _(
        "Among the worst tenth it finds %(model)s of the bad ones, %(times)s times what chance would; the own late "
        "share finds %(rival)s.",
        model=_percent(found["champion"]),
        times=figure(found["champion"] / 0.1, 1),
        rival=_percent(found[rival]),
    )


def seen(row: ScoreModel) -> Shown:
    """A model with as much of its card as the reader may see."""
    one = shown(row)
    return one if access.sees_all_of(current_user.id, None) else replace(one, card=without_amounts(one.card))


def _asked(model_id: int) -> tuple[Shown, str, Shown | None, list[ScoreModel]]:
    """The model, the test and the model beside it that a request asks for."""
    one = seen(found_model(model_id))
    tests = list(tests_of(one.card))
    test = request.args.get("of") or (tests[0] if tests else TESTS[0])
    if test not in TESTS:
        abort(404)
    same = ScoreModel.select(ScoreModel.id, ScoreModel.sha256, ScoreModel.status).where(
        ScoreModel.task == one.row.task, ScoreModel.id != one.row.id
    )
    others = list(same.order_by(ScoreModel.id.desc()).limit(BESIDE_MAX))
    beside = request.args.get("beside", type=int)
    other = seen(found_model(beside)) if beside else None
    if other is not None and other.row.task != one.row.task:
        abort(404)
    return one, test, other, others


def _parts_of(one: Shown, test: str) -> list[Chart]:
    return parts_drawn(tests_of(one.card).get(test, {}).get("parts") or {})


@blueprint.get("/<int:model_id>/curves")
@gate.needs("policies.view")
def curves(model_id: int) -> ResponseReturnValue:
    """Reliability, ROC, precision and recall, lift and money."""
    one, test, other, others = _asked(model_id)
    return render_template(
        "console/model_curves.html",
        one=one,
        page="curves",
        test=test,
        tests=[(name, test_words(name)) for name in tests_of(one.card)],
        other=other,
        others=others,
        charts=drawn(one, test, other),
        measures=measures_of_test(one.card, test),
        other_measures=measures_of_test(other.card, test) if other else {},
        words=ranking_words,
        figure=figure,
        with_interval=with_interval,
        file=url_for("curves.workbook", model_id=model_id, of=test, beside=other.row.id if other else None),
    )


@blueprint.get("/<int:model_id>/parts")
@gate.needs("policies.view")
def parts(model_id: int) -> ResponseReturnValue:
    """Errors and calibration by month, segment, country, size and the like."""
    one, test, _other, _others = _asked(model_id)
    return render_template(
        "console/model_curves.html",
        one=one,
        page="parts",
        test=test,
        tests=[(name, test_words(name)) for name in tests_of(one.card)],
        charts=_parts_of(one, test),
        whole=access.sees_all_of(current_user.id, None),
        file=url_for("curves.workbook", model_id=model_id, of=test, parts=1),
    )


@blueprint.get("/<int:model_id>/curves.xlsx")
@gate.needs("policies.view")
def workbook(model_id: int) -> ResponseReturnValue:
    """The tables of all charts, or of the one asked for."""
    one, test, other, _others = _asked(model_id)
    all_charts = _parts_of(one, test) if request.args.get("parts") else drawn(one, test, other)
    asked = request.args.get("chart", "")
    chosen = [chart for chart in all_charts if asked in {"", chart.key}]
    if not chosen:
        abort(404)
    book = Workbook(write_only=True)
    for chart in chosen:
        charts.add_chart(book, chart)
    return sent(saved(book), f"model-{one.name}-{test}{'-' + asked if asked else ''}.xlsx")
