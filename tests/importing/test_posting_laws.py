"""Posting: the ledger depends on what the files say, not on how they are cut, ordered or repeated."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entries import Allocation, Credit, Known, Line, Plan
from ledger.posting import post
from ledger.problems import has_errors
from ledger.records import Record

TODAY = 20_000


class Book:
    """A ledger in memory: applies plans as the engine does."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.credits: dict[int, Credit] = {}
        self.allocations: dict[int, Allocation] = {}
        self.reversed: set[tuple[str, int]] = set()
        self.reversals = 0
        self.last = 0

    def known(self) -> Known:
        lines = {i: line for i, line in self.lines.items() if ("due_line", i) not in self.reversed}
        credits_ = {i: credit for i, credit in self.credits.items() if ("credit", i) not in self.reversed}
        allocations = [
            replace(one, credit=credits_[one.credit.id], line=lines[one.line.id])
            for i, one in self.allocations.items()
            if ("allocation", i) not in self.reversed
        ]
        revisions: dict[str, int] = {}
        for entry in (*self.lines.values(), *self.credits.values()):
            revisions[entry.identity] = max(entry.revision, revisions.get(entry.identity, 0))
        return Known(lines.values(), credits_.values(), allocations, revisions=revisions)

    def post(self, records: Sequence[Record], day: int = TODAY, history_until: int | None = None) -> Plan:
        plan, problems = post(records, self.known(), currency="EUR", posting_day=day, history_until=history_until)
        assert not has_errors(problems)
        lines = {line.key: self._add(self.lines, line) for line in plan.lines}
        credits_ = {credit.key: self._add(self.credits, credit) for credit in plan.credits}
        for reversal in plan.reversals:
            self.reversed.add((reversal.target, reversal.entry.id))
            self.reversals += 1
        for one in plan.allocations:
            credit, line = credits_.get(one.credit.key, one.credit), lines.get(one.line.key, one.line)
            self._add(self.allocations, replace(one, credit=credit, line=line))
        return plan

    def _add(self, table: dict[int, Any], entry: Any) -> Any:
        self.last += 1
        table[self.last] = replace(entry, id=self.last)
        return table[self.last]

    def state(self) -> tuple[Counter[Any], Counter[Any]]:
        """What is in force, by what it says; without the ordinals of equal invoices."""
        known = self.known()
        paid: dict[str, list[Any]] = {identity: [] for identity in known.lines}
        for one in known.allocations:
            said = (one.credit.kind, one.credit.number, one.amount_minor, one.booked_day, one.recorded_day)
            paid[one.line.identity].append(said)
        lines = Counter(
            (*_natural(line), line.recorded_day, *sorted(paid[line.identity])) for line in known.lines.values()
        )
        credits_ = Counter(
            (credit.customer, credit.kind, credit.number, *credit.content, credit.recorded_day)
            for credit in known.credits.values()
        )
        return lines, credits_


def _natural(line: Line) -> tuple[Any, ...]:
    return (line.customer, line.number, line.ordinal if line.number else 0, *line.content)


def invoice(number: str | None, amount: int = 100, *, paid: int = 0, paid_on: int = 15_030, **values: Any) -> Record:
    """An invoice of customer 1 on day 15,000, perhaps with the payment of its row."""
    said = {"customer": "1", "invoiced_on": 15_000, "due_on": 15_030, "amount": amount, "currency": "EUR", **values}
    if number:
        said["number"] = number
    settlements = ()
    if paid:
        settled = {"customer": said["customer"], "booked_on": paid_on, "amount": paid, "currency": "EUR"}
        settlements = (Record("payment", 2, settled | ({"reference": number} if number else {})),)
    return Record("invoice", 2, said, settlements)


def payment(number: str, amount: int, reference: str | None = None, **values: Any) -> Record:
    """A payment of customer 1 on day 15,010."""
    kind = values.pop("kind", "payment")
    said = {"customer": "1", "number": number, "booked_on": 15_010, "amount": amount, "currency": "EUR", **values}
    return Record(kind, 2, said | ({"reference": reference} if reference else {}))


