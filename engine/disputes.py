"""Disputes: opened, talked about, handed on, and ended by an acceptance, a rejection or a withdrawal.

Each is an entry with a thread of steps; the diary holds one item for whoever is to solve it, dated at
its deadline. The disputed part leaves dunning while it is open, and once accepted until its credit note
comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from peewee import JOIN

from engine import access
from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.corrections import appended, entry_of
from engine.dispute_causes import causes_on
from engine.tables import Action, Customer, Dispute, DisputeClosing, DisputeStep, DueLine, Reversal, User

if TYPE_CHECKING:
    from engine.runtime import Runtime

OUTCOMES = ("accepted", "rejected", "withdrawn")
DISPUTE = "dispute"  # policy key and template of its diary items
CREDIT_DAYS = 7  # until the credit note of an accepted dispute is asked after
TEXT_MAX = 2_000
STEPS_MAX = 500  # of one dispute


@dataclass(frozen=True, kw_only=True)
class RecordDispute(Command):
    """A customer contests a due line, whole or (amount given) in part; the reason says what they contest.

    Args:
        cause: a code of ``engine.dispute_causes``.
        owner_role: who is to solve it; empty: as the cause says.
        owner: the person of that role; None: whoever holds it.
        deadline_day: None: as the cause says.
    """

    due_line: int
    amount_minor: int | None = None
    cause: str = "other"
    owner_role: str = ""
    owner: int | None = None
    deadline_day: int | None = None


@register(RecordDispute, permission="disputes.record")
def record_dispute(context: Context, command: RecordDispute) -> Change:
    """Open the dispute; the disputed part leaves dunning."""
    line = DueLine.get_or_none(DueLine.id == command.due_line)
    if line is None:
        raise NotFound(f"no due line {command.due_line}")
    customer = context.customer(line.customer_id)
    if command.amount_minor is not None and not 0 < command.amount_minor <= line.amount_minor:
        raise Invalid.because("amount_minor", "is not within the line's amount", "give a part of it, or none for all")
    if _standing().where(Dispute.due_line == line).exists():
        raise Conflict(f"due line {line.id} is under a dispute already")
    today = context.today(customer.entity)
    causes = causes_on(today)
    if command.cause not in causes:
        raise Invalid.because("cause", f"is {command.cause!r}", f"choose from {', '.join(causes)}")
    cause = causes[command.cause]
    owner_role = command.owner_role or cause.owner_role
    _check_owner(owner_role, command.owner)
    deadline_day = today + cause.days if command.deadline_day is None else command.deadline_day
    dispute = Dispute.create(
        **entry_of(context, customer, today),
        due_line=line,
        amount_minor=command.amount_minor,
        cause=command.cause,
        reason=command.reason[:TEXT_MAX],
        owner_role=owner_role,
        owner=command.owner,
        deadline_day=deadline_day,
    )
    _put_in_diary(context, dispute, "solve_dispute", owner_role, command.owner, deadline_day)
    after = {
        "due_line": line.id,
        "amount_minor": command.amount_minor,
        "cause": command.cause,
        "owner_role": owner_role,
        "deadline_day": deadline_day,
    }
    return appended("dispute", dispute.id, customer, after)


@dataclass(frozen=True, kw_only=True)
class CloseDispute(Command):
    """End a dispute: accepted (a credit note follows), rejected or withdrawn (dunning goes on).

    Args:
        outcome: one of ``OUTCOMES``.
        accepted_minor: how much of it the customer is right about; None: all that was disputed.
    """

    dispute: int
    outcome: str
    accepted_minor: int | None = None


@register(CloseDispute, permission="disputes.close")
def close_dispute(context: Context, command: CloseDispute) -> Change:
    """Close it, once. What was accepted stays out of dunning until it is credited."""
    dispute, customer = open_dispute(context, command.dispute)
    if command.outcome not in OUTCOMES:
        raise Invalid.because("outcome", f"is {command.outcome!r}", f"choose from {', '.join(OUTCOMES)}")
    most = dispute.amount_minor or dispute.due_line.amount_minor
    accepted_minor = command.accepted_minor
    if accepted_minor is not None and (command.outcome != "accepted" or not 0 < accepted_minor <= most):
        cure = "give a part of what is disputed with an acceptance, or leave it empty"
        raise Invalid.because("accepted_minor", "does not fit", cure)
    today = context.today(customer.entity)
    DisputeClosing.create(
        **entry_of(context, customer, today), dispute=dispute, outcome=command.outcome, accepted_minor=accepted_minor
    )
    _settle_diary(dispute, command.outcome, context.at)
    if command.outcome == "accepted":
        _put_in_diary(context, dispute, "send_credit_note", "customer_care", None, today + CREDIT_DAYS)
    return appended("dispute", dispute.id, customer, {"outcome": command.outcome, "accepted_minor": accepted_minor})


@dataclass(frozen=True, kw_only=True)
class CommentDispute(Command):
    """Say something about a dispute, open or closed: the reason is what is said."""

    dispute: int


@register(CommentDispute, permission="disputes.record")
def comment_dispute(context: Context, command: CommentDispute) -> Change:
    """Add it to the thread."""
    dispute, customer = dispute_of(context, command.dispute)
    add_step(context, dispute, "comment", command.reason)
    return appended("dispute", dispute.id, customer, {"commented": True})


@dataclass(frozen=True, kw_only=True)
class HandOverDispute(Command):
    """Say anew who is to solve a dispute, and until when.

    Args:
        owner_role, owner, deadline_day: as of ``RecordDispute``; what is left out stays.
    """

    dispute: int
    owner_role: str = ""
    owner: int | None = None
    deadline_day: int | None = None


@register(HandOverDispute, permission="disputes.record")
def hand_over_dispute(context: Context, command: HandOverDispute) -> Change:
    """Its diary item moves with it."""
    dispute, customer = open_dispute(context, command.dispute)
    was = in_hand(dispute)
    owner_role = command.owner_role or was.owner_role
    owner = command.owner if command.owner is not None or owner_role != was.owner_role else was.owner
    deadline_day = was.deadline_day if command.deadline_day is None else command.deadline_day
    _check_owner(owner_role, owner)
    hand = InHand(owner_role=owner_role, owner=owner, deadline_day=deadline_day)
    move(context, dispute, hand, command.reason)
    return replace(appended("dispute", dispute.id, customer, _said(hand)), before=_said(was))


# --- what commands, links and pages share -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """Who is to solve a dispute, and until when, as it is now."""

    owner_role: str
    owner: int | None
    deadline_day: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A dispute with what became of it.

    Args:
        hand: who has it in hand, and until when.
        closing: None while it is open.
        days: from its opening to its end, or to today.
        late: whether it is open beyond its deadline.
    """

    dispute: Dispute
    hand: InHand
    closing: DisputeClosing | None
    days: int
    late: bool
    steps: list[DisputeStep] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``open``, ``accepted``, ``rejected`` or ``withdrawn``."""
        return "open" if self.closing is None else str(self.closing.outcome)


def disputes_of(customer: Customer, today: int, most: int = 50) -> list[Told]:
    """The disputes of a customer, the newest first."""
    rows = with_closings().where(Dispute.customer == customer).order_by(Dispute.id.desc()).limit(most)
    return told(rows, {customer.entity_id: today})


def told(rows: Iterable[Dispute], today: dict[int, int]) -> list[Told]:
    """Disputes as ``with_closings`` reads them, with what became of each.

    Args:
        today: by entity.
    """
    found = list(rows)
    changes: dict[int, DisputeStep] = {}
    firsts = [first_of(dispute) for dispute in found]
    for start in range(0, len(firsts), 500):
        steps = DisputeStep.select().where(
            DisputeStep.dispute.in_(firsts[start : start + 500]), DisputeStep.kind == "change"
        )
        changes |= {step.dispute_id: step for step in steps.order_by(DisputeStep.id)}
    made = []
    for dispute in found:
        hand = _hand(dispute, changes.get(first_of(dispute)))
        closing = dispute.closing if getattr(dispute, "closing", None) and dispute.closing.id else None
        day = today[dispute.entity_id]
        until = day if closing is None else closing.booked_day
        late = closing is None and hand.deadline_day is not None and hand.deadline_day < day
        made.append(
            Told(dispute=dispute, hand=hand, closing=closing, days=max(until - dispute.booked_day, 0), late=late)
        )
    return made


def stem_of(dispute: Dispute) -> str:
    """What the keys of its diary items and mails begin with."""
    return f"{DISPUTE}-{first_of(dispute)}/"


def dispute_seen(runtime: "Runtime", user: int, dispute_id: int) -> Told | None:
    """One dispute that a user may see."""
    own = (Dispute.id == dispute_id) | (Dispute.first_id == dispute_id)  # on the line it stands on now
    row = access.visible_to(user, with_closings().where(own)).order_by(Dispute.id.desc()).first()
    return None if row is None else told([row], {row.entity_id: runtime.today(row.customer.entity)})[0]


def with_closings() -> Any:
    """Disputes in force with their line, customer and closing."""
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == DISPUTE)
    return (
        Dispute.select(Dispute, DueLine, Customer, DisputeClosing)
        .join(DueLine)
        .switch(Dispute)
        .join(Customer)
        .switch(Dispute)
        .join(DisputeClosing, JOIN.LEFT_OUTER, on=(DisputeClosing.dispute == Dispute.id), attr="closing")
        .where(Dispute.id.not_in(undone))
    )


def thread_of(dispute: Dispute) -> list[DisputeStep]:
    """What was said about a dispute, the oldest first."""
    return list(DisputeStep.select().where(DisputeStep.dispute == first_of(dispute)).order_by(DisputeStep.id))


def first_of(dispute: Dispute) -> int:
    """The id under which its thread, diary and links are kept, whatever line it stands on by now."""
    return int(dispute.first_id or dispute.id)


def in_hand(dispute: Dispute) -> InHand:
    """Who is to solve a dispute, and until when."""
    last = (
        DisputeStep.select()
        .where(DisputeStep.dispute == first_of(dispute), DisputeStep.kind == "change")
        .order_by(DisputeStep.id.desc())
        .first()
    )
    return _hand(dispute, last)


def dispute_of(context: Context, dispute_id: int) -> tuple[Dispute, Customer]:
    """A dispute in force that the actor may see, with its customer."""
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == DISPUTE)
    dispute = Dispute.get_or_none(Dispute.id == dispute_id, Dispute.id.not_in(undone))
    if dispute is None:
        raise NotFound(f"no dispute {dispute_id}")
    return dispute, context.customer(dispute.customer_id)


def open_dispute(context: Context, dispute_id: int) -> tuple[Dispute, Customer]:
    """The same, of one that is not closed yet."""
    dispute, customer = dispute_of(context, dispute_id)
    if DisputeClosing.select().where(DisputeClosing.dispute == dispute).exists():
        raise Conflict(f"dispute {dispute.id} is closed already")
    return dispute, customer


def add_step(
    context: Context, dispute: Dispute, kind: str, text: str, *, link: int | None = None, hand: InHand | None = None
) -> DisputeStep:
    """Add to the thread of a dispute."""
    first = first_of(dispute)
    if DisputeStep.select().where(DisputeStep.dispute == first).count() >= STEPS_MAX:
        raise Conflict(f"dispute {dispute.id} has {STEPS_MAX} steps already")
    customer = dispute.customer
    made: DisputeStep = DisputeStep.create(
        **entry_of(context, customer, context.today(customer.entity)),
        dispute=first,
        kind=kind,
        text=text[:TEXT_MAX],
        by=None if context.actor is None else context.actor.id,
        link_id=link,
        **({} if hand is None else _said(hand)),
    )
    return made


def move(context: Context, dispute: Dispute, hand: InHand, text: str, link: int | None = None) -> None:
    """Hand a dispute on, with its diary item."""
    add_step(context, dispute, "change", text, link=link, hand=hand)
    item = Action.get_or_none(Action.key == _key(dispute, "solve_dispute"), Action.state == "open")
    if item is not None and hand.deadline_day is not None:
        Action.update(
            owner_role=hand.owner_role, owner=hand.owner, due_day=hand.deadline_day, version=Action.version + 1
        ).where(Action.id == item.id).execute()


def _hand(dispute: Dispute, change: DisputeStep | None) -> InHand:
    said = dispute if change is None else change
    return InHand(owner_role=said.owner_role, owner=said.owner, deadline_day=said.deadline_day)


def _said(hand: InHand) -> dict[str, Any]:
    return {"owner_role": hand.owner_role, "owner": hand.owner, "deadline_day": hand.deadline_day}


def _standing() -> Any:
    """Disputes that are neither closed nor taken back."""
    closed = DisputeClosing.select(DisputeClosing.dispute)
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == DISPUTE)
    return Dispute.select().where(Dispute.id.not_in(closed), Dispute.id.not_in(undone))


def _check_owner(role: str, owner: int | None) -> None:
    if role not in access.ROLES:
        raise Invalid.because("owner_role", f"is {role!r}", f"choose from {', '.join(access.ROLES)}")
    if owner is not None and not User.select().where(User.id == owner, User.active == True).exists():  # noqa: E712
        raise Invalid.because("owner", "is no user who is active", "choose another, or nobody")


def _key(dispute: Dispute, what: str) -> str:
    return f"{stem_of(dispute)}{what}"


def _put_in_diary(
    context: Context, dispute: Dispute, what: str, owner_role: str, owner: int | None, due_day: int
) -> None:
    """The diary item of whoever has to do something about a dispute."""
    Action.create(
        key=_key(dispute, what),
        entity_id=dispute.entity_id,
        customer=dispute.customer_id,
        line_id=0,
        policy_key=DISPUTE,
        episode=0,
        step_key=what,
        channel="task",
        template=DISPUTE,
        owner_role=owner_role,
        owner=owner,
        state="open",
        due_day=due_day,
        created_at=context.at,
    )


def _settle_diary(dispute: Dispute, result: str, at: int) -> None:
    Action.update(state="done", result=result, settled_at=at, version=Action.version + 1).where(
        Action.key == _key(dispute, "solve_dispute"), Action.state == "open"
    ).execute()
