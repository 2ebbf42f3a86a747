"""Words: rules and changes as a credit manager reads them."""

import copy

from rules.conditions import All, Any, Const, FactRef, Not, Op, Param, Test
from rules.differences import parameter_differences, policy_differences
from rules.documents import parse, parse_parameters, shipped
from rules.words import Voice, condition_words, policy_words, rule_words

DOCUMENTS = {document["key"]: document for document in shipped()}
VOICE = Voice()


def test_every_operator_has_words():
    """A sentence for each, with values in human units."""
    said = {
        op: condition_words(Test("leader_days_past_due", op, value), VOICE)
        for op, value in [
            *((op, Const(5)) for op in (Op.LT, Op.LE, Op.GT, Op.GE, Op.EQ, Op.NE)),
            *((op, (Const(5), Const(6))) for op in (Op.IN, Op.NOT_IN, Op.BETWEEN)),
            *((op, None) for op in (Op.IS_NULL, Op.IS_NOT_NULL)),
        ]
    }
    assert len(set(said.values())) == len(Op)
    assert said[Op.BETWEEN] == "Days past due of the leader is from 5 days to 6 days"


def test_groups_are_bracketed_where_needed():
    """`and` and `or` never stand side by side without brackets."""
    leaf = Test("overdue_minor", Op.GT, FactRef("credit_limit_minor"))
    insolvent = Test("insolvent", Op.EQ, Const(True))
    words = condition_words(All((leaf, Any((insolvent, Not(leaf))))), VOICE)
    assert words == "Overdue is more than Credit limit and (Insolvent: yes or not (Overdue is more than Credit limit))"


def test_a_parameter_is_named_with_its_value():
    """The reader sees both what it is called and what it is now."""
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    voice = Voice(currency="USD", parameters={p.name: p for p in parameters.parameters})
    words = condition_words(Test("overdue_net_minor", Op.GT, Param("dunning_tolerance")), voice)
    assert words == "Net overdue is more than “Dunning tolerance” (5.00 USD)"


def test_every_sentence_can_be_translated():
    """All words but names and values come through the voice."""
    seen = []

    def shout(message):
        seen.append(message)
        return message.upper().replace(")S", ")s").replace("%(", "%(")

    def keep(message):
        seen.append(message)
        return message

    for key in ("scorecard", "hold", "escalation", "credit_limit"):
        policy, _ = parse(DOCUMENTS[key])
        assert policy_words(policy, Voice(say=keep)) == policy_words(policy, VOICE)
    assert "If %(condition)s, then %(effects)s" in seen
    assert shout("x") == "X"


def test_a_rule_is_one_sentence():
    """Condition, effect, and what outranks what."""
    policy, _ = parse(DOCUMENTS["hold"])
    assert rule_words(policy.rule("insolvent"), VOICE) == (
        "If Insolvent: yes, then Hold: yes, Reason of the hold: insolvent (no override beats it)"
    )


def test_a_changed_parameter_is_one_line():
    """Label, before and after, in the entity's currency."""
    document = copy.deepcopy(DOCUMENTS["parameters"])
    document["parameters"][0]["values"].append({"from": "2026-01-01", "value": 1000})
    before, _ = parse_parameters(DOCUMENTS["parameters"])
    after, _ = parse_parameters(document)
    found = parameter_differences(before, after, VOICE)
    assert [str(one) for one in found] == ["Dunning tolerance: 5.00 EUR → 10.00 EUR"]
    assert parameter_differences(before, before, VOICE) == []


def test_changed_thresholds_steps_and_bands_are_told():
    """Only what changed is listed."""
    document = copy.deepcopy(DOCUMENTS["scorecard"])
    document["rules"][0]["when"][2] = 7000
    document["bands"][0]["up_to"] = 8
    del document["rules"][1]
    found = policy_differences(parse(DOCUMENTS["scorecard"])[0], parse(document)[0], VOICE)
    assert [str(one) for one in found] == [
        "Score 60 % and above, condition: Score is at least 60.00 % → Score is at least 70.00 %",
        "Score 40 % to 60 %: Score is from 40.00 % to 59.99 %; Points: 25; Score 40 % to 60 %; "
        "The model expects about half of the invoices to be late.; 0; does not match; as usual → —",
        "Classes: class A up to 12 points; class B up to 30 points; class C up to 55 points; class D up to 80 points; "
        "class E above that → class A up to 8 points; class B up to 30 points; class C up to 55 points; "
        "class D up to 80 points; class E above that",
    ]
    document = copy.deepcopy(DOCUMENTS["escalation"])
    document["escalation"]["scenarios"]["risky"][1]["days"] = 4
    document["escalation"]["catch_up"] = True
    found = policy_differences(parse(DOCUMENTS["escalation"])[0], parse(document)[0], VOICE)
    assert [str(one) for one in found] == [
        "Catch up: no → yes",
        "Scenario risky, risky-p3: 3 days after the due date: call call_first, level 1 → "
        "4 days after the due date: call call_first, level 1",
    ]


def test_equal_policies_have_no_difference():
    """For every shipped document."""
    for key in ("scorecard", "segmentation", "credit_limit", "hold", "escalation"):
        policy, _ = parse(DOCUMENTS[key])
        assert policy_differences(policy, policy, VOICE) == []
