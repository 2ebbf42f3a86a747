"""Decision tables as Excel files: out and back unchanged, and every broken file refused at its place."""

import copy
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from admin.table_export import OTHERWISE_KEY, workbook_of
from admin.table_import import FILE_BYTES_MAX, ROWS_MAX, document_from, opened
from admin.tongues import tongue_of
from ledger.canonical import sha256_of
from ledger.problems import Problem
from rules.cell_words import Tongue
from rules.documents import canonical, parse_parameters, shipped
from rules.facts import DICTIONARY

SHIPPED = {document["key"]: document for document in shipped()}
PARAMETERS = {one.name: one for one in parse_parameters(SHIPPED["parameters"])[0].parameters}
TABLES = [key for key in SHIPPED if key not in ("parameters", "escalation")]
Change = Callable[[Workbook, Worksheet], None]


def tongue(language: str = "en", currency: str = "EUR") -> Tongue:
    """How cells are said in a language."""
    return tongue_of(language, currency, PARAMETERS, DICTIONARY)


def written(document: dict[str, Any], spoken: Tongue | None = None) -> bytes:
    """A policy as a file."""
    return workbook_of(document, sha256_of(document), spoken or tongue())


def read(content: bytes, base: dict[str, Any], spoken: Tongue | None = None) -> tuple[Any, list[Problem]]:
    """The policy of a file."""
    file, problems = opened(content, "table.xlsx")
    return (None, problems) if file is None else document_from(file, base, sha256_of(base), spoken or tongue())


def changed(base: dict[str, Any], change: Change, spoken: Tongue | None = None) -> bytes:
    """The file of a policy after somebody worked on it."""
    book = load_workbook(io.BytesIO(written(base, spoken)))
    change(book, book.worksheets[0])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def at(sheet: Worksheet, key: str, rule: str) -> Any:
    """The cell of a rule under a column."""
    column = next(c for c in range(1, sheet.max_column + 1) if sheet.cell(2, c).value == key)
    row = next(r for r in range(3, sheet.max_row + 1) if sheet.cell(r, 1).value == rule)
    return sheet.cell(row, column)


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("key", TABLES)
def test_out_and_back_unchanged_is_the_same_document(key: str, language: str) -> None:
    """Byte for byte, in each language, straight and after another program has saved the file."""
    document, spoken = SHIPPED[key], tongue(language)
    for content in (written(document, spoken), changed(document, lambda book, sheet: None, spoken)):
        found, problems = read(content, document, spoken)
        assert problems == []
        assert canonical(found) == canonical(document)


def test_plain_values_are_real_numbers_in_human_units() -> None:
    """Amounts with their format, shares as per cent, points as integers; what asks more is text."""
    sheet = load_workbook(io.BytesIO(written(SHIPPED["credit_limit"]))).worksheets[0]
    amount = at(sheet, "then:proposed_limit_minor", "insolvent")
    assert (amount.data_type, amount.value, amount.number_format) == ("n", 0, "#,##0.00")
    days = at(sheet, "then:proposed_terms_days", "class-a")
    assert (days.data_type, days.value, days.number_format) == ("n", 45, "0")
    formula = at(sheet, "then:proposed_limit_minor", "class-a")
    assert formula.data_type == "s"
    assert formula.value.startswith("min({Highest limit proposed}; round down(")
    document = copy.deepcopy(SHIPPED["scorecard"])
    document["rules"][0]["when"] = ["score_bp", "==", 6050]
    share = at(load_workbook(io.BytesIO(written(document))).worksheets[0], "fact:score_bp", "score-high")
    assert (share.value, share.number_format) == (0.605, "0.00%")
    assert sheet.row_dimensions[2].hidden
    assert [sheet.cell(1, 5).value, sheet.cell(2, 5).value] == ["Net overdue (EUR)", "fact:overdue_net_minor"]


