"""Explanations in the console: sources, why not, the timeline, what made the difference, and on paper."""

import io
import json
import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pypdf import PdfReader

from admin.explaining import UNKNOWN_CURES
from admin.timelines import PAGE_DECISIONS
from engine.events import drain_dirty
from engine.overrides import EndOverride, SetOverride
from engine.pipeline import asking, facts_of
from engine.runtime import Runtime
from engine.tables import Action, Customer, Decision, Document, Entity, Outcome
from rules.facts import FACTS
from rules.why_not import why_not
from rules.why_words import change_words
from rules.words import Voice


@pytest.fixture
def late(decided: Entity) -> Customer:
    """A customer that is being dunned."""
    found: Customer = Customer.get_by_id(Outcome.select().where(Outcome.level > 0).first().customer_id)
    return found


def test_the_page_names_the_version_who_approved_it_and_its_parameters(
    late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """Each stage leads to the version that decided it; parameters stand with their value and day."""
    text = signed_in(people.sales).get(f"/customers/{late.id}/explanation").text
    for document in Document.select().where(Document.status == "live", Document.kind == "policy"):
        assert f'href="/policies/{document.id}">{document.sha256[:12]}</a>' in text
        assert f"by {document.approved_by.name} on " in text
        assert f"proposed by {document.proposed_by.name}" in text
    parameters = json.loads(Document.get(Document.status == "live", Document.kind == "parameters").body)["parameters"]
    tolerance = next(one for one in parameters if one["name"] == "dunning_tolerance")
    assert tolerance["values"][0]["value"] == 500
    assert f"<dt>{tolerance['label']}</dt><dd>5.00 EUR" in text
    assert text.count('class="mark"') > 100


def test_a_rule_asked_about_is_answered_as_the_rules_room_says(
    runtime: Runtime, late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """Now and for a decision: every rule of every stage has an answer; one that names no rule is left out."""
    browser = signed_in(people.auditor)
    ask = asking(runtime, late.entity, runtime.today(late.entity))
    (row,) = facts_of(runtime, ask, [late.id])
    decision = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).first()
    for name, key in (("hold", "overdue"), ("segmentation", "key-account"), ("credit_limit", "class-e")):
        rules = ask.edition.book.stages[name].rules
        key = key if key in {rule.key for rule in rules} else rules[0].key
        answer = why_not(row, ask.edition.book, name, key)
        page = browser.get(f"/customers/{late.id}/explanation?why_not={name}/{key}").text
        asked = page[page.index('class="answer"') :]
        for change, words in zip(answer.changes, change_words(answer.changes, Voice()), strict=True):
            assert words.split(";")[0].split(" is ")[0] in asked, change
            assert "it would have to be" in asked
        stored = browser.get(f"/decisions/{decision.id}?why_not={name}/{key}").text
        assert 'class="answer"' in stored
    for wrong in ("hold/nonsense", "nonsense", "<script>"):
        page = browser.get(f"/customers/{late.id}/explanation", query_string={"why_not": wrong})
        assert page.status_code == 200
        assert 'class="answer"' not in page.text


def test_what_one_may_not_see_does_not_exist(
    late: Customer,
    people: SimpleNamespace,
    make_user: Callable[..., Any],
    password_hash: str,
    signed_in: Callable[..., Any],
) -> None:
    """Another portfolio's customer has no explanation, timeline or comparison."""
    one = make_user("north@main.example", "collector", late.entity, portfolio="north")
    type(one).update(password=password_hash).where(type(one).id == one.id).execute()
    browser = signed_in(one)
    decision = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).first()
    for path in (
        f"/customers/{late.id}/explanation",
        f"/customers/{late.id}/timeline",
        f"/decisions/{decision.id}",
        f"/decisions/{decision.id}/compare",
    ):
        assert browser.get(path).status_code == 404


def test_every_cure_is_of_a_fact_that_may_be_unknown() -> None:
    """A fact that is renamed takes its cure along."""
    for name in UNKNOWN_CURES:
        assert FACTS[name].nullable, name


