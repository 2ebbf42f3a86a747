"""What one edition makes of a whole portfolio's facts, kept in memory for what is compared with it."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.differences import facts_to_keep
from engine.frames import alongside, collected, count_of, rows_of
from engine.pipeline import Frame
from engine.tables import Run
from rules import columns
from rules.book import Book, BookRule
from rules.columns import truth_name
from rules.reference import OVERRIDE
from rules.stages import OUTCOMES, PREVIOUS, STAGE_NAMES, STAGES

if TYPE_CHECKING:
    from engine.runtime import Runtime

SIDES_KEPT = 2  # a side of a million customers holds about 500 MB
KEYS = ("customer_id", "exposure_minor")
ENTERS = "enters_step"  # whether a step begins
# Of a sample: a customer is in it when a number drawn from its id falls below a share of PRIME. The
# square mixes ids that follow each other; all of it stays within 64 bits, on every engine alike.
PRIME = 2**31 - 1
SAMPLE_FACTOR, SAMPLE_ADDEND = 48_271, 20_260_101

Hits = Mapping[str, Mapping[str, int]]
Rules = Mapping[str, Iterable[BookRule]]


@dataclass(frozen=True)
class Side:
    """The outcomes of customers under one book.

    Args:
        facts: what was decided, in the order of ``customer_id``; read as it is used.
        near: of them, computed, what the book reads.
        frame: computed, the same customers in the same order: ``customer_id``, ``exposure_minor``,
            every outcome, per stage with a policy ``undecided_<stage>`` and ``holds_<stage>_<i>``,
            with an escalation ``enters_step``.
        book: that decided.
        kept: what is counted of this side alone; filled by who counts it.
    """

    facts: Frame
    near: Frame
    frame: Frame
    book: Book
    kept: dict[Any, Any] = field(default_factory=dict)

    def hits(self) -> Hits:
        """By stage and key of the rule, how many customers it matches."""
        if "hits" not in self.kept:
            self.kept["hits"] = counted_hits(self.frame, {n: stage.rules for n, stage in self.book.stages.items()})
        found: Hits = self.kept["hits"]
        return found


def side_of(facts: Frame, book: Book) -> Side:
    """Decide all stages of a portfolio's facts, sorted by ``customer_id``."""
    near = collected(facts.select(columns_read(facts.collect_schema().names(), book)))
    decided = columns.decide(near, book, masks=False, truths=True)
    truths = [truth_name(name, rule.index) for name, stage in book.stages.items() for rule in stage.rules]
    names = [*KEYS, *outcomes_of(STAGE_NAMES), *marks_of(book), *truths]
    frame = collected(decided.select(*names), count_of(near))
    return Side(facts, near, collected(frame.sort("customer_id")), book)


def side_of_run(runtime: "Runtime", run: Run, facts: Frame, edition_sha256: str, book: Book) -> Side:
    """The same for the stored facts of a run, kept in memory.

    Args:
        facts: those the run stored.
        edition_sha256: of the edition the book belongs to.
    """
    kept: dict[Any, Side] = runtime.cache.setdefault("sides", {})
    key = (run.facts_sha256, edition_sha256, book.day)
    with runtime.cache.setdefault("deciding a side", threading.Lock()):  # one at a time: each takes much memory
        if key in kept:
            kept[key] = kept.pop(key)  # the one used last goes last
        else:
            while len(kept) >= SIDES_KEPT:
                kept.pop(next(iter(kept)))
            kept[key] = side_of(facts, book)
        return replace(kept[key], facts=facts)


def sample_of_run(runtime: "Runtime", run: Run, facts: Frame, edition_sha256: str, book: Book, share: int) -> Side:
    """About so many customers of a run's stored facts under a book, always the same ones; kept in memory."""
    kept: dict[Any, Side] = runtime.cache.setdefault("sampled sides", {})
    key = (run.facts_sha256, edition_sha256, book.day, share)
    if key not in kept:
        some = facts.filter(in_sample(share, run.customers)).sort("customer_id")
        while len(kept) >= SIDES_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = side_of(collected(some), book)  # with all facts: a change may read others
    return kept[key]


def part_of(side: Side, whom: nw.Expr | None, among: Frame | None = None) -> Side:
    """Some customers of a side.

    Args:
        whom: a claim about their facts and outcomes.
        among: ``customer_id`` of those to choose from.
    """
    near, own = side.near.collect_schema().names(), side.frame.collect_schema().names()
    rows = alongside(side.near, side.frame.select(name for name in own if name not in near))
    if whom is not None:
        rows = rows.filter(whom)
    if among is not None:
        rows = rows.join(among, on="customer_id", how="semi").sort("customer_id")
    rows = collected(rows)
    facts = side.facts.join(rows.select("customer_id"), on="customer_id", how="semi").sort("customer_id")
    return Side(facts, rows.select(near), rows.select(own), side.book)


def in_sample(share: int, of: int) -> nw.Expr:
    """Whether a customer is in a sample of about so many of so many customers; always the same ones."""
    drawn = (nw.col("customer_id") * _whole(SAMPLE_FACTOR) + _whole(SAMPLE_ADDEND)) % _whole(PRIME)
    mixed = (drawn * drawn) % _whole(PRIME)
    return mixed < _whole(PRIME * share // of)


def _whole(number: int) -> nw.Expr:
    return nw.lit(number, dtype=nw.Int64)


def counted_hits(frame: Frame, rules: Rules, among: str = "") -> dict[str, dict[str, int]]:
    """By stage and key, how many rows of a frame each of some rules matches.

    Args:
        among: a column that says which rows count; by default all.
    """
    names = {(stage, rule.key): truth_name(stage, rule.index) for stage, own in rules.items() for rule in own}
    found: dict[str, dict[str, int]] = {stage: {} for stage in rules}
    if names:
        claims = {name: nw.col(name) & nw.col(among) if among else nw.col(name) for name in names.values()}
        (row,) = rows_of(frame.select(claim.sum().cast(nw.Int64).alias(name) for name, claim in claims.items()))
        for (stage, key), name in names.items():
            found[stage][key] = int(row[name] or 0)
    return found


def columns_read(facts: Iterable[str], book: Book) -> list[str]:
    """The columns of facts that deciding by a book may read, and whose they are."""
    wanted = facts_to_keep(book) | {*KEYS}
    return [
        name
        for name in facts
        if name in wanted or (name.startswith((OVERRIDE, PREVIOUS)) and name.split("_", 1)[1] in OUTCOMES)
    ]


def outcomes_of(stages: Iterable[str]) -> list[str]:
    """The outcomes of some stages, in order."""
    some = frozenset(stages)
    return [column.name for stage in STAGES if stage.name in some for column in stage.outcomes]


def marks_of(book: Book) -> list[str]:
    """What deciding says beside outcomes: who waits for a person, and whose step begins."""
    doubts = [f"undecided_{name}" for name in STAGE_NAMES if name in book.stages]
    return [*doubts, ENTERS] if "escalation" in book.stages else doubts