def test_a_file_has_lists_to_choose_from_the_head_and_a_guide() -> None:
    """Yes and no for claims, the codes in use for others; three sheets."""
    book = load_workbook(io.BytesIO(written(SHIPPED["segmentation"])))
    assert book.sheetnames == ["Rules", "Policy", "How to fill this in"]
    lists = {one.formula1 for one in book.worksheets[0].data_validations.dataValidation}
    assert {'"yes,no"', '"insolvent,key_account,new,risky,standard"'} <= lists
    assert book["Policy"]["B1"].value == "Segments"
    guide = [str(row[0].value) for row in book.worksheets[2].iter_rows()]
    assert any(line.startswith("Each row is a rule") for line in guide)
    assert "turnover_12m_minor" in guide


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_text_that_looks_like_a_formula_stays_text(start: str) -> None:
    """Nobody's spreadsheet runs what a label or a code says, and it comes back as it was."""
    document = copy.deepcopy(SHIPPED["segmentation"])
    document["rules"][0]["label"] = f"{start}HYPERLINK(1)"
    document["rules"][0]["because"] = f"{start}1+1"
    document["rules"][1]["when"][2] = [f"{start}cmd|x", "E"]
    document["name"] = f"{start}2"
    content = written(document)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert all(b"<f>" not in packed.read(name) for name in packed.namelist() if "sheet" in name)
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert at(sheet, "label", "insolvent").data_type == "s"
    assert at(sheet, "label", "insolvent").quotePrefix
    found, problems = read(content, document)
    assert problems == []
    assert canonical(found) == canonical(document)


def test_a_changed_cell_is_a_changed_rule() -> None:
    """Numbers typed as numbers, as text, as per cent; a row added without a key; a row removed; a moved column."""
    base = SHIPPED["scorecard"]

    def work(book: Workbook, sheet: Worksheet) -> None:
        at(sheet, "then:points", "score-high").value = 40
        at(sheet, "fact:score_bp", "score-raised").value = "45 .. 59.99"
        share = at(sheet, "fact:late_share_12m_bp", "late-often")
        share.value, share.number_format = 0.55, "0%"
        mean = at(sheet, "fact:mean_days_late_12m", "late-on-average")
        mean.value, mean.data_type = "20", "s"
        sheet.delete_rows(at(sheet, "key", "no-history").row)
        sheet.insert_rows(3)
        sheet.cell(3, 2).value = "Slow payers"
        sheet.cell(3, at(sheet, "fact:mean_days_late_12m", "late-on-average").column).value = ">= 40"
        sheet.cell(3, at(sheet, "then:points", "score-high").column).value = 3
        sheet.cell(1, 3).value = "Renamed by somebody"
        book["Policy"]["B3"].value = "Because we said so."

    found, problems = read(changed(base, work), base)
    assert problems == []
    wanted = copy.deepcopy(base)
    wanted["because"] = "Because we said so."
    rules = {rule["key"]: rule for rule in wanted["rules"]}
    rules["score-high"]["then"]["points"] = 40
    rules["score-raised"]["when"][2] = [4500, 5999]
    rules["late-often"]["when"] = ["late_share_12m_bp", "==", 5500]
    rules["late-on-average"]["when"] = ["mean_days_late_12m", "==", 20]
    new = {
        "key": "slow-payers",
        "label": "Slow payers",
        "when": ["mean_days_late_12m", ">=", 40],
        "then": {"points": 3},
    }
    wanted["rules"] = [new, *(rule for rule in wanted["rules"] if rule["key"] != "no-history")]
    assert found == wanted


def test_a_new_column_needs_only_a_fact() -> None:
    """Named by its name or by its label, in its first row."""
    base = SHIPPED["segmentation"]
    for heading in ("country", "Country", "fact:country"):

        def work(_book: Workbook, sheet: Worksheet, heading: str = heading) -> None:
            column = sheet.max_column + 1
            sheet.cell(1, column).value = heading
            sheet.cell(at(sheet, "key", "new").row, column).value = "in DE, AT"

        found, problems = read(changed(base, work), base)
        assert problems == []
        assert found["rules"][3]["when"]["all"][-1] == ["country", "in", ["DE", "AT"]]


def put(key: str, rule: str, value: Any, number_format: str | None = None) -> Change:
    """A value put into one cell."""

    def work(_book: Workbook, sheet: Worksheet) -> None:
        cell = at(sheet, key, rule)
        cell.value = value
        if number_format:
            cell.number_format = number_format

    return work


def remove_column(_book: Workbook, sheet: Worksheet) -> None:
    """Take a fact's column away."""
    sheet.delete_cols(at(sheet, "fact:risk_class", "risky").column)


def remove_last(_book: Workbook, sheet: Worksheet) -> None:
    """Take the row for all others away."""
    sheet.delete_rows(at(sheet, "key", OTHERWISE_KEY).row)