NUMBERS = st.sampled_from(["A", "B", "C"])
INVOICES = st.builds(invoice, NUMBERS, st.integers(1, 300), paid=st.integers(0, 400), customer=st.sampled_from("12"))
UNNUMBERED = st.builds(
    invoice,
    st.none(),
    st.sampled_from([100, 200]),
    paid=st.sampled_from([0, 50, 100]),
    paid_on=st.integers(15_001, 15_003),
)
PAYMENTS = st.builds(
    payment,
    st.sampled_from(["P1", "P2", "P3", "P4"]),
    st.integers(1, 300),
    st.none() | NUMBERS,
    booked_on=st.integers(14_990, 15_020),
    customer=st.sampled_from("12"),
)


def same_item(record: Record) -> Any:
    values = record.values
    return (record.kind, values["customer"], values.get("number"), values.get("reference"))


def once_each(records: Sequence[Record]) -> list[Record]:
    """One row per number, as reading makes sure."""
    return list({same_item(record): record for record in records}.values())


NUMBERED = st.lists(INVOICES | PAYMENTS, max_size=12).map(once_each)


@pytest.mark.promise("B4")
@given(NUMBERED, st.lists(UNNUMBERED, max_size=6))
def test_the_same_file_twice_changes_nothing(numbered: list[Record], equals: list[Record]) -> None:
    """The second time every entry is known."""
    book = Book()
    book.post([*numbered, *equals], history_until=TODAY)
    before = book.state()
    again = book.post([*numbered, *equals], history_until=TODAY)
    assert (again.posted, book.state(), book.reversals) == (0, before, 0)


