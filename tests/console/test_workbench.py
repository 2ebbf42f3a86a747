"""The workbench: a draft as rules in words, edited in place, saved without overwriting anybody."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask_login import login_user

from admin.signing_in import Account
from admin.workbench.asked import Asked
from admin.workbench.asking import asked_of
from admin.workbench.editors import part_shown
from admin.workbench.fields import Drawing
from admin.workbench.world import World, world_of
from engine.editions import documents_in_force
from engine.tables import AuditEntry, Document, Entity
from rules.conditions import Op
from rules.documents import parse
from rules.facts import readable
from rules.offers import first_test, ops_of
from rules.schema import schema


def live(key: str) -> Document:
    """The version in force of a document."""
    return next(d for d in documents_in_force(None, 10**5) if d.key == key)


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def fields_of(page: str) -> dict[str, str]:
    """The fields of the open editor with what stands in them, as a browser would send them."""
    form = page[page.index('id="editor"') :].partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        named = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if named and ('type="checkbox"' not in tag or " checked" in tag):
            found[named[1]] = unescape(value[1]) if value else ""
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]* selected', inner) or re.search(r'value="([^"]*)"', inner)
        found[name] = unescape(chosen[1]) if chosen else ""
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = unescape(inner)
    return found


class Bench:
    """A person at the draft of one policy."""

    def __init__(self, browser: Any, draft: Document) -> None:
        self.browser, self.id = browser, draft.id
        self.address = f"/workbench/{draft.id}"

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

    def page(self, place: str = "") -> str:
        """The page, one part open."""
        answer = self.browser.get(self.address + (f"?open={place}" if place else ""))
        assert answer.status_code == 200, words_of(answer.text)
        return str(answer.text)

    def send(self, values: dict[str, str], **more: str) -> Any:
        """Send a form as htmx does."""
        return self.browser.post(f"{self.address}/edit", {**values, **more}, headers={"HX-Request": "true"})

    def save(self, place: str, **more: str) -> Any:
        """Open a part, change fields, save."""
        return self.send({**fields_of(self.page(place)), **{n.replace("__", ":"): v for n, v in more.items()}})


@pytest.fixture
def bench(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Callable[..., Bench]:
    """``bench("hold")``: the manager at a draft of the policy in force; ``bench("hold", people.second)``: another."""

    def open_draft(key: str, user: Any = None) -> Bench:
        browser = signed_in(user or people.manager)
        answer = browser.post(f"/policies/{live(key).id}/edit")
        assert answer.status_code == 303, words_of(answer.text)
        draft = int(re.search(r"/workbench/(\d+)", answer.location)[1])  # type: ignore[index]
        return Bench(browser, Document.get_by_id(draft))

    return open_draft


# --- opening ------------------------------------------------------------------------------


def test_a_draft_is_made_from_the_version_in_force_once(bench: Callable[..., Bench], people: SimpleNamespace) -> None:
    """It says from which; whoever comes next finds the same draft."""
    mine, hers = bench("hold"), bench("hold", people.second)
    assert mine.id == hers.id
    assert (mine.row.status, mine.row.replaces, mine.row.sha256) == ("draft", live("hold").sha256, live("hold").sha256)
    page = words_of(mine.page())
    assert "Overdue, not yet released" in page
    assert "Nothing is wrong with the rules." in page


def parts_of(body: dict[str, Any]) -> list[str]:
    """Every place of a document that opens into an editor."""
    found = ["/policy"]
    if "escalation" in body:
        scenarios = body["escalation"]["scenarios"].items()
        found += [
            "/escalation",
            *(f"/escalation/scenarios/{n}/{i}" for n, steps in scenarios for i in range(len(steps))),
        ]
    else:
        found += ["/otherwise", *(f"/rules/{index}" for index in range(len(body["rules"])))]
    found += ["/bands"] if "bands" in body else []
    return found + [f"/cases/{index}" for index in range(len(body.get("cases", ())))]


EDITOR = (
    """{% import 'console/workbench/_fields.html' as f with context %}{% include 'console/workbench/_editor.html' %}"""
)
MONTH = {"from": "2026-01-01", "until": "2027-01-01"}
PARAM = {"param": "hold_minimum"}
FULL: dict[str, dict[str, Any]] = {
    "hold": {
        "entity": "main", "effective": MONTH, "rules": [{
            "key": "full", "label": "Full", "because": "All of it.", "priority": 7, "on_unknown": "refer",
            "when": {"all": [
                {"any": [["overdue_net_minor", "between", [PARAM, 90_000]], ["country", "in", ["DE", "FR"]]]},
                {"not": ["exposure_minor", ">", {"fact": "credit_limit_minor"}]}, ["tenure_days", "is_null"],
                ["country", "not_in", ["GB"]], ["utilisation_bp", "<", 1_250], ["segment", "!=", "key_account"],
            ]},
            "then": {"hold": False, "hold_reason": "watched", "exclusion": True, "final": True},
        }],
        "otherwise": {"then": {"hold": False, "hold_reason": None}, "because": "Nothing."},
        "cases": [{
            "name": "all", "facts": {"overdue_net_minor": 5, "country": None, "insolvent": False},
            "expect": {"hold": False, "hold_reason": None}, "rule": "full", "undecided": True,
            "parameters": {"hold_minimum": 10_000},
        }],
    },
    "credit_limit": {"subject": "customer", "rules": [{
        "key": "full", "when": ["insolvent", "==", True], "then": {
            "proposed_limit_minor": {"min": [
                {"round_down": [{"percent_of": [{"fact": "turnover_12m_minor"}, 2_500]}, 250_000]},
                {"max": [{"param": "new_customer_limit"}, 100]}, 5,
            ]},
            "proposed_terms_days": None,
        },
    }]},
    "escalation": {"escalation": {
        "tolerance": 500, "minimum": {"param": "dunning_minimum"}, "minimum_days": 3, "after_leader_paid": "restart",
        "catch_up": True, "scenario_by": "risk_class", "unless": {"any": [["insolvent", "==", True]]},
        "mapping": {"steps": {"old": "first"}, "levels": {"3": 1}},
        "scenarios": {"standard": [{
            "key": "first", "days": 4, "level": 1, "channel": "call", "template": "call_first", "mode": "confirm",
            "owner": "sales", "blocks": True, "label": "First", "because": "It helps.",
        }, {
            "key": "second", "after_previous": 5, "channel": "email", "template": "reminder_1", "penalties": True,
            "otherwise": ["letter", "sms"], "attach": ["statement", "invoices"],
            "when": {"all": [["overdue_net_minor", ">=", {"param": "hold_minimum"}], ["country", "in", ["DE"]]]},
        }, {"key": "third", "end_of_month": 60, "channel": "sms", "template": "reminder_2", "when": [
            "insolvent", "==", False,
        ]}]},
    }},
    "scorecard": {"bands": [{"risk_class": "A", "up_to": 5}, {"risk_class": "B"}]},
}  # fmt: skip


def shown_editor(row: Document, world: World, place: str) -> str:
    """The editor of a part, as the page shows it."""
    asked = Asked(None, place=place)
    page: str = render_template_string(EDITOR, row=row, asked=asked, part=part_shown(world, asked))
    return page


def keeps_every_part(row: Document, body: dict[str, Any]) -> None:
    """Each part of a document, shown and sent back, leaves the document as it was."""
    world = replace(world_of(row), body=body)
    for place in parts_of(body):
        asked = asked_of(body, fields_of(shown_editor(row, world, place)), world)
        assert (asked.wrong, asked.problems) == ({}, []), place
        assert asked.document == body, place


@pytest.fixture
def signed(app: Flask, people: SimpleNamespace) -> Iterator[None]:
    """A request of the credit manager under way."""
    with app.test_request_context("/"):
        login_user(Account.get_by_id(people.manager.id))
        yield


@pytest.mark.parametrize(
    "key", ["scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert"]
)
def test_a_part_saved_as_it_was_opened_is_the_same_part(decided: Entity, signed: None, key: str) -> None:
    """The editors show everything the shipped documents say and lose nothing of it."""
    row = live(key)
    keeps_every_part(row, json.loads(row.body))


@pytest.mark.parametrize("key", list(FULL))
def test_every_field_of_the_schema_has_its_place_in_an_editor(decided: Entity, signed: None, key: str) -> None:
    """Documents that say everything a document may say."""
    row = live(key)
    body = {**json.loads(row.body), **FULL[key]}
    assert parse(body)[1] == []
    keeps_every_part(row, body)


def keys_of(node: Any) -> set[str]:
    """Every key of a document."""
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {*(node if isinstance(node, dict) else ()), *(key for part in below for key in keys_of(part))}


def properties_of(node: Any) -> set[str]:
    """Every property that a schema names."""
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = set(node.get("properties", {})) if isinstance(node, dict) else set()
    return own.union(*(properties_of(part) for part in below))


def test_the_full_documents_use_every_key_of_the_schema() -> None:
    """A key that is added to the schema is red here until an editor has it."""
    definitions = schema()["$defs"]
    parts = ("policy", "rule", "then", "case", "escalation", "condition", "operand", "effect", "parameter")
    known = set[str]().union(*(properties_of(definitions[name]) for name in parts))
    identity = {"format", "kind", "stage"}  # what a draft is of: no editor changes it
    words = {"source", "hit"}  # every shipped document has them
    assert known - keys_of(FULL) - identity - words == set()


def test_every_fact_of_the_stage_is_in_the_picker_with_its_operators(
    bench: Callable[..., Bench], app: Flask, people: SimpleNamespace
) -> None:
    """Drawn from the dictionary: label, meaning and unit; each fact's test is drawn with every legal operator."""
    at = bench("alert")
    page, row = at.page(), at.row
    with app.test_request_context("/"):
        login_user(Account.get_by_id(people.manager.id))
        world = world_of(row)
        facts = readable("alert", world.dictionary)
        assert re.findall(r'data-fact="([^"]+)"', page) == list(facts)
        drawing = Drawing(world, "/rules/0")
        for name, column in facts.items():
            assert column.meaning in unescape(page)
            drawn = drawing.test(first_test(column, world.codes_of(name)), "when")
            assert [Op(value) for value, _words, _takes in drawn.ops] == list(ops_of(column)), name


