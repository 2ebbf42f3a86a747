"""Versions: said about, taken back, gone back to; whoever had a hand in one approves it by no route."""

import json

import pytest
from peewee import IntegrityError, InternalError

from engine.authors import authors_of
from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.comments import CommentDocument, about_of, comments_of, open_comments
from engine.editions import activate, documents_in_force
from engine.governance import ApproveDocument, ProposeDocument, RejectDocument, SaveDraft
from engine.restoring import RestoreDocument, WithdrawDocument
from engine.runs import run_entity
from engine.simulation import impact_of
from engine.tables import AuditEntry, Document, DocumentComment, Entity

from .conftest import parameters, segmentation

DAY = 20_543


@pytest.fixture
def say(users):
    """Keyword arguments that every command needs: ``say("manager")``."""
    return lambda who: {"actor": getattr(users, who).id, "reason": "because"}


@pytest.fixture
def approve(runtime, say):
    """Approve what was proposed: ``approve("manager", answer)``."""

    def run(who, proposed):
        chosen = {"document_id": proposed["document"], "sha256": proposed["sha256"]}
        return runtime.execute(ApproveDocument(**say(who), **chosen))

    return run


@pytest.fixture
def draft(runtime, policies, say):
    """A draft of the analyst: key accounts from 2,000.00 on."""
    return runtime.execute(SaveDraft(**say("analyst"), document=segmentation(200_000)))


# --- authors ---------------------------------------------------------------------------


def edited(runtime, say, draft, who, amount):
    known = {"document_id": draft["document"], "version": draft["version"]}
    return runtime.execute(SaveDraft(**say(who), document=segmentation(amount), **known))


def test_everybody_who_saved_an_edit_is_an_author_not_only_the_last(runtime, draft, say, approve):
    """Written by one, edited by a second, edited back, proposed by a third: none of the three approves."""
    later = edited(runtime, say, draft, "manager", 300_000)
    last = edited(runtime, say, later, "analyst", 400_000)
    proposed = runtime.execute(ProposeDocument(**say("analyst"), document=last["document"], from_day=DAY))
    with pytest.raises(Refused, match="wrote or proposed"):
        approve("manager", proposed)
    assert len(authors_of(Document.get_by_id(draft["document"]))) == 2
    approve("second", proposed)


def test_a_copy_of_an_authors_content_is_theirs_too(runtime, draft, say, approve):
    """Somebody else's draft, or file, with the same content hides nobody."""
    mine = runtime.execute(SaveDraft(**say("manager"), document=segmentation(300_000)))
    copied = runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(300_000), from_day=DAY))
    assert copied["sha256"] == mine["sha256"]
    with pytest.raises(Refused, match="wrote or proposed"):
        approve("manager", copied)
    approve("second", copied)


def test_opening_the_version_in_force_as_a_draft_makes_nobody_its_author(runtime, policies, say, approve):
    """Who only opened it may approve what another made of it; who saved an edit may not."""
    opened = runtime.execute(SaveDraft(**say("manager"), document=json.loads(policies.segmentation.body)))
    later = edited(runtime, say, opened, "analyst", 300_000)
    proposed = runtime.execute(ProposeDocument(**say("analyst"), document=later["document"], from_day=DAY))
    approve("manager", proposed)


def test_the_list_of_authors_of_a_proposal_cannot_be_changed(runtime, draft, say):
    """Not even behind the program's back without lifting a trigger."""
    runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY))
    for column in ("authors", "drafted_by", "proposed_by"):
        with pytest.raises((IntegrityError, InternalError)):
            Document.update(**{column: None if column != "authors" else "[]"}).execute()


# --- comments --------------------------------------------------------------------------


