"""Counts beside a policy: as it is saved, as it is typed, in the reader's words, and only to who sees everybody."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.editions import documents_in_force
from engine.frames import columns_of
from engine.kept_frames import scan_frame
from engine.pipeline import last_portfolio_run
from engine.runtime import Runtime
from engine.tables import Customer, Document, Entity, Outcome, User, UserScope
from ledger.canonical import canonical, sha256_of
from rules.facts import DICTIONARY

PAID = "/rules/3/when/all/1"  # of the segmentation: new customers are those with fewer paid invoices than so many


def live(key: str) -> Document:
    """The version in force of a document."""
    return next(d for d in documents_in_force(None, 10**5) if d.key == key)


def facts_of(runtime: Runtime, entity: Entity, *names: str) -> list[tuple[Any, ...]]:
    """The facts of all customers as the last run stored them."""
    run = last_portfolio_run(entity)
    assert run is not None
    return list(zip(*columns_of(scan_frame(runtime, str(run.facts_file)), *names), strict=True))


@pytest.fixture
def draft(decided: Entity, people: SimpleNamespace, signed_in: Callable[..., Any]) -> SimpleNamespace:
    """A manager at a draft of the segmentation, its new-customer rule open."""
    browser = signed_in(people.manager)
    answer = browser.post(f"/policies/{live('segmentation').id}/edit")
    number = int(re.search(r"/workbench/(\d+)", answer.location)[1])  # type: ignore[index]
    row = Document.get_by_id(number)
    body = json.loads(row.body)
    return SimpleNamespace(browser=browser, id=number, address=f"/workbench/{number}", row=row, body=body)


def form_of(draft: SimpleNamespace, place: str = "/rules/3", **fields: str) -> dict[str, str]:
    """What the form of a rule sends, some fields typed anew."""
    rule = draft.body["rules"][int(place.rsplit("/", 1)[1])]
    found = {"version": str(draft.row.version), "place": place, "of": rule["key"], "key": rule["key"], "when:is": "all"}
    found |= {"then/segment:form": "value", "then/segment:as": "value", "then/segment:value": rule["then"]["segment"]}
    for index, test in enumerate(rule["when"]["all"]):
        name = f"when/all/{index}"
        found |= {f"{name}:is": "test", f"{name}:fact": test[0], f"{name}:op": test[1]}
        fixed = not isinstance(test[2], dict)
        found[f"{name}:0:as"] = "value" if fixed else f"param:{test[2]['param']}"
        found[f"{name}:0:value"] = str(test[2]) if fixed else ""
    return found | {name.replace("__", ":"): value for name, value in fields.items()}


def test_the_counts_of_a_version_are_those_of_the_last_run(
    draft: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """Beside every test, group and rule; in the reader's words; the note says on which day's facts."""
    found = draft.browser.get(f"/policies/{draft.id}/counts").json
    assert found["ok"]
    test = draft.body["rules"][3]["when"]["all"][1]
    assert test[:2] == ["paid_count_12m", "<"]
    rows = facts_of(runtime, decided, "paid_count_12m", "exposure_minor")
    matched = [money or 0 for paid, money in rows if paid is not None and paid < test[2]]
    assert found["places"][PAID]["customers"] == len(matched)
    assert found["places"][PAID]["words"] == f"{len(matched)} customers · {sum(matched) // 100:,} EUR"
    expected = {"/rules", "/otherwise", "/rules/3", "/rules/3/when", "/rules/3/when/all/0", PAID}
    assert expected <= set(found["places"])
    assert found["places"]["/rules"]["customers"] + found["places"]["/otherwise"]["customers"] == 30
    assert re.fullmatch(r"Counted on the facts of .*: 30 customers\.", found["note"])


def test_a_form_is_counted_as_it_is_typed_and_nothing_is_saved(
    draft: SimpleNamespace, runtime: Runtime, decided: Entity, dump: Callable[[], list[str]]
) -> None:
    """A higher threshold counts more; the draft stays what it was."""
    rows = facts_of(runtime, decided, "paid_count_12m")
    before = dump()
    for paid in (0, 2, 500):
        answer = draft.browser.post(f"{draft.address}/counts", form_of(draft, **{"when/all/1__0__value": str(paid)}))
        assert answer.status_code == 200, answer.text
        expected = sum(one is not None and one < paid for (one,) in rows)
        assert answer.json["places"][PAID]["customers"] == expected
        assert (
            answer.json["places"]["/rules/0"]
            == draft.browser.get(f"/policies/{draft.id}/counts").json["places"]["/rules/0"]
        )
    assert dump() == before
    assert Document.get_by_id(draft.id).sha256 == draft.row.sha256


def test_a_value_that_cannot_be_read_is_not_counted_as_another(draft: SimpleNamespace) -> None:
    """No count beside it, its group and its rule; those of the other test and the other rules stand."""
    saved = draft.browser.get(f"/policies/{draft.id}/counts").json["places"]
    found = draft.browser.post(f"{draft.address}/counts", form_of(draft, **{"when/all/1__0__value": "a few"})).json[
        "places"
    ]
    assert {PAID, "/rules/3/when", "/rules/3", "/rules", "/otherwise"}.isdisjoint(found)
    assert found["/rules/3/when/all/0"] == saved["/rules/3/when/all/0"]
    assert found["/rules/0"]["customers"] == saved["/rules/0"]["customers"]


def test_a_form_of_an_older_version_is_told_so(draft: SimpleNamespace) -> None:
    """Somebody else saved meanwhile: a count beside the old state would mislead."""
    Document.update(version=draft.row.version + 1).where(Document.id == draft.id).execute()
    answer = draft.browser.post(f"{draft.address}/counts", form_of(draft), headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["ok"]) == (409, False)


def test_counts_are_in_the_readers_language(draft: SimpleNamespace, people: SimpleNamespace) -> None:
    """Words and separators alike."""
    User.update(language="de").where(User.id == people.manager.id).execute()
    found = draft.browser.get(f"/policies/{draft.id}/counts").json
    assert re.fullmatch(r"\d+ Kunden · [\d.]+ EUR", found["places"][PAID]["words"])


def test_a_gap_leads_to_a_customer_who_lies_in_it(draft: SimpleNamespace, runtime: Runtime, decided: Entity) -> None:
    """Beside the finding stands one of today's, the one with the largest exposure."""
    rows = facts_of(runtime, decided, "paid_count_12m", "exposure_minor", "customer_id")
    gap_at = max({paid for paid, _, _ in rows}, key=lambda one: sum(paid == one for paid, _, _ in rows))
    body = dict(draft.body)
    tests = [["paid_count_12m", "<", gap_at], ["paid_count_12m", ">", gap_at]]
    body["rules"] = [
        {**body["rules"][0], "key": f"part-{n}", "priority": n, "when": {"all": [test]}} for n, test in enumerate(tests)
    ]
    body["cases"] = []
    Document.update(body=canonical(body), sha256=sha256_of(body)).where(Document.id == draft.id).execute()
    expected = min((-(money or 0), one) for paid, money, one in rows if paid == gap_at)[1]
    customer = Customer.get_by_id(expected)
    page = draft.browser.get(draft.address).text
    found = re.search(r'Example of today: <a href="([^"]+)">([^<]+)</a>', page)
    assert found is not None
    assert unescape(found[2]) == f"{customer.number} {customer.name}"
    assert customer.name in unescape(draft.browser.get(found[1]).text)


