"""Several policies, one letter: what leaves together, what becomes of it when that fails, and that nothing is lost.

The receiver keeps what arrived, by key and day. Letters are short ones that nobody decides again, so
that only the outbox is at work.
"""

from collections import Counter
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine import outbox
from engine.diary import ResolveUncertain
from engine.sending import Cancel
from engine.sqlite import Sqlite
from engine.tables import Action, ActionWait, Alarm, Contact, Customer, Message, Standing
from notifiers.gateways import Doubtful, Receipt, Rejected, Unreachable

pytestmark = pytest.mark.sqlite  # one writer at a time on both; claims are tried on both elsewhere
DAY_US = 86_400 * 1_000_000
ACCOUNT, LINES, OTHER = ("escalation", 0), ("lines", 7), ("courtesy", 0)


class Died(BaseException):
    """The process is gone."""


class DyingDatabase(Sqlite):
    """Dies before or after its n-th commit, once."""

    dies_at = 0
    passed = 0

    def is_reached(self):
        self.passed += 1
        return self.passed == self.dies_at

    def commit(self):
        if self.is_reached():
            self.rollback()  # as the next process finds it
            raise Died
        super().commit()
        if self.is_reached():
            raise Died


class Post:
    """A receiver that drops repeats, or (``one_way``) takes them; told what to answer, it may die at any point."""

    name = "post"

    def __init__(self, runtime, one_way=False, answers=()):
        self.runtime, self.idempotent = runtime, not one_way
        self.answers, self.arrived, self.calls = iter(answers), [], count()

    def deliver(self, message, about_to_send):
        answer = next(self.answers, "yes")
        if answer == "later":
            raise Unreachable("450 later")
        if answer == "no":
            raise Rejected("554 no")
        if not self.idempotent:
            about_to_send()
        if answer == "dies":
            raise Died
        if self.idempotent and message.key in self.taken:
            return Receipt(self.name, "taken before")
        self.arrived.append((message.key, self.runtime.today()))
        if answer == "lost answer":
            raise Died if self.idempotent else Doubtful("no answer")
        return Receipt(self.name, "taken")

    def find(self, key):
        return Receipt(self.name, "taken") if self.idempotent and key in self.taken else None

    @property
    def taken(self):
        return [key for key, _ in self.arrived]


@pytest.fixture
def due(runtime, make_customer):
    """Make the due message of a step: ``due(customer, LINES, level=2)``."""

    def make(customer, of=ACCOUNT, level=1, channel="email", episode=1, **more):
        policy, line = of
        step = f"p{level}"
        subject = f"line-{line}" if line else customer.id
        return Action.create(
            key=f"{subject}/{policy}/{episode}/{step}/0/{channel}",
            entity_id=customer.entity_id,
            customer=customer,
            line_id=line,
            policy_key=policy,
            episode=episode,
            step_key=step,
            level=level,
            channel=channel,
            template="reminder_1",
            owner_role="collector",
            state="due",
            due_day=runtime.today(),
            created_at=runtime.now_at(),
            **more,
        )

    return make


def told(*actions):
    """State of each action, and which of the actions carries it."""
    rows = [Action.get_by_id(action.id) for action in actions]
    return [(row.state, None if row.covered_by_id is None else _place(actions, row.covered_by_id)) for row in rows]


def _place(actions, number):
    return [action.id for action in actions].index(number)


def test_due_steps_of_a_customer_leave_in_one_message_at_the_most_severe_step(
    runtime, make_customer, due, prepare, clock
):
    """Of three policies and two lines; each standing knows the contact, and nobody else's messages are touched."""
    customer, other = make_customer("1"), make_customer("2")
    actions = [due(customer), due(customer, LINES, 2), due(customer, ("lines", 8)), due(customer, OTHER, 0)]
    alone = due(other)
    for action in actions:
        of = {"customer": customer, "entity_id": 1, "policy_key": action.policy_key, "line_id": action.line_id}
        Standing.create(**of, episode=1, open=True)
    post = Post(runtime)
    tally = outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert sorted(post.taken) == sorted([actions[1].key, alone.key])
    assert told(*actions) == [("sent", 1), ("sent", None), ("sent", 1), ("sent", 1)]
    assert (tally["sent"], tally["covered"]) == (2, 3)
    carrier, covered = Action.get_by_id(actions[1].id), Action.get_by_id(actions[0].id)
    assert (covered.settled_at, covered.receipt) == (carrier.settled_at, carrier.receipt)
    assert {standing.last_contact_day for standing in Standing} == {runtime.today()}
    assert Message.select().where(Message.action == actions[0].id).count() == 0


