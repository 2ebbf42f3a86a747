"""Standings: where a customer stands in an escalation, as a fold of decisions and contacts.

A decision says in its changes what it did to the episode; folding those events, and the days on
which a message or call reached the customer, gives every standing again, byte for byte. The
reason for waiting and the next step are a cache of the last decision, not part of the fold.
Source: semantics.md 4.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from rules.settling import Move


@dataclass(frozen=True, slots=True)
class Stand:
    """The folded part of a standing.

    Args:
        episode: counts up; 0 before the first.
        open: whether an episode is under way.
        leader_line_id, leader_due_day: the line the episode is anchored at.
        level, step_key: reached.
        repeat_no: how often the episode fell back, so that a step may come again.
        since_day: the day of the last step or change of level.
        last_contact_day: the last day a message or call reached the customer.
    """

    episode: int = 0
    open: bool = False
    leader_line_id: int | None = None
    leader_due_day: int | None = None
    level: int = 0
    step_key: str | None = None
    repeat_no: int = 0
    since_day: int | None = None
    last_contact_day: int | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], prefix: str = "at_") -> "Stand":
        """The standing in a row of facts; one that is not there yet is the first."""
        if row.get(f"{prefix}episode") is None:
            return cls()
        return cls(**{name: row[f"{prefix}{name}"] for name in cls.__dataclass_fields__})

    def canonical(self) -> bytes:
        """Its one byte form, for comparing a stored standing with a rebuilt one."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one decision does to a standing; kept in the decision.

    Args:
        day: the day decided for.
        move: what becomes of the episode (``rules.escalation.Move``).
        level, step: in force from now on.
        enters: whether a step begins by this decision.
        leader_line_id, leader_due_day: the leader of that day; None keeps the anchor.
        mapped: level and step that the standing was taken to be at, where a new version of the
            policy renamed or dropped the ones it stood at.
    """

    day: int
    move: str
    level: int
    step: str | None
    enters: bool
    leader_line_id: int | None = None
    leader_due_day: int | None = None
    mapped: tuple[int, str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacted:
    """A message was sent, or a call was made."""

    day: int


Event = Moved | Contacted


def fold(stand: Stand, event: Event) -> Stand:
    """The standing after an event."""
    match event:
        case Contacted(day=day):
            last = stand.last_contact_day
            return stand if last is not None and last >= day else replace(stand, last_contact_day=day)
        case Moved():
            return _moved(stand, event)


def _moved(stand: Stand, event: Moved) -> Stand:
    if event.mapped is not None:  # another name for where it stands: no step back, and nothing comes again
        stand = replace(stand, level=event.mapped[0], step_key=event.mapped[1])
    if event.move == Move.CLOSE.value:
        begun = replace(stand, open=False, leader_line_id=None, leader_due_day=None)
    elif event.move in (Move.OPEN.value, Move.REOPEN.value):
        begun = replace(
            stand,
            episode=stand.episode + 1,
            open=True,
            leader_line_id=None,
            leader_due_day=None,
            level=0,
            step_key=None,
            repeat_no=0,
        )
    else:
        begun = stand
    if begun.open and event.leader_line_id is not None:
        begun = replace(begun, leader_line_id=event.leader_line_id, leader_due_day=event.leader_due_day)
    # A step entered at or below the level reached is a restart: it comes again, under another key.
    again = event.enters and 0 < event.level <= begun.level
    fell = begun.open and (event.level < begun.level or again)
    differs = (event.level, event.step) != (stand.level, stand.step_key)
    return replace(
        begun,
        level=event.level,
        step_key=event.step,
        repeat_no=begun.repeat_no + (1 if fell else 0),
        since_day=event.day if event.enters or differs else begun.since_day,
    )


def fold_all(events: Iterable[Event]) -> Stand:
    """The standing that a history gives.

    >>> fold_all([Moved(day=1, move="open", level=1, step="p4", enters=True), Contacted(day=2)]).last_contact_day
    2
    """
    stand = Stand()
    for event in events:
        stand = fold(stand, event)
    return stand


def event_of(changes: Mapping[str, Any], day: int) -> Moved | None:
    """The event a decision's changes hold, or None when they touch no standing."""
    kept = changes.get("standing")
    if kept is None:
        return None
    mapped = kept.get("mapped")
    return Moved(day=day, **{**kept, "mapped": None if mapped is None else (mapped[0], mapped[1])})


def kept_event(event: Moved) -> dict[str, Any]:
    """What a decision's changes keep of an event."""
    mapped = {} if event.mapped is None else {"mapped": list(event.mapped)}
    return {
        **mapped,
        "move": event.move,
        "level": event.level,
        "step": event.step,
        "enters": event.enters,
        "leader_line_id": event.leader_line_id,
        "leader_due_day": event.leader_due_day,
    }


def action_key(customer_id: int, policy_key: str, stand: Stand, channel: str, line_id: int = 0) -> str:
    """Names a step of an episode for ever: subject, policy's key, episode, step, repeat, channel.

    >>> action_key(7, "escalation", Stand(episode=2, step_key="standard-p4"), "email")
    '7/escalation/2/standard-p4/0/email'
    >>> action_key(7, "lines", Stand(episode=1, step_key="p4"), "email", line_id=12)
    'line-12/lines/1/p4/0/email'
    """
    subject = f"line-{line_id}" if line_id else str(customer_id)
    return f"{subject}/{policy_key}/{stand.episode}/{stand.step_key}/{stand.repeat_no}/{channel}"
