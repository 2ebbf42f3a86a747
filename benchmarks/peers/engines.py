"""The engines that are compared, each at its best on one processor."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl
import rule_engine
import zen

from benchmarks.peers import by_hand
from benchmarks.peers.base import ANSWER, OUTCOMES, SINGLE, Answers, Engine
from benchmarks.peers.business import BusinessRules
from benchmarks.peers.chain import Chain
from benchmarks.peers.expressions import expression
from benchmarks.peers.zen_graph import graph_of
from engine.matching import Matcher
from rules import columns, reference
from rules.book import Book


class Columns(Engine):
    """Ours: a plan over the whole frame, made anew each time."""

    name = "columns"
    rows_measured = 1_000_000

    def run(self) -> pl.DataFrame:
        """Plan and collect."""
        plan = columns.decide(nw.from_native(self.rows.lazy()), self.book, masks=False)
        return plan.select(*ANSWER).to_native().collect(engine="streaming")

    def answers(self, found: pl.DataFrame) -> Answers:
        """Rules by key."""
        return _by_key(found, self.book)


class ByHand(Engine):
    """Polars as somebody would write it for these policies alone."""

    name = "Polars by hand"
    rows_measured = 1_000_000

    def run(self) -> pl.DataFrame:
        """Plan and collect."""
        return by_hand.decide(self.rows.lazy(), self.book).select(*ANSWER).collect(engine="streaming")

    def answers(self, found: pl.DataFrame) -> Answers:
        """Rules by key."""
        return _by_key(found, self.book)


def _by_key(found: pl.DataFrame, book: Book) -> Answers:
    keys = {stage: {rule.index: rule.key for rule in book.stages[stage].rules} for stage in SINGLE}
    return [(*row[:6], keys["credit_limit"].get(row[6]), keys["hold"].get(row[7])) for row in found.iter_rows()]


class Reference(Engine):
    """Ours, row by row."""

    name = "reference evaluator"
    rows_measured = 10_000

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        super().__init__(book, rows)
        self.asked = rows.to_dicts()
        reference.decide(self.asked[0], book)

    def run(self) -> list[reference.Decided]:
        """One row after another."""
        return [reference.decide(row, self.book) for row in self.asked]

    def answers(self, found: list[reference.Decided]) -> Answers:
        """Outcomes and winners."""
        return [(*(one.outcomes[name] for name in OUTCOMES), *(one.winner[stage] for stage in SINGLE)) for one in found]


class Durable(Reference):
    """durable-rules in the child process that only matches; points and effects by shared code.

    Stage after stage, because a later one reads outcomes of the earlier.
    """

    name = "durable-rules, caged"
    rows_measured = 2_000
    is_peer = True

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        super().__init__(book, rows)
        self.matcher = Matcher(1)
        self.card, self.rest = (
            Book(
                book.day,
                book.entity,
                book.subject,
                {name: book.stages[name] for name in names},
                book.parameters,
                book.dictionary,
            )
            for names in (("scorecard",), SINGLE)
        )
        self.matcher.confirm(self.card, {"scorecard": self.asked[:10]})
        self.matcher.confirm(self.rest, dict.fromkeys(SINGLE, self.asked[:10]))

    def run(self) -> list[reference.Decided]:
        """The scorecard, then limit and hold, which read its class."""
        card = self.matcher.confirm(self.card, {"scorecard": self.asked})
        points = [reference.decide(row, self.card, card.of(place)) for place, row in enumerate(self.asked)]
        seen = [{**row, "risk_class": one.outcomes["risk_class"]} for row, one in zip(self.asked, points)]
        rest = self.matcher.confirm(self.rest, dict.fromkeys(SINGLE, seen))
        if card.alarms or rest.alarms:
            raise RuntimeError([*card.alarms, *rest.alarms])
        return [
            reference.decide(row, self.book, {**card.of(place), **rest.of(place)})
            for place, row in enumerate(self.asked)
        ]

    def process_ids(self) -> Sequence[int]:
        """The child that matches."""
        return self.matcher.process_ids

    def close(self) -> None:
        """End the child."""
        self.matcher.close()


class Zen(Engine):
    """zen-engine: one graph of three decision tables, compiled once by its static loader."""

    name = "zen-engine"
    rows_measured = 20_000
    is_peer = True

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        super().__init__(book, rows)
        self.asked = rows.to_dicts()
        self.engine = zen.ZenEngine({"loader": {"type": "static", "content": {"policies": graph_of(book)}}})

    def run(self) -> list[Any]:
        """Evaluate; its batch form gains nothing on one processor."""
        evaluate = self.engine.evaluate
        return [evaluate("policies", row) for row in self.asked]

    def answers(self, found: list[Any]) -> Answers:
        """Numbers come back as floats where formulas made them."""
        return [tuple(_whole(one["result"].get(name)) for name in ANSWER) for one in found]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class RuleEngine(Engine):
    """rule-engine: compiled expressions; what follows from them by plain closures."""

    name = "rule-engine"
    rows_measured = 1_000
    is_peer = True

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        super().__init__(book, rows)
        self.asked = rows.to_dicts()
        context = rule_engine.Context(default_value=None)
        self.chain = Chain(book, lambda condition: rule_engine.Rule(expression(condition), context=context).matches)

    def run(self) -> Answers:
        """One row after another."""
        return [self.chain.decide(row) for row in self.asked]

    def answers(self, found: Answers) -> Answers:
        """As they are."""
        return found


ENGINES: Sequence[type[Engine]] = (Columns, ByHand, Zen, Durable, Reference, RuleEngine, BusinessRules)
ENGINE = {one.name: one for one in ENGINES}
