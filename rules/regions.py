"""Regions: sets of rows as conjunctive paths, what rules leave of them, and an example of each.

Sound, not complete: a region said to be empty is empty; where the work grows beyond its bound,
None says that nothing was proved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ledger.columns import Column, Kind
from rules.closures import holds_of
from rules.conditions import NULL_TESTS, OPPOSITE, All, Const, FactRef, Op, Scalar, Test
from rules.facts import empty_row
from rules.intervals import EVERYTHING, Possible, Space, negatives, possible, possible_after

Path = tuple[Test, ...]
Row = dict[str, Scalar | None]

REPAIRS = 4  # rounds of making an example obey comparisons between facts
SOME_CODE = "other"


def failing(test: Test, facts: Mapping[str, Column]) -> list[Test]:
    """Tests of which at least one holds for every row that does not pass a test; unknown included."""
    if test.op in NULL_TESTS:
        return [replace(test, op=OPPOSITE[test.op])]
    known = [replace(test, op=OPPOSITE[test.op])] if isinstance(test.value, FactRef) else negatives(test)
    unknown = [test.fact, *([test.value.name] if isinstance(test.value, FactRef) else [])]
    return known + [Test(name, Op.IS_NULL, place=test.place) for name in unknown if facts[name].nullable]


@dataclass(frozen=True, slots=True)
class Part:
    """A path and what it leaves possible."""

    path: Path
    space: Space

    def after(self, test: Test, facts: Mapping[str, Column]) -> "Part | None":
        """The part with one more test; None when nothing is left of it."""
        space = self.space.after((test,), facts)
        return None if space is None else Part((*self.path, test), space)


def part_of(path: Path, facts: Mapping[str, Column]) -> Part | None:
    """A path with what it leaves possible; None when that is nothing."""
    space = EVERYTHING.after(path, facts)
    return None if space is None else Part(path, space)


def parts_of(paths: Iterable[Path], facts: Mapping[str, Column]) -> list[Part]:
    """Paths with what they leave possible, those left out that leave nothing."""
    return [part for part in (part_of(path, facts) for path in paths) if part is not None]


def _without(part: Part, taken: Part, facts: Mapping[str, Column]) -> list[Part]:
    """What is left of a part when the rows of another are taken out."""
    if not part.space.meets(taken.space):
        return [part]
    left: list[Part] = []
    for test in taken.path:
        for negative in failing(test, facts):
            kept = part.after(negative, facts)
            if kept is not None:
                left.append(kept)
        inside = part.after(test, facts)
        if inside is None:
            break
        part = inside
    return left


def left_after(
    region: Iterable[Part], taken: Iterable[Part], facts: Mapping[str, Column], parts_max: int
) -> list[Path] | None:
    """What is left of a region when others are taken out; None when it falls into too many parts to tell."""
    left = list(region)
    for other in taken:
        left = [kept for part in left for kept in _without(part, other, facts)]
        if len(left) > parts_max:
            return None
    return [part.path for part in left]


def example(path: Path, facts: Mapping[str, Column]) -> Row | None:
    """A row that passes a path: what differs from an empty customer. None when none is found."""
    left = possible_after(path, facts)
    if left is None:
        return None
    plain = empty_row(facts)
    row: Row = {name: _some_value(one, plain[name]) for name, one in left.items()}
    for _ in range(REPAIRS):
        for test in path:
            if isinstance(test.value, FactRef):
                _repair(row, test, test.value.name, left)
    return row if holds_of(All(path))({**plain, **row}) else None


def _some_value(left: Possible, plain: Scalar | None) -> Scalar | None:
    """A value as near to the empty customer's as a test allows."""
    if plain is None and left.null:
        return None
    if not left.value:
        return None
    if left.only is not None:
        allowed = sorted((one for one in left.only if one not in left.never and left.within(one)), key=str)
        return plain if plain in allowed else allowed[0]
    if isinstance(plain, str) or any(isinstance(one, str) for one in left.never) or left.is_text:
        return _some_code(left)
    number = min(max(int(plain or 0), left.low), left.high)
    while number in left.never and number < left.high:
        number += 1
    while number in left.never:
        number -= 1
    return number


def _some_code(left: Possible) -> str:
    code = SOME_CODE
    while code in left.never:
        code += "x"
    return code


def _repair(row: Row, test: Test, other: str, left: Mapping[str, Possible]) -> None:
    """Move one of two facts so that their comparison holds, if its range allows."""
    mine, theirs = row[test.fact], row[other]
    if mine is None or theirs is None:
        row[test.fact], row[other] = _known(mine, left[test.fact]), _known(theirs, left[other])
        return
    if isinstance(mine, str | bool) or isinstance(theirs, str | bool):
        row[other] = mine if test.op is Op.EQ else theirs
        return
    wanted = {
        Op.LT: mine + 1, Op.LE: mine, Op.GT: mine - 1, Op.GE: mine, Op.EQ: mine, Op.NE: mine + 1,
    }[test.op]  # fmt: skip
    holds = holds_of(test)(row)
    if holds:
        return
    if left[other].within(wanted):
        row[other] = wanted
    else:
        row[test.fact] = {Op.LT: theirs - 1, Op.GT: theirs + 1, Op.NE: theirs - 1}.get(test.op, theirs)


def _known(value: Scalar | None, left: Possible) -> Scalar | None:
    return _some_value(replace(left, null=False), 0 if not left.is_text else "") if value is None else value


def constant(fact: str, value: int) -> Test:
    """The test that a fact is a number.

    >>> constant("tenure_days", 3).value
    Const(value=3)
    """
    return Test(fact, Op.EQ, Const(value))


def span_of(path: Path, fact: str, facts: Mapping[str, Column]) -> tuple[int, int] | None:
    """The numbers a path leaves to a fact; None when it is no number or the path is impossible."""
    if facts[fact].unit is None or facts[fact].kind is Kind.BOOL:
        return None
    left = possible_after(path, facts)
    if left is None:
        return None
    one = left.get(fact, possible(facts[fact]))
    if one.only is not None or not one.value:
        return None
    return one.low, one.high
