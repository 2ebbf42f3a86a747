"""What the command line says of an explanation: lines of plain text, in human units."""

from admin.telling import explanation_lines, why_not_lines
from rules.book import Book
from rules.documents import parse, parse_parameters, shipped
from rules.explanation import explain
from rules.facts import DICTIONARY, empty_row
from rules.stages import OUTCOMES
from rules.why_not import WhyNot, why_not


def shipped_book() -> Book:
    """The shipped policies."""
    documents = shipped()
    parameters, _ = parse_parameters(documents[0])
    return Book.build([parse(document)[0] for document in documents[1:]], parameters, 20_000)


def customer(**facts: object) -> dict[str, object]:
    """A customer twenty days late."""
    empty = {name: value for name, value in empty_row(DICTIONARY).items() if name not in OUTCOMES}
    return {**empty, "leader_days_past_due": 20, "overdue_net_minor": 50_000, "leader_open_minor": 50_000, **facts}


def said(rule: str, **facts: object) -> list[str]:
    """The answer to why not a rule of the hold."""
    book = shipped_book()
    return why_not_lines(why_not(customer(**facts), book, "hold", rule), book.stages["hold"], "EUR")


def test_what_would_have_to_change_and_the_tests_that_fail() -> None:
    """The fewest facts first, then the tests as the policy writes them."""
    lines = said("overdue")
    assert lines[:2] == [
        "The fewest facts that would have to be others:",
        "  Days past due of the leader is 20 days; it would have to be at least 30 days: 10 days more",
    ]
    assert lines[2] == "The tests that fail:"
    assert lines[3].startswith("  no: Days past due of the leader is at least 30 days")


def test_a_rule_that_holds() -> None:
    """It decides, or another came first."""
    assert said("overdue", leader_days_past_due=40) == ["The rule holds and decides."]
    (line,) = said("overdue", leader_days_past_due=40, insolvent=True)
    assert line.startswith("Not so: it holds, but “Insolvent” comes first")


def test_a_rule_that_can_never_hold() -> None:
    """Said as it is."""
    stage = shipped_book().stages["hold"]
    assert why_not_lines(WhyNot(never=True), stage, "EUR") == ["No facts at all could make this rule hold."]


def test_every_stage_and_every_rule_has_its_line() -> None:
    """With a star at what decided."""
    book = shipped_book()
    lines = explanation_lines(explain(customer(), book), "EUR")
    for stage in book.stages.values():
        for rule in stage.rules:
            assert any(f" {rule.key} (" in line for line in lines)
    assert any(line.startswith("  * ") for line in lines)
