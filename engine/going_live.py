"""Going live: the commands by which an entity starts and stops sending, and a gated run goes on.

Before go-live nothing contacts anybody. Starting takes two people, who see what each step would
send; stopping takes one person and one click.
"""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    Refused,
    execute,
    register,
    update_version,
)
from engine.decisions import Applying, Verdict, write
from engine.differences import columns_to_apply, with_differences
from engine.editions import keep
from engine.first_messages import First, counted, decided_as_if_live, first_messages
from engine.pipeline import Asking, Frame, last_portfolio_run
from engine.tables import Entity, GoLive, Run
from ledger.canonical import canonical
from rules import reference
from rules.starting import stand_by_age

if TYPE_CHECKING:
    from engine.runtime import Runtime

START_LEVELS = ("zero", "ageing")
DAILY_CAP_MAX = 100_000
BATCH = 2_000


@dataclass(frozen=True, kw_only=True)
class ProposeGoLive(Command):
    """Ask another person to let an entity send.

    Args:
        entity: its code.
        start_level: zero: everybody begins with the first step; ageing: everybody is taken to
            stand where their oldest item would be, and only what comes after is sent.
        daily_cap: messages a collector a day.
    """

    entity: str
    start_level: str = "zero"
    daily_cap: int = 50


@register(ProposeGoLive, permission="golive.propose", person_only=True)
def propose_go_live(context: Context, command: ProposeGoLive) -> Change:
    """Note the proposal with what each step would send; an older proposal is replaced."""
    entity = context.entity(command.entity)
    if command.start_level not in START_LEVELS:
        raise Invalid.because("start_level", f"is {command.start_level!r}", f"choose {' or '.join(START_LEVELS)}")
    if not 0 < command.daily_cap <= DAILY_CAP_MAX:
        raise Invalid.because("daily_cap", "is out of range", f"give 1 to {DAILY_CAP_MAX}")
    if entity.adopted_day is None:
        raise Invalid.because("entity", "was not adopted yet", "run it once: the first run contacts nobody")
    if entity.sending:
        raise Conflict(f"{entity.code} sends already", current={"live_from_day": entity.live_from_day})
    preview = first_messages(context.runtime, entity, command.start_level)
    GoLive.update(state="replaced").where(GoLive.entity == entity, GoLive.state == "proposed").execute()
    proposal = GoLive.create(
        entity=entity,
        start_level=command.start_level,
        daily_cap=command.daily_cap,
        preview=canonical({"rows": [asdict(row) for row in preview]}),
        state="proposed",
        proposed_by=context.actor,
        proposed_at=context.at,
    )
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        after={"go_live": proposal.id, "start_level": command.start_level, "daily_cap": command.daily_cap},
        answer={"state": "proposed", "go_live": proposal.id, "would_send": counted(preview)},
        entity_id=entity.id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveGoLive(Command):
    """Let an entity send, as a second person."""

    entity: str


@register(ApproveGoLive, permission="golive.approve", person_only=True)
def approve_go_live(context: Context, command: ApproveGoLive) -> Change:
    """From the last decided day on, steps may begin; the next run creates the first actions."""
    entity = context.entity(command.entity)
    proposal: GoLive | None = GoLive.get_or_none(GoLive.entity == entity, GoLive.state == "proposed")
    if proposal is None:
        raise Conflict(f"nobody has proposed that {entity.code} goes live")
    if context.actor is None or proposal.proposed_by_id == context.actor.id:
        raise Refused("nobody approves their own proposal")
    last = last_portfolio_run(entity)
    if last is None:
        raise Conflict(f"{entity.code} was not adopted yet")
    GoLive.update(state="approved", approved_by=context.actor, approved_at=context.at).where(
        GoLive.id == proposal.id
    ).execute()
    if proposal.start_level == "ageing":
        _start_by_ageing(context.runtime, entity, context.at)
    before = {"sending": entity.sending, "live_from_day": entity.live_from_day}
    after = {
        "sending": True,
        "live_from_day": last.as_of_day,
        "live_after_run": last.id,
        "daily_cap": proposal.daily_cap,
    }
    update_version(entity, **after)
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before=before,
        after={**after, "start_level": proposal.start_level},
        answer={"state": "live", "go_live": proposal.id, "live_from_day": last.as_of_day},
        entity_id=entity.id,
    )


@dataclass(frozen=True, kw_only=True)
class StopSending(Command):
    """Stop everything an entity sends, at once."""

    entity: str


