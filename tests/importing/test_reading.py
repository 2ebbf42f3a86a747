"""Reading a file never raises; what is not declared is told from the file as a whole."""

import csv
import io
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import cells
from ledger.dialect import Limits
from ledger.exporting import csv_of
from ledger.mapping import ImportMapping, parse
from ledger.reading import Reading, read

FIELDS = {
    "customer": {"column": "Customer"},
    "customer_name": {"column": "Name"},
    "number": {"column": "No"},
    "invoiced_on": {"column": "Date"},
    "amount": {"column": "Amount"},
    "currency": {"constant": "EUR"},
}


def mapping(**changes: Any) -> ImportMapping:
    """A mapping that leaves everything to be detected, with changes."""
    fields = changes.pop("fields", FIELDS)
    kind = changes.pop("kind", "invoice")
    extra = changes.pop("record", {})
    found, problems = parse(
        {
            "format": 1,
            "kind": "mapping",
            "key": "test",
            "name": "Test",
            "records": [{"kind": kind, "fields": fields, **extra}],
            **changes,
        }
    )
    assert found is not None, problems
    return found


DETECTING = mapping()
DECLARED = mapping(file={"delimiter": ",", "encoding": "utf-8"}, decimal_mark=".", date_formats=["yyyy-mm-dd"])
HEADER = "Customer,Name,No,Date,Amount\n"


