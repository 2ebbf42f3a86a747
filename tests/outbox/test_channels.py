"""Channels beside mail and paper: where a message goes when an address is missing, and how ways out rest."""

from dataclasses import replace

import pytest

from engine import catalogue, door_states, outbox
from engine.claims import CONTACT_CHANNELS, MESSAGE_CHANNELS
from engine.commands import Conflict, Invalid, Refused
from engine.doors import ClosedGateway, doors_of, ways_of
from engine.gateway_addresses import (
    ApproveGatewayAddress,
    ProposeGatewayAddress,
    WithdrawGatewayAddress,
    address_in_force,
)
from engine.numbers import e164_of, mobile_of
from engine.reaching import next_way, reached
from engine.sending import Elsewhere, Go, NoAddress
from engine.tables import Action, Contact, Door, Entity, Standing
from notifiers.composing import Composed
from notifiers.gateways import Doubtful, Receipt, Rejected, Unreachable

HOOK = "https://hooks.seller.example/dunning"
MINUTE_US = 60 * 1_000_000


class Counted:
    """A receiver that fails as it is told, and counts its calls."""

    idempotent = True

    def __init__(self, name="counted", failure=None):
        self.name, self.failure, self.calls = name, failure, []

    def deliver(self, message, about_to_send):
        self.calls.append(message)
        if self.failure is not None:
            raise self.failure
        return Receipt(self.name, "taken")

    def find(self, key):
        return None


@pytest.fixture
def known(runtime, make_customer):
    """Make a customer with contacts: ``known("1001", {"mobile": "0151 12345678"})``."""

    def make(number, *contacts, **changes):
        customer = make_customer(number, email=None, **changes)
        for one in contacts:
            Contact.create(customer=customer, person=runtime.vault.create_person(one), language="de")
        return customer

    return make


def addressed(runtime, action, now_at, gateway):
    """Prepare a short message for whoever is reached, without deciding again."""
    entity = Entity.get_by_id(action.entity_id)
    found = reached(runtime, action, entity, action.way)
    if found is None:
        channel = next_way(runtime, action, entity)
        return NoAddress() if channel is None else Elsewhere(channel)
    return Go(
        person=found.person,
        to_address=found.address,
        to_name="",
        from_address="credit@main.example",
        from_name="Main Ltd",
        copies=found.copies,
        letter=Composed("Reminder", "5.00 EUR are overdue.", "", found.language),
        edition=None,
    )


def now(action):
    return Action.get_by_id(action.id)


# --- addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "country", "number"),
    [
        ("0151 123 456 78", "DE", "+4915112345678"),
        ("+49 (0)151 12345678", "FR", "+4915112345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+1 201 555 0123", "DE", "+12015550123"),
        ("0911 1234567", "DE", None),
        ("12", "DE", None),
        ("call me", "DE", None),
        ("", "DE", None),
    ],
)
def test_a_number_is_kept_as_networks_take_it(said, country, number):
    """With the contact's country; a number that takes no SMS is none for it."""
    assert mobile_of({"mobile": said}, country) == number
    if number is not None:
        assert e164_of(said, country) == number


def test_the_next_channel_is_tried_where_an_address_is_missing(runtime, known, make_action):
    """The key stays; by which channel it left is written down."""
    customer = known("1001", {"name": "Accounts", "mobile": "0151 12345678"})
    action = make_action(customer, otherwise="letter,sms")
    tally = outbox.deliver(runtime, prepare=addressed)
    found = now(action)
    assert (tally["elsewhere"], tally["sent"], found.state) == (1, 1, "sent")
    assert (found.channel, found.way, found.key.rpartition("/")[2]) == ("email", "sms", "email")
    (path,) = (runtime.settings.var / "sms-on-trial").glob("*.txt")
    assert path.read_text() == "To: +4915112345678\n\n5.00 EUR are overdue.\n"


def test_without_any_address_a_person_is_asked_and_then_it_goes(runtime, known, make_action, clock):
    """By whichever of its channels the found contact has."""
    customer = known("1001", {"name": "Accounts", "phone": "0911 1234567"})
    action = make_action(customer, otherwise="sms,chat")
    outbox.deliver(runtime, prepare=addressed)
    assert (now(action).state, now(action).waiting_for) == ("waiting", "no_address")
    (task,) = Action.select().where(Action.channel == "task")
    assert task.template == "find_contact"
    Contact.create(customer=customer, person=runtime.vault.create_person({"chat": "@payables"}))
    assert outbox.sweep(runtime)["due"] == 1
    outbox.deliver(runtime, prepare=addressed)
    assert (now(action).state, now(action).way, now(task).state) == ("sent", "chat", "cancelled")


