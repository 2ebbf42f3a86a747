"""What changes between two versions of a template: language by language, word by word."""

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup

from admin import formatting
from admin.letter_templates import language_name, place_words
from rules.differences import Difference, template_differences

AROUND = 6  # words shown on each side of what changed
WORD = re.compile(r"\s+|[^\s]+")


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What a new version changes; of a changed text the words that went and came, with some around them."""
    found = []
    for one in template_differences(before, after):
        was, becomes = marked(one.before, one.after) if one.before and one.after else (one.before, one.after)
        found.append(Difference(_place(one.place), was or None, becomes or None))
    return found


def _place(place: str) -> str:
    match place.split("/")[1:]:
        case ["blocks", key]:
            return _("Block “%(name)s”", name=formatting.title(key))
        case ["blocks", key, code]:
            return f"{_('Block “%(name)s”', name=formatting.title(key))}: {language_name(code)}"
    return place_words(place)


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
