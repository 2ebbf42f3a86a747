"""The import page: first what the file says, then exactly that, once."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from admin.importing import SAMPLES
from engine import uploads
from engine.runtime import Runtime
from engine.tables import AuditEntry, Customer, DueLine, Entity, Import

ACCOUNTS = Path(__file__).parents[2] / "samples" / "accounts"
INVOICES = b"Customer,Name,Invoice,Instalment,Date,Due,Amount,Currency,Text\n"
ROW = b"1001,Hollow Oak Trading,R-%d,1,2025-09-01,2025-10-01,1897.81,EUR,\n"


def sent(content: bytes, mapping: str = "sample-invoices", **more: Any) -> dict[str, Any]:
    """The form as a browser sends it."""
    values = {"entity": "main", "mapping": mapping, "file": (io.BytesIO(content), more.pop("name", "invoices.csv"))}
    return {**values, **more}


def looked_at(browser: Any, content: bytes, **more: Any) -> str:
    """Preview a file; the address of its preview."""
    answer = browser.post("/import/", sent(content, **more))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def test_the_preview_shows_rows_sums_and_the_first_records_and_posts_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Two rows of 1,897.81: their sum, the customer, no entry."""
    browser = signed_in(people.manager)
    text = browser.get(looked_at(browser, INVOICES + ROW % 1 + ROW % 2)).text
    assert "3,795.62" in text
    assert "R-2" in text
    assert "Nothing is posted yet" in text
    assert (Import.select().count(), DueLine.select().count(), Customer.select().count()) == (0, 0, 0)


