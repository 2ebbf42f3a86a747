"""Random policies and rows: every operator, every hit policy, values at, below and above."""

import random
from collections.abc import Mapping

import pytest

from ledger.columns import Column, Kind
from rules.documents import parse, parse_parameters
from rules.facts import DICTIONARY, readable
from rules.policies import ATTACHMENTS, CHANNELS
from rules.stages import STAGE

OPS = ["<", "<=", ">", ">=", "==", "!=", "in", "not_in", "between", "is_null", "is_not_null"]
WORDS = ["A", "B", "C", "DE", "standard", "risky", "key"]
NUMBERS = [-100, -1, 0, 1, 3, 10_000, 500_000, 10**15]
FACTS = [
    *("exposure_minor", "overdue_minor", "overdue_net_minor", "credit_limit_minor", "headroom_minor"),
    *("leader_days_past_due", "leader_open_minor", "utilisation_bp", "score_bp", "overdue_count", "tenure_days"),
    *("country", "insolvent", "dunning_block", "previous_level", "previous_segment", "previous_hold"),
]


class Maker:
    """Makes documents and rows from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.constants: dict[str, list[object]] = {}

    def value(self, column: Column) -> object:
        if column.kind is Kind.BOOL:
            return self.random.random() < 0.5
        if column.unit is None:
            return self.random.choice(WORDS)
        return self.random.choice([*NUMBERS, self.random.randint(-50, 50)])

    def constant(self, column: Column) -> object:
        value = self.value(column)
        self.constants.setdefault(column.name, []).append(value)
        return value

    def test(self, facts: Mapping[str, Column]) -> list[object]:
        column = facts[self.random.choice(sorted(facts))]
        ops = OPS if column.unit is not None else ["==", "!=", "in", "not_in", "is_null", "is_not_null"]
        op = self.random.choice(["==", "!="] if column.kind is Kind.BOOL else ops)
        if op in ("is_null", "is_not_null"):
            return [column.name, op]
        if op in ("in", "not_in"):
            return [column.name, op, [self.constant(column) for _ in range(self.random.randint(1, 3))]]
        if op == "between":
            return [column.name, op, sorted([self.constant(column), self.constant(column)])]
        if column.unit is not None and self.random.random() < 0.3:
            others = [c.name for c in facts.values() if c.unit == column.unit]
            return [column.name, op, {"fact": self.random.choice(others)}]
        if column.kind is Kind.MONEY and self.random.random() < 0.2:
            return [column.name, op, {"param": self.random.choice(["plain", "split"])}]
        return [column.name, op, self.constant(column)]

    def condition(self, facts: Mapping[str, Column], depth: int = 3) -> object:
        if depth == 0 or self.random.random() < 0.35:
            return self.test(facts)
        word = self.random.choice(["all", "any", "not"])
        if word == "not":
            return {"not": self.condition(facts, depth - 1)}
        return {word: [self.condition(facts, depth - 1) for _ in range(self.random.randint(1, 3))]}

    def effect(self, stage: str, column: Column, depth: int = 2) -> object:
        if column.unit is None or column.kind is Kind.COUNT:
            return self.value(column) if column.unit is None else self.random.randint(-40, 40)
        if depth == 0 or self.random.random() < 0.4:
            money = column.kind is Kind.MONEY
            plain = [{"fact": "credit_limit_minor"}, {"fact": "exposure_minor"}, {"param": "split"}] if money else []
            return self.random.choice([self.random.randint(0, 10**6), None, *plain])
        inner = [self.effect(stage, column, depth - 1) for _ in range(2)]
        return self.random.choice(
            [
                {"min": inner},
                {"max": inner},
                {"percent_of": [inner[0], self.random.randint(-20_000, 20_000)]},
                {"round_down": [inner[0], self.random.randint(1, 1000)]},
            ]
        )

    def policy(self, stage: str, size: int = 6) -> dict[str, object]:
        declared = STAGE[stage]
        facts = {name: c for name, c in readable(stage, DICTIONARY).items() if name in FACTS}
        earlier = ["risk_class", "segment", "points", "hold", "proposed_limit_minor"]
        facts |= {n: c for n, c in readable(stage, DICTIONARY).items() if n in earlier}
        document: dict[str, object] = {
            "format": 1,
            "kind": "policy",
            "key": stage,
            "name": stage,
            "stage": stage,
            "effective": {"from": "2020-01-01"},
            "source": "generated",
            "because": "generated",
            "hit": self.random.choice(declared.hits),
        }
        hit = document["hit"]
        if stage == "escalation":
            document |= {"escalation": self.escalation(facts), "otherwise": {"then": {"level": 0, "step": None}}}
            return document
        document["rules"] = [self.rule(stage, index, facts, str(hit)) for index in range(self.random.randint(0, size))]
        document["otherwise"] = {"then": {declared.settable[0]: self.effect(stage, declared.outcomes[0])}}
        if stage == "scorecard":
            document["bands"] = [{"risk_class": "A", "up_to": 0}, {"risk_class": "B", "up_to": 9}, {"risk_class": "C"}]
        return document

    def rule(self, stage: str, index: int, facts: Mapping[str, Column], hit: str) -> dict[str, object]:
        declared = STAGE[stage]
        names = declared.settable if self.random.random() < 0.7 else declared.settable[:1]
        then = {name: self.effect(stage, declared.outcome(name)) for name in names}
        if stage == "hold" and self.random.random() < 0.3:
            then |= {"exclusion": True, "hold": False}
        if hit in ("first", "most_severe") and self.random.random() < 0.3:
            then["final"] = True
        rule = {"key": f"r{index}", "when": self.condition(facts), "then": then, "priority": self.random.randint(0, 3)}
        return rule | ({"on_unknown": "refer"} if self.random.random() < 0.3 else {})

    def escalation(self, facts: Mapping[str, Column]) -> dict[str, object]:
        def steps(name: str) -> list[dict[str, object]]:
            days = sorted(self.random.sample([-10, -3, 1, 3, 4, 10, 20, 40], self.random.randint(1, 6)))
            found = [self.step(f"{name}{d}", facts) | {"days": d} for d in days]
            if days[-1] > 0 and self.random.random() < 0.5:
                behind = len(days) > 1 and days[-2] > 0
                timing = self.random.choice(["end_of_month", "after_previous"] if behind else ["end_of_month"])
                found[-1][timing] = found[-1].pop("days")
            return found

        terms: dict[str, object] = {
            "tolerance": self.random.choice([0, {"param": "plain"}, {"param": "split"}]),
            "minimum": self.random.choice([0, 3, {"param": "split"}]),
            "minimum_days": self.random.choice([0, 3]),
            "after_leader_paid": self.random.choice(["resume", "restart"]),
            "catch_up": self.random.random() < 0.3,
            "scenarios": {"standard": steps("s"), "risky": steps("r")},
        }
        return terms | ({"unless": self.condition(facts, 1)} if self.random.random() < 0.4 else {})

    def step(self, key: str, facts: Mapping[str, Column]) -> dict[str, object]:
        dice = self.random
        step: dict[str, object] = {"key": key, "channel": "email", "template": "t"}
        if dice.random() < 0.2:
            step["when"] = self.condition(facts, 1)
        if dice.random() < 0.05:
            step |= {"channel": dice.choice(CHANNELS), "penalties": dice.random() < 0.5}
        if dice.random() < 0.05:
            step |= {"otherwise": [dice.choice(CHANNELS[:6])], "attach": [dice.choice(ATTACHMENTS)]}
        return step

    def row(self, nulls: float = 0.2) -> dict[str, object]:
        return {name: self.seen(DICTIONARY[name], nulls) for name in ROW}

    def seen(self, column: Column, nulls: float) -> object:
        if self.random.random() < nulls:
            return None
        if column.name == "previous_level":
            return self.random.randint(0, 4)
        known = self.constants.get(column.name)
        if known and self.random.random() < 0.7:
            value = self.random.choice(known)
            if isinstance(value, bool) or not isinstance(value, int):
                return value
            return value + self.random.choice([-1, 0, 1])
        if column.name == "leader_days_past_due":
            return self.random.choice([-11, -10, -3, -1, 0, 1, 3, 4, 5, 10, 30, 60])
        if column.name == "override_scenario":
            return self.random.choice([None, None, None, "standard", "risky", "none"])
        if column.name in ("leader_month_end_days", "days_since_step_done"):
            return self.random.choice([-3, 0, 2, 3, 4, 5, 10, 20, 39, 40, 41])
        if column.name == "overdue_net_minor":
            return self.random.randint(0, 4)
        return self.value(column)


ROW = [
    *FACTS,
    *("promised_minor", "disputed_minor", "days_since_contact", "previous_step", "episode_open", "same_leader"),
    *("leader_month_end_days", "days_since_step_done", "override_scenario"),
    *("step_finished", "raised_today", "previous_risk_class", "previous_hold_reason", "previous_points"),
]
START = "2020-01-01"
PARAMETERS = {
    "format": 1,
    "kind": "parameters",
    "key": "parameters",
    "source": "generated",
    "parameters": [
        {"name": "plain", "kind": "money", "label": "p", "meaning": "p", "values": [{"from": START, "value": 2}]},
        {
            "name": "split",
            "kind": "money",
            "label": "s",
            "meaning": "s",
            "values": [{"from": START, "value": 1}, {"from": START, "value": 500_000, "segment": "risky"}],
        },
    ],
}


@pytest.fixture
def maker():
    """Give a maker of random documents and rows for a seed."""
    return Maker


@pytest.fixture
def generated_parameters():
    """Give the parameters that random documents name."""
    parameters, problems = parse_parameters(PARAMETERS)
    assert problems == []
    return parameters


@pytest.fixture
def parsed():
    """Give a reader of documents that must be in order."""

    def read(document):
        policy, problems = parse(document)
        assert problems == []
        return policy

    return read
