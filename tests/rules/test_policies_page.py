"""docs/policies.md: every example is read and checked, every limit and outcome is the real one."""

import json
import re
from pathlib import Path

import pytest

from ledger.problems import has_errors
from rules import limits
from rules.checks import check
from rules.derived import parse_derived
from rules.derived_checks import check_derived
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY
from rules.stages import STAGES

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = [(kind, json.loads(text)) for kind, text in re.findall(r"```json (\w+)\n(.*?)```", PAGE, re.DOTALL)]


def findings(document):
    policy, problems = parse(document)
    if problems:
        return problems
    parameters, _ = parse_parameters(shipped()[0])
    return check(policy, parameters, DICTIONARY)


def around(condition=None, effect=None):
    rule = {"key": "r", "when": condition or ["insolvent", "==", True], "then": {"proposed_limit_minor": effect or 0}}
    return {
        "format": 1, "kind": "policy", "key": "k", "name": "n", "stage": "credit_limit", "hit": "first",
        "effective": {"from": "2026-01-01"}, "source": "s", "because": "b", "rules": [rule],
        "otherwise": {"then": {"proposed_limit_minor": 0}}, "cases": [{"name": "c", "facts": {}}],
    }  # fmt: skip


def test_the_page_has_examples_of_every_kind():
    """Policies, parameters, derived facts, a condition and an effect."""
    assert {kind for kind, _ in EXAMPLES} == {"policy", "parameters", "derived_facts", "condition", "effect"}


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_every_example_is_in_order(kind, example):
    """What the page shows can be proposed as it stands."""
    if kind == "policy":
        assert not has_errors(findings(example))
    elif kind == "parameters":
        assert parse_parameters(example)[1] == []
    elif kind == "derived_facts":
        found, problems = parse_derived(example)
        assert problems == []
        assert check_derived(found, [], []) == []
    else:
        assert not has_errors(findings(around(**{kind: example})))


def test_the_page_tells_the_real_limits():
    """The table of limits is the table of limits."""
    told = re.findall(r"^\| `(\w+)` \| (\d+) \|$", PAGE, re.MULTILINE)
    assert len(told) >= 12
    assert all(limits.LIMITS[name] == int(value) for name, value in told)


def test_the_page_tells_every_stage_with_its_outcomes_and_hit_policies():
    """One row a stage."""
    for stage in STAGES:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{stage.name}` |"))
        assert all(f"`{name}`" in row for name in (*stage.hits,))
        assert stage.name == "escalation" or all(f"`{name}`" in row for name in stage.settable)
