"""Curves: how a ranking does along the way, beside the naive rivals, with 95 % intervals over customers.

Every curve reads the same running sums: rows from the worst down, of them bad ones, of them money. Rows that tie
stand together, and between two such groups the curve is straight: that is what working them in any order gives on
average. Points stand on one fixed grid, so that a model's card stays small.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.measures import DECILES, area_under_curve, calibration_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WHOLE_BP = 10_000
GRID_BP = (0, 100, 200, *range(500, WHOLE_BP + 1, 500))  # of rows, good rows or recall; finer where it is steep
GRID = np.array(GRID_BP, dtype=np.float64) / WHOLE_BP
DRAWS = 200
DRAWS_OF_PART = 100
DIGITS = 4
LEAST_RATE = 30  # rows below which a part has no rate
LEAST_RARER = 10  # of the rarer outcome, below which it has no AUC
LEAST_ECE = 100  # ten in each decile
PARTS_MAX = 12  # of one kind; the rest are one part
OTHERS = ""  # their name
SIZES = ("smallest", "small", "large", "largest")  # quarters of the rows by amount


@dataclass(frozen=True, slots=True)
class About:
    """What is known of the customers beside their score.

    Args:
        currencies: of each customer's amounts: the base currency of its entity. Amounts of two are never added up.
        kinds: by kind of part (country, segment, ...) the value of each customer, where it has one.
    """

    currencies: Mapping[int, str] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows on which rankings are tested.

    Args:
        labels: 0 or 1 per row.
        customers: whose row it is; intervals draw customers.
        days: by which rows are parted into months, since 1970-01-01.
        amounts: minor units of the base currency; NaN where there is no rate.
    """

    labels: Ints
    customers: Ints
    days: Ints
    amounts: Floats

    def where(self, rows: NDArray[Any]) -> "Sample":
        """Some of the rows."""
        return Sample(self.labels[rows], self.customers[rows], self.days[rows], self.amounts[rows])

    @property
    def rarer(self) -> int:
        """How many rows have the rarer outcome."""
        bad = int(self.labels.sum())
        return min(bad, len(self.labels) - bad)


@dataclass(frozen=True, slots=True)
class Order:
    """Rows in the order in which they would be worked, the worst first.

    Args:
        place: of each row's group; rows that tie share one.
        groups: how many there are.
    """

    place: Ints
    groups: int

    @staticmethod
    def of(values: Floats) -> "Order":
        """Order rows by falling values."""
        distinct, place = np.unique(-values, return_inverse=True)
        return Order(np.asarray(place, dtype=np.int64), len(distinct))

    def running(self, weights: Floats) -> Floats:
        """Running sums of weights by group, beginning with 0."""
        return np.concatenate([[0.0], np.cumsum(np.bincount(self.place, weights, self.groups))])


def roc(rows: Floats, bad: Floats) -> tuple[Floats, Floats]:
    """Return the points of the ROC: share of good rows taken for bad, share of bad rows found.

    Args:
        rows, bad: running sums of ``Order.running``.

    >>> order = Order.of(np.array([0.1, 0.5, 0.5]))
    >>> [points.tolist() for points in roc(order.running(np.ones(3)), order.running(np.array([0.0, 0.0, 1.0])))]
    [[0.0, 0.5, 1.0], [0.0, 1.0, 1.0]]
    """
    good = rows - bad
    return good / good[-1], bad / bad[-1]


def area(across: Floats, up: Floats) -> float:
    """Return the area under straight lines between points.

    >>> area(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0]))
    0.75
    """
    return float((np.diff(across) * (up[1:] + up[:-1]) / 2).sum())


def roc_at(grid: Floats, rows: Floats, bad: Floats) -> Floats:
    """Share of bad rows found where a given share of good ones is taken for bad; it begins at 0."""
    across, up = roc(rows, bad)
    found = np.interp(grid, across, up)
    found[grid == 0] = 0.0
    return found


