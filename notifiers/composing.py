"""Composes letters: values and a template's name in, subject, text and HTML out.

Wording is data, one file per language (templates/wording_*.json), and layout is a template
that knows no language. Wording holds plain ``{fields}`` and nothing that could be executed;
everything is escaped by the layout.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ledger.days import date_of
from ledger.money import exponent

from .letters import Letter, LetterCredit, LetterLine, Total, totals
from .mime import one_line

FOLDER = Path(__file__).parent / "templates"
TEMPLATES = ("before_due", "reminder_1", "reminder_2", "reminder_penalties", "formal_notice")
LANGUAGES = ("en", "de", "fr")
ROWS_MAX = 200  # rows a section prints; what is beyond them becomes one row with its sum
ACCENTS = {  # the colour of the letter's head says how serious it is
    "before_due": "#1f5f8b",
    "reminder_1": "#1f5f8b",
    "reminder_2": "#8a5a00",
    "reminder_penalties": "#9a3b12",
    "formal_notice": "#8f1d2c",
}
FIELD = re.compile(r"\{(\w+)\}")
NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter ready to send."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the statement, every cell as it is printed."""

    number: str
    invoice_date: str
    due_date: str
    days: str
    original: str
    amount: str


@dataclass(frozen=True, slots=True)
class Section:
    """A group of rows with its heading and its sums, one per currency."""

    key: str
    heading: str
    rows: tuple[Row, ...]
    sums: tuple[str, ...]


def compose(template: str, letter: Letter, language: str, country: str | None = None) -> Composed:
    """Write a letter.

    Args:
        template: one of `TEMPLATES`.
        letter: its values.
        language: of the contact; a language we have no wording for gets English.
        country: ISO 3166 code of the contact, for the way dates and amounts are written.

    Raises:
        ValueError: there is no such template, or the letter demands nothing.
    """
    check(template, letter)
    language = spoken(language)
    locale = locale_of(language, country)
    wording = wording_of(language)
    labels, words = wording["labels"], wording["letters"][template]
    sums = totals(letter)
    fields = fields_of(letter, sums, locale, labels)

    def said(text: str) -> str:
        return fill(text, fields)

    view: dict[str, Any] = {
        "language": language,
        "accent": ACCENTS[template],
        "labels": labels,
        "kind": words["kind"],
        "heading": said(words["heading"]),
        "preheader": said(words["preheader"]),
        "greeting": said(labels["greeting_named"] if letter.contact else labels["greeting"]),
        "opening": tuple(said(part) for part in words["opening"]),
        "closing": (*(said(part) for part in words["closing"]), *enclosures(letter, labels)),
        "sections": _sections(template, letter, locale, labels, words),
        "totals": tuple(_total_rows(total, locale, labels, words) for total in sums),
        "payable": fields["payable"],
        "pay_by": fields["pay_by"],
        "facts": (
            (labels["customer_number"], fields["customer_number"]),
            (labels["as_of"], fields["as_of"]),
            (labels["reference"], fields["reference"]),
        ),
        "creditor": fields["creditor"],
        "customer": fields["customer"],
        "reference": fields["reference"],
        "payment_details": tuple(one_line(line) for line in letter.payment_details.splitlines() if line.strip()),
    }
    return Composed(
        subject=one_line(said(labels["mail_subject"].replace("{subject}", words["subject"]))),
        text=_environment(html=False).get_template("letter.txt").render(view),
        html=_environment(html=True).get_template("letter.html").render(view),
        language=language,
    )


def check(template: str, letter: Letter) -> None:
    """Refuse a template that does not exist, and a letter that asks for nothing.

    Raises:
        ValueError: either.
    """
    if template not in TEMPLATES:
        raise ValueError(f"there is no letter template {template!r}; there are {', '.join(TEMPLATES)}")
    if not letter.demanded:
        raise ValueError(f"a letter {template!r} without a single demanded line makes no sense")


