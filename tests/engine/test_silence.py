"""Why was nothing sent? Every code a message or a standing may wait for has a story here, and a sentence names it."""

import shutil
from datetime import UTC, datetime

import pytest
from flask_babel import force_locale

from admin.app import create_app
from admin.silence_words import REASONS, SENTENCES, sentence
from engine import outbox
from engine.claims import WAITING
from engine.corrections import EndBlock, RecordPromise, SetBlock
from engine.covering import cover
from engine.disputes import RecordDispute
from engine.edited_texts import EditMessage
from engine.overrides import SetOverride
from engine.runs import run_entity
from engine.silence import silence_of
from engine.stopping import StopPolicy
from engine.tables import Action, Alarm, Block, Contact, Customer, Entity, Run, Standing
from ledger.canonical import canonical
from notifiers.smtp import SmtpGateway, parse_smtp_url
from rules.escalation import Wait

from .conftest import escalation, in_force, parameters, step

pytestmark = pytest.mark.sqlite
DAY_US = 86_400_000_000


class Story:
    """One customer with an invoice some days late, decided day by day."""

    def __init__(self, runtime, clock, users, entity, books):
        self.runtime, self.clock, self.users, self.entity, self.books = runtime, clock, users, entity, books
        self.customer = books.customer("1", country="DE")
        self.line = None

    @property
    def today(self):
        return self.runtime.today(self.entity)

    def reachable(self):
        person = self.runtime.vault.create_person({"name": "Accounts Payable", "email": "payables@customer.example"})
        Contact.create(customer=self.customer, person=person, language="en")

    def owes(self, days_late, amount=50_000):
        self.line = self.books.invoice(self.customer, amount, self.today - days_late - 30, self.today - days_late)

    def goes_live(self):
        """As after an adoption yesterday and a run this morning."""
        known = {"entity": self.entity, "state": "done", "policy_key": "escalation", "started_at": 1, "finished_at": 1}
        Run.create(kind="adoption", as_of_day=self.today - 1, **known)
        Run.create(kind="nightly", as_of_day=self.today, **known)
        Entity.update(adopted_day=self.today - 1, live_from_day=self.today - 1, sending=True).execute()

    def night(self, days=1):
        self.clock.advance(days=days)
        run_entity(self.runtime, Entity.get_by_id(self.entity.id), self.today)

    def stands(self, level, step_key, since_day):
        """At a step, as a decision of a day left it."""
        Standing.create(
            customer=self.customer,
            entity_id=self.entity.id,
            policy_key="escalation",
            episode=1,
            open=True,
            leader_line_id=self.line.id,
            leader_due_day=self.line.due_day,
            level=level,
            step_key=step_key,
            since_day=since_day,
        )

    def message(self, step_key="p4", level=1, state="due", **more):
        return Action.create(
            key=f"{self.customer.id}/escalation/1/{step_key}/0/email",
            entity_id=self.entity.id,
            customer=self.customer,
            policy_key="escalation",
            episode=1,
            step_key=step_key,
            level=level,
            channel="email",
            template="reminder_1",
            state=state,
            due_day=self.today,
            created_at=self.runtime.now_at(),
            **more,
        )

    def deliver(self, gateway=None):
        outbox.deliver(self.runtime, gateway=gateway)

    def at(self, **times):
        """Another calendar of the entity."""
        Entity.update(contact_times=canonical(times)).where(Entity.id == self.entity.id).execute()

    def do(self, command, **values):
        return self.runtime.execute(command(actor=self.users.manager.id, reason="the goods came late", **values))

    def ask(self, day=None):
        customer = Customer.select(Customer, Entity).join(Entity).where(Customer.id == self.customer.id).get()
        return silence_of(self.runtime, customer, self.today if day is None else day)

    def codes(self, day=None):
        return [finding.code for finding in self.ask(day).findings]


@pytest.fixture
def story(runtime, clock, users, entity, books, policies):
    """Shipped-like policies: mail 10 days before, and 4, 14 and 33 days after the due date."""
    return Story(runtime, clock, users, entity, books)


def with_mail(story, days_late=4):
    """A first reminder is due since this morning."""
    story.reachable()
    story.owes(days_late)
    story.goes_live()
    return story.message()


# --- one story per code -------------------------------------------------------------------


