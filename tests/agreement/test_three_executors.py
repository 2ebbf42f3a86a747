"""Columns, durable-rules and the reference evaluator agree, and the test would notice if they did not.

Random policies meet random rows: constants c with values c-1, c and c+1, a fifth of the values
unknown. durable-rules is the real extension in its child process. Then six faults are planted
into one executor at a time, and each must show within the same cases.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from engine.matching import Matcher
from ledger.columns import Column, Kind
from rules import columns, conditions, durable, effect_columns, hits, reference
from rules.book import Book
from rules.closures import holds_of
from rules.conditions import All, Condition, Const, FactRef, Not, Op, nnf, operands_of, path_count
from rules.conditions import Any as AnyOf
from rules.documents import condition_of, parse
from rules.facts import DICTIONARY
from rules.limits import PATHS_PER_RULE
from rules.stages import STAGE

SEED = 20_260_331
POLICIES = 130
ROWS = 50
DAY = 20_000
NULL_SHARE = 0.2
INTEGERS = {
    Kind.MONEY: ["overdue_minor", "overdue_net_minor", "exposure_minor", "credit_limit_minor", "leader_open_minor"],
    Kind.DAYS: ["leader_days_past_due", "terms_days", "days_since_contact"],
    Kind.RATIO: ["score_bp", "late_share_12m_bp"],
    Kind.COUNT: ["overdue_count", "disputes_open"],
}
CLAIMS = ["dunning_block", "insolvent", "thin_history"]
CODES = ["country", "entity", "previous_risk_class"]
TEXTS = [
    "DE",
    "de",
    "",
    "A",
    "5",
    "true",
    'a"b',
    "a\\b",
    "100%",
    "Zürich",
    "漢字",
    "a b",
    "$s",
    "null",
    "a\u200bb",
    "x" * 90,
]
FACTS = [*(name for names in INTEGERS.values() for name in names), *CLAIMS, *CODES]
COMPARISONS = [Op.LT, Op.LE, Op.GT, Op.GE, Op.EQ, Op.NE]
STAGES = ["scorecard", "segmentation", "credit_limit", "hold", "worklist", "alert", "escalation"]

Verdict = tuple[frozenset[str], dict[str, Any], bool]


@dataclass(frozen=True)
class Case:
    """One policy as a book, and rows made for its constants."""

    book: Book
    stage: str
    rows: list[dict[str, Any]]


# --- random policies ---------------------------------------------------------------------------


def leaf(dice: random.Random) -> list[Any]:
    """One test, as documents write it."""
    kind = dice.choice([*INTEGERS, *INTEGERS, "claim", "code"])
    if kind == "claim":
        op = dice.choice(["==", "!=", "is_null", "is_not_null"])
        return [dice.choice(CLAIMS), op] + ([] if op.startswith("is_") else [dice.random() < 0.5])
    if kind == "code":
        fact, op = dice.choice(CODES), dice.choice(["==", "!=", "in", "not_in", "is_null", "is_not_null"])
        if op in ("in", "not_in"):
            return [fact, op, dice.sample(TEXTS, dice.randint(1, 4))]
        return [fact, op] + ([] if op.startswith("is_") else [dice.choice(TEXTS)])
    fact, op = dice.choice(INTEGERS[kind]), dice.choice([*Op, Op.BETWEEN]).value
    bound = {Kind.MONEY: 10**15, Kind.RATIO: 9_000}.get(kind, 300)
    constant = dice.choice([0, 1, dice.randint(-300, 300), dice.randint(0, bound)])
    if op in ("is_null", "is_not_null"):
        return [fact, op]
    if op in ("in", "not_in"):
        return [fact, op, sorted({constant, *(dice.randint(0, 300) for _ in range(3))})]
    if op == "between":
        return [fact, op, [constant, constant + dice.choice([0, 1, 2, 50])]]
    others = [name for name in INTEGERS[kind] if name != fact]
    return [fact, op, {"fact": dice.choice(others)} if dice.random() < 0.2 else constant]


def tree(dice: random.Random, depth: int = 3) -> Any:
    """A condition of all, any and not."""
    shape = dice.random()
    if depth == 0 or shape < 0.25:
        return leaf(dice)
    if shape < 0.45:
        return {"not": tree(dice, depth - 1)}
    parts = [tree(dice, depth - 1) for _ in range(dice.randint(2, 3))]
    return {"all" if dice.random() < 0.5 else "any": parts}


def effect(dice: random.Random, stage: str) -> dict[str, Any]:
    """What a rule sets. Points are large: their sum leaves 32 bits."""
    match stage:
        case "scorecard":
            return {"points": dice.choice([10**9, 9 * 10**8, 7, -3])}
        case "segmentation":
            return {"segment": dice.choice(["calm", "risky", "key"])}
        case "credit_limit":
            limit = {"percent_of": [{"fact": "exposure_minor"}, dice.choice([1_250, 333])]}
            return {"proposed_limit_minor": limit, "proposed_terms_days": dice.choice([0, 14, 30])}
        case "hold":
            return dice.choice(
                [
                    {"hold": True, "hold_reason": "over_limit"},
                    {"hold": True, "hold_reason": "late"},
                    {"hold": False, "hold_reason": "key_account", "exclusion": True},
                ]
            )
        case "worklist":
            return {"worklist_points": dice.randint(-5, 10**9)}
        case _:
            return {"alert": dice.choice(["limit", "habit", "news"])}


def rule(dice: random.Random, stage: str, number: int) -> dict[str, Any]:
    """A rule whose paths stay within the limit."""
    while True:
        when = tree(dice)
        if path_count(nnf(condition_of(when))) <= PATHS_PER_RULE:
            break
    found = {"key": f"R-{number:02}", "priority": dice.randint(1, 3), "when": when, "then": effect(dice, stage)}
    return found | ({"on_unknown": "refer"} if dice.random() < 0.15 else {})


def document(dice: random.Random, stage: str) -> dict[str, Any]:
    """A policy of a stage; an escalation whose steps need too many paths is refused, so another is drawn."""
    hit = dice.choice([name for name in STAGE[stage].hits if name != "count"])
    nothing = {"scorecard": {"points": 0}, "segmentation": {"segment": "standard"}, "worklist": {"worklist_points": 0}}
    found: dict[str, Any] = {"format": 1, "kind": "policy", "key": stage, "name": stage, "stage": stage, "hit": hit}
    found |= {"effective": {"from": "2020-01-01"}, "source": "a test", "because": "a test"}
    found["otherwise"] = {"then": nothing.get(stage, {})}
    if stage == "escalation":
        found["otherwise"] = {"then": {"level": 0}}
        while True:
            drawn = found | {"escalation": escalation(dice)}
            policy, _problems = parse(drawn)
            if policy is None or all(path_count(nnf(rule.when)) <= PATHS_PER_RULE for rule in policy.rules):
                return drawn
    found["rules"] = [rule(dice, stage, number) for number in range(dice.randint(4, 9))]
    if stage == "scorecard":
        found["bands"] = [{"risk_class": "A", "up_to": 0}, {"risk_class": "B", "up_to": 10**9}, {"risk_class": "C"}]
    return found


def escalation(dice: random.Random) -> dict[str, Any]:
    """Scenarios with random days."""

    def steps(name: str) -> list[dict[str, Any]]:
        days = sorted(dice.sample([-10, -3, *range(1, 40)], dice.randint(1, 6)))
        found = [{"key": f"{name}-{day}", "days": day, "channel": "email", "template": "reminder"} for day in days]
        if days[-1] > 0 and dice.random() < 0.7:
            behind = len(days) > 1 and days[-2] > 0
            timing = dice.choice(["end_of_month", "after_previous"] if behind else ["end_of_month"])
            found[-1][timing] = found[-1].pop("days")
        for step in found:
            if dice.random() < 0.3:
                step["when"] = dice.choice([["tenure_days", ">=", 100], {"not": ["country", "in", ["FR"]]}])
        return found

    return {
        "tolerance": dice.choice([0, 500]),
        "minimum": dice.choice([0, 2_000]),
        "minimum_days": dice.choice([0, 3]),
        "after_leader_paid": dice.choice(["resume", "restart"]),
        "catch_up": dice.random() < 0.3,
        "scenario_by": "country",
        "scenarios": {"standard": steps("s"), "DE": steps("d"), "A": []},
        "unless": ["insolvent", "==", True],
    }


# --- random rows ---------------------------------------------------------------------------------


def constants_of(trees: Sequence[Condition]) -> dict[str, list[Any]]:
    """Per fact every constant it is compared with."""
    found: dict[str, list[Any]] = {}
    for test in (test for tree in trees for test in conditions.tests_of(tree)):
        values = [operand.value for operand in operands_of(test) if isinstance(operand, Const)]
        found.setdefault(test.fact, []).extend(values)
    return found


def value(dice: random.Random, column: Column, constants: list[Any]) -> Any:
    """Unknown, next to a constant, or anything of the type."""
    if dice.random() < NULL_SHARE:
        return None
    if column.kind is Kind.BOOL:
        return dice.random() < 0.5
    if column.unit is None:
        return dice.choice([*constants, *constants, dice.choice(TEXTS)])
    if constants and dice.random() < 0.9:
        return dice.choice(constants) + dice.choice([-1, 0, 1])
    return dice.randint(-5, 400)


def random_row(dice: random.Random, constants: dict[str, list[Any]], stage: str) -> dict[str, Any]:
    """One row; an escalation also has a standing."""
    row = {name: value(dice, DICTIONARY[name], constants.get(name, [])) for name in FACTS}
    if stage == "escalation":
        row |= {name: dice.choice([None, False, True]) for name in ("episode_open", "same_leader", "step_finished")}
        row |= {"raised_today": dice.random() < 0.2, "previous_level": dice.randint(0, 4)}
        timed = ("leader_month_end_days", "days_since_step_done")
        row |= {name: value(dice, DICTIONARY[name], constants.get(name, [])) for name in timed}
        row["override_scenario"] = dice.choice([None, None, None, "standard", "DE", "none"])
        row |= {
            "previous_step": dice.choice(["s-1", "d-2", "s--10", None]),
            "overdue_net_minor": dice.choice([0, 499, 500, 501, 2_000, 9_000]),
        }
    return row


def make_cases(seed: int = SEED, policies: int = POLICIES, rows: int = ROWS) -> list[Case]:
    """All cases of a test run."""
    dice = random.Random(seed)
    cases = []
    for number in range(policies):
        stage = STAGES[number % len(STAGES)]
        policy, problems = parse(document(dice, stage))
        assert policy is not None, problems
        book = Book.build([policy], [], DAY)
        constants = constants_of([one.condition for one in book.stages[stage].rules])
        cases.append(Case(book, stage, [random_row(dice, constants, stage) for _ in range(rows)]))
    return cases


# --- the executors ----------------------------------------------------------------------------------


def frame_of(rows: list[dict[str, Any]]) -> nw.LazyFrame[Any]:
    """Rows as a frame of the declared types."""

    def dtype(column: Column) -> Any:
        return pl.Boolean if column.kind is Kind.BOOL else pl.Int64 if column.unit is not None else pl.String

    names = rows[0]
    return nw.from_native(
        pl.LazyFrame({name: pl.Series([r[name] for r in rows], dtype=dtype(DICTIONARY[name])) for name in names})
    )


def by_columns(case: Case) -> list[Verdict]:
    """The whole frame at once."""
    stage = case.book.stages[case.stage]
    outcomes = [column.name for column in stage.stage.outcomes]
    masks = [columns.mask_name(case.stage, word) for word in range(stage.words)]
    found = columns.decide(frame_of(case.rows), case.book).select(*outcomes, *masks, f"undecided_{case.stage}")
    return [
        (
            hits.matched_keys(stage, [row[name] for name in masks]),
            {name: row[name] for name in outcomes},
            row[f"undecided_{case.stage}"],
        )
        for row in found.to_native().collect().to_dicts()
    ]


def decided(case: Case, book: Book, row: dict[str, Any], keys: frozenset[str] | None) -> Verdict:
    """One row by the reference evaluator, or by shared code from matched keys."""
    found = reference.decide(row, book, None if keys is None else {case.stage: keys})
    outcomes = {column.name: found.outcomes[column.name] for column in STAGE[case.stage].outcomes}
    return found.matched[case.stage], outcomes, case.stage in found.undecided


def by_reference(case: Case) -> list[Verdict]:
    """Row by row."""
    return [decided(case, case.book, row, None) for row in case.rows]


def by_durable(case: Case, matcher: Matcher, book: Book | None = None) -> list[Verdict]:
    """The real extension in its child; hit policies by shared code."""
    book = book or case.book
    found = matcher.confirm(book, {case.stage: case.rows})
    assert found.alarms == []
    assert {match.by for match in found.matches[case.stage]} <= {"durable"}
    return [decided(case, book, row, match.keys) for row, match in zip(case.rows, found.matches[case.stage])]


@pytest.fixture(scope="module")
def matcher() -> Iterator[Matcher]:
    """One child for the whole module."""
    with Matcher() as one:
        yield one


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Made once; no test changes them."""
    return make_cases()