def spoken(language: str) -> str:
    """The language a letter is written in: English where there is no wording.

    >>> spoken("de-AT"), spoken("FR"), spoken("pt")
    ('de', 'fr', 'en')
    """
    return language.lower()[:2] if language.lower()[:2] in LANGUAGES else "en"


def fill(text: str, fields: Mapping[str, str]) -> str:
    """Put fields into a wording. Only plain names exist, so a wording can reach nothing else.

    >>> fill("{payable} by {pay_by}", {"payable": "5.00 EUR", "pay_by": "1 May"})
    '5.00 EUR by 1 May'

    Raises:
        KeyError: the wording names a field that does not exist.
    """
    return FIELD.sub(lambda found: fields[found[1]], text)


def locale_of(language: str, country: str | None) -> Locale:
    """How dates and amounts are written; a pair that is not in use falls back to the language.

    >>> str(locale_of("de", "AT")), str(locale_of("en", None)), str(locale_of("fr", "XX"))
    ('de_AT', 'en_GB', 'fr')
    """
    pair = f"{language}_{country.upper()}" if country else {"en": "en_GB"}.get(language, language)
    try:
        return Locale.parse(pair)
    except (UnknownLocaleError, ValueError):
        return Locale.parse({"en": "en_GB"}.get(language, language))


def amount_text(amount_minor: int, currency: str, locale: Locale) -> str:
    """An amount as its reader writes it, with the currency's code, on one line.

    >>> amount_text(123450, "EUR", Locale("de")), amount_text(1200, "JPY", Locale("en"))
    ('1.234,50\\xa0EUR', '1,200\\xa0JPY')
    """
    return f"{number_text(amount_minor, currency, locale)}{NO_BREAK}{currency}"


def number_text(amount_minor: int, currency: str, locale: Locale) -> str:
    """An amount as its reader writes it, without the currency: a column's heading names it.

    >>> number_text(-123450, "TND", Locale("fr"))
    '-123,450'
    """
    digits = exponent(currency)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return str(format_decimal(Decimal(amount_minor).scaleb(-digits), format=pattern, locale=locale))


def day_text(day: int | None, locale: Locale, width: str = "medium") -> str:
    """A date as its reader writes it; a dash for none."""
    return "–" if day is None else format_date(date_of(day), format=width, locale=locale)


def fields_of(letter: Letter, sums: tuple[Total, ...], locale: Locale, labels: Mapping[str, str]) -> dict[str, str]:
    """What a wording may name. User text is kept to one line each."""
    payable = [amount_text(total.payable_minor, total.currency, locale) for total in sums if total.payable_minor]
    due_days = [line.due_day for line in letter.demanded if line.due_day is not None]
    return {
        "creditor": one_line(letter.creditor),
        "customer": one_line(letter.customer),
        "customer_number": one_line(letter.customer_number, 60),
        "contact": one_line(letter.contact, 100),
        "reference": one_line(letter.reference, 140),
        "payable": labels["and"].join(payable) or amount_text(0, sums[0].currency, locale),
        "as_of": day_text(letter.as_of_day, locale, "long"),
        "pay_by": day_text(letter.pay_by_day, locale, "long"),
        "oldest_due": day_text(min(due_days, default=None), locale, "long"),
        "latest_due": day_text(max(due_days, default=None), locale, "long"),
    }


def enclosures(letter: Letter, labels: Mapping[str, str]) -> list[str]:
    """What the letter says of files that go along, and of those that do not fit."""
    said = []
    if letter.enclosed:
        said.append(fill(labels["enclosed"], {"files": ", ".join(one_line(name, 120) for name in letter.enclosed)}))
    if letter.not_enclosed:
        numbers = ", ".join(one_line(number, 60) for number in letter.not_enclosed)
        said.append(fill(labels["not_enclosed"], {"numbers": numbers}))
    return said


