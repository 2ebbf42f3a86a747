"""Cell words: the marks and names that cells of a decision table are written with.

A closed grammar: comparisons, ranges ``30 .. 60``, lists ``in A, B``, ``{parameter}``,
``[fact]``, ``"text"``, ``and``, ``or``, brackets. Nothing else is read, and nothing is run.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any as Json

from ledger.columns import Column, Kind
from rules.figures import figure_text, read_figure
from rules.words import Voice, english

BARE = re.compile(r"[^\W_][\w\-./&]*(?: [\w\-./&]+)*")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
OPENING = {"{": "}", "[": "]", "(": ")"}
Say = Callable[[str], str]
QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}


class Unreadable(Exception):
    """A cell that is not of the grammar; says what is wrong and what to write instead."""

    def __init__(self, what: str, cure: str) -> None:
        """Keep both sentences."""
        super().__init__(what)
        self.what = what
        self.cure = cure


def _casefolded(labels: Mapping[str, str]) -> dict[str, str]:
    """Names by their label, where no other has the same one."""
    found: dict[str, str] = {}
    twice = set()
    for name, label in labels.items():
        folded = label.casefold()
        if folded in found:
            twice.add(folded)
        found[folded] = name
    return {label: name for label, name in found.items() if label not in twice}


@dataclass(frozen=True)
class Tongue:
    """How cells are written for one reader: words, names and figures of a voice."""

    voice: Voice
    outcomes: Mapping[str, Column] = field(default_factory=dict)

    @cached_property
    def _facts(self) -> dict[str, str]:
        return _casefolded({name: self.voice.fact(name) for name in self.voice.dictionary})

    @cached_property
    def _parameters(self) -> dict[str, str]:
        return _casefolded({name: self.voice.say(one.label) for name, one in self.voice.parameters.items()})

    @cached_property
    def words(self) -> Mapping[str, tuple[str, ...]]:
        """The words of the grammar: as the reader's language has them, then in English."""
        say = self.voice.say
        spoken = {
            "and": say("and"),
            "or": say("or"),
            "in": say("in"),
            "not in": say("not in"),
            "is unknown": say("is unknown"),
            "is known": say("is known"),
            "yes": say("yes"),
            "no": say("no"),
            "none": say("none"),
        }
        return {english: tuple(dict.fromkeys((said, english))) for english, said in spoken.items()}

    @cached_property
    def _reserved(self) -> frozenset[str]:
        parts = [part for said in self.words.values() for phrase in said for part in phrase.casefold().split()]
        return frozenset([*parts, "unknown", "known", "min", "max", "round", "down"])

    def word(self, english: str) -> str:
        """A word of the grammar in the reader's language."""
        return self.words[english][0]

    def is_word(self, text: str, english: str) -> bool:
        """Whether a text is a word of the grammar, in either language."""
        return text.casefold() in {word.casefold() for word in self.words[english]}

    def parameter(self, name: str) -> str:
        """A parameter in braces: its label, or its name where the label will not do."""
        known = self.voice.parameters.get(name)
        return f"{{{_shown(name, '' if known is None else self.voice.say(known.label), self._parameters, '}')}}}"

    def fact(self, name: str) -> str:
        """Another fact in square brackets."""
        return f"[{_shown(name, self.voice.fact(name), self._facts, ']')}]"

    def value(self, value: Json, kind: Kind) -> str:
        """A constant of a kind.

        >>> tongue = Tongue(Voice())
        >>> tongue.value(500_000, Kind.MONEY), tongue.value("A", Kind.CODE), tongue.value("yes", Kind.CODE)
        ('5,000.00', 'A', '"yes"')
        """
        if isinstance(value, bool):
            return self.word("yes" if value else "no")
        if isinstance(value, int):
            return figure_text(value, kind, self.voice)
        text = str(value)
        plain = BARE.fullmatch(text) and ".." not in text and not self._reserved & set(text.casefold().split())
        return text if plain else '"' + text.replace('"', '""') + '"'

    def read_name(self, text: str) -> Json | None:
        """``{parameter}`` or ``[fact]`` as a document has it; None for anything else."""
        say = self.voice.say
        if len(text) > 2 and text[0] in "{[" and text[-1] == OPENING[text[0]]:
            inner, word = text[1:-1].strip(), "param" if text[0] == "{" else "fact"
            known = self._parameters if word == "param" else self._facts
            names: Mapping[str, Json] = self.voice.parameters if word == "param" else self.voice.dictionary
            name = inner if inner in names else known.get(inner.casefold())
            if name is None and NAME.fullmatch(inner):
                name = inner  # well formed: whether it is there is the checker's question
            if name is None and word == "param":
                what = say("there is no parameter “%(name)s”") % {"name": inner}
                raise Unreadable(what, say("write the name of one that is there"))
            if name is None:
                what = say("there is no fact “%(name)s”") % {"name": inner}
                raise Unreadable(what, say("write the name of one that is there"))
            return {word: name}
        return None

    def read_value(self, text: str, kind: Kind, values: Sequence[str] = ()) -> Json:
        """A constant of a kind.

        Raises:
            Unreadable: the text is none.
        """
        say = self.voice.say
        if not text:
            raise Unreadable(say("a value is missing"), say("write it"))
        if kind is Kind.BOOL:
            for word, truth in (("yes", True), ("no", False)):
                if self.is_word(text, word):
                    return truth
            cure = say("write %(value)s") % {"value": f"{self.word('yes')} {self.word('or')} {self.word('no')}"}
            raise Unreadable(say("“%(text)s” is neither yes nor no") % {"text": text}, cure)
        if kind in (Kind.CODE, Kind.ENUM):
            return _read_text(text, values, say)
        found = read_figure(text, kind, self.voice)
        if found is None:
            cure = say("write a number such as %(value)s") % {"value": self.example(kind)}
            raise Unreadable(say("“%(text)s” cannot be read as a number here") % {"text": text}, cure)
        return found

    def example(self, kind: Kind) -> str:
        """A figure of a kind as it is written."""
        sample = {Kind.MONEY: 125_000, Kind.RATIO: 1_250}.get(kind, 30)
        return figure_text(sample, kind, self.voice)


