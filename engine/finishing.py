"""The second half of a run: what it decided is confirmed and written, from the start or after a crash."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import after_run, frames, kept_frames, score_history
from engine.confirming import SAMPLE_ROWS, Claimed, confirm, confirm_sample
from engine.database import update_rows
from engine.decisions import Applying, Verdict, standing_row, write, write_points
from engine.differences import STAGE_OUTCOMES, columns_to_apply, matched_in_columns
from engine.editions import edition_of
from engine.matching import Matcher
from engine.pipeline import Asking, Frame, decided_day, may_begin
from engine.tables import Decision, DirtyCustomer, Entity, Outcome, Run, Standing
from ledger.expressions import lit
from rules.book import Book
from rules.reference import Decided
from rules.stages import POINT_OUTCOMES

if TYPE_CHECKING:
    from engine.runtime import Runtime

CONFIRM_ROWS = 2_000  # rows in memory at a time while a run is confirmed


@dataclass
class Steps:
    """Seconds of each step of a run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; a repeated one adds up."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    def as_json(self) -> str:
        """Rounded, for the run's row."""
        return json.dumps({name: round(taken, 3) for name, taken in self.seconds.items()})


@dataclass(frozen=True, slots=True)
class Computed:
    """What a run decides from, and what it decided.

    Args:
        facts: of every customer.
        decided: with differences; every row, or those of ``rows_to_apply``.
        lines: the same of due lines; None where no policy decides them.
    """

    facts: Frame
    decided: Frame
    lines: "Computed | None" = None


def rows_to_apply(decided: Frame, book: Book, customers: int, as_of_day: int) -> Frame:
    """The rows and columns of a decided frame that the rest of a run reads.

    That is whatever differs from what stood before, what could not be decided, and tonight's sample.
    """
    names = tuple(decided.collect_schema().names())
    marks = ("changed", "moved", "stale", "points_changed", *(f"undecided_{name}" for name in book.stages))
    wanted = nw.any_horizontal(*(nw.col(mark) for mark in marks), ignore_nulls=True)
    return decided.filter(wanted | _is_sampled(customers, as_of_day)).select(
        *columns_to_apply(names, book), "points_changed"
    )


def finish(
    runtime: "Runtime",
    run: Run,
    matcher: Matcher,
    ask: Asking | None = None,
    computed: Computed | None = None,
    steps: Steps | None = None,
) -> Run:
    """Confirm and write what a run decided; from its stored facts when it was interrupted."""
    entity = run.entity
    measured = steps or Steps(json.loads(run.seconds))
    edition = ask.edition if ask is not None else edition_of(runtime, entity, str(run.edition), run.as_of_day)
    begins = ask.begins if ask is not None else may_begin(entity, run.as_of_day, edition.policy_key)
    applying = Applying(runtime, run, edition, begins, runtime.now_at())
    decided = None if computed is None else computed.decided
    if decided is None:
        with measured.step("again"):
            facts = kept_frames.scan_frame(runtime, str(run.facts_file))
            decided = decided_day(runtime, entity, edition, run.as_of_day, begins, facts)
    with measured.step("confirm and write"):
        for verdicts in _confirmed(applying, matcher, decided):
            write(applying, verdicts)
    with measured.step("reasons for waiting"):
        _write_rest(applying, decided)
    if run.kind == "nightly":
        with measured.step("sample of points"):
            confirm_sample(applying, matcher, _sample(applying, decided))
    with measured.step("after"):
        after_run.complete(applying, decided)
    with measured.step("scores watched"):
        score_history.watch(runtime, run, edition.model, applying.at)
    if run.lines_file is not None:
        with measured.step("lines"):
            _finish_lines(applying, matcher, None if computed is None else computed.lines)
    with runtime.database.atomic():
        if run.kind == "adoption":
            Entity.update(adopted_day=run.as_of_day, version=Entity.version + 1).where(Entity.id == entity.id).execute()
        Run.update(
            state="done", finished_at=runtime.now_at(), seconds=measured.as_json(), version=Run.version + 1
        ).where(Run.id == run.id).execute()
        clean(entity, run.started_at)
        runtime.database.after_commit(runtime.ring)
    runtime.database.take_statistics()
    found: Run = Run.get_by_id(run.id)
    return found


def _finish_lines(customers: Applying, matcher: Matcher, computed: Computed | None) -> None:
    """Confirm and write what a run decided about due lines; what is written already is left."""
    runtime, run, edition = customers.runtime, customers.run, customers.edition.for_lines()
    begins = may_begin(run.entity, run.as_of_day, edition.policy_key, of_lines=True)
    applying = Applying(runtime, run, edition, begins, customers.at)
    if computed is None:
        rows = kept_frames.scan_frame(runtime, str(run.lines_file))
        decided = decided_day(runtime, run.entity, edition, run.as_of_day, begins, rows)
    else:
        decided = computed.decided
    for verdicts in _confirmed(applying, matcher, decided):
        write(applying, verdicts)
    _write_rest(applying, decided)
    after_run.complete_lines(applying, decided)