def other_version(book: Workbook, _sheet: Worksheet) -> None:
    """Change a field that only the console changes."""
    row = next(row for row in range(1, 20) if book["Policy"].cell(row, 3).value == "hit")
    book["Policy"].cell(row, 2).value = "unique"


def other_currency(book: Workbook, _sheet: Worksheet) -> None:
    """Change what the figures are read by."""
    row = next(row for row in range(1, 20) if book["Policy"].cell(row, 3).value == "currency")
    book["Policy"].cell(row, 2).value = "JPY"


def strange_column(_book: Workbook, sheet: Worksheet) -> None:
    """Add a column of no fact."""
    sheet.cell(1, sheet.max_column + 1).value = "Phase of the moon"


def twice(_book: Workbook, sheet: Worksheet) -> None:
    """Copy a row with its key."""
    row = sheet.max_row + 1
    for number in range(1, sheet.max_column + 1):
        sheet.cell(row, number).value = sheet.cell(3, number).value


BROKEN: list[tuple[str, Change, str, str]] = [
    ("a formula", put("fact:tenure_days", "new", "=1+1"), "sheet Rules, row 6, column F (Tenure (days))", "formula"),
    ("an error", put("fact:tenure_days", "new", "#REF!"), "sheet Rules, row 6, column F (Tenure (days))", "#REF!"),
    ("no figure", put("fact:tenure_days", "new", "soon"), "sheet Rules, row 6, column F (Tenure (days))", "cannot be"),
    ("half a day", put("fact:tenure_days", "new", 1.5), "sheet Rules, row 6, column F (Tenure (days))", "whole number"),
    (
        "a share of days",
        put("fact:tenure_days", "new", 0.5, "0%"),
        "sheet Rules, row 6, column F (Tenure (days))",
        "per cent",
    ),
    (
        "a tenth of a cent",
        put("fact:turnover_12m_minor", "key-account", 5.001),
        "sheet Rules, row 5, column E (Turnover, 12 months (EUR))",
        "more than 2 digits",
    ),
    ("truth for a number", put("fact:tenure_days", "new", True), "sheet Rules, row 6, column F", "does not belong"),
    ("no truth", put("fact:insolvent", "insolvent", "perhaps"), "sheet Rules, row 3, column C", "neither yes nor no"),
    ("no rule", put("fact:insolvent", "insolvent", None), "sheet Rules, row 3", "no cell asks of a fact"),
    ("a lost column", remove_column, "sheet Rules, row 1", "“Risk class” is missing"),
    ("a strange column", strange_column, "sheet Rules, row 1, column L", "“Phase of the moon”"),
    ("no last row", remove_last, "sheet Rules, row 3, column A", f"{OTHERWISE_KEY} is missing"),
    ("a changed head", other_version, "sheet Policy, row 8, column B", "was changed to “unique”"),
    ("another currency", other_currency, "sheet Policy, row 11, column B", "was changed to “JPY”"),
    ("merged cells", lambda _b, s: s.merge_cells("C4:C5"), "sheet Rules, cells C4:C5", "merged"),
    ("a key twice", twice, "sheet Rules, row 8, column A (Key)", "already names"),
    ("far too far", lambda _b, s: s.cell(ROWS_MAX + 1, 1, "x"), "sheet Rules", f"row {ROWS_MAX + 1}"),
    ("no rules", lambda b, _s: b.remove(b["Rules"]), "table.xlsx", "the rules is missing"),
    ("no head", lambda b, _s: b.remove(b["Policy"]), "table.xlsx", "the head of the policy is missing"),
]