def unconfirmed(story):
    story.reachable()
    story.owes(4)
    story.goes_live()
    story.message(state="waiting", waiting_for="unconfirmed")


def no_address(story):
    story.owes(4)
    story.goes_live()
    story.message()
    story.deliver()


def no_sender(story):
    """A mail server that names no sender, of an entity without one."""
    with_mail(story)
    server, _ = parse_smtp_url("smtp://127.0.0.1:1")
    story.deliver(SmtpGateway(server))


def no_door(story):
    """Nobody has approved an address for webhooks."""
    action = with_mail(story)
    Action.update(channel="webhook").where(Action.id == action.id).execute()
    story.deliver()


def no_template(story):
    with_mail(story)
    Action.update(template="gone").execute()
    story.deliver()


def edited(story):
    """Somebody put own words into it in English; then its contact got another language."""
    action = with_mail(story)
    story.do(EditMessage, action=action.id, texts={"opening": "As we said: {payable} is open."})
    Contact.update(language="de").execute()
    story.deliver()


def _other_policy(story, **more):
    """A message of another policy to the same customer."""
    copied = {
        name: getattr(Action.get(), name) for name in ("entity_id", "customer", "channel", "due_day", "created_at")
    }
    return Action.create(key="other/1", policy_key="other", episode=1, step_key="o1", **copied, **more)


def another_today(story):
    with_mail(story)
    _other_policy(story, state="sent", settled_at=story.runtime.now_at())
    story.deliver()


def covered(story):
    action = with_mail(story)
    cover([action], _other_policy(story, state="claimed", lease_until_at=story.runtime.now_at() + DAY_US))


def retry(story):
    """Nobody listens at the mail server's port."""
    Entity.update(mail_from="credit@main.example").execute()
    with_mail(story)
    server, _ = parse_smtp_url("smtp://127.0.0.1:1")
    story.deliver(SmtpGateway(server))


def stopped(story):
    with_mail(story)
    story.do(StopPolicy, policy="escalation")


def pause(story):
    with_mail(story)
    story.stands(1, "p4", story.today)
    story.do(SetBlock, customer=story.customer.id, kind="pause", from_day=story.today, until_day=story.today + 5)
    story.deliver()


def renamed(story):
    with_mail(story)
    story.stands(1, "p4", story.today)
    in_force(escalation([step("other", 4, level=1)], mapping={"steps": {"p4": "other"}}), 1)
    story.deliver()


def unknown(story):
    """An invoice in a currency without a rate."""
    with_mail(story)
    currency, story.entity.currency = story.entity.currency, "USD"
    story.books.entity = story.entity
    story.books.invoice(story.customer, 50_000, story.today - 33, story.today - 3)
    story.entity.currency = currency
    story.deliver()


def undecidable(story):
    """A parameter that the escalation names is gone."""
    with_mail(story)
    without = parameters()
    without["parameters"] = [one for one in without["parameters"] if one["name"] != "dunning_minimum"]
    in_force(without, 1)
    story.deliver()


def disagreement(story):
    with_mail(story)
    Alarm.create(customer=story.customer, kind="disagreement", text="hold differs", raised_at=1)
    story.deliver()


def min_days(story):
    in_force(parameters(minimum_contact_days=3), 1)
    with_mail(story)
    _spoken_to(story)
    story.deliver()


def _spoken_to(story):
    """A collector spoke to the customer yesterday, on account of another policy."""
    at = story.runtime.now_at() - DAY_US
    Action.create(
        key="other/call",
        entity_id=story.entity.id,
        customer=story.customer,
        policy_key="other",
        episode=1,
        step_key="call",
        channel="call",
        state="done",
        result="refused",
        due_day=story.today - 1,
        created_at=at,
        settled_at=at,
    )


def cap(story):
    with_mail(story)
    Entity.update(daily_cap=0).execute()
    story.deliver()


def cap_days(story):
    in_force(parameters(contact_cap=1, contact_cap_days=7), 1)
    with_mail(story)
    _spoken_to(story)
    story.deliver()


def hours(story):
    with_mail(story)
    story.at(hours={"email": [20, 24]}, weekdays=[], holidays=False)
    story.deliver()


def quiet_day(story):
    with_mail(story)
    story.at(weekdays=[], holidays=False, dates=[[story.today - 1, story.today + 1]])
    story.deliver()


