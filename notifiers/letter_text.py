"""The letter language: plain text, ``{fields}`` and ``{if field} ... {else} ... {end}``; nothing else.

A text is read once into parts; writing it puts values between them and can reach nothing besides.
Values are never read again, so a customer called ``{payable}`` stays called that. Whatever is no
plain text is refused with its line, its column and what to write instead.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

TEXT_LENGTH_MAX = 4_000  # characters of one text
WORD_LENGTH_MAX = 120  # an address of a web page is the longest there is
FIELDS_MAX = 40  # fields of one text
FAULTS_SHOWN = 20
MARKS_MAX = 2  # accents above each other; Vietnamese needs two

BRACED = re.compile(r"\{([^{}\n]{0,60})\}")
NAME = re.compile(r"[a-z][a-z0-9_]*")
BLANKS = frozenset(" \n\u00a0\u202f\u2009")
LOOK_ALIKES = frozenset("❴❵⦃⦄⎧⎨⎩⎫⎬⎭")
MARKUP = frozenset("{}<>\\`$#%&")  # characters of other languages, here also in their wide and small forms
# What other languages begin with: pattern, what it is, what to write instead.
FOREIGN = tuple(
    (re.compile(pattern, re.IGNORECASE), what, cure)
    for pattern, what, cure in (
        (r"[<>]", "is markup of web pages", "write it in words; the layout sets headings and tables"),
        (r"[\\`]", "is a sign of program code", "leave it out"),
        (r"\$(?!\s?\d)", "is a sign of program code unless an amount follows", "write the currency, as in USD 5"),
        (r"#(?=[A-Za-z_(\[{!])", "begins a command of the typesetter", "write No. or Nr."),
        (r"%(?=[({%}])", "is a placeholder of another language", "write a field as {payable}"),
        (r"&(?=#?\w+;)", "is a coded character", "type the character itself"),
        (r"\[\[|\]\]", "is a placeholder of another language", "write a field as {payable}"),
        (
            r"\b(?:javascript|vbscript|livescript|view-source|file|blob|jar)\s*:",
            "is an address that runs or reads something",
            "give an address that begins with https://",
        ),
        (r"\bdata\s*:(?=[\w/+.-]*[;,])", "is an address that holds content", "give an address of a web page"),
        (r"\b(?:http|ftp)://", "is an address without protection", "write https://"),
    )
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of a text; lines and columns are counted from 1."""

    line: int
    column: int
    what: str
    cure: str


@dataclass(frozen=True, slots=True)
class Field:
    """A name whose value is put there."""

    name: str


@dataclass(frozen=True, slots=True)
class When:
    """What is written where a field has a value, and what where it has none."""

    name: str
    then: tuple[str | Field, ...]
    otherwise: tuple[str | Field, ...]