def test_a_policy_says_how_large_it_is_for_what_confirms_it(draft: SimpleNamespace) -> None:
    """Paths and rulesets in words, and which rule makes most of them, on both pages."""
    words = "4 rules make 4 paths in 1 ruleset. The largest rule, “Insolvent”, makes 1 of at most 32."
    for address in (draft.address, f"/policies/{draft.id}", f"/policies/{live('segmentation').id}"):
        assert f"durable-rules confirms it: {words}" in unescape(draft.browser.get(address).text)
    assert "4 paths" not in draft.browser.get(f"/policies/{live('hold').id}").text


@pytest.mark.parametrize("scope", ["part", "none"])
def test_who_sees_a_part_gets_no_counts_of_the_rest(
    draft: SimpleNamespace, people: SimpleNamespace, signed_in: Callable[..., Any], decided: Entity, scope: str
) -> None:
    """No number, no distribution, no customer: neither of a policy nor of a fact."""
    Customer.update(portfolio="south").where(Customer.id > 3).execute()
    UserScope.delete().where(UserScope.user == people.analyst).execute()
    if scope == "part":
        UserScope.create(user=people.analyst, entity=decided, portfolio="south")
    analyst = signed_in(people.analyst)
    found = analyst.get(f"/policies/{live('segmentation').id}/counts").json
    assert found["places"] == {}
    assert found["note"] == "Counts are shown to those who see every customer."
    assert analyst.post(f"{draft.address}/counts", form_of(draft)).status_code == 403
    for address in (
        "/workbench/facts/segment/distribution",
        f"/workbench/facts/open_minor/distribution?document={draft.id}",
    ):
        answer = analyst.get(address)
        assert answer.status_code == 200
        assert "not counted" in answer.text
        assert not re.search(r"\d", re.sub(r"<[^>]*>", "", answer.text))


