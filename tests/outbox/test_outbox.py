"""The outbox: claim, call, settle, sweep. Each scenario is told on a clock that the test moves.

Order: what is claimed; what a claim decides; failures of the receiver; leases and late workers;
sweeping; people.
"""

from dataclasses import replace

import pytest

from engine import outbox, settlements
from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.diary import CancelAction, CompleteAction, ConfirmMessage, ResolveUncertain, RetryMessage
from engine.doors import gateway_of
from engine.sending import Cancel, Wait
from engine.tables import Action, Alarm, AuditEntry, Block, Contact, Dispute, DueLine, Entity, Message, Promise
from notifiers.gateways import Doubtful, Receipt, Rejected, Unreachable
from notifiers.mailbox import MailboxGateway

MINUTE_US = 60 * 1_000_000


class Failing:
    """A receiver that fails in a way the test says, a number of times, and then takes everything."""

    name = "failing"

    def __init__(self, failure, times=1, idempotent=True, after_start=False):
        self.failure, self.times, self.idempotent, self.after_start = failure, times, idempotent, after_start
        self.taken = []

    def deliver(self, message, about_to_send):
        if self.after_start or not self.idempotent:
            about_to_send()
        if self.times > 0:
            self.times -= 1
            raise self.failure
        self.taken.append(message)
        return Receipt(self.name, "taken")

    def find(self, key):
        return None


def of(action):
    return Action.get_by_id(action.id)


# --- what is claimed -------------------------------------------------------------------


def test_a_due_message_is_sent_once_and_sealed(runtime, make_customer, make_action, counting, prepare):
    """After delivery the action is sent, the text is kept sealed, and nothing is due any more."""
    action = make_action(make_customer("1"))
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {"sent": 1}
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {}
    message = Message.get(Message.action == action)
    assert counting.calls() == [action.key]
    assert (of(action).state, of(action).generation, of(action).receipt) == ("sent", 1, "taken")
    assert message.body_sha256 == of(action).body_sha256
    assert b"Reminder" not in message.sealed
    assert runtime.vault.open(message.person, message.sealed)["to"] == "payables@customer.example"


@pytest.mark.parametrize(
    "changes",
    [{"sending": False}, {"live_from_day": None}, {"live_from_day": 10**5}],
    ids=["stopped", "never", "later"],
)
def test_an_entity_that_does_not_send_keeps_its_messages(
    runtime, live, make_customer, make_action, counting, prepare, changes
):
    """The emergency stop suspends: nothing is lost, nothing leaves, and it goes on afterwards."""
    action = make_action(make_customer("1"))
    Entity.update(**changes).where(Entity.id == live.id).execute()
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {}
    assert of(action).state == "due"
    Entity.update(sending=True, live_from_day=live.live_from_day).where(Entity.id == live.id).execute()
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {"sent": 1}


@pytest.mark.parametrize(("later_us", "sent"), [(1, 0), (0, 1), (-1, 1)])
def test_a_message_does_not_leave_before_its_time(
    runtime, make_customer, make_action, counting, prepare, later_us, sent
):
    """not_before_at is inclusive."""
    make_action(make_customer("1"), not_before_at=runtime.now_at() + later_us)
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == sent


@pytest.mark.parametrize("blocking", ["waiting", "uncertain", "failed"])
def test_level_two_waits_for_level_one(runtime, make_customer, make_action, counting, prepare, blocking):
    """Order per customer is kept: what a person must look at holds back what comes later."""
    customer = make_customer("1")
    first = make_action(customer, "p4", 1, state=blocking)
    second = make_action(customer, "p14", 2)
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {}
    Action.update(state="cancelled").where(Action.id == first.id).execute()
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {"sent": 1}
    assert counting.calls() == [second.key]


def test_a_new_episode_does_not_wait_for_the_failures_of_an_old_one(
    runtime, make_customer, make_action, counting, prepare
):
    """What failed in a closed episode is history."""
    customer = make_customer("1")
    make_action(customer, state="failed", episode=1)
    make_action(customer, episode=2)
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 1


def test_two_messages_of_one_customer_leave_in_order(runtime, make_customer, make_action, counting, prepare):
    """Also when both are due at once."""
    customer = make_customer("1")
    keys = [make_action(customer, step, level).key for step, level in (("p4", 1), ("p14", 2))]
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 2
    assert counting.calls() == keys