def _shown(name: str, label: str, known: Mapping[str, str], closing: str) -> str:
    usable = known.get(label.casefold()) == name and not set('{}[]()"') & set(label) and label == label.strip()
    return label if usable and label else name


def _read_text(text: str, values: Sequence[str], say: Say) -> str:
    closing = QUOTES.get(text[0])
    if closing and len(text) >= 2 and text[-1] in {closing, '"'}:
        inner = text[1:-1]
        found = inner.replace('""', '"') if text[0] == '"' else inner
    elif set(text) & set('"{}[]();,<>='):
        what = say("“%(text)s” is no plain text") % {"text": text}
        raise Unreadable(what, say("put a text with such marks in quotes: “…”"))
    else:
        found = text
    found = unicodedata.normalize("NFC", found).strip()
    if not found:
        raise Unreadable(say("the text is empty"), say("write it"))
    if values and found not in values:
        what = say("“%(text)s” is not one of its values") % {"text": found}
        raise Unreadable(what, say("write %(value)s") % {"value": ", ".join(values)})
    return found


def pieces(text: str, separators: Sequence[str], say: Say = english) -> list[str]:
    """A text cut at separators that stand outside quotes and brackets.

    Raises:
        Unreadable: a quote or bracket is not closed.

    >>> pieces('in "a, b", {x, y}', (",",))
    ['in "a, b"', '{x, y}']
    """
    found, start = [], 0
    wanted = [separator.casefold() for separator in sorted(separators, key=len, reverse=True)]
    for index in _outside(text, say):
        if index < start:
            continue
        hit = next((one for one in wanted if text[index : index + len(one)].casefold() == one), None)
        if hit is not None:
            found.append(text[start:index].strip())
            start = index + len(hit)
    return [*found, text[start:].strip()]


def _outside(text: str, say: Say) -> Iterator[int]:
    """Places of a text that stand in no quotes and in no brackets."""
    closings: list[str] = []
    quote = ""
    for index, mark in enumerate(text):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in QUOTES and (mark == '"' or not closings):
            quote = QUOTES[mark]
        elif mark in OPENING:
            closings.append(OPENING[mark])
        elif closings and mark == closings[-1]:
            closings.pop()
        elif mark in OPENING.values():
            raise Unreadable(say("“%(mark)s” closes nothing") % {"mark": mark}, say("remove it, or open it before"))
        elif not closings:
            yield index
    if quote or closings:
        missing = quote or closings[-1]
        raise Unreadable(say("“%(mark)s” is missing") % {"mark": missing}, say("write it where the other one ends"))
