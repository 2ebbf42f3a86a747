"""Work on models that nobody waits for on a page: a command keeps the question, a worker does it, step by step.

Trainings that a person asks for, the month's re-fits and trainings, and comparisons with the champion.
A worker that dies leaves its work begun: the next one says of a person's that it broke off, and takes up
again, some times, what the workers asked for themselves.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import promotion, refitting
from engine.commands import Change, Command, CommandError, Conflict, Context, Invalid, register
from engine.editions import Unusable
from engine.outages import outage_of
from engine.payment_models import train_payment
from engine.shadow import entities_all, measure
from engine.tables import Alarm, ScoreModel, Training
from engine.training import Tell, Trained, train
from engine.versions import must_see_all
from ledger.canonical import canonical
from scoring.invoice_model import TASK as INVOICE_TASK
from scoring.labels import TASK

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

TASKS = (TASK, INVOICE_TASK)
TRIES_MAX = 3  # of what the workers asked for themselves
BROKEN = "broken off: its worker was stopped"
NOTE = "models"  # kind of an alarm
GRACE_DAYS_MAX = 30


@dataclass(frozen=True, kw_only=True)
class StartTraining(Command):
    """Ask the workers to train a model on everything that is decided by now; it becomes a challenger.

    Args:
        task: of which question.
        grace_days: of invoices: a payment up to so many days after the due date is not late.
    """

    task: str
    grace_days: int = 0


@register(StartTraining, permission="documents.propose", person_only=True)
def start_training(context: Context, command: StartTraining) -> Change:
    """Keep the question for the workers; of each task one training at a time."""
    must_see_all(context)  # it reads the ledgers of all entities
    if command.task not in TASKS:
        raise Invalid.because("task", f"{command.task!r} is none", f"one of {', '.join(TASKS)}")
    if not 0 <= command.grace_days <= GRACE_DAYS_MAX:
        raise Invalid.because("grace_days", "is out of range", f"0 to {GRACE_DAYS_MAX}")
    if open_of(command.task) is not None:
        raise Conflict("such a model is being trained already", {}, {"state": "training"})
    row = Training.create(
        key=f"asked/{command.key}",
        task=command.task,
        what="train",
        as_of_day=context.runtime.today(),
        grace_days=command.grace_days,
        asked_by=context.actor,
        asked_at=context.at,
    )
    return Change(
        subject_kind="training",
        subject_id=row.id,
        after={"task": command.task, "grace_days": command.grace_days},
        answer={"training": row.id, "task": command.task, "state": "asked"},
    )


def open_of(task: str) -> Training | None:
    """The training of a task that is not over yet."""
    found: Training | None = Training.get_or_none(
        Training.task == task, Training.what == "train", Training.finished_at.is_null()
    )
    return found


def latest_trainings(most: int = 6) -> list[Training]:
    """What the workers do and did last, unfinished work first."""
    return list(Training.select().order_by(Training.finished_at.is_null(False), Training.id.desc()).limit(most))


def is_waiting() -> bool:
    """Whether there is anything to do."""
    return bool(Training.select().where(Training.finished_at.is_null()).exists())


def work_off(runtime: "Runtime") -> int:
    """Do what was asked for, one process at a time; how many were finished."""
    if not is_waiting():
        return 0
    done = 0
    with runtime.database.alone("trainings", runtime.settings.var / "locks") as held:
        if held:
            _take_up(runtime)
        while held:
            row: Training | None = Training.select().where(Training.finished_at.is_null()).order_by(Training.id).first()
            if row is None:
                break
            _do(runtime, row)
            done += 1
    return done


def _take_up(runtime: "Runtime") -> None:
    """Whoever began what is not finished is no more: we hold the lock."""
    begun = Training.finished_at.is_null() & Training.started_at.is_null(False)
    again = begun & Training.asked_by.is_null() & (Training.tries < TRIES_MAX)
    Training.update(started_at=None).where(again).execute()
    Training.update(finished_at=runtime.now_at(), failed=BROKEN).where(begun).execute()


def _do(runtime: "Runtime", row: Training) -> None:
    Training.update(started_at=runtime.now_at(), tries=Training.tries + 1, step="", done=0, parts=0).where(
        Training.id == row.id
    ).execute()
    try:
        found = _WORK[str(row.what)](runtime, row, _teller(row))
        failed = "; ".join(f"{problem.what}: {problem.cure}" for problem in found.problems)
        model = found.model_id
    except (CommandError, Unusable) as error:
        failed, model = str(error), None
    except Exception as error:
        if outage_of(error) is not None:
            raise
        log.exception("training %s failed", row.id)
        failed, model = f"{type(error).__name__}; see the worker's log", None
    with runtime.database.atomic():
        Training.update(finished_at=runtime.now_at(), model=model or row.model_id, failed=failed).where(
            Training.id == row.id
        ).execute()
        _note(runtime, Training.get_by_id(row.id))


def _teller(row: Training) -> Tell:
    def tell(step: str, done: int, parts: int) -> None:
        told = {"step": step, "done": done, "parts": parts}
        if step == "rows":  # to learn from
            told = {"step": "learn", "done": 0, "parts": 0, "rows_read": done}
        Training.update(told).where(Training.id == row.id).execute()

    return tell


def _train(runtime: "Runtime", row: Training, tell: Tell) -> Trained:
    day, actor = int(row.as_of_day), row.asked_by_id
    if row.task == TASK:
        found = train(runtime, entities_all(), day, actor=actor, tell=tell)
    else:
        found = train_payment(runtime, entities_all(), day, actor=actor, grace_days=int(row.grace_days), tell=tell)
    return _measured(runtime, found, tell)


def _refit(runtime: "Runtime", row: Training, tell: Tell) -> Trained:
    champion = promotion.champion_of(str(row.task))
    if champion is None:
        return Trained(None, None, {})
    return _measured(runtime, refitting.refit(runtime, champion, int(row.as_of_day), tell=tell), tell)


def _measured(runtime: "Runtime", found: Trained, tell: Tell) -> Trained:
    if found.model_id is not None:
        measure_now(runtime, ScoreModel.get_by_id(found.model_id), tell)
    return found


def _measure(runtime: "Runtime", row: Training, tell: Tell) -> Trained:
    measure_now(runtime, row.model, tell)
    return Trained(str(row.model.sha256), row.model_id, {})


_WORK = {"train": _train, "refit": _refit, "measure": _measure}


def measure_now(runtime: "Runtime", row: ScoreModel, tell: Tell) -> None:
    """Measure a challenger beside the champion as of today and keep it, unless that was done."""
    champion, day = promotion.champion_of(str(row.task)), runtime.today()
    if champion is None or row.status != "challenger":
        return
    if promotion.is_fresh(promotion.measured_of(row), champion, day + promotion.FRESH_DAYS):
        return
    found = measure(runtime, row, champion, day, tell)
    runtime.execute(
        promotion.KeepMeasured(
            actor=None, reason="measured beside the champion", model=row.id, measured=canonical(found)
        )
    )


def _note(runtime: "Runtime", row: Training) -> None:
    """Tell the analysts, once, when the month's work on a question is over."""
    month, *rest = str(row.key).split("/")
    if len(rest) != 2 or rest[-1] not in refitting.MONTHLY:
        return
    rows = list(Training.select().where(Training.key.startswith(f"{month}/{row.task}/")).order_by(Training.id))
    if any(one.finished_at is None for one in rows):
        return
    told = "; ".join(
        f"{one.what}: {one.model.sha256[:8] if one.model_id and not one.failed else one.failed or 'nothing to do'}"
        for one in rows
    )
    Alarm.create(
        kind=NOTE,
        text=f"models of {month} for {row.task} are ready to compare; none was promoted ({told})",
        raised_at=runtime.now_at(),
    )