def test_what_is_posted_is_what_was_previewed_and_a_second_click_posts_nothing_more(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime
) -> None:
    """The very bytes, by their hash; both clicks lead to the same import; the bytes are gone afterwards."""
    browser = signed_in(people.manager)
    content = INVOICES + ROW % 1
    page = looked_at(browser, content, history_until="2025-12-31")
    answers = [browser.post(f"{page}/post") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    taken = Import.get()
    assert {answer.headers["Location"] for answer in answers} == {f"/imports/{taken.id}"}
    assert taken.file_sha256 == hashlib.sha256(content).hexdigest()
    assert (taken.file_name, taken.by_id, taken.rows_read) == ("invoices.csv", people.manager.id, 1)
    assert DueLine.select().count() == 1
    assert AuditEntry.select().where(AuditEntry.command == "ImportFile").count() == 1
    assert list((runtime.settings.var / uploads.FOLDER).glob("*/content")) == []
    result = browser.get(f"/imports/{taken.id}").text
    assert "Due lines" in result
    assert "is posted" in browser.get(page).text
    assert "invoices.csv" in browser.get("/imports/").text


def test_a_malformed_file_shows_every_problem_and_cannot_be_posted(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Line, column, what and cure of each; whoever sends the form all the same changes nothing."""
    browser = signed_in(people.manager)
    wrong = INVOICES + ROW % 1 + b"1002,Other,R-3,1,2025-09-01,2025-10-01,many,EUR,\n"
    wrong += b"1003,Third,R-4,1,2025-99-01,2025-10-01,5.00,EUR,\n"
    page = looked_at(browser, wrong)
    text = browser.get(page).text
    assert "This file cannot be posted as it is" in text
    assert "stops the import" in text
    assert "Post it" not in text
    assert browser.post(f"{page}/post").headers["Location"] == page
    assert (Import.select().count(), DueLine.select().count()) == (0, 0)


def test_what_the_form_lacks_is_said_beside_its_field(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """No file, an empty one, no mapping, another's entity, no date: 422 and nothing kept."""
    browser = signed_in(people.analyst)
    for values, words in (
        ({"entity": "main", "mapping": "sample-invoices"}, "Choose a file."),
        (sent(b""), "The file is empty."),
        (sent(INVOICES, mapping="sample-nothing"), "Choose a mapping"),
        (sent(INVOICES, mapping="import-1"), "Choose a mapping"),
        (sent(INVOICES, entity="other"), "Choose an entity"),
        (sent(INVOICES, history_until="soon"), "Give a date."),
        (sent(INVOICES, mapping="own", own="{"), "This is not JSON: line 1"),
        (sent(INVOICES, mapping="own", own='{"format": 1}'), "kind"),
    ):
        answer = browser.post("/import/", values)
        assert answer.status_code == 422
        assert words in answer.text


def test_a_mapping_of_ones_own_is_pasted_or_uploaded_and_offered_again(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """The next file of the entity begins with the mapping of the last."""
    browser = signed_in(people.manager)
    document = {**json.loads((SAMPLES / "invoices.json").read_text()), "key": "ours", "name": "Invoices of our house"}
    page = looked_at(browser, INVOICES + ROW % 1, mapping="own", own=json.dumps(document))
    browser.post(f"{page}/post")
    text = browser.get("/import/").text
    assert f'value="import-{Import.get().id}" selected' in text
    upload = (io.BytesIO(json.dumps(document).encode()), "ours.json")
    page = looked_at(browser, INVOICES + ROW % 2, mapping="own", own_file=upload)
    assert "Invoices of our house" in browser.get(page).text
    page = looked_at(browser, INVOICES + ROW % 3, mapping=f"import-{Import.get().id}")
    assert "Invoices of our house" in browser.get(page).text


def test_the_preview_tells_what_the_ledger_knows_already(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """The same rows under another file name: nothing new; posting them adds nothing."""
    browser = signed_in(people.manager)
    for name in ("first.csv", "second.csv"):
        page = looked_at(browser, INVOICES + ROW % 1, name=name)
        assert ("1 known already" in browser.get(page).text) == (name == "second.csv")
        assert browser.post(f"{page}/post").status_code == 303
    assert (Import.select().count(), DueLine.select().count()) == (2, 1)


def test_a_preview_is_found_for_an_hour_and_by_its_owner_only(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, clock: Any
) -> None:
    """Sixty minutes; a second more and its bytes are swept away. To another person it does not exist."""
    browser, other = signed_in(people.manager), signed_in(people.second)
    page = looked_at(browser, INVOICES + ROW % 1)
    assert other.get(page).status_code == other.post(f"{page}/post").status_code == 404
    clock.advance(minutes=60)
    assert browser.get(page).status_code == 200
    assert uploads.purge(runtime) == 0
    clock.advance(seconds=1)
    assert browser.get(page).status_code == browser.post(f"{page}/post").status_code == 404
    assert uploads.purge(runtime) == 1
    assert list((runtime.settings.var / uploads.FOLDER).iterdir()) == []
    assert Import.select().count() == 0


def test_spoilt_bytes_are_not_posted(signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime) -> None:
    """What lies on the disk must still be what was previewed."""
    browser = signed_in(people.manager)
    page = looked_at(browser, INVOICES + ROW % 1)
    (found,) = (runtime.settings.var / uploads.FOLDER).glob("*/content")
    assert found.stat().st_mode & 0o077 == 0
    found.write_bytes(INVOICES + ROW % 2)
    assert browser.post(f"{page}/post").status_code == 404
    assert Import.select().count() == 0


def test_a_file_goes_only_into_an_entity_seen_whole(
    signed_in: Callable[..., Any], make_user: Callable[..., Any], entity: Entity, people: Any, password_hash: str
) -> None:
    """Of a portfolio one does not import; the page says who can help."""
    user = make_user("north@dunwell.example", "credit_manager", entity, portfolio="north")
    user.password = password_hash
    user.save()
    browser = signed_in(user)
    assert "An administrator opens entities" in browser.get("/import/").text
    assert browser.post("/import/", sent(INVOICES + ROW % 1)).status_code == 422


def test_an_import_of_another_entity_does_not_exist(
    signed_in: Callable[..., Any], people: SimpleNamespace, make_user: Callable[..., Any], password_hash: str
) -> None:
    """Its result page answers 404 to who does not see the entity."""
    browser = signed_in(people.manager)
    location = browser.post(f"{looked_at(browser, INVOICES + ROW % 1)}/post").headers["Location"]
    stranger = make_user("elsewhere@dunwell.example", "credit_manager")
    stranger.password = password_hash
    stranger.save()
    assert signed_in(stranger).get(location).status_code == 404
    assert signed_in(people.auditor).get(location).status_code == 200


def test_every_shipped_sample_goes_through(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """Customers, invoices, payments and rates of samples/ with the mapping of their name."""
    browser = signed_in(people.manager)
    for name in ("customers", "invoices", "payments", "rates"):
        content = (ACCOUNTS / f"{name}.csv").read_bytes()
        page = looked_at(browser, content, mapping=f"sample-{name}", name=f"{name}.csv")
        assert "Post it" in browser.get(page).text, name
        answer = browser.post(f"{page}/post")
        assert answer.status_code == 303, name
        assert browser.get(answer.headers["Location"]).status_code == 200
    assert Customer.select().count() > 3


def test_a_file_beyond_the_limit_is_refused_and_the_limit_named(
    app: Any, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Before it is read: 413, how much may come at once, and what to do."""
    browser = signed_in(people.manager)
    app.config["MAX_CONTENT_LENGTH"] = 1_000
    answer = browser.post("/import/", sent(b"x" * 1_000))
    assert answer.status_code == 413
    assert "At most 64 MiB" in answer.text
    assert "Split it" in answer.text


@pytest.mark.browser
def test_a_file_is_imported_in_a_browser(page_as: Callable[..., Any], people: SimpleNamespace, tmp_path: Path) -> None:
    """By visible labels, under the page's policy, on a wide and on a narrow screen."""
    malformed = tmp_path / "malformed.csv"
    malformed.write_bytes(INVOICES + ROW % 1 + b"1002,<b>Other</b>,R-3,1,2025-09-01,2025-10-01,many,EUR,\n")
    for width, height in ((1440, 900), (390, 844)):
        watched = page_as(people.manager, width=width, height=height)
        page = watched.page
        watched.goto("/imports/")
        page.get_by_role("link", name="Import a file").click()
        watched.check()
        page.get_by_label("File", exact=True).set_input_files(malformed)
        page.get_by_label("Mapping", exact=True).select_option(label="Invoices with instalments")
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("This file cannot be posted as it is").wait_for()
        watched.check()
        page.get_by_role("link", name="Another file or mapping").click()
        page.get_by_label("File", exact=True).set_input_files(ACCOUNTS / "invoices.csv")
        page.get_by_label("Mapping", exact=True).select_option(label="Invoices with instalments")
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("How it was read").wait_for()
        watched.check()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Post it").first.click()
        page.get_by_text("invoices.csv is taken in.").wait_for()
        watched.check()
    assert Import.select().count() == 2
