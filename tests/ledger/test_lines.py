"""The subject invoice: one row per open due line, with its customer's facts beside."""

import duckdb
import narwhals as nw
import pytest

from ledger.lines import LEADING_COLUMNS, OWN_COLUMNS, line_facts
from ledger.state import CUSTOMER_COLUMNS
from rules import columns, reference
from rules.book import Book
from rules.documents import parse, parse_parameters


def rows_of(ledger, **others):
    """Line facts by line."""
    keep = lambda frame: nw.from_native(frame.to_native().collect().lazy())  # noqa: E731
    rows = line_facts(ledger.frames(), ledger.basis(**others), keep).to_native().collect().to_dicts()
    return {row["line_id"]: row for row in rows}


@pytest.fixture(scope="module")
def rows(book):
    """Two customers; a line of each kind, worked by hand below."""
    ledger = book(customers=2)
    ledger.line(1_000, -10, number="2026-117", ordinal=2, day=-40)
    ledger.pay(1, 400)
    ledger.dispute(1, 300)
    ledger.line(500, 3)
    ledger.promise(1, 5, line=2)
    ledger.line(200, -20)
    ledger.credit(250)
    ledger.pay(ledger.line(70, -5), 70)
    ledger.line(9, None, customer=2)
    return rows_of(ledger)


def test_one_row_per_open_line(rows):
    """Paid lines have none."""
    assert set(rows) == {1, 2, 3, 5}


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        (1, "number", "2026-117"),
        (1, "ordinal", 2),
        (1, "line_amount_minor", 1_000),
        (1, "line_open_minor", 600),
        (1, "line_days_past_due", 10),
        (1, "line_disputed_minor", 300),
        (1, "line_promised", False),
        (1, "line_covered_minor", 50),
        (2, "line_days_past_due", -3),
        (2, "line_promised", True),
        (2, "line_covered_minor", 0),
        (3, "line_covered_minor", 200),
        (5, "line_days_past_due", None),
        (5, "due_day", None),
        (1, "invoice_day", 20_000 - 40),
        (1, "overdue_minor", 800),
        (1, "leader_days_past_due", 10),
        (1, "leader_open_minor", 250),
        (1, "overdue_net_minor", 550),
        (1, "disputed_minor", 300),
        (2, "leader_days_past_due", -3),
        (2, "leader_open_minor", 499),
        (2, "overdue_net_minor", 0),
        (2, "promised_minor", 1),
        (3, "leader_days_past_due", None),
        (3, "leader_open_minor", None),
        (3, "leader_line_id", None),
        (3, "overdue_net_minor", 0),
        (5, "leader_due_day", None),
        (5, "overdue_minor", 0),
        (5, "customer_id", 2),
    ],
)
def test_facts_of_a_line(rows, line, name, expected):
    """As worked by hand; the customer's facts stand beside the line's."""
    assert rows[line][name] == expected


def test_columns_are_as_declared(rows):
    """Technical columns, the line's, then the customer's; what a line says itself stands in the customer's place."""
    assert tuple(rows[1])[: len(OWN_COLUMNS)] == OWN_COLUMNS
    assert {column.name for column in LEADING_COLUMNS} < {column.name for column in CUSTOMER_COLUMNS}
    assert {column.name for column in CUSTOMER_COLUMNS} <= set(rows[1])


def test_lines_of_a_customer_add_up(random_book):
    """Open, disputed and overdue amounts of the lines sum to the customer's."""
    import random

    ledger = random_book(random.Random(5), customers=30)
    by_customer: dict[int, list] = {}
    for row in rows_of(ledger, rates_e9={"USD": 10**9, "GBP": 1}).values():
        by_customer.setdefault(row["customer_id"], []).append(row)
    for lines in by_customer.values():
        assert sum(line["line_open_minor"] for line in lines) == lines[0]["open_minor"]
        assert all(line["disputed_minor"] == line["line_disputed_minor"] for line in lines)
        late = [line for line in lines if (line["line_days_past_due"] or 0) > 0]
        assert sum(line["line_open_minor"] for line in late) == lines[0]["overdue_minor"]


def test_an_amount_without_a_rate_is_unknown_on_its_line_only(book):
    """The other line keeps its amount; the customer's sums are unknown."""
    ledger = book()
    ledger.line(100, -5)
    ledger.line(100, -5, currency="USD")
    rows = rows_of(ledger)
    assert [rows[line]["line_open_minor"] for line in (1, 2)] == [100, None]
    assert rows[1]["open_minor"] is None


def test_same_on_polars_and_duckdb(random_book):
    """Line by line."""
    import random

    ledger = random_book(random.Random(6), customers=25)
    keep = lambda frame: nw.from_native(duckdb.from_arrow(frame.to_native().to_arrow_table()))  # noqa: E731
    table = line_facts(ledger.duckdb_frames(), ledger.basis(), keep).to_native().to_arrow_table()
    assert {row["line_id"]: row for row in table.to_pylist()} == rows_of(ledger)


def invoice_policy(*whens):
    """Lines are held by the first rule that holds, named by its number."""
    rules = [
        {"key": f"r{number}", "label": "r", "because": "b", "priority": number, "when": when,
         "then": {"hold": True, "hold_reason": f"r{number}"}}
        for number, when in enumerate(whens)
    ]  # fmt: skip
    policy, problems = parse(
        {
            "format": 1, "kind": "policy", "key": "lines", "name": "Lines", "stage": "hold", "subject": "invoice",
            "entity": None, "effective": {"from": "2020-01-01", "until": None}, "source": "test", "because": "test",
            "hit": "first", "rules": rules, "cases": [],
            "otherwise": {"then": {"hold": False, "hold_reason": None}, "because": "none"},
        }
    )  # fmt: skip
    assert problems == []
    return policy


def test_a_policy_of_the_subject_invoice_decides_each_line_alike_in_columns_and_by_reference(book):
    """A line's own facts and those of its customer; a due day that is unknown never matches."""
    ledger = book(customers=2)
    ledger.line(1_000, -10)
    ledger.dispute(1, 300)
    ledger.line(500, 3)
    ledger.line(9, None, customer=2)
    ledger.line(2_000, -30, customer=2)
    policy = invoice_policy(
        ["line_disputed_minor", ">=", 300],
        {"all": [["line_days_past_due", ">", 10], ["overdue_minor", ">", 1_999]]},
        {"not": ["line_days_past_due", "<", -3]},
    )
    parameters, _ = parse_parameters(
        {"format": 1, "kind": "parameters", "key": "parameters", "entity": None, "source": "test", "parameters": []}
    )
    rules = Book.build([policy], parameters, 20_000, subject="invoice")
    keep = lambda frame: nw.from_native(frame.to_native().collect().lazy())  # noqa: E731
    facts = line_facts(ledger.frames(), ledger.basis(), keep)
    found = columns.decide(facts, rules).to_native().collect().to_dicts()
    assert {row["line_id"]: row["hold_reason"] for row in found} == {1: "r0", 2: "r2", 3: None, 4: "r1"}
    for row in found:
        decided = reference.decide(row, rules)
        assert {name: decided.outcomes[name] for name in ("hold", "hold_reason")} == {
            name: row[name] for name in ("hold", "hold_reason")
        }
    assert Book.build([policy], parameters, 20_000).stages == {}, "a customer is not decided by it"