# --- what is done within a part -------------------------------------------------------------


def test_a_condition_is_added_grouped_negated_and_taken_out(bench: Callable[..., Bench]) -> None:
    """Each is saved at once with what the form says, and undone one by one."""
    at = bench("segmentation")
    first = at.body
    for do, expected in (
        ("add-test:when", {"all": [["insolvent", "==", True], ["tenure_days", ">=", 0]]}),
        ("any:when/all/1", {"all": [["insolvent", "==", True], {"any": [["tenure_days", ">=", 0]]}]}),
        ("not:when/all/1", {"all": [["insolvent", "==", True], {"not": {"any": [["tenure_days", ">=", 0]]}}]}),
        ("unwrap:when/all/1", {"all": [["insolvent", "==", True], {"any": [["tenure_days", ">=", 0]]}]}),
        ("swap:when", {"any": [["insolvent", "==", True], {"any": [["tenure_days", ">=", 0]]}]}),
        ("fact:when/any/0", {"any": [["tenure_days", ">=", 0], {"any": [["tenure_days", ">=", 0]]}]}),
        ("remove-test:when/any/1/any/0", {"any": [["tenure_days", ">=", 0]]}),
    ):
        answer = at.send({**fields_of(at.page("/rules/0")), "do": do, "fact": "tenure_days"})
        assert (answer.status_code, at.body["rules"][0]["when"]) == (200, expected), do
    for _ in range(7):
        answer = at.browser.post(f"{at.address}/undo", {"version": str(at.row.version)}, headers={"HX-Request": "true"})
        assert answer.status_code == 200
    assert at.body == first
    refused = at.browser.post(f"{at.address}/undo", {"version": str(at.row.version)})
    assert refused.status_code == 404


