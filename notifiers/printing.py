"""Prints letters: the same values and wording as a mail, as a PDF for a window envelope.

Layout is a typst template (templates/letter.typ) that gets nothing but texts, so whatever a
customer is called stays text. The same letter gives the same bytes on each machine: fonts come
with the typesetter, and the only date is the letter's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import typst
from babel import Locale

from ledger.days import date_of

from .banking import creditor_reference, in_fours, payment_code
from .composing import (
    FOLDER,
    Paragraphs,
    Pen,
    Wording,
    amount_text,
    charge_cells,
    charge_heads,
    check,
    day_text,
    instalment_name,
    number_text,
    short_heads,
)
from .letters import Item, Letter, LetterCharge, LetterLine, Total
from .mime import one_line

LAYOUT = "letter.typ"
# PDF/A-2: kept for years. Tagged, so that a screen reader reads the table cell by cell; tags of a
# long list would be nine tenths of the file (250 lines: 380 KB instead of 60), so it goes without.
TAGGED: Final = "a-2a"
PLAIN: Final = "a-2b"
TAGGED_LINES_MAX = 80
SCREEN_PPI = 96
LINES_MAX = 1_000  # lines a letter lists; what is beyond them becomes one row with its sum
ADDRESS_LINES_MAX = 6  # an address zone holds no more (DIN 5008)
AGE_EDGES = (30, 60, 90)
RIGHT_WINDOW = frozenset({"FR"})  # NF Z 11-001; elsewhere the window is on the left (DIN 5008 form B)
UNDISPLAYED = "could not be displayed"  # how the typesetter says that a font lacks a character
WORD_MAX, NUMBER_MAX = 40, 22  # characters after which a word without a blank may break anywhere
DASH = "–"


class Unprintable(ValueError):
    """The typesetter refuses the letter: a name is written in characters our fonts do not have."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A letter as it goes into the envelope."""

    subject: str
    pdf: bytes
    language: str
    template: str = ""


def print_letter(wording: Wording, letter: Letter, language: str, country: str | None = None) -> Printed:
    """Typeset a letter.

    Args:
        letter: its values; without lines of an address the window stays empty.
        language: of the contact; one the wording does not have gets English.
        country: ISO 3166 code of the customer, for its legal blocks and the way dates and amounts are written.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
        Unprintable: a name holds characters that no font of ours has.
    """
    seen = layout_of(wording, letter, language, country)
    pdf = typeset(seen, letter.as_of_day)
    return Printed(str(seen["subject"]), pdf, str(seen["language"]), wording.template.sha256)


def page_image(wording: Wording, letter: Letter, language: str, country: str | None = None) -> bytes:
    """The first page of a letter as a picture (PNG), to look at.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
        Unprintable: a name holds characters that no font of ours has.
    """
    seen = layout_of(wording, letter, language, country)
    typeset(seen, letter.as_of_day)  # what cannot be printed is no page
    found = _typesetter().compile(format="png", ppi=SCREEN_PPI, sys_inputs={"letter": json.dumps(seen)})
    pages = found if isinstance(found, list) else [found]
    if not isinstance(pages[0], bytes):
        raise TypeError("the typesetter gave no picture")
    return pages[0]


def print_statement(wording: Wording, letter: Letter, language: str, country: str | None = None) -> Printed:
    """Typeset the statement of open items that goes along with a letter: its tables, age, credits, how to pay.

    Args:
        wording: of the letter, which names what it asks for.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
        Unprintable: a name holds characters that no font of ours has.
    """
    seen = layout_of(wording, letter, language, country)
    title = seen["labels"]["statement"]
    seen |= {
        "subject": title,
        "kind": title,
        "greeting": "",
        "opening": [],
        "closing": [],
        "legal": [],
        "regards": False,
    }
    return Printed(title, typeset(seen, letter.as_of_day), str(seen["language"]))


