"""Desks: whose work is whose, absences that give everything back, the hold-out, work reported in one go."""

import pytest

from engine.absences import EndAbsence, SetAbsence, SetStandIn, represented_by
from engine.commands import Conflict, Invalid, Refused
from engine.desk import UNDONE_DAYS_FIRST, desk_of, due_work, unassigned_customers
from engine.desk_work import AssignCollector, ConfirmTogether, PlanWork, ReassignWork, ReportWork
from engine.hold_out import is_held_out, is_in_hold_out
from engine.notes import WriteNote, thread_of
from engine.people import ErasePerson
from engine.tables import Action, Contact, Customer, CustomerGroup, Dispute, Note, Outcome, Promise

pytestmark = pytest.mark.long


@pytest.fixture
def second(make_user, entity):
    """Another collector."""
    return make_user("other.collector@dunwell.example", "collector", entity)


@pytest.fixture
def do(runtime, users):
    """``do(command, actor=..., ...)``; by default the collector."""

    def carry_out(command, actor=None, **values):
        who = users.collector.id if actor is None else actor.id
        return runtime.execute(command(actor=who, reason="by hand", **values))

    return carry_out


@pytest.fixture
def call(do, users, customer, runtime):
    """A call of the collector's for today."""
    do(AssignCollector, users.manager, customers=(customer.id,), collector=users.collector.id)
    number = do(PlanWork, customer=customer.id, due_day=runtime.today(customer.entity))["action"]
    return Action.get_by_id(number)


def due(runtime, user, day):
    return [action.id for action in due_work(desk_of(runtime, user.id, day), 100)]


def test_work_of_somebody_away_is_with_the_stand_in_and_goes_back(runtime, users, second, do, call):
    """Before the first day, on it, on the last, on the day of return; and at once when it is ended early."""
    today = call.due_day
    number = do(SetAbsence, user=users.collector.id, stand_in=second.id, from_day=today + 1, until_day=today + 3)
    shown = [bool(due(runtime, second, day)) for day in range(today, today + 4)]
    assert shown == [False, True, True, False]
    assert due(runtime, users.collector, today + 1) == [call.id]
    do(EndAbsence, absence=number["absence"])
    assert due(runtime, second, today + 1) == []
    assert Action.get_by_id(call.id).owner_id == users.collector.id


def test_a_stand_in_who_is_away_too_hands_on_and_a_ring_keeps_the_work_where_it_is(users, second, do, call):
    """Down the line to the first who is here; where nobody is, everybody keeps their own."""
    day, manager = call.due_day, users.manager
    days = {"from_day": day, "until_day": day + 2}
    do(SetAbsence, manager, user=users.collector.id, stand_in=second.id, **days)
    do(SetAbsence, manager, user=second.id, stand_in=manager.id, **days)
    assert represented_by(manager.id, day) == sorted([users.collector.id, second.id])
    do(SetAbsence, manager, user=manager.id, stand_in=users.collector.id, **days)
    assert [represented_by(one.id, day) for one in (users.collector, second, manager)] == [[], [], []]


def test_absences_do_not_overlap_and_others_are_entered_only_by_who_may(users, second, do, call):
    """The day one ends another may begin."""
    day = call.due_day
    do(SetAbsence, user=users.collector.id, stand_in=second.id, from_day=day, until_day=day + 2)
    with pytest.raises(Conflict, match="away"):
        do(SetAbsence, user=users.collector.id, stand_in=second.id, from_day=day + 1, until_day=day + 4)
    do(SetAbsence, user=users.collector.id, stand_in=second.id, from_day=day + 2, until_day=day + 4)
    with pytest.raises(Refused, match=r"work\.assign"):
        do(SetAbsence, second, user=users.collector.id, stand_in=second.id, from_day=day + 9, until_day=day + 10)


def test_a_stand_in_must_see_all_and_may_work(users, make_user, entity, do, call):
    """One of a single portfolio would not find the others' work; an auditor may do none."""
    north = make_user("north@dunwell.example", "collector", entity, portfolio="north")
    days = {"from_day": call.due_day, "until_day": call.due_day + 2}
    with pytest.raises(Invalid, match="does not see all"):
        do(SetAbsence, user=users.collector.id, stand_in=north.id, **days)
    with pytest.raises(Invalid, match="does not see all"):
        do(SetStandIn, user=users.collector.id, stand_in=north.id)
    with pytest.raises(Invalid, match="may not do"):
        do(SetAbsence, user=users.collector.id, stand_in=users.auditor.id, **days)


def test_work_left_undone_comes_to_the_stand_in_after_so_many_days(runtime, users, second, do, call):
    """Not on the last of them, on the day after; and only as long as it is open."""
    do(SetStandIn, user=users.collector.id, stand_in=second.id)
    last = call.due_day + UNDONE_DAYS_FIRST
    assert [due(runtime, second, day) for day in (last, last + 1)] == [[], [call.id]]
    do(ReportWork, second, customer=call.customer_id, action=call.id, result="reached")
    assert due(runtime, second, last + 1) == []


