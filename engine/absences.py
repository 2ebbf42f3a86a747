"""Absences: whose work appears with whom, and when it goes back.

Nothing moves: work keeps its owner, and a list asks on its day for whom somebody stands in. So an
absence that is over, or taken back, gives everything back by itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    Refused,
    expect_version,
    register,
    update_version,
)
from engine.tables import Absence, User, UserScope

if TYPE_CHECKING:
    from collections.abc import Iterable

ABSENCE_DAYS_MAX = 366
CHAIN_MAX = 5  # stand-ins of stand-ins that are followed


@dataclass(frozen=True, kw_only=True)
class SetAbsence(Command):
    """Say that somebody is away, and who does their work meanwhile.

    Args:
        user: who is away; others than oneself take the permission ``work.assign``.
        stand_in: who does their work.
        from_day, until_day: half-open.
    """

    user: int
    stand_in: int
    from_day: int
    until_day: int


@register(SetAbsence, permission="actions.work", person_only=True)
def set_absence(context: Context, command: SetAbsence) -> Change:
    """Note it; two absences of one person do not overlap."""
    user, stand_in = _allowed(context, command.user), _user(command.stand_in)
    if user.id == stand_in.id:
        raise Invalid.because("stand_in", "is the one who is away", "choose somebody else")
    _check_takes_over(stand_in, user)
    if not command.from_day < command.until_day <= command.from_day + ABSENCE_DAYS_MAX:
        raise Invalid.because("until_day", "is not after the first day", f"give a day within {ABSENCE_DAYS_MAX} days")
    if command.until_day <= context.runtime.today():
        raise Invalid.because("until_day", "is over already", "give a later day")
    overlapping = Absence.select().where(
        Absence.user == user,
        Absence.ended_at.is_null(),
        Absence.from_day < command.until_day,
        Absence.until_day > command.from_day,
    )
    if overlapping.exists():
        raise Conflict(f"{user.name} is away on some of these days already: end that absence first")
    made = Absence.create(
        user=user,
        stand_in=stand_in,
        from_day=command.from_day,
        until_day=command.until_day,
        by=context.actor,
    )
    after = {"user": user.id, "stand_in": stand_in.id, "from_day": command.from_day, "until_day": command.until_day}
    return Change(subject_kind="absence", subject_id=made.id, after=after, answer={"absence": made.id})


@dataclass(frozen=True, kw_only=True)
class EndAbsence(Command):
    """Take an absence back, or end it early: everything is with its owner again at once."""

    absence: int
    version: int | None = None


@register(EndAbsence, permission="actions.work", person_only=True)
def end_absence(context: Context, command: EndAbsence) -> Change:
    """End it, once."""
    row: Absence | None = Absence.get_or_none(Absence.id == command.absence)
    if row is None:
        raise NotFound(f"no absence {command.absence}")
    _allowed(context, row.user_id)
    expect_version(row, command.version)
    if row.ended_at is not None:
        raise Conflict(f"absence {row.id} has ended already")
    update_version(row, ended_at=context.at)
    return Change(subject_kind="absence", subject_id=row.id, after={"ended": True}, answer={"absence": row.id})


@dataclass(frozen=True, kw_only=True)
class SetStandIn(Command):
    """Say who gets what somebody leaves undone too long, also while they are here.

    Args:
        stand_in: None: nobody.
    """

    user: int
    stand_in: int | None


@register(SetStandIn, permission="actions.work", person_only=True)
def set_stand_in(context: Context, command: SetStandIn) -> Change:
    """Keep it beside the user."""
    user = _allowed(context, command.user)
    stand_in = None if command.stand_in is None else _user(command.stand_in)
    if stand_in is not None and stand_in.id == user.id:
        raise Invalid.because("stand_in", "is the same person", "choose somebody else, or nobody")
    if stand_in is not None:
        _check_takes_over(stand_in, user)
    before = {"stand_in": user.stand_in_id}
    update_version(user, stand_in=stand_in)
    after = {"stand_in": None if stand_in is None else stand_in.id}
    return Change(subject_kind="user", subject_id=user.id, before=before, after=after, answer={"user": user.id})


def _allowed(context: Context, user_id: int) -> User:
    from engine import access

    if context.actor is None:
        raise Refused("takes a person")
    if context.actor.id != user_id and "work.assign" not in access.permissions_of(context.actor):
        raise Refused("somebody else's absence takes the permission work.assign")
    return _user(user_id)


def _check_takes_over(stand_in: User, user: User) -> None:
    """Refuse a stand-in who may not work, or before whom some of the work would not appear."""
    from engine import access

    if "actions.work" not in access.permissions_of(stand_in):
        raise Invalid.because("stand_in", "may not do calls and tasks", "choose a collector or a credit manager")
    scopes = set(UserScope.select(UserScope.entity, UserScope.portfolio).where(UserScope.user == stand_in).tuples())
    for entity, portfolio in (
        UserScope.select(UserScope.entity, UserScope.portfolio).where(UserScope.user == user).tuples()
    ):
        if (entity, None) not in scopes and (entity, portfolio) not in scopes:
            what = f"does not see all customers of {user.name}, whose work would be lost to sight"
            raise Invalid.because("stand_in", what, "choose somebody who sees them, or have the scope given")


def _user(user_id: int) -> User:
    found: User | None = User.get_or_none(User.id == user_id, User.active == True)  # noqa: E712
    if found is None:
        raise NotFound(f"no user {user_id}")
    return found


# --- who stands in for whom ------------------------------------------------------------


def absences_on(day: int) -> dict[int, Absence]:
    """The absences in force on a day, by who is away."""
    rows = Absence.select().where(Absence.from_day <= day, Absence.until_day > day, Absence.ended_at.is_null())
    return {row.user_id: row for row in rows.order_by(Absence.id)}


def done_by(user: int, away: dict[int, int]) -> int:
    """Who does somebody's work: themselves, or the first stand-in down the line who is here.

    >>> done_by(1, {1: 2, 2: 3}), done_by(1, {}), done_by(1, {1: 2, 2: 1})
    (3, 1, 1)

    Args:
        away: stand-in by who is away.
    """
    found, met = user, {user}
    for _ in range(CHAIN_MAX):
        if found not in away:
            return found
        found = away[found]
        if found in met:
            return user  # all of them are away: it stays where it is
        met.add(found)
    return user


def represented_by(user: int, day: int) -> list[int]:
    """Whose work is a user's on a day because they are away; not their own."""
    away = {absent: row.stand_in_id for absent, row in absences_on(day).items()}
    return sorted(absent for absent in away if absent != user and done_by(absent, away) == user)


def backed_up_by(users: "Iterable[int]") -> list[int]:
    """Whose work, left undone too long, comes to some users."""
    rows = User.select(User.id).where(User.stand_in.in_(list(users)), User.active == True)  # noqa: E712
    return sorted(user for (user,) in rows.tuples())
