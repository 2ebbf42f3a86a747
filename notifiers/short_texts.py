"""Short texts: what an SMS or a chat message says, and how many parts it is sent in.

They have a wording of their own (`short` in a template): a letter cut down says nothing. An SMS of
plain characters (GSM 03.38) has 160 of them, or 153 in each of several parts; one character more
than that alphabet knows makes it 70, or 67.
"""

import unicodedata
from dataclasses import dataclass, replace

from .composing import Composed, Wording, short_message
from .letters import Letter

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("^{}\\[~]|€\f")  # two places each
PARTS_MAX = 3
NAME_LENGTH_MAX = 40
PLAIN = {"\u2013": "-", "\u2014": "-", "\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."}


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is for a telephone network.

    Args:
        alphabet: GSM-7 or UCS-2.
        places: as that alphabet counts.
        parts: SMS it is sent in, each of which costs.
    """

    alphabet: str
    places: int
    parts: int


def length_of(text: str) -> Length:
    """Count a text as a telephone network does.

    >>> length_of("x" * 160), length_of("x" * 161)
    (Length(alphabet='GSM-7', places=160, parts=1), Length(alphabet='GSM-7', places=161, parts=2))
    >>> length_of("ł" * 70).parts, length_of("ł" * 71).parts, length_of("€").places
    (1, 2, 2)
    """
    if all(character in BASIC or character in EXTENDED for character in text):
        places = sum(2 if character in EXTENDED else 1 for character in text)
        return Length("GSM-7", places, 1 if places <= 160 else -(-places // 153))
    places = len(text.encode("utf-16-be")) // 2
    return Length("UCS-2", places, 1 if places <= 70 else -(-places // 67))


def compose_short(wording: Wording, letter: Letter, language: str, country: str | None = None) -> Composed:
    """Write a short text in characters that cost least; names that are too long for it are cut.

    Raises:
        ValueError: the template has no short text, or it is longer than `PARTS_MAX` parts.
    """
    cut = replace(
        letter,
        creditor=letter.creditor[:NAME_LENGTH_MAX].rstrip(),
        customer=letter.customer[:NAME_LENGTH_MAX].rstrip(),
        reference=letter.reference[:NAME_LENGTH_MAX].rstrip(),
    )
    text = plain(short_message(wording, cut, language, country))
    if length_of(text).parts > PARTS_MAX:
        said = f"the short text of {wording.template.key!r} has {length_of(text).parts} parts"
        raise ValueError(f"{said}, PARTS_MAX is {PARTS_MAX}")
    return Composed("", text, "", wording.spoken(language), wording.template.sha256)


def plain(text: str) -> str:
    """The same text in characters that cost least: ordinary spaces, dashes and quotation marks.

    >>> plain("1.250,00\\u00a0EUR \\u2013 by 1\\u202fMay")
    '1.250,00 EUR - by 1 May'
    """
    return "".join(" " if unicodedata.category(one) == "Zs" else PLAIN.get(one, one) for one in text)