@pytest.fixture(scope="module")
def expected(cases: list[Case]) -> list[list[Verdict]]:
    """What the reference evaluator says of every case."""
    return [by_reference(case) for case in cases]


def fresh(case: Case) -> Case:
    """The same case with nothing prepared yet, so that a planted fault is compiled in."""
    return replace(case, book=replace(case.book, prepared={}))


# --- they agree ---------------------------------------------------------------------------------------


def test_the_cases_are_what_they_promise(cases: list[Case]) -> None:
    """5,000 policies x facts, 15 % unknown, each operator 200 times, values below, at and above."""
    values = [row[name] for case in cases for row in case.rows for name in FACTS]
    assert sum(len(case.rows) for case in cases) >= 5_000
    assert sum(found is None for found in values) / len(values) >= 0.15
    operators: Counter[str] = Counter()
    distances: Counter[int] = Counter()
    for case in cases:
        for test in (t for one in case.book.stages[case.stage].rules for t in conditions.tests_of(one.condition)):
            operators[test.op] += 1
            operators["fact against fact"] += isinstance(test.value, FactRef)
            for operand in operands_of(test):
                if isinstance(operand, Const) and type(operand.value) is int:
                    seen = (row.get(test.fact) for row in case.rows)
                    distances.update(found - operand.value for found in seen if type(found) is int)
    assert {op: operators[op] for op in Op if operators[op] < 200} == {}
    assert operators["fact against fact"] >= 200
    assert min(distances[-1], distances[0], distances[1]) >= 5_000


