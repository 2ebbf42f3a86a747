"""Scores over time: each run's drift, coverage and unknown values, computed once when it ends, and what became of it.

Drift starts from the first run of a model, whose distributions are kept, so that no page reads the facts of a year.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from engine.frames import count_of, read_frames
from engine.kept_frames import scan_frame
from engine.score_watch import ROWS_MAX
from engine.tables import Alarm, Entity, Run, WatchedRun
from ledger.canonical import canonical
from ledger.days import date_of
from scoring.drift import ACT, WATCH, Reference, drift_from, reference_of
from scoring.features import FACTS_READ, feature_columns
from scoring.labels import HORIZON_DAYS, bad_lines, training_rows
from scoring.measures import area_under_curve, calibration_error
from scoring.model import Model

if TYPE_CHECKING:
    from engine.runtime import Runtime

Frame = nw.LazyFrame[Any]
Floats = NDArray[np.float64]

YEAR_DAYS = 366
SCORE = "score"
DRIFTED, TRUNCATED = "score_drift", "ledger_truncated"  # kinds of alarms
LEAST_OUTCOMES = 10  # of the rarer outcome, below which a day has no AUC
NAMED_MAX = 5  # features an alarm names
LASTING_RUNS = 7  # a week: days since the last invoice or payment move with the weekday
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Watched:
    """A run whose scores were watched.

    Args:
        figures: ``customers``, ``scored``, ``thin``, ``open_items``, ``unknown`` (share by feature), ``drift`` (by
            feature and for ``score``: index, and what chance alone gives) and ``since`` (the day drift starts from).
        outcome: n, bad and, where it can be told, auc, rival_auc, brier, ece; empty while or where nobody can tell.
    """

    run: int
    day: int
    model: str
    figures: Mapping[str, Any]
    outcome: Mapping[str, Any]

    def verdict(self, name: str) -> str:
        """``steady`` | ``chance`` | ``watch`` | ``act``, as ``scoring.drift.Drift`` says it."""
        index, chance = self.figures["drift"].get(name, (0.0, 0.0))
        if index < WATCH:
            return "steady"
        if index < chance:
            return "chance"
        return "watch" if index < ACT else "act"

    def acting(self) -> list[str]:
        """What drifted so far that somebody must act, the farthest first."""
        found = [name for name in self.figures["drift"] if self.verdict(name) == "act"]
        return sorted(found, key=lambda name: (-self.figures["drift"][name][0], name))


def history(entity: Entity, since_day: int) -> list[Watched]:
    """The runs watched from a day on, the oldest first; of one day the last."""
    rows = WatchedRun.select().where(WatchedRun.entity_id == entity.id, WatchedRun.as_of_day >= since_day)
    days = {row.as_of_day: row for row in rows.order_by(WatchedRun.as_of_day, WatchedRun.id)}
    return [_watched(row) for row in days.values()]


def _watched(row: WatchedRun) -> Watched:
    outcome = {} if row.outcome is None else json.loads(row.outcome)
    return Watched(row.run_id, row.as_of_day, str(row.model), json.loads(row.figures), outcome)


def watch(runtime: "Runtime", run: Run, model: Model | None, at: int) -> None:
    """Keep the figures of a run that ends, raise what must be known, and look at one past run whose 90 days are over.

    Doing it again changes nothing. Without a model there is nothing to watch.
    """
    if model is None or run.facts_file is None or WatchedRun.get_or_none(WatchedRun.run == run) is not None:
        return
    facts = scan_frame(runtime, str(run.facts_file))
    values = _values(facts, model)
    base = _base(run, model)
    names = [feature.name for feature in model.features]
    kept = None if base is not None else {name: reference_of(values[name]) for name in (SCORE, *names)}
    reference = kept if base is None else _references(str(base.reference))
    figures = _figures(values, reference or {}, names) | {"since": run.as_of_day if base is None else base.as_of_day}
    earlier = (
        WatchedRun.select()
        .where(
            WatchedRun.entity_id == run.entity_id,
            WatchedRun.model == model.sha256,
            WatchedRun.as_of_day < run.as_of_day,
        )
        .order_by(WatchedRun.as_of_day.desc(), WatchedRun.id.desc())
        .limit(LASTING_RUNS)
    )
    before = [_watched(row) for row in earlier]
    with runtime.database.atomic():
        row = WatchedRun.create(
            run=run,
            entity_id=run.entity_id,
            as_of_day=run.as_of_day,
            model=model.sha256,
            reference=None if kept is None else canonical({name: _told(one) for name, one in kept.items()}),
            figures=canonical(figures),
        )
        _raise(_watched(row), before, run, at)
    _look_back(runtime, run)


def _values(facts: Frame, model: Model) -> dict[str, Floats]:
    """Features, the stored score and what else is counted, one value per customer, NaN where unknown."""
    others = ("score_bp", "thin_history", "open_count", "turnover_3m_minor")
    names = dict.fromkeys((*model.facts, *others))
    features = feature_columns(model.prior, model.features)
    counted = [nw.col(name).cast(nw.Float64).alias(f"of_{name}") for name in others]
    columns = [*(feature.cast(nw.Float64) for feature in features), *counted]
    table = facts.select(*names).select(*columns).collect()
    found = {
        name: np.asarray(table.get_column(name).fill_null(float("nan")).to_numpy(), dtype=np.float64)
        for name in table.columns
    }
    found[SCORE] = found["of_score_bp"]
    return found


def _base(run: Run, model: Model) -> WatchedRun | None:
    """The run that drift of this model starts from."""
    found: WatchedRun | None = (
        WatchedRun.select()
        .where(
            WatchedRun.entity_id == run.entity_id,
            WatchedRun.model == model.sha256,
            WatchedRun.reference.is_null(False),
        )
        .order_by(WatchedRun.as_of_day, WatchedRun.id)
        .first()
    )
    return found


def _told(one: Reference) -> list[list[float]]:
    return [list(one.edges), [float(count) for count in one.counts]]


def _references(body: str) -> dict[str, Reference]:
    return {
        name: Reference(tuple(edges), tuple(int(count) for count in counts))
        for name, (edges, counts) in json.loads(body).items()
    }


def _figures(values: Mapping[str, Floats], reference: Mapping[str, Reference], names: Sequence[str]) -> dict[str, Any]:
    customers = len(values[SCORE])
    drifts = {name: drift_from(reference[name], values[name]) for name in reference if name in values}
    return {
        "customers": customers,
        "scored": int((~np.isnan(values[SCORE])).sum()),
        "thin": int(np.nansum(values["of_thin_history"])),
        "open_items": int(np.nansum(values["of_open_count"])),
        "sold": bool(np.nansum(values["of_turnover_3m_minor"]) > 0),
        "unknown": {name: round(float(np.isnan(values[name]).mean()), DIGITS) for name in names} if customers else {},
        "drift": {
            name: [round(one.index, DIGITS), round(one.chance, DIGITS)]
            for name, one in drifts.items()
            if one is not None
        },
    }


def lasting(runs: Sequence[Watched]) -> list[str]:
    """What drifted so far in each of the last seven runs that somebody must act; the latest run comes first."""
    if len(runs) < LASTING_RUNS:
        return []
    week = runs[:LASTING_RUNS]
    return [name for name in week[0].acting() if all(run.verdict(name) == "act" for run in week)]


def _raise(now: Watched, before: Sequence[Watched], run: Run, at: int) -> None:
    """Tell what has come to pass with this run: what goes on was told already.

    Args:
        before: the runs before it with the same model, the latest first.
    """
    told = lasting(before)
    new = [name for name in lasting([now, *before]) if name not in told]
    if new:
        named = ", ".join(f"{name} {now.figures['drift'][name][0]:.2f}" for name in new[:NAMED_MAX])
        more = f" and {len(new) - NAMED_MAX} more" if len(new) > NAMED_MAX else ""
        text = (
            f"for {LASTING_RUNS} runs customers have been others than on "
            f"{date_of(now.figures['since']).isoformat()}, when the model began: {named}{more} (act from {ACT:.2f}). "
            "Find out why, or train anew"
        )
        Alarm.create(entity_id=run.entity_id, kind=DRIFTED, text=text, raised_at=at)
    if _truncated(now) and not (before and _truncated(before[0])):
        text = (
            f"no invoice is open across {date_of(run.as_of_day).isoformat()} although there were sales in the three "
            "months before: only settled items were imported, or the ledger ends there"
        )
        Alarm.create(entity_id=run.entity_id, kind=TRUNCATED, text=text, raised_at=at)


def _truncated(one: Watched) -> bool:
    return one.figures["open_items"] == 0 and bool(one.figures["sold"])


def _look_back(runtime: "Runtime", run: Run) -> None:
    """Say of one past run what became of its customers; its facts are kept 35 days, those of month-ends ten years."""
    due = run.as_of_day - HORIZON_DAYS
    waiting = WatchedRun.select().where(
        WatchedRun.entity_id == run.entity_id, WatchedRun.as_of_day <= due, WatchedRun.outcome.is_null()
    )
    for row in waiting.order_by(WatchedRun.as_of_day):
        try:
            facts = scan_frame(runtime, str(row.run.facts_file))
        except FileNotFoundError:
            WatchedRun.update(outcome="{}").where(WatchedRun.id == row.id).execute()
            continue
        found = _outcome(runtime, row.run, facts, run.as_of_day)
        WatchedRun.update(outcome=canonical(found)).where(WatchedRun.id == row.id).execute()
        return  # one a night: each reads the ledger


def _outcome(runtime: "Runtime", past: Run, facts: Frame, known_day: int) -> dict[str, Any]:
    """The stored scores of a past run against what happened, beside the naive rival."""
    frames = read_frames(runtime, past.entity, as_of_day=known_day)
    sampled = max(1, -(-count_of(facts) // ROWS_MAX))
    wanted = (*FACTS_READ, "score_bp", "rival_bp")
    asked = training_rows(facts, bad_lines(frames, known_day), past.as_of_day, wanted)
    table = asked.filter(~nw.col("score_bp").is_null(), nw.col("customer_id") % sampled == 0).collect()
    labels, score, rival = (
        np.asarray(table.get_column(name).to_numpy(), dtype=np.float64) for name in ("label", "score_bp", "rival_bp")
    )
    n, bad = len(labels), int(labels.sum())
    found: dict[str, Any] = {"n": n, "bad": bad}
    if n:
        chances, outcomes = score / 10_000, labels.astype(np.int64)
        found["expected"] = round(float(chances.mean()), DIGITS)
        found["brier"] = round(float(np.mean((chances - labels) ** 2)), DIGITS)
        found["ece"] = round(calibration_error(outcomes, chances), DIGITS)
        if min(bad, n - bad) >= LEAST_OUTCOMES:
            found["auc"] = round(area_under_curve(outcomes, score), DIGITS)
            found["rival_auc"] = round(area_under_curve(outcomes, rival), DIGITS)
    return found
