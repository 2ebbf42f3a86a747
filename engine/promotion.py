"""Commands by which a model becomes the champion: measured beside it, proposed by one person, approved by another.

Exempt from measuring are an earlier champion, to which one goes back, and the first champion of a question, whose
card must not show it below the naive rival. Whoever approves may override what is not met, with a written reason
that the audit trail and the model's card keep.
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.tables import ScoreModel, Training
from engine.versions import must_see_all
from ledger.canonical import canonical
from scoring.loading import load_any
from scoring.shadow import AUC, ECE, FEW, LEAST_EACH, LOG_LOSS, RIVAL, UNTESTED, WORSE, failings, first_failings

if TYPE_CHECKING:
    from engine.runtime import Runtime

PROPOSABLE = ("challenger", "retired")
FRESH_DAYS = 1  # a comparison of yesterday still counts: an approval may come just after midnight
UNMEASURED = "unmeasured"
WORDS = {
    FEW: f"too few outcomes that neither has learned from ({LEAST_EACH} of each kind are needed): wait for more",
    AUC: "its lead in AUC over the champion is not above 0 with 95 % confidence: more history or other features",
    LOG_LOSS: "its gain in log loss over the champion is not above 0 with 95 % confidence: wait for more outcomes",
    ECE: "its chances lie further from what happened (ECE) than the champion's: re-fit it",
    WORSE: "it is worse than the champion with 95 % confidence",
    UNTESTED: "it was never tested on later outcomes: import more history, then train again",
    RIVAL: "it ranks below the naive rival with 95 % confidence",
    UNMEASURED: "it is not measured beside the champion as of today: the workers do that once it is proposed",
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """Whether a model may become the champion.

    Args:
        kind: ``back`` (an earlier champion), ``first`` or ``challenger``.
        failings: question and code of what is not met; none: it may.
        measured: of ``engine.shadow.measure``, as far as it is fresh; empty where nothing is measured.
    """

    kind: str
    failings: tuple[tuple[str, str], ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def are_met(self) -> bool:
        """Whether nothing stands against it."""
        return not self.failings

    def sentences(self) -> list[str]:
        """What is not met, and what would help."""
        told = []
        for question, code in self.failings:
            part = self.measured.get("questions", {}).get(question, {})
            told.append(": ".join(filter(None, (question, WORDS[code]))) + _figures(part, code))
        return told


def _figures(part: dict[str, Any], code: str) -> str:
    if code in {AUC, LOG_LOSS} and code in part:
        low, high = part[code]["interval"]
        return f" ({part[code]['lead']:+.4f}, {low:+.4f} to {high:+.4f}, n {part['n']}, {part['bad']} bad)"
    if code == ECE:
        ours, theirs = (part["measures"][side]["ece"] for side in ("challenger", "champion"))
        return f" ({ours:.3f} against {theirs:.3f}, n {part['n']})"
    return f" (n {part['n']}, {part['bad']} bad)" if part else ""


def champion_of(task: str) -> ScoreModel | None:
    """The model in force for a question."""
    found: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.task == task, ScoreModel.status == "champion")
    return found


def conditions_of(row: ScoreModel, day: int) -> Conditions:
    """Whether a model may become the champion, by what was measured.

    Args:
        day: today; an older comparison does not count.
    """
    champion = champion_of(str(row.task))
    if row.status == "retired":
        return Conditions("back")
    if champion is None:
        return Conditions("first", tuple(first_failings(json.loads(str(row.card)))))
    measured = measured_of(row)
    if not is_fresh(measured, champion, day):
        return Conditions("challenger", (("", UNMEASURED),))
    return Conditions("challenger", tuple(failings(measured["questions"], measured["by"])), measured)


def measured_of(row: ScoreModel) -> dict[str, Any]:
    """The last comparison of a model with a champion; empty when there is none."""
    found: dict[str, Any] = json.loads(str(row.measured)) if row.measured else {}
    return found


def is_fresh(measured: dict[str, Any], champion: ScoreModel, day: int) -> bool:
    """Whether a comparison is with this champion, and of today."""
    return bool(measured.get("champion") == champion.sha256 and measured["day"] >= day - FRESH_DAYS)


def ask_measures(runtime: "Runtime") -> int:
    """Ask the workers to measure each model that waits for a second person, once a day; how many were asked for."""
    day = runtime.today()
    waiting = ScoreModel.select().where(ScoreModel.proposed_by.is_null(False)).order_by(ScoreModel.id)
    return sum(ask_measure(row, day, runtime.now_at()) for row in waiting)


def ask_measure(row: ScoreModel, day: int, at: int) -> bool:
    """Ask the workers to measure a model beside the champion; whether that was not asked for already."""
    champion = champion_of(str(row.task))
    if champion is None or row.status != "challenger" or is_fresh(measured_of(row), champion, day + FRESH_DAYS):
        return False
    key = f"measure/{row.sha256[:16]}/{champion.sha256[:16]}/{day}"
    if Training.get_or_none(Training.key == key) is not None:
        return False
    asked = {"key": key, "task": row.task, "what": "measure", "model": row.id, "as_of_day": day, "asked_at": at}
    Training.insert(asked).on_conflict_ignore().execute()
    return True


# --- commands --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KeepMeasured(Command):
    """Keep how a model does beside the champion; the workers' own.

    Args:
        model: its row.
        measured: canonical JSON of ``engine.shadow.measure``.
    """

    model: int
    measured: str


@dataclass(frozen=True, kw_only=True)
class ProposeModel(Command):
    """Ask that a challenger, or an earlier champion, becomes the champion.

    Args:
        model: its row.
        sha256: its name, so that what was read is what is proposed.
    """

    model: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class WithdrawModel(Command):
    """Take back or turn down a proposal; the model stays where it is."""

    model: int


@dataclass(frozen=True, kw_only=True)
class PromoteModel(Command):
    """Make a registered model the champion: from the next run on its score is the score.

    Args:
        model: its row.
        sha256: its name, so that what was read is what is approved.
        override: why it becomes the champion although it does not meet the conditions; kept with it.
    """

    model: int
    sha256: str
    override: str = ""


@register(KeepMeasured, permission="documents.propose")
def keep_measured(context: Context, command: KeepMeasured) -> Change:
    """Write the comparison to the model's row."""
    if context.actor is not None:
        raise Refused("a comparison is measured, not entered")
    row = _model(command.model)
    ScoreModel.update(measured=command.measured).where(ScoreModel.id == row.id).execute()
    return Change(
        subject_kind="score_model", subject_id=row.id, after={"measured": json.loads(command.measured)["champion"]}
    )


