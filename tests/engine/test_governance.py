"""Governance: a version is proposed whole and checked, approved by another person, live on its day."""

import json
from itertools import product

import pytest
from peewee import IntegrityError

from engine.commands import Conflict, Invalid, Refused
from engine.editions import activate, documents_in_force, edition_for, edition_of, keep
from engine.governance import ApproveDocument, ProposeDocument, RejectDocument, SaveDraft
from engine.overrides import ApproveLimit, ApproveOverride, EndOverride, SetOverride, limit_in_force
from engine.pipeline import decide_customer
from engine.runs import run_entity
from engine.setting_up import install_drafts, shipped_documents
from engine.tables import AuditEntry, CreditLimit, Document, Edition, Entity, Outcome, Override, Reversal

from .conftest import escalation, in_force, parameters, segmentation, step

DAY = 20_543


@pytest.fixture
def say(users):
    """Keyword arguments that every command needs: ``say("manager")``."""
    return lambda who: {"actor": getattr(users, who).id, "reason": "because"}


@pytest.fixture
def world(runtime, policies, users, say):
    """Policies in force, and a proposal of the analyst: key accounts from 2,000.00 on."""
    answer = runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(200_000), from_day=DAY))
    return answer["document"], answer["sha256"]


def test_a_proposal_is_approved_by_another_person_and_holds_from_its_day(runtime, entity, policies, world, say):
    """Approved, then live in the start of the first run of its day; the older version retires that day."""
    document, sha256 = world
    runtime.execute(ApproveDocument(**say("manager"), document_id=document, sha256=sha256))
    assert Document.get_by_id(document).status == "approved"
    assert activate(runtime, DAY - 1) == [older.id for older in vars(policies).values()]
    assert activate(runtime, DAY) == [document]
    assert Document.get_by_id(document).status == "live"
    older = Document.get(Document.key == "segmentation", Document.status == "retired")
    assert older.until_day == DAY
    held = [{d.id for d in documents_in_force(entity, day) if d.key == "segmentation"} for day in (DAY - 1, DAY)]
    assert held == [{older.id}, {document}]


def test_nobody_approves_their_own(runtime, world, users, say, make_user, entity):
    """Every person, role and state: only another person with the permission, the right hash, a proposed state."""
    document, sha256 = world
    both = make_user("writes.and.approves@dunwell.example", "credit_manager", entity)
    own = runtime.execute(ProposeDocument(actor=both.id, reason="mine", document=segmentation(300_000), from_day=DAY))
    proposals = {"analyst's": (document, sha256, None), "manager's": (own["document"], own["sha256"], both.id)}
    people = {name: getattr(users, name).id for name in vars(users)} | {"author": both.id}
    allowed = []
    for (whose, (number, name, author)), (who, person), right in product(
        proposals.items(), people.items(), (True, False)
    ):
        command = ApproveDocument(
            actor=person,
            reason="fine",
            document_id=number,
            sha256=name if right else "0" * 64,
            key=f"{whose}{who}{right}",
        )
        with runtime.database.atomic() as attempt:
            try:
                runtime.execute(command)
                allowed.append((whose, who, right))
                assert person != author
            except (Refused, Conflict):
                pass
            attempt.rollback()
    assert sorted(allowed) == sorted(
        [
            ("analyst's", "manager", True),
            ("analyst's", "second", True),
            ("analyst's", "author", True),
            ("manager's", "manager", True),
            ("manager's", "second", True),
        ]
    )


def test_who_wrote_a_draft_may_not_approve_it_when_another_person_proposes_it(runtime, policies, users, say):
    """Nor may whoever edited it last; writing and approving stay with two people."""
    draft = runtime.execute(SaveDraft(**say("manager"), document=segmentation(200_000)))
    proposed = runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY))
    approve = {"document_id": proposed["document"], "sha256": proposed["sha256"]}
    with pytest.raises(Refused, match="wrote or proposed"):
        runtime.execute(ApproveDocument(**say("manager"), **approve))
    runtime.execute(ApproveDocument(**say("second"), **approve))