@pytest.mark.promise("B3")
@given(NUMBERED, st.lists(UNNUMBERED, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(numbered: list[Record], equals: list[Record], chance: Any) -> None:
    """Equal invoices paid on different days included."""
    rows = [*numbered, *equals]
    book, other = Book(), Book()
    book.post(rows, history_until=TODAY)
    chance.shuffle(rows)
    other.post(rows, history_until=TODAY)
    assert book.state() == other.state()


@given(st.lists(UNNUMBERED, max_size=8), st.randoms(use_true_random=False))
def test_equal_rows_are_told_apart_by_what_they_say(rows: list[Record], chance: Any) -> None:
    """The same identity gets the same payment wherever its row stands."""
    book, other = Book(), Book()
    book.post(rows)
    turned = list(rows)
    chance.shuffle(turned)
    other.post(turned)
    assert {i: one.content for i, one in book.known().credits.items()} == {
        i: one.content for i, one in other.known().credits.items()
    }


@pytest.mark.promise("B3")
@given(NUMBERED, st.lists(st.sets(st.integers(0, 11)), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_the_cut_into_files_changes_nothing(rows: list[Record], cuts: list[set[int]], chance: Any) -> None:
    """Files that overlap, in any order, give what one file gives; payments may come before invoices."""
    book, other = Book(), Book()
    book.post(rows)
    files = [
        [rows[at] for at in sorted(cut) if at < len(rows)]
        for cut in [*cuts, set(range(0, 12, 2)), set(range(1, 12, 2))]
    ]
    chance.shuffle(files)
    for file in files:
        other.post(file)
    assert book.state() == other.state()


@given(st.lists(UNNUMBERED, max_size=8), st.randoms(use_true_random=False))
def test_a_later_file_may_hold_more_of_the_equal_ones(rows: list[Record], chance: Any) -> None:
    """What is known keeps its payment; what is more is new."""
    book, other = Book(), Book()
    book.post(rows)
    part = [row for row in rows if chance.random() < 0.5]
    other.post(part)
    later = list(rows)
    chance.shuffle(later)
    other.post(later)
    assert book.state() == other.state()


@pytest.mark.promise("B1")
@given(st.lists(NUMBERED, max_size=4))
@settings(max_examples=300)
def test_no_allocation_exceeds_either_side(files: list[list[Record]]) -> None:
    """Whatever later files say differently; and each line has all it can get from its own credits."""
    book = Book()
    for file in files:
        book.post(file)
    known = book.known()
    of_line, of_credit = Counter[str](), Counter[str]()
    for one in known.allocations:
        assert one.amount_minor > 0
        assert one.booked_day == max(one.credit.booked_day, one.line.invoice_day)
        of_line[one.line.identity] += one.amount_minor
        of_credit[one.credit.identity] += one.amount_minor
    assert all(known.lines[identity].amount_minor >= total for identity, total in of_line.items())
    assert all(known.credits[identity].amount_minor >= total for identity, total in of_credit.items())
    for credit in known.credits.values():
        for line in known.lines.values():
            if credit.reference == line.number and credit.customer == line.customer and credit.reference:
                free = credit.amount_minor - of_credit[credit.identity]
                assert free == 0 or of_line[line.identity] == line.amount_minor


@given(st.lists(NUMBERED, min_size=1, max_size=4))
def test_the_last_file_wins(files: list[list[Record]]) -> None:
    """Of each number the ledger says what the last file that has it says."""
    book = Book()
    for file in files:
        book.post(file)
    last = {same_item(record): record for file in files for record in file if record.kind == "invoice"}
    amounts = {("invoice", line.customer, line.number, None): line.amount_minor for line in book.known().lines.values()}
    assert amounts == {key: record.values["amount"] for key, record in last.items()}


def test_a_changed_amount_is_a_reversal_and_a_new_line() -> None:
    """The past stays: the reversal and the new line are recorded today, even in a history import."""
    book = Book()
    book.post([invoice("A", 100)], history_until=TODAY)
    plan = book.post([invoice("A", 120)], day=TODAY + 1, history_until=TODAY + 1)
    assert [(one.target, one.entry.amount_minor) for one in plan.reversals] == [("due_line", 100)]
    assert [(one.amount_minor, one.revision, one.recorded_day) for one in plan.lines] == [(120, 1, TODAY + 1)]
    assert book.post([invoice("A", 100)], day=TODAY + 2).lines[0].revision == 2


def test_payments_follow_a_replaced_line() -> None:
    """What was allocated to the old line is allocated to the new one, as far as it reaches."""
    book = Book()
    book.post([invoice("A", 100), payment("P1", 60, "A"), payment("P2", 30, "A", booked_on=15_011)])
    plan = book.post([invoice("A", 80)])
    assert sorted(one.target for one in plan.reversals) == ["allocation", "allocation", "due_line"]
    assert [one.amount_minor for one in plan.allocations] == [60, 20]


def test_a_payment_waits_for_its_invoice() -> None:
    """It is unapplied with a warning, and allocated when the invoice comes."""
    book = Book()
    plan, problems = post([payment("P", 60, "A")], Known(), currency="EUR", posting_day=TODAY)
    assert plan.allocations == []
    assert "not known" in problems[0].what
    book.post([payment("P", 60, "A")])
    assert [one.amount_minor for one in book.post([invoice("A", 100)]).allocations] == [60]


def test_what_was_paid_grows() -> None:
    """A later file that says more was paid replaces the payment of the row, and pays no more than that."""
    book = Book()
    book.post([invoice(None, 100)])
    book.post([invoice(None, 100, paid=40)])
    book.post([invoice(None, 100, paid=100, paid_on=15_040)])
    known = book.known()
    assert [(one.amount_minor, one.booked_day) for one in known.credits.values()] == [(100, 15_040)]
    assert [one.amount_minor for one in known.allocations] == [100]


def test_silence_takes_nothing_back() -> None:
    """A later file without the payment leaves it, with a warning."""
    book = Book()
    book.post([invoice("A", 100, paid=100)])
    plan, problems = post([invoice("A", 100)], book.known(), currency="EUR", posting_day=TODAY)
    assert plan.posted == 0
    assert "it stays" in problems[0].what


def test_currencies_do_not_mix() -> None:
    """A payment in another currency than its invoice stays unapplied, with a warning."""
    records = [invoice("A", 100), payment("P", 100, "A", currency="USD")]
    plan, problems = post(records, Known(), currency="EUR", posting_day=TODAY)
    assert plan.allocations == []
    assert "in EUR, not USD" in problems[0].what


def test_what_a_person_reversed_is_not_posted_again() -> None:
    """The file is told, not obeyed."""
    book = Book()
    book.post([invoice("A", 100)])
    book.reversed.add(("due_line", 1))
    plan, problems = post([invoice("A", 100)], book.known(), currency="EUR", posting_day=TODAY)
    assert plan.posted == 0
    assert "reversed by a person" in problems[0].what


@pytest.mark.parametrize(
    ("until", "booked", "recorded"),
    [(None, 15_000, TODAY), (14_999, 15_000, TODAY), (15_000, 15_000, 15_000), (15_001, 15_000, 15_000)],
)
def test_history_until(until: int | None, booked: int, recorded: int) -> None:
    """Booked on or before the day: recorded when booked. After it: recorded today."""
    plan = Book().post([invoice("A", invoiced_on=booked)], history_until=until)
    assert [(one.booked_day, one.recorded_day) for one in plan.lines] == [(booked, recorded)]


def test_history_never_ends_after_today() -> None:
    """Nothing is recorded in days to come."""
    _, problems = post([invoice("A")], Known(), currency="EUR", posting_day=TODAY, history_until=TODAY + 1)
    assert has_errors(problems)
    assert not has_errors(post([invoice("A")], Known(), currency="EUR", posting_day=TODAY, history_until=TODAY)[1])


def test_instalments_are_paid_oldest_first() -> None:
    """A payment of the invoice fills its instalments in the order they are due."""
    book = Book()
    book.post([invoice("A", 50, ordinal=2, due_on=15_060), invoice("A", 50, ordinal=1, due_on=15_030)])
    plan = book.post([payment("P", 70, "A")])
    assert sorted((one.line.ordinal, one.amount_minor) for one in plan.allocations) == [(1, 50), (2, 20)]


def _written_off(book: Book, amount: int) -> None:
    """Enter a write-off by hand on the first line, as the engine does."""
    line = next(iter(book.lines.values()))
    credit = Credit(
        customer=line.customer,
        kind="write_off",
        number="",
        reference=line.number,
        identity="by hand",
        amount_minor=amount,
        currency=line.currency,
        booked_day=TODAY,
        recorded_day=TODAY,
        by_hand=True,
    )
    credit = book._add(book.credits, credit)
    one = Allocation(credit=credit, line=line, amount_minor=amount, booked_day=TODAY, recorded_day=TODAY)
    book._add(book.allocations, one)


@pytest.mark.parametrize(
    ("kind", "amount", "left", "stands"),
    [
        ("write_off", 300, 700, False),  # the accounts bring the same: counted once
        ("write_off", 100, 900, False),  # less: the accounts are right
        ("payment", 700, 0, True),  # below and at the edge both fit
        ("payment", 701, 299, False),  # one more: ours gives way as a whole
        ("payment", 1_000, 0, False),
        ("credit_note", 699, 1, True),
    ],
)
def test_a_write_off_of_ours_gives_way_to_the_accounts(kind: str, amount: int, left: int, stands: bool) -> None:
    """A write-off that comes by import replaces it whatever its amount; other credits where both would not fit."""
    book = Book()
    book.post([invoice("N1", 1_000)])
    _written_off(book, 300)
    book.post([payment("C1", amount, "N1", kind=kind)])
    known = book.known()
    assert 1_000 - sum(one.amount_minor for one in known.allocations) == left
    assert any(one.by_hand for one in known.credits.values()) == stands
    for one in known.credits.values():
        used = sum(a.amount_minor for a in known.allocations if a.credit.identity == one.identity)
        assert used == one.amount_minor, "nothing is left over to look like money we owe"
