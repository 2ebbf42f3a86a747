"""Letter templates as documents: JSON in, a template or problems out.

One document holds a letter, a script or a short message in all its languages; the document
`SHARED` holds the words that all letters share (labels of the layout), and blocks for all of them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError

from ledger.canonical import sha256_of
from ledger.days import day_of
from ledger.problems import Problem, has_errors

from .letter_fields import ADDED_LABELS, ALL_LABELS, FIELDS, LABELS, OPTIONAL
from .letter_text import BRACED, Text, read

FORMAT = 1
SHARED = "letters"  # key of what all letters share
FALLBACK = "en"  # the language every template has
LANGUAGES_MAX = 24
BLOCKS_MAX = 20
WRITTEN_BYTES_MAX = 60_000  # of the texts of a language, and again of its blocks, however long the values are
FIELD_BYTES_MAX = 1_000  # of a value in the HTML of a letter: 200 characters, each written as one with a name
PARAGRAPH_BYTES = 120  # of the HTML around a paragraph
NAME_LENGTH_MAX = 2_000
DAYS_MAX = 90
KEY_LENGTH_MAX = 60
SHIPPED = Path(__file__).parent / "templates" / "shipped"

LETTER_TEXTS = ("subject", "preheader", "kind", "heading", "demanded", "opening", "closing")
TEXTS: Mapping[str, tuple[str, ...]] = {  # what each use of a template must say
    "letter": LETTER_TEXTS,
    "internal": LETTER_TEXTS,
    "short": ("short",),
    "script": ("script",),
    "shared": tuple(LABELS),
}
USES = tuple(TEXTS)
LETTER_USES = frozenset({"letter", "internal"})
MAY_SAY: Mapping[str, tuple[str, ...]] = {
    "letter": ("short",),  # for channels of few characters
    "shared": tuple(ADDED_LABELS),
}
LENGTHS = {"subject": 200, "preheader": 200, "kind": 80, "heading": 200, "demanded": 80, "short": 480}
LABEL_LENGTH_MAX = 300
LONG = frozenset({"opening", "closing", "script", "blocks"})  # texts of several paragraphs
TONES = ("calm", "firm", "stern", "final")
ASKS = ("overdue", "coming")
BLOCKS = ("message", "early_payment", "penalties", "legal")
SOURCED = frozenset({"penalties", "legal"})  # blocks that say what the law says: they need its place


@dataclass(frozen=True, slots=True)
class Block:
    """Paragraphs that only some letters have.

    Args:
        kind: message (free), early_payment (before anything is overdue), penalties (where the step
            has them), legal.
        countries: of the customer; empty: all.
        from_day, until_day: the days it is written on, half-open; None: no bound.
        source: of what it says of the law.
    """

    key: str
    kind: str
    countries: frozenset[str]
    from_day: int | None
    until_day: int | None
    source: str
    texts: Mapping[str, Text]

    def text(self, language: str) -> Text:
        """Its text in a language; in another one where it has none, since what the law asks must be said."""
        return self.texts.get(language) or self.texts.get(FALLBACK) or self.texts[min(self.texts)]

    def holds(self, day: int, country: str) -> bool:
        """Whether it is written on a day to a customer of a country."""
        begun = self.from_day is None or self.from_day <= day
        over = self.until_day is not None and day >= self.until_day
        return begun and not over and (not self.countries or country in self.countries)


@dataclass(frozen=True, slots=True)
class Template:
    """A template, read.

    Args:
        sha256: of its document.
        use: letter, internal, short, script, or shared.
        tone: how serious it is; the colour of the letter's head.
        asks: for what is overdue, or for what is coming due.
        pay_within_days: how long after the letter's day we ask to be paid.
        texts: by language, by name.
    """

    key: str
    name: str
    sha256: str
    use: str
    tone: str
    asks: str
    pay_within_days: int
    texts: Mapping[str, Mapping[str, Text]]
    blocks: tuple[Block, ...]


def parse_template(document: Mapping[str, Any]) -> tuple[Template | None, list[Problem]]:
    """Read a template's document.

    Returns:
        The template, or None; and what is wrong with it, warnings too.
    """
    reading = _Reading()
    head = reading.head(document)
    texts = reading.languages(document, head)
    blocks = reading.blocks(document, tuple(texts))
    if has_errors(reading.problems):
        return None, reading.problems
    return Template(**head, sha256=sha256_of(document), texts=texts, blocks=blocks), reading.problems


def shipped_templates() -> list[dict[str, Any]]:
    """The templates that come with the product, what all letters share first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(SHIPPED.glob("*.json"))]
    return sorted(found, key=lambda document: (document["key"] != SHARED, document["key"]))


@cache
def shipped_shared() -> Template:
    """The words all letters share as they ship, for those a house has not written."""
    found, problems = parse_template(next(one for one in shipped_templates() if one["key"] == SHARED))
    if found is None:
        raise ValueError("; ".join(map(str, problems)))
    return found