def typeset(seen: Mapping[str, Any], as_of_day: int) -> bytes:
    """Lay out what ``layout_of`` gave.

    Raises:
        Unprintable: a name holds characters that no font of ours has.
    """
    is_tagged = sum(len(table["rows"]) for table in seen["tables"]) <= TAGGED_LINES_MAX
    try:
        pdf = _typesetter().compile(
            format="pdf",
            sys_inputs={"letter": json.dumps(seen, ensure_ascii=False)},
            pdf_standards=[TAGGED if is_tagged else PLAIN],
            pdf_tags=is_tagged,
            timestamp=datetime.combine(date_of(as_of_day), time(), UTC),
        )
    except typst.TypstError as error:
        if UNDISPLAYED not in error.message:
            raise
        raise Unprintable("the letter holds characters that our fonts cannot print; write it by hand") from error
    if not isinstance(pdf, bytes):
        raise TypeError("the typesetter gave no PDF")
    return pdf


def layout_of(wording: Wording, letter: Letter, language: str, country: str | None = None) -> dict[str, Any]:
    """Everything the layout prints, as texts and whole numbers.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
    """
    check(wording, letter)
    pen = Pen(wording, letter, language, country)
    sums, fields, head = pen.sums, pen.fields, letter.head
    demanded = pen.line("demanded")
    tables = [table for total in sums for table in _tables(pen, total.currency, demanded)]
    return {
        "language": pen.language,
        "regards": True,
        "accent": pen.accent,
        "labels": pen.labels,
        "window": "right" if head.country in RIGHT_WINDOW else "left",
        "subject": pen.line("subject"),
        "kind": pen.line("kind"),
        "creditor": fields["creditor"],
        "sender": _lines(head.address),
        "email": one_line(head.email),
        "recipient": _lines(letter.recipient) or [breakable(fields["customer"])],
        "references": _references(letter, fields, pen.labels),
        "running": " · ".join((fields["customer"], fields["customer_number"], fields["as_of"])),
        "greeting": pen.greeting,
        "opening": _paragraphs(pen.opening),
        "closing": _paragraphs(pen.closing),
        "legal": _paragraphs(pen.blocks("legal")),
        "tables": tables,
        "longest": max(
            len(cell) for table in tables for row in (*table["rows"], table["sums"][-1:]) for cell in row[-2:]
        ),
        "ages": [_ages(pen, total) for total in sums if total.balance_minor or len(sums) == 1]
        if not letter.instalments  # what is outside the plan is not in the letter
        else [],
        "totals": [_sum(pen, total, demanded) for total in sums],
        "payment": _payment(pen),
    }


def _paragraphs(texts: Paragraphs) -> list[list[str]]:
    return [[breakable(line) for line in part] for part in texts]


def breakable(text: str, most: int = WORD_MAX) -> str:
    r"""Let a long word break anywhere, so that it never leaves its column.

    >>> breakable("INV 2026-0000001", 8)
    'INV 2\u200b0\u200b2\u200b6\u200b-\u200b0\u200b0\u200b0\u200b0\u200b0\u200b0\u200b1'
    """
    return " ".join("\u200b".join(word) if len(word) > most else word for word in text.split(" "))


def _lines(texts: Sequence[str], limit: int = ADDRESS_LINES_MAX) -> list[str]:
    return [breakable(line) for line in (one_line(text, 120) for text in texts) if line][:limit]


def _references(letter: Letter, fields: Mapping[str, str], labels: Mapping[str, str]) -> list[list[str]]:
    """The block beside the address."""
    rows = [
        [labels["date"], fields["as_of"]],
        [labels["customer_number"], fields["customer_number"]],
    ]
    if letter.mark:
        rows.append([labels["our_reference"], one_line(letter.mark, 60)])
    if letter.head.email:
        rows.append([labels["contact"], one_line(letter.head.email)])
    return [[name, breakable(value, 30)] for name, value in rows]


