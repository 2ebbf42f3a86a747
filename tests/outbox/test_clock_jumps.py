"""Clocks that are set back, forward, or to 1970, at any moment: nothing twice, nothing lost (promise H3).

The true time goes on while a worker's clock shows something else. A red test prints the line that runs it
again.
"""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from engine import clocks, outbox
from engine.claims import LEASE_US
from engine.diary import ResolveUncertain
from engine.sending import Wait
from engine.tables import Action, Alarm, Door
from notifiers.gateways import Receipt, Unreachable

MINUTE_US = 60 * 1_000_000
JUMPS = {
    "an hour back": timedelta(hours=-1),
    "an hour ahead": timedelta(hours=1),
    "a day ahead": timedelta(days=1),
    "a year ahead": timedelta(days=365),
    "1970": None,
}


class Died(BaseException):
    """The process is gone."""


class Jumping:
    """A clock that is wrong by what a test says, while the true time goes on.

    Args:
        true: the clock of the test.
    """

    def __init__(self, true):
        self.true, self.jump = true, timedelta()

    def __call__(self):
        if self.jump is None:
            return datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
        return self.true() + self.jump


class Receiver:
    """Keeps what arrived; at a call the clock may jump, the worker may die, before or after it took the message."""

    name = "receiver"

    def __init__(self, idempotent, happens=lambda moment: None):
        self.idempotent, self.happens, self.arrived = idempotent, happens, Counter()

    def deliver(self, message, about_to_send):
        self.happens("called")
        if not self.idempotent:
            about_to_send()
        self.happens("begun")
        if not (self.idempotent and message.key in self.arrived):
            self.arrived[message.key] += 1
        self.happens("taken")
        return Receipt(self.name, "taken")

    def find(self, key):
        return Receipt(self.name, "taken") if self.idempotent and key in self.arrived else None


@pytest.fixture
def wrong(runtime, clock):
    """The clock of the workers."""
    jumping = Jumping(clock)
    runtime.now = jumping
    return jumping


def of(action):
    return Action.get_by_id(action.id)


def minutes_until_sent(runtime, clock, receiver, prepare, action):
    """Work each minute, as workers do, until a message is sent or in doubt; how many minutes that took."""
    for minute in range(2_000):
        outbox.sweep(runtime, gateway=receiver)
        outbox.deliver(runtime, gateway=receiver, prepare=prepare)
        if of(action).state in ("sent", "uncertain"):
            return minute
        clock.advance(minutes=1)
    raise AssertionError(f"still {of(action).state} after {minute} minutes: {of(action).waiting_for}")


@pytest.mark.long
@pytest.mark.promise("H3")
@pytest.mark.parametrize("idempotent", [True, False], ids=["drops repeats", "takes repeats"])
@pytest.mark.parametrize("moment", ["claim", "called", "begun", "taken"])
@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_at_any_moment_of_a_message_sends_nothing_twice(
    runtime, make_customer, make_action, prepare, clock, wrong, jump, moment, idempotent
):
    """Before the claim, before the call, within it, before it is settled; a sweep of another worker looks on."""
    action = make_action(make_customer("1"))

    def happens(now):
        if now == moment:
            wrong.jump = JUMPS[jump]
            outbox.sweep(runtime, gateway=receiver)

    receiver = Receiver(idempotent, happens)
    happens("claim")
    outbox.deliver(runtime, gateway=receiver, prepare=prepare)
    receiver.happens, wrong.jump = lambda _: None, timedelta()
    took = minutes_until_sent(runtime, clock, receiver, prepare, action)
    assert took * MINUTE_US <= LEASE_US + MINUTE_US
    assert receiver.arrived[action.key] <= 1
    if of(action).state == "sent":
        assert receiver.arrived == {action.key: 1}
    else:
        assert not idempotent


@pytest.mark.sqlite
@pytest.mark.promise("H3")
@pytest.mark.parametrize("moment", ["called", "begun", "taken"])
@pytest.mark.parametrize("jump", JUMPS)
def test_a_worker_that_dies_while_its_clock_is_wrong_costs_one_lease(
    runtime, make_customer, make_action, prepare, clock, wrong, jump, moment
):
    """Its lease ends in a year, by its own clock: once the clock is right it is no longer than any other."""
    action = make_action(make_customer("1"))
    if jump == "1970":
        wrong.jump = timedelta(days=1)  # nothing is claimed before an entity went live: it dies after it came back

    def happens(now):
        if now == moment:
            raise Died

    receiver = Receiver(True, happens)
    wrong.jump = JUMPS[jump] or timedelta()
    with pytest.raises(Died):
        outbox.deliver(runtime, gateway=receiver, prepare=prepare)
    receiver.happens, wrong.jump = lambda _: None, timedelta()
    took = minutes_until_sent(runtime, clock, receiver, prepare, action)
    assert took * MINUTE_US <= LEASE_US + MINUTE_US
    assert (of(action).state, receiver.arrived) == ("sent", {action.key: 1})