def test_a_proposed_version_cannot_be_edited_and_an_edited_draft_is_another_hash(runtime, world, say):
    """The command refuses, and so does the database itself."""
    document, sha256 = world
    with pytest.raises(Conflict):
        runtime.execute(SaveDraft(**say("analyst"), document=segmentation(1), document_id=document))
    with pytest.raises(IntegrityError, match="cannot be changed"):
        Document.update(body="{}").where(Document.id == document).execute()
    draft = runtime.execute(SaveDraft(**say("analyst"), document=segmentation(1)))
    again = runtime.execute(
        SaveDraft(**say("analyst"), document=segmentation(2), document_id=draft["document"], version=draft["version"])
    )
    assert len({sha256, draft["sha256"], again["sha256"]}) == 3
    with pytest.raises(Conflict):
        runtime.execute(
            SaveDraft(
                **say("analyst"), document=segmentation(3), document_id=draft["document"], version=draft["version"]
            )
        )


def test_a_policy_with_a_finding_or_a_failing_case_is_kept_as_a_draft_but_not_proposed(runtime, policies, say):
    """The answer of the draft names what is wrong."""
    unknown = segmentation()
    unknown["rules"][0]["when"]["all"][0][0] = "weather"
    failing = segmentation()
    failing["cases"] = [{"name": "small", "facts": {"open_minor": 1}, "expect": {"segment": "key"}}]
    for document in (unknown, failing):
        draft = runtime.execute(SaveDraft(**say("analyst"), document=document))
        assert any(problem["severity"] == "error" for problem in draft["problems"])
        with pytest.raises(Invalid):
            runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY))


def test_parameters_that_a_live_policy_needs_cannot_go(runtime, policies, say):
    """Proposing a set without the tolerance names the policy's finding."""
    poorer = parameters()
    poorer["parameters"] = [p for p in poorer["parameters"] if p["name"] != "dunning_tolerance"]
    with pytest.raises(Invalid, match="dunning_tolerance"):
        runtime.execute(ProposeDocument(**say("analyst"), document=poorer, from_day=DAY))


def test_a_step_that_customers_stand_at_cannot_be_dropped(runtime, entity, books, policies, go_live, say):
    """Nobody would know what comes next for them."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 5)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    without = escalation([step("p14", 14, level=2)])
    with pytest.raises(Invalid, match="in use"):
        runtime.execute(ProposeDocument(**say("analyst"), document=without, from_day=DAY + 2))


def test_a_decided_day_is_not_decided_anew_by_a_later_document(runtime, entity, books, policies, say):
    """From the last decided day on, not before."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    with pytest.raises(Invalid, match="decided already"):
        runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(2), from_day=DAY - 1))
    runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(2), from_day=DAY))


def test_a_rejected_version_never_takes_effect(runtime, world, say):
    """It cannot be approved any more."""
    document, sha256 = world
    runtime.execute(RejectDocument(**say("second"), document_id=document))
    with pytest.raises(Conflict, match="rejected"):
        runtime.execute(ApproveDocument(**say("manager"), document_id=document, sha256=sha256))


def test_the_document_of_an_entity_beats_the_one_for_all_whole(runtime, entity, policies):
    """And another entity keeps the general one."""
    twin = Entity.create(code="twin", name="Twin", currency="EUR")
    own = in_force(segmentation(5) | {"entity": "main"})
    general = Document.get(Document.key == "segmentation", Document.entity.is_null())
    found = {e.code: [d.id for d in documents_in_force(e, DAY) if d.stage == "segmentation"] for e in (entity, twin)}
    assert found == {"main": [own.id], "twin": [general.id]}


