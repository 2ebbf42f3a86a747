"""Derived facts and parameters in the console: written, checked, tried, proposed and approved like a policy."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from engine.derived_preview import largest_customers
from engine.editions import documents_in_force, edition_for
from engine.governance import ApproveDocument, ProposeDocument
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Customer, Decision, Document, Entity

SHARE = "overdue_net / credit_limit"


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


class Desk:
    """A person at a draft of derived facts or of parameters."""

    def __init__(self, browser: Any, draft: int) -> None:
        self.browser, self.id, self.address = browser, draft, f"/workbench/{draft}"

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

    def send(self, place: str, **values: str) -> Any:
        """Send the form of one item."""
        named = {name.replace("__", ":"): value for name, value in values.items()}
        return self.browser.post(f"{self.address}/edit", {"version": self.row.version, "place": place, **named})


def opened(answer: Any) -> int:
    """The draft a redirect leads to."""
    assert answer.status_code == 303, words_of(answer.text)
    found = re.search(r"/workbench/(\d+)", answer.location)
    assert found is not None
    return int(found[1])


@pytest.fixture
def derived(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Desk:
    """The manager at an empty draft of derived facts for all entities."""
    browser = signed_in(people.manager)
    return Desk(browser, opened(browser.post("/derived-facts/new", {"entity": ""})))


@pytest.fixture
def figures(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Desk:
    """The manager at a draft of the parameters in force."""
    browser = signed_in(people.manager)
    (live,) = (one for one in documents_in_force(None, 10**5) if one.kind == "parameters")
    return Desk(browser, opened(browser.post(f"/policies/{live.id}/edit")))


def add_share(desk: Desk, **more: str) -> Any:
    """Write the share of the limit that is overdue."""
    values = {"label": "Overdue share", "meaning": "Net overdue by limit.", "formula": SHARE, "rounding": "down"}
    return desk.send("/facts/-", **{**values, **more})


def approved(desk: Desk, second: Any, kind: str, from_on: str) -> None:
    """Have the draft proposed by the first and approved by the second person."""
    values = {"from_on": from_on, "reason": "We look at the share.", "do": "propose"}
    answer = desk.browser.post(f"/{kind}/{desk.id}/propose", values)
    assert answer.status_code == 303, words_of(answer.text)
    page = second.get(f"/{kind}/{desk.id}").text
    assert "Approve or reject" in page
    answer = second.post(f"/{kind}/{desk.id}/approve", {"sha256": desk.row.sha256})
    assert answer.status_code == 303, words_of(answer.text)
    assert desk.row.status in {"approved", "live"}


# --- derived facts -------------------------------------------------------------------------------


def test_a_formula_is_typed_and_becomes_a_fact_with_name_and_unit(derived: Desk) -> None:
    """Its name follows from the label and from what the formula gives; it is read in words."""
    assert add_share(derived).status_code == 303
    (fact,) = derived.body["facts"]
    assert (fact["name"], fact["kind"]) == ("derived_overdue_share_bp", "ratio")
    assert fact["formula"] == {"divide": [{"fact": "overdue_net_minor"}, {"fact": "credit_limit_minor"}]}
    page = words_of(derived.browser.get(derived.address).text)
    assert "Net overdue / Credit limit, rounded down" in page
    assert "from stage Scorecard on" in page
    assert "Nothing is wrong with it." in page


def test_what_cannot_be_read_is_said_at_the_field_with_its_column(derived: Desk) -> None:
    """Nothing is saved, and what was typed stays."""
    answer = add_share(derived, formula="overdue_nett / credit_limit")
    assert answer.status_code == 422
    page = words_of(answer.text)
    assert "column 1: there is no fact 'overdue_nett'" in page
    assert "overdue_nett / credit_limit" in answer.text
    assert derived.body["facts"] == []
    answer = add_share(derived, formula="overdue_net + tenure")
    assert "cannot be taken together" in words_of(answer.text)


def test_a_fact_is_changed_bounded_and_removed_and_undone(derived: Desk) -> None:
    """Its name stays; bounds are written in human units."""
    add_share(derived)
    answer = derived.send(
        "/facts/0", label="Share", meaning="m", formula=f"max({SHARE}, 5 %)", rounding="up", low="0", high="250"
    )
    assert answer.status_code == 303, words_of(answer.text)
    (fact,) = derived.body["facts"]
    assert (fact["name"], fact["label"], fact["high"]) == ("derived_overdue_share_bp", "Share", 25_000)
    page = derived.browser.get(f"{derived.address}?open=/facts/0").text
    assert 'value="250"' in page
    assert "max(overdue_net / credit_limit, 5 %)" in unescape(page)
    assert derived.send("/facts/0", do="remove").status_code == 303
    assert derived.body["facts"] == []
    answer = derived.browser.post(f"{derived.address}/undo", {"version": derived.row.version})
    assert answer.status_code == 303
    assert len(derived.body["facts"]) == 1


def test_the_formula_is_answered_while_it_is_typed(derived: Desk, runtime: Runtime, decided: Entity) -> None:
    """In words, with what it measures and with values of real customers; nothing is saved."""
    before = derived.row.sha256
    values = {"place": "/facts/-", "formula": SHARE, "rounding": "down", "label": ""}
    found = derived.browser.post(f"{derived.address}/formula", values).json
    assert (found["words"], found["measures"]) == ("Net overdue / Credit limit, rounded down", "Ratio (%)")
    assert len(found["values"]) == 3
    assert all("Net overdue (" in one["seen"] for one in found["values"])
    number = Customer.select().where(Customer.entity == decided).order_by(Customer.id.desc()).first().number
    found = derived.browser.post(f"{derived.address}/formula", {**values, "customer": number}).json
    assert found["values"][0]["customer"].startswith(number)
    wrong = derived.browser.post(f"{derived.address}/formula", {**values, "formula": "overdue_net /"}).json
    assert "a value is missing" in wrong["wrong"]
    assert derived.row.sha256 == before
    assert largest_customers(runtime, decided, 3)


def test_two_people_at_one_draft_do_not_overwrite_each_other(
    derived: Desk, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Whoever saves second sees both sides and saves nothing."""
    add_share(derived)
    seen = derived.row.version
    other = Desk(signed_in(people.second), derived.id)
    other.send("/facts/0", label="Theirs", meaning="m", formula=SHARE, rounding="down")
    answer = derived.browser.post(
        f"{derived.address}/edit",
        {"version": seen, "place": "/facts/0", "label": "Mine", "meaning": "m", "formula": f"{SHARE} * 2"},
    )
    assert answer.status_code == 409
    page = words_of(answer.text)
    assert "Somebody else was faster" in page
    assert "Theirs" in page
    assert derived.body["facts"][0]["label"] == "Theirs"


