"""Looking ahead from the demo's last day, and then its nights without a payment."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import demo
from engine.contact_times import quiet_code
from engine.demo.place import EPOCH
from engine.diary import feed_standing
from engine.forward import look_ahead
from engine.frames import rows_of
from engine.runs import resume, run_entity
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import Action, Entity, Run

TODAY = 20_600
AHEAD = 12


class Standing:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.at = EPOCH + timedelta(days=TODAY, hours=9)

    def __call__(self) -> datetime:
        return self.at.astimezone(UTC)


@pytest.fixture
def place(tmp_path: Any) -> Iterator[tuple[Runtime, Standing]]:
    """Sixty customers of two entities, decided for thirty days; the last one is yesterday."""
    clock = Standing()
    var = tmp_path / "var"
    settings = Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key="only for this test " * 3)
    runtime = build(settings, now=clock)
    demo.build(runtime, TODAY, customers=60, decided_days=30, history_days=400)
    yield runtime, clock
    runtime.close()


@pytest.mark.slow
def test_the_demo_does_exactly_what_was_foretold(place: tuple[Runtime, Standing]) -> None:
    """Both entities, trained score, promises, disputes and letters that wait: day by day, customer by customer."""
    runtime, clock = place
    told = {}
    for entity in Entity.select():
        days = [pair.live for pair in look_ahead(runtime, entity, days=AHEAD)]
        told[entity.id] = {
            (row["day"], row["customer_id"], row["step"], row["channel"]) for day in days for row in rows_of(day.begun)
        }
        assert days[0].day == TODAY
        assert told[entity.id]
    carry_out(runtime, TODAY - 1)
    real: dict[int, set[Any]] = {entity: set() for entity in told}
    for day in range(TODAY, TODAY + AHEAD):
        clock.at = EPOCH + timedelta(days=day, hours=9)
        for entity in Entity.select():
            run = run_entity(runtime, entity, day)
            if run.state == "gated":
                Run.update(state="confirming").where(Run.id == run.id).execute()
                run = resume(runtime, Run.get_by_id(run.id))
            assert run.state == "done"
            made = Action.select().where(Action.entity_id == entity.id, Action.decision.is_null(False))
            for action in made.where(Action.due_day == day):
                real[entity.id].add((day, action.customer_id, action.step_key, action.channel))
        carry_out(runtime, day)
    for entity, steps in told.items():
        assert sorted(steps - real[entity]) == []
        assert sorted(real[entity] - steps) == []


def carry_out(runtime: Runtime, day: int) -> None:
    """Every message is sent that may leave on a day, every call reaches the customer and every task is done."""
    at = (day * 86_400 + 12 * 3_600) * 1_000_000
    states = ("waiting", "due", "failed", "uncertain", "open")
    for action in list(Action.select().where(Action.state.in_(states), Action.decision.is_null(False))):
        work = action.channel in ("call", "task")
        if quiet_code(action.customer, action.channel, day) is not None:
            continue
        Action.update(
            state="done" if work else "sent", result="reached" if work else None, settled_at=at, waiting_for=None
        ).where(Action.id == action.id).execute()
        if action.channel != "task":
            feed_standing(Action.get_by_id(action.id), "sent", at)