def _tables(pen: Pen, currency: str, demanded: str) -> list[dict[str, Any]]:
    """The statement in one currency: lines asked for, held back, for information; then credits."""
    letter, locale, labels = pen.letter, pen.locale, pen.labels
    made = []
    for key, heading, lines in (
        ("demanded", demanded, letter.demanded),
        ("held", labels["held"], letter.held),
        ("later", labels["later"], letter.later),
    ):
        own = sorted(
            (line for line in lines if line.currency == currency),
            key=lambda line: (line.due_day is None, line.due_day or 0, line.number),
        )
        if own:
            made.append(_table(pen, key, heading, currency, [_cells(one, locale) for one in own], own, 1))
    instalments = [(at, one) for at, one in enumerate(letter.instalments) if one.currency == currency]
    if instalments:
        cells = [[instalment_name(at, pen), day_text(one.due_day, locale), "", "", ""] for at, one in instalments]
        own_items = [one for _at, one in instalments]
        plan = _table(pen, "instalments", pen.added_label("instalments"), currency, cells, own_items, 1)
        made.append({**plan, "heads": list(short_heads(pen))})
    charges = [one for one in letter.charges if one.currency == currency]
    if charges:
        made.append(_charges(pen, currency, charges))
    credits_ = sorted(
        (credit for credit in letter.credits if credit.currency == currency),
        key=lambda credit: (credit.booked_day, credit.number),
    )
    if credits_:
        rows = [
            [
                breakable(f"{labels[one.kind]} {one_line(one.number, 60)}".strip(), NUMBER_MAX),
                day_text(one.booked_day, locale),
                "",
                "",
                "",
            ]
            for one in credits_
        ]
        made.append(_table(pen, "credits", labels["credits"], currency, rows, credits_, -1))
    return made


def _charges(pen: Pen, currency: str, charges: list[LetterCharge]) -> dict[str, Any]:
    """Interest, fixed sums and costs with the rate and the days."""
    rows = []
    for one in charges:
        name, *others = charge_cells(one, pen)
        on = DASH if one.principal_minor is None else number_text(one.principal_minor, currency, pen.locale)
        rows.append([breakable(name, NUMBER_MAX), *others, on])
    table = _table(pen, "charges", pen.labels["interest"], currency, rows, charges, 1)
    return {**table, "heads": list(charge_heads(pen))}


def _cells(line: LetterLine, locale: Locale) -> list[str]:
    late = line.days_past_due
    return [
        breakable(one_line(line.number, 60), NUMBER_MAX),
        day_text(line.invoice_day, locale),
        day_text(line.due_day, locale),
        str(late) if late is not None and late > 0 else DASH,
        number_text(line.original_minor, line.currency, locale),
    ]


def _table(
    pen: Pen,
    key: str,
    heading: str,
    currency: str,
    rows: list[list[str]],
    items: Sequence[Item],
    sign: int,
) -> dict[str, Any]:
    """A table with its sums so far, which each page carries forward."""
    locale = pen.locale
    amounts = [sign * item.open_minor for item in items]
    if len(rows) > LINES_MAX:
        rows = [*rows[:LINES_MAX], [pen.label("further", count=str(len(rows) - LINES_MAX)), "", "", "", ""]]
        amounts = [*amounts[:LINES_MAX], sum(amounts[LINES_MAX:])]
    return {
        "key": key,
        "heading": heading,
        "unit": pen.label("amounts_in", currency=currency),
        "rows": [[*cells, number_text(amount, currency, locale)] for cells, amount in zip(rows, amounts, strict=True)],
        "sums": [number_text(amount, currency, locale) for amount in accumulate(amounts, initial=0)],
    }


