"""Scores over time: each run is measured once when it ends, against the first run of its model."""

from collections.abc import Callable, Mapping
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from engine.kept_frames import store_frame
from engine.runtime import Runtime
from engine.score_history import DRIFTED, LASTING_RUNS, TRUNCATED, history, watch
from engine.tables import Alarm, Customer, DueLine, Entity, Run, WatchedRun
from ledger.canonical import canonical
from scoring.features import FACTS_READ, FEATURES
from scoring.labels import HORIZON_DAYS, TASK
from scoring.model import FEATURES_SHA256, FORMAT, MICRO, Model, built

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier
DAY = 20_000
ROWS = 300
Ended = Callable[..., Run]


@pytest.fixture
def model() -> Model:
    """A model by hand that looks at nothing: only its distributions matter here."""
    body = {
        "format": FORMAT,
        "kind": "score_model",
        "task": TASK,
        "features_sha256": FEATURES_SHA256,
        "prior": {"share_bp": 2_000, "strength": 3},
        "base": -MICRO,
        "features": [{"name": f.name, "edges": [], "steps": [0], "unknown": 0, "usual": None} for f in FEATURES],
        "card": {"trained_day": DAY},
        "golden": [],
    }
    return built(body, "a" * 64)


@pytest.fixture
def ended(runtime: Runtime, entity: Entity, model: Model) -> Ended:
    """Let a run end whose customers have these facts; others are 10."""

    def end(day: int, rows: int = ROWS, scored: bool = True, **facts: Any) -> Run:
        columns: dict[str, Any] = {name: [10] * rows for name in FACTS_READ}
        columns |= {"score_bp": [number * 9_000 // rows for number in range(rows)], "rival_bp": [500] * rows}
        columns |= {
            "thin_history": [False] * rows,
            "turnover_3m_minor": [100] * rows,
            "customer_id": range(1, rows + 1),
        }
        columns |= {name: list(value) for name, value in facts.items()}
        stored = store_frame(runtime, nw.from_native(pl.LazyFrame(columns, strict=False)))
        run: Run = Run.create(
            entity=entity, as_of_day=day, kind="nightly", state="done", started_at=day, facts_file=stored.file
        )
        watch(runtime, run, model if scored else None, day)
        return run

    return end


def texts(kind: str) -> list[str]:
    """The alarms of a kind."""
    return [str(one.text) for one in Alarm.select().where(Alarm.kind == kind).order_by(Alarm.id)]


def test_a_run_is_measured_once_against_the_first_of_its_model(ended: Ended, entity: Entity, runtime: Runtime) -> None:
    """Coverage, thin history and unknown values too; ending again changes nothing."""
    ended(DAY)
    run = ended(DAY + 1, thin_history=[True] * 30 + [False] * (ROWS - 30), terms_days=[None] * 60 + [10] * 240)
    first, second = history(entity, DAY)
    assert first.figures["drift"]["score"][0] == 0
    assert (second.figures["customers"], second.figures["scored"], second.figures["thin"]) == (ROWS, ROWS, 30)
    assert second.figures["unknown"]["terms_days"] == 0.2
    assert second.figures["since"] == DAY
    before = canonical(dict(second.figures))
    watch(runtime, run, None, DAY)
    assert WatchedRun.select().count() == 2
    assert canonical(dict(history(entity, DAY)[1].figures)) == before


@pytest.mark.parametrize(("nights", "alarms"), [(LASTING_RUNS - 1, 0), (LASTING_RUNS, 1), (LASTING_RUNS + 1, 1)])
def test_what_has_drifted_far_for_a_week_raises_one_alarm(
    ended: Ended, entity: Entity, nights: int, alarms: int
) -> None:
    """Below, at and above seven runs; named with its index, and what goes on was told already."""
    ended(DAY)
    moved = [min(9_999, 6_000 + number * 13) for number in range(ROWS)]
    for night in range(nights):
        ended(DAY + 1 + night, score_bp=moved)
    assert history(entity, DAY)[-1].verdict("score") == "act"
    told = texts(DRIFTED)
    assert len(told) == alarms
    assert all("score " in text and "train anew" in text for text in told)


def test_what_moves_with_the_weekday_raises_none(ended: Ended, entity: Entity) -> None:
    """One calm day in seven is enough: nothing is invoiced on a Sunday."""
    ended(DAY)
    moved = [min(9_999, 6_000 + number * 13) for number in range(ROWS)]
    for night in range(2 * LASTING_RUNS):
        ended(DAY + 1 + night, **({} if night % LASTING_RUNS == 3 else {"score_bp": moved}))
    assert texts(DRIFTED) == []


def test_few_customers_move_by_chance_and_raise_none(ended: Ended, entity: Entity) -> None:
    """Far, but not farther than two samples of one population go."""
    ended(DAY, rows=8)
    for night in range(LASTING_RUNS):
        ended(DAY + 1 + night, rows=8, score_bp=[4_000] * 4 + [8_000] * 4)
    assert history(entity, DAY)[-1].verdict("score") == "chance"
    assert texts(DRIFTED) == []


def test_a_ledger_that_ends_there_is_told_once(ended: Ended) -> None:
    """No invoice open across the day although there were sales; without sales it is an empty portfolio."""
    ended(DAY, open_count=[0] * ROWS, turnover_3m_minor=[0] * ROWS)
    assert texts(TRUNCATED) == []
    for day in (DAY + 1, DAY + 2):
        ended(day, open_count=[0] * ROWS)
    assert len(texts(TRUNCATED)) == 1


def test_without_a_model_nothing_is_watched(ended: Ended) -> None:
    """And nothing is written."""
    ended(DAY, scored=False)
    assert WatchedRun.select().count() == 0


@pytest.mark.parametrize(("after", "told"), [(HORIZON_DAYS - 1, False), (HORIZON_DAYS, True), (HORIZON_DAYS + 1, True)])
def test_what_became_of_a_run_is_told_when_its_days_are_over(
    ended: Ended, runtime: Runtime, entity: Entity, after: int, told: bool
) -> None:
    """Below, at and above the horizon; the stored score beside the own late share."""
    customers = [Customer.create(entity=entity, number=str(number), name="One") for number in range(40)]
    ids = [one.id for one in customers]
    for one in customers[20:]:
        entry: Mapping[str, Any] = {"entity_id": entity.id, "customer": one, "currency": "EUR", "recorded_at": 1}
        DueLine.create(
            **entry,
            number=one.number,
            amount_minor=100,
            booked_day=DAY,
            recorded_day=DAY,
            invoice_day=DAY,
            due_day=DAY,
            identity=one.number,
        )
    rising = [number * 100 for number in range(40)]
    ended(DAY, rows=40, customer_id=ids, score_bp=rising, rival_bp=[number % 2 for number in range(40)])
    ended(DAY + after, rows=40, customer_id=ids)
    outcome = history(entity, DAY)[0].outcome
    assert bool(outcome) is told
    if told:
        assert (outcome["n"], outcome["bad"], outcome["auc"], outcome["rival_auc"]) == (40, 20, 1.0, 0.5)


def test_facts_that_are_gone_are_not_asked_for_again(ended: Ended, runtime: Runtime, entity: Entity) -> None:
    """The figures stay; what became of the customers nobody can tell any more."""
    run = ended(DAY)
    (runtime.settings.var / str(run.facts_file)).unlink()
    ended(DAY + HORIZON_DAYS, rows=40)
    assert WatchedRun.get(WatchedRun.run == run).outcome == "{}"
    assert history(entity, DAY)[0].figures["customers"] == ROWS
