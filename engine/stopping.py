"""Stopping one policy: one person, at once; that it goes on takes two.

While a policy is stopped everybody keeps what stood before in its stage, no step begins, and its
messages that nobody has claimed wait. The edition of each decision says what was stopped, so that
a replay comes out the same.
"""

import json
from dataclasses import dataclass
from typing import Any

from engine.commands import Change, Command, Conflict, Context, Invalid, Refused, register, update_version
from engine.tables import Action, Document, Edition, Entity, PolicyStop, Run
from engine.versions import must_see_all
from rules.escalation import Wait

STOPPED = Wait.STOPPED.value


@dataclass(frozen=True, kw_only=True)
class StopPolicy(Command):
    """Stop one policy at once.

    Args:
        policy: its key.
        entity: code of the entity it is stopped for; None: for all.
    """

    policy: str
    entity: str | None = None


@register(StopPolicy, permission="policies.stop", person_only=True)
def stop_policy(context: Context, command: StopPolicy) -> Change:
    """Its stage changes nothing from now on, and what it has not sent yet waits."""
    entity = _scope(context, command.entity)
    row = _approved(command.policy, entity)
    if stop_of(command.policy, entity) is not None:
        raise Conflict(f"the policy {command.policy} is stopped already")
    stop = PolicyStop.create(
        policy_key=command.policy,
        stage=row.stage,
        entity=entity,
        reason=command.reason,
        stopped_by=context.actor,
        stopped_at=context.at,
    )
    held = _held(command.policy, entity) & (Action.state == "due")
    _set_aside_gated(context, command.policy, entity)
    waiting = Action.update(waiting_for=STOPPED, version=Action.version + 1).where(held).execute()
    return Change(
        subject_kind="policy",
        subject_id=command.policy,
        before={"stopped": False},
        after={"stopped": True, "entity": command.entity, "messages_waiting": waiting},
        answer={"stop": stop.id, "messages_waiting": waiting},
        entity_id=None if entity is None else entity.id,
    )


@dataclass(frozen=True, kw_only=True)
class ProposeResume(Command):
    """Ask another person to let a stopped policy go on; whoever stopped it may ask."""

    policy: str
    entity: str | None = None


@register(ProposeResume, permission="policies.stop", person_only=True)
def propose_resume(context: Context, command: ProposeResume) -> Change:
    """It stays stopped until another person approves; asking again replaces the older request."""
    stop = _stop(context, command.policy, command.entity)
    update_version(stop, resume_reason=command.reason, resume_by=context.actor, resume_at=context.at)
    return _changed(stop, {"resume": None}, {"resume": "proposed"})


@dataclass(frozen=True, kw_only=True)
class ApproveResume(Command):
    """Let a stopped policy go on, as a second person."""

    policy: str
    entity: str | None = None


@register(ApproveResume, permission="policies.approve", person_only=True)
def approve_resume(context: Context, command: ApproveResume) -> Change:
    """The next run decides with it again; its messages are decided again before they leave."""
    stop = _stop(context, command.policy, command.entity)
    if stop.resume_by_id is None:
        raise Conflict(f"nobody has proposed that the policy {command.policy} goes on")
    if context.actor is None or stop.resume_by_id == context.actor.id:
        raise Refused("nobody approves their own proposal")
    update_version(stop, approved_by=context.actor, over_at=context.at)
    held = _held(command.policy, stop.entity) & (Action.state == "due") & (Action.waiting_for == STOPPED)
    Action.update(waiting_for=None, not_before_at=0, version=Action.version + 1).where(held).execute()
    return _changed(stop, {"stopped": True, "resume": "proposed"}, {"stopped": False})


def stop_of(policy: str, entity: Entity | None) -> PolicyStop | None:
    """The stop in force of exactly this scope, if there is one."""
    scope = PolicyStop.entity.is_null() if entity is None else PolicyStop.entity == entity
    found: PolicyStop | None = PolicyStop.get_or_none(
        PolicyStop.policy_key == policy, scope, PolicyStop.over_at.is_null()
    )
    return found


def stops_in_force(entities: frozenset[int]) -> list[PolicyStop]:
    """What is stopped now for all, or for some entities; the oldest first."""
    scope = PolicyStop.entity.is_null() | PolicyStop.entity.in_(entities)
    return list(PolicyStop.select().where(PolicyStop.over_at.is_null(), scope).order_by(PolicyStop.id))


def _scope(context: Context, code: str | None) -> Entity | None:
    if code is None:
        must_see_all(context)
        return None
    return context.entity(code)


def _approved(policy: str, entity: Entity | None) -> Document:
    """An approved version of the policy, whether it decides already or from a later day on."""
    found = Document.select().where(
        Document.kind == "policy", Document.key == policy, Document.status.in_(("approved", "live"))
    )
    if entity is not None:
        found = found.where(Document.entity.is_null() | (Document.entity == entity))
    row: Document | None = found.order_by(Document.id.desc()).first()
    if row is None:
        raise Invalid.because("policy", f"{policy} is not in force", "name a policy that decides")
    return row


def _stop(context: Context, policy: str, code: str | None) -> PolicyStop:
    found = stop_of(policy, _scope(context, code))
    if found is None:
        raise Conflict(f"the policy {policy} is not stopped")
    return found


def _set_aside_gated(context: Context, policy: str, entity: Entity | None) -> None:
    """A run that waits for approval was decided with the policy: the next call decides its day again, without."""
    waiting = (Run.state == "gated") if entity is None else (Run.state == "gated") & (Run.entity == entity)
    for run in Run.select().where(waiting):
        edition = json.loads(Edition.get(Edition.sha256 == run.edition).body)
        decided_with = Document.sha256.in_(list(edition["policies"].values()))
        if Document.select().where(decided_with, Document.key == policy).exists():
            update_version(run, state="superseded", finished_at=context.at)


def _held(policy: str, entity: Entity | None) -> Any:
    """The policy's messages; those of an entity with a stop of its own stay with that."""
    mine = Action.policy_key == policy
    if entity is not None:
        return mine & (Action.entity_id == entity.id)
    own = PolicyStop.select(PolicyStop.entity).where(
        PolicyStop.policy_key == policy, PolicyStop.over_at.is_null(), PolicyStop.entity.is_null(False)
    )
    return mine & Action.entity_id.not_in(own)


def _changed(stop: PolicyStop, before: dict[str, Any], after: dict[str, Any]) -> Change:
    return Change(
        subject_kind="policy",
        subject_id=stop.policy_key,
        before=before,
        after={**after, "entity": None if stop.entity is None else stop.entity.code},
        answer={"stop": stop.id, "state": "running" if stop.over_at is not None else "stopped"},
        entity_id=stop.entity_id,
    )