def precision_at(grid: Floats, rows: Floats, bad: Floats) -> Floats:
    """Share of bad rows among those looked at when a given share of all bad ones is found.

    >>> order = Order.of(np.array([0.9, 0.5, 0.5, 0.1]))
    >>> precision_at(np.array([0.5, 1.0]), order.running(np.ones(4)), order.running(np.array([1, 0, 1, 0.0])))
    array([1.        , 0.66666667])
    """
    wanted = np.maximum(grid, 1e-6) * bad[-1]  # at 0 the beginning of the curve, not 0 of 0
    # reversed, so that of several places with as many bad rows the first counts
    looked_at = np.interp(-wanted, -bad[::-1], rows[::-1])
    return np.asarray(np.minimum(wanted / looked_at, 1.0), dtype=np.float64)


def found_at(grid: Floats, rows: Floats, taken: Floats) -> Floats:
    """Share of everything (bad rows, late money) found among the worst share of rows.

    >>> order = Order.of(np.array([0.9, 0.5, 0.5, 0.1]))
    >>> found_at(np.array([0.0, 0.5, 1.0]), order.running(np.ones(4)), order.running(np.array([1, 0, 1, 0.0])))
    array([0.  , 0.75, 1.  ])
    """
    return np.asarray(np.interp(grid * rows[-1], rows, taken) / taken[-1], dtype=np.float64)


def found_minor(order: Order, amounts: Ints) -> list[int]:
    """Money found at each point of the grid, whole minor units: rows are counted down to whole ones.

    >>> found_minor(Order.of(np.array([0.9, 0.1])), np.array([70, 30]))[::6]
    [0, 0, 70, 70]
    """
    rows = np.concatenate([[0], np.cumsum(np.bincount(order.place, minlength=order.groups))]).tolist()
    gains = np.zeros(order.groups, dtype=np.int64)
    np.add.at(gains, order.place, amounts)
    money = np.concatenate([[0], np.cumsum(gains)]).tolist()
    found = []
    for share in GRID_BP:
        worked = share * rows[-1] // WHOLE_BP
        group = min(int(np.searchsorted(rows, worked, side="right")) - 1, order.groups - 1)
        gain = (money[group + 1] - money[group]) * (worked - rows[group]) // (rows[group + 1] - rows[group])
        found.append(money[group] + gain)
    return found


def _drawn(customers: Ints, seed: int, draws: int) -> Iterator[Floats]:
    """Weights of rows: how often their customer was drawn."""
    names, owners = np.unique(customers, return_inverse=True)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        picks = generator.integers(0, len(names), len(names))
        yield np.bincount(picks, minlength=len(names)).astype(np.float64)[owners]


CURVES = {"roc": roc_at, "precision": precision_at, "lift": found_at}


def curves_of(
    sample: Sample, chances: Mapping[str, Floats], rankings: Mapping[str, Floats], about: About, seed: int
) -> dict[str, Any]:
    """Draw every curve of a model and its naive rivals.

    Args:
        sample: the rows.
        chances: by name; the first is the model. They have a reliability too.
        rankings: further values that only order the rows.
        about: whose amounts are of what currency.
        seed: of the draws.

    Returns:
        ``grid_bp``; ``lines``: by name ``roc``, ``precision`` and ``lift``, each with ``at``, ``low`` and
        ``high`` on the grid; ``reliability`` by name of chance: per decile rows, expected, bad, low and high of the
        share that turned bad; ``money``: of each currency what ``_money`` says. Empty where one outcome is missing.
    """
    if not sample.rarer:
        return {}
    labels = sample.labels.astype(np.float64)
    orders = {name: Order.of(values) for name, values in {**chances, **rankings}.items()}
    deciles = {name: _deciles(values) for name, values in chances.items()}
    drawn: dict[tuple[str, str], list[Floats]] = {}
    for weights in _drawn(sample.customers, seed, DRAWS):
        late = weights * labels
        if not 0 < late.sum() < weights.sum():
            continue
        for name, order in orders.items():
            rows, bad = order.running(weights), order.running(late)
            for kind, curve in CURVES.items():
                drawn.setdefault((name, kind), []).append(curve(GRID, rows, bad))
        for name, decile in deciles.items():
            of, turned = (np.bincount(decile, each, DECILES) for each in (weights, late))
            drawn.setdefault((name, "reliability"), []).append(
                np.divide(turned, of, out=np.full(DECILES, np.nan), where=of > 0)
            )
    ones = np.ones(len(labels))
    lines = {
        name: {
            kind: _with_interval(curve(GRID, order.running(ones), order.running(labels)), drawn.get((name, kind), []))
            for kind, curve in CURVES.items()
        }
        for name, order in orders.items()
    }
    return {
        "grid_bp": list(GRID_BP),
        "lines": lines,
        "reliability": {
            name: _reliability(sample.labels, values, deciles[name], drawn.get((name, "reliability"), []))
            for name, values in chances.items()
        },
        "money": _money_of(sample, chances, about, seed),
    }