def errors(reading: Reading) -> list[tuple[int | None, str | None, str]]:
    return [(one.line, one.column, one.what) for one in reading.problems if one.severity == "error"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_dialects_are_detected(delimiter: str, encoding: str, end: str) -> None:
    """Delimiter, encoding and line ends need no declaration."""
    lines = ["Customer|Name|No|Date|Amount", "1|Jürgen|A|25.01.2025|1.50", "2|Zoë|B|03.01.2025|2.50"]
    text = end.join(lines).replace("|", delimiter)
    reading = read(text.encode(encoding), DETECTING)
    assert errors(reading) == []
    assert [record.values["customer_name"] for record in reading.records] == ["Jürgen", "Zoë"]
    assert reading.detected["delimiter"] == delimiter
    assert reading.detected["date format of Date"] == "d.m.yyyy"


def test_windows_1252_is_read_with_a_warning() -> None:
    """A file that is not UTF-8 is read as Windows wrote it, and says so."""
    reading = read(f"{HEADER}1,Jürgen,A,2025-01-25,1.50\n".encode("cp1252"), DETECTING)
    assert reading.records[0].values["customer_name"] == "Jürgen"
    assert [problem.severity for problem in reading.problems] == ["warning"]


def test_headings_are_found_whatever_their_capitals() -> None:
    """``CUSTOMER`` is the column ``Customer``, unless both are there."""
    assert errors(read(HEADER.upper().encode() + b"1,A,1,2025-01-25,1\n", DETECTING)) == []
    both = b"customer,Customer,Name,No,Date,Amount\nx,1,A,1,2025-01-25,1\n"
    assert read(both, DETECTING).records[0].values["customer"] == "1"


def test_a_date_in_doubt_names_both_readings() -> None:
    """No guess: the two days are shown in words."""
    ((line, column, what),) = errors(read(f"{HEADER}1,A,1,03/01/2025,1\n".encode(), DETECTING))
    assert (line, column) == (2, "Date")
    assert "3 January 2025 (d/m/yyyy) or 1 March 2025 (m/d/yyyy)" in what


def test_two_formats_in_one_column() -> None:
    """A column may mix formats when the mapping names them; a cell both can read stays refused."""
    both = mapping(date_formats=["d-mmm-yy", "d-m-yyyy hh:mm"])
    reading = read(f"{HEADER}1,A,1,26-Apr-11,1\n1,A,2,26-04-2011 11:50,1\n".encode(), both)
    assert errors(reading) == []
    assert len({record.values["invoiced_on"] for record in reading.records}) == 1
    doubtful = mapping(date_formats=["d/m/yyyy", "m/d/yyyy"])
    ((_, _, what),) = errors(read(f"{HEADER}1,A,1,03/01/2025,1\n".encode(), doubtful))
    assert "may be" in what


def test_two_formats_in_one_file() -> None:
    """Columns differ in their format; each is detected."""
    fields = {**FIELDS, "due_on": {"column": "Due"}}
    text = "Customer,Name,No,Date,Amount,Due\n1,A,1,26-Apr-11,1,26-05-2011 00:00\n"
    reading = read(text.encode(), mapping(fields=fields))
    assert errors(reading) == []
    assert reading.records[0].values["due_on"] - reading.records[0].values["invoiced_on"] == 30


def test_an_amount_in_doubt_is_refused() -> None:
    """1.234 may be a thousand or one; with another amount that decides it is read."""
    ((line, column, what),) = errors(read(f"{HEADER}1,A,1,2025-01-25,1.234\n".encode(), DETECTING))
    assert (line, column) == (2, "Amount")
    assert "1234 or a thousandth" in what
    settled = read(f'{HEADER}1,A,1,2025-01-25,1.234\n1,A,2,2025-01-25,"7,50"\n'.encode(), DETECTING)
    assert [record.values["amount"] for record in settled.records] == [123400, 750]


def test_marks_that_cannot_be_seen_are_removed_with_a_warning() -> None:
    """A number with a direction mark equals the number without it."""
    text = f"{HEADER}1,\u202eA\u202c,\u200f00\u200e7,2025-01-25,\u206812.50\u2069\n"
    reading = read(text.encode(), DECLARED)
    assert reading.records[0].values["number"] == "007"
    assert reading.records[0].values["amount"] == 1250
    assert {(problem.severity, problem.column) for problem in reading.problems} == {
        ("warning", "Name"),
        ("warning", "No"),
        ("warning", "Amount"),
    }


def test_transformations() -> None:
    """Strip zeros, pad, negate, add days: from a number or from a column."""
    fields = {
        **FIELDS,
        "customer": {"column": "Name", "transform": ["slug"]},
        "number": {"column": "No", "transform": ["strip_zeros", {"pad": 4}]},
        "amount": {"column": "Amount", "transform": ["negate"]},
        "due_on": {"column": "Date", "transform": [{"add_days": 14}, {"add_days": {"column": "Customer"}}]},
    }
    reading = read(f"{HEADER}-3,Dr. Ångström,00012,2025-01-25,-5.00\n".encode(), mapping(fields=fields))
    values = reading.records[0].values
    assert (values["customer"], values["number"], values["amount"]) == ("dr-ångström", "0012", 500)
    assert values["due_on"] - values["invoiced_on"] == 11


def test_two_names_never_become_one_customer() -> None:
    """A slug that two different names share stops the file; capitals and blanks aside."""
    fields = {**FIELDS, "customer": {"column": "Name", "transform": ["slug"]}}
    text = f"{HEADER}1,A & B,1,2025-01-25,1\n1,a  &  b,2,2025-01-25,1\n1,A-B,3,2025-01-25,1\n"
    ((line, column, what),) = errors(read(text.encode(), mapping(fields=fields)))
    assert (line, column) == (4, "Name")
    assert "would both become" in what


def test_negative_invoices_may_be_credit_notes() -> None:
    """Where the mapping says so an amount below zero is a credit note of that day."""
    reading = read(f"{HEADER}1,A,1,2025-01-25,-5.00\n".encode(), mapping(record={"negative_amounts": "credit_note"}))
    assert [(record.kind, record.values["amount"]) for record in reading.records] == [("credit_note", 500)]


def test_rows_of_nothing_are_left_out_with_a_warning() -> None:
    """An amount of 0 is no entry; the warning counts the rows."""
    reading = read(f"{HEADER}1,A,1,2025-01-25,0.00\n1,A,2,2025-01-25,0\n".encode(), DECLARED)
    assert reading.records == []
    assert [(problem.severity, problem.line) for problem in reading.problems] == [("warning", 2)]
    assert "2 rows" in reading.problems[0].what


def test_equal_rows_without_a_number_are_kept_with_a_warning() -> None:
    """They may be two deliveries on one day."""
    fields = {name: source for name, source in FIELDS.items() if name != "number"}
    reading = read(f"{HEADER}1,A,,2025-01-25,1.00\n1,A,,2025-01-25,1.00\n".encode(), mapping(fields=fields))
    assert len(reading.records) == 2
    assert [problem.severity for problem in reading.problems] == ["warning"]


def test_instalments_share_a_number() -> None:
    """With `ordinal` mapped a number may stand as often as it has instalments."""
    fields = {**FIELDS, "ordinal": {"column": "Part"}}
    text = "Customer,Name,No,Date,Amount,Part\n1,A,1,2025-01-25,1,1\n1,A,1,2025-01-25,1,2\n"
    assert errors(read(text.encode(), mapping(fields=fields))) == []
    assert "already" in errors(read(text.replace(",2\n", ",1\n").encode(), mapping(fields=fields)))[0][2]


@pytest.mark.promise("I2")
@pytest.mark.parametrize(
    ("limits", "content"),
    [
        (Limits(file_bytes=len(HEADER) + 20), HEADER + "1,A,1,2025-01-25,123"),
        (Limits(rows=2), HEADER + "1,A,1,2025-01-25,1\n1,A,2,2025-01-25,1"),
        (Limits(columns=5), HEADER + "1,A,1,2025-01-25,1"),
        (Limits(cell_characters=10), HEADER + "1,1234567890,1,2025-01-25,1"),
    ],
    ids=["file_bytes", "rows", "columns", "cell_characters"],
)
def test_each_limit_holds_at_the_limit_and_is_named_beyond(limits: Limits, content: str) -> None:
    """At the limit the file is read; one more is refused, and the message names the limit."""
    assert errors(read(content.encode(), DECLARED, limits)) == []
    name = next(name for name in Limits.__slots__ if getattr(limits, name) != getattr(Limits(), name))
    beyond = {
        "file_bytes": content + "4",
        "rows": content + "\n1,A,3,2025-01-25,1",
        "columns": content.replace("\n", ",More\n") + ",1",
        "cell_characters": content.replace("1234567890", "12345678901"),
    }[name]
    assert f"`{name}`" in errors(read(beyond.encode(), DECLARED, limits))[0][2]


def test_so_many_problems_are_shown() -> None:
    """The first hundred, then how many more."""
    text = HEADER + "".join(f"1,A,{at},2025-01-25,x\n" for at in range(300))
    reading = read(text.encode(), DECLARED)
    assert len(reading.problems) == 100
    assert "201 more" in reading.problems[-1].what


@given(st.binary(max_size=300))
def test_no_bytes_raise(content: bytes) -> None:
    """Any bytes give records or problems, with every format declared or none."""
    for chosen in (DETECTING, DECLARED):
        reading = read(content, chosen)
        assert reading.records or reading.problems


@given(st.lists(st.lists(st.sampled_from([*"\"',;\t\n\r=0123456789./-Aü\u202e\0", "2025-01-25", "1.50"]), max_size=40)))
def test_no_rows_raise(rows: list[list[str]]) -> None:
    """Neither do files that look right at first."""
    content = (HEADER + "\n".join("".join(row) for row in rows)).encode()
    for chosen in (DETECTING, DECLARED):
        for problem in read(content, chosen).problems:
            assert problem.line
            assert problem.column
            assert problem.cure


@pytest.mark.promise("C2")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", ['"', ",", "\n", '""', '"\n', "\r", "a,", "1/1/", " ", "\u202e", "\0", "=", '",'])
def test_no_long_run_of_anything_takes_long(piece: str) -> None:
    """200,000 of the same in the heading, in a cell, in a row: still linear."""
    for content in (piece * 200_000, HEADER + piece * 200_000, HEADER + f"1,A,1,2025-01-25,{piece * 200_000}"):
        for chosen in (DETECTING, DECLARED):
            assert read(content.encode(), chosen).problems


NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\"',;"))


