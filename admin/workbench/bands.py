"""A scorecard as bands and points: bounds are shifted, bands split and merged, classes moved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.versions import address, body_of, replaced_by, title_of
from admin.workbench.desk import blueprint, editable
from admin.workbench.table import conflict_page, tongue_for
from engine import drafts
from engine.commands import Conflict
from engine.findings import findings
from engine.governance import SaveDraft, UndoDraft
from engine.tables import Document
from ledger.columns import Kind
from ledger.problems import Problem
from rules.cell_words import Tongue
from rules.condition_cells import cell_text, fact_of
from rules.documents import parse
from rules.figures import figure_text, read_figure, unit_words
from rules.scorecards import (
    Characteristic,
    PointBand,
    Scorecard,
    followed,
    key_of,
    merged,
    scorecard_of,
    split,
    with_bands,
)

Wrong = dict[tuple[str, int, str], str]  # by characteristic, band and field, what is wrong


@dataclass(frozen=True)
class CharacteristicShown:
    """A characteristic as the page draws it.

    Args:
        rows: a band with its number, or (None) a range without points in words.
    """

    key: str
    number: int
    label: str
    meaning: str
    unit: str
    guard: str
    rows: tuple[tuple[int | None, Any], ...]
    overlaps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BandFields:
    """The fields of one band."""

    place: str
    low: str
    high: str
    points: str
    label: str
    words: str
    last: bool


@blueprint.get("/<int:document_id>/bands")
@gate.needs("documents.draft")
def bands(document_id: int) -> ResponseReturnValue:
    """The draft as bands and points."""
    return bands_page(editable(document_id))


@blueprint.post("/<int:document_id>/bands")
@gate.needs("documents.draft")
def bands_edit(document_id: int) -> ResponseReturnValue:
    """Do to the bands what the form asks, and save them."""
    row = editable(document_id)
    if row.status != "draft":
        abort(409)
    given = request.form
    version = int(given.get("version", "0")) if given.get("version", "").isdecimal() else 0
    if given.get("do") == "undo":
        last = drafts.steps_of(row)[-1:]
        words = _("Taken back: %(what)s", what=last[0]["reason"])[:2_000] if last else ""
        gate.runtime().execute(UndoDraft(actor=current_user.id, reason=words, document_id=row.id, version=version))
        return redirect(url_for("workbench.bands", document_id=row.id), 303)
    body, tongue = body_of(row), tongue_for(row)
    if version != row.version:
        return bands_conflict(row, version, tongue)
    wrong: Wrong = {}
    came = came_of(body, given, tongue, wrong)
    if came is None:
        abort(404)
    document, problems, words = came
    if document is None:
        return bands_page(row, problems, wrong, 422)
    if document != body:
        command = SaveDraft(actor=current_user.id, reason=words, document=document, document_id=row.id, version=version)
        try:
            gate.runtime().execute(command)
        except Conflict:
            return bands_conflict(editable(document_id), version, tongue)
    return redirect(url_for("workbench.bands", document_id=row.id, _anchor=given.get("anchor") or None), 303)


def came_of(body: Mapping[str, Any], given: Mapping[str, str], tongue: Tongue, wrong: Wrong) -> "Came | None":
    """What a form makes of a draft; None where what it is about is not there."""
    do, _colon, target = given.get("do", "").partition(":")
    card = scorecard_of(body, tongue) if parse(body)[0] is not None else None
    if card is None:
        return None
    if do.startswith("class"):
        return classes_of(body, do, target, given, tongue, wrong) if "bands" in body else None
    one = next((c for c in card.characteristics if key_of(c) == given.get("of")), None)
    return None if one is None else characteristic_of(body, card, one, (do, target), given, tongue, wrong)


def bands_conflict(row: Document, seen: int, tongue: Tongue) -> ResponseReturnValue:
    """Somebody else saved the draft meanwhile: both sides, and nothing is overwritten."""
    before = drafts.body_at(row, seen)
    mine = None if before is None else came_of(before, request.form, tongue, {})
    again = came_of(body_of(row), request.form, tongue, {})
    return conflict_page(
        row, before, mine[0] if mine else None, again is not None and again[0] is not None, "workbench.bands"
    )


Came = tuple[dict[str, Any] | None, list[Problem], str]


def characteristic_of(
    body: Mapping[str, Any],
    card: Scorecard,
    one: Characteristic,
    asked: tuple[str, str],
    given: Mapping[str, str],
    tongue: Tongue,
    wrong: Wrong,
) -> Came:
    """What becomes of a draft when the bands of one characteristic are changed."""
    do, target = asked
    read = [_read_band(number, band, one, given, tongue, wrong) for number, band in enumerate(one.bands)]
    label = tongue.voice.fact(one.column.name)
    if wrong:
        return None, [], ""
    changed = replace(one, bands=followed(one.bands, read))
    number = int(target) if target.isdecimal() else -1
    if do in CHANGES and not 0 <= number < len(one.bands) - (do == "merge"):
        return None, [Problem("", _("This is not there any more."), _("Choose again."))], ""
    if do in CHANGES:
        changed = replace(changed, bands=CHANGES[do](changed, number))
    document, problems = with_bands(
        body, replace(changed, bands=one.bands), changed.bands, card.outcome, tongue.voice.say
    )
    for problem in problems:
        wrong[(key_of(one), problem.line or 0, problem.column or "low")] = f"{problem.what}; {problem.cure}"
    return document, problems, _("Bands of %(fact)s changed", fact=label)


def _without(one: Characteristic, number: int) -> tuple[PointBand, ...]:
    return tuple(band for index, band in enumerate(one.bands) if index != number)


CHANGES: Mapping[str, Callable[[Characteristic, int], tuple[PointBand, ...]]] = {
    "split": split,
    "merge": merged,
    "remove": _without,
}


def _read_band(
    number: int, band: PointBand, one: Characteristic, given: Mapping[str, str], tongue: Tongue, wrong: Wrong
) -> PointBand:
    """A band as its fields say it."""
    found: dict[str, int | None] = {"low": band.low, "high": band.high, "points": band.points}
    for name, kind in (("low", one.column.kind), ("high", one.column.kind), ("points", Kind.COUNT)):
        if f"{name}:{number}" not in given or (band.words and name != "points"):
            continue
        text = given[f"{name}:{number}"].strip().replace("−", "-")
        value = read_figure(text, kind, tongue.voice) if text else None
        if value is None and (text or name == "points"):
            example = tongue.example(kind) if name != "points" else "10"
            wrong[(key_of(one), number, name)] = _("This cannot be read: write a number such as %(n)s.", n=example)
        found[name] = value
    label = " ".join(given.get(f"label:{number}", band.label).split())
    return replace(band, low=found["low"], high=found["high"], points=found["points"] or 0, label=label)


def classes_of(
    body: Mapping[str, Any], do: str, target: str, given: Mapping[str, str], tongue: Tongue, wrong: Wrong
) -> Came:
    """What becomes of a draft when its risk classes are changed."""
    classes: list[dict[str, Any]] = []
    for number, band in enumerate(body["bands"]):
        name = given.get(f"class:{number}", band["risk_class"]).strip()
        text = given.get(f"up_to:{number}", "").strip().replace("−", "-")
        value = read_figure(text, Kind.COUNT, tongue.voice) if text else None
        if text and value is None:
            wrong[("classes", number, "up_to")] = _("This cannot be read: write a number such as %(n)s.", n="10")
        classes.append({"risk_class": name, **({} if value is None else {"up_to": value})})
    number = int(target) if target.isdecimal() else -1
    if do == "class-remove" and 0 <= number < len(classes) - 1:
        del classes[number]
    elif do == "class-add" and len(classes) > 1:
        lower = classes[-2].get("up_to", 0)
        classes.insert(len(classes) - 1, {"risk_class": _("New class"), "up_to": lower + 10})
    document = {**body, "bands": classes}
    problems = [] if wrong else parse(document)[1]
    return (None if wrong or problems else document), problems, _("Risk classes changed")


def bands_page(
    row: Document, problems: list[Problem] | None = None, wrong: Wrong | None = None, status: int = 200
) -> ResponseReturnValue:
    """The page."""
    body, tongue = body_of(row), tongue_for(row)
    card = scorecard_of(body, tongue) if parse(body)[0] is not None else None
    steps = drafts.steps_of(row)
    return render_template(
        "console/workbench/bands.html",
        row=row,
        body=body,
        title=title_of(row),
        card=card,
        characteristics=[] if card is None else [_shown(n, one, tongue) for n, one in enumerate(card.characteristics)],
        others=[] if card is None else [(place, _label(body, place)) for place in card.others],
        classes=body.get("bands", []),
        problems=problems or [],
        wrong=wrong or {},
        given=request.form if status != 200 else {},
        found=findings(body, row.entity),
        last=steps[-1] if steps else None,
        back=address(replaced_by(row) or row),
    ), status


def _label(body: Mapping[str, Any], place: str) -> str:
    rule = body["rules"][int(place.rsplit("/", 1)[-1])]
    return str(rule.get("label") or rule["key"])


def _shown(number: int, one: Characteristic, tongue: Tongue) -> CharacteristicShown:
    kind, voice = one.column.kind, tongue.voice

    def text(value: int | None) -> str:
        return "" if value is None else figure_text(value, kind, voice)

    rows: list[tuple[int | None, Any]] = []
    holes = list(one.holes)
    for index, band in enumerate(one.bands):
        while holes and band.low is not None and holes[0][1] < band.low:
            low, high = holes.pop(0)
            rows.append((None, f"{text(low)} .. {text(high)}"))
        last = index == len(one.bands) - 1
        fields = BandFields(
            band.origin or "", text(band.low), text(band.high), str(band.points), band.label, band.words, last
        )
        rows.append((index, fields))
    guards = [
        f"{voice.fact(str(fact_of(term)))}: {cell_text([term], voice.dictionary[str(fact_of(term))], tongue)}"
        for term in one.guard
    ]
    return CharacteristicShown(
        key=key_of(one),
        number=number,
        label=voice.fact(one.column.name),
        meaning=voice.say(one.column.meaning),
        unit=unit_words(kind, voice),
        guard="; ".join(guards),
        rows=tuple(rows),
        overlaps=tuple((one.bands[a].label, one.bands[b].label) for a, b in one.overlaps),
    )
