"""Composes letters: values and a template's name in, subject, text and HTML out.

Wording is data, a governed document per template (`letter_templates`), and layout is a template of
ours that knows no language. Wording holds plain ``{fields}`` and nothing that could be executed
(`letter_text`); everything is escaped by the layout.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern, format_decimal, parse_pattern
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ledger.days import date_of
from ledger.money import exponent

from .letter_templates import FALLBACK, LETTER_USES, Block, Template, shipped_shared
from .letter_text import paragraphs, write
from .letters import Item, Letter, LetterCharge, LetterCredit, LetterLine, Total, totals
from .mime import one_line

FOLDER = Path(__file__).parent / "templates"
DAYS_KEPT = 4_096  # written dates; letters of one day name the same ones
ROWS_MAX = 200  # rows a section prints; what is beyond them becomes one row with its sum
ACCENTS = {"calm": "#1f5f8b", "firm": "#8a5a00", "stern": "#9a3b12", "final": "#8f1d2c"}  # by tone
NO_BREAK = "\u00a0"
Paragraphs = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a letter is written with.

    Args:
        template: the letter's own.
        shared: what all letters share: the labels of the layout, and blocks for all of them.
    """

    template: Template
    shared: Template

    def spoken(self, language: str) -> str:
        """The language a letter is written in: `FALLBACK` where one of the two is not written in it."""
        code = language.lower()[:2]
        return code if code in self.template.texts and code in self.shared.texts else FALLBACK


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter ready to send.

    Args:
        template: sha256 of the template it was written by; empty for one written by hand.
    """

    subject: str
    text: str
    html: str
    language: str
    template: str = ""


class Row(NamedTuple):
    """One row of the statement, every cell as it is printed; the layout unpacks it, which is faster than names."""

    number: str
    invoice_date: str
    due_date: str
    days: str
    original: str
    amount: str


class Section(NamedTuple):
    """A group of rows with its heading and its sums, one per currency."""

    key: str
    heading: str
    rows: tuple[Row, ...]
    sums: tuple[str, ...]
    heads: tuple[str, ...]


class Pen:
    """Writes the texts of one letter: wording, language and values together.

    Args:
        country: ISO 3166 code of the customer: blocks for it, and how dates and amounts are written.
    """

    def __init__(self, wording: Wording, letter: Letter, language: str, country: str | None) -> None:
        self.wording, self.letter, self.country = wording, letter, country or ""
        self.language = wording.spoken(language)
        self.locale = locale_of(self.language, country)
        self.words = wording.template.texts[self.language]
        self.labels = {name: text.source for name, text in wording.shared.texts[self.language].items()}
        self.sums = totals(letter)
        self.fields = fields_of(letter, self.sums, self.locale, self.labels["and"])

    def line(self, name: str) -> str:
        """A text of one line."""
        return write(self.words[name], self.fields)

    def label(self, name: str, **values: str) -> str:
        """A word of the layout that names something."""
        return write(self.wording.shared.texts[self.language][name], values)

    def added_label(self, name: str, **values: str) -> str:
        """A word of a table that only some letters have; as shipped where the house has none of its own."""
        own = self.wording.shared.texts[self.language].get(name)
        shipped = shipped_shared().texts
        return write(own or shipped.get(self.language, shipped[FALLBACK])[name], values)

    @property
    def law(self) -> Paragraphs:
        """By which law interest and costs are claimed; none where the letter claims none."""
        law = one_line(self.letter.law, 300)
        return ((self.added_label("charge_law", law=law),),) if law and self.letter.charges else ()

    def paragraphs(self, name: str) -> Paragraphs:
        """A text of several paragraphs."""
        return paragraphs(write(self.words[name], self.fields))

    def blocks(self, kind: str) -> Paragraphs:
        """The blocks of a kind that belong into this letter: those for all letters first."""
        return tuple(
            part
            for block in (*self.wording.shared.blocks, *self.wording.template.blocks)
            if block.kind == kind and self._belongs(block)
            for part in paragraphs(write(block.text(self.language), self.fields))
        )

    def _belongs(self, block: Block) -> bool:
        if block.kind == "early_payment" and any((line.days_past_due or 0) > 0 for line in self.letter.demanded):
            return False
        if block.kind == "penalties" and (not self.letter.penalties or self.law):
            return False  # the law by which it counts is named once
        return block.holds(self.letter.as_of_day, self.country)

    @property
    def greeting(self) -> str:
        """To a person where one is known."""
        contact = self.fields["contact"]
        return self.label("greeting_named", contact=contact) if contact else self.labels["greeting"]

    @property
    def opening(self) -> Paragraphs:
        """What stands before the statement."""
        return (*self.paragraphs("opening"), *self.blocks("message"), *self.blocks("penalties"), *self.law)

    @property
    def closing(self) -> Paragraphs:
        """What stands behind it."""
        return (*self.blocks("early_payment"), *self.paragraphs("closing"), *((line,) for line in self.enclosures))

    @property
    def enclosures(self) -> list[str]:
        """What the letter says of files that go along, and of those that do not fit."""
        files, numbers = self.letter.enclosed, self.letter.not_enclosed
        said = [self.label("enclosed", files=", ".join(one_line(name, 120) for name in files))] if files else []
        if numbers:
            said.append(self.label("not_enclosed", numbers=", ".join(one_line(number, 60) for number in numbers)))
        return said

    @property
    def accent(self) -> str:
        """The colour of the letter's head says how serious it is."""
        return ACCENTS[self.wording.template.tone]