def test_a_comment_names_its_rule_and_is_settled_by_another(runtime, draft, say):
    """Nothing is ever changed: settling is an answer of its own, and keeps the place."""
    about = {"document_id": draft["document"]}
    said = runtime.execute(CommentDocument(**say("collector"), **about, text=" Why 2,000? ", place="/rules/0/when"))
    assert said["about"] == "large"
    runtime.execute(CommentDocument(**say("manager"), **about, text="Looks right."))
    row = Document.get_by_id(draft["document"])
    assert [one.text for one in open_comments(row)] == ["Why 2,000?", "Looks right."]
    runtime.execute(CommentDocument(**say("analyst"), **about, text="The bank asks so.", settles=said["comment"]))
    assert [one.text for one in open_comments(row)] == ["Looks right."]
    found = [(one.text, one.place, one.about, one.settles_id) for one in comments_of(row)]
    assert found[2] == ("The bank asks so.", "/rules/0/when", "large", said["comment"])
    with pytest.raises(Conflict, match="settled already"):
        runtime.execute(CommentDocument(**say("analyst"), **about, text="Again.", settles=said["comment"]))
    with pytest.raises(NotFound):
        runtime.execute(CommentDocument(**say("analyst"), **about, text="Of what?", settles=99))
    with pytest.raises((IntegrityError, InternalError)):
        DocumentComment.update(text="other").execute()
    entries = list(AuditEntry.select().where(AuditEntry.command == "CommentDocument").order_by(AuditEntry.id))
    assert json.loads(entries[0].after)["text"] == "Why 2,000?"


@pytest.mark.parametrize("place", ["/rules/1", "/rules/x", "/nothing", "rules/0", "/rules/0/when/all/0/9"])
def test_a_place_that_the_version_has_not_is_refused(runtime, draft, say, place):
    """A remark about nothing is of use to nobody."""
    with pytest.raises(Invalid, match="place"):
        runtime.execute(CommentDocument(**say("analyst"), document_id=draft["document"], text="Hm", place=place))


def test_a_place_is_named_by_the_innermost_thing_with_a_key():
    """A rule, a step, a parameter; else the last name of the place."""
    body = {"rules": [{"key": "late", "when": {"all": [["a", "=", 1]]}}], "parameters": [{"name": "minimum"}]}
    places = {"/rules/0/when/all/0": "late", "/parameters/0": "minimum", "/rules": "rules", "": None}
    assert {place: about_of(body, place) for place in places} == places


@pytest.mark.parametrize("text", ["", "   ", "x" * 2_001])
def test_a_comment_says_something_and_not_too_much(runtime, draft, say, text):
    """1 to 2,000 characters."""
    with pytest.raises(Invalid, match="text"):
        runtime.execute(CommentDocument(**say("analyst"), document_id=draft["document"], text=text))


def test_who_sees_nothing_of_an_entity_comments_on_none_of_its_versions(runtime, entity, policies, say):
    """The version looks as if it were not there."""
    other = Entity.create(code="twin", name="Twin", currency="EUR")
    own = Document.create(kind="policy", key="k", entity=other, sha256="0" * 64, body="{}", status="draft")
    with pytest.raises(NotFound):
        runtime.execute(CommentDocument(**say("manager"), document_id=own.id, text="Hm"))


# --- taking back and going back --------------------------------------------------------


def test_only_who_proposed_takes_a_proposal_back_and_only_before_a_decision(runtime, draft, say, approve):
    """Then it never takes effect, and its author is still its author."""
    proposed = runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY))
    with pytest.raises(Refused, match="who proposed"):
        runtime.execute(WithdrawDocument(**say("manager"), document_id=draft["document"]))
    runtime.execute(WithdrawDocument(**say("analyst"), document_id=draft["document"]))
    assert Document.get_by_id(draft["document"]).status == "withdrawn"
    for command in (WithdrawDocument, RejectDocument):
        with pytest.raises(Conflict, match="withdrawn"):
            runtime.execute(command(**say("analyst" if command is WithdrawDocument else "second"),
                                    document_id=draft["document"]))  # fmt: skip
    with pytest.raises(Conflict):
        approve("manager", proposed)
    with pytest.raises(Conflict):
        runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY))


