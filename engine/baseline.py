"""What one edition makes of a whole portfolio's facts, kept so that a change decides only what it reaches.

A simulation compares two sides. The side in force is decided once for a run and stays in memory;
of the other side only the stages are decided that differ, or read an outcome of one that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.differences import facts_to_keep
from engine.frames import beside, collected, column_sha256s, rows_of
from engine.pipeline import Frame
from engine.tables import Run
from rules import columns
from rules.book import MASK_BITS, Book, BookStage
from rules.columns import mask_name
from rules.reference import OVERRIDE
from rules.stages import OUTCOMES, PREVIOUS, STAGE_NAMES, STAGES

if TYPE_CHECKING:
    from engine.runtime import Runtime

SIDES_KEPT = 2  # a side of a million customers holds about 200 MB

Hits = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Side:
    """The outcomes of every customer under one book.

    Args:
        frame: computed, in the order of ``customer_id``; with it ``exposure_minor``, every outcome
            and, per stage with a policy, ``undecided_<stage>``.
        hits: by stage and key of the rule, how many customers it matches.
        hashes: by outcome, the sha256 of its column.
        kept: what is counted of this side alone, by stage; filled by who counts it.
    """

    frame: Frame
    hits: Hits
    hashes: Mapping[str, str]
    kept: dict[str, Any] = field(default_factory=dict)


def side_of(facts: Frame, book: Book) -> Side:
    """Decide all stages of a portfolio's facts."""
    return _side(columns.decide(facts, book).select("customer_id", "exposure_minor", *_decided_names(book)), book)


def side_of_run(runtime: "Runtime", run: Run, facts: Frame, edition_sha256: str, book: Book) -> Side:
    """The same for the stored facts of a run, kept in memory.

    Args:
        facts: those the run stored.
        edition_sha256: of the edition the book belongs to.
    """
    kept: dict[Any, Side] = runtime.cache.setdefault("sides", {})
    key = (run.facts_sha256, edition_sha256, book.day)
    if key in kept:
        kept[key] = kept.pop(key)  # the one used last goes last
        return kept[key]
    side = side_of(facts, book)
    while len(kept) >= SIDES_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = side
    return side


def changed_side(facts: Frame, before: Side, touched: frozenset[str], book: Book) -> Side:
    """Decide the touched stages of the same facts; the others stand as they are.

    Args:
        facts: those ``before`` was decided from, in the same order.
        touched: stages that may come out otherwise (``reached``).
        book: the changed one.
    """
    if not touched:
        return before
    part = replace(book, stages={name: s for name, s in book.stages.items() if name in touched}, prepared={})
    given = [column.name for stage in STAGES if stage.name not in touched for column in stage.outcomes]
    rows = beside(facts.select(_read_by(facts, part)), before.frame.select(given))
    decided = columns.decide(rows, book, given=frozenset(STAGE_NAMES) - touched)
    side = _side(decided.select(*_decided_names(part), *_absent_names(part, touched)), part)
    own = side.frame.collect_schema().names()
    gone = {name for name in before.frame.collect_schema().names() if name in own or name in _doubts(touched)}
    return Side(
        beside(before.frame.drop(*gone), side.frame),
        {**{name: hits for name, hits in before.hits.items() if name not in touched}, **side.hits},
        {**before.hashes, **side.hashes},
    )


def reached(before: Book, after: Book) -> frozenset[str]:
    """The stages that may come out otherwise: those that differ, and those that read an outcome of one."""
    found: set[str] = set()
    outcomes: set[str] = set()
    for stage in STAGES:
        old, new = before.stages.get(stage.name), after.stages.get(stage.name)
        read = frozenset[str]() if new is None else _facts_read(new)
        if old != new or read & outcomes:
            found.add(stage.name)
            outcomes |= {column.name for column in stage.outcomes}
    return frozenset(found)


def _facts_read(stage: BookStage) -> frozenset[str]:
    return stage.facts() | ({stage.plan.scenario_by, "segment"} if stage.plan is not None else set())


def _read_by(facts: Frame, part: Book) -> list[str]:
    """The columns of facts that deciding some stages needs."""
    wanted = facts_to_keep(part)
    return [
        name
        for name in facts.collect_schema().names()
        if name in wanted or (name.startswith((OVERRIDE, PREVIOUS)) and name.split("_", 1)[1] in OUTCOMES)
    ]


def _decided_names(book: Book) -> list[str]:
    names = [column.name for stage in STAGES if stage.name in book.stages for column in stage.outcomes]
    return [*names, *_absent_names(book, frozenset(STAGE_NAMES)), *_doubts(frozenset(book.stages)), *_masks(book)]


def _absent_names(book: Book, of: frozenset[str]) -> list[str]:
    """Outcomes of stages without a policy."""
    absent = [stage for stage in STAGES if stage.name in of and stage.name not in book.stages]
    return [column.name for stage in absent for column in stage.outcomes]


def _doubts(stages: frozenset[str]) -> list[str]:
    return [f"undecided_{name}" for name in STAGE_NAMES if name in stages]


def _masks(book: Book) -> list[str]:
    return [mask_name(stage.name, word) for stage in book.stages.values() for word in range(stage.words)]


def _side(decided: Frame, book: Book) -> Side:
    frame = collected(decided)
    hits = {name: _hits(frame, stage) for name, stage in book.stages.items()}
    frame = collected(frame.drop(*_masks(book)))
    named = [name for name in frame.collect_schema().names() if name in OUTCOMES]
    return Side(frame, hits, column_sha256s(frame, named))


def _hits(frame: Frame, stage: BookStage) -> dict[str, int]:
    """How many rows each rule matches: masks are few, so their bits are counted once for each."""
    found: dict[str, int] = {}
    for word in range(stage.words):
        mask = nw.col(mask_name(stage.name, word))
        seen = frame.group_by(mask_name(stage.name, word)).agg(nw.len().cast(nw.Int64).alias("rows"))
        rules = stage.rules[word * MASK_BITS : (word + 1) * MASK_BITS]
        bits = [
            ((mask // nw.lit(1 << (rule.index % MASK_BITS), dtype=nw.Int64)) % nw.lit(2, dtype=nw.Int64))
            * nw.col("rows")
            for rule in rules
        ]
        (row,) = rows_of(seen.select(bit.sum().alias(rule.key) for bit, rule in zip(bits, rules, strict=True)))
        found |= {key: int(count or 0) for key, count in row.items()}
    return found
