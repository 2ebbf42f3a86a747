"""Parameters: every tunable figure with its range, its history and the rules that read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import formatting, gate, measures
from admin.derived_facts import begun, may_begin, readers_in
from admin.versions import body_of, currency_shown, in_force, may_change, newest_of, visible_entities, waiting
from engine.tables import Document, Entity
from ledger.columns import Kind
from rules.documents import parse_parameters
from rules.policies import Parameter
from rules.stages import STAGES
from rules.thresholds import thresholds_of

blueprint = Blueprint("parameters", __name__, url_prefix="/parameters")


@dataclass(frozen=True)
class ParameterLine:
    """A parameter of a document in force.

    Args:
        newest: the version a change is made from.
        group: the stage whose rules read it first.
        value, since: what holds today.
        coming: later values: day and words.
        by_currency: what holds today in other base currencies, where it has an amount of its own.
        uses: the rules that read it: document and label.
        place: where it can be changed; empty when it is no number.
    """

    document: Document
    newest: Document
    group: str
    name: str
    label: str
    meaning: str
    value: str
    since: int
    range: str
    coming: tuple[tuple[int, str], ...]
    by_segment: tuple[tuple[str, str], ...]
    by_currency: tuple[tuple[str, str], ...]
    uses: tuple[tuple[Document, str], ...]
    place: str
    waits: tuple[Document, ...]


def parameters_now() -> dict[str, tuple[Document, Parameter]]:
    """Every parameter that holds today, with its document, later values left out."""
    found: dict[str, tuple[Document, Parameter]] = {}
    for document in sorted(in_force("parameters"), key=lambda one: one.entity_id is not None):
        parsed, _problems = parse_parameters(body_of(document))
        today = gate.runtime().today(document.entity)
        for parameter in parsed.parameters if parsed else ():
            values = tuple(value for value in parameter.values if value.from_day <= today) or parameter.values[:1]
            found[parameter.name] = (document, replace(parameter, values=values))
    return found


def parameter_lines(documents: Iterable[Document]) -> list[ParameterLine]:
    """The parameters of documents, as a page lists them."""
    uses = parameter_uses([*in_force("policy"), *in_force("derived_facts")])
    proposals = waiting("parameters")
    lines = []
    for document in documents:
        body, currency = body_of(document), currency_shown(document)
        newest = newest_of(document)
        places = {t.owner: t for t in thresholds_of(body_of(newest))}
        later = parse_parameters(body_of(newest))[0] if newest.id != document.id else None
        parsed, _problems = parse_parameters(body)
        today = gate.runtime().today(document.entity)
        for parameter in parsed.parameters if parsed else ():
            now = parameter.at(today, currency)
            begun = [value for value in parameter.held(currency, today) if value.segment is None]
            threshold = places.get(parameter.name)
            lines.append(
                ParameterLine(
                    document=document,
                    newest=newest,
                    group=_group(uses.get(parameter.name, ())),
                    name=parameter.name,
                    label=_(parameter.label),
                    meaning=_(parameter.meaning),
                    value=_value(None if now is None else now.value, parameter.kind, currency),
                    since=max((value.from_day for value in begun), default=today),
                    range=measures.range_words(parameter.low, parameter.high, parameter.kind, currency)
                    if threshold
                    else "",
                    coming=tuple(
                        (value.from_day, _value(value.value, parameter.kind, currency))
                        for value in (later.named(parameter.name) or parameter if later else parameter).held(currency)
                        if value.from_day > today and value.segment is None
                    ),
                    by_segment=tuple(
                        (formatting.title(name), _value(value, parameter.kind, currency))
                        for name, value in (now.by_segment if now else ())
                    ),
                    by_currency=tuple(
                        (other, _value(value.value, parameter.kind, other))
                        for other in sorted({one.currency for one in parameter.values if one.currency} - {currency})
                        for value in [parameter.at(today, other)]
                        if value is not None
                    ),
                    uses=tuple(uses.get(parameter.name, ())),
                    place=threshold.place if threshold else "",
                    waits=tuple(p for p in proposals if _moves(p, newest, parameter.name)),
                )
            )
    return lines


def _group(uses: Sequence[tuple[Document, str]]) -> str:
    stages = {str(document.stage) for document, _label in uses if document.stage}
    return next((_(stage.label) for stage in reversed(STAGES) if stage.name in stages), _("All stages"))


def _moves(proposal: Document, live: Document, name: str) -> bool:
    """Whether a proposal gives one parameter another history."""
    if proposal.key != live.key or proposal.entity_id != live.entity_id:
        return False
    sides = [{p["name"]: p["values"] for p in body_of(one)["parameters"]}.get(name) for one in (proposal, live)]
    return bool(sides[0] != sides[1])


def _value(value: Any, kind: Kind, currency: str) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return measures.number_words(value, kind, currency) if isinstance(value, int) else str(value)


def parameter_uses(documents: Iterable[Document]) -> dict[str, list[tuple[Document, str]]]:
    """Which rules of which policies, and which derived facts, read a parameter."""
    found: dict[str, list[tuple[Document, str]]] = {}

    def walk(node: Any, document: Document, label: str) -> None:
        if isinstance(node, Mapping):
            if isinstance(node.get("param"), str) and (document, label) not in found.setdefault(node["param"], []):
                found[node["param"]].append((document, label))
            for below in node.values():
                walk(below, document, label)
        elif isinstance(node, list):
            for below in node:
                walk(below, document, label)

    for document in documents:
        for label, part in readers_in(body_of(document)):
            walk(part, document, label)
    return found


def place_of(document: Document, name: str) -> str:
    """Where in a document a parameter can be changed; empty when it is no number."""
    return next((t.place for t in thresholds_of(body_of(document)) if t.owner == name), "")


def grouped(lines: Iterable[ParameterLine]) -> list[tuple[str, list[ParameterLine]]]:
    """Lines by the stage they matter to, in the order of the pipeline."""
    order = [_(stage.label) for stage in STAGES]
    found: dict[str, list[ParameterLine]] = {}
    for line in lines:
        found.setdefault(line.group, []).append(line)
    return sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


@blueprint.get("/")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """Every parameter with its value, its range and the rules that read it."""
    documents = in_force("parameters")
    drafts = Document.select().where(Document.status == "draft", Document.kind == "parameters")
    return render_template(
        "console/parameters.html",
        groups=grouped(parameter_lines(documents)),
        waiting=waiting("parameters"),
        drafts=[] if documents else list(drafts),
        several=len({document.entity_id for document in documents}) > 1,
        changeable={document.id for document in documents if may_change(document)},
        documents=documents,
        free=free_entities(documents),
    )


def free_entities(documents: Sequence[Document]) -> list[Entity]:
    """Entities without parameters of their own, for which the reader may write some."""
    if not documents or not gate.may("documents.draft"):
        return []
    taken = {document.entity_id for document in documents}
    return [one for one in visible_entities() if one.id not in taken and may_begin(one)]


@blueprint.post("/new")
@gate.needs("documents.draft")
def begin() -> ResponseReturnValue:
    """Begin parameters of an entity's own."""
    return begun("parameters", {"key": "parameters", "name": "Parameters", "parameters": []})