def fields_for(use: str, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The fields a text may name, and those of them it may ask about.

    >>> fields_for("shared", "further")
    (frozenset({'count'}), frozenset())
    """
    if use == "shared" and name in ALL_LABELS:
        return frozenset(ALL_LABELS[name]), frozenset()
    return frozenset(FIELDS), OPTIONAL


def length_for(use: str, name: str) -> int | None:
    """The most characters of a text; None: of whatever length a text may have."""
    return LABEL_LENGTH_MAX if use == "shared" and name in ALL_LABELS else LENGTHS.get(name)


def written_bytes_max(text: Text) -> int:
    """The most bytes a text can become in HTML, whatever its values are."""
    fields = len(BRACED.findall(text.source))
    return len(escape(text.source).encode()) + fields * FIELD_BYTES_MAX + text.source.count("\n") * PARAGRAPH_BYTES


def is_language(code: str) -> bool:
    """Whether a letter's dates and amounts can be written in a language.

    >>> is_language("nl"), is_language("xx"), is_language("english")
    (True, False, False)
    """
    try:
        return len(code) == 2 and code.islower() and Locale.parse(code) is not None
    except (UnknownLocaleError, ValueError):
        return False


class _Reading:
    """Reads one document and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def complain(self, place: str, what: str, cure: str, **more: Any) -> None:
        self.problems.append(Problem(place, what, cure, **more))

    def head(self, document: Mapping[str, Any]) -> dict[str, Any]:
        known = {"format", "kind", "key", "name", "entity", "source", "because", "use", "tone", "asks"}
        for name in sorted(set(map(str, document)) - known - {"pay_within_days", "languages", "blocks"}):
            self.complain(f"/{name:.60}", "is no part of a template", "take it out")
        if document.get("format") != FORMAT or document.get("kind") != "template":
            self.complain("/kind", "is no template of format 1", 'write "format": 1 and "kind": "template"')
        for name in ("key", "name", "source"):
            self.line(document.get(name), f"/{name}", KEY_LENGTH_MAX if name == "key" else NAME_LENGTH_MAX)
        key = document.get("key")
        if not isinstance(document.get("entity"), str | None):
            self.complain("/entity", "is no code of an entity", "give its code, or null for all")
        use = self.one_of(document, "use", USES, None)
        if use is not None and (use == "shared") != (key == SHARED):
            self.complain("/use", f"only the document {SHARED!r} is shared by all letters", "choose another use")
        within = document.get("pay_within_days", 7)
        if type(within) is not int or not 0 <= within <= DAYS_MAX:
            self.complain("/pay_within_days", f"is not 0 to {DAYS_MAX} days", "give a whole number of days")
        return {
            "key": key,
            "name": document.get("name"),
            "use": use,
            "tone": self.one_of(document, "tone", TONES, TONES[0]),
            "asks": self.one_of(document, "asks", ASKS, ASKS[0]),
            "pay_within_days": within,
        }

    def languages(self, document: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, dict[str, Text]]:
        given = document.get("languages")
        if not isinstance(given, Mapping) or FALLBACK not in given or len(given) > LANGUAGES_MAX:
            self.complain(
                "/languages", f"must hold {FALLBACK!r} and at most {LANGUAGES_MAX} languages", "write the letter in it"
            )
            return {}
        found = {}
        for code, texts in given.items():
            place = f"/languages/{code!s:.20}"
            if not isinstance(code, str) or not is_language(code):
                self.complain(place, "is no language", "give a code of two letters, as nl")
            elif not isinstance(texts, Mapping):
                self.complain(place, "holds no texts", "give the texts by name")
            elif head["use"] is not None:
                found[code] = self.texts(texts, head["use"], place)
        return found

    def texts(self, given: Mapping[str, Any], use: str, place: str) -> dict[str, Text]:
        wanted, may = TEXTS[use], MAY_SAY.get(use, ())
        for name in sorted(set(map(str, given)) - {*wanted, *may}):
            self.complain(f"{place}/{name:.60}", "is no text of this template", "take it out")
        found = {}
        for name in (*wanted, *(name for name in may if name in given)):
            text = self.text(given.get(name), f"{place}/{name}", use, name)
            if text is not None:
                found[name] = text
        self.size(found.values(), place)
        return found

    def size(self, texts: Iterable[Text], place: str) -> None:
        """Refuse texts that could become a letter of more than 200 KB."""
        if sum(map(written_bytes_max, texts)) > WRITTEN_BYTES_MAX:
            self.complain(place, f"could become more than {WRITTEN_BYTES_MAX} bytes", "shorten it, name fewer fields")

    def text(self, given: Any, place: str, use: str, name: str) -> Text | None:
        """One text in the letter language."""
        if not isinstance(given, str) or not given.strip():
            self.complain(place, "is missing", "write it")
            return None
        fields, optional = fields_for(use, name)
        text, faults = read(given, fields, optional)
        for fault in faults:
            self.complain(
                place,
                f"line {fault.line}, column {fault.column}: {fault.what}",
                fault.cure,
                line=fault.line,
                column=str(fault.column),
            )
        most = length_for(use, name)
        if most is not None and len(given) > most:
            self.complain(place, f"has more than {most} characters", "shorten it")
        if name not in LONG and "\n" in given:
            self.complain(place, "line 1: has several lines", "write it on one line", line=1)
        if text is None:
            return None
        for missing in sorted(set(ALL_LABELS.get(name, ())) - text.fields) if use == "shared" else ():
            self.complain(place, f"does not say {{{missing}}}", f"write {{{missing}}} where its value belongs")
        for bare in sorted(text.bare & optional):
            cure = f"write {{if {bare}}} before and {{end}} behind what is only said then"
            self.complain(place, f"{{{bare}}} may have no value", cure, severity="warning")
        return text

    def blocks(self, document: Mapping[str, Any], languages: tuple[str, ...]) -> tuple[Block, ...]:
        given = document.get("blocks", [])
        if not isinstance(given, list) or len(given) > BLOCKS_MAX:
            self.complain("/blocks", f"is no list of at most {BLOCKS_MAX} blocks", "leave it out, or give a list")
            return ()
        if given and document.get("use") in {"short", "script"}:
            self.complain("/blocks", "belong into letters", "take them out")
        found = [self.block(block, f"/blocks/{index}", languages) for index, block in enumerate(given)]
        keys = [block.key for block in found if block is not None]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            self.complain("/blocks", f"the block {key!r} occurs twice", "give each its own key")
        for code in {code for block in found if block is not None for code in block.texts}:
            self.size((block.text(code) for block in found if block is not None), "/blocks")
        return tuple(block for block in found if block is not None)

    def block(self, given: Any, place: str, languages: tuple[str, ...]) -> Block | None:
        before = len(self.problems)
        if not isinstance(given, Mapping):
            self.complain(place, "is no block", "give key, kind and texts")
            return None
        for name in sorted(set(map(str, given)) - {"key", "kind", "countries", "from", "until", "source", "texts"}):
            self.complain(f"{place}/{name:.60}", "is no part of a block", "take it out")
        self.line(given.get("key"), f"{place}/key", KEY_LENGTH_MAX)
        kind = self.one_of(given, "kind", BLOCKS, None, place)
        source = given.get("source", "")
        if not isinstance(source, str) or len(source) > NAME_LENGTH_MAX or (kind in SOURCED and not source.strip()):
            self.complain(f"{place}/source", "is missing", "name the law or contract it rests on")
        from_day, until_day = (self.day(given.get(name), f"{place}/{name}") for name in ("from", "until"))
        if from_day is not None and until_day is not None and until_day <= from_day:
            self.complain(f"{place}/until", "is not after the first day", "give a later day")
        countries = self.countries(given.get("countries", []), f"{place}/countries")
        texts = self.block_texts(given.get("texts"), place, languages)
        if has_errors(self.problems[before:]):
            return None
        return Block(given["key"], str(kind), countries, from_day, until_day, source, texts)

    def block_texts(self, given: Any, place: str, languages: tuple[str, ...]) -> dict[str, Text]:
        if not isinstance(given, Mapping) or not given or len(given) > LANGUAGES_MAX:
            self.complain(f"{place}/texts", "is missing", "write it in at least one language")
            return {}
        found = {}
        for code in given:
            if not isinstance(code, str) or not is_language(code):
                self.complain(f"{place}/texts/{code!s:.20}", "is no language", "give a code of two letters, as nl")
                continue
            text = self.text(given[code], f"{place}/texts/{code}", "letter", "blocks")
            if text is not None:
                found[code] = text
        for code in sorted(set(languages) - set(given)):
            what = f"is not written in {code!r}; those letters hold it in another language"
            self.complain(f"{place}/texts", what, "write it", severity="warning")
        return found

    def countries(self, given: Any, place: str) -> frozenset[str]:
        known = Locale("en").territories
        if not isinstance(given, list) or not all(isinstance(code, str) for code in given):
            self.complain(place, "is no list of countries", 'give codes of two letters, as ["DE", "AT"]')
            return frozenset()
        for code in given:
            if len(code) != 2 or not code.isupper() or code not in known:
                self.complain(place, f"{code[:20]!r} is no country", "give a code of two letters, as DE")
        return frozenset(given)

    def day(self, given: Any, place: str) -> int | None:
        if given is None:
            return None
        try:
            return day_of(date.fromisoformat(given))
        except (TypeError, ValueError):
            self.complain(place, "is no day", "write it as 2026-12-24, or leave it out")
            return None

    def line(self, given: Any, place: str, most: int) -> None:
        if not isinstance(given, str) or not given.strip() or len(given) > most or not given.isprintable():
            self.complain(place, "is missing or no plain line", f"write it, with at most {most} characters")

    def one_of(
        self, given: Mapping[str, Any], name: str, values: tuple[str, ...], default: str | None, place: str = ""
    ) -> Any:
        value = given.get(name, default)
        if value not in values:
            self.complain(f"{place}/{name}", f"is none of {', '.join(values)}", "choose one of them")
            return None
        return value
