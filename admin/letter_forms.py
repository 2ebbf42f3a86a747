"""The form of a template: its parts as fields, and the fields read back into the document."""

import unicodedata
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from admin.letter_templates import name_words
from notifiers.letter_templates import FALLBACK, LETTER_USES, MAY_SAY, TEXTS, length_for

ROWS = {"opening": 7, "closing": 9, "script": 9, "short": 3}


@dataclass(frozen=True)
class Part:
    """A text of the template in the form."""

    name: str
    label: str
    text: str
    rows: int
    length: int | None
    optional: bool


def parts_of(body: Mapping[str, Any], language: str) -> list[Part]:
    """The texts of a language."""
    use, texts = body["use"], body["languages"].get(language, {})
    may = MAY_SAY.get(use, ())
    return [
        Part(
            name=name,
            label=name_words(name, use),
            text=str(texts.get(name, "")),
            rows=ROWS.get(name, 0) if use != "shared" else 0,
            length=length_for(use, name),
            optional=name in may,
        )
        for name in (*TEXTS[use], *may)
    ]


def blocks_given(body: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """The blocks, each with its text in a language."""
    return [
        {**block, "countries": " ".join(block.get("countries", ())), "text": block["texts"].get(language, "")}
        for block in body.get("blocks", ())
    ]


def asked_body(
    body: Mapping[str, Any], given: Mapping[str, str], language: str, do: str = "save", what: str = ""
) -> dict[str, Any]:
    """The document as the form wants it; what the form does not hold stays as it is."""
    wanted = deepcopy(dict(body))
    texts = {}
    for part in parts_of(body, language):
        text = plain(given.get(f"t:{part.name}", part.text))
        if text or not part.optional:
            texts[part.name] = text
    wanted["languages"][language] = texts
    for name in ("name", "source"):
        wanted[name] = plain(given.get(name, str(body.get(name, ""))))
    if body["use"] in LETTER_USES:
        for name in ("tone", "asks"):
            wanted[name] = given.get(name, body.get(name))
        days = given.get("pay_within_days", str(body.get("pay_within_days", 7)))
        wanted["pay_within_days"] = int(days) if days.isascii() and days.isdigit() and len(days) < 4 else -1
    blocks = [_block(block, index, given, language) for index, block in enumerate(body.get("blocks", ()))]
    if do == "drop_block" and what.isdecimal() and int(what) < len(blocks):
        del blocks[int(what)]
    if do == "add_block":
        taken = {block["key"] for block in blocks}
        key = next(f"block_{number}" for number in range(1, len(taken) + 2) if f"block_{number}" not in taken)
        blocks.append({"key": key, "kind": "message", "texts": dict.fromkeys({language, FALLBACK}, "")})
    if blocks or "blocks" in wanted:
        wanted["blocks"] = blocks
    return wanted


def _block(block: Mapping[str, Any], index: int, given: Mapping[str, str], language: str) -> dict[str, Any]:
    wanted = deepcopy(dict(block))
    if f"b{index}:kind" not in given:
        return wanted
    wanted["kind"] = given[f"b{index}:kind"]
    wanted["countries"] = [code.upper() for code in given.get(f"b{index}:countries", "").replace(",", " ").split()]
    for name in ("from", "until"):
        wanted[name] = given.get(f"b{index}:{name}", "") or None
    wanted["source"] = plain(given.get(f"b{index}:source", ""))
    text = plain(given.get(f"b{index}:text", ""))
    if text or language == FALLBACK or language in wanted["texts"]:
        wanted["texts"][language] = text
    if not text and language != FALLBACK:
        wanted["texts"].pop(language, None)
    return wanted


def plain(text: str) -> str:
    """Typed text as it is kept: composed letters, one kind of line end, no blanks at the ends of lines."""
    lines = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return "\n".join(line.strip(" ") for line in lines).strip("\n")