def test_of_two_steps_of_one_level_the_one_about_the_whole_account_carries(runtime, make_customer, due, prepare):
    """Not the older one."""
    customer = make_customer("1")
    actions = [due(customer, LINES), due(customer, ACCOUNT)]
    outbox.deliver(runtime, gateway=Post(runtime), prepare=prepare)
    assert told(*actions) == [("sent", 1), ("sent", None)]


def test_each_channel_has_a_message_of_its_own(runtime, make_customer, due, prepare):
    """A letter carries no mail; what the product's own people get is no message to the customer."""
    customer = make_customer("1")
    actions = [due(customer), due(customer, LINES, 2, "letter"), due(customer, OTHER, 0, "internal")]
    actions.append(due(customer, LINES, 1, "internal"))
    outbox.deliver(runtime, gateway=Post(runtime), prepare=prepare)
    assert told(*actions) == [("sent", None)] * 4


def test_what_goes_along_stands_again_when_the_message_is_refused(runtime, make_customer, due, prepare):
    """The next most severe carries the rest, and a person hears of the refused one alone."""
    customer = make_customer("1")
    actions = [due(customer), due(customer, LINES, 3), due(customer, OTHER, 2)]
    post = Post(runtime, answers=["no"])
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert told(*actions) == [("sent", 2), ("failed", None), ("sent", None)]
    assert [alarm.kind for alarm in Alarm] == ["message_failed"]


def test_what_goes_along_waits_for_a_retry_and_stands_again_once_that_is_cancelled(
    runtime, make_customer, due, prepare, clock
):
    """While the receiver is away nothing else leaves; a person who cancels the carrier cancels nothing else."""
    customer = make_customer("1")
    actions = [due(customer), due(customer, LINES, 3)]
    post = Post(runtime, answers=["later"])
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert (told(*actions), post.taken) == ([("claimed", 1), ("due", None)], [])
    Action.update(state="cancelled", result="a person said so").where(Action.id == actions[1].id).execute()
    outbox.sweep(runtime, gateway=post)
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert (told(*actions), post.taken) == ([("sent", None), ("cancelled", None)], [actions[0].key])


def test_what_goes_along_is_decided_again_at_each_try(runtime, make_customer, due, prepare, clock):
    """What was paid in the hour until the next try is cancelled, the rest still leaves."""
    customer = make_customer("1")
    actions = [due(customer), due(customer, LINES, 3), due(customer, OTHER, 2)]
    post = Post(runtime, answers=["later"])
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    clock.advance(hours=1)

    def paid(runtime, action, now_at, gateway):
        return Cancel("paid") if action.id == actions[0].id else prepare(runtime, action, now_at, gateway)

    outbox.deliver(runtime, gateway=post, prepare=paid)
    assert told(*actions) == [("cancelled", None), ("sent", None), ("sent", 1)]


def test_a_step_that_comes_later_in_the_day_leaves_on_the_next(runtime, make_customer, due, prepare, clock):
    """Also while it is in doubt whether the first has arrived; the same policy's own steps keep their order."""
    customer = make_customer("1")
    first = due(customer)
    post = Post(runtime, one_way=True, answers=["lost answer"])
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    later = due(customer, LINES, 3)
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert (told(first, later), Action.get_by_id(later.id).waiting_for) == (
        [("uncertain", None), ("due", None)],
        "another_today",
    )
    clock.advance(days=1)
    outbox.deliver(runtime, gateway=post, prepare=prepare)
    assert post.arrived == [(first.key, runtime.today() - 1), (later.key, runtime.today())]


# --- whatever happens -------------------------------------------------------------------


def live_on(runtime, clock, post, prepare, manager, days):
    """Deliver and sweep, four times a day; a person looks doubtful messages up each evening."""
    for _ in range(days * 4):
        try:
            outbox.sweep(runtime, gateway=post)
            outbox.deliver(runtime, gateway=post, prepare=prepare, batch=3)
            if runtime.now().hour >= 18:
                look_up(runtime, post, manager)
        except Died:
            pass
        clock.advance(hours=6)