def test_an_edition_names_what_decides_and_is_rebuilt_from_its_name(runtime, entity, policies):
    """The same documents and rates give the same hash on another day; another parameter gives another."""
    first = edition_for(runtime, entity, DAY)
    assert edition_for(runtime, entity, DAY + 1).sha256 == first.sha256
    keep(first)
    keep(first)
    assert Edition.select().count() == 1
    rebuilt = edition_of(runtime, entity, first.sha256, DAY)
    assert (rebuilt.body, rebuilt.book.edition()) == (first.body, first.book.edition())
    in_force(parameters(dunning_tolerance=600), DAY)
    assert edition_for(runtime, entity, DAY).sha256 != first.sha256
    assert json.loads(Edition.get().body)["parameters"]["dunning_tolerance"]["value"] == 500


def test_the_shipped_documents_can_be_proposed_and_approved_in_their_order(runtime, entity, users, say):
    """As the demo does: templates and parameters first, two people, nothing found."""
    install_drafts()
    for document in shipped_documents():
        draft = Document.get(Document.kind == document["kind"], Document.key == document["key"])
        proposed = runtime.execute(ProposeDocument(**say("analyst"), document=draft.id, from_day=15_000))
        runtime.execute(ApproveDocument(**say("manager"), document_id=proposed["document"], sha256=proposed["sha256"]))
    edition = edition_for(runtime, entity, DAY)
    assert set(edition.book.stages) >= {"scorecard", "segmentation", "hold", "escalation"}
    assert set(edition.body["templates"]) == {one["key"] for one in shipped_documents() if one["kind"] == "template"}


# --- overrides and limits --------------------------------------------------------------


@pytest.fixture
def held(runtime, entity, books, policies):
    """A customer that the rules hold, and one they do not."""
    late, good = books.customer("1"), books.customer("2")
    books.invoice(late, 50_000, DAY - 60, DAY - 40)
    books.invoice(good, 50_000, DAY - 10, DAY + 20)
    run_entity(runtime, entity, DAY)
    return late, good


def test_releasing_a_hold_takes_a_second_person_and_setting_one_does_not(runtime, entity, held, say):
    """Until it is approved the rules' hold stands; decision and explanation keep what the rules said."""
    late, good = held
    common = {**say("manager"), "target": "hold", "until_day": DAY + 10}
    stopped = runtime.execute(SetOverride(**common, customer=good.id, value=True))
    released = runtime.execute(SetOverride(**common, customer=late.id, value=False))
    assert (stopped["needs_approval"], released["needs_approval"]) == (False, True)
    run_entity(runtime, entity, DAY + 1)
    assert {o.customer_id: o.hold for o in Outcome} == {late.id: True, good.id: True}
    with pytest.raises(Refused, match="their own override"):
        runtime.execute(ApproveOverride(**say("manager"), override=released["override"]))
    runtime.execute(ApproveOverride(**say("second"), override=released["override"]))
    run_entity(runtime, entity, DAY + 2)
    outcome = Outcome.get(Outcome.customer == late)
    assert (outcome.hold, outcome.hold_reason) == (False, "override")
    run_entity(runtime, entity, DAY + 10)
    assert {o.customer_id: o.hold for o in Outcome} == {late.id: True, good.id: False}


def test_an_override_ends_at_most_ninety_days_away(runtime, held, say):
    """One, ninety, ninety-one days; and today is no end."""
    override = {**say("manager"), "customer": held[0].id, "target": "segment", "value": "key"}
    for days in (1, 90):
        runtime.execute(SetOverride(**override, until_day=DAY + days))
    for days in (0, 91):
        with pytest.raises(Invalid, match="until_day"):
            runtime.execute(SetOverride(**override, until_day=DAY + days))


def test_an_override_ended_by_a_person_gives_the_rules_back(runtime, entity, held, say):
    """Ending it twice is a conflict."""
    override = runtime.execute(
        SetOverride(**say("manager"), customer=held[1].id, target="segment", value="key", until_day=DAY + 30)
    )["override"]
    run_entity(runtime, entity, DAY + 1)
    assert Outcome.get(Outcome.customer == held[1]).segment == "key"
    runtime.execute(EndOverride(**say("manager"), override=override))
    run_entity(runtime, entity, DAY + 2)
    assert Outcome.get(Outcome.customer == held[1]).segment == "standard"
    with pytest.raises(Conflict):
        runtime.execute(EndOverride(**say("manager"), override=override))