def test_a_refused_number_is_used_no_more_and_spoils_no_other_address(runtime, known, make_action):
    """The next contact of the same channel comes first, then the next channel."""
    customer = known("1001", {"mobile": "0151 12345678", "email": "payables@customer.example"}, {"chat": "@b"})
    action = make_action(customer, channel="sms", otherwise="chat")
    outbox.deliver(runtime, gateway=Counted(failure=Rejected("no such number", address_is_bad=True)), prepare=addressed)
    refused, other = Contact.select().order_by(Contact.id)
    assert (refused.refused, refused.usable, other.refused) == ("sms", True, "chat")
    assert now(action).state == "waiting"
    Contact.update(refused="").where(Contact.id == other.id).execute()
    outbox.sweep(runtime)
    outbox.deliver(runtime, prepare=addressed)
    assert (now(action).state, now(action).way) == ("sent", "chat")


def test_a_chat_name_that_would_be_two_receivers_is_none(runtime, known, make_action):
    """What Apprise would split never reaches it."""
    action = make_action(known("1001", {"chat": "@a,@b"}), channel="chat")
    outbox.deliver(runtime, prepare=addressed)
    assert now(action).waiting_for == "no_address"


def test_colleagues_of_the_role_who_see_the_customer_get_one_mail(runtime, users, make_user, known, make_action, live):
    """It is no contact of the customer, nor of the collector's daily number."""
    make_user("south@dunwell.example", "sales", live, portfolio="south")
    north = make_user("north@dunwell.example", "sales", live, portfolio="north")
    customer = known("1001", {"email": "payables@customer.example"}, portfolio="north")
    Standing.create(entity_id=live.id, customer=customer, policy_key="escalation")
    Entity.update(daily_cap=0).execute()
    action = make_action(customer, channel="internal", owner_role="sales")
    post = Counted()
    outbox.deliver(runtime, gateway=post, prepare=addressed)
    (mail,) = post.calls
    assert {mail.to_address, *mail.copies} == {users.sales.email, north.email}
    assert now(action).state == "sent"
    assert Standing.get().last_contact_day is None


def test_a_channel_for_which_nothing_is_set_up_says_so(runtime, known, make_action, entity):
    """No address in force, no provider, no colleague: none of these is a contact that is missing."""
    from engine.reaching import needs_contact

    customer = known("1001", {"email": "payables@customer.example"})
    for channel in ("webhook", "internal"):
        action = make_action(customer, channel=channel, owner_role="nobody")
        assert reached(runtime, action, entity, channel) is None
        assert not needs_contact(runtime, action)
    runtime.cache["doors"] = {**doors_of(runtime), "sms": ClosedGateway()}
    sms = make_action(known("1002", {"mobile": "0151 12345678"}), channel="sms")
    assert reached(runtime, sms, entity, "sms") is None
    assert not needs_contact(runtime, sms)


# --- gateway addresses -------------------------------------------------------------------


def test_an_address_takes_two_people_and_what_one_of_them_saw(runtime, users, make_user, entity):
    """Nobody approves their own, nor another text than was proposed; one person withdraws it."""
    other = make_user("second@dunwell.example", "credit_manager", entity)

    def do(command, actor=users.manager, **values):
        return runtime.execute(command(actor=actor.id, reason="because", **values))

    said = do(ProposeGatewayAddress, entity="main", url=HOOK)
    approval = {"address": said["gateway_address"], "sha256": said["sha256"]}
    assert address_in_force(entity) is None
    with pytest.raises(Refused):
        do(ApproveGatewayAddress, **approval)
    with pytest.raises(Conflict):
        do(ApproveGatewayAddress, other, **{**approval, "sha256": "0" * 64})
    do(ApproveGatewayAddress, other, **approval)
    assert address_in_force(entity) == HOOK
    do(ProposeGatewayAddress, entity="main", url=f"{HOOK}/2")
    assert address_in_force(entity) == HOOK
    do(WithdrawGatewayAddress, address=said["gateway_address"])
    assert address_in_force(entity) is None


@pytest.mark.sqlite("nothing is written")
@pytest.mark.parametrize("url", ["http://hooks.seller.example/", "https://10.0.0.1/", "https://u@a.example/", ""])
def test_an_address_into_our_own_network_is_not_even_proposed(runtime, users, entity, url):
    """Its form is judged at once, its name at each call."""
    with pytest.raises(Invalid):
        runtime.execute(ProposeGatewayAddress(actor=users.manager.id, reason="because", entity="main", url=url))


# --- ways out ----------------------------------------------------------------------------


def test_every_message_channel_has_a_door(runtime, entity):
    """Nothing that is due is nobody's; and those that reach the customer are some of them."""
    assert set(doors_of(runtime)) == set(MESSAGE_CHANNELS)
    assert {channel for way in ways_of(runtime) for channel in way.channels} == set(MESSAGE_CHANNELS)
    assert set(CONTACT_CHANNELS) < set(MESSAGE_CHANNELS)
    assert "ProposeGatewayAddress" in catalogue.all_commands()