def test_an_effect_takes_every_form(bench: Callable[..., Bench]) -> None:
    """What it says is kept where the new form can hold it."""
    at = bench("credit_limit")
    for form, expected in (
        ("value", 0),
        ("min", {"min": [0]}),
        ("percent_of", {"percent_of": [{"min": [0]}, 10_000]}),
        ("round_down", {"round_down": [{"percent_of": [{"min": [0]}, 10_000]}, 100]}),
        ("nothing", None),
        ("none", ...),
    ):
        fields = fields_of(at.page("/rules/0"))
        answer = at.send({**fields, "do": "form:then/proposed_limit_minor", "then/proposed_limit_minor:form!": form})
        assert answer.status_code == 200, words_of(answer.text)
        assert at.body["rules"][0]["then"].get("proposed_limit_minor", ...) == expected, form


def test_rules_are_added_moved_copied_and_removed(bench: Callable[..., Bench]) -> None:
    """What decides first follows the order that is read."""
    at = bench("segmentation")

    def do(what: str, index: int, **more: str) -> list[str]:
        rule = at.body["rules"][index]
        values = {"place": f"/rules/{index}", "of": rule["key"], "version": str(at.row.version), "do": what, **more}
        answer = at.send(values)
        assert answer.status_code == 200, words_of(answer.text)
        ranked = sorted(at.body["rules"], key=lambda one: one["priority"])
        assert [one["key"] for one in at.body["rules"]] == [one["key"] for one in ranked]
        return [one["key"] for one in ranked]

    assert do("up", 1) == ["risky", "insolvent", "key-account", "new"]
    assert do("remove", 0) == ["insolvent", "key-account", "new"]
    added = do("add-rule", 0, fact="tenure_days")
    assert added == ["insolvent", "key-account", "new", "rule"]
    copied = at.send({"place": "/rules/0", "of": "insolvent", "version": str(at.row.version), "do": "copy"})
    assert copied.status_code == 200
    assert [one["key"] for one in at.body["rules"]][:2] == ["insolvent", "insolvent-2"]