@register(StopSending, permission="sending.stop", person_only=True)
def stop_sending(context: Context, command: StopSending) -> Change:
    """Nothing is claimed any more and no step begins; starting again takes two people."""
    entity = context.entity(command.entity, whole=False)
    before = {"sending": entity.sending}
    GoLive.update(state="replaced").where(GoLive.entity == entity, GoLive.state == "proposed").execute()
    if entity.sending:
        update_version(entity, sending=False)
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before=before,
        after={"sending": False},
        answer={"state": "stopped"},
        entity_id=entity.id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveRun(Command):
    """Let a run go on that would change more customers than the entity's share."""

    run: int


@register(ApproveRun, permission="runs.approve", person_only=True)
def approve_run(context: Context, command: ApproveRun) -> Change:
    """The workers confirm and write it; so does the next call for its day."""
    run: Run | None = Run.get_or_none(Run.id == command.run)
    if run is None:
        raise NotFound(f"no run {command.run}")
    context.entity(run.entity_id)
    if run.state != "gated":
        raise Conflict(f"run {run.id} is {run.state}, it waits for nobody", current={"state": run.state})
    update_version(run, state="confirming", approved_by=context.actor)
    return Change(
        subject_kind="run",
        subject_id=run.id,
        before={"state": "gated"},
        after={"state": "confirming", "changed": run.changed, "customers": run.customers},
        answer={"run": run.id, "state": "confirming"},
        entity_id=run.entity_id,
    )


def go_live(
    runtime: "Runtime", entity: Entity, *, actor: int | None, daily_cap: int = 50, start_level: str = "zero"
) -> dict[str, Any]:
    """Propose that an entity goes live, or approve what another person has proposed."""
    proposal = GoLive.get_or_none(GoLive.entity == entity, GoLive.state == "proposed")
    if proposal is None or proposal.proposed_by_id == actor:
        proposing = ProposeGoLive(
            actor=actor, reason="go live", entity=entity.code, start_level=start_level, daily_cap=daily_cap
        )
        return execute(runtime, proposing)
    return execute(runtime, ApproveGoLive(actor=actor, reason="go live", entity=entity.code))


def _start_by_ageing(runtime: "Runtime", entity: Entity, at: int) -> None:
    """Put every open episode at the level its oldest item deserves, without an action.

    The decisions of a run of kind ``event`` say so, so that standings stay a fold of decisions; the run
    carries a mark, so that they replay.
    """
    run: Run | None = None
    started = 0
    for ask, decided in decided_as_if_live(runtime, entity, begins=False):
        stage = ask.edition.book.stages.get("escalation")
        if stage is None or stage.plan is None:
            continue
        if run is None:
            keep(ask.edition)
            run = _run_of_start(ask, at)
        applying = Applying(runtime, run, ask.edition, False, at)
        for batch in frames.batches(_open_at_zero(decided, ask), BATCH):
            found = [verdict for row in batch if (verdict := _started(row, ask)) is not None]
            started += write(applying, found)
    if run is not None:
        Run.update(state="done", customers=started, changed=started, finished_at=at).where(Run.id == run.id).execute()


def _run_of_start(ask: Asking, at: int) -> Run:
    decided_with = "policy_key" if ask.edition.book.subject == "customer" else "line_policy_key"
    run: Run = Run.create(
        entity=ask.entity,
        as_of_day=ask.as_of_day,
        kind="event",
        state="confirming",
        acts=False,
        starts_by_age=True,
        edition=ask.edition.sha256,
        started_at=at,
        **{decided_with: ask.edition.policy_key},
    )
    return run


def _open_at_zero(decided: Frame, ask: Asking) -> Frame:
    rows = with_differences(decided, ask.edition.book, ask.as_of_day, ask.begins)
    wanted = columns_to_apply(tuple(rows.collect_schema().names()), ask.edition.book)
    level = nw.col("level") == nw.lit(0, dtype=nw.Int64)
    return rows.filter(nw.col("episode_open") & level & (nw.col("leader_days_past_due") > 0)).select(wanted)


def _started(row: dict[str, Any], ask: Asking) -> Verdict | None:
    """The verdict that a customer stands at the highest step whose day has come."""
    decided = reference.decide(row, ask.edition.book)
    if not stand_by_age(decided, ask.edition.book.stages["escalation"].plan):
        return None
    return Verdict(row, decided, "reference")


def preview_of(proposal: GoLive) -> list[First]:
    """What each step would have sent when a go-live was proposed."""
    return [First(**row) for row in json.loads(proposal.preview)["rows"]]
