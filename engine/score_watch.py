"""Scores watched: how they are distributed, whose moved since the last run, how far features drifted, what happened.

Everything is read from the facts that runs stored; what became of the customers comes from the ledger.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from engine.editions import model_named
from engine.frames import collected, count_of, read_frames, rows_of
from engine.kept_frames import scan_frame
from engine.shadow import learned_until
from engine.tables import Decision, Edition, Entity, Run, ScoreModel
from scoring.drift import Drift, drift
from scoring.features import feature_columns
from scoring.labels import HORIZON_DAYS, TASK, bad_lines, training_rows
from scoring.learning import SEED
from scoring.measures import compared
from scoring.model import Model, score
from scoring.movement import ReasonMoved, reasons_moved

if TYPE_CHECKING:
    from engine.runtime import Runtime

Frame = nw.LazyFrame[Any]
Floats = NDArray[np.float64]

WITH_FACTS = ("done", "gated", "confirming")
RUNS_LOOKED_AT = 4_000  # ten years of nights
BAND_BP = 500  # of the distribution
CLASSES_READ = 2_000  # changed classes of one run looked at; an adoption sets one for everybody
ROWS_MAX = 200_000  # customers whose outcome is looked up; of more, a sample by their ids
CHALLENGERS = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """A customer whose score or class is another one than at the run before.

    Args:
        before_bp, now_bp: the scores that were stored; None where there was none.
        class_before, class_now: the risk class; both None where it did not change.
        reasons: why the score moved; empty where the two runs had different models.
    """

    customer_id: int
    before_bp: int | None
    now_bp: int | None
    class_before: str | None
    class_now: str | None
    reasons: tuple[ReasonMoved, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of the customers scored on a past day.

    Args:
        day: of the facts; their 90 days are over.
        sampled: of how many customers one was looked at.
        seen: models that learned from this day or later ones, and so know more than they could have known.
        comparison: of ``scoring.measures.compared``: n, bad and, where both occur, measures, lead and reliability.
    """

    day: int
    sampled: int
    seen: tuple[str, ...]
    comparison: Mapping[str, Any]


def runs_with_facts(runtime: "Runtime", entity: Entity) -> list[Run]:
    """The runs over a portfolio whose facts are still kept, one a day, the latest first."""
    found = (
        Run.select()
        .where(Run.entity == entity, Run.kind != "event", Run.state.in_(WITH_FACTS), Run.facts_file.is_null(False))
        .order_by(Run.as_of_day.desc(), Run.id.desc())
        .limit(RUNS_LOOKED_AT)
    )
    days: dict[int, Run] = {}
    for run in found:
        if run.as_of_day not in days and (runtime.settings.var / str(run.facts_file)).is_file():
            days[run.as_of_day] = run
    return list(days.values())


def model_of(runtime: "Runtime", run: Run) -> Model | None:
    """The model a run scored with.

    Raises:
        Unusable: it cannot be loaded any more.
    """
    row = Edition.get_or_none(Edition.sha256 == run.edition)
    sha256 = None if row is None else json.loads(row.body)["model"]
    return None if sha256 is None else model_named(runtime, sha256)


def before_drift(runs: Sequence[Run], model: Model) -> Run | None:
    """The run to measure drift from: the first one kept since the model was trained, else the first one kept."""
    earlier = runs[1:]
    since = [run for run in earlier if run.as_of_day >= int(model.card["trained_day"])]
    return (since or earlier)[-1] if earlier else None


def scores_of(frame: Frame, model: Model | None = None) -> Floats:
    """The scores of a frame as chances in basis points, NaN where there is none.

    Args:
        model: scores anew; without it, the scores that were stored.
    """
    return _values(frame if model is None else score(frame.select("customer_id", *model.facts), model), "score_bp")


