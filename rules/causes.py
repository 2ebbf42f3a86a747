"""Causes: which of the facts that changed between two decisions made an outcome another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rules.book import Book
from rules.closures import Row
from rules.conditions import Scalar
from rules.reference import OVERRIDE, decide
from rules.stages import STAGE

EXACT_SIZE = 2  # sets up to this size are all tried
TRIED_MAX = 60  # differences up to which pairs are tried
Outcomes = dict[str, Scalar | None]


@dataclass(frozen=True, slots=True)
class Causes:
    """What made the outcome of a stage another.

    Args:
        before, after: the stage's outcomes under each facts and rules.
        facts: names of the facts that together make the difference; empty when the rules alone do.
        rules: whether the rules must be the later ones as well.
        exact: whether no smaller set does.
    """

    before: Outcomes
    after: Outcomes
    facts: tuple[str, ...]
    rules: bool
    exact: bool


def differing(before: Row, after: Row, names: Mapping[str, object]) -> list[str]:
    """The declared facts and overrides that differ between two rows; a missing one is unknown."""
    shared = dict.fromkeys([*before, *after])
    return [
        name for name in shared if (name in names or name.startswith(OVERRIDE)) and before.get(name) != after.get(name)
    ]


def causes_of(stage: str, before: Row, after: Row, old: Book, new: Book, names: Mapping[str, object]) -> Causes | None:
    """The fewest differences that turn the earlier outcome of a stage into the later one.

    Outcomes of earlier stages follow from the facts, so only facts, overrides and the rules can be causes.

    Args:
        before, after: fact rows of two decisions.
        old, new: the books they were decided under.
        names: declared facts.

    Returns:
        None where both give the same outcomes.
    """
    outcomes = [column.name for column in STAGE[stage].outcomes]

    def given(row: Row, book: Book) -> Outcomes:
        decided = decide(row, book)
        return {name: decided.outcomes.get(name) for name in outcomes}

    first, last = given(before, old), given(after, new)
    if first == last:
        return None
    facts = differing(before, after, names)
    parts: list[str | None] = [*facts, *([None] if old is not new else [])]  # None: the rules

    def does(chosen: Sequence[str | None]) -> bool:
        row = {**before, **{name: after.get(name) for name in chosen if name is not None}}
        return given(row, new if None in chosen else old) == last

    for size in range(1, EXACT_SIZE + 1 if len(parts) <= TRIED_MAX else 2):
        for chosen in combinations(parts, size):
            if does(chosen):
                return _causes(first, last, chosen, True)
    return _causes(first, last, _reduced(parts, does), False)


def _reduced(parts: Sequence[str | None], does: Callable[[Sequence[str | None]], bool]) -> list[str | None]:
    """The differences of which none can be left out, taken from all of them one by one."""
    left = list(parts)
    for part in parts:
        fewer = [one for one in left if one != part]
        if fewer and does(fewer):
            left = fewer
    return left


def _causes(first: Outcomes, last: Outcomes, chosen: Sequence[str | None], exact: bool) -> Causes:
    return Causes(first, last, tuple(name for name in chosen if name is not None), None in chosen, exact)