def compose(wording: Wording, letter: Letter, language: str, country: str | None = None) -> Composed:
    """Write a letter.

    Args:
        letter: its values.
        language: of the contact; one the wording does not have gets `FALLBACK`.
        country: ISO 3166 code of the customer, for its legal blocks and the way dates and amounts are written.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
    """
    check(wording, letter)
    pen = Pen(wording, letter, language, country)
    labels, fields, locale = pen.labels, pen.fields, pen.locale
    demanded = pen.line("demanded")
    view: dict[str, Any] = {
        "language": pen.language,
        "accent": pen.accent,
        "labels": labels,
        "kind": pen.line("kind"),
        "heading": pen.line("heading"),
        "preheader": pen.line("preheader"),
        "greeting": pen.greeting,
        "opening": pen.opening,
        "closing": pen.closing,
        "legal": pen.blocks("legal"),
        "sections": _sections(pen, demanded),
        "totals": tuple(_total_rows(total, locale, labels, demanded) for total in pen.sums),
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
    subject = pen.label("mail_subject", subject=pen.line("subject"), customer_number=fields["customer_number"])
    return Composed(
        subject=one_line(subject),
        text=_environment(html=False).get_template("letter.txt").render(view),
        html=_environment(html=True).get_template("letter.html").render(view),
        language=pen.language,
        template=wording.template.sha256,
    )


def short_message(wording: Wording, letter: Letter, language: str, country: str | None = None) -> str:
    """Write a letter for a channel of few characters.

    Raises:
        ValueError: the template has no short text in the letter's language.
    """
    pen = Pen(wording, letter, language, country)
    if "short" not in pen.words:
        raise ValueError(f"the template {wording.template.key!r} has no short message in {pen.language!r}")
    return pen.line("short")


def script(wording: Wording, letter: Letter, language: str, country: str | None = None) -> Paragraphs:
    """Write what whoever calls is told.

    Raises:
        ValueError: the template is no script.
    """
    if wording.template.use != "script":
        raise ValueError(f"the template {wording.template.key!r} is no script")
    return Pen(wording, letter, language, country).paragraphs("script")


def check(wording: Wording, letter: Letter) -> None:
    """Refuse a template that is for no letter, and a letter that asks for nothing.

    Raises:
        ValueError: either.
    """
    template = wording.template
    if template.use not in LETTER_USES:
        raise ValueError(f"the template {template.key!r} is for no letter: it is a {template.use}")
    if not letter.demanded:
        raise ValueError(f"a letter {template.key!r} without a single demanded line makes no sense")


@lru_cache(maxsize=DAYS_KEPT)
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
    return str(_pattern(digits).apply(Decimal(amount_minor).scaleb(-digits), locale))


@cache
def _pattern(digits: int) -> NumberPattern:
    """Amounts with so many digits behind the point; read once, since reading it takes as long as writing a number."""
    return parse_pattern("#,##0" + ("." + "0" * digits if digits else ""))


@lru_cache(maxsize=DAYS_KEPT)
def day_text(day: int | None, locale: Locale, width: str = "medium") -> str:
    """A date as its reader writes it; a dash for none."""
    return "–" if day is None else format_date(date_of(day), format=width, locale=locale)


def fields_of(letter: Letter, sums: tuple[Total, ...], locale: Locale, between: str) -> dict[str, str]:
    """The value of every field (`letter_fields.FIELDS`). User text is kept to one line each.

    Args:
        between: the word between amounts of several currencies.
    """
    due_days = [line.due_day for line in letter.demanded if line.due_day is not None]
    late = max((line.days_past_due or 0 for line in letter.demanded), default=0)

    def amounts(by_currency: Iterable[tuple[str, int]]) -> str:
        shown = [amount_text(minor, currency, locale) for currency, minor in by_currency if minor]
        return f" {between} ".join(shown)

    nothing = amount_text(0, sums[0].currency, locale) if sums else "0"
    return {
        "creditor": one_line(letter.creditor),
        "customer": one_line(letter.customer),
        "customer_number": one_line(letter.customer_number, 60),
        "contact": one_line(letter.contact, 100),
        "reference": one_line(letter.reference, 140),
        "payable": amounts((total.currency, total.payable_minor) for total in sums) or nothing,
        "credits": amounts((total.currency, total.credits_minor) for total in sums),
        "held": amounts((total.currency, total.held_minor) for total in sums),
        "interest": amounts((total.currency, total.interest_minor) for total in sums),
        "as_of": day_text(letter.as_of_day, locale, "long"),
        "pay_by": day_text(letter.pay_by_day, locale, "long"),
        "oldest_due": day_text(min(due_days, default=None), locale, "long"),
        "latest_due": day_text(max(due_days, default=None), locale, "long"),
        "days_late": str(late) if late > 0 else "",
        "invoices": str(len(letter.demanded)),
    }


def _sections(pen: Pen, demanded: str) -> tuple[Section, ...]:
    letter, locale, labels = pen.letter, pen.locale, pen.labels
    made = []
    for key, heading, lines in (
        ("demanded", demanded, letter.demanded),
        ("held", labels["held"], letter.held),
        ("later", labels["later"], letter.later),
    ):
        ordered = sorted(lines, key=lambda line: (line.due_day is None, line.due_day or 0, line.number))
        if ordered:
            rows = tuple(_line_row(line, locale) for line in ordered[:ROWS_MAX])
            made.append(Section(key, heading, rows + _rest(ordered, pen), _sums(ordered, locale), heads_of(pen)))
    if letter.instalments:
        asked = tuple(_instalment_row(number, pen) for number in range(len(letter.instalments))[:ROWS_MAX])
        heading, sums = pen.added_label("instalments"), _sums(letter.instalments, locale)
        made.append(Section("instalments", heading, asked + _rest(letter.instalments, pen), sums, short_heads(pen)))
    if letter.charges:
        charged = tuple(_charge_row(charge, pen) for charge in letter.charges[:ROWS_MAX])
        heads, sums = charge_heads(pen), _sums(letter.charges, locale)
        made.append(Section("charges", labels["interest"], charged + _rest(letter.charges, pen), sums, heads))
    if letter.credits:
        ordered_credits = sorted(letter.credits, key=lambda credit: (credit.booked_day, credit.number))
        rows = tuple(_credit_row(credit, locale, labels) for credit in ordered_credits[:ROWS_MAX])
        sums = _sums(ordered_credits, locale, sign=-1)
        rest = _rest(ordered_credits, pen, sign=-1)
        heads = (labels["credit"], labels["booked"], "", "", "", labels["open"])
        made.append(Section("credits", labels["credits"], rows + rest, sums, heads))
    return tuple(made)


def heads_of(pen: Pen) -> tuple[str, ...]:
    """The columns of a table of lines."""
    return tuple(pen.labels[name] for name in ("invoice", "invoice_date", "due_date", "days", "original", "open"))


def short_heads(pen: Pen) -> tuple[str, ...]:
    """The columns of the table of instalments; those between stay empty."""
    return pen.added_label("instalments"), pen.labels["due_date"], "", "", "", pen.labels["amount"]


def instalment_name(number: int, pen: Pen) -> str:
    """What an instalment is called, by its number from 0."""
    return pen.added_label("instalment", number=str(number + 1), count=str(len(pen.letter.instalments)))


def _instalment_row(number: int, pen: Pen) -> Row:
    one = pen.letter.instalments[number]
    amount = amount_text(one.open_minor, one.currency, pen.locale)
    return Row(instalment_name(number, pen), day_text(one.due_day, pen.locale), "–", "–", "–", amount)


def charge_heads(pen: Pen) -> tuple[str, ...]:
    """The columns of the table of interest and costs."""
    asked = [pen.added_label(name) for name in ("charge", "charge_from", "charge_until")]
    return (*asked, pen.labels["days"], pen.added_label("charge_principal"), pen.labels["amount"])


def charge_cells(charge: LetterCharge, pen: Pen) -> tuple[str, str, str, str]:
    """What interest or a cost is for, from when until when, and for how many days."""
    number = one_line(charge.number, 60) or one_line(pen.letter.customer_number, 60)
    if charge.rate_bp is not None and charge.after_day is not None and charge.until_day is not None:
        rate = format_decimal(Decimal(charge.rate_bp).scaleb(-2), format="#,##0.00", locale=pen.locale)
        name = pen.added_label("charge_interest", rate=rate, number=number)
        days = (day_text(charge.after_day + 1, pen.locale), day_text(charge.until_day, pen.locale))
        return (name, *days, str(charge.until_day - charge.after_day))
    if charge.kind in ("interest", "fixed_sum"):
        name = pen.labels["interest"] if charge.kind == "interest" else "charge_fixed_sum"
        return (name if charge.kind == "interest" else pen.added_label(name, number=number), "–", "–", "–")
    return (pen.added_label(f"charge_{charge.kind}"), "–", "–", "–")


def _charge_row(charge: LetterCharge, pen: Pen) -> Row:
    name, first, last, days = charge_cells(charge, pen)
    principal = charge.principal_minor
    original = "–" if principal is None else amount_text(principal, charge.currency, pen.locale)
    return Row(name, first, last, days, original, amount_text(charge.open_minor, charge.currency, pen.locale))


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


def _rest(items: Sequence[Item], pen: Pen, sign: int = 1) -> tuple[Row, ...]:
    """One row per currency for what is beyond `ROWS_MAX`, so that the sums still add up."""
    beyond = items[ROWS_MAX:]
    rows = []
    for currency in sorted({item.currency for item in beyond}):
        amounts = [item.open_minor for item in beyond if item.currency == currency]
        name = pen.label("further", count=str(len(amounts)))
        rows.append(Row(name, "–", "–", "–", "–", amount_text(sign * sum(amounts), currency, pen.locale)))
    return tuple(rows)


def _sums(items: Iterable[Item], locale: Locale, sign: int = 1) -> tuple[str, ...]:
    added: dict[str, int] = {}
    for item in items:
        added[item.currency] = added.get(item.currency, 0) + item.open_minor
    return tuple(amount_text(sign * amount, currency, locale) for currency, amount in sorted(added.items()))


def _total_rows(total: Total, locale: Locale, labels: Mapping[str, str], demanded: str) -> tuple[tuple[str, str], ...]:
    """How one currency's total comes about; the last row is what we ask for."""
    rows = [(demanded, amount_text(total.demanded_minor, total.currency, locale))]
    if total.credits_minor:
        rows.append((labels["less_credits"], amount_text(-total.credits_minor, total.currency, locale)))
    if total.interest_minor:
        rows.append((labels["interest"], amount_text(total.interest_minor, total.currency, locale)))
    rows.append((labels["to_pay"], amount_text(total.payable_minor, total.currency, locale)))
    return tuple(rows)


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
