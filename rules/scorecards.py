"""Scorecards as bands x points: the rules of a sum that cut one fact into bands.

A characteristic is a fact with its bands, each a rule that gives points; what else the rules
ask (the same for all of them) is its guard. Rules that are no bands stay rules. Bounds are
both included, in the units of documents.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any as Json

from ledger.canonical import canonical
from ledger.columns import Column
from ledger.problems import Problem
from rules.cell_words import Say, Tongue
from rules.condition_cells import cell_text, fact_of, terms_of, unfit_value
from rules.limits import INTEGER, RULES_PER_POLICY
from rules.stages import POINT_OUTCOMES, STAGE
from rules.words import english

Rule = Mapping[str, Json]
LOWER = {">=": 0, ">": 1}  # from the written bound to the first value of the band
UPPER = {"<=": 0, "<": -1}


@dataclass(frozen=True, slots=True)
class PointBand:
    """One band of a characteristic.

    Args:
        origin: place of its rule; None for a new one.
        low, high: first and last value; None where it is open.
        words: the test as a cell says it, where its bounds are no plain numbers; else empty.
    """

    origin: str | None
    low: int | None
    high: int | None
    points: int
    label: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A fact and its bands, lowest first.

    Args:
        guard: what else must hold for any of its points, as JSON tests.
        holes: ranges between two bands that get no points.
        overlaps: pairs of band numbers whose points are both given.
    """

    column: Column
    guard: tuple[Json, ...]
    bands: tuple[PointBand, ...]
    holes: tuple[tuple[int, int], ...] = ()
    overlaps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The characteristics of a policy that sums points, and places of the rules that are no bands."""

    outcome: str
    characteristics: tuple[Characteristic, ...]
    others: tuple[str, ...]


def scorecard_of(document: Rule, tongue: Tongue) -> Scorecard | None:
    """A policy as bands x points; None when it does not sum points.

    Args:
        document: of a checked shape.
    """
    outcome = next((name for name in STAGE[document["stage"]].settable if name in POINT_OUTCOMES), None)
    if outcome is None or document["hit"] != "sum":
        return None
    found: dict[str, Characteristic] = {}
    others = []
    for index, rule in enumerate(document["rules"]):
        one = _characteristic(rule, f"/rules/{index}", outcome, tongue)
        if one is None:
            others.append(f"/rules/{index}")
            continue
        known = found.get(key_of(one))
        found[key_of(one)] = one if known is None else replace(known, bands=known.bands + one.bands)
    return Scorecard(outcome, tuple(_checked(one) for one in found.values()), tuple(others))


def key_of(characteristic: Characteristic) -> str:
    """What names a characteristic in its scorecard: its fact and its guard."""
    return canonical([characteristic.column.name, list(characteristic.guard)])


def _characteristic(rule: Rule, place: str, outcome: str, tongue: Tongue) -> Characteristic | None:
    points = rule["then"].get(outcome)
    terms = terms_of(rule["when"])
    if type(points) is not int or len(rule["then"]) > 1 or rule.get("on_unknown") == "refer" or terms is None:
        return None
    by_fact: dict[str, list[Json]] = {}
    for term in terms:
        by_fact.setdefault(str(fact_of(term)), []).append(term)
    dictionary = tongue.voice.dictionary
    if not set(by_fact) <= set(dictionary) or any(unfit_value(t, dictionary[str(fact_of(t))]) for t in terms):
        return None
    banded = [name for name, own in by_fact.items() if dictionary[name].unit and bounds_of(own) is not None]
    if len(by_fact) > 1 and len(banded) != 1:
        return None
    name = banded[0] if banded else next(iter(by_fact))
    guard = tuple(term for term in terms if fact_of(term) != name)
    low, high = (bounds_of(by_fact[name]) or (None, None)) if banded else (None, None)
    words = "" if banded else cell_text(by_fact[name], dictionary[name], tongue)
    if "[" in words:  # a comparison of two facts bands neither of them
        return None
    band = PointBand(place, low, high, points, str(rule.get("label", rule["key"])), words)
    return Characteristic(dictionary[name], guard, (band,))


def bounds_of(terms: Sequence[Json]) -> tuple[int | None, int | None] | None:
    """First and last value that pass tests on one fact, against plain numbers; None when they are no band.

    >>> bounds_of([["score_bp", ">", 10], ["score_bp", "<", 20]]), bounds_of([["score_bp", "==", 5]])
    ((11, 19), (5, 5))
    """
    lows: list[int] = []
    highs: list[int] = []
    for term in terms:
        if isinstance(term, Mapping) or len(term) < 3:
            return None
        op, value = term[1], term[2]
        if op == "between" and all(type(end) is int for end in value):
            lows.append(value[0])
            highs.append(value[1])
        elif type(value) is int and op in LOWER:
            lows.append(value + LOWER[op])
        elif type(value) is int and op in UPPER:
            highs.append(value + UPPER[op])
        elif type(value) is int and op == "==":
            lows.append(value)
            highs.append(value)
        else:
            return None
    if len(lows) > 1 or len(highs) > 1:
        return None
    return (lows[0] if lows else None), (highs[0] if highs else None)


def _checked(one: Characteristic) -> Characteristic:
    """Its bands sorted, with the holes and overlaps between them."""
    bands = tuple(sorted(one.bands, key=lambda band: (_low(band), _high(band), band.origin or "")))
    plain = [(number, band) for number, band in enumerate(bands) if not band.words]
    holes = []
    reach = None if not plain else _high(plain[0][1])
    for _number, band in plain[1:]:
        if reach is not None and _low(band) > reach + 1:
            holes.append((int(reach) + 1, int(_low(band)) - 1))
        reach = max(reach or 0, _high(band))
    overlaps = [
        (first, second)
        for position, (first, before) in enumerate(plain)
        for second, after in plain[position + 1 :]
        if _low(after) <= _high(before)
    ]
    return replace(one, bands=bands, holes=tuple(holes), overlaps=tuple(overlaps))


def _low(band: PointBand) -> int:
    return -INTEGER - 1 if band.low is None else band.low


def _high(band: PointBand) -> int:
    return INTEGER + 1 if band.high is None else band.high


def split(characteristic: Characteristic, number: int) -> tuple[PointBand, ...]:
    """The bands with one cut in two of equal points, in the middle or where it was open."""
    band = characteristic.bands[number]
    if band.low is not None and band.high is not None:
        first = (band.low + band.high + 1) // 2
    elif band.low is not None:
        first = max(2 * band.low, band.low + 1)
    else:
        first = min((band.high or 0) // 2, band.high or 0)
    upper = replace(band, origin=None, low=first)
    return (
        *characteristic.bands[:number],
        replace(band, high=first - 1),
        upper,
        *characteristic.bands[number + 1 :],
    )


def merged(characteristic: Characteristic, number: int) -> tuple[PointBand, ...]:
    """The bands with one and the next above it as one, with the points and the name of the lower."""
    lower, upper = characteristic.bands[number : number + 2]
    return (*characteristic.bands[:number], replace(lower, high=upper.high), *characteristic.bands[number + 2 :])


def followed(before: Sequence[PointBand], asked: Sequence[PointBand]) -> tuple[PointBand, ...]:
    """Bands with shifted bounds: where two bands touched and one end was moved, the other end follows."""
    was = {band.origin: band for band in before if band.origin is not None}
    bands = list(asked)
    for index, (one, other) in enumerate(pairwise(asked)):
        old, next_ = was.get(one.origin or ""), was.get(other.origin or "")
        if old is None or next_ is None or old.high is None or next_.low is None or old.high + 1 != next_.low:
            continue
        if one.high != old.high and other.low == next_.low and one.high is not None:
            bands[index + 1] = replace(bands[index + 1], low=one.high + 1)
        elif other.low != next_.low and one.high == old.high and other.low is not None:
            bands[index] = replace(bands[index], high=other.low - 1)
    return tuple(bands)


def with_bands(
    document: Rule, characteristic: Characteristic, asked: Sequence[PointBand], outcome: str, say: Say = english
) -> tuple[dict[str, Json] | None, list[Problem]]:
    """The policy with other bands of one characteristic.

    Returns:
        The document, or None and what is wrong, each ``line`` the number of a band and
        ``column`` one of ``low``, ``high``, ``points``, ``label``.
    """
    problems = [problem for number, band in enumerate(asked) for problem in _band_problems(number, band, say)]
    if len(document["rules"]) - len(characteristic.bands) + len(asked) > RULES_PER_POLICY:
        what = say("a policy has at most %(count)s rules") % {"count": RULES_PER_POLICY}
        problems.append(Problem("bands", what, say("use fewer bands")))
    if problems:
        return None, problems
    changed: dict[str, Json] = copy.deepcopy(dict(document))
    rules = changed["rules"]
    kept = {band.origin for band in asked}
    removed = {_number(band.origin) for band in characteristic.bands if band.origin not in kept and band.origin}
    known = {rule["key"] for rule in rules}
    after: dict[int, list[Rule]] = {}
    position = _number(characteristic.bands[0].origin or "/rules/0")
    for band in asked:
        if band.origin is not None:
            position = _number(band.origin)
            _write(rules[position], band, characteristic.column, outcome)
            continue
        new = copy.deepcopy(dict(document["rules"][position]))
        new["key"] = _free_key(new["key"], known)
        known.add(new["key"])
        _write(new, band, characteristic.column, outcome)
        after.setdefault(position, []).append(new)
    changed["rules"] = [
        rule
        for index, old in enumerate(rules)
        for rule in [*([] if index in removed else [old]), *after.get(index, ())]
    ]
    return changed, []


def _band_problems(number: int, band: PointBand, say: Say) -> list[Problem]:
    place = f"band {number + 1}"

    def wrong(what: str, cure: str, column: str) -> list[Problem]:
        return [Problem(place, what, cure, line=number, column=column)]

    if band.low is not None and band.high is not None and band.low > band.high:
        return wrong(say("it ends before it begins"), say("raise the end, or lower the beginning"), "high")
    if band.low is None and band.high is None and not band.words:
        return wrong(say("it has neither a beginning nor an end"), say("give at least one of them"), "low")
    if not band.label:
        return wrong(say("it has no name"), say("say in words what the band means"), "label")
    return []


def _number(place: str) -> int:
    return int(place.rsplit("/", 1)[-1])


def _free_key(key: str, known: set[str]) -> str:
    stem = key[:56]
    return next(made for number in range(2, len(known) + 3) if (made := f"{stem}-{number}") not in known)


def _write(rule: dict[str, Json], band: PointBand, column: Column, outcome: str) -> None:
    """Write a band's bounds, points and name into its rule, and only where they differ."""
    if rule["then"].get(outcome) != band.points:
        rule["then"] = {**rule["then"], outcome: band.points}
    if rule.get("label", rule["key"]) != band.label:
        rule["label"] = band.label
    terms = terms_of(rule["when"]) or []
    own = [term for term in terms if fact_of(term) == column.name]
    if band.words or bounds_of(own) == (band.low, band.high):
        return
    test = _test(own, band, column.name)
    new = [test if term is own[0] else term for term in terms if term is own[0] or fact_of(term) != column.name]
    grouped = isinstance(rule["when"], Mapping) and "all" in rule["when"]
    rule["when"] = {"all": new} if grouped else new[0]


def _test(own: Sequence[Json], band: PointBand, name: str) -> list[Json]:
    """One test with a band's bounds, by the operator it had where that still fits."""
    if band.low is not None and band.high is not None:
        return (
            [name, "==", band.low]
            if own[0][1] == "==" and band.low == band.high
            else [name, "between", [band.low, band.high]]
        )
    op = own[0][1] if len(own) == 1 else ""
    if band.low is not None:
        op = op if op in LOWER else ">="
        return [name, op, band.low - LOWER[op]]
    op = op if op in UPPER else "<="
    return [name, op, (band.high or 0) - UPPER[op]]
