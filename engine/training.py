"""Training of the score model: ledger -> rows -> model, registered and put in force by two people.

The learning itself is pure (``scoring.learning``) and takes no lock: only the finished model
goes through commands.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import fn

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.editions import rates_on
from engine.frames import collected, read_frames, rows_of
from engine.portfolio_parts import about_of
from engine.tables import Customer, DueLine, Entity, ScoreModel
from engine.versions import must_see_all
from ledger.canonical import canonical, sha256_of
from ledger.problems import Problem
from ledger.state import Basis, customer_facts
from scoring.features import FACTS_KNOWN
from scoring.invoice_model import KIND as INVOICE_KIND
from scoring.invoice_model import TASK as INVOICE_TASK
from scoring.invoice_model import load_invoice_model
from scoring.labels import TASK, bad_lines, cutoffs, training_rows
from scoring.learning import train as learn
from scoring.model import Model, load
from scoring.model import canonical as model_bytes

if TYPE_CHECKING:
    from engine.runtime import Runtime

HISTORY_DAYS = 60  # of payments before a customer is first learned from
CUTOFFS_MAX = 52
ROWS_MAX = 200_000  # an entity; of more, customers are sampled by their ids, the same each time


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to.

    Args:
        sha256: name of the model, None when none was trained.
        model_id: its row, None likewise.
        card: how it was trained and how well it did.
        problems: why there is none.
    """

    sha256: str | None
    model_id: int | None
    card: dict[str, Any]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RegisterModel(Command):
    """Keep a trained model as a challenger.

    Args:
        body: its canonical JSON.
        sha256: its name.
    """

    body: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PromoteModel(Command):
    """Make a registered model the champion: from the next run on its score is the score.

    Args:
        model: its row.
        sha256: its name, so that what was read is what is approved.
    """

    model: int
    sha256: str


@register(RegisterModel, permission="documents.propose")
def register_model(context: Context, command: RegisterModel) -> Change:
    """Store the model after loading it as a run would; the same model twice is one row."""
    loader = load_invoice_model if f'"kind":"{INVOICE_KIND}"' in command.body else load
    model, refused = loader(command.body, command.sha256)
    if model is None:
        raise Invalid(Problem(place="body", what=text, cure="train the model again") for text in refused)
    task = TASK if isinstance(model, Model) else INVOICE_TASK
    known: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.sha256 == model.sha256)
    row = known or ScoreModel.create(
        task=task,
        sha256=model.sha256,
        body=command.body,
        card=canonical(dict(model.card)),
        status="challenger",
        trained_day=model.card["trained_day"],
        created_at=context.at,
        trained_by=context.actor,
    )
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        after={"sha256": model.sha256, "task": task, "status": row.status},
        answer={"model": row.id, "sha256": model.sha256, "status": row.status},
    )


@register(PromoteModel, permission="documents.approve", person_only=True)
def promote_model(context: Context, command: PromoteModel) -> Change:
    """Retire the champion and put the model in its place; neither who proposed nor who trained it may.

    Whoever trained a challenger proposes it by that. One that the system trained, and an earlier champion, need
    somebody to propose them: else one person alone would choose.
    """
    must_see_all(context)  # one model serves all entities
    row: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.id == command.model)
    if row is None:
        raise NotFound(f"no score model {command.model}")
    if row.sha256 != command.sha256 or row.status not in {"challenger", "retired"}:
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
    if json.loads(row.card)["leak_alarm"]:
        raise Invalid.because("model", "ranks too well to be true: a feature sees the future", "find the leak first")
    champion: ScoreModel | None = ScoreModel.get_or_none(ScoreModel.task == row.task, ScoreModel.status == "champion")
    if champion is not None:
        ScoreModel.update(status="retired").where(ScoreModel.id == champion.id).execute()
    ScoreModel.update(
        status="champion", approved_by=context.actor, approved_at=context.at, proposed_by=None, proposed_at=None
    ).where(ScoreModel.id == row.id).execute()
    return Change(
        subject_kind="score_model",
        subject_id=row.id,
        before={"champion": None if champion is None else champion.sha256},
        after={"champion": row.sha256},
        answer={"model": row.id, "sha256": row.sha256, "status": "champion"},
    )


def train(
    runtime: "Runtime",
    entity: Entity | Sequence[Entity],
    as_of_day: int,
    *,
    actor: int | None = None,
    days_max: int = CUTOFFS_MAX,
    reason: str = "training of the payment-risk score",
) -> Trained:
    """Train a model on the ledger of one or several entities and register it as a challenger.

    Args:
        entity: whose ledgers; one model serves all that use it.
        as_of_day: the day the ledger is taken to be known; only labels decided by then count.
        actor: who trains; the system when None.
        days_max: days asked at most; each costs the facts of the whole entity.
        reason: for the audit trail.

    Returns:
        The model's name, row and card, or why there is none.
    """
    entities = [entity] if isinstance(entity, Entity) else list(entity)
    rows = [row for each in entities for row in labelled_rows(runtime, each, as_of_day, days_max)]
    body, problems = learn(rows, as_of_day, about=about_of(entities))
    if body is None:
        found = (Problem(place=TASK, what=text, cure="import more history, then train again") for text in problems)
        return Trained(None, None, {}, tuple(found))
    sha256 = sha256_of(body)
    answer = runtime.execute(RegisterModel(actor=actor, reason=reason, body=model_bytes(body).decode(), sha256=sha256))
    return Trained(sha256, answer["model"], body["card"])


def labelled_rows(
    runtime: "Runtime",
    entity: Entity,
    known_day: int,
    days_max: int = CUTOFFS_MAX,
    asked: Sequence[int] | None = None,
) -> Iterable[dict[str, Any]]:
    """Facts and labels of every customer on each of some days, oldest day first.

    Args:
        known_day: the day the ledger is taken to be known.
        days_max: of the days chosen when none are asked.
        asked: days whose facts are wanted; by default fortnights whose labels are decided.
    """
    first = DueLine.select(fn.MIN(DueLine.booked_day)).where(DueLine.entity_id == entity.id).scalar()
    if first is None:
        return
    days = _days(int(first) + HISTORY_DAYS, known_day, days_max) if asked is None else list(asked)
    read = read_frames(runtime, entity, as_of_day=known_day)
    frames = {name: collected(frame) for name, frame in read.items() if name != "previous"}
    bad = collected(bad_lines(frames, known_day))
    customers = Customer.select(fn.COUNT()).where(Customer.entity == entity).scalar()
    share = max(1, -(-customers * len(days) // ROWS_MAX))
    for day in days:
        basis = Basis(as_of_day=day, entity=entity.code, currency=entity.currency, rates_e9=rates_on(entity, day))
        found = training_rows(customer_facts(frames, basis, keep=collected), bad, day, FACTS_KNOWN)
        yield from (row for row in rows_of(found) if row["customer_id"] % share == 0)


def _days(first_day: int, as_of_day: int, days_max: int) -> list[int]:
    """Days a fortnight apart; of a long history as many, further apart."""
    days = cutoffs(first_day, as_of_day)
    step = max(1, -(-len(days) // days_max))
    return days[::-1][::step][::-1]