def _ages(pen: Pen, total: Total) -> dict[str, Any]:
    """How old the whole account is in one currency: buckets of what is open, credits, and their sum."""
    letter, locale, labels = pen.letter, pen.locale, pen.labels
    low = [1, *(edge + 1 for edge in AGE_EDGES)]
    names = [labels["not_due"]]
    names += [pen.label("days_range", range=f"{a}{DASH}{b}") for a, b in zip(low, AGE_EDGES, strict=False)]
    names.append(pen.label("over", days=str(AGE_EDGES[-1])))
    buckets, undated = [0] * len(names), 0
    for line in (*letter.demanded, *letter.held, *letter.later):
        if line.currency != total.currency:
            continue
        if line.days_past_due is None:
            undated += line.open_minor
        else:
            buckets[_bucket(line.days_past_due)] += line.open_minor
    cells = list(zip(names, buckets, strict=True))
    if undated:
        cells.append((labels["no_due_date"], undated))
    if total.credits_minor:
        cells.append((labels["age_credits"], -total.credits_minor))
    cells.append((labels["balance"], total.balance_minor))
    return {
        "unit": pen.label("amounts_in", currency=total.currency),
        "cells": [[name, number_text(amount, total.currency, locale)] for name, amount in cells],
    }


def _bucket(days_past_due: int) -> int:
    """Which bucket a line is in; 0 is not due.

    >>> [_bucket(days) for days in (-1, 0, 1, 30, 31, 60, 61, 90, 91)]
    [0, 0, 1, 1, 2, 2, 3, 3, 4]
    """
    return 0 if days_past_due <= 0 else 1 + sum(days_past_due > edge for edge in AGE_EDGES)


def _sum(pen: Pen, total: Total, demanded: str) -> dict[str, Any]:
    """How what we ask for comes about, in one currency."""
    locale, labels = pen.locale, pen.labels

    def shown(amount_minor: int) -> str:
        return number_text(amount_minor, total.currency, locale)

    rows = [[demanded, shown(total.demanded_minor)]]
    if total.interest_minor:
        rows.append([labels["interest"], shown(total.interest_minor)])
    if total.credits_minor:
        rows.append([labels["less_credits"], shown(-total.credits_minor)])
    return {
        "rows": rows if len(rows) > 1 else [],
        "label": pen.label("by_day", to_pay=labels["to_pay"], pay_by=pen.fields["pay_by"]),
        "payable": shown(total.payable_minor),
        "currency": total.currency,
    }


def _payment(pen: Pen) -> dict[str, Any]:
    """The bank account, what to quote, and the code for EUR; lines of free text where no IBAN is known."""
    letter, sums, fields, labels = pen.letter, pen.sums, pen.fields, pen.labels
    head = letter.head
    reference = creditor_reference(letter.customer_number)
    holder = one_line(head.account_holder) or fields["creditor"]
    euros, amount = next((total.payable_minor for total in sums if total.currency == "EUR"), 0), fields["payable"]
    if letter.instalments:  # what is transferred next
        first = letter.instalments[0]
        euros = first.open_minor if first.currency == "EUR" else 0
        amount = amount_text(first.open_minor, first.currency, pen.locale)
    rows, code = [], None
    if head.iban:
        rows = [[labels["account_holder"], holder], ["IBAN", in_fours(head.iban)]]
        if head.bic:
            rows.append(["BIC", head.bic])
        code = payment_code(holder, head.iban, head.bic, euros, reference, fields["reference"])
    if head.iban or letter.payment_details.strip():
        rows.append([labels["reference"], in_fours(reference) if reference else fields["reference"]])
        rows.append([labels["amount"], amount])
    return {
        "rows": [[name, breakable(value)] for name, value in rows],
        "details": _lines(letter.payment_details.splitlines()),
        "code": code,
    }


@lru_cache(maxsize=1)
def _typesetter() -> typst.Compiler:
    """Made once in a process: it keeps the fonts. It reads nothing outside the folder of templates."""
    return typst.Compiler(FOLDER / LAYOUT, root=FOLDER, ignore_system_fonts=True)