def test_a_way_that_fails_rests_and_is_probed_by_one_message(runtime, make_customer, make_action, clock):
    """Longer each time; what it costs is one try of one message, and another way goes on."""
    for number in range(6):
        make_action(make_customer(str(number)))
    down = Counted("smtp", Unreachable("no route", for_all=True))
    for tries in (1, 2, 3):
        outbox.deliver(runtime, gateway=down, prepare=addressed)
        assert len(down.calls) == tries
    assert outbox.deliver(runtime, gateway=down, prepare=addressed).total == 0
    door = Door.get(Door.name == "smtp")
    assert (door.failures, door.last_error) == (3, "no route")
    rest = door_states.REST_US
    assert rest * 3 // 4 <= door.rests_until_at - runtime.now_at() <= rest * 5 // 4
    assert outbox.deliver(runtime, gateway=Counted("other"), prepare=addressed, batch=1)["sent"] > 0
    make_action(make_customer("more"), step="p9")
    clock.advance(minutes=2)
    outbox.deliver(runtime, gateway=down, prepare=addressed)
    assert len(down.calls) == 4
    assert rest * 3 // 2 <= Door.get(Door.name == "smtp").rests_until_at - runtime.now_at() <= rest * 5 // 2


def test_a_way_that_works_again_is_used_at_once(runtime, make_customer, make_action, clock):
    """One message finds out; the others follow in the same breath."""
    for number in range(4):
        make_action(make_customer(str(number)))
    Door.create(name="smtp", failures=7, rests_until_at=runtime.now_at() + MINUTE_US, last_error="no route")
    works = Counted("smtp")
    assert outbox.deliver(runtime, gateway=works, prepare=addressed).total == 0
    clock.advance(minutes=1)
    assert outbox.deliver(runtime, gateway=works, prepare=addressed)["sent"] == 4
    door = Door.get()
    assert (door.failures, door.rests_until_at, door.last_success_at) == (0, None, runtime.now_at())


def test_while_one_worker_probes_the_others_wait(runtime, make_customer, make_action):
    """Two workers at once cost one message, not two."""
    for number in range(2):
        make_action(make_customer(str(number)))
    Door.create(name="smtp", failures=3, rests_until_at=runtime.now_at())
    way = outbox.whole(Counted("smtp"))
    first, _ = outbox.claim(runtime, runtime.now_at(), way=way, prepare=addressed)
    second, _ = outbox.claim(runtime, runtime.now_at(), way=way, prepare=addressed)
    assert (len(first), second) == (1, [])


def test_a_provider_gets_so_many_messages_a_minute(runtime, make_customer, make_action, clock):
    """At the limit it ends, and goes on in the next minute; a clock set back opens a new one."""
    runtime.settings = replace(runtime.settings, limits=(("sms", 3),))
    for number in range(8):
        make_action(make_customer(str(number)))
    gateway = Counted("sms")
    for sent in (3, 0, 3, 2):
        if sent == 3:
            clock.advance(minutes=1)
        if sent == 2:
            clock.advance(days=-1)
            Entity.update(live_from_day=0).execute()
            Action.update(not_before_at=0).execute()
        assert outbox.deliver(runtime, gateway=gateway, prepare=addressed)["sent"] == sent
    assert len(gateway.calls) == 8


def test_doubt_counts_as_a_failure_and_a_refusal_does_not(runtime, make_customer, make_action):
    """A provider that hangs is left alone; one that refuses a message works."""
    for number in range(5):
        make_action(make_customer(str(number)))
    outbox.deliver(runtime, gateway=Counted("chat", Rejected("no")), prepare=addressed)
    assert Door.get_or_none(Door.name == "chat", Door.failures > 0) is None
    for number in range(5, 9):
        make_action(make_customer(str(number)))
    for _ in range(5):
        outbox.deliver(runtime, gateway=Counted("webhook", Doubtful("no answer")), prepare=addressed, batch=1)
    assert Door.get(Door.name == "webhook").failures >= 1


def test_how_each_way_fares_can_be_seen(runtime, known, make_action, entity):
    """What waits, what left today, and why one rests."""
    make_action(known("1001", {"mobile": "0151 12345678"}), channel="sms")
    outbox.deliver(runtime, prepare=addressed)
    make_action(known("1002", {"mobile": "0151 12345678"}), channel="sms", step="p9")
    Door.update(failures=4, rests_until_at=runtime.now_at() + 1, last_error="429").where(
        Door.name == "sms_trial"
    ).execute()
    states = {state.channels: state for state in door_states.door_states(runtime)}
    sms = states[("sms",)]
    assert (sms.state, sms.waiting, sms.sent_today, sms.last_error) == ("resting", 1, 1, "429")
    assert states[("webhook",)].name == f"webhook {entity.code}"
