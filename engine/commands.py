"""Commands: the only way a person changes anything.

permission -> answer of an earlier call with the same key -> change -> audit entry -> dirty
customers -> commit -> ring. All of it is one transaction; the bell rings after the commit.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from peewee import Model

from engine import access, audit
from engine.tables import CommandRecord, Customer, DirtyCustomer, Entity, User
from ledger.canonical import canonical, sha256_of
from ledger.problems import Hindrance, Problem

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

KEY_LENGTH_MAX = 255
REASON_LENGTH_MAX = 2_000
BATCH = 500


class CommandError(Hindrance):
    """A command that was not carried out; nothing was changed."""

    status = 400


class Refused(CommandError):
    """The actor may not do this (403)."""

    status = 403


class NotFound(CommandError):
    """There is no such thing, or the actor may not see it (404): the two look alike on purpose."""

    status = 404


class Conflict(CommandError):
    """Somebody else was faster (409). Carries both values so that they can be shown side by side."""

    status = 409

    def __init__(self, message: str, seen: Mapping[str, Any] | None = None, current: Mapping[str, Any] | None = None):
        super().__init__(message)
        self.seen = dict(seen or {})
        self.current = dict(current or {})


class Invalid(CommandError):
    """What was asked makes no sense as it stands (422); the problems say what to do."""

    status = 422

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.place}: {p.what}" for p in self.problems))

    @classmethod
    def because(cls, place: str, what: str, cure: str) -> "Invalid":
        """One problem, in one line."""
        return cls([Problem(place=place, what=what, cure=cure)])


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command carries.

    Args:
        actor: id of the user, None for the system.
        reason: why, in the actor's words; kept in the audit trail.
        key: idempotency key; the same key with the same body gets the same answer.
    """

    actor: int | None
    reason: str
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a command's function did, for the audit entry and the caller.

    Args:
        subject_kind, subject_id: what was changed.
        before, after: plain values without personal data.
        answer: JSON-able, given back to the caller and kept for a repeat.
        dirty: ids of customers that must be decided again.
        entity_id: whose it is, where it is one entity's.
    """

    subject_kind: str
    subject_id: object
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    dirty: Iterable[int] = ()
    entity_id: int | None = None


@dataclass(frozen=True)
class Context:
    """What a command's function works with."""

    runtime: "Runtime"
    at: int
    actor: User | None

    def customer(self, customer_id: int) -> Customer:
        """A customer the actor may see.

        Raises:
            NotFound: there is none, or it is not theirs to see.
        """
        query = Customer.select().where(Customer.id == customer_id)
        found: Customer | None = (query if self.actor is None else access.visible_to(self.actor, query)).first()
        if found is None:
            raise NotFound(f"no customer {customer_id}")
        return found

    def entity(self, entity: int | str, whole: bool = True) -> Entity:
        """An entity by id or code that the actor may see.

        Args:
            whole: the actor must see all of it, not one portfolio only.
        """
        condition = Entity.id == entity if isinstance(entity, int) else Entity.code == entity
        found: Entity | None = Entity.get_or_none(condition)
        if found is None or not self._may_see(found.id, whole):
            raise NotFound(f"no entity {entity}")
        return found

    def any_entity(self, code: str) -> Entity:
        """An entity by code whoever asks: who manages users need not see customers.

        Raises:
            NotFound: there is none.
        """
        found: Entity | None = Entity.get_or_none(Entity.code == code)
        if found is None:
            raise NotFound(f"no entity {code}")
        return found

    def _may_see(self, entity_id: int, whole: bool) -> bool:
        if self.actor is None:
            return True
        if whole:
            return access.sees_whole_entity(self.actor, entity_id)
        return entity_id in access.visible_entities(self.actor)

    def today(self, entity: Entity) -> int:
        """The day it is at an entity."""
        return self.runtime.today(entity)


@dataclass(frozen=True)
class Registered:
    """A command as it is known to the console, the API and the tests."""

    command: type[Command]
    permission: str
    function: Callable[[Context, Any], Change]
    person_only: bool


COMMANDS: dict[str, Registered] = {}

C = TypeVar("C", bound=Command)


def register(
    command: type[C], *, permission: str, person_only: bool = False
) -> Callable[[Callable[[Context, C], Change]], Callable[[Context, C], Change]]:
    """Make a function the one that carries out a command.

    Args:
        command: its dataclass; the name of the class is the name of the command.
        permission: what the actor must hold, a key of ``access.PERMISSIONS``.
        person_only: whether the system itself (actor None) is refused, as for every approval.

    Raises:
        ValueError: the permission does not exist or the command is registered already.
    """
    if permission not in access.PERMISSIONS:
        raise ValueError(f"{permission!r} is not a permission of engine.access")
    if command.__name__ in COMMANDS:
        raise ValueError(f"{command.__name__} is registered twice")

    def keep(function: Callable[[Context, C], Change]) -> Callable[[Context, C], Change]:
        COMMANDS[command.__name__] = Registered(command, permission, function, person_only)
        return function

    return keep


