"""Malformed files: each is refused with line, column, reason and cure, and nothing is posted.

The corpus is made by mutating good files. DUNWELL_MALFORMED says how many (100; 1,000 at night).
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.commands import Invalid
from engine.tables import Entity

MANY = int(os.environ.get("DUNWELL_MALFORMED", "100"))


@dataclass(frozen=True)
class Good:
    """A good file: its columns and rows, how it is written and which cells hold what."""

    name: str
    kind: str
    fields: dict[str, Any]
    header: list[str]
    date: str
    mark: str
    delimiter: str

    def mapping(self) -> dict[str, Any]:
        return {
            "format": 1,
            "kind": "mapping",
            "key": self.name,
            "name": self.name,
            "file": {"delimiter": self.delimiter, "encoding": "utf-8"},
            "decimal_mark": self.mark,
            "date_formats": [self.date],
            "records": [{"kind": self.kind, "fields": self.fields}],
        }

    def rows(self, seed: int) -> list[list[str]]:
        chance = random.Random(seed)
        found = []
        for at in range(1, 13):
            day = {"d.m.yyyy": f"{at:02}.03.2025", "yyyy-mm-dd": f"2025-03-{at:02}"}[self.date]
            amount = f"{chance.randrange(1, 999)}{self.mark}{chance.randrange(10)}{chance.randrange(10)}"
            cells = {"Customer": f"C{at % 4}", "Name": f"Mühle {at % 4} & Söhne", "No": f"{at:06}", "Day": day}
            cells |= {"Amount": amount.replace(f"0{self.mark}00", f"1{self.mark}00"), "Currency": "EUR"}
            found.append([cells[name] for name in self.header])
        return found

    def text(self, rows: list[list[str]]) -> str:
        return "\n".join(self.delimiter.join(row) for row in [self.header, *rows]) + "\n"


def column(name: str) -> dict[str, str]:
    return {"column": name}


COMMON = {"customer": column("Customer"), "customer_name": column("Name"), "number": column("No")}
MONEY = {"amount": column("Amount"), "currency": column("Currency")}
GOOD = [
    Good(
        f"{kind}-{at}",
        kind,
        {**COMMON, day: column("Day"), **MONEY},
        header,
        date,
        mark,
        delimiter,
    )
    for at, (kind, day, date, mark, delimiter, header) in enumerate(
        [
            (kind, day, date, mark, delimiter, header)
            for kind, day in (("invoice", "invoiced_on"), ("payment", "booked_on"))
            for date, mark, delimiter in (("d.m.yyyy", ",", ";"), ("yyyy-mm-dd", ".", ","), ("d.m.yyyy", ".", "\t"))
            for header in (
                ["Customer", "Name", "No", "Day", "Amount", "Currency"],
                ["No", "Amount", "Day", "Currency", "Customer", "Name"],
                ["Day", "Currency", "Amount", "Name", "No", "Customer"],
            )
        ]
    )
]

Mutation = Callable[[Good, list[list[str]], random.Random], tuple[bytes, str | None]]


def cell(name: str, *values: str) -> Mutation:
    """Puts a bad value into a cell of a column; the problem must name that column."""

    def mutate(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
        rows[chance.randrange(len(rows))][good.header.index(name)] = chance.choice(values)
        return good.text(rows).encode(), name

    return mutate


def whole(make: Callable[[bytes], bytes]) -> Mutation:
    """Changes the file as a whole."""
    return lambda good, rows, chance: (make(good.text(rows).encode()), None)


def ragged(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    row = chance.choice(rows)
    if chance.random() < 0.5:
        row.append("surplus")
    else:
        row.pop()
    return good.text(rows).encode(), None


def broken_quote(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    row, at = chance.choice(rows), good.header.index("Name")
    row[at] = chance.choice(['"open', '"closed"too early', '"a" b'])
    return good.text(rows).encode(), None


def broken_byte(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    row = chance.choice(rows)
    row[good.header.index("Name")] = "\ue000"
    return good.text(rows).encode().replace(
        "\ue000".encode(), chance.choice([b"\xff", b"\xc3(", b"\xed\xa0\x80"])
    ), None


def twice(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    rows.insert(chance.randrange(len(rows)), list(chance.choice(rows)))
    return good.text(rows).encode(), None


def other_mark(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    amount = {",": "1,234.56", ".": "1.234,56"}[good.mark]
    amount = f'"{amount}"' if good.delimiter in amount else amount
    rows[chance.randrange(len(rows))][good.header.index("Amount")] = amount
    return good.text(rows).encode(), "Amount"


def too_many_decimals(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    amount = f"1{good.mark}23456"
    amount = f'"{amount}"' if good.delimiter in amount else amount
    rows[chance.randrange(len(rows))][good.header.index("Amount")] = amount
    return good.text(rows).encode(), "Amount"


def other_heading(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    name = chance.choice(good.header)
    return good.text(rows).replace(name, chance.choice(["", "Other", name + "2"]), 1).encode(), name


def doubled_heading(good: Good, rows: list[list[str]], chance: random.Random) -> tuple[bytes, str | None]:
    name = chance.choice(good.header)
    text = good.text(rows).splitlines()
    doubled = [f"{line}{good.delimiter}{name if at == 0 else ''}" for at, line in enumerate(text)]
    return "\n".join(doubled).encode(), name


MUTATIONS: dict[str, Mutation] = {
    "a day that does not exist": cell("Day", "31.02.2025", "2025-02-31", "00.01.2025", "2025-13-01"),
    "another style of date": cell("Day", "03/31/2025", "45678", "March 3", "2025-03", "1.3.25", "20250301"),
    "a year out of range": cell("Day", "01.01.1969", "1900-01-01", "9999-12-31", "31.12.9999"),
    "no date": cell("Day", "", " ", "soon"),
    "no amount": cell("Amount", "NaN", "inf", "-inf", "twelve", "12 EUR", "€12", "0x10", "1 2", "٣", "--1", "1-1", ""),
    "a spreadsheet's amount": cell("Amount", "1e9", "1E+09", "1.5e3", "####", "#REF!"),
    "too large an amount": cell("Amount", "1" + "0" * 40, "9" * 300, "99999999999999999"),
    "too many decimals": too_many_decimals,
    "an amount below zero": cell("Amount", "-5", "(5)", "5-"),
    "the other decimal mark": other_mark,
    "no currency": cell("Currency", "", "EURO", "E1R", "€"),
    "no customer": cell("Customer", "", "  ", "\u200b"),
    "a formula": cell("Name", '=HYPERLINK(""x"")', "=1+1", "=cmd|' /C calc'!A0", "＝1+1"),
    "a formula as number": cell("No", "=1+1"),
    "a control character": cell("Name", "a\x07b", "\x1b[31m", "a\x00b", "\x7f"),
    "a line break in a number": cell("No", '"1\n2"', '"1\r2"', '"1\t2"', "1\u20282"),
    "a cell too long": cell("Name", "x" * 4_001),
    "a ragged row": ragged,
    "a broken quote": broken_quote,
    "a broken byte": broken_byte,
    "a row twice": twice,
    "another heading": other_heading,
    "a heading twice": doubled_heading,
    "an empty file": whole(lambda content: b""),
    "a blank file": whole(lambda content: b"\xef\xbb\xbf \r\n\r\n"),
    "a heading only": whole(lambda content: content.split(b"\n")[0]),
    "a workbook called CSV": whole(lambda content: b"PK\x03\x04" + content),
    "a PDF called CSV": whole(lambda content: b"%PDF-1.7\n" + content),
    "UTF-16 without its mark": whole(lambda content: content.decode().encode("utf-16-le")),
    "half a UTF-16 file": whole(lambda content: b"\xff\xfe" + content.decode().encode("utf-16-le")[:-1]),
    "another delimiter": whole(lambda content: content.translate(bytes.maketrans(b",;\t", b"|||"))),
}


def corpus(count: int) -> list[tuple[int, str, Good]]:
    """Every mutation in turn, on every good file in turn."""
    names = list(MUTATIONS)
    return [(seed, names[seed % len(names)], GOOD[seed * 7 % len(GOOD)]) for seed in range(count)]


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_the_good_files_are_good(good: Good, entity: Entity, take_text: Callable[..., dict]) -> None:
    """Before they are mutated the files import without a problem."""
    answer = take_text(good.mapping(), good.text(good.rows(1)), entity)
    assert (answer["rows"], answer["problems"]) == (12, [])
    assert answer["entries"]["due lines" if good.kind == "invoice" else "credits"] == 12


@pytest.mark.promise("C1")
def test_malformed_files_are_refused_whole(
    entity: Entity, take_text: Callable[..., dict], dump: Callable[[], list[str]], subtests: pytest.Subtests
) -> None:
    """Line, column, reason and cure for each; the database is byte for byte what it was."""
    before = dump()
    for seed, name, good in corpus(MANY):
        with subtests.test(msg=f"{seed}: {name} in {good.name}"):
            content, wanted = MUTATIONS[name](good, good.rows(seed), random.Random(seed))
            with pytest.raises(Invalid) as refused:
                take_text(good.mapping(), content, entity)
            errors = [problem for problem in refused.value.problems if problem.severity == "error"]
            assert errors
            for problem in errors:
                assert problem.line is not None
                assert problem.line >= 1
                assert problem.column
                assert problem.what
                assert problem.cure
                assert problem.place.startswith("line ")
            assert wanted is None or any(problem.column == wanted for problem in errors)
            assert dump() == before


def test_every_mutation_takes_part() -> None:
    """A hundred files are enough for each mutation to come at least three times."""
    names = [name for _, name, _ in corpus(100)]
    assert min(names.count(name) for name in MUTATIONS) >= 3
