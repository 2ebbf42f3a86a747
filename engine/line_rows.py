"""Due lines as subjects of the pipeline: a row for each, through the same stages as a customer's.

A row is what the line says itself (``ledger.lines``), where it stands under the policy of lines, and what
its customer's row says today: facts, and the outcomes of the stages that were decided before. A line that
is no longer open has a row as long as its episode is, so that the episode can end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.frames import (
    STREAM,
    collected,
    frames_on_disk,
    from_rows,
    is_small,
    keep,
    read_frames,
    read_rows,
    rows_of,
    schemas_of,
    typed_rows,
)
from engine.pipeline import (
    Asking,
    Frame,
    Row,
    facts_frame,
    facts_slots,
    kept_slots,
    may_begin,
    read_facts,
    with_before,
)
from engine.queries import Table, questions, questions_of_lines
from engine.ready_plans import PLAN_DAY, Slot, Slots
from ledger.expressions import lit
from ledger.lines import LEADING_COLUMNS, own_facts
from ledger.state import CUSTOMER_COLUMNS, FRAMES, Keep, parts_of
from rules.book import Book
from rules.columns import dtype_of
from rules.escalation import INPUTS
from rules.facts import INVOICE_DICTIONARY, SCORE
from rules.reference import Decided
from rules.stages import OUTCOMES
from rules.stepping import TIED

if TYPE_CHECKING:
    from engine.runtime import Runtime

STANDS = frozenset({"level", "step"})  # outcomes that a line has itself, by its standing


def asking_of_lines(ask: Asking) -> Asking | None:
    """The same question about due lines; None where no policy decides them."""
    if ask.edition.lines is None:
        return None
    edition = ask.edition.for_lines()
    begins = may_begin(ask.entity, ask.as_of_day, edition.policy_key, of_lines=True)
    question = replace(ask.question, policy_key=edition.policy_key)
    return Asking(ask.entity, ask.as_of_day, edition, begins, question)


def tables_of_lines(runtime: "Runtime", ask: Asking) -> dict[str, Table]:
    """What is read for due lines beside the frames of their customers."""
    return questions_of_lines(ask.question, runtime.database)


def own_rows(frames: Mapping[str, Frame], ask: Asking, keep: Keep) -> Frame:
    """What lines say themselves and where they stand: open lines, and those whose episode is."""
    own = own_facts(parts_of(frames, ask.basis, keep), ask.basis)
    first = frames["line_renewed"]
    own = own.join(first, left_on="line_id", right_on="renewed_id", how="left").with_columns(
        line_id=nw.coalesce("first_id", "line_id"),
        leader_line_id=nw.when(~nw.col("leader_line_id").is_null()).then(nw.coalesce("first_id", "line_id")),
    )
    own = keep(own.drop("first_id"))
    standing = frames["line_standing"]
    over = standing.filter(nw.col("at_open").fill_null(False)).join(own.select("line_id"), on="line_id", how="anti")
    types = own.collect_schema()
    gone = over.select(
        "line_id",
        nw.col("line_customer_id").alias("customer_id"),
        *(_of_a_paid_line(n, types[n]) for n in types if n not in KEYS),
    )
    rows = nw.concat([own, gone.select(*own.collect_schema().names())], how="vertical")
    return rows.join(standing.drop("line_customer_id"), on="line_id", how="left")


KEYS = ("line_id", "customer_id")
OF_A_PAID_LINE: Mapping[str, Any] = {"number": "", "line_promised": False}


def _of_a_paid_line(name: str, dtype: Any) -> nw.Expr:
    """Nothing is left of it; what a line without any amount says."""
    column = INVOICE_DICTIONARY.get(name)
    if name in OF_A_PAID_LINE:
        value = OF_A_PAID_LINE[name]
    else:
        amount = column is not None and name != "leader_open_minor" and name.endswith("_minor")
        value = 0 if amount or name == "ordinal" else None
    return nw.lit(value, dtype=dtype).alias(name)


def line_rows(own: Frame, customers: Frame, ask: Asking) -> Frame:
    """A row for each line, ready to be decided.

    Args:
        own: of ``own_rows``.
        customers: their customers' decided rows, with ``was_*``.
        ask: about lines.
    """
    beside = customers.select(*_types_beside(ask.edition.book))
    rows = with_before(own.join(beside, on="customer_id", how="inner"), ask)
    was = {name: nw.col(name) for name in OUTCOMES if name not in STANDS}
    was |= {"level": nw.coalesce(nw.col("at_level"), lit(0)), "step": nw.col("at_step_key")}
    return rows.with_columns(nw.lit(True).alias("known"), *(value.alias(f"was_{name}") for name, value in was.items()))


def _types_beside(book: Book) -> dict[str, Any]:
    """The columns of a customer's decided row that rows of its lines take over."""
    found: dict[str, Any] | None = book.prepared.get("beside lines")
    if found is None:
        read = book.facts() | set(INPUTS)
        leading = {column.name for column in LEADING_COLUMNS}
        facts = [c for c in (*CUSTOMER_COLUMNS, *SCORE) if c.name in read and c.name not in leading]
        found = {"customer_id": nw.Int64, "group_id": nw.Int64, "was_as_of_day": nw.Int64, "since_month_end": nw.Int64}
        found[TIED] = nw.String  # a person ties the customer, with all its lines, to a scenario
        found |= {column.name: dtype_of(column) for column in facts}
        found |= {f"was_{name}": dtype_of(column) for name, column in OUTCOMES.items()}
        found |= {name: dtype_of(column) for name, column in OUTCOMES.items() if name not in STANDS}
        book.prepared["beside lines"] = found
    return found


