"""Policies and parameters: read in words, a change tried and proposed, a second person's approval."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from admin import measures
from engine.editions import documents_in_force
from engine.runtime import Runtime
from engine.tables import AuditEntry, Customer, Document, Entity, User, UserScope
from ledger.columns import Kind
from ledger.days import date_of
from rules.thresholds import thresholds_of


def document(key: str) -> Document:
    """The version in force of a document."""
    return next(d for d in documents_in_force(None, 10**5) if d.key == key)


def place_of(key: str, owner: str) -> str:
    """Where the first number of a rule, band, step or parameter stands."""
    return next(t.place for t in thresholds_of(json.loads(document(key).body)) if t.owner == owner)


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture
def change(runtime: Runtime, decided: Entity) -> SimpleNamespace:
    """The page that changes from how many days past due orders are held, and what its form sends."""
    address = f"/parameters/{document('parameters').id}/change/{place_of('parameters', 'hold_set_days')}"
    tomorrow = date_of(runtime.today(decided) + 1).isoformat()
    return SimpleNamespace(address=address, values={"value": "12", "from_on": tomorrow, "key": "k", "do": "try"})


def seen_in(page: str) -> str:
    """What the form keeps about the figures it has shown."""
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert found is not None, "the page shows no figures"
    return found.group(1)


def proposed(browser: Any, change: SimpleNamespace, **more: str) -> Document:
    """Try a change, then propose it."""
    values = {**change.values, **more}
    seen = seen_in(browser.post(change.address, values).text)
    answer = browser.post(change.address, {**values, "do": "propose", "seen": seen, "reason": "losses rose"})
    assert answer.status_code == 303, words_of(answer.text)
    return Document.select().where(Document.status == "proposed").order_by(Document.id.desc()).get()


# --- reading ----------------------------------------------------------------------------


def test_the_stages_stand_in_the_order_they_decide_in(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """With the number of rules, and how many customers each outcome has now, leading to them."""
    page = signed_in(people.sales).get("/policies/").text
    heads = re.findall(r'<h2><a href="/policies/\d+">([^<]+)</a></h2>', page)
    assert heads == ["Scorecard", "Segmentation", "Credit limit", "Hold", "Escalation", "Worklist", "Alert"]
    assert "8 rules" in page
    assert 'href="/customers/?segment=standard"' in page


def test_a_policy_is_read_in_words_with_its_numbers_in_reach(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A number of the policy and a parameter are links for a manager, plain words for sales."""
    hold, scorecard = document("hold"), document("scorecard")
    manager, sales = signed_in(people.manager), signed_in(people.sales)
    page = manager.get(f"/policies/{hold.id}").text
    assert "Days past due of the leader is at least 30 days" in words_of(page)
    assert 'aria-label="Change 30 days (Hold from days past due)"' in page
    assert "Nothing stands against new orders." in page
    assert re.search(r"\d+ matched", words_of(page))
    assert 'aria-label="Change +35"' in manager.get(f"/policies/{scorecard.id}").text
    assert "Change 30 days" not in sales.get(f"/policies/{hold.id}").text
    assert "Change +35" not in sales.get(f"/policies/{scorecard.id}").text


