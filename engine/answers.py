"""Answers by mail link: a colleague without an account says what they know about one dispute, once.

The link is a random token, signed with the secret of the settings and with a date it ends on. It tells
nothing by itself; the database knows only its hash. It is of one dispute and one person, is used up by
the answer and can be withdrawn. Reading the page behind it changes nothing: mail programs do that.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from babel.dates import format_date
from itsdangerous import BadData, URLSafeSerializer
from peewee import ModelSelect

from engine.answer_words import WORDS
from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, carry_out, register
from engine.corrections import appended
from engine.disputes import (
    DISPUTE,
    CloseDispute,
    InHand,
    add_step,
    dispute_of,
    first_of,
    in_hand,
    move,
    open_dispute,
    stem_of,
)
from engine.doors import sender_of
from engine.sending import HOUR_US, Cancel, Go, Verdict, Wait
from engine.tables import Action, AnswerLink, Customer, Dispute, DisputeClosing, DisputeStep, DueLine, Reversal, User
from engine.vault import Erased
from ledger.days import date_of
from notifiers.composing import Composed
from notifiers.gateways import Gateway
from notifiers.mime import is_address, one_line

if TYPE_CHECKING:
    from engine.runtime import Runtime

QUESTION = "dispute_question"  # template of the mail
PURPOSE = "dunwell answer about a dispute 1"
TOKEN_BYTES = 24
TOKEN_LENGTH_MAX = 200
TOKEN = re.compile(r"/answer/[A-Za-z0-9._-]{20,200}")
DAY_US = 86_400 * 1_000_000
DAYS_MAX = 30
LINKS_MAX = 20  # of one dispute that wait for an answer
VERDICTS = ("accepted", "rejected", "comment", "deadline")


@dataclass(frozen=True, kw_only=True)
class AskColleague(Command):
    """Ask a colleague about a dispute by mail: the reason is the question.

    Args:
        email: of the colleague; with an account or without.
        name: how the mail greets them.
        days: until the link ends.
    """

    dispute: int
    email: str
    name: str = ""
    days: int = 10


@register(AskColleague, permission="disputes.record", person_only=True)
def ask_colleague(context: Context, command: AskColleague) -> Change:
    """Make the link and the mail; both are this person's alone."""
    dispute, customer = open_dispute(context, command.dispute)
    runtime = context.runtime
    if not runtime.settings.url:
        cure = "set DUNWELL_URL to the address under which people open the console"
        raise Invalid.because("email", "cannot be sent a link: the console does not know its own address", cure)
    email = command.email.strip()
    if not is_address(email):
        raise Invalid.because("email", "is no e-mail address", "write one, such as name@company.example")
    if not 1 <= command.days <= DAYS_MAX:
        raise Invalid.because("days", f"is {command.days}", f"give 1 to {DAYS_MAX} days")
    first = first_of(dispute)
    waiting = _live(context.at).where(AnswerLink.dispute == first)
    if waiting.count() >= LINKS_MAX:
        raise Conflict(f"dispute {dispute.id} has {LINKS_MAX} questions that wait already")
    user = User.get_or_none(User.email == email)
    if user is not None and not user.active:
        raise Invalid.because("email", "belongs to an account that was closed", "ask somebody else")
    name = one_line(command.name or ("" if user is None else user.name), 80)
    person = runtime.vault.create_person({"name": name, "email": email})
    token = signer(runtime).dumps(secrets.token_urlsafe(TOKEN_BYTES))
    link = AnswerLink.create(
        dispute=first,
        person=person,
        user=user,
        token_sha256=hash_of(token),
        sealed=runtime.vault.seal(person, {"token": token}),
        asked_by=None if context.actor is None else context.actor.id,
        asked_at=context.at,
        expires_at=context.at + command.days * DAY_US,
    )
    add_step(context, dispute, "question", command.reason, link=link.id)
    Action.create(
        key=f"{stem_of(dispute)}question-{link.id}",
        entity_id=dispute.entity_id,
        customer=customer,
        policy_key=DISPUTE,
        episode=0,
        step_key="ask_a_colleague",
        channel="internal",
        template=QUESTION,
        state="due",
        due_day=context.today(customer.entity),
        created_at=context.at,
    )
    after = {"customer": customer.id, "link": link.id, "expires_at": link.expires_at}
    return Change(
        subject_kind="dispute",
        subject_id=dispute.id,
        after=after,
        answer={"dispute": dispute.id, "link": link.id},
        entity_id=dispute.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class WithdrawQuestion(Command):
    """Make a link useless at once."""

    dispute: int
    link: int


@register(WithdrawQuestion, permission="disputes.record")
def withdraw_question(context: Context, command: WithdrawQuestion) -> Change:
    """Withdraw it, unless it was answered."""
    dispute, customer = dispute_of(context, command.dispute)
    link = AnswerLink.get_or_none(AnswerLink.id == command.link, AnswerLink.dispute == first_of(dispute))
    if link is None:
        raise NotFound(f"no question {command.link}")
    if link.answered_at is not None or link.withdrawn_at is not None:
        raise Conflict(f"question {link.id} was answered or withdrawn already")
    AnswerLink.update(withdrawn_at=context.at, sealed=None).where(AnswerLink.id == link.id).execute()
    return Change(
        subject_kind="dispute",
        subject_id=dispute.id,
        after={"customer": customer.id, "link": link.id, "withdrawn": True},
        answer={"dispute": dispute.id},
        entity_id=dispute.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class AnswerByLink(Command):
    """Answer about a dispute by the link that was sent for it: the reason is the answer.

    Args:
        token_sha256: of the link's token, whose signature was checked where it came in.
        verdict: one of ``VERDICTS``.
        accepted_minor: how much of it the customer is right about; None: all.
        deadline_day: with the verdict ``deadline``.
    """

    token_sha256: str
    verdict: str
    accepted_minor: int | None = None
    deadline_day: int | None = None


@register(AnswerByLink, permission="disputes.close")
def answer_by_link(context: Context, command: AnswerByLink) -> Change:
    """Do what the answer says, in the thread under the link's name, and use the link up."""
    if context.actor is not None:
        raise Refused("a link is answered on its own page; whoever signs in closes the dispute there")
    link = link_in_force(command.token_sha256, context.at)
    if link is None:
        raise NotFound("no question that waits for an answer")
    if command.verdict not in VERDICTS:
        raise Invalid.because("verdict", f"is {command.verdict!r}", f"choose from {', '.join(VERDICTS)}")
    dispute = standing_of(link)
    if dispute is None:
        raise Conflict("the dispute was closed or taken back in the meantime")
    customer = dispute.customer
    add_step(context, dispute, "answer", command.reason, link=link.id)
    if command.verdict in ("accepted", "rejected"):
        close = CloseDispute(
            actor=None,
            reason=command.reason,
            dispute=dispute.id,
            outcome=command.verdict,
            accepted_minor=command.accepted_minor if command.verdict == "accepted" else None,
        )
        carry_out(context, close)
    elif command.verdict == "deadline":
        today = context.today(customer.entity)
        if command.deadline_day is None or command.deadline_day <= today:
            raise Invalid.because("deadline_day", "is missing or not after today", "give a later day")
        hand = in_hand(dispute)
        moved = InHand(owner_role=hand.owner_role, owner=hand.owner, deadline_day=command.deadline_day)
        move(context, dispute, moved, command.reason, link=link.id)
    AnswerLink.update(answered_at=context.at, sealed=None).where(AnswerLink.id == link.id).execute()
    _tell_who_asked(context, dispute, link)
    return appended("dispute", dispute.id, customer, {"link": link.id, "verdict": command.verdict})


def _tell_who_asked(context: Context, dispute: Dispute, link: AnswerLink) -> None:
    """A diary item for whoever asked: the answer is there."""
    Action.create(
        key=f"{stem_of(dispute)}answer-{link.id}",
        entity_id=dispute.entity_id,
        customer=dispute.customer_id,
        policy_key=DISPUTE,
        episode=0,
        step_key="read_the_answer",
        channel="task",
        template=DISPUTE,
        owner_role="collector",
        owner=link.asked_by,
        state="open",
        due_day=context.today(dispute.customer.entity),
        created_at=context.at,
    )


# --- the link --------------------------------------------------------------------------


def signer(runtime: "Runtime") -> URLSafeSerializer:
    """Signs tokens for this one purpose."""
    return URLSafeSerializer(runtime.settings.secret_key, salt=PURPOSE, signer_kwargs={"digest_method": hashlib.sha256})


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def link_of(runtime: "Runtime", token: str, at: int) -> AnswerLink | None:
    """The link of a token that still waits for its answer; None for whatever else, without saying why."""
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    try:
        signer(runtime).loads(token)
    except BadData:
        return None
    return link_in_force(hash_of(token), at)


def link_in_force(token_sha256: str, at: int) -> AnswerLink | None:
    """The same by the hash: not answered, not withdrawn, not over, and its person still works here."""
    found: AnswerLink | None = _live(at).where(AnswerLink.token_sha256 == token_sha256).first()
    if found is not None and found.user_id is not None and not User.get_by_id(found.user_id).active:
        return None
    return found


def standing_of(link: AnswerLink) -> Dispute | None:
    """The dispute of a link on the line it stands on now; None when it is closed or taken back."""
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == DISPUTE)
    closed = DisputeClosing.select(DisputeClosing.dispute)
    own = (Dispute.id == link.dispute_id) | (Dispute.first_id == link.dispute_id)
    found: Dispute | None = (
        Dispute.select(Dispute, DueLine, Customer)
        .join(DueLine)
        .switch(Dispute)
        .join(Customer)
        .where(own, Dispute.id.not_in(undone), Dispute.id.not_in(closed))
        .order_by(Dispute.id.desc())
        .first()
    )
    return found


def _live(at: int) -> ModelSelect:
    return AnswerLink.select().where(
        AnswerLink.answered_at.is_null(), AnswerLink.withdrawn_at.is_null(), AnswerLink.expires_at > at
    )


# --- the mail --------------------------------------------------------------------------


def prepare(runtime: "Runtime", action: Action, now_at: int, gateway: Gateway) -> Verdict:
    """What the mail with the link says, as long as its answer is still wanted."""
    link = _link_of_action(action)
    if link is None or link.sealed is None or link.expires_at <= now_at:
        return Cancel("its question was answered, withdrawn or is over")
    dispute = standing_of(link)
    if dispute is None:
        return Cancel("the dispute was closed")
    entity = action.customer.entity
    from_address = sender_of(runtime, entity, gateway)
    if from_address is None:
        return Wait(now_at + HOUR_US, "no_sender")
    try:
        known = runtime.vault.open_person(link.person) or {}
        token = runtime.vault.open(link.person, link.sealed)["token"]
    except Erased:
        return Cancel("the colleague's address was erased")
    language = "en" if link.user_id is None else str(link.user.language)
    return Go(
        person=link.person,
        to_address=str(known["email"]),
        to_name=str(known.get("name") or ""),
        from_address=from_address,
        from_name=entity.name,
        letter=_letter(runtime, link, dispute, str(known.get("name") or ""), token, language),
        edition=None,
    )


def _link_of_action(action: Action) -> AnswerLink | None:
    number = action.key.rpartition("-")[2]
    found: AnswerLink | None = AnswerLink.get_or_none(AnswerLink.id == int(number)) if number.isdecimal() else None
    return found


def _letter(runtime: "Runtime", link: AnswerLink, dispute: Dispute, name: str, token: str, language: str) -> Composed:
    words = WORDS.get(language, WORDS["en"])
    said = {
        "name": name,
        "number": dispute.due_line.number,
        "customer": dispute.customer.name,
        "reason": dispute.reason,
        "asked_by": User.get_by_id(link.asked_by).name if link.asked_by else "Dunwell",
        "question": question_of(link),
        "until": format_date(date_of(link.expires_at // DAY_US), format="long", locale=language),
    }
    address = f"{runtime.settings.url}/answer/{token}"
    opening = " ".join(words.opening.format(**said).split()).replace(" ,", ",")
    parts = [opening, words.contested.format(**said), words.question.format(**said), words.link.format(**said)]
    close = words.close.format(**said)
    html = "".join(f"<p>{escape(part)}</p>" for part in parts)
    html += f'<p><a href="{escape(address)}">{escape(address)}</a></p><p>{escape(close)}</p>'
    return Composed(
        subject=one_line(words.subject.format(**said)),
        text="\n\n".join([*parts, address, close]) + "\n",
        html=f'<!doctype html><html lang="{language}"><body>{html}</body></html>',
        language=language,
    )


def question_of(link: AnswerLink) -> str:
    """What was asked with a link."""
    text = DisputeStep.select(DisputeStep.text).where(DisputeStep.link_id == link.id, DisputeStep.kind == "question")
    return str(text.scalar() or "")


def links_of(dispute: Dispute) -> list[AnswerLink]:
    """The questions asked about a dispute, the newest first."""
    return list(AnswerLink.select().where(AnswerLink.dispute == first_of(dispute)).order_by(AnswerLink.id.desc()))


def masked(text: str) -> str:
    """A text without the tokens of links: who reads a colleague's mail in the console must not answer for them.

    >>> masked("https://d.example/answer/IkFiQ2RlRmdIaUprTG1O.c-_9 and on")
    'https://d.example/answer/… and on'
    """
    return TOKEN.sub("/answer/…", text)
