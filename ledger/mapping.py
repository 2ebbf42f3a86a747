"""Mappings: how a file of the accounts becomes ledger records. A mapping is data, never code.

A mapping says of each kind of record which column, constant or transformation gives each
field. ``parse`` checks a JSON document and never raises; the console writes such documents,
``samples/mappings/`` holds some.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from ledger import cells
from ledger.dates import ISO_DATE, DateFormat, format_of
from ledger.external import AMOUNTS
from ledger.problems import Problem

RECORDS_MAX = 8  # record kinds one row may give
FORMATS_MAX = 5  # date formats one field may have
ADDED_DAYS_MAX = 3_650
PAD_MAX = 40
GRADES_MAX = 200


class Value(StrEnum):
    """What a field holds once it is read."""

    CODE = "code"  # one line, NFC, trimmed: numbers and keys
    TEXT = "text"  # may hold line breaks
    MONEY = "money"  # minor units of the record's currency
    DAY = "day"  # days since 1970-01-01
    DAYS = "days"
    COUNT = "count"
    CURRENCY = "currency"
    COUNTRY = "country"
    LANGUAGE = "language"
    EMAIL = "email"
    RATE = "rate"  # units of base per unit of currency, times 10**12
    WHOLE = "whole number"
    PERCENT = "percentage"  # basis points
    YES_NO = "yes or no"  # 1 or 0


# How the text of a constant, and mostly that of a cell, is read.
CONVERTERS: Mapping[Value, Callable[[str], Any]] = {
    Value.CODE: cells.code,
    Value.TEXT: cells.text,
    Value.DAY: ISO_DATE.day,
    Value.DAYS: lambda cell: cells.count(cell, 0, ADDED_DAYS_MAX),
    Value.COUNT: lambda cell: cells.count(cell, 1),
    Value.CURRENCY: cells.currency,
    Value.COUNTRY: cells.country,
    Value.LANGUAGE: cells.language,
    Value.EMAIL: cells.email,
    Value.RATE: cells.rate,
    Value.WHOLE: cells.whole,
    Value.PERCENT: cells.percent,
    Value.YES_NO: cells.yes_or_no,
    Value.MONEY: str,  # read once the currency of the row is known
}


@dataclass(frozen=True, slots=True)
class Target:
    """A field of a record: what it holds and whether a record needs it."""

    value: Value
    required: bool = False


_REQUIRED_CODE = Target(Value.CODE, required=True)
_REQUIRED_DAY = Target(Value.DAY, required=True)
_REQUIRED_MONEY = Target(Value.MONEY, required=True)
_REQUIRED_CURRENCY = Target(Value.CURRENCY, required=True)
_CUSTOMER_ATTRIBUTES = {
    "country": Target(Value.COUNTRY),
    "language": Target(Value.LANGUAGE),
    "portfolio": Target(Value.CODE),
    "terms_days": Target(Value.DAYS),
    "opened_on": Target(Value.DAY),
    "group": Target(Value.CODE),
}
_ON_ITEMS = {"customer": _REQUIRED_CODE, "customer_name": Target(Value.TEXT), **_CUSTOMER_ATTRIBUTES}
_CREDIT = {
    **_ON_ITEMS,
    "number": Target(Value.CODE),
    "part": Target(Value.COUNT),
    "booked_on": _REQUIRED_DAY,
    "amount": _REQUIRED_MONEY,
    "currency": _REQUIRED_CURRENCY,
    "reference": Target(Value.CODE),
}

RECORDS: Mapping[str, Mapping[str, Target]] = {
    "customer": {"number": _REQUIRED_CODE, "name": Target(Value.TEXT), **_CUSTOMER_ATTRIBUTES},
    "contact": {
        "customer": _REQUIRED_CODE,
        "name": Target(Value.TEXT),
        "email": Target(Value.EMAIL),
        "phone": Target(Value.CODE),
        "mobile": Target(Value.CODE),
        "chat": Target(Value.CODE),
        "address": Target(Value.TEXT),
        "postcode": Target(Value.CODE),
        "city": Target(Value.CODE),
        "country": Target(Value.COUNTRY),
        "role": Target(Value.CODE),
        "language": Target(Value.LANGUAGE),
    },
    "invoice": {
        **_ON_ITEMS,
        "number": Target(Value.CODE),
        "ordinal": Target(Value.COUNT),
        "invoiced_on": _REQUIRED_DAY,
        "due_on": Target(Value.DAY),
        "amount": _REQUIRED_MONEY,
        "currency": _REQUIRED_CURRENCY,
        "text": Target(Value.TEXT),
    },
    "credit_note": _CREDIT,
    "payment": _CREDIT,
    "write_off": {**_CREDIT, "reference": _REQUIRED_CODE},
    "exchange_rate": {
        "base": Target(Value.CURRENCY),
        "currency": _REQUIRED_CURRENCY,
        "day": _REQUIRED_DAY,
        "rate": Target(Value.RATE, required=True),
        "source": Target(Value.CODE),
    },
    "credit_limit": {
        "customer": _REQUIRED_CODE,
        "amount": Target(Value.MONEY),
        "currency": _REQUIRED_CURRENCY,
        "from_on": _REQUIRED_DAY,
        "until_on": Target(Value.DAY),
        "reason": Target(Value.TEXT),
    },
    "rating": {
        "customer": _REQUIRED_CODE,
        "agency": _REQUIRED_CODE,
        "from_on": _REQUIRED_DAY,
        "received_on": Target(Value.DAY),
        "scale": Target(Value.CODE),
        "grade": Target(Value.CODE),
        "score": Target(Value.WHOLE),
        "default_probability": Target(Value.PERCENT),
        "recommended_limit": Target(Value.MONEY),
        "currency": Target(Value.CURRENCY),
    },
    "financial_statement": {
        "customer": _REQUIRED_CODE,
        "period_end_on": _REQUIRED_DAY,
        "months": Target(Value.COUNT),
        "filed_on": Target(Value.DAY),
        "audited": Target(Value.YES_NO),
        "consolidated": Target(Value.YES_NO),
        "source": Target(Value.CODE),
        "currency": _REQUIRED_CURRENCY,
        **{name: Target(Value.MONEY) for name in AMOUNTS},
        "employees": Target(Value.WHOLE),
    },
}
REACHING = ("email", "mobile", "chat")  # by each of which a contact can be reached
CREDIT_KINDS = ("payment", "credit_note", "write_off")
INHERITED = ("customer", "currency")  # a settling record takes these from the invoice of its row

TRANSFORMS: Mapping[str, frozenset[Value]] = {
    "strip_zeros": frozenset({Value.CODE}),
    "pad": frozenset({Value.CODE}),
    "slug": frozenset({Value.CODE}),
    "negate": frozenset({Value.MONEY}),
    "thousands": frozenset({Value.MONEY}),
    "add_days": frozenset({Value.DAY}),
}
ENCODINGS = ("utf-8", "utf-16", "cp1252", "iso-8859-1", "iso-8859-15", "cp1250")
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Transform:
    """A step between cell and value; ``number`` or ``column`` is its argument."""

    name: str
    number: int | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the value of a field comes from: a column or a constant, then transformations.

    ``grades`` is the table of a scale: what a grade of the column means, in basis points.
    """

    column: str | None = None
    constant: str | None = None
    transforms: tuple[Transform, ...] = ()
    date_formats: tuple[DateFormat, ...] = ()
    grades: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """How one row gives one record.

    Args:
        kind: a key of ``RECORDS``.
        fields: the source of each field.
        settles: whether the record settles the invoice of the same row.
        present_when: the row gives the record only where this column is neither blank nor zero.
        negative_as_credit_note: an invoice below zero is read as a credit note.
    """

    kind: str
    fields: Mapping[str, Source]
    settles: bool = False
    present_when: str | None = None
    negative_as_credit_note: bool = False


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A checked mapping. What is None is detected from the file as a whole."""

    key: str
    name: str
    records: tuple[RecordMapping, ...]
    delimiter: str | None = None
    encoding: str | None = None
    decimal_mark: Literal[".", ","] | None = None
    date_formats: tuple[DateFormat, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> list[str]:
        """Every column the mapping asks for, in order of first use."""
        names: dict[str, None] = {}
        for record in self.records:
            if record.present_when is not None:
                names[record.present_when] = None
            for source in record.fields.values():
                for name in (source.column, *(step.column for step in source.transforms)):
                    if name is not None:
                        names[name] = None
        return list(names)


def grade_key(grade: str) -> str:
    """A grade as it is looked up in the table of its scale."""
    return grade.strip().casefold()


def parse(document: object) -> tuple[ImportMapping | None, list[Problem]]:
    """Check a mapping document.

    Returns:
        The mapping, or None where there are problems, and the problems.
    """
    check = _Check()
    mapping = check.mapping(document)
    return (None if check.problems else mapping), check.problems


class _Check:
    """Collects every problem of a document instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, place: str, what: str, cure: str) -> None:
        self.problems.append(Problem(place=place, what=what, cure=cure))

    def known_keys(self, place: str, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
        for key in given:
            if key not in allowed:
                self.problem(place, f"has the unknown entry {key!r}", f"use only: {', '.join(allowed)}")

    def choice(self, place: str, given: object, allowed: Sequence[str]) -> str | None:
        if given is None:
            return None
        if not isinstance(given, str) or given not in allowed:
            self.problem(place, f"is {given!r}", f"use one of: {', '.join(repr(one) for one in allowed)}")
            return None
        return given

    def mapping(self, document: object) -> ImportMapping | None:
        if not isinstance(document, Mapping):
            self.problem("mapping", "is not a JSON object", "start from one of samples/mappings/")
            return None
        allowed = ("format", "kind", "key", "name", "because", "file", "decimal_mark", "date_formats")
        self.known_keys("mapping", document, (*allowed, "records", "ignored"))
        if document.get("format") != 1 or document.get("kind") != "mapping":
            self.problem("mapping", "is not of format 1 and kind mapping", 'give "format": 1 and "kind": "mapping"')
        for name in ("key", "name"):
            if not isinstance(document.get(name), str) or not document[name].strip():
                self.problem(name, "is missing", f'give "{name}" as a text')
        file = document.get("file", {})
        if not isinstance(file, Mapping):
            self.problem("file", "is not a JSON object", 'give for example {"delimiter": ";"} or leave it out')
            file = {}
        self.known_keys("file", file, ("delimiter", "encoding"))
        ignored = document.get("ignored", {})
        if not isinstance(ignored, Mapping) or not all(isinstance(why, str) for why in ignored.values()):
            self.problem("ignored", "does not say why for each column", 'give {"Column": "why it is left out"}')
            ignored = {}
        mark = self.choice("decimal_mark", document.get("decimal_mark"), (".", ","))
        return ImportMapping(
            key=str(document.get("key")),
            name=str(document.get("name")),
            records=self.records(document.get("records")),
            delimiter=self.choice("file, delimiter", file.get("delimiter"), DELIMITERS),
            encoding=self.choice("file, encoding", file.get("encoding"), ENCODINGS),
            decimal_mark="." if mark == "." else "," if mark == "," else None,
            date_formats=self.date_formats("date_formats", document.get("date_formats", [])),
            ignored={str(column): why for column, why in ignored.items()},
        )

    def records(self, given: object) -> tuple[RecordMapping, ...]:
        if not isinstance(given, list) or not 0 < len(given) <= RECORDS_MAX:
            self.problem("records", f"is not a list of 1 to {RECORDS_MAX} records", "say what a row of the file gives")
            return ()
        found = [self.record(f"record {at}", one) for at, one in enumerate(given, start=1)]
        records = tuple(record for record in found if record is not None)
        kinds = [record.kind for record in records if record.settles]
        if kinds and sum(record.kind == "invoice" for record in records) != 1:
            self.problem("records", "settle an invoice that the row does not give", "map exactly one invoice per row")
        if len(kinds) != len(set(kinds)):
            self.problem("records", "settle the invoice twice by the same kind", "map one record of each kind")
        return records

    def record(self, place: str, given: object) -> RecordMapping | None:
        if not isinstance(given, Mapping) or given.get("kind") not in tuple(RECORDS):
            self.problem(place, "has no known kind", f"use one of: {', '.join(RECORDS)}")
            return None
        kind = str(given["kind"])
        place = f"{place} ({kind})"
        self.known_keys(place, given, ("kind", "fields", "settles", "present_when", "negative_amounts"))
        fields = given.get("fields")
        if not isinstance(fields, Mapping):
            self.problem(place, "has no fields", 'give "fields": {"amount": {"column": "Amount"}, ...}')
            return None
        settles = self.choice(f"{place}, settles", given.get("settles"), ("invoice",)) is not None
        if settles and kind not in CREDIT_KINDS:
            self.problem(place, "cannot settle an invoice", f"use one of: {', '.join(CREDIT_KINDS)}")
        negative = self.choice(f"{place}, negative_amounts", given.get("negative_amounts"), ("credit_note",))
        if negative and kind != "invoice":
            self.problem(place, "cannot turn negative amounts into credit notes", "do so on an invoice")
        present_when = given.get("present_when")
        if present_when is not None and not isinstance(present_when, str):
            self.problem(place, "present_when is not the name of a column", "give the column's heading")
            present_when = None
        self.required(place, kind, fields, settles)
        sources: dict[str, Source] = {}
        for name, source in fields.items():
            target = RECORDS[kind].get(name)
            if target is None:
                self.problem(f"{place}, {name}", "is not a field", f"use only: {', '.join(RECORDS[kind])}")
            else:
                sources[name] = self.source(f"{place}, {name}", source, target)
        return RecordMapping(kind, sources, settles, present_when, negative is not None)

    def required(self, place: str, kind: str, fields: Mapping[str, object], settles: bool) -> None:
        reaching = {*REACHING, *({"address"} if "city" in fields else ())}
        if kind == "contact" and not reaching & fields.keys():
            self.problem(place, "reaches nobody", f"map one of {', '.join(REACHING)}, or address and city")
        for name, target in RECORDS[kind].items():
            given = name in fields or (settles and (name in INHERITED or name == "reference"))
            if target.required and not given:
                self.problem(f"{place}, {name}", "is missing", "map it to a column or a constant")
            if settles and name in fields and name in (*INHERITED, "reference", "part"):
                self.problem(f"{place}, {name}", "comes from the invoice of the row", "leave it out")

    def source(self, place: str, given: object, target: Target) -> Source:
        if not isinstance(given, Mapping):
            self.problem(place, "is not a JSON object", 'give {"column": "..."} or {"constant": "..."}')
            return Source()
        self.known_keys(place, given, ("column", "constant", "transform", "date_formats", "grades"))
        column, constant = given.get("column"), given.get("constant")
        if (column is None) == (constant is None) or not isinstance(column or constant, str):
            self.problem(place, "needs either a column or a constant", "give the one or the other, as text")
            return Source()
        if constant is not None:
            found = CONVERTERS[target.value](constant)
            if found is None or found == "" or isinstance(found, cells.Fault):
                cure = found.cure if isinstance(found, cells.Fault) else "write a date as in 2012-01-31, never a blank"
                self.problem(place, f"has the constant {constant!r}, which is no {target.value}", cure)
        steps = given.get("transform", [])
        if not isinstance(steps, list):
            self.problem(place, "transform is not a list", 'give for example ["strip_zeros"]')
            steps = []
        transforms = [self.transform(place, step, target) for step in steps]
        formats = self.date_formats(f"{place}, date_formats", given.get("date_formats", []))
        if formats and target.value is not Value.DAY:
            self.problem(place, "has date formats but is no date", "leave date_formats out")
        grades = self.grades(place, given["grades"], target) if "grades" in given else {}
        return Source(column, constant, tuple(step for step in transforms if step is not None), formats, grades)

    def grades(self, place: str, given: object, target: Target) -> dict[str, int]:
        """The table of a scale: grade as printed -> percentage; capitals aside."""
        found: dict[str, int] = {}
        if target.value is not Value.PERCENT or not isinstance(given, Mapping) or not 0 < len(given) <= GRADES_MAX:
            cure = f'give a percentage up to {GRADES_MAX} grades as in {{"A": "0.05", "B": "0.2"}}'
            self.problem(place, "grades are no table of a percentage", cure)
            return found
        for grade, text in given.items():
            share = cells.percent(text) if isinstance(text, str) else cells.Fault(f"{text!r} is no text", 'give "0.05"')
            key = grade_key(str(grade))
            if isinstance(share, cells.Fault):
                self.problem(f"{place}, grade {grade}", share.what, share.cure)
            elif found.setdefault(key, share) != share or not key:
                self.problem(f"{place}, grade {grade!r}", "is blank or stands twice", "write each grade once")
        return found

    def transform(self, place: str, given: object, target: Target) -> Transform | None:
        name, argument = given, None
        if isinstance(given, Mapping) and len(given) == 1:
            name, argument = next(iter(given.items()))
        if not isinstance(name, str) or name not in TRANSFORMS:
            self.problem(place, f"has the unknown transformation {given!r}", f"use one of: {', '.join(TRANSFORMS)}")
            return None
        if target.value not in TRANSFORMS[name]:
            self.problem(place, f"is a {target.value} and cannot be transformed by {name}", "leave it out")
            return None
        if name == "add_days" and isinstance(argument, Mapping) and isinstance(argument.get("column"), str):
            return Transform(name, column=argument["column"])
        if name in {"add_days", "pad"}:
            low, high = (-ADDED_DAYS_MAX, ADDED_DAYS_MAX) if name == "add_days" else (1, PAD_MAX)
            if not isinstance(argument, int) or isinstance(argument, bool) or not low <= argument <= high:
                self.problem(place, f"{name} has no number from {low} to {high}", f'give {{"{name}": {high}}}')
                return None
            return Transform(name, number=argument)
        if argument is not None:
            self.problem(place, f"{name} takes no argument", f'give "{name}"')
        return Transform(name)

    def date_formats(self, place: str, given: object) -> tuple[DateFormat, ...]:
        if not isinstance(given, list) or len(given) > FORMATS_MAX:
            self.problem(place, f"is not a list of at most {FORMATS_MAX} formats", 'give for example ["d/m/yyyy"]')
            return ()
        formats = []
        for text in given:
            one = format_of(text) if isinstance(text, str) else None
            if one is None:
                self.problem(
                    place,
                    f"{text!r} is no date format",
                    "write d, dd, m, mm, mmm, yy, yyyy: d/m/yyyy, yyyy-mm-dd hh:mm",
                )
            else:
                formats.append(one)
        return tuple(formats)