def test_the_draft_is_proposed_from_its_own_page_as_it_was_read(
    bench: Callable[..., Bench], people: SimpleNamespace
) -> None:
    """What changes stands beside the reason; a draft that was edited since is not proposed unseen."""
    at = bench("segmentation")
    at.save("/rules/3", **{"label": "Fresh customer"})
    page = at.browser.get(f"/policies/{at.id}").text
    assert "Fresh customer" in words_of(page)
    read = re.search(r'name="sha256" value="([0-9a-f]{64})"', page)[1]  # type: ignore[index]
    bench("segmentation", people.second).save("/rules/3", **{"label": "Newcomer"})
    form = {"from_on": "2026-04-02", "reason": "clearer", "do": "propose"}
    assert at.browser.post(f"/policies/{at.id}/propose", {**form, "sha256": read}).status_code == 409
    assert at.row.status == "draft"
    assert at.browser.post(f"/policies/{at.id}/propose", {**form, "sha256": at.row.sha256}).status_code == 303
    assert at.row.status == "proposed"


# --- findings and cases ---------------------------------------------------------------------


def test_findings_lead_to_their_rule_and_errors_keep_it_from_being_proposed(bench: Callable[..., Bench]) -> None:
    """Facts by their names for people; the button to propose is not there."""
    at = bench("segmentation")
    assert "Propose …" in at.page()
    answer = at.save("/rules/3", **{"when/all/1__op": "<", "when/all/1__0__value": "0"})
    words = words_of(answer.text)
    assert answer.status_code == 200
    assert "Rule “New customer”" in words
    assert re.search(r'href="/workbench/\d+\?open=/rules/3[^"]*"', answer.text)
    assert "paid_count_12m" not in words
    assert "Propose …" not in words
    assert "must be corrected before it can be proposed" in words


