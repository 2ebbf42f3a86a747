"""Credit policies of any size and rows to decide by them, from a seed.

A scorecard (sum of points, bands), a credit limit (first rule that holds, with formulas) and a
hold (most severe rule, exclusions first): half, three tenths and a fifth of the rules. Each rule
asks one to four things of the fact dictionary: amounts, ratios, days, counts, claims and codes;
one test in five against a dated parameter, some against another fact, some under ``any`` or ``not``.
"""

import random
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from ledger.columns import Kind
from rules.book import Book
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.facts import DICTIONARY, is_unknowable_money

Json: TypeAlias = Any
DAY = 20_000
SEED = 20_260_101
NULL_SHARE = 0.14  # of every fact that may be unknown
PARAMETER_SHARE = 0.2
BLOCK_ROWS = 10_000
COUNTRIES = ("DE", "FR", "AT", "NL", "IT", "ES")
SEGMENTS = ("standard", "key_account", "new", "watch")
CLASSES = ("A", "B", "C", "D", "E")
FORMULAS: tuple[Json, ...] = (
    {"round_down": [{"percent_of": [{"fact": "turnover_12m_minor"}, 800]}, 100_000]},
    {"round_down": [{"percent_of": [{"fact": "turnover_12m_minor"}, 1_200]}, 100_000]},
    {"round_down": [{"percent_of": [{"fact": "turnover_3m_minor"}, 3_333]}, 50_000]},
    {"min": [{"fact": "credit_limit_minor"}, {"percent_of": [{"fact": "turnover_12m_minor"}, 1_500]}]},
    {"max": [{"fact": "credit_limit_minor"}, {"fact": "exposure_minor"}]},
    {"fact": "credit_limit_minor"},
    {"param": "limit_of_new"},
    2_500_000,
    0,
)
MONEY = (
    *("exposure_minor", "open_minor", "overdue_minor", "d31_60_minor", "d61_90_minor", "d90_over_minor"),
    *("disputed_minor", "turnover_3m_minor", "turnover_12m_minor", "credit_limit_minor", "headroom_minor"),
    "group_exposure_minor",
)
RATIOS = ("late_share_3m_bp", "late_share_12m_bp", "utilisation_bp", "score_bp")
DAYS = (
    *("leader_days_past_due", "mean_days_late_12m", "max_days_late_12m", "days_since_payment"),
    *("tenure_days", "terms_days", "days_since_promise_broken"),
)
COUNTS = ("open_count", "overdue_count", "paid_count_12m", "promises_broken_12m", "disputes_open", "promises_open")
CLAIMS = ("dunning_block", "insolvent", "thin_history")
CODES = {"country": COUNTRIES, "previous_segment": SEGMENTS}
PAIRS = (
    ("exposure_minor", ">", "credit_limit_minor"),
    ("turnover_3m_minor", "<", "open_minor"),
    ("late_share_3m_bp", ">", "late_share_12m_bp"),
    ("max_days_late_12m", ">", "terms_days"),
)
FACTS = (*MONEY, *RATIOS, *DAYS, *COUNTS, *CLAIMS, *CODES)
KNOWN_MONEY = tuple(name for name in MONEY if not is_unknowable_money(DICTIONARY[name]))
Values: TypeAlias = dict[str, np.ndarray]


