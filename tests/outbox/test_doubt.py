"""Doubtful messages settled together: with evidence, all of them or none."""

import json
from dataclasses import replace

import pytest

from engine import outbox
from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.diary import ResolveUncertain
from engine.doubt import EVIDENCE_LENGTH_MAX, ResolveUncertainTogether
from engine.tables import Action, AuditEntry, Standing
from notifiers.gateways import Doubtful


class Silent:
    """A receiver that takes the content and never answers."""

    name, idempotent = "silent", False

    def deliver(self, message, about_to_send):
        about_to_send()
        raise Doubtful("no answer")

    def find(self, key):
        return None


@pytest.fixture
def doubtful(runtime, make_customer, make_action, prepare):
    """Four messages nobody knows of."""
    for number in range(4):
        make_action(make_customer(str(number)))
    outbox.deliver(runtime, gateway=Silent(), prepare=prepare)
    rows = list(Action.select().order_by(Action.id))
    assert {row.state for row in rows} == {"uncertain"}
    return rows


@pytest.fixture
def asked(users, doubtful):
    """The command about the first three."""
    return ResolveUncertainTogether(
        actor=users.manager.id,
        reason="looked them up",
        actions=[(row.id, row.version) for row in doubtful[:3]],
        delivered=True,
        evidence="log of the provider, ticket 4711",
    )


def states():
    return [row.state for row in Action.select().order_by(Action.id)]


@pytest.mark.promise("A2")
def test_many_are_settled_at_once_with_one_audit_entry(runtime, doubtful, asked):
    """They count as sent, with the evidence as receipt; the entry names each of them; the fourth stays in doubt."""
    Standing.insert_many(
        {
            "customer": row.customer_id,
            "entity_id": row.entity_id,
            "policy_key": row.policy_key,
            "episode": 1,
            "open": True,
            "since_day": 0,
        }
        for row in doubtful
    ).execute()
    before = AuditEntry.select().count()
    answer = runtime.execute(asked)
    assert [one["state"] for one in answer["actions"]] == ["sent"] * 3
    assert states() == ["sent", "sent", "sent", "uncertain"]
    assert Action.get_by_id(doubtful[0].id).receipt == "confirmed by a person: log of the provider, ticket 4711"
    (entry,) = AuditEntry.select().offset(before)
    after = json.loads(entry.after)
    assert (after["actions"], after["evidence"]) == ([row.id for row in doubtful[:3]], asked.evidence)
    contacts = [one.last_contact_day for one in Standing.select().order_by(Standing.customer)]
    assert contacts == [runtime.today()] * 3 + [None]
    assert runtime.execute(asked) == answer  # the same key once more
    assert AuditEntry.select().count() == before + 1


def test_what_did_not_arrive_is_sent_again_once(runtime, doubtful, asked, one_way, prepare):
    """Each is due again with all its attempts."""
    runtime.execute(replace(asked, delivered=False))
    assert states() == ["due", "due", "due", "uncertain"]
    assert outbox.deliver(runtime, gateway=one_way, prepare=prepare)["sent"] == 3
    assert one_way.effects() == sorted(row.key for row in doubtful[:3])


@pytest.mark.promise("A2")
def test_one_that_changed_stops_all_and_is_named(runtime, users, doubtful, asked, dump):
    """Somebody settled the second meanwhile: nothing of the rest is touched."""
    runtime.execute(ResolveUncertain(actor=users.second.id, reason="asked", action=doubtful[1].id, delivered=True))
    before = dump()
    with pytest.raises(Conflict) as found:
        runtime.execute(asked)
    name = f"message {doubtful[1].id}"
    assert (found.value.seen, found.value.current) == ({name: "uncertain"}, {name: "sent"})
    assert dump() == before


@pytest.mark.parametrize("evidence", ["", "  ", "x" * (EVIDENCE_LENGTH_MAX + 1)])
def test_without_evidence_nothing_is_settled(runtime, asked, evidence):
    """Nor with a whole log in its place."""
    with pytest.raises(Invalid) as found:
        runtime.execute(replace(asked, evidence=evidence))
    assert [problem.place for problem in found.value.problems] == ["evidence"]
    assert states() == ["uncertain"] * 4


def test_only_who_may_settle_one_may_settle_many(runtime, users, make_user, doubtful, asked):
    """No collector, no system, nobody who does not see one of the customers; none and one twice make no sense."""
    for actor in (users.collector.id, None):
        with pytest.raises(Refused):
            runtime.execute(replace(asked, actor=actor))
    stranger = make_user("third.manager@dunwell.example", "credit_manager")
    with pytest.raises(NotFound):
        runtime.execute(replace(asked, actor=stranger.id))
    with pytest.raises(NotFound):
        runtime.execute(replace(asked, actions=[*asked.actions, (10**6, 1)]))
    for wrong in ([], [asked.actions[0]] * 2):
        with pytest.raises(Invalid):
            runtime.execute(replace(asked, actions=wrong))
    assert states() == ["uncertain"] * 4
