"""Commands by which a model waits for a second person, and steps back: promotion and rollback are the same way.

A challenger, or an earlier champion to which one goes back, is proposed by one person and made the
champion by another (``engine.training.PromoteModel``).
"""

import json
from dataclasses import dataclass

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.tables import ScoreModel
from engine.versions import must_see_all

PROPOSABLE = ("challenger", "retired")


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
    if json.loads(row.card)["leak_alarm"]:
        raise Invalid.because("model", "ranks too well to be true: a feature sees the future", "find the leak first")
    waiting = ScoreModel.select().where(ScoreModel.task == row.task, ScoreModel.proposed_by.is_null(False))
    before = {"waiting": [one.sha256 for one in waiting.order_by(ScoreModel.id)]}
    ScoreModel.update(proposed_by=None, proposed_at=None).where(ScoreModel.task == row.task).execute()
    ScoreModel.update(proposed_by=context.actor, proposed_at=context.at).where(ScoreModel.id == row.id).execute()
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        before=before,
        after={"waiting": [row.sha256]},
        answer={"model": row.id, "sha256": row.sha256, "state": "proposed"},
    )


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


def _model(number: int) -> ScoreModel:
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.id == number)
    if row is None:
        raise NotFound(f"no score model {number}")
    return row