def execute(runtime: "Runtime", command: Command) -> dict[str, Any]:
    """Carry out a command.

    Returns:
        Its answer; for a repeated key the answer of the first time.

    Raises:
        Refused, NotFound, Conflict, Invalid: nothing was changed.
    """
    name = type(command).__name__
    known = COMMANDS.get(name)
    if known is None:
        raise ValueError(f"{name} is not a registered command")
    _check_shape(command)
    with runtime.database.atomic():
        actor = _permitted(known, command)
        body = _body_sha256(command)
        record: CommandRecord | None = CommandRecord.get_or_none(CommandRecord.key == command.key)
        if record is not None:
            if record.name != name or record.body_sha256 != body:
                raise Invalid.because("key", "was used before with another body", "send a new key")
            return dict(json.loads(record.answer))
        at = runtime.now_at()
        answer = dict(_carried_out(known, Context(runtime, at, actor), command).answer)
        CommandRecord.create(key=command.key, name=name, body_sha256=body, answer=canonical(answer), at=at)
        runtime.database.after_commit(runtime.ring)
    return answer


def carry_out(context: Context, command: Command) -> Change:
    """Carry out another command within the one under way: one transaction, its own permission and audit entry.

    Raises:
        Refused, NotFound, Conflict, Invalid: nothing was changed, by neither command.
    """
    _check_shape(command)
    known = COMMANDS[type(command).__name__]
    _permitted(known, command)
    return _carried_out(known, context, command)


def _carried_out(known: Registered, context: Context, command: Command) -> Change:
    change = known.function(context, command)
    audit.append(
        at=context.at,
        actor=command.actor,
        command=known.command.__name__,
        subject_kind=change.subject_kind,
        subject_id=change.subject_id,
        reason=command.reason,
        entity_id=change.entity_id,
        before=change.before,
        after=change.after,
    )
    mark_dirty(change.dirty, context.at)
    return change


def mark_dirty(customer_ids: Iterable[int], at: int) -> None:
    """Note customers that must be decided again; inside the caller's transaction."""
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), BATCH):
        chunk = wanted[start : start + BATCH]
        rows = Customer.select(Customer.id, Customer.entity).where(Customer.id.in_(chunk)).tuples()
        noted = [{"customer": customer, "entity_id": entity, "since_at": at} for customer, entity in rows]
        if noted:
            # A newer mark replaces the older: a drain removes only marks as old as what it has read.
            DirtyCustomer.insert_many(noted).on_conflict(
                conflict_target=[DirtyCustomer.customer], preserve=[DirtyCustomer.entity_id, DirtyCustomer.since_at]
            ).execute()


def expect_version(row: Model, version: int | None, seen: Mapping[str, Any] | None = None) -> None:
    """Refuse a change made on the ground of an older state.

    Args:
        row: as it is now; has a ``version``.
        version: what the actor saw; None leaves the check out (commands of the system).
        seen: the values the actor wanted to write, shown beside the current ones.

    Raises:
        Conflict: the row has changed since.
    """
    current = getattr(row, "version")  # noqa: B009
    if version is not None and version != current:
        values = {k: v for k, v in row.__data__.items() if isinstance(v, str | int | bool | None)}
        raise Conflict(
            f"{type(row).__name__} {row.get_id()} was changed by somebody else",
            seen={"version": version, **(seen or {})},
            current=values,
        )


def update_version(row: Model, **changes: Any) -> None:
    """Write changes to a versioned row and raise its version, or find out that we were too late.

    Raises:
        Conflict: another transaction changed the row in between.
    """
    model = type(row)
    version: int = getattr(row, "version")  # noqa: B009
    key = model._meta.primary_key
    written = (
        model.update(**changes, version=version + 1).where(key == row.get_id(), model.version == version).execute()
    )
    if written != 1:
        raise Conflict(f"{model.__name__} {row.get_id()} was changed by somebody else")
    for name, value in {**changes, "version": version + 1}.items():
        setattr(row, name, value)


def _check_shape(command: Command) -> None:
    problems = []
    if not 0 < len(command.key) <= KEY_LENGTH_MAX:
        problems.append(
            Problem(place="key", what=f"must have 1 to {KEY_LENGTH_MAX} characters", cure="send a shorter key")
        )
    if not command.reason.strip():
        problems.append(Problem(place="reason", what="is empty", cure="say why, in a few words"))
    elif len(command.reason) > REASON_LENGTH_MAX:
        problems.append(
            Problem(place="reason", what=f"is longer than {REASON_LENGTH_MAX} characters", cure="shorten it")
        )
    if problems:
        raise Invalid(problems)


def _permitted(known: Registered, command: Command) -> User | None:
    name = known.command.__name__
    if command.actor is None:
        if known.person_only:
            raise Refused(f"{name} takes a person")
        return None
    actor: User | None = User.get_or_none(User.id == command.actor)
    if actor is None or known.permission not in access.permissions_of(actor):
        # Kept in the log, not in the chain: refusals must not let a stranger make the chain grow.
        log.warning("refused: command %s, actor %s, lacks %s", name, command.actor, known.permission)
        raise Refused(f"{name} needs the permission {known.permission}")
    return actor


def _body_sha256(command: Command) -> str:
    body: dict[str, Any] = {"": type(command).__name__}
    for part in fields(command):
        if part.name == "key":
            continue
        value = getattr(command, part.name)
        body[part.name] = hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
    return sha256_of(body)
