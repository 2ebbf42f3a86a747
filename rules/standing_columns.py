"""Standings of a whole portfolio, folded as columns: the same as ``rules.standing.fold`` row by row.

For looking ahead over days, where no standing is written. A property test holds the two equal.
"""

from typing import Any

import narwhals as nw

from rules.settling import Move

AT = "at_"
EVENT = "event_"
PART = "part__"  # columns that exist only while events are folded
PARTS = ("opens", "closes", "enters", "stood_level", "stood_step", "is_open", "before")


def _lit(value: int) -> nw.Expr:
    return nw.lit(value, dtype=nw.Int64)


def _null(dtype: Any) -> nw.Expr:
    return nw.lit(None, dtype=dtype)


def _at(name: str) -> nw.Expr:
    return nw.col(AT + name)


def _event(name: str) -> nw.Expr:
    return nw.col(EVENT + name)


def _part(name: str) -> nw.Expr:
    return nw.col(PART + name)


def fold_columns(frame: nw.LazyFrame[Any], day: int) -> nw.LazyFrame[Any]:
    """Fold one event into the standing of every row.

    Args:
        frame: ``at_*`` with the fields of ``rules.standing.Stand`` (all null: none is kept yet) and
            ``event_*`` with those of ``rules.standing.Moved`` but its day, ``event_mapped`` a claim with
            ``event_mapped_level`` and ``event_mapped_step`` beside it; a null ``event_move`` says that
            nothing happens to the row.
        day: of the events.

    Returns:
        The frame with ``at_*`` as they are after it, the last contact untouched. A row that has no
        standing and opens no episode still has none.
    """
    frame = _seen(frame)
    is_open, opens, enters = _part("is_open"), _part("opens"), _part("enters")
    none, episode = _lit(0), _at("episode").fill_null(0) + nw.when(opens).then(_lit(1)).otherwise(_lit(0))
    level, before = _event("level"), _part("before")
    repeats = nw.when(opens).then(none).otherwise(_at("repeat_no").fill_null(0))
    again = enters & (level > none) & (level <= before)
    fell = is_open & ((level < before) | again)
    differs = (level != _part("stood_level")) | ~_alike(_event("step"), _part("stood_step"))
    anchored = is_open & ~_event("leader_line_id").is_null()
    lost = opens | _part("closes")
    folded = {
        "episode": episode,
        "open": is_open,
        "leader_line_id": _anchor("leader_line_id", anchored, lost),
        "leader_due_day": _anchor("leader_due_day", anchored, lost),
        "level": level,
        "step_key": _event("step"),
        "repeat_no": repeats + nw.when(fell).then(_lit(1)).otherwise(none),
        "since_day": nw.when(enters | differs).then(_lit(day)).otherwise(_at("since_day")),
    }
    kept = ~_event("move").is_null() & ~(_at("episode").is_null() & (episode == none))
    return frame.with_columns(
        *(nw.when(kept).then(value).otherwise(_at(name)).alias(AT + name) for name, value in folded.items())
    ).drop(*(PART + name for name in PARTS))


def _seen(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Columns of what is read several times: an expression is spelt out wherever it stands."""
    moves, mapped = _event("move").fill_null(""), _event("mapped").fill_null(False)
    opens = (moves == nw.lit(Move.OPEN.value)) | (moves == nw.lit(Move.REOPEN.value))
    frame = frame.with_columns(
        opens.alias(PART + "opens"),
        (moves == nw.lit(Move.CLOSE.value)).alias(PART + "closes"),
        _event("enters").fill_null(False).alias(PART + "enters"),
        nw.when(mapped).then(_event("mapped_level")).otherwise(_at("level").fill_null(0)).alias(PART + "stood_level"),
        nw.when(mapped).then(_event("mapped_step")).otherwise(_at("step_key")).alias(PART + "stood_step"),
    )
    is_open = _part("opens") | (_at("open").fill_null(False) & ~_part("closes"))
    return frame.with_columns(
        is_open.alias(PART + "is_open"),
        nw.when(_part("opens")).then(_lit(0)).otherwise(_part("stood_level")).alias(PART + "before"),
    )


def _alike(one: nw.Expr, other: nw.Expr) -> nw.Expr:
    return (one == other).fill_null(False) | (one.is_null() & other.is_null())


def _anchor(name: str, anchored: nw.Expr, lost: nw.Expr) -> nw.Expr:
    stays = nw.when(lost).then(_null(nw.Int64)).otherwise(_at(name))
    return nw.when(anchored).then(_event(name)).otherwise(stays)
