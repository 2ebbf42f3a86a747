"""Scores of open invoices: after each run the champion scores every open line, kept as the run's facts are.

Beside the run, not within it: no decision reads them, so none waits for them. The frame's name follows from
what is in it and the run names it last; whoever was killed in between does it again. They are removed with the
facts.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from engine import frames, kept_frames
from engine.editions import Unusable, rates_on
from engine.payment_models import payment_model
from engine.pipeline import last_portfolio_run
from engine.queries import Question
from engine.tables import Alarm, Entity, Run, ScoreModel
from ledger.basis import Basis
from scoring.invoice_model import TASK, InvoiceModel
from scoring.invoice_training import Ledger
from scoring.open_scores import COLUMNS, open_scores
from scoring.past import ENTRIES, Columns, Ints, entry_frames, usual_on

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

LINES_AT_ONCE = 500_000  # of the ledger, about 1 GB; customers stay together
NOTE = "models"  # kind of an alarm
OF_USUAL = ("amount", "seen_day", "gone_day")


@dataclass(frozen=True, slots=True)
class Scored:
    """What the champion said of one customer's open lines.

    Args:
        day: of the run.
        model: sha256 of the model.
        lines: by line p_late_bp, p_late30_bp, days_late, days_low, days_high and thin_history.
    """

    day: int
    model: str
    lines: Mapping[int, Mapping[str, int]]


def is_waiting() -> bool:
    """Whether the last run of some entity is without scores, and a model is there to give them."""
    return _champion_is_there() and any(_unscored())


def work_off(runtime: "Runtime") -> int:
    """Score the open lines of entities whose last run has none yet; how many entities."""
    if not is_waiting():
        return 0
    done = 0
    with runtime.database.alone("invoice-scores", runtime.settings.var / "locks") as held:
        for run in _unscored() if held else ():
            try:
                keep_scores(runtime, run)
            except Unusable as error:
                _tell(runtime, str(error))
                break
            done += 1
    return done


def _champion_is_there() -> bool:
    return bool(ScoreModel.select().where(ScoreModel.task == TASK, ScoreModel.status == "champion").exists())


def _unscored() -> list[Run]:
    last = (last_portfolio_run(entity) for entity in Entity.select().order_by(Entity.id))
    return [run for run in last if run is not None and run.invoices_file is None]


def _tell(runtime: "Runtime", text: str) -> None:
    open_alarms = Alarm.select().where(Alarm.kind == NOTE, Alarm.text == text, Alarm.acknowledged_at.is_null())
    if not open_alarms.exists():
        Alarm.create(kind=NOTE, text=text, raised_at=runtime.now_at())


def keep_scores(runtime: "Runtime", run: Run) -> None:
    """Score every line that is open on a run's day and keep the scores with the run. Doing it again changes nothing.

    Raises:
        Unusable: the champion is not what was approved.
    """
    model = payment_model(runtime)
    if model is None:
        return
    columns = scores_on(runtime, run.entity, run.as_of_day, model)
    stored = kept_frames.store_frame(runtime, frames.from_columns(columns), "line_id")
    Run.update(invoice_model=model.sha256, invoices_file=stored.file, version=Run.version + 1).where(
        Run.id == run.id
    ).execute()


def scores_on(
    runtime: "Runtime", entity: Entity, day: int, model: InvoiceModel, customer_id: int | None = None
) -> dict[str, Ints]:
    """Score the open lines of an entity, or of one customer, on a day with what was known before it.

    Returns:
        The columns of ``scoring.open_scores.COLUMNS``.
    """
    with entries_of(runtime, entity, day) as read:
        lines = columns_of(read["lines"], *OF_USUAL, "customer_id")
        usual = usual_on(lines, day)
        spans = _spans(lines["customer_id"]) if customer_id is None else [(customer_id, customer_id)]
        parts = []
        for low, high in spans:
            of_span = nw.col("customer_id").is_between(low, high)
            own = {name: columns_of(frame.filter(of_span), *ENTRIES[name]) for name, frame in read.items()}
            parts.append(open_scores(Ledger.of(own), usual, model, day))
    return {name: np.concatenate([np.zeros(0, dtype=np.int64), *(part[name] for part in parts)]) for name in COLUMNS}


def _spans(customers: Any) -> list[tuple[int, int]]:
    """Spans of customers that hold about so many lines each."""
    ordered = np.sort(customers.astype(np.int64))
    spans, start = [], 0
    while start < len(ordered):
        last = ordered[min(start + LINES_AT_ONCE, len(ordered)) - 1]
        spans.append((int(ordered[start]), int(last)))
        start = int(np.searchsorted(ordered, last, side="right"))
    return spans


@contextmanager
def entries_of(runtime: "Runtime", entity: Entity, day: int) -> Iterator[dict[str, nw.LazyFrame[Any]]]:
    """The entries that features read; of a large ledger in files."""
    basis = Basis(as_of_day=day, entity=entity.code, currency=entity.currency, rates_e9=rates_on(entity, day))
    if frames.is_small(runtime):
        read = frames.read_frames(runtime, entity, as_of_day=day)
        own = {name: frame for name, frame in read.items() if name != "previous"}
        yield {name: frames.collected(frame) for name, frame in entry_frames(own, basis).items()}
        return
    with frames.frames_on_disk(runtime, Question(entity_id=entity.id, as_of_day=day, zone=entity.zone)) as read:
        yield entry_frames({name: frame for name, frame in read.items() if name != "previous"}, basis)


def columns_of(frame: nw.LazyFrame[Any], *names: str) -> Columns:
    """Some columns of a frame, read."""
    table = frames.collected(frame.select(*names), frames.STREAM).collect()
    return {name: table[name].to_numpy() for name in names}


def scores_of_customer(runtime: "Runtime", entity: Entity, customer_id: int) -> Scored | None:
    """What the last run's champion said of a customer's open lines; None where nothing is kept."""
    run = last_portfolio_run(entity)
    if run is None or run.invoices_file is None:
        return None
    try:
        frame = kept_frames.scan_frame(runtime, str(run.invoices_file))
        rows = frames.rows_of(frame.filter(nw.col("customer_id") == nw.lit(customer_id)))
    except FileNotFoundError:
        return None
    return Scored(int(run.as_of_day), str(run.invoice_model), {row["line_id"]: row for row in rows})