def test_columns_agree_with_the_reference_evaluator(cases: list[Case], expected: list[list[Verdict]]) -> None:
    """Matched rules, outcomes, undecided rows."""
    for case, verdicts in zip(cases, expected):
        assert by_columns(case) == verdicts, case.book.stages[case.stage].policy.document


def test_durable_rules_agrees_with_the_reference_evaluator(
    cases: list[Case], expected: list[list[Verdict]], matcher: Matcher
) -> None:
    """Matched rules from the extension, the rest by shared code."""
    matching = 0
    for case, verdicts in zip(cases, expected):
        assert by_durable(case, matcher) == verdicts, case.book.stages[case.stage].policy.document
        matching += sum(len(keys) for keys, _, _ in verdicts)
    assert matching > 5_000  # they agree on something


@pytest.mark.slow
def test_the_three_agree_on_100_000_cases_of_a_new_seed() -> None:
    """The nightly run; the seed of a failure is printed by the assertion."""
    seed = random.SystemRandom().randrange(10**9)
    with Matcher() as matcher:
        for number in range(20):
            for case in make_cases(seed + number, policies=100):
                verdicts = by_reference(case)
                assert by_columns(case) == verdicts, seed + number
                assert by_durable(case, matcher) == verdicts, seed + number


# --- planted faults are caught -------------------------------------------------------------------------