def test_going_back_is_a_proposal_of_the_very_same_content(runtime, entity, books, policies, say, approve):
    """Live again on its day, byte by byte, with the simulation that was attached."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 40)
    approve("manager", runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(100), from_day=DAY)))
    run_entity(runtime, entity, DAY)
    first, second = Document.select().where(Document.key == "segmentation").order_by(Document.id)
    assert [first.status, second.status] == ["retired", "live"]
    impact = impact_of(runtime, [entity], json.loads(first.body), DAY + 1)
    back = {"document_id": first.id, "from_day": DAY + 1, "impact": impact, "replaces": second.sha256}
    answer = runtime.execute(RestoreDocument(**say("manager"), **back))
    row = Document.get_by_id(answer["document"])
    assert (row.body, row.sha256, row.replaces, row.status) == (first.body, first.sha256, second.sha256, "proposed")
    assert json.loads(row.impact)["entities"][0]["changed"] == 1
    with pytest.raises(Refused, match="wrote or proposed"):
        approve("manager", answer)
    approve("second", answer)
    assert activate(runtime, DAY + 1) == [row.id]
    assert [one.id for one in documents_in_force(entity, DAY + 1) if one.key == "segmentation"] == [row.id]


def test_going_back_is_checked_against_today(runtime, entity, policies, say, approve):
    """A parameter that is gone by now is found; what never held, or holds already, is no way back."""
    asks = segmentation()
    asks["rules"][0]["when"]["all"][0][2] = {"param": "large_account"}
    approve("manager", runtime.execute(
        ProposeDocument(**say("analyst"), document=parameters(large_account=500), from_day=DAY)))  # fmt: skip
    activate(runtime, DAY)
    approve("manager", runtime.execute(ProposeDocument(**say("analyst"), document=asks, from_day=DAY)))
    activate(runtime, DAY)
    with_it = Document.get(Document.sha256 == Document.select().order_by(Document.id.desc()).get().sha256)
    with pytest.raises(Conflict, match="exactly this already"):
        runtime.execute(RestoreDocument(**say("second"), document_id=with_it.id, from_day=DAY))
    approve("manager", runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(7), from_day=DAY)))
    activate(runtime, DAY)
    approve("manager", runtime.execute(ProposeDocument(**say("analyst"), document=parameters(), from_day=DAY)))
    activate(runtime, DAY)
    with pytest.raises(Invalid, match="large_account"):
        runtime.execute(RestoreDocument(**say("second"), document_id=with_it.id, from_day=DAY + 1))
    never = runtime.execute(SaveDraft(**say("analyst"), document=segmentation(8)))
    with pytest.raises(Conflict, match="never held"):
        runtime.execute(RestoreDocument(**say("second"), document_id=never["document"], from_day=DAY + 1))


def test_a_version_that_ends_before_it_would_begin_is_not_proposed(runtime, policies, say):
    """The day before its end is the last that can be asked for."""
    ends = segmentation(5)
    ends["effective"]["until"] = "2026-04-10"
    end = 20_553
    for day in (end, end + 1):
        with pytest.raises(Invalid, match="the day this version ends"):
            runtime.execute(ProposeDocument(**say("analyst"), document=ends, from_day=day))
    runtime.execute(ProposeDocument(**say("analyst"), document=ends, from_day=end - 1))


def test_a_version_whose_end_has_come_is_retired_by_the_run(runtime, entity, policies, say, approve):
    """On the day itself, half-open: the day before it still decides."""
    ends = segmentation(5)
    ends["effective"]["until"] = "2026-04-10"
    end = 20_553
    answer = runtime.execute(ProposeDocument(**say("analyst"), document=ends, from_day=DAY))
    approve("manager", answer)
    found = []
    for day in (DAY, end - 1, end):
        activate(runtime, day)
        row = Document.get_by_id(answer["document"])
        found.append((row.status, row.id in {one.id for one in documents_in_force(entity, day)}))
    assert found == [("live", True), ("live", True), ("retired", False)]
    assert "its end has come" in {entry.reason for entry in AuditEntry}
