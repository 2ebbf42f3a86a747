"""Row by row: how the cells of a row become a record, once the file as a whole is understood."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ledger import cells
from ledger.cells import Fault, shown
from ledger.dates import DateFormat, in_words
from ledger.dialect import WHOLE, Grid, problem
from ledger.mapping import CONVERTERS, REACHING, RECORDS, ImportMapping, RecordMapping, Source, Target, Value, grade_key
from ledger.records import Record

Row = list[str]
Getter = Callable[[Row], Any]  # a value, None for a blank cell, or a Fault


class Sheet:
    """A file while it is read: where its columns are and how its dates and amounts are written."""

    def __init__(self, mapping: ImportMapping, table: Grid) -> None:
        self.mapping = mapping
        self.grid = table
        self.problems = list(table.problems)
        self.at: dict[str, int] = {}
        self.formats: dict[str, tuple[DateFormat, ...]] = {}  # by column
        self.decimal_mark: Literal[".", ","] = mapping.decimal_mark or "."
        self.slugs: dict[str, str] = {}
        self.warnings: dict[tuple[str, str, str], tuple[int, int]] = {}  # column, what, cure -> first line, rows

    def warn(self, line: int, column: str, what: str, cure: str) -> None:
        """Note a warning; the same one is shown once, with how many rows it is about."""
        first, rows = self.warnings.get((column, what, cure), (line, 0))
        self.warnings[column, what, cure] = (first, rows + 1)

    def detected(self) -> dict[str, str]:
        """Decimal mark and date formats as used."""
        dates = {f"date format of {name}": " or ".join(f.text for f in found) for name, found in self.formats.items()}
        return {"decimal mark": self.decimal_mark, **dates}

    def getter(self, kind: str, name: str, source: Source) -> Getter:
        """How the value of a field comes out of a row."""
        target = RECORDS[kind][name]
        if source.column is None:
            constant = CONVERTERS[target.value](source.constant or "")
            return lambda row: constant
        at, convert = self.at[source.column], self._converter(target, source)
        cache: dict[str, Any] = {}

        def get(row: Row) -> Any:
            cell = row[at]
            if cell in cache:
                return cache[cell]
            plain = cells.visible(cell).strip()
            value = cache[cell] = convert(plain) if plain else None
            return value

        steps = [step for step in source.transforms if step.name == "add_days"]
        return self._adding_days(get, steps) if steps else get

    def _converter(self, target: Target, source: Source) -> Callable[[str], Any]:
        if target.value is Value.CODE:
            return self._code_converter(source)
        if source.grades:
            return lambda cell: _of_grade(cell, source.grades)
        if target.value is Value.DAY:
            return lambda cell: _day(cell, self.formats[source.column or ""])
        return CONVERTERS[target.value]

    def _code_converter(self, source: Source) -> Callable[[str], str | Fault]:
        def convert(cell: str) -> str | Fault:
            found = cells.code(cell)
            for step in source.transforms:
                if isinstance(found, Fault):
                    break
                if step.name == "strip_zeros":
                    found = cells.strip_zeros(found)
                elif step.name == "pad":
                    found = found.rjust(step.number or 0, "0")
                elif step.name == "slug":
                    found = self._slug(found)
            return found

        return convert

    def _slug(self, name: str) -> str | Fault:
        key = cells.slug(name)
        if isinstance(key, Fault):
            return key
        first = self.slugs.setdefault(key, name)
        if first == name or first.casefold().split() == name.casefold().split():
            return key
        return Fault(f"{shown(name)} and {shown(first)} would both become the key {key!r}", "map a column with numbers")

    def _adding_days(self, get: Getter, steps: Sequence[Any]) -> Getter:
        def added(row: Row) -> Any:
            day = get(row)
            for step in steps:
                if day is None or isinstance(day, Fault):
                    return day
                if step.column is None:
                    day += step.number
                    continue
                cell = row[self.at[step.column]].strip()
                days = cells.count(cell) if cell else Fault(f"the column {step.column} is empty", "give the days")
                if isinstance(days, Fault):
                    return days
                day += days
            return day

        return added


class Maker:
    """Makes the records of one kind out of rows."""

    def __init__(self, sheet: Sheet, record: RecordMapping) -> None:
        self.sheet = sheet
        self.kind = record.kind
        self.mapping = record
        targets = RECORDS[record.kind]
        getters = [(name, sheet.getter(record.kind, name, source)) for name, source in record.fields.items()]
        self.plain = [(name, get) for name, get in getters if targets[name].value is not Value.MONEY]
        self.amounts = [(name, get) for name, get in getters if targets[name].value is Value.MONEY]
        self.required = [name for name in record.fields if targets[name].required]
        self.factors = {name: _factor(record.fields[name]) for name, _ in self.amounts}
        self.watched = [
            (name, sheet.at[source.column]) for name, source in record.fields.items() if source.column is not None
        ]
        self.seen: dict[tuple[str, str], int | Fault] = {}

    def present(self, row: Row) -> bool:
        """Whether a row gives this record at all."""
        column = self.mapping.present_when
        return column is None or row[self.sheet.at[column]].strip().strip("0.,-") != ""

    def record(self, line: int, row: Row, invoice: Record | None = None) -> Record | None:
        """The record of a row, or None with its problems noted."""
        if not self.present(row):
            return None
        values: dict[str, Any] = {} if invoice is None else _inherited(invoice)
        before = len(self.sheet.problems)
        for name, get in self.plain:
            value = get(row)
            if isinstance(value, Fault):
                self._problem(line, name, value)
            elif value is not None:
                values[name] = value
        currency = values.get("currency")
        for name, get in self.amounts:
            cell = get(row)
            if cell is not None and currency is None and "currency" not in self.required:
                self._problem(line, name, Fault("the amount has no currency", "give one, or map a constant"))
            if cell is None or currency is None:
                continue
            amount = self._amount(cell, currency)
            if isinstance(amount, Fault):
                self._problem(line, name, amount)
            else:
                values[name] = amount * self.factors[name]
        if len(self.sheet.problems) == before:
            for name in self.required:
                if values.get(name) in {None, ""}:
                    self._problem(line, name, Fault("the cell is empty", "fill it, or map another column"))
            if self.kind == "contact" and not _is_reachable(values):
                cure = "give an e-mail address, a mobile number, a chat name, or a postal address with its town"
                first = "email" if "email" in self.mapping.fields else "address"
                self._problem(line, first, Fault("the contact has no address", cure))
        if not self.sheet.grid.plain:
            self._watch(line, row)
        if len(self.sheet.problems) > before:
            return None
        return self._checked(line, values)

    def _amount(self, cell: str, currency: str) -> int | Fault:
        key = (cell, currency)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = cells.money(cell, currency, self.sheet.decimal_mark)
        return found

    def _checked(self, line: int, values: dict[str, Any]) -> Record | None:
        """The record once signs and order of days are right."""
        amount = values.get("amount")
        kind = self.kind
        if kind == "invoice" and isinstance(amount, int) and amount < 0 and self.mapping.negative_as_credit_note:
            kind, values = "credit_note", _as_credit_note(values)
        elif amount is not None and (amount < 0 or (amount == 0 and kind != "credit_limit")):
            if amount == 0:
                what = "the amount is 0; the row was left out"
                self.sheet.warn(line, self._column("amount"), what, "nothing to do, if that is right")
                return None
            cure = 'give "transform": ["negate"], or "negative_amounts": "credit_note" for invoices'
            self._problem(line, "amount", Fault("the amount is below zero", cure))
            return None
        first, last = values.get("from_on"), values.get("until_on")
        if first is not None and last is not None and last <= first:
            self._problem(line, "until_on", Fault("the end is not after the start", "correct one of the dates"))
            return None
        if kind == "invoice" and values.get("due_on") is not None and values["due_on"] < values["invoiced_on"]:
            what = "the due date is before the invoice date"
            self.sheet.warn(line, self._column("due_on"), what, "look whether the dates are swapped")
        return Record(kind, line, values)

    def _watch(self, line: int, row: Row) -> None:
        """Count cells with marks that cannot be seen; they are removed, with a warning."""
        for name, at in self.watched:
            cell = row[at]
            if not cell.isascii() and cells.INVISIBLE.search(cell):
                what = "direction marks or other marks that cannot be seen were removed"
                self.sheet.warn(line, self._column(name), what, "export without them")

    def _column(self, name: str) -> str:
        return self.mapping.fields[name].column or WHOLE

    def _problem(self, line: int, name: str, fault: Fault) -> None:
        self.sheet.problems.append(problem(line, self._column(name), fault.what, fault.cure))


def _factor(source: Source) -> int:
    """What the amounts of a column are multiplied by."""
    names = {step.name for step in source.transforms}
    return (-1 if "negate" in names else 1) * (1_000 if "thousands" in names else 1)


def settled(invoice: Record, row: Row, settling: Sequence[Maker]) -> Record:
    """The invoice with the credits of its row."""
    made = [maker.record(invoice.line, row, invoice) for maker in settling]
    settlements = tuple(record for record in made if record is not None)
    return Record(invoice.kind, invoice.line, invoice.values, settlements) if settlements else invoice


def _is_reachable(contact: Mapping[str, Any]) -> bool:
    """Whether a contact can be reached by any channel."""
    return any(contact.get(name) for name in REACHING) or bool(contact.get("address") and contact.get("city"))


def _inherited(invoice: Record) -> dict[str, Any]:
    values = invoice.values
    found = {"customer": values["customer"], "currency": values["currency"]}
    return found | {"reference": values["number"]} if values.get("number") else found


def _as_credit_note(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name in RECORDS["credit_note"]}
    return {**kept, "amount": -values["amount"], "booked_on": values["invoiced_on"]}


def _of_grade(cell: str, grades: Mapping[str, int]) -> int | Fault:
    found = grades.get(grade_key(cell))
    if found is None:
        what = f"{shown(cell)} is no grade of the scale; it has: {', '.join(sorted(grades))}"[:400]
        return Fault(what, 'correct the grade, or add it to "grades" in the mapping')
    return found


def _day(cell: str, formats: Sequence[DateFormat]) -> int | Fault:
    days = {one.day(cell): one.text for one in formats}
    days.pop(None, None)
    if len(days) == 1:
        return next(day for day in days if day is not None)
    if not days:
        names = " or ".join(one.text for one in formats)
        what = f"{shown(cell)} is not a date written as {names}, does not exist, or is not from 1970 to 2079"
        return Fault(what, "correct the date, or name its format in the mapping")
    words = " or ".join(f"{in_words(day)} ({text})" for day, text in days.items() if day is not None)
    return Fault(f"{shown(cell)} may be {words}", "write such dates without doubt, or give one format")
