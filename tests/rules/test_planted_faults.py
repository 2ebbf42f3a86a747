"""Faults planted into the shipped documents by mutation are found: right kind, rule and place (promise D5)."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rules.checks import check
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY, readable
from rules.stages import STAGE

DOCUMENTS = {document["key"]: document for document in shipped() if document["kind"] == "policy"}
PARAMETERS, _ = parse_parameters(next(document for document in shipped() if document["kind"] == "parameters"))
SEEDS = (1, 2, 3)
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}

Document = dict[str, Any]
Planted = tuple[str, str]  # where the finding must stand, and words it must say


def every_test(when: Any, place: str) -> Iterator[tuple[list[Any], str, bool]]:
    """Every test of a condition with its place, and whether it stands in a plain conjunction."""
    if isinstance(when, list):
        yield when, place, True
        return
    for word, parts in when.items():
        inner = [parts] if word == "not" else parts
        for index, part in enumerate(inner):
            below = f"{place}/{word}" if word == "not" else f"{place}/{word}/{index}"
            for test, where, plain in every_test(part, below):
                yield test, where, plain and word == "all"


def pick(dice: random.Random, document: Document, wanted: Callable[[list[Any]], bool], plain: bool = False) -> Any:
    """Some test of some rule: the rule's number, the test itself and its place."""
    found = [
        (number, test, place)
        for number, rule in enumerate(document.get("rules", ()))
        for test, place, conjunct in every_test(rule["when"], f"/rules/{number}/when")
        if wanted(test) and (conjunct or not plain)
    ]
    return dice.choice(found) if found else None


def is_number(test: list[Any]) -> bool:
    """Whether a test compares a number with a constant."""
    return test[1] in OPPOSITE and type(test[2]) is int


def unknown_fact(dice: random.Random, document: Document) -> Planted | None:
    """A fact's name is misspelt."""
    found = pick(dice, document, lambda test: True)
    if found is None:
        return None
    found[1][0] += "_x"
    return found[2], "there is no fact"


def later_outcome(dice: random.Random, document: Document) -> Planted | None:
    """A rule reads the outcome it is to set."""
    found = pick(dice, document, lambda test: True)
    if found is None:
        return None
    found[1][:] = [STAGE[document["stage"]].outcomes[0].name, "==", 1]
    return found[2], "its own outcome"


def wrong_type(dice: random.Random, document: Document) -> Planted | None:
    """A number becomes text."""
    found = pick(dice, document, is_number)
    if found is None:
        return None
    found[1][2] = str(found[1][2])
    return found[2], "is not"


def wrong_unit(dice: random.Random, document: Document) -> Planted | None:
    """A number is compared with a parameter of another unit."""
    found = pick(dice, document, is_number)
    if found is None:
        return None
    money = DICTIONARY[found[1][0]].unit == "minor"
    found[1][2] = {"param": "minimum_contact_days" if money else "small_balance"}
    return found[2], "the parameter"


def missing_parameter(dice: random.Random, document: Document) -> Planted | None:
    """A parameter is named that nobody declared."""
    found = pick(dice, document, is_number)
    if found is None:
        return None
    found[1][2] = {"param": "not_declared"}
    return found[2], "there is no parameter"


def outside_range(dice: random.Random, document: Document) -> Planted | None:
    """A threshold lies beyond everything the fact can be."""
    found = pick(dice, document, lambda test: is_number(test) and DICTIONARY[test[0]].high is not None)
    if found is None:
        return None
    found[1][2] = DICTIONARY[found[1][0]].high + 2
    return found[2], "outside the range"


def contradiction(dice: random.Random, document: Document) -> Planted | None:
    """The opposite of a test is asked beside it."""
    found = pick(dice, document, is_number, plain=True)
    if found is None:
        return None
    number, test, _place = found
    rule = document["rules"][number]
    rule["when"] = {"all": [rule["when"], [test[0], OPPOSITE[test[1]], test[2]]]}
    return f"/rules/{number}/when", "contradict each other"


