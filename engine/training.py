"""Training of the score model: ledger -> rows -> model, registered; two people put it in force (``engine.promotion``).

The learning itself is pure (``scoring.learning``) and takes no lock: only the finished model
goes through commands.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import fn

from engine.commands import Change, Command, Context, Invalid, register
from engine.editions import rates_on
from engine.frames import collected, read_frames, rows_of
from engine.portfolio_parts import about_of
from engine.tables import Customer, DueLine, Entity, ScoreModel
from ledger.canonical import canonical, sha256_of
from ledger.problems import Problem
from ledger.state import Basis, customer_facts
from scoring.features import FACTS_KNOWN
from scoring.invoice_model import TASK as INVOICE_TASK
from scoring.labels import TASK, bad_lines, cutoffs, training_rows
from scoring.learning import train as learn
from scoring.loading import load_any
from scoring.model import Model
from scoring.model import canonical as model_bytes

if TYPE_CHECKING:
    from engine.runtime import Runtime

HISTORY_DAYS = 60  # of payments before a customer is first learned from
CUTOFFS_MAX = 52
Tell = Callable[[str, int, int], None]  # step, parts done, parts of it

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


@register(RegisterModel, permission="documents.propose")
def register_model(context: Context, command: RegisterModel) -> Change:
    """Store the model after loading it as a run would; the same model twice is one row."""
    model, refused = load_any(command.body, command.sha256)
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


def untold(_step: str, _done: int, _parts: int) -> None:
    """Nobody watches."""


def train(
    runtime: "Runtime",
    entity: Entity | Sequence[Entity],
    as_of_day: int,
    *,
    actor: int | None = None,
    days_max: int = CUTOFFS_MAX,
    reason: str = "training of the payment-risk score",
    tell: Tell = untold,
) -> Trained:
    """Train a model on the ledger of one or several entities and register it as a challenger.

    Args:
        entity: whose ledgers; one model serves all that use it.
        as_of_day: the day the ledger is taken to be known; only labels decided by then count.
        actor: who trains; the system when None.
        days_max: days asked at most; each costs the facts of the whole entity.
        reason: for the audit trail.
        tell: called with each step, as it begins.

    Returns:
        The model's name, row and card, or why there is none.
    """
    entities = [entity] if isinstance(entity, Entity) else list(entity)
    rows = [
        row
        for place, each in enumerate(entities)
        for row in labelled_rows(runtime, each, as_of_day, days_max, tell=_part_of(tell, place, len(entities)))
    ]
    tell("rows", len(rows), 0)
    body, problems = learn(rows, as_of_day, about=about_of(entities))
    if body is None:
        found = (Problem(place=TASK, what=text, cure="import more history, then train again") for text in problems)
        return Trained(None, None, {}, tuple(found))
    tell("register", 0, 0)
    sha256 = sha256_of(body)
    answer = runtime.execute(RegisterModel(actor=actor, reason=reason, body=model_bytes(body).decode(), sha256=sha256))
    return Trained(sha256, answer["model"], body["card"])


def _part_of(tell: Tell, place: int, of: int) -> Tell:
    """Tell the steps of one entity as a part of those of all."""
    return lambda step, done, parts: tell(step, place * parts + done, of * parts)


def labelled_rows(
    runtime: "Runtime",
    entity: Entity,
    known_day: int,
    days_max: int = CUTOFFS_MAX,
    asked: Sequence[int] | None = None,
    tell: Tell = untold,
) -> Iterable[dict[str, Any]]:
    """Facts and labels of every customer on each of some days, oldest day first.

    Args:
        known_day: the day the ledger is taken to be known.
        days_max: of the days chosen when none are asked.
        asked: days whose facts are wanted; by default fortnights whose labels are decided.
        tell: called with each day, as it begins.
    """
    first = DueLine.select(fn.MIN(DueLine.booked_day)).where(DueLine.entity_id == entity.id).scalar()
    if first is None:
        return
    days = _days(int(first) + HISTORY_DAYS, known_day, days_max) if asked is None else list(asked)
    tell("read", 0, 0)
    read = read_frames(runtime, entity, as_of_day=known_day)
    frames = {name: collected(frame) for name, frame in read.items() if name != "previous"}
    bad = collected(bad_lines(frames, known_day))
    customers = Customer.select(fn.COUNT()).where(Customer.entity == entity).scalar()
    share = max(1, -(-customers * len(days) // ROWS_MAX))
    for number, day in enumerate(days):
        tell("features", number, len(days))
        basis = Basis(as_of_day=day, entity=entity.code, currency=entity.currency, rates_e9=rates_on(entity, day))
        found = training_rows(customer_facts(frames, basis, keep=collected), bad, day, FACTS_KNOWN)
        yield from (row for row in rows_of(found) if row["customer_id"] % share == 0)


def _days(first_day: int, as_of_day: int, days_max: int) -> list[int]:
    """Days a fortnight apart; of a long history as many, further apart."""
    days = cutoffs(first_day, as_of_day)
    step = max(1, -(-len(days) // days_max))
    return days[::-1][::step][::-1]
