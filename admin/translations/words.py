"""Words: what the console says, gathered from the sources into one catalog a language.

``python -m admin.translations.words`` (``make words``) gathers, keeps every translation that is
still asked for, drops the others and compiles. What is written depends on the sources alone: no
line numbers, dates or names. A message that has no translation yet is listed, and the exit is 1.
"""

import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from admin.formatting import spelled
from admin.translations import codes
from engine import access, call_results, catalogue
from engine.dispute_causes import CAUSES
from notifiers.letter_fields import FIELDS
from notifiers.letter_templates import shipped_templates
from rules.documents import shipped, shipped_derived
from rules.facts import DICTIONARY, INVOICE_DICTIONARY
from rules.stages import STAGES
from scoring.features import WITH_EXTERNAL
from scoring.invoice_features import INVOICE_FEATURES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROOMS = frozenset(
    {"admin", "rules", "scoring", "templates", "console", "customer", "security", "workbench"}
)  # folders with words in them
LANGUAGES = ("de", "fr")
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None, "say": None, "translate": None}
SPOKEN_KEYS = frozenset({"label", "meaning", "because"})  # of a shipped document, beside its name

Id = str | tuple[str, ...]


class Words(Catalog):
    """A catalog whose header says only what a reader of it needs."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """Language, character set and plural rule; neither dates nor names, which change without a change."""
        return [
            ("Project-Id-Version", "Dunwell"),
            ("Language", str(self.locale)),
            ("Plural-Forms", self.plural_forms),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def asked_for() -> list[Id]:
    """Every message the console can say, sorted; a pair where it has a plural."""
    found: dict[str, Id] = {}
    for message in (*_written(), *_declared()):
        key = message if isinstance(message, str) else message[0]
        if key and not isinstance(found.get(key), tuple):
            found[key] = message
    return [found[key] for key in sorted(found)]


def _written() -> Iterator[Id]:
    """Messages that stand in calls of Python and templates."""
    with (HERE / "babel.cfg").open(encoding="utf-8") as configuration:
        methods, options = parse_mapping_cfg(configuration, filename="babel.cfg")
    rows = extract_from_dir(
        ROOT, methods, options, KEYWORDS, directory_filter=lambda path: Path(path).name in ROOMS or Path(path) == ROOT
    )
    for _file, _line, message, _comments, _context in rows:
        yield message


def _declared() -> Iterator[str]:
    """Messages that are declared once and shown wherever their owner is: labels, meanings, reasons, codes."""
    for part in (*DICTIONARY.values(), *INVOICE_DICTIONARY.values(), *STAGES):
        yield from (part.label, part.meaning)
    yield from (document["name"] for document in shipped_templates())
    for field in FIELDS.values():
        yield from (field.label, field.meaning)
    for document in shipped():
        yield document["name"]
        yield from _spoken(document)
    yield from _spoken(shipped_derived())
    yield from (feature.label for feature in (*WITH_EXTERNAL, *INVOICE_FEATURES))
    yield from access.PERMISSIONS.values()
    yield from (result.label for result in call_results.RESULTS.values())
    yield from (cause.label for cause in CAUSES.values())
    yield from (spelled(code) for code in codes.TITLES)
    yield from (spelled(code).lower() for code in codes.PHRASES)
    yield from codes.COMMANDS_BESIDE
    own = {module.__name__ for module in catalogue.MODULES}
    for name, known in catalogue.all_commands().items():
        if known.command.__module__ in own:
            yield _command_words(name)


def _spoken(part: Any) -> Iterator[str]:
    """What a shipped document says, its examples left out."""
    if isinstance(part, Mapping):
        for name, inner in part.items():
            if name in SPOKEN_KEYS and isinstance(inner, str):
                yield inner
            elif name != "cases":
                yield from _spoken(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _spoken(inner)


def _command_words(name: str) -> str:
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return spaced[:1].upper() + spaced[1:]


def po_path(language: str) -> Path:
    """Where the translations of a language are written by hand."""
    return HERE / language / "LC_MESSAGES" / "messages.po"


def mo_path(language: str) -> Path:
    """Where the console loads them from."""
    return po_path(language).with_suffix(".mo")


def read(language: str) -> Catalog:
    """The catalog of a language as it is."""
    path = po_path(language)
    if not path.exists():
        return Words(locale=language)
    with path.open("rb") as content:
        return read_po(content, locale=language)


def brought_up_to_date(language: str, messages: list[Id]) -> Words:
    """The catalog with exactly these messages, each with the translation it has."""
    known = read(language)
    words = Words(locale=language, header_comment="", fuzzy=False)
    for message in messages:
        there = known.get(message)
        fits = there is not None and not there.fuzzy and isinstance(there.string, str) == isinstance(message, str)
        words.add(message, there.string if fits else "")
    return words


def as_po(words: Catalog) -> bytes:
    """A catalog as text."""
    written = BytesIO()
    write_po(written, words, width=0, no_location=True, sort_output=True)
    return written.getvalue().strip() + b"\n"


def as_mo(language: str) -> bytes:
    """The catalog of a language compiled."""
    known = read(language)
    words = Words(locale=language, fuzzy=False)
    for message in known:
        if message.id:
            words.add(message.id, message.string)
    written = BytesIO()
    write_mo(written, words)
    return written.getvalue()


def untranslated(words: Catalog) -> list[Id]:
    """Messages without a translation, or with one that a tool only guessed."""
    return [
        message.id
        for message in words
        if message.id and (message.fuzzy or not all(_sides(message.string)) or not _sides(message.string))
    ]


def _sides(words: Id) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def main() -> int:
    """Bring every language up to date; 1 when a message waits for its translation."""
    messages = asked_for()
    missing = 0
    for language in LANGUAGES:
        words = brought_up_to_date(language, messages)
        po_path(language).parent.mkdir(parents=True, exist_ok=True)
        po_path(language).write_bytes(as_po(words))
        mo_path(language).write_bytes(as_mo(language))
        for message in untranslated(words):
            missing += 1
            print(f"{language}: {message!r} has no translation yet", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
