"""Sending terms: what permits no more counts at once, what permits more takes a second person."""

import json
from datetime import date

import pytest

from engine.commands import CommandError, Invalid
from engine.contact_times import times_of
from engine.sending_terms import ApproveSendingTerms, SetSendingTerms, permits_more, terms_of
from engine.tables import Entity, TermsProposal
from ledger.days import day_of

pytestmark = pytest.mark.sqlite
STRICT = {"sms_hours": "10-16", "quiet_weekdays": "weekend", "quiet_dates": "2026-12-24 to 2027-01-03"}


@pytest.fixture
def give(runtime, users, entity):
    """Give terms as somebody; what is not said is as in a form that was opened on the shipped ones."""
    Entity.update(contact_times="{}").where(Entity.id == entity.id).execute()

    def gives(who, **said):
        values = {"daily_cap": 50, **said}
        return runtime.execute(
            SetSendingTerms(actor=getattr(users, who).id, reason="agreed", entity=entity.code, **values)
        )

    return gives


def now(entity):
    """The entity as it is stored."""
    return Entity.get_by_id(entity.id)


def test_what_permits_less_counts_at_once(give, entity):
    """Fewer messages, shorter hours, more quiet days: one person."""
    assert give("manager", daily_cap=20, **STRICT)["state"] == "in force"
    found = now(entity)
    times = times_of(found)
    assert (found.daily_cap, times.of("sms"), times.of("email")) == (20, (10, 16), (0, 24))
    assert times.dates == ((day_of(date(2026, 12, 24)), day_of(date(2027, 1, 3))),)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"daily_cap": 51}, "daily_cap"),
        ({"sms_hours": "9-17"}, "hours"),
        ({"sms_hours": "8-16"}, "hours"),
        ({"quiet_weekdays": "7"}, "quiet_weekdays"),
        ({"quiet_weekdays": "5,6,7"}, "quiet_weekdays"),  # nobody knows whether it covers every country's weekend
        ({"quiet_dates": "2026-12-25 to 2027-01-03"}, "quiet_dates"),
        ({"holidays": False}, "holidays"),
    ],
)
def test_what_permits_more_waits_for_a_second_person(runtime, users, give, entity, said, what):
    """Nothing is other before the second person approves; nobody approves their own."""
    give("manager", **STRICT)
    before = terms_of(now(entity))
    answer = give("manager", **{**STRICT, **said})
    assert (answer["state"], answer["permits_more"]) == ("proposed", [what])
    assert terms_of(now(entity)) == before
    with pytest.raises(CommandError, match="their own"):
        runtime.execute(ApproveSendingTerms(actor=users.manager.id, reason="read", entity=entity.code))
    runtime.execute(ApproveSendingTerms(actor=users.second.id, reason="read", entity=entity.code))
    after = terms_of(now(entity))
    assert after != before
    assert permits_more(before, after) == [what]


def test_a_newer_wish_replaces_the_older(runtime, users, give, entity):
    """What was proposed before is not approved by mistake."""
    give("manager", daily_cap=90)
    give("manager", daily_cap=40)
    assert [row.state for row in TermsProposal.select()] == ["replaced"]
    with pytest.raises(CommandError, match="nobody has proposed"):
        runtime.execute(ApproveSendingTerms(actor=users.second.id, reason="read", entity=entity.code))
    assert now(entity).daily_cap == 40


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"daily_cap": 0}, "daily_cap"),
        ({"sms_hours": "9-12"}, "sms_hours"),
        ({"sms_hours": "18-9"}, "sms_hours"),
        ({"sms_hours": "9-25"}, "sms_hours"),
        ({"email_hours": "always"}, "email_hours"),
        ({"quiet_weekdays": "1,2,3,4,5,6"}, "quiet_weekdays"),
        ({"quiet_weekdays": "8"}, "quiet_weekdays"),
        ({"quiet_dates": "24.12.2026"}, "quiet_dates"),
        ({"quiet_dates": "2026-12-24 to 2026-12-23"}, "quiet_dates"),
        ({"quiet_dates": "2026-01-01 to 2026-12-31"}, "quiet_dates"),
        ({}, "daily_cap"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_their_place(give, entity, said, place):
    """And nothing is changed; nor does anything need saying that is so already."""
    give("manager", quiet_weekdays="weekend", sms_hours="9-17")
    give("manager", quiet_weekdays="weekend", sms_hours="10-17")
    before = terms_of(now(entity))
    with pytest.raises(Invalid) as refused:
        give("manager", **{"sms_hours": "10-17", **said})
    assert {problem.place for problem in refused.value.problems} == {place}
    assert json.dumps(terms_of(now(entity))) == json.dumps(before)