def bands_of(scores: Floats) -> list[int]:
    """How many scores lie in each band of five per cent."""
    known = scores[~np.isnan(scores)].astype(np.int64)
    bands = 10_000 // BAND_BP
    return [int(number) for number in np.bincount(np.minimum(known // BAND_BP, bands - 1), minlength=bands)]


def drifts(before: Frame, now: Frame, model: Model) -> list[tuple[str, Drift | None]]:
    """How far the score (``score``, by the same model on both sides) and each feature moved."""
    found = [("score", drift(scores_of(before, model), scores_of(now, model)))]
    then, later = (
        collected(frame.select("customer_id", *model.facts).select(*feature_columns(model.prior, model.features)))
        for frame in (before, now)
    )
    return found + [(one.name, drift(_values(then, one.name), _values(later, one.name))) for one in model.features]


def _values(frame: Frame, name: str) -> Floats:
    column = frame.select(nw.col(name).cast(nw.Float64)).collect().get_column(name)
    return np.asarray(column.fill_null(float("nan")).to_numpy(), dtype=np.float64)


def classes_moved(run: Run) -> dict[int, tuple[str | None, str | None]]:
    """The risk class before and after by customer, where the rules of a run changed it."""
    rows = (
        Decision.select(Decision.customer, Decision.changes)
        .where(Decision.run == run, Decision.line_id == 0, Decision.changes.contains('"risk_class"'))
        .order_by(Decision.id.desc())
        .limit(CLASSES_READ)
        .tuples()
    )
    found = {}
    for customer, changes in rows:
        stage = json.loads(changes).get("scorecard", {})
        before, after = (stage.get(side, {}).get("risk_class") for side in ("before", "after"))
        if before != after:
            found[int(customer)] = (before, after)
    return found


def moved(
    before: Frame,
    now: Frame,
    classes: Mapping[int, tuple[str | None, str | None]],
    model: Model | None,
    rows: int,
    translate: Any = str,
) -> list[Moved]:
    """Whose class or score moved, changed classes first, then by how far.

    Args:
        before, now: the facts of the two runs that the reader may see.
        classes: of ``classes_moved``.
        model: of both runs, for the reasons; None where they had different ones, or none.
        rows: how many at most.
    """
    joined = now.select("customer_id", nw.col("score_bp").alias("now_bp")).join(
        before.select("customer_id", nw.col("score_bp").alias("before_bp")), on="customer_id", how="left"
    )
    delta = (nw.col("now_bp") - nw.col("before_bp")).abs().fill_null(0).alias("far")
    changed = nw.col("customer_id").is_in(list(classes)).alias("changed")
    ranked = joined.with_columns(delta, changed).filter((nw.col("far") > 0) | nw.col("changed"))
    found = rows_of(ranked.sort("changed", "far", "customer_id", descending=[True, True, False]).head(rows))
    ids = [row["customer_id"] for row in found]
    then, later = (_facts(frame, ids, model) if model is not None else {} for frame in (before, now))
    return [
        Moved(
            row["customer_id"],
            row["before_bp"],
            row["now_bp"],
            *classes.get(row["customer_id"], (None, None)),
            _why(then.get(row["customer_id"]), later.get(row["customer_id"]), model, translate),
        )
        for row in found
    ]


def _facts(frame: Frame, ids: list[int], model: Model) -> dict[int, dict[str, Any]]:
    rows = rows_of(frame.filter(nw.col("customer_id").is_in(ids)).select("customer_id", *model.facts))
    return {row["customer_id"]: row for row in rows}


def _why(
    then: dict[str, Any] | None, later: dict[str, Any] | None, model: Model | None, translate: Any
) -> tuple[ReasonMoved, ...]:
    if then is None or later is None or model is None:
        return ()
    return tuple(reasons_moved(then, later, model, translate=translate))


def run_decided(runs: Sequence[Run], today: int) -> Run | None:
    """The latest run whose customers had their 90 days since."""
    return next((run for run in runs if run.as_of_day + HORIZON_DAYS <= today), None)


def happened(runtime: "Runtime", entity: Entity, run: Run, champion: Model) -> Happened:
    """What became of the customers of a past run: champion, challengers and naive rivals on the same rows.

    Read from the ledger once a day and model; the answer is kept.

    Raises:
        FileNotFoundError: the run's facts are not kept any more.
    """
    today = runtime.today(entity)
    rows = ScoreModel.select(ScoreModel.sha256).where(ScoreModel.task == TASK, ScoreModel.status == "challenger")
    names = [str(row.sha256) for row in rows.order_by(ScoreModel.id.desc()).limit(CHALLENGERS)]
    kept = runtime.cache.setdefault("happened", {})
    key = (entity.id, run.id, champion.sha256, *names)
    if kept.get(key, (None,))[0] != today:
        challengers = {f"challenger {name[:8]}": model_named(runtime, name) for name in names}
        kept[key] = (today, _happened(runtime, entity, run, {"champion": champion, **challengers}))
    found: Happened = kept[key][1]
    return found


def _happened(runtime: "Runtime", entity: Entity, run: Run, models: Mapping[str, Model]) -> Happened:
    today = runtime.today(entity)
    facts = scan_frame(runtime, str(run.facts_file))
    frames = read_frames(runtime, entity, as_of_day=today)
    sampled = max(1, -(-count_of(facts) // ROWS_MAX))
    read = tuple(dict.fromkeys(name for model in models.values() for name in model.facts))
    asked = training_rows(facts, bad_lines(frames, today), run.as_of_day, read)
    if sampled > 1:
        asked = asked.filter(nw.col("customer_id") % sampled == 0)
    asked = collected(asked)
    champion = next(iter(models.values()))
    rivals = score(asked, champion)
    found = compared(
        _values(asked, "label").astype(np.int64),
        _values(asked, "customer_id").astype(np.int64),
        {
            **{name: scores_of(asked, model) / 10_000 for name, model in models.items()},
            "own_late_share": _values(rivals, "rival_bp") / 10_000,
        },
        {"ageing_rule": np.nan_to_num(_values(asked, "leader_days_past_due"), nan=-1_000)},
        SEED,
    )
    seen = tuple(name for name, model in models.items() if learned_until(model) >= run.as_of_day)
    return Happened(run.as_of_day, sampled, seen, found)
