"""The file of a hand-over: a ZIP with register, statement, documents of invoices, letters sent, and an index.

It is made when somebody asks for it, as of the day of the hand-over: later entries do not count, and what
was erased of a person meanwhile is not in it.
"""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from engine.charged_rows import charges_of
from engine.claim_account import ClaimAccount, claim_account_of
from engine.invoice_documents import content_of, documents_of
from engine.pipeline import asking
from engine.statements import addressed, open_items_of, statement
from engine.tables import Action, Customer, HandOver, Message
from engine.vault import Erased
from engine.wordings import shown_wording
from ledger.claims import CHARGES
from ledger.days import date_of
from ledger.money import exponent
from notifiers.mime import one_line
from notifiers.printing import Unprintable, print_statement

if TYPE_CHECKING:
    from engine.runtime import Runtime

ZIP_BYTES_MAX = 50_000_000  # of the documents in one file; what does not fit is named in the index
LETTERS_MAX = 500
REGISTER = (
    *("Invoice", "Instalment", "Invoice date", "Due date", "Days late", "Currency", "Original", "Open", "Disputed"),
    *("Interest", "Fixed sum and costs"),
)
CLAIM_COLUMNS = ("Booked", "Kind", "Waived", "Invoice", "Currency", "Amount", "Interest after", "Interest until", "Why")
TOTAL_ROWS = ("principal", "credits", "interest", "fixed_sum", "cost", "settled", "total")
Figures = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the ZIP."""

    name: str
    content: bytes


def figures_of(runtime: "Runtime", customer: Customer, day: int) -> Figures:
    """What a customer owes on a day by currency, minor units: principal less credits, and what is claimed beside it."""
    lines, owed_back = _items(runtime, customer, day)
    return _figures(lines, owed_back, claim_account_of(runtime, customer, day))


def _items(runtime: "Runtime", customer: Customer, day: int) -> Any:
    basis = asking(runtime, customer.entity, day).basis
    return open_items_of(runtime, customer.entity, [customer.id], basis)[customer.id]


def _figures(lines: list[dict[str, Any]], owed_back: Iterable[Any], account: ClaimAccount) -> Figures:
    found: Figures = {}

    def add(currency: str, name: str, amount: int) -> None:
        row = found.setdefault(currency, dict.fromkeys(TOTAL_ROWS, 0))
        row[name] += amount
        row["total"] += amount

    for line in lines:
        add(line["currency"], "principal" if line["open_minor"] > 0 else "credits", line["open_minor"])
    for credit in owed_back:
        add(credit.currency, "credits", -credit.open_minor)
    for balance in account.balances:
        for kind in CHARGES:
            part = balance.parts[kind]
            add(balance.currency, kind, part.charged_minor)
            add(balance.currency, "settled", -part.waived_minor - part.paid_minor)
        add(balance.currency, "settled", -balance.overpaid_minor)
    return {currency: found[currency] for currency in sorted(found)}


def hand_over_zip(runtime: "Runtime", row: HandOver) -> tuple[str, bytes]:
    """The file of a hand-over: its name and its bytes.

    Raises:
        ValueError: nothing is handed over yet.
    """
    if row.handed_day is None:
        raise ValueError(f"hand-over {row.id} is {row.state}")
    customer, day = row.customer, int(row.handed_day)
    lines, owed_back = _items(runtime, customer, day)
    account = claim_account_of(runtime, customer, day)
    notes: list[str] = []
    members = [Member("register.xlsx", _register(lines, owed_back, account, day))]
    page = _statement(runtime, customer, lines, owed_back, account, day, notes)
    if page is not None:
        members.append(Member("statement.pdf", page))
    members += _documents(runtime, customer, lines, notes)
    members += _letters(runtime, customer, day, notes)
    members.append(Member("index.txt", _index(row, members, _figures(lines, owed_back, account), notes)))
    name = f"{customer.entity.code}-{_plain(customer.number)}-{date_of(day).isoformat()}.zip"
    return name, _zipped(members, day)


def _zipped(members: Iterable[Member], day: int) -> bytes:
    on = date_of(day)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            entry = zipfile.ZipInfo(member.name, (on.year, on.month, on.day, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.content)
    return made.getvalue()


def _plain(name: str) -> str:
    """A name that is one on every disk.

    >>> _plain("../R 1/ä.pdf"), _plain("...")
    ('R_1_ä.pdf', 'file')
    """
    return re.sub(r"[^\w.-]+", "_", one_line(name, 100)).strip("._") or "file"


def _amount(amount_minor: int, currency: str) -> str:
    """An amount as a plain decimal number, exactly.

    >>> _amount(-123450, "EUR"), _amount(1200, "JPY")
    ('-1234.50', '1200')
    """
    digits = exponent(currency)
    whole, part = divmod(abs(amount_minor), 10**digits)
    return f"{'-' if amount_minor < 0 else ''}{whole}" + (f".{part:0{digits}d}" if digits else "")


def _register(lines: list[dict[str, Any]], owed_back: Iterable[Any], account: ClaimAccount, day: int) -> bytes:
    book = Workbook(write_only=True)
    interest, beside = _by_line(account)
    rows: list[list[Any]] = []
    for line in sorted(lines, key=lambda one: (one["due_day"] is None, one["due_day"] or 0, one["number"])):
        key, currency = (line["number"], line["ordinal"]), line["currency"]
        late = None if line["due_day"] is None else max(day - line["due_day"], 0)
        rows.append(
            [
                *(line["number"], line["ordinal"], _date(line["invoice_day"]), _date(line["due_day"]), late, currency),
                *(_number(line[name], currency) for name in ("amount_minor", "open_minor", "disputed_minor")),
                _number(interest.pop((*key, currency), 0), currency),
                _number(beside.pop((*key, currency), 0), currency),
            ]
        )
    for number, ordinal, currency in sorted({*interest, *beside}):
        sums = (interest.get((number, ordinal, currency), 0), beside.get((number, ordinal, currency), 0))
        zero = _number(0, currency)
        amounts = [_number(one, currency) for one in sums]
        rows.append([number, ordinal, None, None, None, currency, zero, zero, zero, *amounts])
    _sheet(book, "Register", REGISTER, rows)
    claims = [
        [
            *(_date(row.booked_day), row.kind, row.part if row.kind == "waiver" else ""),
            *("" if row.due_line_id is None else row.due_line.number, row.currency),
            *(_number(row.amount_minor, row.currency), _date(row.from_day), _date(row.until_day), row.reason),
        ]
        for row in account.rows
    ]
    _sheet(book, "Interest and costs", CLAIM_COLUMNS, claims)
    credits_ = [
        [one.kind, one.number, _date(one.booked_day), one.currency, _number(one.open_minor, one.currency)]
        for one in owed_back
    ]
    _sheet(book, "Credits", ("Kind", "Number", "Booked", "Currency", "Open"), credits_)
    totals = [
        [currency, name, _number(figures[name], currency)]
        for currency, figures in _figures(lines, owed_back, account).items()
        for name in TOTAL_ROWS
    ]
    _sheet(book, "Total", ("Currency", "What", "Amount"), totals)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _by_line(account: ClaimAccount) -> tuple[dict[tuple[str, int, str], int], dict[tuple[str, int, str], int]]:
    """Interest, and fixed sums and costs, by invoice, instalment and currency; without an invoice under no number."""
    interest: dict[tuple[str, int, str], int] = {}
    beside: dict[tuple[str, int, str], int] = {}
    for row in account.rows:
        if row.kind in CHARGES:
            line = row.due_line if row.due_line_id is not None else None
            key = ("", 1, row.currency) if line is None else (line.number, line.ordinal, row.currency)
            sums = interest if row.kind == "interest" else beside
            sums[key] = sums.get(key, 0) + row.amount_minor
    return interest, beside


@dataclass(frozen=True, slots=True)
class _Figure:
    """A number of a sheet as text: openpyxl would make a float of it."""

    text: str


def _number(amount_minor: int, currency: str) -> _Figure:
    return _Figure(_amount(amount_minor, currency))


def _date(day: int | None) -> Any:
    return None if day is None else date_of(day)


def _sheet(book: Workbook, title: str, heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    sheet = book.create_sheet(title)
    for column in range(len(tuple(heads))):
        sheet.column_dimensions["ABCDEFGHIJKLMN"[column]].width = 16
    sheet.append([_cell(sheet, head, bold=True) for head in heads])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: Any, value: Any, *, bold: bool = False) -> Any:
    """A cell that is never a formula, whatever a customer or an invoice is called."""
    if isinstance(value, _Figure):
        cell = WriteOnlyCell(sheet, value=value.text)
        cell.data_type = "n"
        cell.number_format = "#,##0.00" if "." in value.text else "#,##0"
        return cell
    cell = WriteOnlyCell(sheet, value=value)
    if isinstance(value, str):
        cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _statement(
    runtime: "Runtime",
    customer: Customer,
    lines: list[dict[str, Any]],
    owed_back: list[Any],
    account: ClaimAccount,
    day: int,
    notes: list[str],
) -> bytes | None:
    entity = customer.entity
    wording = shown_wording(runtime, entity)
    letter = statement(entity, customer, lines, owed_back, day=day, template=wording.template)
    if not letter.demanded:
        notes.append("no statement: nothing is overdue")
        return None
    law = "" if account.regime is None else account.regime.law
    letter = addressed(replace(letter, charges=charges_of(account), law=law), entity, (), customer.number)
    try:
        return print_statement(wording, letter, customer.language, customer.country or entity.country).pdf
    except Unprintable as error:
        notes.append(f"no statement: {error}")
        return None


def _documents(runtime: "Runtime", customer: Customer, lines: list[dict[str, Any]], notes: list[str]) -> list[Member]:
    """The documents of the open invoices, as far as they fit."""
    numbers = list(dict.fromkeys(line["number"] for line in lines if line["open_minor"] > 0))
    room, found, there = ZIP_BYTES_MAX, [], set()
    for kept in documents_of(customer, numbers):
        there.add(kept.number)
        if kept.size > room:
            notes.append(f"the document {kept.name} of {kept.number} does not fit")
            continue
        room -= kept.size
        name = f"documents/{_plain(kept.number)}-{kept.id}-{_plain(kept.name)}"
        found.append(Member(name, content_of(runtime, kept.sha256)))
    notes += [f"no document of {number} is kept" for number in numbers if number not in there]
    return found


def _letters(runtime: "Runtime", customer: Customer, day: int, notes: list[str]) -> list[Member]:
    """Every message that was sent to the customer until the day, the oldest first, in its very words."""
    sent = (
        Message.select(Message, Action)
        .join(Action)
        .where(Action.customer == customer, Action.state == "sent")
        .order_by(Message.id.desc())
        .limit(LETTERS_MAX)
    )
    found = []
    for message in reversed(list(sent)):
        when = datetime.fromtimestamp((message.sent_at or message.composed_at) / 1_000_000, UTC).date()
        stem = f"letters/{when.isoformat()}-{message.action_id}-{_plain(message.action.step_key or 'letter')}"
        if when > date_of(day):
            continue
        try:
            kept = runtime.vault.open(message.person, message.sealed)
        except Erased:
            notes.append(f"the letter of {when.isoformat()} was erased with its addressee")
            continue
        if "pdf" in kept:
            found.append(Member(f"{stem}.pdf", base64.b64decode(kept["pdf"])))
        else:
            text = f"{kept.get('subject', '')}\n\n{kept.get('text', '')}"
            found.append(Member(f"{stem}.txt", text.encode()))
    return found


def _index(
    row: HandOver, members: Iterable[Member], figures: Mapping[str, Mapping[str, int]], notes: list[str]
) -> bytes:
    customer = row.customer
    text = [
        f"Hand-over {row.id} of {date_of(row.handed_day).isoformat()} to {one_line(row.recipient)} ({row.target})",
        f"Creditor: {one_line(customer.entity.name)}",
        f"Customer: {one_line(customer.number)} {one_line(customer.name)}",
        f"Reason: {one_line(row.reason, 500)}",
        "",
        "What is owed",
    ]
    for currency, amounts in figures.items():
        text += [f"  {name:<12} {_amount(amounts[name], currency):>16} {currency}" for name in TOTAL_ROWS]
    text += ["", "Files (sha256, bytes, name)"]
    text += [f"  {hashlib.sha256(one.content).hexdigest()} {len(one.content):>10} {one.name}" for one in members]
    text += ["", *(f"Note: {one_line(note, 300)}" for note in notes)] if notes else []
    return "\n".join(text).encode() + b"\n"
