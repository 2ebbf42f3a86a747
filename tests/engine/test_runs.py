"""Runs: adoption, go-live, a day decided once, missed days, the gate, and a crash in between."""

from engine.runs import run_entity
from engine.tables import Action, Decision, Outcome, Run, Standing

DAY = 20_543  # 2026-03-31


def test_the_first_run_adopts_the_portfolio_without_contacting_anybody(runtime, entity, books, policies):
    """Outcomes and standings are set, at level 0, and no action exists."""
    late, early = books.customer("1"), books.customer("2")
    books.invoice(late, 50_000, DAY - 60, DAY - 40)
    books.invoice(early, 50_000, DAY - 20, DAY + 10)
    run = run_entity(runtime, entity, DAY)
    assert (run.kind, run.state, run.customers, run.changed, run.applied) == ("adoption", "done", 2, 2, 2)
    assert Action.select().count() == 0
    assert {o.customer_id: (o.segment, o.hold, o.level) for o in Outcome} == {
        late.id: ("standard", True, 0),
        early.id: ("standard", False, 0),
    }
    assert [(s.customer_id, s.episode, s.open, s.level, s.waiting_for) for s in Standing.select().order_by(Standing.customer)] == [
        (late.id, 1, True, 0, '["not_live"]'),
        (early.id, 1, True, 0, '["not_live"]'),
    ]
    assert [d.confirmed_by for d in Decision] == ["durable", "durable"]