Part = str | Field | When


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was read.

    Args:
        source: as it was typed.
        fields: names it writes; those it only asks about are not among them.
        bare: those of them that it writes without asking whether they have a value.
    """

    source: str
    parts: tuple[Part, ...]
    fields: frozenset[str]
    bare: frozenset[str]


def read(text: str, fields: Collection[str], optional: Collection[str] = ()) -> tuple[Text | None, list[Fault]]:
    """Read a text.

    Args:
        fields: names it may write.
        optional: those of them that may have no value: only these can be asked about.

    Returns:
        The text, or None and what is wrong with it, the first `FAULTS_SHOWN`.
    """
    found = [(at, what, cure) for at, what, cure in _foreign(text)]
    parts, wrong = _parts(text, fields, optional)
    found = sorted({*found, *wrong})[:FAULTS_SHOWN]
    if found:
        return None, [Fault(*_place(text, at), what, cure) for at, what, cure in found]
    bare = frozenset(part.name for part in parts if isinstance(part, Field))
    asked = (inner for part in parts if isinstance(part, When) for inner in (*part.then, *part.otherwise))
    named = frozenset(part.name for part in asked if isinstance(part, Field))
    return Text(text, tuple(parts), bare | named, bare), []


def write(text: Text, values: Mapping[str, str]) -> str:
    """Put values into a text.

    >>> text, _ = read("{if name}Dear {name}{else}Good day{end},", ("name",), ("name",))
    >>> write(text, {"name": "Ms Brown"}), write(text, {"name": ""})
    ('Dear Ms Brown,', 'Good day,')

    Raises:
        KeyError: a field has no value at all.
    """
    return "".join(_written(text.parts, values))


def paragraphs(written: str) -> tuple[tuple[str, ...], ...]:
    r"""The paragraphs of a text, each as its lines; an empty line parts them.

    >>> paragraphs("One\ntwo\n\n\nthree")
    (('One', 'two'), ('three',))
    """
    found = (tuple(line.strip() for line in part.split("\n") if line.strip()) for part in re.split(r"\n\s*\n", written))
    return tuple(part for part in found if part)


def _written(parts: tuple[Part, ...], values: Mapping[str, str]) -> Iterator[str]:
    for part in parts:
        match part:
            case str():
                yield part
            case Field(name):
                yield values[name]
            case When(name, then, otherwise):
                yield from _written(then if values[name] else otherwise, values)


def _foreign(text: str) -> Iterator[tuple[int, str, str]]:
    """What does not belong into a plain text, with its place."""
    if len(text) > TEXT_LENGTH_MAX:
        yield TEXT_LENGTH_MAX, f"the text has more than {TEXT_LENGTH_MAX} characters", "shorten it"
        text = text[:TEXT_LENGTH_MAX]
    if not unicodedata.is_normalized("NFC", text):
        yield 0, "the text holds letters in parts (not the normal form NFC)", "type it again"
    marks = 0
    for at, sign in enumerate(text):
        marks = marks + 1 if unicodedata.combining(sign) else 0
        odd = _odd(sign) or ("is one accent too many" if marks > MARKS_MAX else "")
        if odd:
            name = unicodedata.name(sign, f"character U+{ord(sign):04X}").lower()
            yield at, f"{name} {odd}", "delete it, and type what you mean"
    for pattern, what, cure in FOREIGN:
        for match in pattern.finditer(text):
            yield match.start(), f"{match[0]!r} {what}", cure
    for match in re.finditer(r"\S+", text):
        if len(match[0]) > WORD_LENGTH_MAX:
            yield match.start(), f"a word has more than {WORD_LENGTH_MAX} characters", "part it"


def _odd(sign: str) -> str:
    """Why a character cannot stand in a letter; empty when it can."""
    if sign in BLANKS:
        return ""
    category = unicodedata.category(sign)
    if category in {"Cc", "Cf", "Zl", "Zp"}:
        return "cannot be seen"
    if category in {"Cs", "Co", "Cn"}:
        return "is no character that everybody has"
    if category == "Zs":
        return "is no blank that mail programs know"
    wide = unicodedata.normalize("NFKC", sign)
    if sign in LOOK_ALIKES or (wide != sign and not MARKUP.isdisjoint(wide)):
        return "only looks like a sign of the letter language"
    return ""


def _parts(
    text: str, fields: Collection[str], optional: Collection[str]
) -> tuple[list[Part], list[tuple[int, str, str]]]:
    """The parts of a text, and what is wrong with its braces."""
    wrong: list[tuple[int, str, str]] = []
    parts: list[Part] = []
    then: list[str | Field] = []
    otherwise: list[str | Field] | None = None
    asked: tuple[str, int] | None = None
    many = before = 0

    def put(part: str | Field) -> None:
        (parts if asked is None else then if otherwise is None else otherwise).append(part)

    for match in BRACED.finditer(text):
        wrong += _stray(text, before, match.start())
        if match.start() > before:
            put(text[before : match.start()])
        before, word = match.end(), match[1]
        if word == "end":
            if asked is None:
                wrong.append((match.start(), "{end} ends nothing", "leave it out, or write {if field} before"))
                continue
            name, asked, whole = asked[0], None, (tuple(then), tuple(otherwise or ()))
            parts.append(When(name, *whole))
            then, otherwise = [], None
        elif word == "else":
            if asked is None or otherwise is not None:
                wrong.append(
                    (match.start(), "{else} belongs to no {if}", "write it once, between {if field} and {end}")
                )
                continue
            otherwise = []
        elif word.startswith("if "):
            wrong += _asking(match, asked is not None, fields, optional)
            if asked is None:
                asked = (word[3:], match.start())
        elif word in fields:
            many += 1
            put(Field(word))
        else:
            wrong.append((match.start(), _unknown(word), _near(word, fields)))
    wrong += _stray(text, before, len(text))
    if before < len(text):
        put(text[before:])
    if asked is not None:
        wrong.append((asked[1], f"{{if {asked[0]}}} has no end", "write {end} behind what it is about"))
    if many > FIELDS_MAX:
        wrong.append((0, f"the text has {many} fields, more than {FIELDS_MAX}", "shorten it"))
    return parts, wrong


def _asking(
    match: re.Match[str], inside: bool, fields: Collection[str], optional: Collection[str]
) -> list[tuple[int, str, str]]:
    name = match[1][3:]
    if inside:
        return [(match.start(), "{if} stands within another {if}", "write {end} first: conditions do not nest")]
    if name not in fields:
        return [(match.start(), _unknown(name), _near(name, fields))]
    if name not in optional:
        return [(match.start(), f"{{{name}}} always has a value", "leave {if} and {end} out")]
    return []


def _stray(text: str, start: int, end: int) -> list[tuple[int, str, str]]:
    return [
        (at, f"the brace {text[at]!r} belongs to no field", "write a field as {payable}, or leave the brace out")
        for at in range(start, end)
        if text[at] in "{}"
    ]


def _unknown(word: str) -> str:
    return f"{{{word}}} is no field" if NAME.fullmatch(word) else f"{{{word}}} is no field: a field is one plain name"


def _near(word: str, fields: Collection[str]) -> str:
    """The fields there are, those that look like the word first."""
    letters = set(word.lower())
    near = sorted(fields, key=lambda name: (-len(letters & set(name)) / len(letters | set(name)), name))[:5]
    return f"write one of {', '.join(f'{{{name}}}' for name in near)}" if near else "write plain text"


def _place(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