def _deciles(values: Floats) -> Ints:
    """The decile of each row, groups of equal size as in ``scoring.measures.reliability``."""
    decile = np.empty(len(values), dtype=np.int64)
    for number, group in enumerate(np.array_split(np.argsort(values, kind="stable"), DECILES)):
        decile[group] = number
    return decile


def _with_interval(at: Floats, drawn: list[Floats]) -> dict[str, list[float]]:
    found = {"at": _rounded(at)}
    if drawn:
        low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
        found |= {"low": _rounded(low), "high": _rounded(high)}
    return found


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def _reliability(labels: Ints, values: Floats, decile: Ints, drawn: list[Floats]) -> list[dict[str, float | int]]:
    found: list[dict[str, float | int]] = []
    for number in range(DECILES):
        rows = decile == number
        if not rows.any():
            continue
        told = np.array([draw[number] for draw in drawn], dtype=np.float64)
        told = told[~np.isnan(told)]
        one = {
            "rows": int(rows.sum()),
            "expected": round(float(values[rows].sum()), DIGITS),
            "bad": int(labels[rows].sum()),
        }
        if told.size:
            low, high = np.quantile(told, [0.025, 0.975])
            one |= {"low": round(float(low), DIGITS), "high": round(float(high), DIGITS)}
        found.append(one)
    return found


def _money_of(sample: Sample, chances: Mapping[str, Floats], about: About, seed: int) -> list[dict[str, Any]]:
    """The money curve of each currency, by its name."""
    currency = np.array([about.currencies.get(customer, "") for customer in sample.customers.tolist()])
    found = []
    for name in sorted(set(currency.tolist()) - {""}):
        rows = currency == name
        money = _money(sample.where(rows), {key: values[rows] for key, values in chances.items()}, seed)
        if money:
            found.append({"currency": name, **money})
    return found


def _money(sample: Sample, chances: Mapping[str, Floats], seed: int) -> dict[str, Any]:
    """Late money found when rows are worked by chance x amount, and by the amount alone.

    Returns:
        total_minor (late in all), rows, and by name of chance and ``amount``: found_minor on the grid
        with low and high as shares of the total. Empty where nothing with an amount was late.
    """
    priced = ~np.isnan(sample.amounts) & (sample.amounts > 0)
    some = sample.where(priced)
    amounts = some.amounts
    late = amounts * some.labels
    if not late.sum():
        return {}
    orders = {name: Order.of(values[priced] * amounts) for name, values in chances.items()}
    orders["amount"] = Order.of(amounts)
    drawn: dict[str, list[Floats]] = {name: [] for name in orders}
    for weights in _drawn(some.customers, seed, DRAWS):
        if not (weights * late).sum():
            continue
        for name, order in orders.items():
            drawn[name].append(found_at(GRID, order.running(weights), order.running(weights * late)))
    whole = late.astype(np.int64)
    by = {}
    for name, order in orders.items():
        interval = _with_interval(GRID, drawn[name])
        by[name] = {"found_minor": found_minor(order, whole), **{k: v for k, v in interval.items() if k != "at"}}
    return {"total_minor": int(whole.sum()), "rows": len(whole), "by": by}