@pytest.mark.parametrize(("change", "place", "what"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
def test_a_broken_file_is_refused_at_its_place(change: Change, place: str, what: str) -> None:
    """By sheet, row and column, with what is wrong and the cure; nothing is guessed."""
    base = SHIPPED["segmentation"]
    found, problems = read(changed(base, change), base)
    assert found is None
    assert problems[0].place.startswith(place), problems
    assert what in problems[0].what
    assert problems[0].cure


def test_a_date_made_by_the_spreadsheet_is_refused() -> None:
    """``1-2`` that became the first of February is not taken for a number."""
    base = SHIPPED["segmentation"]
    found, problems = read(changed(base, put("fact:tenure_days", "new", date(2026, 2, 1))), base)
    assert found is None
    assert "made a date of it" in problems[0].what


def bomb() -> bytes:
    """A small file that unpacks to very much."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "<x/>")
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (32 * 1024 * 1024))
    return content.getvalue()


def parts_with(replaced: Callable[[str, bytes], bytes]) -> bytes:
    """The file of a policy with its parts rewritten."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written(SHIPPED["segmentation"]))) as source,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in source.namelist():
            packed.writestr(name, replaced(name, source.read(name)))
    return content.getvalue()


def entities(name: str, part: bytes) -> bytes:
    """Entities that would multiply."""
    if not name.endswith("sheet1.xml"):
        return part
    return b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + part


def lost(name: str, part: bytes) -> bytes:
    """Cells that point at strings, styles and dates that are not there."""
    if not name.endswith("sheet1.xml"):
        return part
    return part.replace(b't="inlineStr"><is>', b't="s"><v>99</v><is>')


def cut(name: str, part: bytes) -> bytes:
    """Half a sheet."""
    return part[: len(part) // 2] if name.endswith("sheet1.xml") else part


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no Excel workbook"),
        (b"key,label\n1,2\n", "no Excel workbook"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 600, "old or an encrypted kind"),
        (b"PK\x03\x04" + b"0" * 600, "no Excel workbook"),
        (b"0" * (FILE_BYTES_MAX + 1), "larger than"),
        (bomb(), "unpacks to more"),
        (parts_with(entities), "declares entities"),
        (parts_with(cut), "damaged"),
        (parts_with(lost), "damaged"),
        (written(SHIPPED["segmentation"])[:-200], "no Excel workbook"),
    ],
    ids=["empty", "csv", "xls", "torn", "large", "bomb", "entities", "half a sheet", "lost strings", "half a file"],
)
def test_a_file_that_is_no_table_is_not_even_opened(content: bytes, what: str) -> None:
    """Sizes are bounded before anything is unpacked; one clear sentence for each."""
    file, problems = opened(content, "table.xlsx")
    assert file is None
    assert len(problems) == 1
    assert what in problems[0].what
    assert problems[0].cure


def of_another_program() -> bytes:
    """As another program saves it: shared strings, whole numbers with a point, no hints and no lists to choose from."""
    strings: list[str] = []

    def shared(found: re.Match[str]) -> str:
        strings.append(found[2])
        return f'<c {found[1]}t="s"><v>{len(strings) - 1}</v></c>'

    def rewritten(name: str, part: bytes) -> bytes:
        text = part.decode()
        if "worksheets/sheet" in name:
            text = re.sub(r'<c ([^>]*?)t="inlineStr"><is>(<t.*?</t>)</is></c>', shared, text, flags=re.DOTALL)
            text = re.sub(r'(t="n"><v>\d+)</v>', r"\1.0</v>", text)
            text = re.sub(r"<dataValidations.*</dataValidations>", "", text, flags=re.DOTALL)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        if name == "[Content_Types].xml":
            text = text.replace(
                "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
            )
        return text.encode()

    content = io.BytesIO(parts_with(rewritten))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as packed:
        items = "".join(f"<si>{one}</si>" for one in strings)
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        packed.writestr("xl/sharedStrings.xml", f'<sst xmlns="{space}">{items}</sst>')
    return content.getvalue()


def test_files_of_other_programs_are_read_alike() -> None:
    """Shared strings, whole numbers written with a point."""
    content = of_another_program()
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
    assert "inlineStr" not in sheet
    assert "<v>10.0</v>" in sheet
    found, problems = read(content, SHIPPED["segmentation"])
    assert problems == []
    assert canonical(found) == canonical(SHIPPED["segmentation"])


def test_currencies_without_and_with_three_decimals() -> None:
    """Yen have none, dinars three; both go out and back."""
    for currency, amount, shown in (("JPY", 5000, Decimal(5000)), ("KWD", 5000, Decimal(5))):
        document = copy.deepcopy(SHIPPED["credit_limit"])
        document["rules"][0]["then"]["proposed_limit_minor"] = amount
        spoken = tongue(currency=currency)
        content = written(document, spoken)
        cell = at(load_workbook(io.BytesIO(content)).worksheets[0], "then:proposed_limit_minor", "insolvent")
        assert cell.value == shown
        assert read(content, document, spoken) == (document, [])
