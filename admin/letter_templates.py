"""Letter templates: what letters, scripts and short messages say, in every language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import formatting, gate
from admin.versions import body_of, governed, in_force, sees_whole, visible_entities, waiting
from engine.tables import Document
from engine.wordings import letters_of
from notifiers.letter_fields import FIELDS
from notifiers.letter_templates import FALLBACK, MAY_SAY, SHARED, TEXTS

blueprint = Blueprint("templates", __name__, url_prefix="/templates")

USES: Mapping[str, Any] = {
    "letter": _l("Letters"),
    "short": _l("Short messages"),
    "internal": _l("Mails to colleagues"),
    "script": _l("Scripts of calls and tasks"),
    "shared": _l("What all letters share"),
}
NAMES: Mapping[str, Any] = {
    "subject": _l("Subject"),
    "preheader": _l("Preview line"),
    "kind": _l("Kind of letter"),
    "heading": _l("Heading"),
    "demanded": _l("Heading of the list"),
    "opening": _l("Before the list"),
    "closing": _l("After the list"),
    "short": _l("Short message"),
    "script": _l("Script"),
}
BLOCK_KINDS: Mapping[str, Any] = {
    "message": _l("Message"),
    "early_payment": _l("Early payment"),
    "penalties": _l("Interest and costs"),
    "legal": _l("Legal text"),
}


@dataclass(frozen=True)
class TemplateLine:
    """A template in the list.

    Args:
        languages: as the reader calls them.
        uses: steps of policies in force that name it.
    """

    document: Document
    name: str
    subject: str
    languages: list[str]
    uses: list[tuple[Document, str]]


@blueprint.get("/")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """Every template in force, by use, and what waits for approval."""
    documents = in_force("template")
    seen = {None, *(entity.id for entity in visible_entities())}
    drafts = Document.select().where(Document.status == "draft", Document.kind == "template").order_by(Document.key)
    uses = steps_by_template()
    lines: dict[str, list[TemplateLine]] = {use: [] for use in USES}
    for document in sorted(documents, key=lambda one: (one.key, one.entity_id or 0)):
        body = body_of(document)
        lines[body["use"]].append(_line(document, body, uses))
    return render_template(
        "console/letter_templates.html",
        groups=[(USES[use], found) for use, found in lines.items() if found],
        drafts=[draft for draft in drafts if draft.entity_id in seen],
        waiting=waiting("template"),
        several=len(visible_entities()) > 1,
    )


def _line(document: Document, body: Mapping[str, Any], uses: Mapping[str, list[tuple[Document, str]]]) -> TemplateLine:
    texts = body["languages"][FALLBACK]
    said = str(texts.get("subject") or texts.get("short") or texts.get("script") or "")
    languages = [name for _code, name in languages_of(body)]
    return TemplateLine(document, _(str(body["name"])), said, languages, uses.get(document.key, []))


def language_name(code: str) -> str:
    """A language as the reader calls it."""
    names = get_locale().languages
    return str(names.get(code, code))


def steps_by_template() -> dict[str, list[tuple[Document, str]]]:
    """The steps of policies in force that name a template: policy and step."""
    found: dict[str, list[tuple[Document, str]]] = {}
    for document in in_force("policy"):
        for steps in body_of(document).get("escalation", {}).get("scenarios", {}).values():
            for step in steps:
                label = _(str(step.get("label") or formatting.title(step["key"])))
                known = found.setdefault(step["template"], [])
                if (document, label) not in known:
                    known.append((document, label))
    return found


def claims_penalties(key: str) -> bool:
    """Whether a step in force that names a template claims interest and costs; what all letters share shows its own."""
    bodies = [body_of(document) for document in in_force("policy")]
    scenarios = [steps for body in bodies for steps in body.get("escalation", {}).get("scenarios", {}).values()]
    return key == SHARED or any(
        step["template"] == key and step.get("penalties") for steps in scenarios for step in steps
    )


def steps_may_name() -> set[str]:
    """The templates in force that a step may name."""
    return {document.key for document in in_force("template")} - {SHARED}


def texts_shown(body: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a template says, language by language: name and text of each part."""
    found = []
    order = {name: number for number, name in enumerate((*TEXTS[body["use"]], *MAY_SAY.get(body["use"], ())))}
    for code, language in languages_of(body):
        texts = sorted(body["languages"][code].items(), key=lambda item: (order.get(item[0], 99), item[0]))
        rows = [(name_words(name, body["use"]), str(text)) for name, text in texts]
        found.append((language, rows))
    return found


def name_words(name: str, use: str) -> str:
    """What a text of a template is called."""
    return str(NAMES[name]) if use != "shared" and name in NAMES else formatting.title(name)


def blocks_shown(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks of a template: kind, when, where, by which law, and the texts."""
    return [
        {
            "kind": str(BLOCK_KINDS.get(block["kind"], block["kind"])),
            "key": block["key"],
            "countries": ", ".join(block.get("countries", ())),
            "from": block.get("from"),
            "until": block.get("until"),
            "source": block.get("source", ""),
            "texts": [(language_name(code), text) for code, text in block["texts"].items()],
        }
        for block in body.get("blocks", ())
    ]


def shown(document: Document, body: Mapping[str, Any]) -> dict[str, Any]:
    """A template as its page shows it."""
    return {
        "texts": texts_shown(body),
        "blocks": blocks_shown(body),
        "steps": steps_by_template().get(body["key"], []),
        "effect": effect_words(document),
    }


def effect_words(document: Document) -> str:
    """How many letters of the entities the reader sees whole would read so."""
    found = [letters_of(gate.runtime(), entity, document.key) for entity in governed(document) if sees_whole(entity)]
    waiting, coming = sum(one.waiting for one in found), sum(one.coming for one in found)
    return _(
        "%(waiting)s letters that wait and %(coming)s of the next run would read so.", waiting=waiting, coming=coming
    )


def languages_of(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The languages a template is written in: code and name; the one every template has first."""
    return [(code, language_name(code)) for code in sorted(body["languages"], key=lambda one: (one != FALLBACK, one))]


def place_words(place: str) -> str:
    """A place of a template in the reader's words."""
    match place.split("/")[1:]:
        case ["languages", code, name]:
            return f"{language_name(code)}: {NAMES.get(name) or formatting.title(name)}"
        case ["languages", code]:
            return language_name(code)
        case ["blocks", index, "texts", code]:
            return f"{_('Block %(n)s', n=int(index) + 1)}: {language_name(code)}"
        case ["blocks", index, *rest]:
            named = " ".join(formatting.title(part) for part in rest if not part.isdecimal())
            return f"{_('Block %(n)s', n=int(index) + 1)} {named}".strip()
        case [name, *_rest]:
            return formatting.title(name)
    return place


def field_names() -> list[tuple[str, str, str, str]]:
    """The fields a text may name: name, label, meaning, example."""
    return [(field.name, _(field.label), _(field.meaning), field.example) for field in FIELDS.values()]