@pytest.mark.parametrize("approved", [False, True])
def test_a_limit_override_that_ends_early_takes_its_limit_along(runtime, held, say, approved):
    """The limit from before is in force again from today; what past days saw stays; once approved or still waiting."""
    Outcome.update(proposed_limit_minor=100_000).where(Outcome.customer == held[1]).execute()
    runtime.execute(ApproveLimit(**say("manager"), customer=held[1].id, amount_minor=100_000, from_day=DAY))
    value = 200_000 if approved else 50_000  # less needs nobody else
    common = {**say("manager"), "customer": held[1].id, "target": "limit", "until_day": DAY + 30}
    set_one = runtime.execute(SetOverride(**common, value=value))
    waiting = runtime.execute(SetOverride(**common, value=300_000))["override"]
    if approved:
        runtime.execute(ApproveOverride(**say("second"), override=set_one["override"]))
    assert limit_in_force(held[1].id, DAY) == value
    runtime.execute(EndOverride(**say("manager"), override=waiting))
    assert limit_in_force(held[1].id, DAY) == value
    runtime.execute(EndOverride(**say("manager"), override=set_one["override"]))
    assert limit_in_force(held[1].id, DAY) == 100_000
    assert decide_customer(runtime, held[1].id, DAY)[0]["credit_limit_minor"] == 100_000
    assert Reversal.select().count() == 1


def test_a_limit_above_what_the_rules_propose_takes_two_people(runtime, held, say):
    """Approving a limit puts in force at most the proposal; more is an override that somebody else approves."""
    Outcome.update(proposed_limit_minor=100_000).where(Outcome.customer == held[1]).execute()
    limit = {**say("manager"), "customer": held[1].id, "from_day": DAY}
    with pytest.raises(Invalid, match="more than the rules propose"):
        runtime.execute(ApproveLimit(**limit, amount_minor=100_001))
    runtime.execute(ApproveLimit(**limit, amount_minor=100_000))
    override = {**say("manager"), "customer": held[1].id, "target": "limit", "until_day": DAY + 30}
    lower = runtime.execute(SetOverride(**override, value=100_000))
    higher = runtime.execute(SetOverride(**override, value=100_001))
    assert (lower["needs_approval"], higher["needs_approval"]) == (False, True)
    runtime.execute(ApproveOverride(**say("second"), override=higher["override"]))
    assert [entry.amount_minor for entry in CreditLimit.select().order_by(CreditLimit.id)] == [
        100_000,
        100_000,
        100_001,
    ]


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("hold", 1),
        ("hold", "yes"),
        ("limit", -1),
        ("limit", "5"),
        ("limit", True),
        ("level", 100),
        ("segment", ""),
        ("x", 1),
    ],
)
def test_a_value_that_does_not_fit_its_target_is_refused(runtime, held, say, target, value):
    """No silent conversion."""
    with pytest.raises(Invalid):
        runtime.execute(
            SetOverride(**say("manager"), customer=held[0].id, target=target, value=value, until_day=DAY + 1)
        )
    assert Override.select().count() == 0


def test_every_command_left_exactly_one_audit_entry(runtime, world, say):
    """Who, what, why; before and after."""
    document, sha256 = world
    runtime.execute(ApproveDocument(**say("manager"), document_id=document, sha256=sha256))
    entries = list(AuditEntry.select().order_by(AuditEntry.id))
    assert [entry.command for entry in entries] == ["ProposeDocument", "ApproveDocument"]
    assert json.loads(entries[1].before) == {"status": "proposed"}
    assert json.loads(entries[1].after)["sha256"] == sha256