def rows_of_customers(
    runtime: "Runtime", ask: Asking, customers: Sequence[Row], outcomes: Mapping[int, Decided]
) -> list[Row]:
    """Rows of the lines of a few customers, through plans that are ready.

    Args:
        ask: about lines.
        customers: their fact rows.
        outcomes: by customer, what was made of them.
    """
    tables = questions(ask.question, runtime.database) | tables_of_lines(runtime, ask)
    numbers = [row["customer_id"] for row in customers]
    if not numbers:
        return []
    types = _types_beside(ask.edition.book)
    decided = from_rows([{**row, **outcomes[row["customer_id"]].outcomes} for row in customers], types)
    with _slots(runtime, ask, tables).slot() as slot:
        frames = typed_rows(tables, read_rows(runtime, tables, numbers)) | {"customers": decided}
        found = rows_of(slot.answer(frames, ask.as_of_day))
    return sorted(found, key=lambda row: int(row["line_id"]))


def _slots(runtime: "Runtime", ask: Asking, tables: Mapping[str, Table]) -> Slots:
    def build() -> Slot:
        then = replace(ask, as_of_day=PLAN_DAY)
        schemas = {**schemas_of(tables), "customers": _types_beside(ask.edition.book)}
        return Slot(schemas, lambda frames, keep: line_rows(own_rows(frames, then, keep), frames["customers"], then))

    return kept_slots(runtime, "line rows", (ask.entity.id, ask.edition, ask.begins), build)


def read_portfolio(runtime: "Runtime", ask: Asking, of_lines: Asking | None) -> tuple[Frame, Frame | None]:
    """The facts of a whole entity, and what its due lines say themselves, of one snapshot; computed.

    Args:
        of_lines: the same question about due lines; None: no policy decides them.

    Returns:
        Of customers ``facts_frame``; of due lines ``own_rows``, or None.
    """
    if of_lines is None:
        return read_facts(runtime, ask), None
    more = tables_of_lines(runtime, of_lines)
    if not is_small(runtime):
        with frames_on_disk(runtime, ask.question, more) as frames:
            facts = collected(facts_frame(frames, ask), STREAM)
            return facts, collected(own_rows(frames, of_lines, keep), STREAM)
    frames = read_frames(runtime, ask.entity, as_of_day=ask.as_of_day, question=ask.question, more=more)
    tables = questions(ask.question, runtime.database)
    with facts_slots(runtime, ask, tables).slot() as slot:
        facts = slot.answer(frames, ask.as_of_day)
    with _own_slots(runtime, of_lines, tables | more).slot() as slot:
        return facts, slot.answer(frames, ask.as_of_day)


def _own_slots(runtime: "Runtime", ask: Asking, tables: Mapping[str, Table]) -> Slots:
    read = {name: schema for name, schema in schemas_of(tables).items() if name in FRAMES or name.startswith("line_")}

    def build() -> Slot:
        then = replace(ask, as_of_day=PLAN_DAY)
        return Slot(read, lambda frames, keep: own_rows(frames, then, keep))

    return kept_slots(runtime, "own lines", (ask.entity.id, ask.edition, ask.begins), build)