@register(ProposeModel, permission="documents.propose", person_only=True)
def propose_model(context: Context, command: ProposeModel) -> Change:
    """Let it wait for another person; of each task one model waits at a time, the latest one proposed."""
    must_see_all(context)  # one model serves all entities
    row = _model(command.model)
    if row.sha256 != command.sha256 or row.status not in PROPOSABLE:
        raise Conflict(
            "the score model is not the one that was read, or is the champion by now",
            seen={"sha256": command.sha256},
            current={"sha256": row.sha256, "status": row.status},
        )
    _refuse_leak(row)
    waiting = ScoreModel.select().where(ScoreModel.task == row.task, ScoreModel.proposed_by.is_null(False))
    before = {"waiting": [one.sha256 for one in waiting.order_by(ScoreModel.id)]}
    ScoreModel.update(proposed_by=None, proposed_at=None).where(ScoreModel.task == row.task).execute()
    ScoreModel.update(proposed_by=context.actor, proposed_at=context.at).where(ScoreModel.id == row.id).execute()
    ask_measure(row, context.runtime.today(), context.at)
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        before=before,
        after={"waiting": [row.sha256]},
        answer={"model": row.id, "sha256": row.sha256, "state": "proposed"},
    )


def _refuse_leak(row: ScoreModel) -> None:
    if json.loads(str(row.card))["leak_alarm"]:
        raise Invalid.because("model", "ranks too well to be true: a feature sees the future", "find the leak first")


def _refuse_unusable(row: ScoreModel) -> None:
    _loaded, refused = load_any(str(row.body), str(row.sha256))
    if refused:
        raise Invalid.because("model", "; ".join(refused), "train the model again")


@register(WithdrawModel, permission="documents.propose", person_only=True)
def withdraw_model(context: Context, command: WithdrawModel) -> Change:
    """Nobody waits for a second person any more."""
    must_see_all(context)
    row = _model(command.model)
    if row.proposed_by_id is None:
        raise Conflict("nobody proposes the score model any more", current={"status": row.status})
    ScoreModel.update(proposed_by=None, proposed_at=None).where(ScoreModel.id == row.id).execute()
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        before={"waiting": [row.sha256]},
        after={"waiting": []},
        answer={"model": row.id, "sha256": row.sha256, "status": row.status},
    )


@register(PromoteModel, permission="documents.approve", person_only=True)
def promote_model(context: Context, command: PromoteModel) -> Change:
    """Retire the champion and put the model in its place; neither who proposed nor who trained it may.

    Whoever trained a challenger proposes it by that. One that the system trained, and an earlier champion, need
    somebody to propose them: else one person alone would choose.
    """
    must_see_all(context)  # one model serves all entities
    row = _model(command.model)
    if row.sha256 != command.sha256 or row.status not in PROPOSABLE:
        raise Conflict(
            "the score model is not the one that was read, or is no challenger any more",
            seen={"sha256": command.sha256, "status": "challenger"},
            current={"sha256": row.sha256, "status": row.status},
        )
    trainer = None if row.status == "retired" else row.trained_by_id
    if row.proposed_by_id is None and trainer is None:
        raise Conflict("nobody has proposed the score model", current={"status": row.status})
    if context.actor is not None and context.actor.id in {row.trained_by_id, row.proposed_by_id}:
        raise Refused("who trained or proposed a model cannot approve it")
    _refuse_leak(row)
    _refuse_unusable(row)
    conditions = conditions_of(row, context.runtime.today())
    override = command.override.strip()
    if not conditions.are_met and not override:
        raise Invalid.because(
            "override",
            "the model does not meet the conditions: " + "; ".join(conditions.sentences()),
            "wait, or say in `override` why it becomes the champion all the same; that is kept with it",
        )
    kept = {
        "kind": conditions.kind,
        "failings": [list(one) for one in conditions.failings],
        "measured": conditions.measured,
        "override": "" if conditions.are_met else override,
    }
    champion = champion_of(str(row.task))
    if champion is not None:
        ScoreModel.update(status="retired").where(ScoreModel.id == champion.id).execute()
    ScoreModel.update(
        status="champion",
        approved_by=context.actor,
        approved_at=context.at,
        proposed_by=None,
        proposed_at=None,
        promoted=canonical(kept),
    ).where(ScoreModel.id == row.id).execute()
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        before={"champion": None if champion is None else champion.sha256},
        after={"champion": row.sha256, "failings": kept["failings"], "override": kept["override"]},
        answer={"model": row.id, "sha256": row.sha256, "status": "champion"},
    )


def _model(number: int) -> ScoreModel:
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.id == number)
    if row is None:
        raise NotFound(f"no score model {number}")
    return row