def holiday(story):
    with_mail(story)
    story.at(weekdays=[])
    story.clock.set(datetime(2026, 4, 3, 9, 0, tzinfo=UTC))
    story.deliver()


def no_leader(story):
    story.reachable()
    story.goes_live()


def within_tolerance(story):
    story.owes(5, amount=400)
    story.goes_live()


def promise(story):
    story.owes(4)
    story.goes_live()
    story.stands(1, "p4", story.today)
    values = {"amount_minor": 50_000, "currency": "EUR", "promised_day": story.today + 7}
    story.do(RecordPromise, customer=story.customer.id, due_line=story.line.id, **values)


def dispute(story):
    story.owes(4)
    story.goes_live()
    story.stands(1, "p4", story.today)
    story.do(RecordDispute, due_line=story.line.id)


def dunning_block(story):
    story.owes(4)
    story.goes_live()
    story.do(SetBlock, customer=story.customer.id, kind="dunning_block", from_day=story.today)


def insolvent(story):
    story.owes(4)
    story.goes_live()
    story.do(SetBlock, customer=story.customer.id, kind="insolvent", from_day=story.today)


def handed_over(story):
    story.owes(4)
    story.goes_live()
    entry = {"entity_id": story.entity.id, "customer": story.customer, "recorded_at": story.runtime.now_at()}
    days = {"booked_day": story.today, "recorded_day": story.today, "from_day": story.today}
    Block.create(**entry, **days, kind="handed_over", reason="an agency has it")


def raised_today(story):
    story.owes(20)
    story.goes_live()
    story.stands(1, "p4", story.today)


def step_open(story):
    story.reachable()
    story.owes(20)
    story.goes_live()
    story.message(state="waiting", waiting_for="unconfirmed")
    story.stands(1, "p4", story.today - 3)


def minimum(story):
    in_force(parameters(dunning_minimum=100_000), 1)
    story.owes(4)
    story.goes_live()


def excluded(story):
    in_force(escalation(unless={"all": [["open_minor", ">", 0]]}), 1)
    story.owes(4)
    story.goes_live()


def not_meant(story):
    in_force(escalation([step("p4", 4, level=1, when={"all": [["open_minor", ">", 10**9]]})]), 1)
    story.owes(4)
    story.goes_live()


def left_alone(story):
    story.owes(4)
    story.goes_live()
    values = {"target": "scenario", "value": "none", "until_day": story.today + 30}
    story.do(SetOverride, customer=story.customer.id, **values)


def none(story):
    """Nothing has come yet: the answer is the step that comes next."""
    story.reachable()
    story.owes(-20)
    story.goes_live()


STORIES = {
    one.__name__: one
    for one in (
        *(
            unconfirmed,
            no_address,
            no_sender,
            no_door,
            no_template,
            edited,
            another_today,
            covered,
            retry,
            stopped,
            pause,
            renamed,
            unknown,
            undecidable,
            disagreement,
        ),
        *(min_days, cap, cap_days, hours, quiet_day, holiday, no_leader, within_tolerance, promise, dispute),
        *(
            dunning_block,
            insolvent,
            handed_over,
            raised_today,
            step_open,
            minimum,
            excluded,
            not_meant,
            left_alone,
            none,
        ),
    )
}
ANSWERS = {"none": "no_step_yet"}  # the code is silence itself; what is said is what comes


def test_every_code_has_a_story_and_a_sentence():
    """Of messages and of standings; nothing is answered by a bare code."""
    codes = {*WAITING, *(code.value for code in Wait)}
    assert codes == set(STORIES)
    assert codes <= set(SENTENCES)
    assert set(WAITING) <= set(REASONS)


def test_the_sentence_names_what_held_the_message_back(story):
    """Each story happens, and the answer for its day names the code, with its figures; then it is taken back."""
    said, clock, console = {}, story.clock.instant, create_app(story.runtime)
    for code, happens in STORIES.items():
        with story.runtime.database.atomic() as attempt:
            happens(story)
            found = {finding.code: finding for finding in story.ask().findings}
            with console.app_context(), force_locale("en"):
                finding = found.get(ANSWERS.get(code, code))
                said[code] = "" if finding is None else sentence(finding, story.entity)
            attempt.rollback()
        story.clock.set(clock)
    wrong = {code: text for code, text in said.items() if not text.endswith(".") or "%(" in text or "None" in text}
    assert wrong == {}
    assert (
        said["min_days"]
        == "The last contact was on 30 Mar 2026; at least 3 days lie between two: the next one may come on 2 Apr 2026."
    )