def clean(entity: Entity, read_at: int) -> None:
    """Customers marked before the facts were read are decided now."""
    DirtyCustomer.delete().where(DirtyCustomer.entity_id == entity.id, DirtyCustomer.since_at < read_at).execute()


def _confirmed(applying: Applying, matcher: Matcher, decided: Frame) -> Iterator[list[Verdict]]:
    """Changed rows, confirmed, in the order of subjects; without those this run has written already."""
    book = applying.edition.book
    wanted = columns_to_apply(tuple(decided.collect_schema().names()), book)
    rows = decided.filter(nw.col("changed") | nw.col("moved")).select(wanted)
    key = "line_id" if applying.of_lines else "customer_id"
    done = _lines_written(applying.run) if applying.of_lines else _written(applying.run)
    for batch in frames.batches(rows, CONFIRM_ROWS, key):
        claims = [claim_of(row, book) for row in batch if row[key] not in done]
        if claims:
            yield confirm(applying, matcher, claims)


def claim_of(row: dict[str, Any], book: Book) -> Claimed:
    """A decided row as the columns' claim: what they say, apart from what they were told."""
    said = {name: row[name] for names in STAGE_OUTCOMES.values() for name in names}
    said |= {name: row[name] for name in POINT_OUTCOMES}
    if "escalation" in book.stages:
        said |= {name: row[name] for name in ("waiting", "enters_step", "episode_move")}
    return Claimed(row, said, matched_in_columns(row, book))


def _written(run: Run) -> set[int]:
    """Customers this run has decided, or a later one has while it was interrupted."""
    own = Decision.select(Decision.customer).where(Decision.run == run, Decision.line_id == 0).tuples()
    later = Outcome.select(Outcome.customer).where(Outcome.entity_id == run.entity_id, Outcome.run_id > run.id).tuples()
    return {customer for (customer,) in (*own, *later)}


def _lines_written(run: Run) -> set[int]:
    """The same of due lines."""
    found = Decision.select(Decision.line_id).where(
        Decision.entity_id == run.entity_id, Decision.run >= run.id, Decision.line_id != 0
    )
    return {line for (line,) in found.tuples()}


def _sample(applying: Applying, decided: Frame) -> list[Claimed]:
    """Rows whose points are checked tonight, drawn by customer and day."""
    book = applying.edition.book
    wanted = columns_to_apply(tuple(decided.collect_schema().names()), book)
    drawn = _is_sampled(applying.run.customers, applying.run.as_of_day)
    rows = decided.filter(drawn, ~nw.col("changed")).select(wanted).head(SAMPLE_ROWS)
    return [claim_of(row, book) for row in frames.rows_of(rows)]


def _is_sampled(customers: int, as_of_day: int) -> nw.Expr:
    """Whether a row is drawn tonight."""
    every = lit(max(1, customers // SAMPLE_ROWS))
    return (nw.col("customer_id") * lit(7_919) + lit(as_of_day * 104_729)) % every == lit(0)


def _write_rest(applying: Applying, decided: Frame) -> None:
    """What is no decision: reasons for waiting and next steps, and points within a class."""
    book = applying.edition.book
    names = tuple(decided.collect_schema().names())
    quiet = ~(nw.col("changed") | nw.col("moved"))
    if "escalation" in book.stages:
        rows = decided.filter(nw.col("stale") & quiet).select(columns_to_apply(names, book))
        for batch in frames.batches(rows, CONFIRM_ROWS):
            write_standings(applying, batch)
    if applying.of_lines:
        return
    points = decided.filter(nw.col("points_changed") & quiet).select("customer_id", *POINT_OUTCOMES)
    for batch in frames.batches(points, CONFIRM_ROWS):
        write_points(applying.runtime, batch)


def write_standings(applying: Applying, rows: list[dict[str, Any]]) -> None:
    """Write why rows wait and what comes next; their episode, level and step stay."""
    values = []
    for row in rows:
        said = Decided(
            outcomes={name: row[name] for name in ("level", "step", "segment")},
            waiting=row["waiting"],
            episode_move=row["episode_move"],
        )
        found = standing_row(applying, Verdict(row, said, "columns"))
        if found is not None:
            changed = (found["waiting_for"], found["next_step"], found["next_day"])
            values.append((*changed, row["customer_id"], applying.edition.policy_key, found["line_id"]))
    with applying.runtime.database.atomic():
        columns, keys = ("waiting_for", "next_step", "next_day"), ("customer_id", "policy_key", "line_id")
        update_rows(applying.runtime.database, Standing, columns, keys, values)