def never_reached(dice: random.Random, document: Document) -> Planted | None:
    """A rule is put before all others that asks less than one of them."""
    ranked = document["hit"] in ("first", "most_severe") and document.get("rules")
    if not ranked:
        return None
    victims = [
        number for number, rule in enumerate(document["rules"])
        if isinstance(rule["when"], dict) and "all" in rule["when"] and isinstance(rule["when"]["all"][0], list)
        and rule["then"].get("hold") is not False
    ]  # fmt: skip
    if not victims:
        return None
    number = dice.choice(victims)
    rule = document["rules"][number]
    first = {**copy.deepcopy(rule), "key": "planted", "priority": -1, "when": copy.deepcopy(rule["when"]["all"][0])}
    document["rules"].append(first)
    document["cases"] = []
    return f"/rules/{number}/when", f"the rule {rule['key']!r} is never reached"


def overlap(dice: random.Random, document: Document) -> Planted | None:
    """Two rules of a policy that allows one match at a time ask the same."""
    if "unique" not in STAGE[document["stage"]].hits:
        return None
    document["hit"] = "unique"
    rule = dice.choice(document["rules"])
    for one in document["rules"]:
        one["then"].pop("final", None), one["then"].pop("exclusion", None)
    document["rules"] = [rule, {**copy.deepcopy(rule), "key": "planted", "priority": 10**6}]
    document["cases"] = []
    return "/rules/1/when", "can both match"


def gap(dice: random.Random, document: Document) -> Planted | None:
    """A rule is split in two at a threshold, and the threshold itself falls between them."""
    found = pick(
        dice, document,
        lambda test: test[1] in (">=", ">") and type(test[2]) is int and DICTIONARY[test[0]].unit in ("days", "count"),
        plain=True,
    )  # fmt: skip
    if found is None:
        return None
    number, test, _place = found
    rule = document["rules"][number]
    split = test[2] + dice.randint(5, 20)
    if split + 2 > (DICTIONARY[test[0]].high or split + 2):
        return None
    below, above = copy.deepcopy(rule), copy.deepcopy(rule)
    below["when"] = {"all": [rule["when"], [test[0], "<", split]]}
    above["when"] = {"all": [rule["when"], [test[0], ">", split]]}
    document["rules"] = [{**below, "key": "below"}, {**above, "key": "above"}]
    document["cases"] = []
    return "/rules/1/when", f"no rule covers {test[0]} {split}, between 'below' and 'above'"


def without_boundary(dice: random.Random, document: Document) -> Planted | None:
    """The cases at one threshold are taken away."""
    found = pick(dice, document, is_number, plain=True)
    if found is None:
        return None
    _number, test, place = found
    near = {test[2] - 1, test[2], test[2] + 1}
    document["cases"] = [case for case in document["cases"] if case["facts"].get(test[0]) not in near]
    return place, "no case shows"


def wrong_expectation(dice: random.Random, document: Document) -> Planted | None:
    """A case expects what the rules do not give."""
    decisive = STAGE[document["stage"]].outcomes[0]
    numbers = [n for n, case in enumerate(document["cases"]) if decisive.name in case.get("expect", {})]
    if not numbers:
        return None
    number = dice.choice(numbers)
    expected = document["cases"][number]["expect"]
    was = expected[decisive.name]
    expected[decisive.name] = (not was) if isinstance(was, bool) else "x" if decisive.unit is None else (was or 0) + 1
    return f"/cases/{number}/expect/{decisive.name}", "gives"


def overflow(dice: random.Random, document: Document) -> Planted | None:
    """An amount is multiplied beyond 64 bits."""
    if document["stage"] != "credit_limit":
        return None
    number = dice.randrange(len(document["rules"]))
    share = {"percent_of": [{"percent_of": [{"fact": "turnover_12m_minor"}, 1_000_000]}, 1_000_000]}
    document["rules"][number]["then"]["proposed_limit_minor"] = share
    return f"/rules/{number}/then/proposed_limit_minor", "64 bits"