def rows_of(size: int, seed: int = SEED, first_block: int = 0) -> pl.DataFrame:
    """Facts of so many customers, a seventh of the nullable ones unknown.

    Made in blocks, so that fewer rows of the same seed are the beginning of more.
    """
    blocks = [_block(seed, first_block + number) for number in range(-(-size // BLOCK_ROWS))]
    return pl.concat(blocks).head(size).rechunk()


def _block(seed: int, number: int) -> pl.DataFrame:
    dice = np.random.default_rng((seed, number))
    series = []
    for name in FACTS:
        column = pl.Series(name, _values(name, BLOCK_ROWS, dice))
        if DICTIONARY[name].nullable:
            known = pl.Series(dice.random(BLOCK_ROWS) >= NULL_SHARE)
            column = column.zip_with(known, pl.Series([None], dtype=column.dtype))
        series.append(column)
    return pl.DataFrame(series)


def _values(name: str, size: int, dice: np.random.Generator) -> np.ndarray:
    kind = DICTIONARY[name].kind
    if name in CODES:
        return dice.choice(np.array(CODES[name], dtype=object), size)
    if kind is Kind.BOOL:
        return dice.random(size) < 0.08
    if kind is Kind.MONEY:
        amounts = np.exp(dice.normal(13, 1.5, size)).astype(np.int64)
        return amounts - 400_000 if name == "headroom_minor" else amounts
    if kind is Kind.RATIO:
        return (dice.beta(1.2, 3, size) * 10_000).astype(np.int64)
    return dice.exponential(4 if kind is Kind.COUNT else 60, size).astype(np.int64)


def book_of(rules: int, seed: int = SEED) -> Book:
    """The compiled policies of so many rules.

    Raises:
        ValueError: a document is refused.
    """
    return Book.build(*documents_of(rules, seed), DAY)


def documents_of(rules: int, seed: int = SEED) -> tuple[list[Policy], Parameters]:
    """The same, not compiled yet."""
    made = _Writer(random.Random(seed), rows_of(2_000, seed))
    holds, limits = rules // 5, rules * 3 // 10
    documents = [made.scorecard(rules - holds - limits), made.credit_limit(limits), made.hold(holds)]
    policies = []
    for document in documents:
        policy, problems = parse(document)
        if policy is None:
            raise ValueError(problems)
        policies.append(policy)
    parameters, problems = parse_parameters(made.parameters())
    if parameters is None:
        raise ValueError(problems)
    return policies, parameters


class _Writer:
    """Writes documents; thresholds are quantiles of a sample of rows."""

    def __init__(self, dice: random.Random, sample: pl.DataFrame) -> None:
        self.dice, self.sample = dice, sample
        self.named: dict[str, tuple[Kind, int]] = {"limit_of_new": (Kind.MONEY, 1_000_000)}

    def scorecard(self, count: int) -> Json:
        """Points add up; five classes."""
        rules = []
        for number in range(count):
            when = self._condition(self.dice.choice((1, 2, 2, 3)), MONEY, ())
            rules.append(_rule(f"S-{number:03}", number, when, {"points": self.dice.choice((-10, -5, 5, 10, 15, 25))}))
        bands = [{"risk_class": name, "up_to": count * place // 2} for place, name in enumerate(CLASSES[:-1])]
        return _document("scorecard", "sum", rules, {"points": 0}) | {"bands": [*bands, {"risk_class": CLASSES[-1]}]}

    def credit_limit(self, count: int) -> Json:
        """The first rule that holds says limit and terms."""
        rules = []
        for number in range(count):
            when = self._condition(self.dice.choice((2, 3, 3, 4)), MONEY, ("risk_class",))
            then = {"proposed_limit_minor": self.dice.choice(FORMULAS), "proposed_terms_days": self._terms()}
            rules.append(_rule(f"L-{number:03}", number, when, then))
        otherwise = {"proposed_limit_minor": {"fact": "credit_limit_minor"}, "proposed_terms_days": 30}
        return _document("credit_limit", "first", rules, otherwise)

    def hold(self, count: int) -> Json:
        """The most severe rule: exclusions first, then blocks. It reads no amount that a missing rate makes unknown."""
        rules = []
        for number in range(count):
            when = self._condition(self.dice.choice((2, 2, 3)), KNOWN_MONEY, ("risk_class",))
            excluded = number % 5 == 0
            reason = f"exclusion_{number}" if excluded else self.dice.choice(("late", "over_limit", "risk", "broken"))
            then = {"hold": not excluded, "hold_reason": reason} | ({"exclusion": True} if excluded else {})
            rules.append(_rule(f"H-{number:03}", self.dice.randrange(9), when, then))
        return _document("hold", "most_severe", rules, {"hold": False, "hold_reason": None})

    def parameters(self) -> Json:
        """Every parameter that a rule names."""
        return {
            "format": 1,
            "kind": "parameters",
            "key": "parameters",
            "source": "benchmark",
            "parameters": [
                {
                    "name": name,
                    "kind": kind.value,
                    "label": name,
                    "meaning": "A threshold.",
                    "values": [{"from": "2020-01-01", "value": value}],
                }
                for name, (kind, value) in self.named.items()
            ],
        }

    def _terms(self) -> int:
        return self.dice.choice((0, 10, 14, 30, 45, 60))

    def _condition(self, size: int, money: tuple[str, ...], outcomes: tuple[str, ...]) -> Json:
        names = self.dice.sample((*money, *RATIOS, *DAYS, *COUNTS, *CLAIMS, *CODES, *outcomes), size + 1)
        tests = [self._test(name, money) for name in names[:size]]
        if self.dice.random() < 0.1:
            tests[-1] = {"not": tests[-1]}
        if self.dice.random() < 0.15:
            tests[0] = {"any": [tests[0], self._test(names[size], money)]}
        return tests[0] if size == 1 else {"all": tests}

    def _test(self, name: str, money: tuple[str, ...]) -> Json:
        dice = self.dice
        if name == "risk_class":
            return [name, dice.choice(("in", "not_in")), sorted(dice.sample(CLASSES, 2))]
        if name in CODES:
            return self._code(name)
        if name in CLAIMS:
            return [name, "==", dice.random() < 0.5]
        pairs = [pair for pair in PAIRS if pair[0] == name and not {pair[0], pair[2]} - {*money, *RATIOS, *DAYS}]
        if pairs and dice.random() < 0.5:
            left, op, right = pairs[0]
            return [left, op, {"fact": right}]
        chance = dice.random()
        if DICTIONARY[name].nullable and chance < 0.05:
            return [name, dice.choice(("is_null", "is_not_null"))]
        if chance < 0.15:
            low, high = sorted((self._level(name), self._level(name)))
            return [name, "between", [low, high]]
        if DICTIONARY[name].kind is Kind.COUNT and chance < 0.3:
            return [name, dice.choice(("==", "!=")), dice.randrange(4)]
        op, level = dice.choice((("<", 0.3), ("<=", 0.3), (">", 0.7), (">=", 0.7)))
        return [name, op, self._threshold(name, level)]

    def _code(self, name: str) -> Json:
        op = self.dice.choice(("in", "not_in", "==", "!="))
        values = sorted(self.dice.sample(CODES[name], 2))
        return [name, op, values if op in ("in", "not_in") else values[0]]

    def _level(self, name: str, at: float | None = None) -> int:
        share = self.dice.random() if at is None else min(0.95, max(0.05, self.dice.gauss(at, 0.15)))
        found = self.sample[name].quantile(share)
        return int(found or 0)

    def _threshold(self, name: str, at: float) -> Json:
        value = self._level(name, at)
        if self.dice.random() >= PARAMETER_SHARE:
            return value
        parameter = f"{name}_{len(self.named)}"
        self.named[parameter] = (DICTIONARY[name].kind, value)
        return {"param": parameter}


def _rule(key: str, priority: int, when: Json, then: Json) -> Json:
    return {"key": key, "priority": priority, "when": when, "then": then}


def _document(stage: str, hit: str, rules: list[Json], otherwise: Json) -> Json:
    return {
        "format": 1,
        "kind": "policy",
        "key": stage,
        "name": stage,
        "stage": stage,
        "effective": {"from": "2020-01-01"},
        "source": "benchmark",
        "because": "benchmark",
        "hit": hit,
        "rules": rules,
        "otherwise": {"then": otherwise},
    }