def test_a_rule_reads_a_derived_fact_once_a_second_person_approved_it(
    derived: Desk, signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity, clock: Any
) -> None:
    """Proposed, approved, offered to rules, decided by, explained with its formula and the values it saw."""
    add_share(derived)
    clock.advance(days=1)
    day = runtime.today(decided)
    derived.browser, second = signed_in(people.manager), signed_in(people.second)
    approved(derived, second, "derived-facts", runtime.now().date().isoformat())
    (hold,) = (one for one in documents_in_force(None, 10**5) if one.key == "hold")
    bench = Desk(derived.browser, opened(derived.browser.post(f"/policies/{hold.id}/edit")))
    assert "Overdue share" in derived.browser.get(f"{bench.address}?open=/rules/0").text
    when = ["derived_overdue_share_bp", ">=", 1]
    held = {"key": "share", "label": "Half of the limit overdue", "when": when}
    body = {
        **bench.body,
        "hit": "first",
        "rules": [{**held, "then": {"hold": True, "hold_reason": "share"}}],
        "cases": [],
    }
    answer = runtime.execute(
        ProposeDocument(actor=people.manager.id, reason="share", document=body, from_day=day, replaces=hold.sha256)
    )
    runtime.execute(
        ApproveDocument(actor=people.second.id, reason="ok", document_id=answer["document"], sha256=answer["sha256"])
    )
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == decided.id).execute()
    run = run_entity(runtime, decided, day)
    assert run.state == "done"
    edition = edition_for(runtime, decided, day)
    assert "derived_overdue_share_bp" in edition.body["derived_facts"]
    largest = largest_customers(runtime, decided, 8)
    pages = [derived.browser.get(f"/customers/{one}/pieces/rules").text for one in largest]
    shown = [words_of(page) for page in pages if "Half of the limit overdue" in page]
    assert any("= Net overdue (" in page for page in shown)
    decision = Decision.select().where(Decision.run == run, Decision.changes.contains('"hold"')).first()
    page = words_of(derived.browser.get(f"/decisions/{decision.id}").text)
    assert "Overdue share Net overdue / Credit limit, rounded down since" in page
    listed = words_of(derived.browser.get("/derived-facts/").text)
    assert "Half of the limit overdue" in listed
    assert "Median" in listed