def shows(cases: list[Case], expected: list[list[Verdict]], executor: Callable[[Case], list[Verdict]]) -> int:
    """Number of rows that an executor decides otherwise."""
    return sum(
        found != verdict
        for case, verdicts in zip(cases, expected)
        for found, verdict in zip(executor(fresh(case)), verdicts)
    )


def test_less_for_at_most_is_caught(
    cases: list[Case], expected: list[list[Verdict]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extension is asked `<` where the policy says `<=`."""
    monkeypatch.setattr(durable, "NATIVE", {**durable.NATIVE, Op.LE: "$lt"})
    assert shows(cases, expected, lambda case: by_durable(case, matcher)) > 0


def without_nnf(condition: Condition) -> reference.Holds:
    """Negates the result of a condition instead of pushing the negation to its leaves."""
    match condition:
        case Not(part):
            inner = without_nnf(part)
            return lambda row: not inner(row)
        case All(parts):
            every = [without_nnf(part) for part in parts]
            return lambda row: all(part(row) for part in every)
        case AnyOf(parts):
            some = [without_nnf(part) for part in parts]
            return lambda row: any(part(row) for part in some)
        case _:
            return holds_of(condition)


def test_leaving_out_the_normal_form_is_caught(cases: list[Case], expected: list[list[Verdict]]) -> None:
    """An unknown leaf under `not` then counts as true."""

    def executor(case: Case) -> list[Verdict]:
        rules = {one.key: without_nnf(one.rule.when) for one in case.book.stages[case.stage].rules}
        keys = [frozenset(key for key, holds in rules.items() if holds(row)) for row in case.rows]
        return [decided(case, case.book, row, own) for row, own in zip(case.rows, keys)]

    whole = [pair for pair in zip(cases, expected) if pair[0].stage != "escalation"]  # whose parameters are by name
    assert shows([case for case, _ in whole], [verdicts for _, verdicts in whole], executor) > 0


def test_unknown_as_zero_is_caught(
    cases: list[Case], expected: list[list[Verdict]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A null integer is sent as 0."""
    honest = durable.flat_fact

    def faulty(row: durable.Row, shard: durable.Shard) -> dict[str, int | str]:
        zeros = {name: 0 for name in shard.facts if row.get(name) is None and DICTIONARY[name].unit is not None}
        return honest({**row, **zeros}, shard)

    monkeypatch.setattr(durable, "flat_fact", faulty)
    assert shows(cases, expected, lambda case: by_durable(case, matcher)) > 0


def test_a_lost_path_is_caught(
    cases: list[Case], expected: list[list[Verdict]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several ways to satisfy a rule the last is not sent."""
    honest = durable.paths
    monkeypatch.setattr(durable, "paths", lambda condition: honest(condition)[: max(1, len(honest(condition)) - 1)])
    assert shows(cases, expected, lambda case: by_durable(case, matcher)) > 0


def test_wrong_priority_is_caught(cases: list[Case], expected: list[list[Verdict]], matcher: Matcher) -> None:
    """The rules win in the opposite order."""

    def executor(case: Case) -> list[Verdict]:
        stage = case.book.stages[case.stage]
        turned = replace(stage, ranked=tuple(reversed(stage.ranked)))
        return by_durable(case, matcher, replace(case.book, stages={case.stage: turned}, prepared={}))

    assert shows(cases, expected, executor) > 0


def test_a_literal_of_32_bits_is_caught(
    cases: list[Case], expected: list[list[Verdict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untyped literals: their sum wraps without a word."""

    def faulty(value: Any) -> nw.Expr:
        return nw.lit(value)

    monkeypatch.setattr(columns, "literal", faulty)
    monkeypatch.setattr(effect_columns, "literal", faulty)
    points = [pair for pair in zip(cases, expected) if pair[0].stage == "scorecard"]
    assert shows([case for case, _ in points], [verdicts for _, verdicts in points], by_columns) > 0
