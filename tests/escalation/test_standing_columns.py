"""Folding a portfolio as columns gives every standing that folding one by one gives."""

from dataclasses import asdict
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rules.settling import Move
from rules.standing import Moved, Stand, fold, kept_event
from rules.standing_columns import fold_columns

TYPES = {int: pl.Int64, bool: pl.Boolean, str: pl.String}
STAND = {"episode": int, "open": bool, "leader_line_id": int, "leader_due_day": int, "level": int}
STAND |= {"step_key": str, "repeat_no": int, "since_day": int, "last_contact_day": int}
EVENT = {"move": str, "level": int, "step": str, "enters": bool, "leader_line_id": int, "leader_due_day": int}
MAPPED = {"mapped": bool, "mapped_level": int, "mapped_step": str}

steps = st.sampled_from([None, "m10", "p4", "p14"])
small = st.integers(0, 3)
leaders = st.sampled_from([(None, None), (1, 100), (2, 90), (3, None)])


@st.composite
def stands(draw: st.DrawFn) -> Stand:
    """Any standing, the very first among them."""
    if draw(st.integers(0, 4)) == 0:
        return Stand()
    line, due = draw(leaders)
    return Stand(
        episode=draw(st.integers(1, 3)),
        open=draw(st.booleans()),
        leader_line_id=line,
        leader_due_day=due,
        level=draw(small),
        step_key=draw(steps),
        repeat_no=draw(small),
        since_day=draw(st.sampled_from([None, 90, 120])),
        last_contact_day=draw(st.sampled_from([None, 95])),
    )


@st.composite
def events(draw: st.DrawFn) -> Moved:
    """Anything a decision may do to it."""
    line, due = draw(leaders)
    return Moved(
        day=120,
        move=draw(st.sampled_from([move.value for move in Move])),
        level=draw(small),
        step=draw(steps),
        enters=draw(st.booleans()),
        leader_line_id=line,
        leader_due_day=due if line is not None else None,
        mapped=draw(st.one_of(st.none(), st.tuples(small, steps))),
    )


def frame_of(rows: list[tuple[Stand, Moved]]) -> nw.LazyFrame[Any]:
    """Standings and events as a decided frame has them; the first standing is no row of its table."""
    columns = {f"at_{name}": TYPES[kind] for name, kind in STAND.items()}
    columns |= {f"event_{name}": TYPES[kind] for name, kind in {**EVENT, **MAPPED}.items()}
    values = []
    for stand, event in rows:
        kept = dict.fromkeys(STAND) if stand == Stand() else asdict(stand)
        said = kept_event(event)
        mapped = (False, None, None) if event.mapped is None else (True, *event.mapped)
        values.append((*kept.values(), *(said[name] for name in EVENT), *mapped))
    return nw.from_native(pl.DataFrame(values, schema=columns, orient="row").lazy())


def folded(rows: list[tuple[Stand, Moved]]) -> list[dict[str, Any]]:
    """The rows after folding them as columns."""
    return fold_columns(frame_of(rows), 120).to_native().collect().to_dicts()


@given(st.lists(st.tuples(stands(), events()), min_size=1, max_size=20))
def test_columns_fold_as_rows_do(rows: list[tuple[Stand, Moved]]) -> None:
    """Field by field, whatever stood before and whatever happens."""
    for (stand, event), row in zip(rows, folded(rows), strict=True):
        after = fold(stand, event)
        if after.episode == 0:
            assert row["at_episode"] is None, "nobody keeps a standing of a customer without an episode"
        else:
            assert Stand.of(row) == after


def test_a_row_without_an_event_stays_as_it_is() -> None:
    """No decision is written for most customers of a day."""
    stand = Stand(episode=2, open=True, leader_line_id=7, leader_due_day=90, level=2, step_key="p14", since_day=104)
    frame = frame_of([(stand, Moved(day=120, move="close", level=0, step=None, enters=False))])
    quiet = frame.with_columns(event_move=nw.lit(None, dtype=nw.String))
    (row,) = fold_columns(quiet, 120).to_native().collect().to_dicts()
    assert Stand.of(row) == stand