def _sections(
    template: str, letter: Letter, locale: Locale, labels: Mapping[str, str], words: Mapping[str, Any]
) -> tuple[Section, ...]:
    made = []
    for key, heading, lines in (
        ("demanded", words["demanded"], letter.demanded),
        ("held", labels["held"], letter.held),
        ("later", labels["later"], letter.later),
    ):
        ordered = sorted(lines, key=lambda line: (line.due_day is None, line.due_day or 0, line.number))
        if ordered:
            rows = tuple(_line_row(line, locale) for line in ordered[:ROWS_MAX])
            made.append(Section(key, heading, rows + _rest(ordered, locale, labels), _sums(ordered, locale)))
    if letter.credits:
        ordered_credits = sorted(letter.credits, key=lambda credit: (credit.booked_day, credit.number))
        rows = tuple(_credit_row(credit, locale, labels) for credit in ordered_credits[:ROWS_MAX])
        sums = _sums(ordered_credits, locale, sign=-1)
        rest = _rest(ordered_credits, locale, labels, sign=-1)
        made.append(Section("credits", labels["credits"], rows + rest, sums))
    return tuple(made)


def _line_row(line: LetterLine, locale: Locale) -> Row:
    late = line.days_past_due
    return Row(
        number=one_line(line.number, 60),
        invoice_date=day_text(line.invoice_day, locale),
        due_date=day_text(line.due_day, locale),
        days=str(late) if late is not None and late > 0 else "–",
        original=amount_text(line.original_minor, line.currency, locale),
        amount=amount_text(line.open_minor, line.currency, locale),
    )


def _credit_row(credit: LetterCredit, locale: Locale, labels: Mapping[str, str]) -> Row:
    name = " ".join(part for part in (labels[credit.kind], one_line(credit.number, 60)) if part)
    amount = amount_text(-credit.open_minor, credit.currency, locale)
    return Row(name, day_text(credit.booked_day, locale), "–", "–", "–", amount)


def _rest(
    items: list[LetterLine] | list[LetterCredit], locale: Locale, labels: Mapping[str, str], sign: int = 1
) -> tuple[Row, ...]:
    """One row per currency for what is beyond `ROWS_MAX`, so that the sums still add up."""
    beyond = items[ROWS_MAX:]
    rows = []
    for currency in sorted({item.currency for item in beyond}):
        amounts = [item.open_minor for item in beyond if item.currency == currency]
        name = fill(labels["further"], {"count": str(len(amounts))})
        rows.append(Row(name, "–", "–", "–", "–", amount_text(sign * sum(amounts), currency, locale)))
    return tuple(rows)


def _sums(items: Iterable[LetterLine | LetterCredit], locale: Locale, sign: int = 1) -> tuple[str, ...]:
    added: dict[str, int] = {}
    for item in items:
        added[item.currency] = added.get(item.currency, 0) + item.open_minor
    return tuple(amount_text(sign * amount, currency, locale) for currency, amount in sorted(added.items()))


def _total_rows(
    total: Total, locale: Locale, labels: Mapping[str, str], words: Mapping[str, Any]
) -> tuple[tuple[str, str], ...]:
    """How one currency's total comes about; the last row is what we ask for."""
    rows = [(words["demanded"], amount_text(total.demanded_minor, total.currency, locale))]
    if total.credits_minor:
        rows.append((labels["less_credits"], amount_text(-total.credits_minor, total.currency, locale)))
    if total.interest_minor:
        rows.append((labels["interest"], amount_text(total.interest_minor, total.currency, locale)))
    rows.append((labels["to_pay"], amount_text(total.payable_minor, total.currency, locale)))
    return tuple(rows)


@lru_cache(maxsize=len(LANGUAGES))
def wording_of(language: str) -> dict[str, Any]:
    """Labels and letters of a language that is spoken."""
    content: dict[str, Any] = json.loads((FOLDER / f"wording_{language}.json").read_text(encoding="utf-8"))
    return content


@lru_cache(maxsize=2)
def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