def other_stage(dice: random.Random, document: Document) -> Planted | None:
    """A rule sets what another stage decides."""
    if not document.get("rules"):
        return None
    number = dice.randrange(len(document["rules"]))
    name = "segment" if document["stage"] != "segmentation" else "hold"
    document["rules"][number]["then"][name] = "x" if name == "segment" else True
    return f"/rules/{number}/then/{name}", "is an outcome of the stage"


OPERATORS = (
    unknown_fact, later_outcome, wrong_type, wrong_unit, missing_parameter, outside_range, contradiction, never_reached,
    overlap, gap, without_boundary, wrong_expectation, overflow, other_stage,
)  # fmt: skip


def planted(plant: Callable[[random.Random, Document], Planted | None], key: str, seed: int) -> Any:
    """A shipped document with one fault, and where it must be found; None where it cannot be planted."""
    document = copy.deepcopy(dict(DOCUMENTS[key]))
    expected = plant(random.Random(f"{plant.__name__}/{key}/{seed}"), document)
    return None if expected is None else (document, *expected)


@pytest.mark.parametrize("plant", OPERATORS, ids=lambda plant: plant.__name__)
def test_every_planted_fault_is_found(plant: Callable[[random.Random, Document], Planted | None]) -> None:
    """In every shipped policy that can have the fault, for three seeds."""
    tried = 0
    for key in DOCUMENTS:
        for seed in SEEDS:
            made = planted(plant, key, seed)
            if made is None:
                continue
            document, place, words = made
            policy, problems = parse(document)
            found = list(problems)
            if policy is not None:
                found += check(policy, PARAMETERS, DICTIONARY)
            assert any(p.place.startswith(place) and words in p.what for p in found), (key, seed, place, words, found)
            tried += 1
    assert tried >= len(SEEDS)


def test_there_are_at_least_a_hundred_planted_faults() -> None:
    """Enough to be a measure: a checker that misses one in a hundred is seen."""
    made = [planted(plant, key, seed) for plant in OPERATORS for key in DOCUMENTS for seed in SEEDS]
    assert sum(one is not None for one in made) >= 100


def test_sound_documents_of_many_shapes_have_no_finding() -> None:
    """Every shipped policy under other names, days, priorities and orders of its rules."""
    for seed in range(6):
        dice = random.Random(seed)
        for key, shipped_document in DOCUMENTS.items():
            document = copy.deepcopy(dict(shipped_document))
            document |= {"key": f"{key}-{seed}", "name": f"{key} {seed}", "source": f"Credit policy {2000 + seed}"}
            document["effective"] = {"from": f"{2011 + seed}-01-01", "until": f"{2031 + seed}-01-01"}
            if document.get("rules"):
                order = sorted(document["rules"], key=lambda rule: (rule.get("priority", 100), rule["key"]))
                for number, rule in enumerate(order):
                    rule["priority"] = (number + 1) * (seed + 1)
                dice.shuffle(document["rules"])
            dice.shuffle(document["cases"])
            policy, problems = parse(document)
            assert problems == []
            assert check(policy, PARAMETERS, DICTIONARY) == [], key


def test_every_fact_may_be_tested_in_its_first_stage() -> None:
    """A sound test of each fact a segmentation may read gives no error."""
    for name, column in readable("segmentation", DICTIONARY).items():
        value: Any = {"bool": True}.get(column.kind.value, column.values[0] if column.values else "DE")
        test = [name, "==" if column.unit is None else ">=", value if column.unit is None else max(column.low or 1, 1)]
        document = {
            "format": 1, "kind": "policy", "key": "k", "name": "n", "stage": "segmentation", "hit": "first",
            "effective": {"from": "2020-01-01"}, "source": "s", "because": "b",
            "rules": [{"key": "r", "when": test, "then": {"segment": "a"}}],
            "otherwise": {"then": {"segment": "n"}}, "cases": [{"name": "nothing", "facts": {}}],
        }  # fmt: skip
        policy, problems = parse(document)
        assert problems == []
        assert not [p for p in check(policy, PARAMETERS, DICTIONARY) if p.severity == "error"], name