@pytest.mark.promise("C4")
@given(st.lists(st.tuples(NAMES, st.text("ABC-/'=+@123", min_size=1)), min_size=1, max_size=5))
@settings(max_examples=300)
def test_what_is_exported_comes_back(rows: list[tuple[str, str]]) -> None:
    """Names with quotes, line breaks and every plane of Unicode survive export and import."""
    names = [unicodedata.normalize("NFC", cells.visible(name)).strip() for name, _ in rows]  # as the ledger keeps them
    numbers = [f"{at}-{number}" for at, (_, number) in enumerate(rows)]
    lines = [("1", name, number, "2025-01-25", "1.00") for name, number in zip(names, numbers)]
    text = csv_of(["Customer", "Name", "No", "Date", "Amount"], lines)
    reading = read(text.encode(), DECLARED)
    assert errors(reading) == []
    assert [record.values.get("customer_name", "") for record in reading.records] == names
    assert [record.values["number"] for record in reading.records] == numbers


@pytest.mark.parametrize("name", ["=1+1", "+49 30", "-x", "@home", "'=x", "''=x", "'quoted'", "-12.50", "＝1", "'-5"])
def test_no_export_becomes_a_formula(name: str) -> None:
    """Cells that a spreadsheet would run are escaped, numbers are not, and both come back."""
    row = next(csv.reader(io.StringIO(csv_of([name], []))))
    assert row[0] == name or row[0] == f"'{name}"
    assert row[0][0] not in "=+@＝" or row[0] == name == "-12.50"
    text = csv_of(["Customer", "Name", "No", "Date", "Amount"], [("1", name, "1", "2025-01-25", "1")])
    assert read(text.encode(), DECLARED).records[0].values["customer_name"] == name
