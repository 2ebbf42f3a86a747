"""Explanations agree with decisions, and why-not names exactly what is missing."""

from rules.book import Book
from rules.documents import parse, parse_parameters, shipped
from rules.explanation import explain
from rules.facts import DICTIONARY, empty_row
from rules.reference import decide
from rules.stages import OUTCOMES, STAGES
from rules.why_not import why_not

DAY = 20_000


def shipped_book():
    documents = shipped()
    parameters, _ = parse_parameters(documents[0])
    return Book.build([parse(document)[0] for document in documents[1:]], parameters, DAY)


def late_customer(**facts):
    empty = {name: value for name, value in empty_row(DICTIONARY).items() if name not in OUTCOMES}
    return {**empty, "leader_days_past_due": 20, "overdue_net_minor": 50_000, "leader_open_minor": 50_000, **facts}


def test_an_explanation_says_what_was_decided(maker, parsed, generated_parameters):
    """Verdicts are the matched rules, outcomes are the decision's, for random documents and rows."""
    for seed in range(60):
        make = maker(seed)
        policies = [parsed(make.policy(stage.name)) for stage in STAGES]
        book = Book.build(policies, generated_parameters, DAY)
        for _ in range(5):
            row = make.row()
            decided = decide(row, book)
            for stage in explain(row, book).stages:
                true = {rule.key for rule in stage.rules if rule.verdict is True}
                assert true == decided.matched[stage.stage]
                assert stage.winner == decided.winner[stage.stage]
                assert {rule.key for rule in stage.rules if rule.won} == ({stage.winner} - {None})
                assert all(decided.outcomes[name] == value for name, value in stage.in_force.items())
                assert (stage.undecided is not None) == (stage.stage in decided.undecided)


def test_why_not_shows_the_value_seen_and_the_bound():
    """The hold for overdue lacks ten days."""
    answer = why_not(late_customer(), shipped_book(), "hold", "overdue")
    assert [(seen.test.fact, seen.seen, seen.test.value.value) for seen in answer.tests] == [
        ("leader_days_past_due", 20, 30)
    ]
    assert answer.tests[0].asked.value.name == "hold_set_days"
    assert answer.exact


def test_why_not_names_the_rule_that_came_first():
    """A rule that matched but lost lacks nothing; it was beaten."""
    row = late_customer(leader_days_past_due=40, insolvent=True)
    answer = why_not(row, shipped_book(), "hold", "overdue")
    assert (answer.tests, answer.beaten_by) == ((), "insolvent")


def test_an_explanation_keeps_what_a_person_changed():
    """By rules and in force stand side by side."""
    row = late_customer(leader_days_past_due=40, override_hold=False)
    stage = explain(row, shipped_book()).stage("hold")
    assert (stage.by_rules["hold"], stage.in_force["hold"], stage.in_force["hold_reason"]) == (True, False, "override")


def test_unknown_is_shown_as_unknown():
    """A test whose fact is missing is neither true nor false."""
    stage = explain(late_customer(tenure_days=None), shipped_book()).stage("scorecard")
    young = next(rule for rule in stage.rules if rule.key == "young")
    assert (young.verdict, young.condition.seen) == (None, None)
