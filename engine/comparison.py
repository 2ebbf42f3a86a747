"""What a simulation counts: whom a change moves, what becomes of the figures a credit manager is held to.

Only customers who may come out otherwise are looked at; what all the others add was counted once of
the side in force.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw

from engine.baseline import ENTERS, Side
from engine.frames import count_of, rows_of
from engine.impact import Figure, Move, Mover, RuleHits, Simulation, StageImpact, StepCount, Workload
from engine.kept_frames import column_sha256s
from engine.pairing import AFTER, BEFORE, Pair
from engine.pipeline import Frame
from ledger.canonical import sha256_of
from rules.book import Book
from rules.stages import OUTCOMES, POINT_OUTCOMES, STAGE_NAMES

MOVERS_MAX = 25  # customers named per stage, those with the largest exposure first
MOVES_MAX = 200  # pairs of outcomes told apart
OTHERS, OTHERS_THEN = "others", "other ones"  # all further outcomes, staying and moving
# The outcome a manager asks about, per stage.
DECISIVE = {
    "scorecard": "risk_class",
    "segmentation": "segment",
    "credit_limit": "proposed_limit_minor",
    "hold": "hold",
    "escalation": "level",
    "worklist": "worklist_points",
    "alert": "alert",
}
DIRECTIONS = ("unchanged", "set", "raised", "lowered", "removed")  # which way an amount or points go
WORK_CHANNELS = frozenset({"call", "task"})  # steps a person does; the others are messages


def compare(pair: Pair, day: int, run_id: int | None, collectors: Frame, *, hashed: bool = True) -> Simulation:
    """Count what differs between two sides.

    Args:
        day: of the facts.
        run_id: the run they were stored by, if any.
        collectors: ``customer_id`` and ``collector_id`` of every customer that has one.
        hashed: whether the outcomes get their sha256.
    """
    customers, changed, money = _total(pair)
    return Simulation(
        as_of_day=day,
        run_id=run_id,
        customers=customers,
        changed=changed,
        changed_minor=money,
        stages=tuple(_impact(pair, stage) for stage in DECISIVE),
        figures=_figures(pair),
        steps=_steps(pair),
        work=_work(pair, collectors),
        outcomes_sha256=_sha256(pair, customers) if hashed else "",
    )


def is_graded(outcome: str) -> bool:
    """Whether an outcome is a number on a long scale, of which only the direction is counted."""
    return outcome.endswith("_minor") or outcome in POINT_OUTCOMES


def differs(outcome: str) -> nw.Expr:
    """Whether an outcome is another one after than before."""
    before, after = nw.col(BEFORE + outcome), nw.col(AFTER + outcome)
    return (before != after).fill_null(False) | (before.is_null() != after.is_null())


def direction(outcome: str) -> nw.Expr:
    """Of an amount or of points that differ: which way they go."""
    before, after = nw.col(BEFORE + outcome), nw.col(AFTER + outcome)
    return (
        nw.when(before.is_null() & ~after.is_null())
        .then(nw.lit("set"))
        .when(~before.is_null() & after.is_null())
        .then(nw.lit("removed"))
        .when(after > before)
        .then(nw.lit("raised"))
        .when(after < before)
        .then(nw.lit("lowered"))
        .otherwise(nw.lit("unchanged"))
    )


# --- whom it moves ---------------------------------------------------------------------


def _total(pair: Pair) -> tuple[int, int, int]:
    """Customers; those with any other decisive outcome; their exposure."""
    decisive = [DECISIVE[stage] for stage in STAGE_NAMES if stage in pair.touched]
    differing = [differs(outcome) for outcome in decisive if outcome not in POINT_OUTCOMES]
    customers = _customers(pair.whole)
    if not differing:
        return customers, 0, 0
    moved = nw.any_horizontal(*differing, ignore_nulls=True)
    count, exposure = _sums(pair.rows, [_count(moved), _amount(moved, nw.col("exposure_minor"))])
    return customers, count, exposure


def _impact(pair: Pair, stage: str) -> StageImpact:
    outcome = DECISIVE[stage]
    was = pair.whole.hits().get(stage, {})
    doubts = _doubts(pair.whole, stage)
    total = _known(pair.whole, ("total", outcome), [nw.col(outcome)])[0] if outcome.endswith("_minor") else None
    if stage not in pair.touched:
        stays = _stay(pair.whole, outcome)
        hits = tuple(RuleHits(key, count, count) for key, count in was.items())
        both = None if total is None else (total, total)
        return StageImpact(stage, outcome, _moves(outcome, stays, []), 0, 0, (doubts, doubts), both, (), hits)
    moved = pair.rows.filter(differs(outcome))
    way = direction(outcome) if is_graded(outcome) else nw.col(AFTER + outcome)
    left = nw.lit(outcome) if is_graded(outcome) else nw.col(BEFORE + outcome)
    pairs = _grouped(moved, before=left, after=way)
    fewer, more = (_doubted(pair.rows, prefix, stage) for prefix in (BEFORE, AFTER))
    if total is not None:
        less_minor, more_minor = _sums(pair.rows, [nw.col(BEFORE + outcome), nw.col(AFTER + outcome)])
    new = pair.hits.get(stage, {})
    return StageImpact(
        stage=stage,
        outcome=outcome,
        moves=_moves(outcome, _stay(pair.whole, outcome), pairs),
        changed=sum(row["customers"] for row in pairs),
        changed_minor=sum(row["exposure"] for row in pairs),
        undecided=(doubts, doubts - fewer + more),
        total=None if total is None else (total, total - less_minor + more_minor),
        movers=_movers(moved, outcome),
        hits=tuple(RuleHits(key, was.get(key), new.get(key)) for key in dict.fromkeys([*new, *was])),
    )


def _movers(moved: Frame, outcome: str) -> tuple[Mover, ...]:
    before, after = BEFORE + outcome, AFTER + outcome
    ranked = moved.select("customer_id", "exposure_minor", before, after, _exposure().alias("rank"))
    rows = rows_of(ranked.sort("rank", "customer_id", descending=[True, False]).head(MOVERS_MAX))
    return tuple(Mover(row["customer_id"], row[before], row[after], row["exposure_minor"]) for row in rows)


def _stay(whole: Side, outcome: str) -> list[dict[str, Any]]:
    """How customers and exposure are distributed before."""
    key = ("stay", outcome)
    if key not in whole.kept:
        value = nw.lit(outcome) if is_graded(outcome) else nw.col(outcome)
        whole.kept[key] = _grouped(whole.frame, before=value)
    found: list[dict[str, Any]] = whole.kept[key]
    return found


def _moves(outcome: str, stays: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]) -> tuple[Move, ...]:
    """The matrix: whoever does not move stays."""
    gone: dict[Any, tuple[int, int]] = {}
    for row in pairs:
        customers, exposure = gone.get(row["before"], (0, 0))
        gone[row["before"]] = (customers + row["customers"], exposure + row["exposure"])
    found = [Move(row["before"], row["after"], row["customers"], row["exposure"]) for row in pairs]
    for row in stays:
        before, (customers, exposure) = row["before"], gone.get(row["before"], (0, 0))
        after = "unchanged" if is_graded(outcome) else before
        if row["customers"] > customers:
            found.append(Move(before, after, row["customers"] - customers, row["exposure"] - exposure))
    return tuple(sorted(_limited(found), key=lambda move: (str(move.before), str(move.after))))


def _limited(moves: list[Move]) -> list[Move]:
    """The moves of most customers; sets of alerts may make thousands, of which the rest is summed up."""
    if len(moves) <= MOVES_MAX:
        return moves
    ranked = sorted(moves, key=lambda move: (-move.customers, str(move.before), str(move.after)))
    found, rest = ranked[:MOVES_MAX], ranked[MOVES_MAX:]
    for after in OTHERS, OTHERS_THEN:
        some = [move for move in rest if (move.before == move.after) == (after == OTHERS)]
        if some:
            customers, exposure = sum(move.customers for move in some), sum(move.exposure_minor for move in some)
            found.append(Move(OTHERS, after, customers, exposure))
    return found


def _customers(whole: Side) -> int:
    if "customers" not in whole.kept:
        whole.kept["customers"] = count_of(whole.frame)
    found: int = whole.kept["customers"]
    return found


def _doubts(whole: Side, stage: str) -> int:
    key = ("doubts", stage)
    if key not in whole.kept:
        whole.kept[key] = _doubted(whole.frame, "", stage)
    found: int = whole.kept[key]
    return found


def _doubted(frame: Frame, prefix: str, stage: str) -> int:
    name = f"{prefix}undecided_{stage}"
    return _sums(frame, [_count(nw.col(name))])[0] if name in frame.collect_schema().names() else 0


# --- the figures -----------------------------------------------------------------------


def _judged(prefix: str, stages: Sequence[str]) -> dict[str, nw.Expr]:
    """The figures that some stages move, of one side."""
    found: dict[str, nw.Expr] = {}
    exposure, limit, held = nw.col("exposure_minor"), nw.col(f"{prefix}proposed_limit_minor"), nw.col(f"{prefix}hold")
    room = limit - exposure
    if "hold" in stages:
        found |= {"held": _count(held), "held_minor": _amount(held, exposure)}
    if "credit_limit" in stages:
        found |= {
            "proposed_limits_minor": limit,
            "headroom_minor": _amount(room > _int(0), room),
            "over_limit": _count(room < _int(0)),
            "over_limit_minor": _amount(room < _int(0), -room),
        }
    if "escalation" in stages:
        found["dunned"] = _count(nw.col(f"{prefix}level") > _int(0))
    if "worklist" in stages:
        found["worklist"] = _count(nw.col(f"{prefix}worklist_points") > _int(0))
    return found


def _figures(pair: Pair) -> tuple[Figure, ...]:
    own = _judged("", STAGE_NAMES)
    known = dict(zip(own, _known(pair.whole, "figures", [*own.values()]), strict=True))
    (exposure,) = _known(pair.whole, "exposure", [nw.col("exposure_minor")])
    found = {"exposure_minor": (exposure, exposure), **{name: (count, count) for name, count in known.items()}}
    touched = [stage for stage in STAGE_NAMES if stage in pair.touched]
    less, more = _judged(BEFORE, touched), _judged(AFTER, touched)
    if less:
        sums = _sums(pair.rows, [*less.values(), *more.values()])
        for name, gone, come in zip(less, sums[: len(less)], sums[len(less) :], strict=True):
            found[name] = (known[name], known[name] - gone + come)
    return tuple(Figure(name, before, after) for name, (before, after) in found.items())


def _steps(pair: Pair) -> tuple[StepCount, ...]:
    """The steps that begin, in the order of their levels as the policies write them."""
    before = _beginning(pair.whole)
    after = dict(before)
    if "escalation" in pair.touched:
        for prefix, sign in ((BEFORE, -1), (AFTER, 1)):
            for step, customers in _begun(pair.rows, prefix).items():
                after[step] = after.get(step, 0) + sign * customers
    channels = {**_channels(pair.whole.book), **_channels(pair.book)}
    return tuple(
        StepCount(step, channels.get(step, ""), before.get(step, 0), after.get(step, 0))
        for step in (*channels, *sorted({*before, *after} - {*channels}))
        if before.get(step) or after.get(step)
    )


def _channels(book: Book) -> dict[str, str]:
    stage = book.stages.get("escalation")
    terms = None if stage is None else stage.policy.escalation
    return {} if terms is None else {step.key: step.channel for step in terms.steps()}


def _beginning(whole: Side) -> dict[str, int]:
    if "steps" not in whole.kept:
        whole.kept["steps"] = _begun(whole.frame, "")
    found: dict[str, int] = whole.kept["steps"]
    return found


def _begun(frame: Frame, prefix: str) -> dict[str, int]:
    if prefix + ENTERS not in frame.collect_schema().names():
        return {}
    rows = _grouped(frame.filter(nw.col(prefix + ENTERS).fill_null(False)), step=nw.col(f"{prefix}step"))
    return {row["step"]: row["customers"] for row in rows if row["step"] is not None}


def _work(pair: Pair, collectors: Frame) -> tuple[Workload, ...]:
    """By collector, those with the most first; customers without one last."""
    asked, before = pair.whole.kept.get("work", (None, {}))
    if asked is not collectors:  # who works on whom may be another since
        own = _waits("", _channels(pair.whole.book), pair.whole.frame.collect_schema().names())
        before = _by_collector(pair.whole.frame, collectors, own)
        pair.whole.kept["work"] = (collectors, before)
    after = {who: list(counts) for who, counts in before.items()}
    names = pair.rows.collect_schema().names()
    if {"worklist", "escalation"} & pair.touched:
        channels = {BEFORE: _channels(pair.whole.book), AFTER: _channels(pair.book)}
        sides = [_waits(prefix, own, names, pair.touched) for prefix, own in channels.items()]
        other = (sides[0][0] != sides[1][0]) | (sides[0][1] != sides[1][1])
        moved = pair.rows.filter(other)
        for sign, waits in zip((-1, 1), sides, strict=True):
            for who, counts in _by_collector(moved, collectors, waits).items():
                kept = after.setdefault(who, [0, 0])
                after[who] = [old + sign * count for old, count in zip(kept, counts, strict=True)]
    loads = [
        Workload(who, *zip(before.get(who, [0, 0]), counts, strict=True))
        for who, counts in after.items()
        if any(counts) or any(before.get(who, ()))
    ]
    return tuple(sorted(loads, key=lambda one: (one.collector_id is None, -one.worklist[1], one.collector_id or 0)))


def _waits(
    prefix: str, channels: Mapping[str, str], names: Sequence[str], touched: frozenset[str] = frozenset(STAGE_NAMES)
) -> tuple[nw.Expr, nw.Expr]:
    """Whether a customer is on the worklist, and whether a call or task begins."""
    listed = begins = nw.lit(False)
    if "worklist" in touched:
        listed = (nw.col(f"{prefix}worklist_points") > _int(0)).fill_null(False)
    if prefix + ENTERS in names:
        works = sorted(step for step, channel in channels.items() if channel in WORK_CHANNELS)
        begins = nw.col(prefix + ENTERS).fill_null(False) & nw.col(f"{prefix}step").is_in(works).fill_null(False)
    return listed, begins


def _by_collector(frame: Frame, collectors: Frame, waits: tuple[nw.Expr, nw.Expr]) -> dict[int | None, list[int]]:
    listed, begins = waits
    waiting = frame.select("customer_id", listed=_count(listed), begins=_count(begins))
    waiting = waiting.filter((nw.col("listed") + nw.col("begins")) > _int(0))
    rows = rows_of(
        waiting.join(collectors, on="customer_id", how="left")
        .group_by("collector_id")
        .agg(nw.col("listed").sum(), nw.col("begins").sum())
    )
    return {row["collector_id"]: [int(row["listed"]), int(row["begins"])] for row in rows}


# --- counting --------------------------------------------------------------------------


def _known(whole: Side, key: Any, sums: Sequence[nw.Expr]) -> tuple[int, ...]:
    """Sums over all customers before, counted once of a side."""
    if key not in whole.kept:
        whole.kept[key] = _sums(whole.frame, sums)
    found: tuple[int, ...] = whole.kept[key]
    return found


def _sums(frame: Frame, parts: Sequence[nw.Expr]) -> tuple[int, ...]:
    (row,) = rows_of(frame.select(part.sum().alias(str(number)) for number, part in enumerate(parts)))
    return tuple(int(value or 0) for value in row.values())


def _grouped(frame: Frame, **keys: nw.Expr) -> list[dict[str, Any]]:
    """Customers and their exposure by some values."""
    named = frame.select(*(value.alias(name) for name, value in keys.items()), _exposure().alias("exposure"))
    found = rows_of(named.group_by(*keys).agg(nw.len().alias("customers"), nw.col("exposure").sum()))
    return [{**row, "customers": int(row["customers"]), "exposure": int(row["exposure"] or 0)} for row in found]


def _int(number: int) -> nw.Expr:
    return nw.lit(number, dtype=nw.Int64)


def _exposure() -> nw.Expr:
    return nw.coalesce(nw.col("exposure_minor"), _int(0))


def _count(claim: nw.Expr) -> nw.Expr:
    return nw.when(claim.fill_null(False)).then(_int(1)).otherwise(_int(0))


def _amount(claim: nw.Expr, amount: nw.Expr) -> nw.Expr:
    return nw.when(claim.fill_null(False)).then(nw.coalesce(amount, _int(0))).otherwise(_int(0))


def _sha256(pair: Pair, customers: int) -> str:
    """Over every outcome of every customer after the change, in the order of their ids."""
    if "hashes" not in pair.whole.kept:
        pair.whole.kept["hashes"] = column_sha256s(pair.whole.frame, [*OUTCOMES])
    hashes: dict[str, str] = dict(pair.whole.kept["hashes"])
    moved = [name for name in OUTCOMES if BEFORE + name in pair.rows.collect_schema().names()]
    counts = _sums(pair.rows, [_count(differs(name)) for name in moved]) if moved else ()
    other = {name: AFTER + name for name, count in zip(moved, counts, strict=True) if count}
    hashes |= column_sha256s(pair.whole.frame, [*other], pair.rows, other)
    return sha256_of({"customers": customers, "outcomes": hashes})