@pytest.mark.both
def test_the_timeline_tells_what_happened_day_by_day(
    runtime: Runtime, late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """Decisions with rule and actions, overrides and their end, policies that came into force."""
    day = runtime.today(late.entity)
    given = runtime.execute(
        SetOverride(
            actor=people.manager.id,
            reason="a good customer of old",
            customer=late.id,
            target="segment",
            value="key_account",
            until_day=day + 20,
        )
    )
    runtime.execute(EndOverride(actor=people.manager.id, reason="over", override=given["override"]))
    action = Action.get(Action.customer == late, Action.decision.is_null(False))
    browser = signed_in(people.manager)
    text = browser.get(f"/customers/{late.id}/timeline").text
    decisions = list(Decision.select().where(Decision.customer == late))
    assert len(decisions) > 1
    for decision in decisions:
        assert f'href="/decisions/{decision.id}"' in text
    assert f'href="/decisions/{decisions[-1].id}/compare"' in text
    assert f'href="/decisions/{decisions[0].id}/compare"' not in text  # there is none before the first
    assert "a good customer of old" in text
    assert "Override of Segment ended" in text
    assert "a version came into force" in text
    assert (f"/messages/{action.id}" in text) or (f"/diary/{action.id}" in text)
    only = browser.get(f"/customers/{late.id}/timeline?stage=hold").text
    assert "a good customer of old" not in only
    for decision in decisions:
        assert (f'href="/decisions/{decision.id}"' in only) == ('"hold":' in decision.changes)
    assert "Nothing was decided" not in text


def test_ten_thousand_decisions_are_read_a_page_at_a_time(
    late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """Every decision stands on exactly one page, and the last page costs no more than a few times the first."""
    row = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).dicts().first()
    row = {**{name: value for name, value in row.items() if name != "id"}}
    rows = [{**row, "as_of_day": row["as_of_day"] + 1 + index // 3} for index in range(10_000)]
    for start in range(0, len(rows), 500):
        Decision.insert_many(rows[start : start + 500]).execute()
    wanted = [number for (number,) in Decision.select(Decision.id).where(Decision.customer == late).tuples()]
    browser = signed_in(people.manager)

    def links(text: str) -> list[int]:
        return [int(number) for number in re.findall(r'<a href="/decisions/(\d+)">', text)]

    def following(text: str) -> str | None:
        found = [part for part in text.split("<a ") if 'rel="next"' in part[:400] and "before=" in part[:400]]
        return found[0].split('href="')[1].split('"')[0].replace("&amp;", "&") if found else None

    path: str | None = f"/customers/{late.id}/timeline"
    seen, spent = [], []
    for _ in range(4):
        start = time.thread_time()
        text = browser.get(path).text
        spent.append(time.thread_time() - start)
        seen += links(text)
        path = following(text)
    assert seen == sorted(wanted, reverse=True)[: 4 * PAGE_DECISIONS]
    # From somewhere far down to the end.
    from admin.console import cursor

    far = sorted(wanted)[60]
    path, seen = f"/customers/{late.id}/timeline?before={cursor(10**5, far)}", []
    while path:
        start = time.thread_time()
        text = browser.get(path).text
        spent.append(time.thread_time() - start)
        seen += links(text)
        path = following(text)
    assert seen == sorted((number for number in wanted if number < far), reverse=True)
    assert max(spent[4:]) < 5 * sorted(spent[:4])[1] + 0.1


@pytest.mark.both
def test_two_decisions_side_by_side_name_the_fact_that_made_the_difference(
    runtime: Runtime, late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """The second day's step of the customer: the page names what changed and what of it decided."""
    second = (
        Decision.select()
        .where(Decision.changes.contains('"escalation":'))
        .order_by(Decision.as_of_day.desc(), Decision.id)
        .first()
    )
    first = Decision.select().where(Decision.customer == second.customer, Decision.id < second.id).first()
    text = signed_in(people.auditor).get(f"/decisions/{second.id}/compare").text
    assert "made the difference" in text or "Both give the same outcomes" in text
    before, after = json.loads(first.facts), json.loads(second.facts)
    assert before != after
    assert "Facts that differ" in text
    assert signed_in(people.auditor).get(f"/decisions/{first.id}/compare").status_code == 404


def test_an_override_stands_with_its_reason_on_the_page_of_the_decision_that_read_it(
    runtime: Runtime, late: Customer, people: SimpleNamespace, signed_in: Callable[..., Any], clock: Any
) -> None:
    """Who set it, why, until when; on decisions of before it does not stand."""
    earlier = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).first()
    day = runtime.today(late.entity)
    clock.advance(minutes=5)
    runtime.execute(
        SetOverride(
            actor=people.manager.id,
            reason="a good customer of old",
            customer=late.id,
            target="segment",
            value="risky" if Outcome.get_by_id(late.id).segment != "risky" else "key_account",
            until_day=day + 20,
        )
    )
    browser = signed_in(people.auditor)
    assert "a good customer of old" in browser.get(f"/customers/{late.id}/explanation").text
    assert drain_dirty(runtime) == 1
    decision = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).first()
    assert decision.id > earlier.id
    text = browser.get(f"/decisions/{decision.id}").text
    assert "a good customer of old" in text
    assert "override; the rules say" in text
    assert "a good customer of old" not in browser.get(f"/decisions/{earlier.id}").text


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["now", "decision"])
def test_an_explanation_prints_on_three_pages_at_most(
    page_as: Callable[..., Any], people: SimpleNamespace, late: Customer, kind: str
) -> None:
    """A4, black on white, without the menu; with entity, customer, day, edition, and who printed it."""
    decision = Decision.select().where(Decision.customer == late).order_by(Decision.id.desc()).first()
    watched = page_as(people.manager)
    watched.goto(
        f"/customers/{late.id}/explanation?why_not=hold/insolvent" if kind == "now" else f"/decisions/{decision.id}"
    )
    page = watched.page
    assert not page.locator(".print-head").is_visible()
    document = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))
    text = " ".join("\n".join(one.extract_text() for one in document.pages).split())
    assert 1 <= len(document.pages) <= 3
    width, height = (float(part) for part in document.pages[0].mediabox[2:])
    assert (round(width), round(height)) == (595, 842)
    for words in (late.entity.name, late.number, late.name, decision.edition, f"by {people.manager.name} on", "Why"):
        assert words in text
    for words in ("Dashboard", "Sign out", "Find a customer", "Audit trail", "Ask"):
        assert words not in text
    if kind == "now":
        assert "it would have to be yes" in text
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter((one) => one.offsetParent && one.textContent.trim())
          .map((one) => getComputedStyle(one).color + ' on ' + getComputedStyle(one).backgroundColor)"""
    )
    inks = {colour.split(" on ")[0] for colour in colours}
    grounds = {colour.split(" on ")[1] for colour in colours}
    assert inks <= {"rgb(0, 0, 0)", "rgb(34, 34, 34)"}
    assert grounds <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_asking_why_not_by_labels_and_with_the_keyboard(
    page_as: Callable[..., Any], people: SimpleNamespace, late: Customer, width: int, height: int
) -> None:
    """From the customer's page: choose a rule, ask, read the answer."""
    watched = page_as(people.collector, width=width, height=height)
    watched.goto(f"/customers/{late.id}")
    page = watched.page
    page.get_by_role("link", name="Why not another rule?").click()
    page.get_by_label("A rule that did not decide").select_option("hold/insolvent")
    page.get_by_role("button", name="Ask").focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Insolvent is no; it would have to be yes").wait_for()
    page.get_by_role("link", name="Timeline").click()
    page.get_by_label("Stage").select_option("escalation")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("heading", name="Timeline of").wait_for()
    page.get_by_role("link", name="Compare with the decision before").first.click()
    page.get_by_role("heading", name="What made the difference").wait_for()
    watched.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
