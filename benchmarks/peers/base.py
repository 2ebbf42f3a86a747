"""What every compared engine is: prepared once, then run as often as asked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import polars as pl

from rules.book import Book
from rules.facts import DICTIONARY

OUTCOMES = ("points", "risk_class", "proposed_limit_minor", "proposed_terms_days", "hold", "hold_reason")
SINGLE = ("credit_limit", "hold")  # the stages in which one rule decides
ANSWER = (*OUTCOMES, *(f"winner_{stage}" for stage in SINGLE))
Answers: TypeAlias = list[tuple[Any, ...]]
Row: TypeAlias = dict[str, Any]


def may_be_unknown(name: str) -> bool:
    """Whether a fact of these policies needs a guard against null: the class is always known."""
    return DICTIONARY[name].nullable and name != "risk_class"


class Engine(ABC):
    """One way to decide rows by a book.

    It is prepared once, for rows in the form it likes most; that costs it nothing. ``run`` then decides
    all rows: conditions, hit policies and effects of three stages.

    Args:
        book: of ``benchmarks.peers.policies``.
        rows: facts.
    """

    name: str
    rows_measured: int  # a sample that takes about a second or less
    is_peer = False  # whether it is another rule engine, alone

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        self.book, self.rows = book, rows

    @abstractmethod
    def run(self) -> Any:
        """Decide all rows; what the engine itself answers."""

    @abstractmethod
    def answers(self, found: Any) -> Answers:
        """The same as tuples that can be compared, in the order of ``ANSWER``."""

    def process_ids(self) -> Sequence[int]:
        """Processes that it started, whose processor time counts too."""
        return ()

    def close(self) -> None:  # noqa: B027 most have nothing to end
        """End what it started."""