@pytest.mark.sqlite
@pytest.mark.promise("H3")
@pytest.mark.parametrize("ahead", ["an hour ahead", "a day ahead", "a year ahead"])
def test_what_was_put_off_by_a_clock_that_was_ahead_is_looked_at_again(
    runtime, make_customer, make_action, prepare, clock, wrong, ahead
):
    """A wait, a failed try and a way that rests: none lasts longer than if it had begun now; a person is told."""
    put_off, failed = make_action(make_customer("1")), make_action(make_customer("2"))
    receiver = Receiver(True)

    def busy(runtime, action, now_at, gateway):
        return (
            Wait(now_at + 20 * MINUTE_US, "hours")
            if action.id == put_off.id
            else prepare(runtime, action, now_at, gateway)
        )

    def fails(moment):
        raise Unreachable("no route", for_all=True)

    wrong.jump, receiver.happens = JUMPS[ahead], fails
    outbox.deliver(runtime, gateway=receiver, prepare=busy)
    Door.update(failures=9, rests_until_at=runtime.now_at() + 60 * MINUTE_US).execute()
    assert {of(put_off).waiting_for, of(failed).waiting_for} == {"hours", "retry"}
    wrong.jump, receiver.happens = timedelta(), lambda _: None
    assert minutes_until_sent(runtime, clock, receiver, prepare, put_off) == 0
    assert minutes_until_sent(runtime, clock, receiver, prepare, failed) <= 2
    assert receiver.arrived == {put_off.key: 1, failed.key: 1}
    assert Alarm.select().where(Alarm.kind == "clock").count() == 1


@pytest.mark.sqlite
@pytest.mark.parametrize(("back_s", "mended"), [(119, False), (120, False), (121, True)])
def test_clocks_of_several_machines_may_differ_by_two_minutes(runtime, live, back_s, mended):
    """Less is no jump: nothing is touched and nobody is told."""
    now_at = runtime.now_at()
    assert clocks.mend(now_at) == 0
    assert bool(clocks.mend(now_at - back_s * 1_000_000)) == mended
    assert Alarm.select().count() == mended


@pytest.mark.sqlite
@pytest.mark.promise("H3")
def test_two_machines_an_hour_apart_use_up_no_tries(runtime, make_customer, make_action, prepare, clock, wrong):
    """Each minute one of them is "set back": the tries that this brings do not count."""
    action = make_action(make_customer("1"))

    def fails(moment):
        raise Unreachable("450 later")

    receiver = Receiver(True, fails)
    for minute in range(20):
        wrong.jump = timedelta(hours=minute % 2)
        outbox.sweep(runtime, gateway=receiver)
        outbox.deliver(runtime, gateway=receiver, prepare=prepare)
        clock.advance(minutes=1)
    assert (of(action).state, of(action).attempts) == ("due", 2)
    assert Alarm.select().where(Alarm.kind == "clock").count() == 1


@pytest.mark.sqlite
def test_what_is_settled_after_the_clock_was_set_back_counts_on_the_day_it_left(
    runtime, make_customer, make_action, prepare, clock, wrong
):
    """Else the contact would be none, and the customer could get another the same day."""
    action = make_action(make_customer("1"))

    def to_1970(moment):
        wrong.jump = None

    claimed_at = runtime.now_at()
    outbox.deliver(runtime, gateway=Receiver(True, to_1970), prepare=prepare)
    assert (of(action).state, of(action).settled_at) == ("sent", claimed_at)


@pytest.mark.sqlite
@pytest.mark.promise("H3")
@pytest.mark.seeds(2, 202)
def test_any_jumps_failures_and_deaths_lose_and_repeat_nothing(
    runtime, make_customer, make_action, prepare, clock, wrong, users, replay, seed
):
    """Two days of jumps at random moments, then a right clock: after a lease and a pause all is sent, once."""
    chance = random.Random(seed)

    def happens(moment):
        if chance.random() < 0.1:
            wrong.jump = chance.choice([*JUMPS.values(), timedelta()])
        if chance.random() < 0.08:
            raise Died
        if moment == "called" and chance.random() < 0.15:
            raise Unreachable("450 later")

    receiver = Receiver(chance.random() < 0.5, happens)
    actions = []
    for round_ in range(30):
        if chance.random() < 0.3:
            wrong.jump = chance.choice([*JUMPS.values(), timedelta(), timedelta()])
        if round_ < 8:
            customer = make_customer(str(round_))
            steps = [("p4", 1), ("p14", 2)][: chance.randint(1, 2)]
            actions += [make_action(customer, step, level) for step, level in steps]
        try:
            outbox.sweep(runtime, gateway=receiver)
            outbox.deliver(runtime, gateway=receiver, prepare=prepare, batch=3)
        except Died:
            pass
        clock.advance(minutes=chance.choice((1, 1, 5, 60, 180)))
        assert max(receiver.arrived.values(), default=0) <= 1
    wrong.jump, receiver.happens = timedelta(), lambda _: None
    for _ in range(16):
        outbox.sweep(runtime, gateway=receiver)
        outbox.deliver(runtime, gateway=receiver, prepare=prepare)
        for action in Action.select().where(Action.state == "uncertain"):
            delivered = action.key in receiver.arrived
            runtime.execute(
                ResolveUncertain(actor=users.manager.id, reason="asked", action=action.id, delivered=delivered)
            )
        clock.advance(minutes=5)
    assert {of(action).state for action in actions} == {"sent"}
    assert receiver.arrived == dict.fromkeys((action.key for action in actions), 1)