# --- what a claim decides --------------------------------------------------------------


@pytest.mark.promise("A4")
def test_a_reason_that_is_gone_cancels(runtime, make_customer, make_action, counting):
    """The claim decides again; the action says why it was not sent."""
    action = make_action(make_customer("1"))
    tally = outbox.deliver(runtime, gateway=counting, prepare=lambda *_: Cancel("nothing is overdue any more"))
    assert tally.counts == {"cancel": 1}
    assert (of(action).state, of(action).result) == ("cancelled", "nothing is overdue any more")
    assert counting.calls() == []


def test_a_message_that_waits_says_why(runtime, make_customer, make_action, counting, prepare, clock):
    """Silence always has a code, and the message comes by itself when the time has come."""
    action = make_action(make_customer("1"))
    until = runtime.now_at() + MINUTE_US
    assert outbox.deliver(runtime, gateway=counting, prepare=lambda *_: Wait(until, "min_days")).counts == {"wait": 1}
    assert (of(action).state, of(action).waiting_for) == ("due", "min_days")
    assert "min_days" in outbox.WAITING
    clock.advance(minutes=1)
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 1
    assert of(action).waiting_for is None


@pytest.mark.parametrize(("cap", "sent"), [(2, 2), (3, 3), (4, 3)])
def test_a_collector_sends_so_many_a_day(
    runtime, live, make_customer, make_action, counting, prepare, clock, cap, sent
):
    """The rest waits for tomorrow and leaves then."""
    Entity.update(daily_cap=cap).where(Entity.id == live.id).execute()
    actions = [make_action(make_customer(str(number))) for number in range(3)]
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == sent
    assert [of(action).waiting_for for action in actions[sent:]] == ["cap"] * (3 - sent)
    clock.advance(hours=15)  # 09:00 -> midnight
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 3 - sent


def test_without_an_address_a_person_is_asked(runtime, make_customer, make_action, counting, prepare, clock):
    """Never silence: a task "find a contact" opens, the message waits and goes on once there is one."""
    customer = make_customer("1", email=None)
    action = make_action(customer)
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {"noaddress": 1}
    assert (of(action).state, of(action).waiting_for) == ("waiting", "no_address")
    task = Action.get(Action.template == "find_contact")
    assert (task.channel, task.state, task.customer_id) == ("task", "open", customer.id)
    assert outbox.sweep(runtime, gateway=counting).counts == {}
    person = runtime.vault.create_person({"name": "Payables", "email": "payables@customer.example"})
    Contact.create(customer=customer, person=person)
    assert outbox.sweep(runtime, gateway=counting).counts == {"due": 1}
    assert of(task).state == "cancelled"
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 1


def test_the_task_is_asked_for_once_while_it_is_open(runtime, make_customer, make_action, counting, prepare):
    """A second look at the same message makes no second task; after the first is done it does."""
    customer = make_customer("1", email=None)
    action = make_action(customer)
    for expected in (1, 1):
        outbox.deliver(runtime, gateway=counting, prepare=prepare)
        Action.update(state="due").where(Action.id == action.id).execute()
        assert Action.select().where(Action.template == "find_contact").count() == expected
    Action.update(state="done").where(Action.template == "find_contact").execute()
    outbox.deliver(runtime, gateway=counting, prepare=prepare)
    assert Action.select().where(Action.template == "find_contact").count() == 2


def test_a_letter_that_cannot_be_written_stops_no_other(runtime, make_customer, make_action, counting, prepare):
    """One action fails with an alarm; the next customer gets their message."""
    broken, fine = make_action(make_customer("1")), make_action(make_customer("2"))

    def sometimes(runtime, action, now_at, gateway):
        if action.id == broken.id:
            raise ValueError("there is no letter template")
        return prepare(runtime, action, now_at, gateway)

    assert outbox.deliver(runtime, gateway=counting, prepare=sometimes).counts == {"failed": 1, "sent": 1}
    assert of(fine).state == "sent"
    assert of(broken).state == "failed"
    assert Alarm.get().kind == "message_failed"


# --- failures of the receiver ----------------------------------------------------------


