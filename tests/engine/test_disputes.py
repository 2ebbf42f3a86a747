"""Disputes: opened with a cause and a deadline, handed on, ended three ways; and the colleague who answers by link."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from engine import outbox
from engine.answers import AnswerByLink, AskColleague, WithdrawQuestion, hash_of, link_of, masked
from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.dispute_causes import CAUSES, causes_on
from engine.dispute_measures import measure, measures_of
from engine.disputes import (
    CloseDispute,
    CommentDispute,
    HandOverDispute,
    RecordDispute,
    disputes_of,
    in_hand,
    thread_of,
)
from engine.tables import Action, AnswerLink, Dispute, DueLine, Entity, Message, User

DAY = 20_543
pytestmark = pytest.mark.sqlite


@pytest.fixture
def line(books: Any) -> DueLine:
    """An invoice of 500.00, 40 days late."""
    found: DueLine = books.invoice(books.customer("1"), 50_000, DAY - 70, DAY - 40)
    return found


@pytest.fixture
def say(runtime: Any, users: Any) -> Callable[..., dict[str, Any]]:
    """``say(RecordDispute, "collector", due_line=1)``: give a command as somebody."""

    def do(command: Any, who: str = "collector", reason: str = "two pallets were broken", **values: Any) -> Any:
        return runtime.execute(command(actor=getattr(users, who).id, reason=reason, **values))

    return do


def items(dispute: int) -> list[tuple[str, str, int, str]]:
    """What the diary holds about a dispute: what, whose, when, and how it stands."""
    rows = Action.select().where(Action.key.startswith(f"dispute-{dispute}/"), Action.channel == "task")
    return [(row.step_key, row.owner_role, row.due_day, row.state) for row in rows.order_by(Action.id)]


def test_a_dispute_lies_in_the_diary_of_its_owner_on_its_deadline(say, line):
    """The cause says whose and until when unless somebody says otherwise; handing over moves the item."""
    dispute = say(RecordDispute, due_line=line.id, cause="quality")["dispute"]
    assert items(dispute) == [("solve_dispute", "customer_care", DAY + CAUSES["quality"].days, "open")]
    say(HandOverDispute, dispute=dispute, owner_role="sales", deadline_day=DAY + 2)
    assert items(dispute) == [("solve_dispute", "sales", DAY + 2, "open")]
    say(HandOverDispute, "sales", dispute=dispute, deadline_day=DAY + 3)  # what is left out stays
    hand = in_hand(Dispute.get_by_id(dispute))
    assert (hand.owner_role, hand.deadline_day) == ("sales", DAY + 3)


def test_a_dispute_is_late_the_day_after_its_deadline(runtime, say, line):
    """On the deadline it is not."""
    say(RecordDispute, due_line=line.id, deadline_day=DAY + 2)
    late = [disputes_of(line.customer, DAY + after)[0].late for after in (1, 2, 3)]
    assert late == [False, False, True]


@pytest.mark.parametrize(
    "wrong", [{"cause": "mood"}, {"owner_role": "king"}, {"owner": 999_999}, {"amount_minor": 50_001}]
)
def test_what_a_dispute_cannot_be(say, line, wrong):
    """A cause that is not listed, a role or person that is none, more than the line."""
    with pytest.raises(Invalid):
        say(RecordDispute, due_line=line.id, **wrong)


def test_a_cause_with_an_end_may_be_chosen_until_then():
    """All shipped ones hold today."""
    assert set(causes_on(DAY)) == set(CAUSES)


@pytest.mark.parametrize(("outcome", "amount"), [("accepted", 20_001), ("rejected", 1), ("settled", None)])
def test_an_end_names_how_and_no_more_than_was_disputed(say, line, outcome, amount):
    """Part of it with an acceptance only."""
    dispute = say(RecordDispute, due_line=line.id, amount_minor=20_000)["dispute"]
    with pytest.raises(Invalid):
        say(CloseDispute, dispute=dispute, outcome=outcome, accepted_minor=amount)


def test_an_acceptance_asks_for_the_credit_note(say, line):
    """The diary item is done, and another asks customer care for the credit note."""
    dispute = say(RecordDispute, due_line=line.id, amount_minor=20_000, cause="price")["dispute"]
    say(CommentDispute, "sales", "the discount was agreed", dispute=dispute)
    say(CloseDispute, "sales", dispute=dispute, outcome="accepted", accepted_minor=10_000)
    assert [(what, whose, state) for what, whose, _day, state in items(dispute)] == [
        ("solve_dispute", "sales", "done"),
        ("send_credit_note", "customer_care", "open"),
    ]
    told = disputes_of(line.customer, DAY)[0]
    assert (told.state, told.closing.accepted_minor) == ("accepted", 10_000)
    assert [step.text for step in thread_of(told.dispute)] == ["the discount was agreed"]


def test_the_measures_are_those_of_the_hand(say, books, runtime, users, clock, entity):
    """Closed after 2, 4 and 9 days: a median of 4; one open for 10 days, late; one new."""
    customer = books.customer("7")
    for days in (2, 4, 9):
        of = books.invoice(customer, 1_000, DAY - 70, DAY - 40)
        dispute = say(RecordDispute, due_line=of.id, cause="price")["dispute"]
        clock.advance(days=days)
        say(CloseDispute, dispute=dispute, outcome="accepted" if days == 4 else "rejected")
    say(RecordDispute, due_line=books.invoice(customer, 1_000, DAY - 70, DAY - 40).id, cause="other")
    clock.advance(days=11)
    say(RecordDispute, due_line=books.invoice(customer, 1_000, DAY - 70, DAY - 40).id, cause="price")
    found = measures_of(runtime, users.manager.id, [entity])
    assert found["all"][0].figures == (3, 4, 1, 2, 1, 1, 0, 1)
    assert [(one.key, one.median_days, one.open) for one in found["cause"]] == [("price", 4, 1), ("other", None, 1)]
    assert {one.key for one in found["owner"]} == {"sales"}
    assert measure("", []).median_days is None


# --- the answer by link -------------------------------------------------------------------


@pytest.fixture
def runtime(runtime: Any) -> Any:
    """One that knows the address of its console."""
    object.__setattr__(runtime.settings, "url", "https://dunwell.example")
    return runtime


@pytest.fixture
def mailed(runtime, entity, say, line) -> Callable[..., tuple[int, str]]:
    """Ask a colleague and take the token out of the mail that leaves: (dispute, token)."""
    Entity.update(live_from_day=DAY, sending=True).where(Entity.id == entity.id).execute()

    def ask(email: str = "rep@dunwell.example", **values: Any) -> tuple[int, str]:
        dispute = say(RecordDispute, due_line=line.id, amount_minor=20_000)["dispute"]
        say(AskColleague, reason="Did you agree to this?", dispute=dispute, email=email, **values)
        outbox.deliver(runtime)
        message = Message.select().order_by(Message.id.desc()).get()
        text = runtime.vault.open(message.person, message.sealed)["text"]
        return dispute, re.search(r"https://dunwell\.example/answer/(\S+)", text)[1]

    return ask


def answer(runtime: Any, token: str, verdict: str, **values: Any) -> Any:
    """Answer as the page does."""
    command = AnswerByLink(actor=None, reason="I did not", token_sha256=hash_of(token), verdict=verdict, **values)
    return runtime.execute(command)


def test_the_mail_holds_the_only_copy_of_the_link(runtime, mailed):
    """Its database knows the hash; who reads the mail in the console sees no token; a changed one opens nothing."""
    _dispute, token = mailed()
    link = AnswerLink.get()
    assert link.token_sha256 == hash_of(token)
    assert token not in str(link.__data__)
    assert link_of(runtime, token, runtime.now_at()).id == link.id
    assert token not in masked(f"https://dunwell.example/answer/{token}")
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert link_of(runtime, other, runtime.now_at()) is None
    assert link_of(runtime, "x" * 10_000, runtime.now_at()) is None


def test_a_rejection_by_link_ends_the_dispute_under_the_links_name(runtime, mailed, users):
    """Once; whoever asked finds it in the diary; the thread names the link and no user."""
    dispute, token = mailed()
    answer(runtime, token, "rejected")
    told = disputes_of(Dispute.get_by_id(dispute).customer, DAY)[0]
    assert told.state == "rejected"
    step_ = thread_of(told.dispute)[-1]
    assert (step_.kind, step_.text, step_.by, step_.link_id) == ("answer", "I did not", None, AnswerLink.get().id)
    read = Action.get(Action.step_key == "read_the_answer")
    assert (read.owner_id, read.state) == (users.collector.id, "open")
    assert AnswerLink.get().sealed is None
    with pytest.raises(NotFound):
        answer(runtime, token, "rejected")


@pytest.mark.parametrize(("verdict", "values"), [("comment", {}), ("deadline", {"deadline_day": DAY + 20})])
def test_other_answers_leave_it_open(runtime, mailed, verdict, values):
    """A comment, or a new deadline that moves the diary item."""
    dispute, token = mailed()
    answer(runtime, token, verdict, **values)
    told = disputes_of(Dispute.get_by_id(dispute).customer, DAY)[0]
    assert told.closing is None
    assert told.hand.deadline_day == values.get("deadline_day", DAY + CAUSES["other"].days)


@pytest.mark.parametrize("how", ["withdrawn", "over", "closed", "account"])
def test_a_link_ends(runtime, mailed, say, users, clock, how):
    """When it is withdrawn, on its day, with its dispute, and with the account it was sent to."""
    dispute, token = mailed(email=users.sales.email if how == "account" else "rep@dunwell.example", days=1)
    if how == "withdrawn":
        say(WithdrawQuestion, dispute=dispute, link=AnswerLink.get().id)
    elif how == "over":
        clock.advance(days=1)
    elif how == "closed":
        say(CloseDispute, dispute=dispute, outcome="withdrawn")
    else:
        User.update(active=False).where(User.id == users.sales.id).execute()
    with pytest.raises((NotFound, Conflict)):
        answer(runtime, token, "accepted")


def test_a_link_is_valid_to_the_last_moment(runtime, mailed, clock):
    """Just before its end it is answered."""
    _dispute, token = mailed(days=1)
    clock.advance(hours=23, minutes=59)
    assert answer(runtime, token, "comment")


def test_a_person_answers_in_the_console_and_not_by_anybodys_link(runtime, mailed, users):
    """The command of the page is refused to whoever signs in, with every permission."""
    _dispute, token = mailed()
    command = AnswerByLink(actor=users.manager.id, reason="no", token_sha256=hash_of(token), verdict="rejected")
    with pytest.raises(Refused):
        runtime.execute(command)


def test_a_question_needs_an_address_and_a_console_that_knows_its_own(runtime, say, line):
    """Each is said with its cure."""
    dispute = say(RecordDispute, due_line=line.id)["dispute"]
    with pytest.raises(Invalid, match="no e-mail address"):
        say(AskColleague, dispute=dispute, email="rep")
    object.__setattr__(runtime.settings, "url", None)
    with pytest.raises(Invalid) as refused:
        say(AskColleague, dispute=dispute, email="rep@dunwell.example")
    assert "DUNWELL_URL" in refused.value.problems[0].cure


def test_a_mail_whose_question_is_over_does_not_leave(runtime, entity, say, line):
    """It is cancelled at its claim."""
    Entity.update(live_from_day=DAY, sending=True).where(Entity.id == entity.id).execute()
    dispute = say(RecordDispute, due_line=line.id)["dispute"]
    say(AskColleague, dispute=dispute, email="rep@dunwell.example")
    say(CloseDispute, dispute=dispute, outcome="withdrawn")
    outbox.deliver(runtime)
    mail = Action.get(Action.channel == "internal")
    assert (mail.state, mail.result) == ("cancelled", "the dispute was closed")
