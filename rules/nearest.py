"""Nearest values: which facts of a row must change, and to what, so that a conjunction of tests holds.

As few facts as possible; each goes to the nearest value that its declaration and every test on it
allow. Comparisons between two facts may move either of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from ledger.columns import Column
from rules.closures import Row, verdict_of
from rules.conditions import Const, FactRef, Op, Scalar, Test
from rules.intervals import MIRRORED, Possible, narrowed, possible, possible_after

LINKED_MAX = 8  # facts in comparisons up to which every choice of what moves is tried
SOME_CODE = "other"
Values = dict[str, Scalar | None]


def nearest_row(path: Sequence[Test], row: Row, dictionary: Mapping[str, Column]) -> tuple[Values | None, bool]:
    """The fewest facts to change so that every test of a path holds.

    Args:
        path: tests against constants or other facts.
        row: what the stage saw.
        dictionary: declares every fact of the path.

    Returns:
        New value by fact, None where no change will do; and whether that is proved to be the fewest.
    """
    failing = [test for test in path if verdict_of(test)(row) is not True]
    forced = {test.fact for test in failing if not isinstance(test.value, FactRef)}
    free = [name for name in _linked(failing) | _linked(path) if name not in forced]
    # Told at once, before every choice is tried; a value beyond its declaration might pass nevertheless.
    declared = all(_is_declared(row.get(name), dictionary[name]) for name in {*_linked(path), *(t.fact for t in path)})
    if len(free) > 1 and declared and _is_impossible(path, row, dictionary):
        return None, True
    exact = len(free) <= LINKED_MAX
    sizes = range(len(free) + 1) if exact else (0, 1, len(free))
    for size in sizes:
        for more in combinations(free, size):
            moving = [*more, *sorted(forced)]
            for order in (moving, moving[::-1]):
                found = _moved(path, row, order, dictionary)
                if found is not None:
                    return found, exact
    return None, _is_impossible(path, row, dictionary)


def _is_impossible(path: Sequence[Test], row: Row, dictionary: Mapping[str, Column]) -> bool:
    """Whether no row of declared values passes a path, provably."""
    everything = list(dict.fromkeys([test.fact for test in path] + list(_linked(path))))
    return possible_after(path, dictionary) is None or _ranges(path, row, everything, dictionary) is None


def _is_declared(value: Scalar | None, column: Column) -> bool:
    """Whether a value lies in the range its column declares."""
    left = possible(column)
    if value is None:
        return left.null
    return left.within(value) and (left.only is None or value in left.only)


def _linked(tests: Iterable[Test]) -> dict[str, None]:
    """The facts that stand in comparisons with others, those on the left first."""
    found = [(test.fact, test.value.name) for test in tests if isinstance(test.value, FactRef)]
    return dict.fromkeys([left for left, _ in found] + [right for _, right in found])


def _moved(path: Sequence[Test], row: Row, moving: Sequence[str], dictionary: Mapping[str, Column]) -> Values | None:
    """Values for the facts that move, one after the other; None when the path does not hold with them."""
    values: Values = {}
    left = _ranges(path, row, moving, dictionary)
    if left is None:
        return None
    for index, name in enumerate(moving):
        known = {**row, **values}
        later = set(moving[index + 1 :])
        mine = left[name]
        for test in _on(path, name):
            other = test.value.name if isinstance(test.value, FactRef) else None
            if other == name or other in later:
                continue
            if other is not None:
                seen = known.get(other)
                if seen is None:
                    return None
                test = replace(test, value=Const(seen))
            mine = narrowed(mine, test)
        if mine.is_empty():
            return None
        values[name] = nearest(mine, row.get(name), dictionary[name])
    final = {**row, **values}
    if all(verdict_of(test)(final) is True for test in path):
        return {name: value for name, value in values.items() if value != row.get(name)}
    return None


def _on(path: Iterable[Test], name: str) -> Iterator[Test]:
    """The tests of a fact, those it stands on the right of turned round."""
    for test in path:
        if test.fact == name:
            yield test
        elif isinstance(test.value, FactRef) and test.value.name == name:
            yield Test(name, MIRRORED[test.op], FactRef(test.fact), test.place)


def _ranges(
    path: Sequence[Test], row: Row, moving: Sequence[str], dictionary: Mapping[str, Column]
) -> dict[str, Possible] | None:
    """What constants, facts that stay and each other's bounds leave of the facts that move; None: nothing."""
    left = {name: possible(dictionary[name]) for name in moving}
    between: list[Test] = []
    for name in moving:
        for test in _on(path, name):
            if isinstance(test.value, FactRef):
                left[name] = replace(left[name], null=False)
                if test.value.name in left:
                    between.append(test)
                    continue
                seen = row.get(test.value.name)
                if seen is None:
                    return None
                test = replace(test, value=Const(seen))
            left[name] = narrowed(left[name], test)
        left[name] = _spanned(left[name])
    for _ in moving:  # a bound travels at most so far
        for test in between:
            if isinstance(test.value, FactRef) and not left[test.fact].is_text:
                left[test.fact] = _within(left[test.fact], test.op, left[test.value.name])
    return None if any(one.is_empty() for one in left.values()) else left


def _spanned(left: Possible) -> Possible:
    """The same, its range no wider than the numbers that are left."""
    numbers = [one for one in left.only or () if isinstance(one, int) and not isinstance(one, bool)]
    numbers = [one for one in numbers if one not in left.never and left.within(one)]
    return replace(left, low=min(numbers), high=max(numbers)) if numbers else left


def _within(mine: Possible, op: Op, other: Possible) -> Possible:
    """What the other fact's range leaves of a fact that is compared with it."""
    match op:
        case Op.LT:
            return replace(mine, high=min(mine.high, other.high - 1))
        case Op.LE:
            return replace(mine, high=min(mine.high, other.high))
        case Op.GT:
            return replace(mine, low=max(mine.low, other.low + 1))
        case Op.GE:
            return replace(mine, low=max(mine.low, other.low))
        case Op.EQ:
            return replace(mine, low=max(mine.low, other.low), high=min(mine.high, other.high))
        case _:
            return mine


def nearest(left: Possible, seen: Scalar | None, column: Column) -> Scalar | None:
    """The value nearest to what was seen, of those that are left.

    >>> from rules.facts import FACTS
    >>> column = FACTS["leader_days_past_due"]
    >>> nearest(replace(possible(column), null=False, low=31), 20, column)
    31
    """
    if not left.value or (seen is None and left.null):
        return None
    if left.only is not None:
        allowed = [one for one in left.only if one not in left.never and left.within(one)]
        return seen if seen in allowed else min(allowed, key=lambda one: _distance(one, seen, column))
    if left.is_text:
        code = seen if isinstance(seen, str) else SOME_CODE
        while code in left.never:
            code = SOME_CODE if code == seen and seen != SOME_CODE else f"{code}x"
        return code
    start = min(max(seen if isinstance(seen, int) else 0, left.low), left.high)
    for step in range(len(left.never) + 1):
        for number in (start + step, start - step):
            if number not in left.never and left.low <= number <= left.high:
                return number
    return start


def _distance(one: Scalar, seen: Scalar | None, column: Column) -> tuple[int, str]:
    if isinstance(one, int) and not isinstance(one, bool):
        return abs(one - (seen if isinstance(seen, int) else 0)), ""
    return column.values.index(one) if one in column.values else len(column.values), str(one)