def test_a_failure_before_the_content_is_tried_again_later(
    runtime, make_customer, make_action, counting, prepare, clock
):
    """The pause doubles, with jitter; the reason is kept."""
    action = make_action(make_customer("1"))
    failing = Failing(Unreachable("450 later"), times=2)
    assert outbox.deliver(runtime, gateway=failing, prepare=prepare).counts == {"due": 1}
    assert (of(action).state, of(action).waiting_for, of(action).receipt) == ("due", "retry", "450 later")
    assert outbox.deliver(runtime, gateway=failing, prepare=prepare).counts == {}
    clock.advance(minutes=2)
    assert outbox.deliver(runtime, gateway=failing, prepare=prepare).counts == {"due": 1}
    clock.advance(minutes=3)
    assert outbox.deliver(runtime, gateway=failing, prepare=prepare).counts == {"sent": 1}
    assert of(action).attempts == 3


def test_the_pause_grows_with_jitter_and_is_the_same_each_time():
    """Derived from key and attempt, so that a test can know it and a thousand messages spread."""
    pauses = [outbox.backoff_us("a", attempt) for attempt in range(1, 12)]
    assert pauses == [outbox.backoff_us("a", attempt) for attempt in range(1, 12)]
    assert all(low * 3 // 4 <= pause <= low * 5 // 4 for pause, low in zip(pauses, [60 * 10**6 << n for n in range(6)]))
    assert pauses[-1] <= outbox.BACKOFF_MAX_US * 5 // 4
    assert len({outbox.backoff_us(str(key), 1) for key in range(100)}) == 100
    assert sum(outbox.backoff_us("a", n) * 3 // 5 for n in range(1, outbox.ATTEMPTS_MAX)) > 20 * 3_600 * 10**6


def test_a_receiver_that_is_down_is_not_asked_for_every_message(runtime, make_customer, make_action, counting, prepare):
    """One message finds out; the others keep their attempts."""
    actions = [make_action(make_customer(str(number))) for number in range(5)]
    down = Failing(Unreachable("connection refused", for_all=True), times=99)
    assert outbox.deliver(runtime, gateway=down, prepare=prepare).counts == {"unreachable": 1}
    assert down.times == 98
    assert [of(action).attempts for action in actions] == [1, 0, 0, 0, 0]
    assert {of(action).state for action in actions} == {"due"}


@pytest.mark.parametrize(("tried", "state"), [(-2, "due"), (-1, "failed"), (0, "failed")])
def test_after_so_many_tries_a_person_sees_it(runtime, make_customer, make_action, prepare, tried, state):
    """ATTEMPTS_MAX is the limit."""
    action = make_action(make_customer("1"), attempts=outbox.ATTEMPTS_MAX + tried)
    outbox.deliver(runtime, gateway=Failing(Unreachable("421")), prepare=prepare)
    assert of(action).state == state
    assert Alarm.select().where(Alarm.kind == "message_failed").count() == (state == "failed")


def test_a_refusal_for_good_is_not_repeated(runtime, make_customer, make_action, prepare):
    """554 after the content: a person looks at it."""
    action = make_action(make_customer("1"))
    assert outbox.deliver(runtime, gateway=Failing(Rejected("554 spam")), prepare=prepare).counts == {"failed": 1}
    assert of(action).result == "554 spam"


def test_a_bad_address_goes_to_the_next_contact_or_to_a_person(runtime, make_customer, make_action, prepare):
    """A hard bounce makes the contact unusable; with another one the message leaves all the same."""
    customer = make_customer("1")
    person = runtime.vault.create_person({"name": "Finance", "email": "finance@customer.example"})
    Contact.create(customer=customer, person=person)
    action = make_action(customer)
    bounce = Failing(Rejected("550 no such user", address_is_bad=True))
    assert outbox.deliver(runtime, gateway=bounce, prepare=prepare).counts == {"due": 1, "sent": 1}
    assert [message.to_address for message in bounce.taken] == ["finance@customer.example"]
    assert [contact.usable for contact in Contact.select().order_by(Contact.id)] == [False, True]
    assert Message.get(Message.action == action).person_id == person.id


@pytest.mark.parametrize("failure", [Doubtful("no answer"), RuntimeError("a fault of ours")])
def test_doubt_waits_for_a_person(runtime, make_customer, make_action, prepare, clock, failure):
    """After the content left and no answer came, nothing is sent again alone, however long it takes."""
    action = make_action(make_customer("1"))
    gateway = Failing(failure, idempotent=False)
    assert outbox.deliver(runtime, gateway=gateway, prepare=prepare).counts == {"uncertain": 1}
    clock.advance(days=3)
    assert outbox.sweep(runtime, gateway=gateway).counts == {}
    assert outbox.deliver(runtime, gateway=gateway, prepare=prepare).counts == {}
    assert of(action).state == "uncertain"
    assert [(alarm.kind, action.key in alarm.text) for alarm in Alarm.select()] == [("message_uncertain", True)]


class Watching(Failing):
    """A receiver that notes how the messages stand once it may begin with the next, and refuses some before."""

    def __init__(self, refused=()):
        super().__init__(None, times=0, idempotent=False)
        self.refused, self.seen = refused, []

    def deliver(self, message, about_to_send):
        if message.key in self.refused:
            raise Rejected("550 no such user")
        about_to_send()
        self.seen.append([action.state for action in Action.select().order_by(Action.id)])
        return Receipt(self.name, "taken")


@pytest.mark.promise("A2")
def test_a_mail_is_settled_before_the_content_of_the_next_leaves(runtime, make_customer, make_action, prepare):
    """Never are two of one worker in doubt: the one is sent in the transaction in which the other begins."""
    for number in range(3):
        make_action(make_customer(str(number)))
    watching = Watching()
    assert outbox.deliver(runtime, gateway=watching, prepare=prepare).counts == {"sent": 3}
    assert watching.seen == [
        ["sending", "claimed", "claimed"],
        ["sent", "sending", "claimed"],
        ["sent", "sent", "sending"],
    ]
    assert Message.select().where(Message.sent_at.is_null()).count() == 0


def test_a_mail_is_settled_though_the_next_is_refused_before_its_content(runtime, make_customer, make_action, prepare):
    """What waits to be written down with the next is written down by itself."""
    actions = [make_action(make_customer(str(number))) for number in range(3)]
    watching = Watching(refused=[actions[1].key])
    assert outbox.deliver(runtime, gateway=watching, prepare=prepare).counts == {"sent": 2, "failed": 1}
    assert watching.seen == [["sending", "claimed", "claimed"], ["sent", "failed", "sending"]]


# --- leases and late workers -----------------------------------------------------------


def held(runtime, gateway, prepare):
    claims, _ = outbox.claim(runtime, runtime.now_at(), way=outbox.whole(gateway), prepare=prepare)
    return claims[0]


@pytest.mark.promise("A5")
def test_a_worker_that_wakes_after_its_lease_settles_nothing(
    runtime, make_customer, make_action, counting, prepare, clock
):
    """The second worker owns the action; what the first one reports is dropped."""
    action = make_action(make_customer("1"))
    late = held(runtime, counting, prepare)
    clock.advance(seconds=outbox.LEASE_US // 10**6)
    assert outbox.sweep(runtime, gateway=counting).counts == {"due": 1}
    second = held(runtime, counting, prepare)
    assert (late.generation, second.generation) == (1, 3)
    assert outbox.send(runtime, counting, [late]) == ["lost"]
    assert settlements.settle(runtime, late, Receipt("counting", "late")) == "lost"
    assert of(action).state == "claimed"
    assert outbox.send(runtime, counting, [second]) == ["sent"]
    assert counting.effects() == [action.key]


@pytest.mark.promise("A5")
def test_a_late_worker_hands_nothing_to_a_receiver_that_takes_repeats(
    runtime, make_customer, make_action, one_way, prepare, clock
):
    """It asks for leave before the content, and its generation is gone."""
    action = make_action(make_customer("1"))
    late = held(runtime, one_way, prepare)
    clock.advance(seconds=outbox.LEASE_US // 10**6)
    outbox.sweep(runtime, gateway=one_way)
    assert outbox.deliver(runtime, gateway=one_way, prepare=prepare)["sent"] == 1
    forever = replace(late, lease_until_at=2**62)  # also when its own clock stood still
    assert outbox.send(runtime, one_way, [forever]) == ["lost"]
    assert one_way.effects() == [action.key]


@pytest.mark.parametrize(("beyond_us", "state"), [(-1, "sent"), (0, "lost"), (1, "lost")])
def test_the_lease_is_checked_before_the_content(
    runtime, make_customer, make_action, one_way, prepare, clock, beyond_us, state
):
    """A worker whose lease is over does not begin, even if nobody has taken the action yet."""
    make_action(make_customer("1"))
    claimed = held(runtime, one_way, prepare)
    clock.advance(microseconds=outbox.LEASE_US + beyond_us)
    assert outbox.send(runtime, one_way, [replace(claimed, lease_until_at=2**62)]) == [state]


# --- sweeping --------------------------------------------------------------------------


@pytest.mark.parametrize(("after_us", "found"), [(-1, {}), (0, {"due": 1}), (1, {"due": 1})])
def test_a_claim_whose_lease_is_over_is_due_again(
    runtime, make_customer, make_action, counting, prepare, clock, after_us, found
):
    """A dead worker's claim comes back, with a generation that shuts it out."""
    make_action(make_customer("1"))
    held(runtime, counting, prepare)
    clock.advance(microseconds=outbox.LEASE_US + after_us)
    assert outbox.sweep(runtime, gateway=counting).counts == found


def test_a_claim_that_was_delivered_is_settled_as_sent(
    runtime, make_customer, make_action, counting, prepare, clock, dying_after
):
    """The receiver is asked first: a customer who has paid since is not said to be unreminded."""
    action = make_action(make_customer("1"))
    claimed = held(runtime, counting, prepare)
    with pytest.raises(SystemExit):
        outbox.send(runtime, dying_after(counting), [claimed])
    assert of(action).state == "claimed"
    clock.advance(hours=1)
    assert outbox.sweep(runtime, gateway=counting).counts == {"sent": 1}
    assert of(action).state == "sent"
    assert Message.get(Message.action == action).sent_at is not None


def test_a_sending_whose_lease_is_over_is_uncertain(runtime, make_customer, make_action, one_way, prepare, clock):
    """Nobody can know; the alarm names the key."""
    action = make_action(make_customer("1"))
    held(runtime, one_way, prepare)
    Action.update(state="sending").where(Action.id == action.id).execute()
    clock.advance(hours=1)
    assert outbox.sweep(runtime, gateway=one_way).counts == {"uncertain": 1}
    assert action.key in Alarm.get().text


def test_an_action_that_kills_its_workers_is_given_up(runtime, make_customer, make_action, counting, prepare, clock):
    """Every claim counts as an attempt, also one that nobody came back from."""
    action = make_action(make_customer("1"), attempts=outbox.ATTEMPTS_MAX - 1)
    held(runtime, counting, prepare)
    clock.advance(hours=1)
    assert outbox.sweep(runtime, gateway=counting).counts == {"failed": 1}
    assert of(action).state == "failed"


# --- people ----------------------------------------------------------------------------


def test_a_message_that_waits_for_confirmation_leaves_when_confirmed(
    runtime, users, make_customer, make_action, counting, prepare
):
    """A collector confirms; one audit entry says so."""
    action = make_action(make_customer("1"), state="waiting", waiting_for="unconfirmed")
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare).counts == {}
    runtime.execute(ConfirmMessage(actor=users.collector.id, reason="looks right", action=action.id))
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 1
    assert AuditEntry.select().where(AuditEntry.command == "ConfirmMessage").count() == 1


def test_a_message_under_way_cannot_be_cancelled(runtime, users, make_customer, make_action, counting, prepare):
    """Before the claim it can; during the call the answer is a conflict with the state as it is."""
    actions = [make_action(make_customer(str(number))) for number in range(2)]
    runtime.execute(CancelAction(actor=users.collector.id, reason="customer called", action=actions[0].id))
    assert (of(actions[0]).state, of(actions[0]).result) == ("cancelled", "customer called")
    held(runtime, counting, prepare)
    with pytest.raises(Conflict) as conflict:
        runtime.execute(CancelAction(actor=users.collector.id, reason="too late", action=actions[1].id))
    assert conflict.value.current == {"state": "claimed"}


@pytest.mark.parametrize(("delivered", "state", "effects"), [(True, "sent", 0), (False, "due", 1)])
@pytest.mark.promise("A2")
def test_only_a_manager_ends_doubt(
    runtime, users, make_customer, make_action, one_way, prepare, delivered, state, effects
):
    """Delivered counts as sent; not delivered is sent again, if still due, under the same Message-ID."""
    action = make_action(make_customer("1"))
    outbox.deliver(runtime, gateway=Failing(Doubtful("no answer"), idempotent=False), prepare=prepare)
    before = Message.get(Message.action == action).message_id
    command = ResolveUncertain(actor=users.collector.id, reason="asked them", action=action.id, delivered=delivered)
    with pytest.raises(Refused):
        runtime.execute(command)
    runtime.execute(replace(command, actor=users.manager.id))
    assert of(action).state == state
    outbox.deliver(runtime, gateway=one_way, prepare=prepare)
    assert of(action).state == "sent"
    assert len(one_way.effects()) == effects
    assert Message.get(Message.action == action).message_id == before


def test_a_failed_message_can_be_tried_again(runtime, users, make_customer, make_action, counting, prepare):
    """With all its attempts, by a person who has mended the cause."""
    action = make_action(make_customer("1"), state="failed", attempts=outbox.ATTEMPTS_MAX)
    runtime.execute(RetryMessage(actor=users.manager.id, reason="server is back", action=action.id))
    assert outbox.deliver(runtime, gateway=counting, prepare=prepare)["sent"] == 1


def test_an_older_view_of_an_action_is_refused(runtime, users, make_customer, make_action):
    """Two collectors on one message: the second sees both values."""
    action = make_action(make_customer("1"), state="waiting", waiting_for="unconfirmed")
    runtime.execute(ConfirmMessage(actor=users.collector.id, reason="fine", action=action.id, version=1))
    with pytest.raises(Conflict):
        runtime.execute(CancelAction(actor=users.manager.id, reason="wrong", action=action.id, version=1))


def test_nobody_works_on_customers_they_do_not_see(runtime, make_user, make_customer, make_action):
    """Another's action looks like none."""
    action = make_action(make_customer("1"), state="waiting")
    stranger = make_user("stranger@dunwell.example", "collector")
    with pytest.raises(NotFound):
        runtime.execute(ConfirmMessage(actor=stranger.id, reason="why not", action=action.id))


@pytest.mark.parametrize(
    ("result", "state", "follow_up"),
    [
        ("promised", "done", "RecordPromise"),
        ("disputed", "done", "RecordDispute"),
        ("already_paid", "done", "SetBlock"),
        ("refused", "done", None),
    ],
)
def test_a_call_result_names_the_command_that_follows(
    runtime, users, make_customer, make_action, result, state, follow_up
):
    """The console offers it next, filled in."""
    customer = make_customer("1")
    action = make_action(customer, channel="call", state="open", template="call_1")
    answer = runtime.execute(
        CompleteAction(actor=users.collector.id, reason="spoke to them", action=action.id, result=result)
    )
    assert (of(action).state, of(action).result) == (state, result)
    offered = answer.get("follow_up")
    assert offered == (None if follow_up is None else {"command": follow_up, "customer": customer.id})


AGREED = {
    "promised": ("promised", {"amount_minor": 5_000, "agreed_day": 5}, Promise),
    "promised on a line": ("promised", {"amount_minor": 5_000, "agreed_day": 0, "due_line": True}, Promise),
    "disputed": ("disputed", {"due_line": True}, Dispute),
    "disputed in part": ("disputed", {"due_line": True, "amount_minor": 1}, Dispute),
    "paid": ("already_paid", {"agreed_day": 5}, Block),
}


@pytest.fixture
def spoken(runtime, users, make_customer, make_action):
    """Complete a call to a customer who owes one line of 100.00 CHF: days count from today, the line is filled in."""
    customer, today = make_customer("1"), runtime.today()
    entry = {"entity_id": customer.entity_id, "customer": customer, "recorded_day": today, "recorded_at": 1}
    line = DueLine.create(
        **entry, booked_day=today - 40, number="1", identity="1", invoice_day=today - 40, due_day=today - 10,
        amount_minor=10_000, currency="CHF",
    )  # fmt: skip
    action = make_action(customer, channel="call", state="open", template="call_1")

    def complete(result, said):
        said = dict(said)
        if "agreed_day" in said:
            said["agreed_day"] += today
        if said.get("due_line") is True:
            said["due_line"] = line.id
        return runtime.execute(
            CompleteAction(actor=users.collector.id, reason="spoke", key="k", action=action.id, result=result, **said)
        )

    return complete


@pytest.mark.parametrize("name", AGREED)
def test_what_was_agreed_in_a_call_is_recorded_with_its_result(spoken, name):
    """In one transaction, once, and each with an audit entry of its own."""
    result, said, table = AGREED[name]
    answer = spoken(result, said)
    assert spoken(result, said) == answer
    (made,) = table.select()
    assert answer["recorded"] == {table.__name__.lower(): made.id}
    assert getattr(made, "currency", None) == {"promised": "EUR", "promised on a line": "CHF"}.get(name)
    assert "follow_up" not in answer
    assert [e.command for e in AuditEntry.select().order_by(AuditEntry.id)][-2:] == [
        {"Promise": "RecordPromise", "Dispute": "RecordDispute", "Block": "SetBlock"}[table.__name__],
        "CompleteAction",
    ]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("promised", {"amount_minor": 5_000}),
        ("promised", {"agreed_day": 5}),
        ("promised", {"amount_minor": 5_000, "agreed_day": -1}),
        ("disputed", {"amount_minor": 5_000}),
        ("disputed", {"due_line": True, "amount_minor": 10_001}),
        ("already_paid", {"agreed_day": 0}),
        ("refused", {"agreed_day": 5}),
    ],
)
def test_a_result_with_half_of_what_was_agreed_is_refused_whole(spoken, result, said):
    """The call stays open, and nothing is recorded."""
    with pytest.raises(Invalid):
        spoken(result, said)
    assert Action.get().state == "open"
    assert AuditEntry.select().count() == Promise.select().count() == Dispute.select().count() == 0


def test_a_call_nobody_answers_comes_again_and_not_for_ever(runtime, users, make_customer, make_action):
    """Three tries on three days, then the diary is quiet and the next step goes on."""
    action = make_action(make_customer("1"), channel="call", state="open", template="call_1")
    for tries in (1, 2, 3):
        open_now = list(Action.select().where(Action.state == "open"))
        assert [(call.due_day - runtime.today(), call.repeat_no) for call in open_now] == [(int(tries > 1), 0)]
        runtime.execute(
            CompleteAction(actor=users.collector.id, reason="rang", action=open_now[0].id, result="no_answer")
        )
    assert Action.select().where(Action.state == "open").count() == 0
    assert Action.select().where(Action.key.startswith(action.key)).count() == 3


def test_a_wrong_contact_asks_for_another(runtime, users, make_customer, make_action):
    """The task is closed once a contact is there, and not before."""
    customer = make_customer("1", email=None)
    action = make_action(customer, channel="call", state="open", template="call_1")
    answer = runtime.execute(
        CompleteAction(actor=users.collector.id, reason="left the firm", action=action.id, result="wrong_contact")
    )
    found = CompleteAction(
        actor=users.collector.id, reason="found", action=answer["next_action"], result="contact_found"
    )
    with pytest.raises(Invalid, match="no usable contact"):
        runtime.execute(found)
    Contact.create(customer=customer, person=runtime.vault.create_person({"email": "new@customer.example"}))
    runtime.execute(replace(found, key="again"))
    assert Action.get_by_id(answer["next_action"]).state == "done"


def test_a_call_has_results_of_a_call(runtime, users, make_customer, make_action):
    """Others are refused with the list to choose from."""
    action = make_action(make_customer("1"), channel="call", state="open")
    with pytest.raises(Invalid, match="is no result of it"):
        runtime.execute(CompleteAction(actor=users.collector.id, reason="?", action=action.id, result="sunk"))


# --- which way out ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smtp", "for_real", "name"),
    [(None, False, "mailbox"), ("smtp://mail.test", False, "mailbox"), ("smtp://mail.test", True, "smtp")],
)
def test_mail_leaves_the_machine_only_when_permitted(runtime, settings, smtp, for_real, name):
    """Without DUNWELL_SEND_FOR_REAL it goes to the mailbox folder."""
    runtime.settings = replace(settings, smtp=smtp, send_for_real=for_real)
    gateway = gateway_of(runtime)
    assert gateway.name == name
    assert isinstance(gateway, MailboxGateway) == (name == "mailbox")
