"""The decision table of a draft: a sheet for the keyboard, saved cell by cell without overwriting anybody."""

import io
import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from engine.editions import documents_in_force
from engine.tables import AuditEntry, Document, Entity
from rules.documents import canonical, shipped

SHIPPED = {document["key"]: document for document in shipped()}
TABLES = [key for key in SHIPPED if key not in ("parameters", "escalation")]


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


class Sheet:
    """A person at the table of one draft."""

    def __init__(self, browser: Any, document_id: int) -> None:
        self.browser, self.id = browser, document_id
        self.address = f"/workbench/{document_id}/table"

    @property
    def row(self) -> Document:
        """The draft as it is now."""
        found: Document = Document.get_by_id(self.id)
        return found

    @property
    def body(self) -> dict[str, Any]:
        """Its document."""
        found: dict[str, Any] = json.loads(self.row.body)
        return found

    def send(self, **fields: Any) -> Any:
        """Send one edit as the page does."""
        values = {"version": self.row.version, **fields}
        return self.browser.post(self.address, values, headers={"X-Sheet": "1"})

    def cell(self, row: str, column: str, value: str, **more: Any) -> Any:
        """Write into a cell."""
        return self.send(do="cell", row=row, column=column, value=value, **more)


@pytest.fixture
def sheet(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Callable[..., Sheet]:
    """``sheet("hold")``: the manager at the table of a draft of the policy in force."""

    def open_sheet(key: str, user: Any = None) -> Sheet:
        browser = signed_in(user or people.manager)
        live = next(d for d in documents_in_force(None, 10**5) if d.key == key)
        answer = browser.post(f"/policies/{live.id}/edit")
        return Sheet(browser, int(re.search(r"/workbench/(\d+)", answer.location)[1]))  # type: ignore[index]

    return open_sheet


@pytest.mark.parametrize("key", TABLES)
def test_every_policy_but_the_scenarios_is_shown_as_a_sheet(sheet: Callable[..., Sheet], key: str) -> None:
    """Each rule a row with its place for the live counts, each fact a column."""
    at = sheet(key)
    page = at.browser.get(at.address)
    assert page.status_code == 200
    for index, rule in enumerate(at.body["rules"]):
        assert f'data-row="{rule["key"]}"' in page.text
        assert f'data-count="/rules/{index}"' in page.text
    assert "Nothing is wrong with it." in page.text


def test_a_policy_that_is_no_table_says_why(sheet: Callable[..., Sheet]) -> None:
    """And leads to the rules."""
    at = sheet("escalation")
    said = words_of(at.browser.get(at.address).text)
    assert "This policy cannot be shown as a table" in said
    assert "scenarios with steps" in said
    assert "Edit it as rules" in said


def test_a_rule_that_no_row_can_say_is_named(sheet: Callable[..., Sheet]) -> None:
    """With the way to it; the rest of the policy stays as it is."""
    at = sheet("segmentation")
    body = at.body
    body["rules"][1]["when"] = {"any": [["risk_class", "==", "E"], ["insolvent", "==", True]]}
    Document.update(body=canonical(body).decode()).where(Document.id == at.id).execute()
    page = at.browser.get(at.address)
    assert page.status_code == 200
    assert "the rule “Risky” joins several facts" in words_of(page.text)
    assert f"/workbench/{at.id}?open=/rules/1" in page.text
    assert at.cell("risky", "label", "x").status_code == 303


def test_a_cell_is_saved_at_once(sheet: Callable[..., Sheet]) -> None:
    """Only its test changes; the audit trail says which; a cell left as it was writes nothing."""
    at = sheet("segmentation")
    before = at.body
    assert at.cell("new", "fact:paid_count_12m", "< 5").status_code == 200
    expected = json.loads(json.dumps(before))
    expected["rules"][3]["when"]["all"][1][2] = 5
    assert (at.body, at.row.version) == (expected, 2)
    entry = AuditEntry.select().where(AuditEntry.command == "SaveDraft").order_by(AuditEntry.id.desc()).get()
    assert entry.reason == "New customer: Lines paid in 12 months changed"
    assert at.cell("new", "fact:paid_count_12m", "<5").status_code == 200
    assert at.row.version == 2


def test_what_cannot_be_read_stays_in_its_cell_with_the_reason(sheet: Callable[..., Sheet]) -> None:
    """Nothing is saved; the cell is described by the message, which leads to it."""
    at = sheet("segmentation")
    answer = at.cell("new", "fact:tenure_days", "soon")
    assert (answer.status_code, at.row.version) == (422, 1)
    cell = re.search(r'<td[^>]*id="cell-new-fact:tenure_days"[^>]*>.*?</td>', answer.text)
    assert cell is not None
    assert 'aria-invalid="true"' in cell[0]
    assert 'aria-describedby="note-0 "' in cell[0]
    assert ">soon<" in cell[0]
    assert "row 4, column Tenure : “soon” cannot be read as a number here" in words_of(answer.text)


def test_findings_stand_at_their_cell(sheet: Callable[..., Sheet]) -> None:
    """A contradiction is saved, since a draft may be wrong, and is said where it is."""
    at = sheet("segmentation")
    answer = at.cell("new", "fact:tenure_days", "< 5 and > 9")
    assert answer.status_code == 200
    assert re.search(r'id="cell-new-[^"]*"[^>]*class="[^"]*error', answer.text)
    assert "row 4, column" in words_of(answer.text)


def test_two_people_do_not_overwrite_each_other(sheet: Callable[..., Sheet], people: SimpleNamespace) -> None:
    """The second is shown both sides, and may put theirs again."""
    mine, hers = sheet("segmentation"), sheet("segmentation", people.second)
    assert mine.cell("new", "fact:paid_count_12m", "< 5").status_code == 200
    saved = mine.body
    answer = hers.cell("new", "fact:paid_count_12m", "< 7", version=1)
    said = words_of(answer.text)
    assert (answer.status_code, hers.body) == (409, saved)
    assert "Manager saved this draft while you were editing it." in said
    assert re.search(r"less than 5.*less than 7", said), said
    again = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
    assert again["version"] == "2"
    again.pop("csrf_token")
    assert hers.browser.post(hers.address, {n: unescape(v) for n, v in again.items()}).status_code == 303
    assert hers.body["rules"][3]["when"]["all"][1][2] == 7


def test_a_row_waits_until_it_asks_of_a_fact(sheet: Callable[..., Sheet]) -> None:
    """Then it is a rule with a key made from its name."""
    at = sheet("segmentation")
    answer = at.send(do="add", row="risky")
    assert 'data-row="new2"' in answer.text
    texts = {"cell:label": "Far away"}
    answer = at.send(do="cell", row="new2", column="label", value="Far away", **texts)
    assert at.row.version == 1
    texts |= {"cell:then:segment": "abroad", "cell:fact:country": "not in DE, AT"}
    answer = at.send(do="cell", row="new2", column="fact:country", **texts, **{"with": "country"})
    assert answer.status_code == 200, words_of(answer.text)
    assert at.body["rules"][2] == {
        **{"key": "far-away", "label": "Far away", "when": ["country", "not_in", ["DE", "AT"]]},
        "then": {"segment": "abroad"},
    }


def test_rows_are_copied_moved_and_removed(sheet: Callable[..., Sheet]) -> None:
    """A moved row takes its place in the order that decides; one step back is always there."""
    at = sheet("segmentation")
    before = at.body
    assert at.send(do="up", row="risky").status_code == 200
    assert [rule["key"] for rule in at.body["rules"]][:2] == ["risky", "insolvent"]
    assert at.body["rules"][0]["priority"] < at.body["rules"][1]["priority"]
    assert at.send(do="undo").status_code == 200
    assert at.body == before
    at.send(do="copy", row="new")
    assert [rule["key"] for rule in at.body["rules"]][-2:] == ["new", "new-2"]
    at.send(do="remove", row="new-2")
    assert canonical(at.body) == canonical(before)


def test_columns_are_added_and_removed(sheet: Callable[..., Sheet]) -> None:
    """A fact of the dictionary becomes a column; removing one takes its tests, but never a rule's last one."""
    at = sheet("segmentation")
    assert 'data-column="fact:country"' in at.send(do="add-column", fact="country", row="new").text
    assert at.row.version == 1
    answer = at.send(do="remove-column", column="fact:paid_count_12m", row="new")
    assert answer.status_code == 200
    assert at.body["rules"][3]["when"] == {"all": [["tenure_days", "<", {"param": "new_customer_days"}]]}
    answer = at.send(do="remove-column", column="fact:risk_class", row="risky")
    assert answer.status_code == 422
    assert "row 2 : no cell asks of a fact" in words_of(answer.text)


def test_a_block_of_a_spreadsheet_is_pasted(sheet: Callable[..., Sheet]) -> None:
    """To the right and down, as new rows beyond the last; one wrong cell refuses the whole."""
    at = sheet("segmentation")
    before = at.body
    block = "High risk\t\tE\nLow\t\tin A, B\n"
    assert at.send(do="block", row="risky", column="label", block=block).status_code == 200
    assert [rule["label"] for rule in at.body["rules"]][1:3] == ["High risk", "Low"]
    assert at.body["rules"][1]["when"] == ["risk_class", "==", "E"]
    assert at.body["rules"][2]["when"] == {
        "all": [["turnover_12m_minor", ">=", {"param": "key_account_turnover"}], ["risk_class", "in", ["A", "B"]]]
    } or at.body["rules"][2]["when"]["all"][-1] == ["risk_class", "in", ["A", "B"]]
    at.send(do="undo")
    assert at.body == before
    answer = at.send(do="block", row="new", column="fact:tenure_days", block="< 10\t< 2\n< 20\tsome")
    assert answer.status_code == 422
    assert at.body == before
    answer = at.send(do="block", row="new", column="label", block="One\tyes\nTwo\tyes\n")
    assert answer.status_code == 200, words_of(answer.text)
    assert [rule["key"] for rule in at.body["rules"]][-2:] == ["new", "two"]
    answer = at.send(do="block", row="new", column="because", block="a\tb")
    assert "more rows or columns than there is room for" in words_of(answer.text)


ODD = [
    {"do": "cell"},
    {"do": "cell", "row": "new", "column": "no-such"},
    {"do": "cell", "row": "gone", "column": "label", "value": "x"},
    {"do": "cell", "row": "newly", "column": "label", "cell:label": "x"},
    {"do": "cell", "row": "new99999999999999999999", "column": "label", "cell:nothing": "x"},
    {"do": "cell", "row": "otherwise", "column": "fact:tenure_days", "value": "< 5"},
    {"do": "cell", "row": "new", "column": "label", "value": "bell\x07"},
    {"do": "cell", "row": "new", "column": "label", "value": "x" * 3000},
    {"do": "cell", "row": "new", "column": "priority", "value": "9" * 60},
    {"do": "cell", "row": "new", "column": "then:segment", "value": "(" * 5000},
    {"do": "block", "row": "new", "column": "label", "block": '"' + "x" * 200_000},
    {"do": "block", "row": "otherwise", "column": "label", "block": "a\nb"},
    {"do": "block", "row": "gone", "column": "label", "block": "a"},
    {"do": "up", "row": "otherwise"},
    {"do": "remove", "row": ""},
    {"do": "remove-column", "column": "then:segment"},
    {"do": "add-column", "fact": "no_such_fact"},
    {"do": "add-column"},
    {"do": "dance"},
    {"version": "none", "do": "cell"},
]


def test_odd_requests_are_refused_and_change_nothing(sheet: Callable[..., Sheet]) -> None:
    """Whatever a script sends: a page or a refusal, never a fault, and the draft stays as it was."""
    at = sheet("segmentation")
    before = at.body
    for fields in ODD:
        answer = at.send(**fields)
        assert answer.status_code in {200, 409, 422}, (fields, answer.status_code)
        assert at.body == before, fields


def test_the_file_goes_out_and_comes_back_as_a_difference(sheet: Callable[..., Sheet]) -> None:
    """Read first, saved when it is kept; a broken file names its cells and changes nothing."""
    at = sheet("segmentation")
    content = at.browser.get(f"/policies/{at.id}/table.xlsx")
    assert content.mimetype.endswith("spreadsheetml.sheet")
    upload = f"{at.address}/upload"

    def give(made: bytes) -> Any:
        return at.browser.post(upload, {"file": (io.BytesIO(made), "mine.xlsx")}, content_type="multipart/form-data")

    assert "The file says the same as the draft." in words_of(give(content.data).text)
    book = load_workbook(io.BytesIO(content.data))
    cell = next(cell for row in book["Rules"].iter_rows() for cell in row if cell.value == "< 3")
    cell.value = "< 9"
    made = io.BytesIO()
    book.save(made)
    assert at.cell("risky", "because", "Followed closely.").status_code == 200  # meanwhile
    page = give(made.getvalue())
    assert re.search(r"less than 3.*less than 9", words_of(page.text))
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    fields.pop("csrf_token")
    assert at.browser.post(upload, {**{n: unescape(v) for n, v in fields.items()}, "do": "keep"}).status_code == 303
    assert at.body["rules"][3]["when"]["all"][1] == ["paid_count_12m", "<", 9]
    assert at.browser.post(upload, {**{n: unescape(v) for n, v in fields.items()}, "do": "keep"}).status_code == 409
    cell.value = "a few"
    made = io.BytesIO()
    book.save(made)
    version = at.row.version
    answer = give(made.getvalue())
    assert answer.status_code == 422
    assert "sheet Rules, row 6, column G (Lines paid in 12 months) : “a few” cannot be read" in words_of(answer.text)
    assert at.row.version == version


def test_a_file_read_by_another_currency_is_refused(sheet: Callable[..., Sheet]) -> None:
    """The same figures would be other amounts."""
    at = sheet("credit_limit")
    book = load_workbook(io.BytesIO(at.browser.get(f"/policies/{at.id}/table.xlsx").data))
    row = next(row for row in range(1, 20) if book["Policy"].cell(row, 3).value == "currency")
    book["Policy"].cell(row, 2).value = "JPY"
    made = io.BytesIO()
    book.save(made)
    values = {"file": (io.BytesIO(made.getvalue()), "limits.xlsx")}
    answer = at.browser.post(f"{at.address}/upload", values, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "sheet Policy, row 14, column B : Check was changed" in words_of(answer.text)


def test_a_file_of_another_policy_is_refused(sheet: Callable[..., Sheet]) -> None:
    """With the name of the policy it is of."""
    at, other = sheet("segmentation"), sheet("hold")
    content = other.browser.get(f"/policies/{other.id}/table.xlsx").data
    values = {"file": (io.BytesIO(content), "hold.xlsx")}
    answer = at.browser.post(f"{at.address}/upload", values, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "The file is of the policy Order hold." in words_of(answer.text)


# --- bands ----------------------------------------------------------------------------------


def bands_of(at: Sheet, fact: str) -> dict[str, str]:
    """The fields of one characteristic as a browser would send them."""
    page = at.browser.get(f"/workbench/{at.id}/bands").text
    forms = page.split('<form method="post">')
    form = next(one for one in forms if f'value="[&#34;{fact}&#34;' in one or f'value="[&quot;{fact}' in one)
    tags = re.findall(r"<input[^>]*>", form.split("</form>")[0])
    found = {}
    for tag in tags:
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] != "csrf_token":
            found[name[1]] = unescape(value[1]) if value else ""
    return found


def test_a_bound_is_shifted_and_its_neighbour_follows(sheet: Callable[..., Sheet]) -> None:
    """Points and names change with it; the rest of the document stays."""
    at = sheet("scorecard")
    before = at.body
    address = f"/workbench/{at.id}/bands"
    assert at.browser.post(address, {**bands_of(at, "score_bp"), "do": "save"}).status_code == 303
    assert (at.body, at.row.version) == (before, 1)
    fields = {**bands_of(at, "score_bp"), "high:0": "44.99", "points:0": "14", "do": "save"}
    assert at.browser.post(address, fields).status_code == 303
    rules = {rule["key"]: rule for rule in at.body["rules"]}
    assert rules["score-medium"]["when"] == ["score_bp", "between", [2000, 4499]]
    assert rules["score-medium"]["then"] == {"points": 14}
    assert rules["score-raised"]["when"] == ["score_bp", "between", [4500, 5999]]


def test_bands_are_split_merged_and_refused_where_they_cannot_be(sheet: Callable[..., Sheet]) -> None:
    """The field that is wrong says so; a hole and an overlap are shown."""
    at = sheet("scorecard")
    before, address = at.body, f"/workbench/{at.id}/bands"
    at.browser.post(address, {**bands_of(at, "score_bp"), "do": "split:1"})
    assert len(at.body["rules"]) == len(before["rules"]) + 1
    at.browser.post(address, {**bands_of(at, "score_bp"), "do": "merge:1"})
    assert canonical(at.body) == canonical(before)
    answer = at.browser.post(address, {**bands_of(at, "score_bp"), "low:0": "much", "do": "save"})
    assert answer.status_code == 422
    assert "This cannot be read: write a number such as 12.5." in words_of(answer.text)
    assert 'value="much"' in answer.text
    at.browser.post(address, {**bands_of(at, "score_bp"), "low:2": "50", "high:1": "59.99", "do": "save"})
    page = words_of(at.browser.get(address).text)
    assert "“Score 40 % to 60 %” and “Score 60 % and above” overlap" not in page  # the neighbour followed
    fields = bands_of(at, "tenure_days")
    at.browser.post(address, {**fields, "low:1": "300", "do": "save"})
    assert "overlap: a customer in both gets the points of both" in words_of(at.browser.get(address).text)


def test_risk_classes_are_moved(sheet: Callable[..., Sheet]) -> None:
    """A bound, a new class, one class less; bounds that do not rise are refused."""
    at = sheet("scorecard")
    address = f"/workbench/{at.id}/bands"
    classes = {"version": at.row.version, "of": "classes"}
    for number, band in enumerate(at.body["bands"]):
        classes[f"class:{number}"] = band["risk_class"]
        classes[f"up_to:{number}"] = band.get("up_to", "")
    at.browser.post(address, {**classes, "up_to:0": "10", "do": "class-save"})
    assert at.body["bands"][0] == {"risk_class": "A", "up_to": 10}
    answer = at.browser.post(address, {**classes, "version": 2, "up_to:0": "31", "do": "class-save"})
    assert answer.status_code == 422
    assert "the bands do not rise" in words_of(answer.text)


def test_bands_saved_by_two_people_are_shown_side_by_side(sheet: Callable[..., Sheet], people: SimpleNamespace) -> None:
    """What the other one saved stands; mine can be put once I have seen it."""
    mine, hers = sheet("scorecard"), sheet("scorecard", people.second)
    address = f"/workbench/{mine.id}/bands"
    fields = bands_of(hers, "score_bp")
    mine.browser.post(address, {**fields, "points:0": "13", "do": "save"})
    saved = mine.body
    answer = hers.browser.post(address, {**fields, "points:0": "14", "do": "save"})
    assert (answer.status_code, hers.body) == (409, saved)
    said = words_of(answer.text)
    assert "Manager saved this draft while you were editing it." in said
    assert re.search(r"Points: 12.*Points: 13.*Points: 12.*Points: 14", said), said
    again = {n: unescape(v) for n, v in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)}
    again.pop("csrf_token")
    assert hers.browser.post(address, again).status_code == 303
    assert hers.body["rules"][2]["then"] == {"points": 14}


# --- in a browser ---------------------------------------------------------------------------


@pytest.mark.browser
def test_the_sheet_is_worked_with_the_keyboard_alone(
    sheet: Callable[..., Sheet], page_as: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Arrows, Enter, F2, Escape, Tab, Delete, a paste; every edit is saved, none is lost, axe is content."""
    at = sheet("segmentation")
    watched = page_as(people.manager)
    watched.goto(at.address)
    page = watched.page
    grid = page.get_by_role("grid", name="Decision table: Segments")
    grid.get_by_role("rowheader").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.keyboard.press("F2")
    expect(page.locator(".editing input")).to_have_value("< {New customer}")
    page.keyboard.press("Escape")
    page.keyboard.type("< 90")
    page.keyboard.press("Tab")
    page.keyboard.type("< 7")
    page.keyboard.press("Enter")
    page.locator("#desk[data-version='3']").wait_for()
    assert at.body["rules"][3]["when"] == {"all": [["tenure_days", "<", 90], ["paid_count_12m", "<", 7]]}
    watched.settle()
    expect(page.locator("[id='cell-otherwise-fact:paid_count_12m']")).to_be_focused()
    watched.check()
    page.keyboard.press("ArrowUp")
    page.keyboard.type("some")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("cannot be read").wait_for()
    wrong = page.locator("[id='cell-new-fact:paid_count_12m']")
    assert wrong.get_attribute("aria-invalid") == "true"
    described = wrong.get_attribute("aria-describedby").split()[0]
    assert "cannot be read" in page.locator(f"#{described}").inner_text()
    watched.complaints.clear()  # the browser tells of every answer that is a refusal
    watched.check()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")
    page.locator("#desk[data-version='4']").wait_for()
    assert at.body["rules"][3]["when"] == {"all": [["tenure_days", "<", 90]]}
    page.keyboard.press("Alt+ArrowUp")
    page.locator("#desk[data-version='5']").wait_for()
    assert [rule["key"] for rule in at.body["rules"]][2:] == ["new", "key-account"]
    page.locator("[id='cell-new-fact:tenure_days']").focus()
    page.evaluate(
        """text => { const held = new DataTransfer(); held.setData('text/plain', text);
        document.activeElement.dispatchEvent(new ClipboardEvent('paste', {clipboardData: held, bubbles: true})); }""",
        "< 30\t< 2\r\n< 60\t< 4\r\n",
    )
    page.locator("#desk[data-version='6']").wait_for()
    assert at.body["rules"][2]["when"] == {"all": [["tenure_days", "<", 30], ["paid_count_12m", "<", 2]]}
    watched.complaints.clear()
    watched.check()


@pytest.mark.browser
def test_rows_and_columns_with_the_toolbar(
    sheet: Callable[..., Sheet], page_as: Callable[..., Any], people: SimpleNamespace
) -> None:
    """A row is added, filled and becomes a rule; a column comes from the picker of facts; one step back."""
    at = sheet("segmentation")
    watched = page_as(people.manager)
    watched.goto(at.address)
    page = watched.page
    page.get_by_role("button", name="Add a column").click()
    page.get_by_label("Search by name or meaning").fill("country")
    page.keyboard.press("Enter")
    page.get_by_role("columnheader", name="Country").wait_for()
    page.locator("[id='cell-new-label']").click()
    page.get_by_role("button", name="Add a row").click()
    page.locator("tr.waits").wait_for()
    page.keyboard.type("Far away")
    page.keyboard.press("Enter")
    watched.settle()
    cell = page.locator("tr.waits [data-column='fact:country']")
    cell.click()
    page.keyboard.type("!= DE")
    page.keyboard.press("Enter")
    page.locator("#desk[data-version='2']").wait_for()
    assert at.body["rules"][4] == {"key": "far-away", "label": "Far away", "when": ["country", "!=", "DE"], "then": {}}
    watched.check()
    page.get_by_role("button", name="Undo").click()
    page.locator("#desk[data-version='3']").wait_for()
    assert len(at.body["rules"]) == 4


@pytest.mark.browser
def test_on_a_phone_the_first_column_stays(
    sheet: Callable[..., Sheet], page_as: Callable[..., Any], people: SimpleNamespace
) -> None:
    """The page does not scroll sideways, the sheet does, and the rule's name stays in sight."""
    at = sheet("hold")
    watched = page_as(people.manager, width=390, height=844)
    watched.goto(at.address)
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".sheet-wrap").evaluate("one => one.scrollTo(900, 0)")
    head = page.get_by_role("rowheader").first.bounding_box()
    assert 0 <= head["x"] < 60
    assert head["width"] <= 160
    page.locator(".sheet-wrap").evaluate("one => one.scrollTo(0, 0)")
    cell = page.locator("[id='cell-insolvent-label'] .t")
    for _tap in range(2):  # the first chooses the cell, the second edits it
        cell.evaluate(
            """one => { one.dispatchEvent(new MouseEvent('mousedown', {bubbles: true, cancelable: true}));
            one.dispatchEvent(new PointerEvent('click', {bubbles: true, pointerType: 'touch'})); }"""
        )
    page.locator(".editing input").fill("Bankrupt")
    page.keyboard.press("Enter")
    page.locator("#desk[data-version='2']").wait_for()
    assert at.body["rules"][1]["label"] == "Bankrupt"
    watched.check()
    watched.goto(f"/workbench/{at.id}/table/upload")
    watched.check()


@pytest.mark.browser
def test_bands_are_accessible_and_labelled(
    sheet: Callable[..., Sheet], page_as: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Each field is found by its label; a bound is moved by the keyboard."""
    at = sheet("scorecard")
    watched = page_as(people.manager)
    watched.goto(f"/workbench/{at.id}/bands")
    page = watched.page
    page.get_by_label("Score 60 % and above: from").fill("65")
    page.keyboard.press("Enter")
    page.locator("#desk[data-version='2']").wait_for()
    assert {rule["key"]: rule["when"] for rule in at.body["rules"]}["score-high"] == ["score_bp", ">=", 6500]
    watched.check()
    phone = page_as(people.manager, width=390, height=844)
    phone.goto(f"/workbench/{at.id}/bands")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    phone.check()