def test_a_derived_fact_in_use_cannot_be_dropped(derived: Desk) -> None:
    """The checker names the other fact that needs it."""
    add_share(derived)
    derived.send("/facts/-", label="Twice", meaning="m", formula='"Overdue share" * 2', rounding="down")
    assert derived.body["facts"][1]["formula"] == {"multiply": [{"fact": "derived_overdue_share_bp"}, 2]}
    derived.send("/facts/0", do="remove")
    page = words_of(derived.browser.get(derived.address).text)
    assert "there is no fact 'derived_overdue_share_bp'" in page
    values = {"from_on": "2099-01-01", "reason": "r", "do": "propose"}
    assert derived.browser.post(f"/derived-facts/{derived.id}/propose", values).status_code == 422


# --- parameters ----------------------------------------------------------------------------------


def form_of(item: dict[str, Any], **more: str) -> dict[str, str]:
    """The form of a parameter as it stands, amounts in units."""
    cents = {"money": 100, "ratio": 100}.get(item["kind"], 1)
    values = {"label": item["label"], "meaning": item["meaning"], "kind": item["kind"]}
    values |= {end: str(item[end] / cents) if cents > 1 else str(item[end]) for end in ("low", "high") if end in item}
    for number, one in enumerate(item["values"]):
        value = f"{one['value'] / cents:.2f}" if cents > 1 else str(one["value"])
        value = {"True": "yes", "False": "no"}.get(value, value)
        values |= {f"v{number}__from": one["from"], f"v{number}__value": value}
        values[f"v{number}__segment"] = one["segment"] or ""
    return {**values, **more}


def place_named(body: dict[str, Any], name: str) -> str:
    """Where a parameter stands."""
    return next(f"/parameters/{index}" for index, one in enumerate(body["parameters"]) if one["name"] == name)


def test_a_parameter_saved_as_it_was_opened_is_the_same(figures: Desk) -> None:
    """The form shows all that every shipped parameter says and loses nothing of it."""
    before = figures.body
    for item in before["parameters"]:
        answer = figures.send(place_named(before, item["name"]), **form_of(item))
        assert answer.status_code == 303, words_of(answer.text)
    assert figures.body == before


