"""What changes between two versions of a template: language by language, word by word."""

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup

from admin import formatting
from admin.letter_templates import place_words
from rules.differences import Difference

AROUND = 6  # words shown on each side of what changed
WORD = re.compile(r"\s+|[^\s]+")
SETTINGS = ("name", "source", "use", "tone", "asks", "pay_within_days")


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What a new version changes; of a changed text the words that went and came, with some around them."""
    found = [
        Difference(formatting.title(name), str(before.get(name, "")), str(after.get(name, "")))
        for name in SETTINGS
        if before.get(name) != after.get(name)
    ]
    old, new = dict(_texts(before)), dict(_texts(after))
    for place in dict.fromkeys([*old, *new]):
        one, other = old.get(place), new.get(place)
        if one != other:
            was, becomes = marked(one, other) if one and other else (one, other)
            found.append(Difference(place_words(place), was or None, becomes or None))
    blocks = [{block["key"]: block for block in body.get("blocks", ())} for body in (before, after)]
    for key in dict.fromkeys([*blocks[0], *blocks[1]]):
        sides = [_terms(side[key]) if key in side else None for side in blocks]
        if sides[0] != sides[1]:
            found.append(Difference(_("Block “%(name)s”", name=formatting.title(key)), sides[0], sides[1]))
    return found


def _texts(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for code, texts in body["languages"].items():
        for name, text in texts.items():
            yield f"/languages/{code}/{name}", str(text)
    for block in body.get("blocks", ()):
        for code, text in block["texts"].items():
            yield f"/languages/{code}/{formatting.title(block['key'])}", str(text)


def _terms(block: Mapping[str, Any]) -> str:
    """When and where a block is written, in one line."""
    parts = [formatting.title(block["kind"]), *block.get("countries", ()), block.get("from"), block.get("until")]
    return " · ".join(str(part) for part in (*parts, block.get("source")) if part)


def marked(before: str, after: str) -> tuple[Markup, Markup]:
    """Both sides with the words that went and came marked; what stays is shortened.

    >>> marked("Please pay now", "Please pay soon")
    (Markup('Please pay <del>now</del>'), Markup('Please pay <ins>soon</ins>'))
    """
    one, other = WORD.findall(before), WORD.findall(after)
    sides: tuple[list[Markup], list[Markup]] = ([], [])
    codes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    for number, (code, start, end, begin, stop) in enumerate(codes):
        if code == "equal":
            kept = _shortened(one[start:end], is_first=number == 0, is_last=number == len(codes) - 1)
            sides[0].append(kept)
            sides[1].append(kept)
            continue
        if end > start:
            sides[0].append(Markup("<del>{}</del>").format("".join(one[start:end])))
        if stop > begin:
            sides[1].append(Markup("<ins>{}</ins>").format("".join(other[begin:stop])))
    return Markup("").join(sides[0]), Markup("").join(sides[1])


def _shortened(words: list[str], *, is_first: bool, is_last: bool) -> Markup:
    """Words that stay: those next to a change, the others left out."""
    around = 2 * AROUND  # blanks count as words here
    head = [] if is_first else words[:around]
    tail = [] if is_last else words[-around:]
    if len(head) + len(tail) >= len(words):
        return Markup("{}").format("".join(words))
    return Markup("{} … {}").format("".join(head), "".join(tail))