def look_up(runtime, post, manager):
    """A person says of each doubtful message whether it arrived."""
    for action in Action.select().where(Action.state == "uncertain"):
        seen = action.key in post.taken
        runtime.execute(ResolveUncertain(actor=manager, reason="looked up", action=action.id, delivered=seen))


def is_in_order(post):
    """Nobody got two messages on a day by two policies in one channel, nor one message twice; none was lost."""
    rows = {action.key: action for action in Action}
    assert max(Counter(post.taken).values(), default=1) == 1
    by_day = {}
    for key, day in post.arrived:
        row = rows[key]
        by_day.setdefault((row.customer_id, row.channel, day), set()).add((row.policy_key, row.line_id))
    assert all(len(subjects) == 1 for subjects in by_day.values()), by_day
    by_id = {action.id: action for action in rows.values()}
    for row in rows.values():
        if row.state == "failed":
            assert (row.covered_by_id, row.key in post.taken) == (None, False)
            continue
        assert row.state == "sent", (row.key, row.state, row.waiting_for)
        carrier = by_id[row.covered_by_id or row.id]
        assert carrier.key in post.taken
        assert (carrier.state, carrier.channel, carrier.customer_id) == ("sent", row.channel, row.customer_id)
        assert carrier.covered_by_id is None
        if row is not carrier:
            assert row.key not in post.taken
            assert row.settled_at == carrier.settled_at


def forget():
    """Back to customers without messages."""
    for table in (Alarm, Message, ActionWait):
        table.delete().execute()
    Action.update(covered_by=None).execute()
    Action.delete().execute()


def test_a_crash_at_any_boundary_neither_loses_nor_doubles_a_step(runtime, make_customer, due, prepare, clock, users):
    """Before and after every commit, with a receiver that drops repeats: as if nothing had happened."""
    customer = make_customer("1")
    runtime.database.__class__ = DyingDatabase
    for dies_at in count(1):
        forget()
        actions = [due(customer), due(customer, LINES, 2), due(customer, OTHER, 0, "letter")]
        database, post = runtime.database, Post(runtime, answers=["later"])
        database.passed, database.dies_at = 0, dies_at
        live_on(runtime, clock, post, prepare, users.manager.id, 1)
        alive, database.dies_at = database.passed < dies_at, 0
        live_on(runtime, clock, post, prepare, users.manager.id, 1)
        is_in_order(post)
        assert told(*actions)[:2] == [("sent", 1), ("sent", None)]
        if alive:
            break
    assert dies_at > 12


STEPS = st.tuples(
    st.integers(0, 1),  # customer
    st.sampled_from([ACCOUNT, LINES, ("lines", 8), OTHER]),
    st.integers(0, 3),  # level
    st.sampled_from(["email", "email", "letter"]),
    st.integers(0, 2),  # the day it becomes due
)
ANSWERS = st.sampled_from(["yes", "yes", "later", "no", "dies", "lost answer"])


@settings(
    max_examples=12, phases=[Phase.reuse, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(STEPS, min_size=1, max_size=7, unique_by=lambda step: (step[0], step[1], step[3])),
    answers=st.lists(ANSWERS, max_size=8),
    deaths=st.lists(st.integers(1, 30), max_size=3),
    one_way=st.booleans(),
)
@pytest.mark.promise("A8")
def test_whatever_fails_and_dies_nobody_gets_two_messages_a_day_and_none_is_lost(
    runtime, make_customer, due, prepare, clock, users, steps, answers, deaths, one_way
):
    """Random policies, levels, channels and days; receivers that fail, workers that die at random commits."""
    runtime.database.__class__ = DyingDatabase
    customers = list(Customer.select().order_by(Customer.id)) or [make_customer("1"), make_customer("2")]
    assert Contact.select().count() == 2
    forget()
    post = Post(runtime, one_way, answers)
    for day in range(3):
        runtime.database.dies_at = 0
        for episode, (who, (policy, line), level, channel, when) in enumerate(steps):
            if when == day:  # each in an episode of its own: a failed step holds back the next of its own
                due(customers[who], (policy, line and line + 10 * who), level, channel, episode)
        runtime.database.passed, runtime.database.dies_at = 0, deaths[day] if day < len(deaths) else 0
        live_on(runtime, clock, post, prepare, users.manager.id, 1)
    runtime.database.dies_at = 0
    live_on(runtime, clock, post, prepare, users.manager.id, 5)
    is_in_order(post)