def test_a_scenario_is_a_line_of_days(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> None:
    """Standard first; before the due date, the due date, after it; an empty one says so."""
    words = words_of(signed_in(people.auditor).get(f"/policies/{document('escalation').id}").text)
    parts = ["Scenario: Standard", "10 days before", "due date", "4 days after", "First reminder", "50 days after"]
    places = [words.index(part) for part in parts]
    assert places == sorted(places)
    assert "No steps: nobody in this segment is dunned." in words


def test_every_parameter_has_its_range_and_the_rules_that_read_it(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """In human units, the unit once; who may not change one gets no button."""
    page = signed_in(people.sales).get("/parameters/").text
    words = words_of(page)
    assert "Hold from days past due" in words
    assert "1 to 365 days" in words
    assert "0 to 1,000 EUR" in words
    assert "50 to 500 %" in words
    assert "Used by Overdue" in words
    assert "Change Hold" not in page
    assert 'aria-label="Change Hold from days past due"' in signed_in(people.analyst).get("/parameters/").text


def test_a_draft_can_be_tried_and_proposed_where_nothing_is_in_force(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A stage without a policy shows the draft the product ships with."""
    hold = document("hold")
    Document.update(status="draft").where(Document.id == hold.id).execute()
    Document.update(from_day=None, approved_at=None, proposed_by=None, proposed_at=None).where(
        Document.id == hold.id
    ).execute()
    browser = signed_in(people.manager)
    assert "Nothing in force" in browser.get("/policies/").text
    values = {"from_on": "2026-04-02", "reason": "", "do": "try"}
    assert "Whom it touches" in browser.post(f"/policies/{hold.id}/propose", values).text
    refused = browser.post(f"/policies/{hold.id}/propose", {**values, "do": "propose"})
    assert (refused.status_code, "Say why" in refused.text) == (422, True)
    answer = browser.post(f"/policies/{hold.id}/propose", {**values, "do": "propose", "reason": "we need it"})
    assert (answer.status_code, Document.get_by_id(hold.id).status) == (303, "proposed")


# --- numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "language", "value"),
    [
        ("1,250.50", Kind.MONEY, "en", 125_050),
        ("1.250,50", Kind.MONEY, "de", 125_050),
        ("1 250,50 EUR", Kind.MONEY, "fr", 125_050),
        ("1.250,50", Kind.MONEY, "en", None),
        ("12.345", Kind.MONEY, "en", None),  # more digits than the currency has: never rounded
        ("12.5", Kind.RATIO, "en", 1_250),
        ("12,5 %", Kind.RATIO, "de", 1_250),
        ("12.345", Kind.RATIO, "en", None),
        ("30", Kind.DAYS, "en", 30),
        ("30 days", Kind.DAYS, "en", 30),
        ("-10", Kind.DAYS, "en", -10),
        ("30.5", Kind.DAYS, "en", None),
        ("1,000", Kind.COUNT, "en", 1_000),
        ("1.000", Kind.COUNT, "de", 1_000),
        ("1.000", Kind.COUNT, "en", 1),
        ("10,00", Kind.COUNT, "en", None),
        ("", Kind.COUNT, "en", None),
        ("many", Kind.DAYS, "en", None),
        ("٣", Kind.DAYS, "en", None),
        ("9" * 40, Kind.COUNT, "en", None),
    ],
)
def test_numbers_are_read_as_the_reader_writes_them(
    app: Flask, text: str, kind: Kind, language: str, value: int | None
) -> None:
    """By the reader's decimal mark, with or without the unit; what is not clear is refused."""
    with app.test_request_context("/", headers={"Accept-Language": language}):
        assert measures.read_number(text, kind, "EUR") == value


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (0, Kind.MONEY),
        (123_456_789, Kind.MONEY),
        (1, Kind.RATIO),
        (1_250, Kind.RATIO),
        (11_000, Kind.RATIO),
        (-10, Kind.DAYS),
        (1_825, Kind.DAYS),
        (7, Kind.COUNT),
    ],
)
def test_a_number_shown_in_a_field_is_read_as_itself(app: Flask, language: str, value: int, kind: Kind) -> None:
    """Also with its unit behind it."""
    with app.test_request_context("/", headers={"Accept-Language": language}):
        text = measures.number_text(value, kind, "EUR")
        assert measures.read_number(text, kind, "EUR") == value
        assert measures.read_number(f"{text} {measures.unit_of(kind, 'EUR')}", kind, "EUR") == value


@pytest.mark.parametrize(
    ("value", "status", "words"),
    [
        ("0", 422, "This is too low: 1 day is the least."),
        ("1", 200, "Whom it touches"),
        ("365", 200, "Whom it touches"),
        ("366", 422, "This is too high: 365 days is the most."),
        ("soon", 422, "This cannot be read: write a number such as 14."),
        ("30", 422, "This is the value it has already."),
    ],
)
def test_a_value_below_at_and_above_its_range(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace, value: str, status: int, words: str
) -> None:
    """What is wrong stands beside the field, and what was written is kept."""
    answer = signed_in(people.manager).post(change.address, {**change.values, "value": value})
    assert answer.status_code == status
    assert words in words_of(answer.text)
    assert f'name="value" value="{value}"' in answer.text


# --- trying and proposing ---------------------------------------------------------------


def test_a_trial_names_whom_it_touches_and_writes_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """Counts before and after, money, names that lead to the customers; no document, no audit entry."""
    before = (Document.select().count(), AuditEntry.select().count())
    page = signed_in(people.manager).post(change.address, change.values).text
    words = words_of(page)
    assert "Customers touched" in words
    assert re.search(r"Hold \d+ customers? changes?", words)
    assert "Nobody changes in: Scorecard, Segmentation, Credit limit, Escalation, Alert." in words
    named = re.findall(r'href="/customers/(\d+)"', page)
    assert named
    assert all(Customer.get_by_id(key).name in words for key in named)
    assert (Document.select().count(), AuditEntry.select().count()) == before


def test_a_change_that_touches_nobody_says_so(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """It can be proposed all the same: other days will come."""
    page = signed_in(people.manager).post(change.address, {**change.values, "value": "29"}).text
    assert "Nobody is touched" in page
    assert "Propose" in page


def test_the_day_may_not_lie_before_the_last_decided_one(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """That day itself is allowed; no day at all is said beside the field."""
    browser = signed_in(people.manager)
    early = browser.post(change.address, {**change.values, "from_on": "2026-03-31"})
    assert (early.status_code, "1 Apr 2026 is decided already" in early.text) == (422, True)
    assert browser.post(change.address, {**change.values, "from_on": "2026-04-01"}).status_code == 200
    assert "This is not a date" in browser.post(change.address, {**change.values, "from_on": "soon"}).text


def test_nothing_is_proposed_without_a_reason_or_without_having_looked(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """The figures must be those on the page: another value than the one that was tried is shown first."""
    browser = signed_in(people.manager)
    seen = seen_in(browser.post(change.address, change.values).text)
    values = {**change.values, "do": "propose", "seen": seen}
    assert "Say why, for the second person." in browser.post(change.address, values).text
    unseen = browser.post(change.address, {**values, "reason": "because", "value": "10"})
    assert (unseen.status_code, "The figures are new" in unseen.text) == (422, True)
    assert not Document.select().where(Document.status == "proposed").exists()


def test_sent_twice_it_is_proposed_once(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """The form's key makes the second a repeat."""
    browser = signed_in(people.manager)
    first = proposed(browser, change)
    assert proposed(browser, change).id == first.id
    assert Document.select().where(Document.status == "proposed").count() == 1


def test_examples_that_a_new_threshold_overturns_are_shown_and_owned(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """A case expects 35 points: the new result must be wanted, and the second person reads it."""
    address = f"/policies/{document('scorecard').id}/change/rules/0/then/points"
    browser = signed_in(people.manager)
    values = {**change.values, "value": "3", "rule_name": "Score 60 % and above, provisionally"}
    page = browser.post(address, values).text
    assert "score at 60 %" in words_of(page)
    again = {**values, "do": "propose", "reason": "a mild spring", "seen": seen_in(page)}
    assert "Say whether the new results are what you want." in browser.post(address, again).text
    answer = browser.post(address, {**again, "adopt": "yes"})
    assert answer.status_code == 303
    words = words_of(signed_in(people.second).get(answer.location).text)
    assert "Case “score at 60 %” Points: 35, Class: C Points: 3, Class: A" in words
    assert "Score 60 % and above, provisionally, label Score 60 % and above" in words


# --- approving --------------------------------------------------------------------------


def test_a_second_person_reads_the_difference_and_approves(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """Who, why, what changes, whom it touches as it was seen, the hash; then it is approved from its day."""
    proposal = proposed(signed_in(people.manager), change)
    browser = signed_in(people.second)
    assert "a change waits for approval" in browser.get("/policies/").text
    page = browser.get(f"/parameters/{proposal.id}").text
    words = words_of(page)
    assert f"{people.manager.name} proposes" in words
    assert "Hold from days past due 30 days 12 days from 2 Apr 2026" in words
    assert "losses rose" in words
    assert proposal.sha256 in page
    assert "Customers touched" in words
    answer = browser.post(f"/parameters/{proposal.id}/approve", {"sha256": proposal.sha256, "reason": "agreed"})
    assert answer.status_code == 303
    row = Document.get_by_id(proposal.id)
    assert (row.status, row.approved_by_id) == ("approved", people.second.id)
    assert "Approved: it holds from 2 Apr 2026." in browser.get(answer.location).text
    assert "12 days from 2 Apr 2026" in words_of(browser.get("/parameters/").text)


def test_nobody_approves_what_they_proposed(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """The page says so and offers to withdraw; the request itself is refused."""
    browser = signed_in(people.manager)
    proposal = proposed(browser, change)
    page = browser.get(f"/parameters/{proposal.id}").text
    assert "somebody else must approve it" in page
    assert "Withdraw" in page
    assert "</svg>Approve</button>" not in page
    answer = browser.post(f"/parameters/{proposal.id}/approve", {"sha256": proposal.sha256})
    assert (answer.status_code, Document.get_by_id(proposal.id).status) == (403, "proposed")


def test_only_what_was_read_is_approved(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """Another sha256 than the proposal's is a conflict, with both values."""
    proposal = proposed(signed_in(people.manager), change)
    answer = signed_in(people.second).post(f"/parameters/{proposal.id}/approve", {"sha256": "0" * 64})
    assert answer.status_code == 409
    assert "0" * 64 in answer.text
    assert proposal.sha256 in answer.text


def test_a_proposal_that_was_overtaken_cannot_undo_what_came_between(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """Two changes from one version: the first approved, the second must be made again from it."""
    first = proposed(signed_in(people.manager), change)
    second = proposed(signed_in(people.analyst), change, value="14", key="other")
    browser = signed_in(people.second)
    assert browser.post(f"/parameters/{first.id}/approve", {"sha256": first.sha256}).status_code == 303
    assert "no longer the newest" in browser.get(f"/parameters/{second.id}").text
    assert browser.post(f"/parameters/{second.id}/approve", {"sha256": second.sha256}).status_code == 409
    assert Document.get_by_id(second.id).status == "proposed"
    assert signed_in(people.analyst).get(change.address).status_code == 404  # the page of the older version
    newest = signed_in(people.analyst).get("/parameters/").text
    assert f"/parameters/{first.id}/change/" in newest


def test_a_rejection_needs_a_reason(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """Then the proposal is closed, and can neither be approved nor rejected again."""
    proposal = proposed(signed_in(people.manager), change)
    browser = signed_in(people.second)
    assert browser.post(f"/parameters/{proposal.id}/reject").status_code == 422
    assert browser.post(f"/parameters/{proposal.id}/reject", {"reason": "too strict"}).status_code == 303
    assert "Rejected: it never took effect." in browser.get(f"/parameters/{proposal.id}").text
    assert browser.post(f"/parameters/{proposal.id}/approve", {"sha256": proposal.sha256}).status_code == 409
    assert AuditEntry.select().order_by(AuditEntry.id.desc()).first().reason == "too strict"


def test_who_may_not_propose_or_approve_is_refused(
    signed_in: Callable[..., Any], people: SimpleNamespace, change: SimpleNamespace
) -> None:
    """A collector neither tries nor proposes; an analyst proposes but does not approve."""
    assert signed_in(people.collector).get(change.address).status_code == 403
    assert signed_in(people.collector).post(change.address, change.values).status_code == 403
    analyst = signed_in(people.analyst)
    proposal = proposed(analyst, change)
    assert analyst.post(f"/parameters/{proposal.id}/approve", {"sha256": proposal.sha256}).status_code == 403
    assert analyst.post(f"/parameters/{proposal.id}/reject", {"reason": "no"}).status_code == 403


def test_what_is_no_number_of_the_document_is_not_there(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Guessed places and documents answer 404."""
    browser = signed_in(people.manager)
    key = document("parameters").id
    for path in (f"/parameters/{key}/change/name", f"/parameters/{key}/change/parameters/999/value", "/policies/999"):
        assert browser.get(path).status_code == 404, path


# --- scopes -----------------------------------------------------------------------------


def test_who_sees_one_portfolio_learns_nothing_about_the_other(
    runtime: Runtime,
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
    change: SimpleNamespace,
    trade: ModuleType,
    make_user: Any,
    password_hash: str,
    decided: Entity,
) -> None:
    """No trial, no counts of rules, no impact, no names; the distribution counts their own customers only."""
    proposal = proposed(signed_in(people.manager), change)
    mine = Customer.select().order_by(Customer.id).limit(3)
    Customer.update(portfolio="north").where(Customer.id.in_(mine)).execute()
    reader = make_user("north@dunwell.example", "credit_manager", decided, portfolio="north")
    User.update(password=password_hash).where(User.id == reader.id).execute()
    browser = signed_in(reader)
    page = browser.get(f"/parameters/{proposal.id}").text
    assert "Whom it touches is shown to people who see the whole entity." in page
    assert "Customers touched" not in page
    assert not re.search(r'href="/customers/\d+"', page)
    others = [one.name for one in Customer.select().where(Customer.portfolio.is_null())]
    assert not [name for name in others if name in page]
    assert "matched" not in words_of(browser.get(f"/policies/{document('hold').id}").text).split("19 cases")[0]
    counts = re.findall(r'<span class="num"><span class="num">(\d+)</span></span>', browser.get("/policies/").text)
    assert sum(map(int, counts)) == 3 * 4  # class, segment, hold and level
    assert browser.get(change.address).status_code == 403
    assert browser.post(change.address, change.values).status_code == 403
    assert browser.post(f"/parameters/{proposal.id}/approve", {"sha256": proposal.sha256}).status_code == 403
    UserScope.delete().where(UserScope.user == reader).execute()
    assert not re.search(r"customers now", browser.get("/policies/").text)


def test_a_change_is_tried_on_every_entity_it_is_for(
    runtime: Runtime,
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
    change: SimpleNamespace,
    trade: ModuleType,
    decided: Entity,
) -> None:
    """A document of all entities needs somebody who sees them all; then each is shown apart, in its currency."""
    other = Entity.create(code="north", name="North Ltd", currency="SEK", zone="UTC", country="SE")
    trade.trade(runtime, other, 30, prefix="N", today=runtime.today(other) - 1)
    trade.decide(runtime, other, runtime.today(other))
    browser = signed_in(people.manager)
    assert browser.get(change.address).status_code == 403
    UserScope.create(user=people.manager, entity=other)
    words = words_of(browser.post(change.address, change.values).text)
    assert "Whom it touches: Main Ltd" in words
    assert "Whom it touches: North Ltd" in words
    assert "SEK" in words
    assert "Amounts count in the own currency of each entity" in browser.get("/parameters/").text