def test_a_fact_shows_its_distribution_as_picture_and_table(draft: SimpleNamespace, decided: Entity) -> None:
    """Every customer stands in one row of the table; a sentence says the middle and the ends."""
    text = draft.browser.get(f"/workbench/facts/open_minor/distribution?document={draft.id}").text
    counts = [int(one) for one in re.findall(r"<td>(\d+)</td>", text)]
    assert sum(counts) == 30
    assert text.count("<rect") == len(counts)
    assert re.search(r"median [\d,.]+ EUR, from [\d,.]+ EUR to [\d,.]+ EUR", text)
    words = draft.browser.get("/workbench/facts/segment/distribution").text
    for segment in {one.segment for one in Outcome.select()}:
        expected = Outcome.select().where(Outcome.segment == segment).count()
        assert f"<td>{expected}</td>" in words
    assert draft.browser.get("/workbench/facts/no_such_fact/distribution").status_code == 404


def test_every_fact_of_the_dictionary_has_an_answer(draft: SimpleNamespace) -> None:
    """Also those that nobody has a value for, and outcomes of this and later stages."""
    for name in DICTIONARY:
        answer = draft.browser.get(f"/workbench/facts/{name}/distribution")
        assert answer.status_code == 200, name
        assert "style=" not in answer.text


@pytest.mark.browser
def test_typing_changes_the_count_beside_the_condition(
    draft: SimpleNamespace,
    runtime: Runtime,
    decided: Entity,
    people: SimpleNamespace,
    page_as: Callable[..., Any],
) -> None:
    """The new number stands there with the difference to what is saved; saved, the difference is gone."""
    rows = facts_of(runtime, decided, "paid_count_12m")
    watched = page_as(people.manager)
    watched.goto(f"{draft.address}?open=/rules/3")
    page = watched.page
    beside = page.locator(f'.editor [data-count="{PAID}"]')
    before = draft.body["rules"][3]["when"]["all"][1][2]
    was, now = (sum(one is not None and one < paid for (one,) in rows) for paid in (before, 500))
    assert was < now
    beside.get_by_text(f"{was} customer").wait_for()
    field = page.get_by_label("Lines paid in 12 months: value: fixed value")
    field.fill("500")
    beside.get_by_text(f"{now} customers").wait_for()
    expect(beside.locator(".delta")).to_have_text(f"+{now - was}")
    expect(field).to_be_focused()
    expect(page.locator("[data-counts-spoken]")).not_to_be_empty()
    field.fill("some")
    page.wait_for_function(
        "place => document.querySelector(`.editor [data-count=\"${place}\"]`).textContent === ''", arg=PAID
    )
    field.fill("500")
    beside.get_by_text(f"{now} customers").wait_for()
    page.get_by_role("button", name="Save the rule").click()
    page.wait_for_function(
        'place => { const one = document.querySelector(`[data-count="${place}"]`);'
        " return one && one.textContent !== '' && !document.querySelector('.delta'); }",
        arg=PAID,
    )
    watched.check()


@pytest.mark.browser
def test_a_count_that_does_not_come_says_so_and_editing_goes_on(
    draft: SimpleNamespace, people: SimpleNamespace, page_as: Callable[..., Any]
) -> None:
    """The old numbers are marked as old; the next answer takes the note away."""
    watched = page_as(people.manager)
    watched.goto(f"{draft.address}?open=/rules/3")
    page = watched.page
    field = page.get_by_label("Lines paid in 12 months: value: fixed value")
    page.route("**/counts", lambda route: route.abort())
    field.fill("77")
    page.get_by_text("The counts could not be fetched.").wait_for()
    page.locator(".count.stale").first.wait_for()
    expect(field).to_have_value("77")
    page.unroute("**/counts")
    field.fill("78")
    page.get_by_text("Counted on the facts of").wait_for()
    expect(page.locator(".count.stale")).to_have_count(0)


@pytest.mark.browser
def test_the_picker_of_facts_draws_what_comes_into_view(
    draft: SimpleNamespace, people: SimpleNamespace, page_as: Callable[..., Any]
) -> None:
    """Each line gets its picture when it is looked at; nothing serious for axe."""
    watched = page_as(people.manager)
    watched.goto(f"{draft.address}?open=/rules/3")
    page = watched.page
    page.get_by_role("button", name="Add a condition", exact=True).click()
    page.get_by_label("Search by name or meaning").fill("open amount")
    page.locator("#facts li:not([hidden]) .histogram svg").first.wait_for()
    drawn = page.locator("#facts .histogram svg").count()
    assert 0 < drawn < page.locator("#facts li").count()
    watched.check()