def test_a_value_from_a_day_on_and_one_for_a_segment_are_added_and_removed(figures: Desk) -> None:
    """History stays; a value for a segment ends when it is taken out."""
    place = place_named(figures.body, "dunning_minimum")
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    figures.send(place, **form_of(item, new__from="2099-01-01", new__value="30.00"))
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    figures.send(place, **form_of(item, new__from="2020-01-01", new__value="10.00", new__segment="risky"))
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    kept = [(one["from"], one["value"], one["segment"]) for one in item["values"]]
    assert kept == [("2010-01-01", 2_500, None), ("2099-01-01", 3_000, None), ("2020-01-01", 1_000, "risky")]
    page = words_of(figures.browser.get(figures.address).text)
    assert "30.00 EUR from" in page
    assert "Risky: 10.00 EUR" in page
    figures.send(place, **form_of(item, do="remove-value:v2"))
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    assert len(item["values"]) == 2
    yen = {"new__from": "2020-01-01", "new__value": "500", "new__currency": "jpy"}
    refused = figures.send(place, **form_of(item, **{**yen, "new__currency": "yen!"}))
    assert "This is no currency" in words_of(refused.text)
    figures.send(place, **form_of(item, **yen))
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    assert item["values"][-1] == {"from": "2020-01-01", "value": 500, "segment": None, "currency": "JPY"}


def test_a_parameter_is_added_and_one_in_use_cannot_be_dropped(figures: Desk) -> None:
    """A new one has a name of its own; the findings name the rule that would miss the other."""
    count = len(figures.body["parameters"])
    answer = figures.send(
        "/parameters/-", label="Small share", meaning="m", kind="ratio", new__from="2020-01-01", new__value="12.5"
    )
    assert answer.status_code == 303, words_of(answer.text)
    added = figures.body["parameters"][-1]
    assert (len(figures.body["parameters"]), added["name"], added["values"][0]["value"]) == (
        count + 1,
        "small_share",
        1_250,
    )
    figures.send(place_named(figures.body, "hold_set_days"), do="remove")
    assert "there is no parameter 'hold_set_days'" in words_of(figures.browser.get(figures.address).text)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"new__value": "much", "new__from": "2020-01-01"}, "This cannot be read"),
        ({"new__value": "5", "new__from": "soon"}, "This is not a date"),
        ({}, "Give it a value from a day on."),
        ({"label": " ", "new__value": "5", "new__from": "2020-01-01"}, "Write something here."),
    ],
)
def test_what_cannot_be_a_parameter_is_said_at_its_field(figures: Desk, values: dict[str, str], said: str) -> None:
    """Nothing is saved."""
    before = figures.body
    answer = figures.send("/parameters/-", **{"label": "New", "meaning": "m", "kind": "days", **values})
    assert answer.status_code == 422
    assert said in words_of(answer.text)
    assert figures.body == before


def test_changed_parameters_are_proposed_and_approved(
    figures: Desk, signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime
) -> None:
    """The draft as a whole, with the difference in words."""
    place = place_named(figures.body, "dunning_minimum")
    item = figures.body["parameters"][int(place.rsplit("/", 1)[1])]
    figures.send(place, **form_of(item, v0__value="31.00"))
    second = signed_in(people.second)
    from_on = runtime.now().date().isoformat()
    page = words_of(figures.browser.get(figures.address).text)
    assert "25.00 EUR" in page
    assert "31.00 EUR" in page
    approved(figures, second, "parameters", from_on)


def test_an_entity_has_parameters_and_formulas_of_its_own(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Begun beside those for all; the same draft is found again, and an entity nobody knows is refused."""
    browser = signed_in(people.manager)
    for kind, place in (("parameters", "/parameters/-"), ("derived-facts", "/facts/-")):
        first = Desk(browser, opened(browser.post(f"/{kind}/new", {"entity": decided.code})))
        assert first.row.entity_id == decided.id
        assert opened(browser.post(f"/{kind}/new", {"entity": decided.code})) == first.id
        assert browser.post(f"/{kind}/new", {"entity": "nowhere"}).status_code == 403
        values = {"label": "Own", "meaning": "m", "kind": "days", "new__from": "2020-01-01", "new__value": "5"}
        answer = first.send(place, **values, formula="overdue_count * 2", rounding="down")
        assert answer.status_code == 303, words_of(answer.text)
        assert "Nothing is wrong with it." in words_of(browser.get(first.address).text)