def test_cases_run_on_every_edit_and_take_over_what_they_give(bench: Callable[..., Bench]) -> None:
    """A moved threshold fails its cases by name; a button restates them, another adds the boundaries."""
    at = bench("segmentation")
    answer = at.save("/rules/3", **{"when/all/1__0__value": "5"})
    words = words_of(answer.text)
    assert "no longer new after three payments" in words
    assert "fails" in words
    for do in ("restate-cases", "boundary-cases"):
        answer = at.send({"place": "", "of": "", "version": str(at.row.version), "do": do})
        assert answer.status_code == 200, words_of(answer.text)
    words = words_of(answer.text)
    assert f"all {len(at.body['cases'])} cases pass" in words
    assert "Add the missing boundary cases" not in words
    assert "Propose …" in words


def test_a_part_that_somebody_removed_is_not_written_elsewhere(
    bench: Callable[..., Bench], people: SimpleNamespace
) -> None:
    """Places shift; a rule is found by its key, and one that is gone cannot be put again."""
    mine, hers = bench("segmentation"), bench("segmentation", people.second)
    form = fields_of(hers.page("/rules/3"))
    gone = fields_of(hers.page("/rules/1"))
    assert mine.send({"place": "/rules/1", "of": "risky", "version": "1", "do": "remove"}).status_code == 200
    words = words_of(hers.send({**gone, "label": "Bolder"}).text)
    assert "Yours can no longer be put" in words
    again = hers.send({**form, "label": "Fresh", "version": "2"})
    assert again.status_code == 200
    assert [(one["key"], one["label"]) for one in hers.body["rules"]][2] == ("new", "Fresh")


@pytest.mark.parametrize("given", [{}, {"version": "x"}, {"place": "/rules/99"}, {"place": "/nothing"}, {"do": "burn"}])
def test_a_form_that_makes_no_sense_changes_nothing(bench: Callable[..., Bench], given: dict[str, str]) -> None:
    """It is answered with what is there, never with a fault."""
    at = bench("segmentation")
    answer = at.send({"version": "1", "place": "/rules/0", "of": "insolvent", "when:is": "not" * 3, **given})
    assert answer.status_code in {409, 422}
    assert at.row.version == 1


# --- one value ----------------------------------------------------------------------------


def test_a_value_is_written_in_human_units_and_only_it_changes(bench: Callable[..., Bench]) -> None:
    """The audit trail says which rule; the draft's version rises."""
    at = bench("segmentation")
    before = at.body
    answer = at.save("/rules/3", **{"when/all/1__0__value": "5"})
    assert answer.status_code == 200
    expected = json.loads(json.dumps(before))
    expected["rules"][3]["when"]["all"][1][2] = 5
    assert (at.body, at.row.version) == (expected, 2)
    entry = AuditEntry.select().where(AuditEntry.command == "SaveDraft").order_by(AuditEntry.id.desc()).get()
    assert entry.reason == "Rule “New customer” changed"


def test_what_cannot_be_read_stays_in_its_field(bench: Callable[..., Bench]) -> None:
    """Nothing is saved; the message stands beside the field."""
    at = bench("segmentation")
    answer = at.save("/rules/3", **{"when/all/1__0__value": "a few"})
    assert (answer.status_code, at.row.version) == (422, 1)
    assert 'value="a few"' in answer.text
    assert "This cannot be read: write a number such as 14." in words_of(answer.text)


# --- two people ---------------------------------------------------------------------------


def test_two_people_do_not_overwrite_each_other(bench: Callable[..., Bench], people: SimpleNamespace) -> None:
    """The second one is shown both sides, and nothing is saved until they decide."""
    mine, hers = bench("segmentation"), bench("segmentation", people.second)
    form = fields_of(hers.page("/rules/3"))
    assert mine.save("/rules/3", **{"when/all/1__0__value": "5"}).status_code == 200
    saved = mine.body
    answer = hers.send({**form, "when/all/1:0:value": "7"})
    words = words_of(answer.text)
    assert (answer.status_code, hers.body) == (409, saved)
    assert "Manager saved this draft while you were editing it." in words
    assert re.search(r"less than 5.*less than 7", words), words
    again = {**form, "when/all/1:0:value": "7", "version": "2"}
    assert hers.send(again).status_code == 200
    assert hers.body["rules"][3]["when"]["all"][1][2] == 7