def test_a_step_due_on_a_quiet_day_is_told_with_the_day_it_leaves(story):
    """The answer names both days, the list of coming steps the one on which it can be carried out."""
    story.reachable()
    story.owes(2)
    story.goes_live()
    answered = story.ask().answer
    assert (answered.figures["next_day"], "leaves_day" in answered.figures) == (story.today + 2, False)
    story.at(weekdays=[], holidays=False, dates=[[story.today + 2, story.today + 4]])
    told = story.ask()
    assert told.answer.figures["next_day"] == story.today + 2
    assert told.answer.figures["leaves_day"] == told.coming[0].day == story.today + 5
    with create_app(story.runtime).app_context(), force_locale("en"):
        words = sentence(told.answer, story.entity)
    assert "due on 2 Apr 2026; that is a quiet day, so it leaves on 5 Apr 2026" in words


def test_a_pause_skips_no_step_and_past_days_are_answered(story):
    """Paused for three days after the first step: the second comes on the resume day, the third after it."""
    letters = {"template": "reminder_1"}
    steps = [step(f"p{days}", days, level=level, **letters) for level, days in ((1, 4), (2, 5), (3, 6))]
    in_force(escalation(steps), 1)
    story.reachable()
    story.owes(3)
    first_day = story.today
    run_entity(story.runtime, story.entity, first_day)
    last = Run.select().order_by(Run.id.desc()).get()
    Entity.update(live_from_day=first_day, sending=True, live_after_run=last.id).execute()
    story.night()
    story.deliver()
    sent_day = story.today
    resume_day = sent_day + 4
    block = story.do(SetBlock, customer=story.customer.id, kind="pause", from_day=sent_day + 1, until_day=resume_day)
    story.night(3)
    paused_day = story.today
    assert [action.step_key for action in Action.select()] == ["p4"]
    assert story.ask().coming[0].day == resume_day
    story.night()
    assert story.today == resume_day
    assert [action.step_key for action in Action.select().order_by(Action.id)] == ["p4", "p5"]
    story.deliver()
    story.night()
    assert [action.step_key for action in Action.select().order_by(Action.id)] == ["p4", "p5", "p6"]
    assert story.do(EndBlock, block=block["block"])["block"]  # what it meant on past days stays
    answers = {day: story.ask(day).answer.code for day in (first_day - 1, first_day, sent_day, paused_day, resume_day)}
    assert answers == {
        first_day - 1: "before_first_run",
        first_day: "adoption",
        sent_day: "sent",
        paused_day: "pause",
        resume_day: "sent",
    }
    assert story.codes(paused_day - 1) == ["missed_day", "pause"]
    assert story.ask(story.today + 9).answer.code == "to_come"
    kept = {day: story.codes(day) for day in (sent_day, paused_day, resume_day)}
    shutil.rmtree(story.runtime.settings.var / "frames")
    assert {day: story.codes(day) for day in kept} == kept
    assert story.ask(paused_day).rebuilt


def test_due_lines_with_a_standing_of_their_own_are_named(story):
    """One waits for a promise, of the other a step comes; a policy for customers need not be there."""
    story.owes(4)
    story.goes_live()
    common = {"customer": story.customer, "entity_id": story.entity.id, "policy_key": "by_invoice", "open": True}
    other = story.books.invoice(story.customer, 10_000, story.today - 40, story.today - 9)
    Standing.create(**common, line_id=story.line.id, waiting_for='["promise"]')
    Standing.create(**common, line_id=other.id, next_step="p14", next_day=story.today + 5)
    found = {finding.code: finding for finding in story.ask().findings}
    with create_app(story.runtime).app_context(), force_locale("en"):
        said = [sentence(found[code], story.entity) for code in ("line_waits", "line_next")]
    assert said[0] == f"Invoice {story.line.number} goes no further now: promise."
    assert said[1].startswith(f"Invoice {other.number}: the next step is “")