def months_of(days: Ints) -> NDArray[np.str_]:
    """The month of each day.

    >>> months_of(np.array([0, 31]))
    array(['1970-01', '1970-02'], dtype='<U7')
    """
    return np.asarray(np.datetime_as_string(days.astype("datetime64[D]").astype("datetime64[M]")), dtype="<U7")


def sizes_of(amounts: Floats) -> NDArray[np.str_]:
    """The quarter of each row by its amount; empty where the amount is unknown."""
    known = amounts[~np.isnan(amounts)]
    cuts = np.quantile(known, [0.25, 0.5, 0.75]) if known.size else np.zeros(3)
    names = np.array(SIZES)[np.searchsorted(cuts, np.nan_to_num(amounts), side="left")]
    return np.where(np.isnan(amounts), "", names)


def parts_of(sample: Sample, chances: Floats, rival: Floats, about: About, thin: NDArray[np.bool_]) -> dict[str, Any]:
    """Measure a model month by month and part by part.

    Args:
        chances: the model's.
        rival: the naive rival's.
        about: what parts there are.
        thin: rows of customers with a thin history.

    Returns:
        By kind (``month``, ``size``, ``history`` and those of ``about``) the rows of ``_part``, months in order,
        other parts the largest first.
    """
    kinds: dict[str, NDArray[np.str_]] = {
        "month": months_of(sample.days),
        "size": sizes_of(sample.amounts),
        "history": np.where(thin, "thin", "known"),
    }
    customers = sample.customers.tolist()
    for kind, values in about.kinds.items():
        kinds[kind] = np.array([values.get(customer, "") for customer in customers])
    found = {}
    for kind, keys in kinds.items():
        names, counts = np.unique(keys[keys != ""], return_counts=True)
        if len(names) < (1 if kind == "month" else 2):
            continue  # one part alone is the whole
        if kind == "month":
            chosen = [str(name) for name in names]
        elif kind == "size":
            chosen = [name for name in SIZES if name in names]
        else:
            ranked = sorted(zip((-counts).tolist(), names.tolist(), strict=True))
            chosen = [name for _count, name in ranked[:PARTS_MAX]]
        rows = [_part(sample, chances, rival, keys == name) | {"part": name} for name in chosen]
        left = (keys != "") & ~np.isin(keys, chosen)
        if left.any():
            rows.append(_part(sample, chances, rival, left) | {"part": OTHERS})
        found[kind] = rows
    return found


def _part(sample: Sample, chances: Floats, rival: Floats, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """One part: n, customers and bad always; what so few rows cannot tell is left out.

    From 30 rows on the expected share and Brier, from 10 of the rarer outcome on the AUC with its interval and the
    rival's, from 100 rows on the ECE.
    """
    some, said, naive = sample.where(rows), chances[rows], rival[rows]
    n, bad = len(some.labels), int(some.labels.sum())
    found: dict[str, Any] = {"n": n, "customers": len(np.unique(some.customers)), "bad": bad}
    if n >= LEAST_RATE:
        found["expected"] = round(float(said.mean()), DIGITS)
        found["brier"] = round(float(np.mean((said - some.labels) ** 2)), DIGITS)
    if n >= LEAST_ECE:
        found["ece"] = round(calibration_error(some.labels, said), DIGITS)
    if some.rarer >= LEAST_RARER:
        found["auc"] = round(area_under_curve(some.labels, said), DIGITS)
        found["rival_auc"] = round(area_under_curve(some.labels, naive), DIGITS)
        order, drawn = Order.of(said), []
        for weights in _drawn(some.customers, 0, DRAWS_OF_PART):
            late = weights * some.labels
            if 0 < late.sum() < weights.sum():
                drawn.append(area(*roc(order.running(weights), order.running(late))))
        if drawn:
            found["auc_interval"] = _rounded(np.quantile(np.array(drawn), [0.025, 0.975]))
    return found