def test_a_call_that_ends_in_a_dispute_says_what_it_is_about(do, call, books):
    """The cause says whose it is and by when; a result that is no dispute takes no notice of it."""
    line = books.invoice(call.customer_id, 9_000, call.due_day - 40, call.due_day - 10)
    said = {"customer": call.customer_id, "cause": "not_delivered"}
    do(ReportWork, **said, result="reached")
    assert Dispute.select().count() == 0
    do(ReportWork, **said, action=call.id, result="disputed", due_line=line.id, amount_minor=4_000)
    dispute = Dispute.get()
    assert (dispute.cause, dispute.amount_minor, dispute.owner_role) == ("not_delivered", 4_000, "customer_care")


def test_a_result_with_all_that_follows_is_one_transaction(users, do, call, runtime):
    """Promise, note and next action; a note that names nobody takes everything back."""
    said = {"customer": call.customer_id, "action": call.id, "result": "promised", "amount_minor": 5_000}
    said |= {"agreed_day": call.due_day + 5, "next_day": call.due_day + 6}
    with pytest.raises(Invalid, match="nobody"):
        do(ReportWork, **said, note="@who-is-that will pay")
    assert (Action.get_by_id(call.id).state, Promise.select().count(), Note.select().count()) == ("open", 0, 0)
    with pytest.raises(Invalid, match="is missing"):
        do(ReportWork, **{**said, "amount_minor": None})
    answer = do(ReportWork, **said, note="Pays the first half.")
    assert Promise.get().amount_minor == 5_000
    assert Note.get().action_id == call.id
    planned = Action.get_by_id(answer["next_action"])
    assert (planned.due_day, planned.owner_id) == (call.due_day + 6, users.collector.id)


def test_customers_without_a_collector_are_found_and_take_their_work_along(runtime, users, second, do, call):
    """Work of a former collector goes along, work of another role stays."""
    customer = call.customer_id
    role = Action.create(
        key="role", entity_id=call.entity_id, customer=customer, policy_key="manual", episode=0, step_key="task",
        channel="task", owner_role="credit_manager", state="open", due_day=call.due_day, created_at=0,
    )  # fmt: skip
    do(AssignCollector, users.manager, customers=(customer,), collector=second.id)
    assert (Action.get_by_id(call.id).owner_id, Action.get_by_id(role.id).owner_id) == (second.id, None)
    assert due(runtime, users.manager, call.due_day) == [role.id]
    assert list(unassigned_customers(users.manager.id)) == []
    do(AssignCollector, users.manager, customers=(customer,), collector=None)
    assert [one.id for one in unassigned_customers(users.manager.id)] == [customer]


def test_many_are_given_or_confirmed_together_or_none_is(users, second, do, call):
    """One that somebody else has changed meanwhile stops all of them."""
    other = do(PlanWork, customer=call.customer_id, due_day=call.due_day)["action"]
    with pytest.raises(Conflict, match="none of those chosen"):
        do(ReassignWork, actions=((call.id, call.version), (other, 9)), owner=second.id)
    assert Action.get_by_id(call.id).owner_id == users.collector.id
    do(ReassignWork, actions=((call.id, call.version), (other, 1)), owner=second.id)
    assert {one.owner_id for one in Action.select().where(Action.state == "open")} == {second.id}
    with pytest.raises(Invalid, match="may not work"):
        do(ReassignWork, second, actions=((call.id, call.version + 1),), owner=users.auditor.id)
    with pytest.raises(Invalid, match="names 0"):
        do(ConfirmTogether, actions=())


def test_what_was_said_goes_with_the_person_it_is_about(runtime, users, do, customer):
    """The row stays and says nothing any more."""
    person = runtime.vault.create_person({"name": "accounts payable", "email": "ap@oak.example"})
    Contact.create(customer=customer, person=person)
    do(WriteNote, customer=customer.id, text="Asked for Monday. @credit.manager?")
    assert thread_of(runtime, customer, 5)[0].text == "Asked for Monday. @credit.manager?"
    do(ErasePerson, users.manager, person=person.id)
    (one,) = thread_of(runtime, customer, 5)
    assert (one.text, one.asked) == (None, (users.manager.name,))


def test_the_hold_out_of_sql_is_that_of_python(entity):
    """Of customers with and without a group; about the share asked for; all of a group alike."""
    groups = [CustomerGroup.create(code=f"G{n}", name=f"Group {n}", currency="EUR") for n in range(6)]
    for n in range(200):
        Customer.create(
            entity=entity, number=f"H{n}", name=f"Hollow Oak {n}", customer_group=groups[n % 6] if n % 4 == 0 else None
        )
    for seed in (1, 2, 999_999):
        chosen = {one.id for one in Customer.select().where(is_held_out(2_500, seed))}
        wanted = {one.id for one in Customer if is_in_hold_out(one.id, one.customer_group_id, 2_500, seed)}
        assert chosen == wanted
        assert 20 <= len(chosen) <= 90
    assert Outcome.select().count() == 0  # nothing was decided for it
