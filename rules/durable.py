"""Durable-rules form of a stage: flat facts and conjunctive paths, cut into shards.

Pure: nothing here loads the extension. A rule's condition, in negation normal form, becomes
at most 32 conjunctive paths; a shard holds at most 60 of them. Comparisons of a fact with a
constant are asked natively. Everything else (fact against fact, lists, null tests) is an
*atom*, computed here by the reference evaluator and put into the fact as ``x_n: 1`` or left
out. Nulls are left out too: "missing never matches" is then "unknown counts as false".
Source: cage.md 7 to 9.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything

from ledger.columns import Column
from rules.book import Book, BookStage
from rules.closures import Holds, holds_of
from rules.conditions import NULL_TESTS, Const, Op, Scalar, Test, pair, path_count, paths
from rules.facts import fits
from rules.limits import PATHS_PER_RULE

PATHS_PER_SHARD = 60  # pending conditions stay below the extension's 64 (cage.md 3, no. 5)
NAMES_PER_SHARD = 200  # of 252 properties a fact may have
TEXT_LENGTH_MAX = 1_000  # the extension compares lengths in 16 bits (cage.md 3, no. 18)
INT64 = range(-(2**63), 2**63)
GUARD, SENTINEL = 1, 2  # values of `k`: every path asks for the guard, the sentinel rule for the other
RESERVED = ("k", "id", "sid")
FACT, ATOM = "f_", "x_"  # prefixes: nothing of ours can meet a reserved name
NATIVE: Mapping[Op, str] = {Op.LT: "$lt", Op.LE: "$lte", Op.GT: "$gt", Op.GE: "$gte", Op.NE: "$neq"}

Row = Mapping[str, Scalar | None]
Leaf = dict[str, Anything]


@dataclass(frozen=True, slots=True)
class Shard:
    """One ruleset of the extension.

    Args:
        name: sha256 of its paths: equal shards are one.
        rules: rule key of each path, by its number.
        paths: leaves of each path, the guard left out.
        facts: names of the facts sent as they are.
        atoms: name and evaluator of each atom.
    """

    name: str
    rules: tuple[str, ...]
    paths: tuple[tuple[Leaf, ...], ...]
    facts: tuple[str, ...]
    atoms: tuple[tuple[str, Holds], ...]

    def ruleset(self) -> str:
        """The ruleset as JSON text: path ``p0``, ``p1`` ..., and the sentinel rule."""
        rules = {f"p{number}": _pattern(GUARD, leaves) for number, leaves in enumerate(self.paths)}
        return json.dumps({**rules, "__s": _pattern(SENTINEL, ())}, ensure_ascii=False)


def _pattern(guard: int, leaves: Iterable[Leaf]) -> dict[str, Anything]:
    return {"all": [{"m": {"$and": [{"k": guard}, *leaves]}}]}


@dataclass(frozen=True, slots=True)
class Shards:
    """All shards of a stage, and the declarations that its facts must fit."""

    stage: str
    shards: tuple[Shard, ...]
    declared: Mapping[str, Column]

    def matched(self, numbers: Sequence[Iterable[int]]) -> frozenset[str]:
        """Keys of the rules that a row matches, from its path numbers shard by shard."""
        return frozenset(shard.rules[number] for shard, own in zip(self.shards, numbers) for number in own)

    def refused(self, row: Row) -> str | None:
        """Why a row may not be matched: a value of the wrong type is never a match. None: it may."""
        for name, column in self.declared.items():
            value = row.get(name)
            if value is None:
                continue
            if not fits(value, column):
                return f"{name} is {value!r}, not a {column.kind.value}"
            if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX:
                return f"{name} is longer than {TEXT_LENGTH_MAX} characters"
            if isinstance(value, int) and value not in INT64:
                return f"{name} does not fit 64 bits"
        return None


def shards_of(stage: BookStage) -> Shards:
    """Compile a stage of a book.

    Raises:
        ValueError: a rule needs too many paths, two names share a hash, or a constant is not
            of its fact's type. The checker refuses such policies.
    """
    dictionary = stage.dictionary
    found = []
    for rule in stage.rules:
        count = path_count(rule.condition)
        if count > PATHS_PER_RULE:
            raise ValueError(f"rule {rule.key} needs {count} paths, at most {PATHS_PER_RULE} are allowed")
        found += [(rule.key, tests) for tests in paths(rule.condition)]
    groups: list[list[tuple[str, tuple[Test, ...]]]] = []
    names: set[object] = set()
    for key, tests in found:
        own = {test.fact if _is_native(test) else test for test in tests}
        if not groups or len(groups[-1]) == PATHS_PER_SHARD or len(names | own) > NAMES_PER_SHARD:
            groups.append([])
            names = set()
        groups[-1].append((key, tests))
        names |= own
    read = sorted({name for rule in stage.rules for name in rule.facts})
    declared = {name: dictionary[name] for name in read if name in dictionary}
    return Shards(stage.name, tuple(_shard(group, declared) for group in groups), declared)


@dataclass(frozen=True, slots=True)
class Size:
    """What a stage comes to in the extension.

    Args:
        rules, paths, rulesets: how many of each.
        largest: key of the rule with the most paths, ``most`` of them; None without rules.
    """

    rules: int
    paths: int
    rulesets: int
    largest: str | None
    most: int


def size_of(stage: BookStage) -> Size:
    """How large a stage becomes.

    Raises:
        ValueError: it cannot be compiled (see ``shards_of``).
    """
    counts = {rule.key: path_count(rule.condition) for rule in stage.rules}
    largest = max(counts, key=lambda key: counts[key], default=None)
    rulesets = len(shards_of(stage).shards)
    return Size(len(counts), sum(counts.values()), rulesets, largest, counts[largest] if largest else 0)


def of_book(book: Book, stage: str) -> Shards:
    """The shards of a stage, compiled once per book."""
    compiled: dict[str, Shards] = book.prepared.setdefault("durable", {})
    if stage not in compiled:
        compiled[stage] = shards_of(book.stages[stage])
    return compiled[stage]


def _is_native(test: Test) -> bool:
    """Whether the extension may be asked: a constant on the right, and no order of strings."""
    if test.op is Op.BETWEEN:
        return all(isinstance(end, Const) and type(end.value) is int for end in pair(test))
    if test.op in NULL_TESTS or not isinstance(test.value, Const):
        return False
    return test.op in (Op.EQ, Op.NE) or type(test.value.value) is int


def _shard(group: Sequence[tuple[str, tuple[Test, ...]]], declared: Mapping[str, Column]) -> Shard:
    native = sorted({test.fact for _, tests in group for test in tests if _is_native(test)})
    atoms: dict[Test, str] = {}
    for _, tests in group:
        for test in tests:
            if not _is_native(test):
                atoms.setdefault(test, f"{ATOM}{len(atoms)}")
    clashes = collisions([*RESERVED, *(FACT + name for name in native), *atoms.values()])
    if clashes:
        raise ValueError(f"names share a hash, rename one of each pair: {clashes}")
    compiled = tuple(tuple(leaf for test in tests for leaf in leaves_of(test, atoms, declared)) for _, tests in group)
    text = json.dumps(compiled, ensure_ascii=False)
    return Shard(
        name=hashlib.sha256(text.encode()).hexdigest(),
        rules=tuple(key for key, _ in group),
        paths=compiled,
        facts=tuple(native),
        atoms=tuple((name, holds_of(test)) for test, name in atoms.items()),
    )


def leaves_of(test: Test, atoms: Mapping[Test, str], declared: Mapping[str, Column]) -> list[Leaf]:
    """One test as leaves of a path: native, or the presence of its atom.

    Raises:
        ValueError: a constant is not of its fact's type.
    """
    if not _is_native(test):
        return [{atoms[test]: 1}]
    name = FACT + test.fact
    if test.op is Op.BETWEEN:
        low, high = pair(test)
        return [{"$gte": {name: _constant(low, test, declared)}}, {"$lte": {name: _constant(high, test, declared)}}]
    value = _constant(test.value, test, declared)
    return [{name: value}] if test.op is Op.EQ else [{NATIVE[test.op]: {name: value}}]


def _constant(operand: object, test: Test, declared: Mapping[str, Column]) -> Scalar:
    if not isinstance(operand, Const) or operand.value is None:
        raise ValueError(f"parameters are resolved first, got {operand!r}")
    column = declared.get(test.fact)
    if column is not None and (not fits(operand.value, column) and not column.values):
        raise ValueError(f"{operand.value!r} is not a {column.kind.value}, as {test.fact} is")
    return _plain(operand.value)


def _plain(value: Scalar) -> int | str:
    """Claims travel as 0 and 1."""
    return int(value) if isinstance(value, bool) else value


def flat_fact(row: Row, shard: Shard) -> dict[str, int | str]:
    """The fact that stands for a row in a shard: known values, atoms that hold, and the guard."""
    fact: dict[str, int | str] = {"k": GUARD}
    for name in shard.facts:
        value = row.get(name)
        if value is not None:
            fact[FACT + name] = int(value) if isinstance(value, bool) else value
    for name, holds in shard.atoms:
        if holds(row):
            fact[name] = 1
    return fact


def fnv1a(name: str) -> int:
    """The 32-bit hash by which the extension compares property names.

    >>> fnv1a("CUST-462789") == fnv1a("CUST-679192")
    True
    """
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that the extension would take for one."""
    seen: dict[int, str] = {}
    pairs = []
    for name in sorted(set(names)):
        first = seen.setdefault(fnv1a(name), name)
        if first != name:
            pairs.append((first, name))
    return pairs
