"""Why a score is another one than before."""

from typing import Any

from scoring.model import Model, score_row
from scoring.movement import reasons_moved


def test_the_changes_sum_to_the_difference_of_the_scores(model: Model, training_rows: list[dict[str, Any]]) -> None:
    """On every pair of rows, whoever they belong to."""
    for before, now in zip(training_rows[:300], training_rows[300:600], strict=True):
        moved = reasons_moved(before, now, model, top=None)
        later, then = score_row(now, model).raw, score_row(before, model).raw
        assert later is not None
        assert then is not None
        assert sum(one.micro for one in moved) == later - then


def test_a_customer_who_becomes_overdue_is_told_by_that(model: Model, training_rows: list[dict[str, Any]]) -> None:
    """The reason that moved most comes first, with its values then and now; nothing moved says nothing."""
    calm = next(row for row in training_rows if row["overdue_count"] == 0 and row["open_count"] > 0)
    late = calm | {"overdue_minor": calm["open_minor"], "overdue_count": calm["open_count"], "leader_days_past_due": 25}
    first = reasons_moved(calm, late, model)[0]
    assert first.key == "overdue"
    assert first.raises
    assert "before" in first.text
    assert first.text.endswith("25 days now")
    assert not reasons_moved(late, calm, model)[0].raises
    assert reasons_moved(calm, calm, model) == []


def test_what_lies_before_the_due_date_is_said_not_signed(model: Model, training_rows: list[dict[str, Any]]) -> None:
    """Nobody reads "-11 days past due"."""
    late = next(row for row in training_rows if row["overdue_count"] > 0)
    early = late | {"leader_days_past_due": -11, "mean_days_late_12m": -1}
    told = [one.text for one in reasons_moved(late, early, model, top=None)]
    assert not any(": -" in text or ", -" in text for text in told)
