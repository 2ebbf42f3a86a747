"""Credits and unapplied cash cover overdue lines, oldest first, and the leader is what they leave."""

import pytest


def test_the_worked_example_of_the_semantics(book):
    """Credits of 2,000 cover the 500, the 1,000 and 500 of the 1,500, which leads with 1,000 left."""
    ledger = book()
    for days_late, amount in [(5, 3_000), (10, 10_000), (25, 5_000), (27, 1_500), (35, 1_000), (50, 500)]:
        ledger.line(amount, -days_late)
    note = ledger.credit(2_000, "credit_note")
    ledger.allocate(note, 3, 2_000)
    ledger.credit(2_000)
    facts = ledger.facts()
    assert facts["overdue_minor"] == 3_000 + 10_000 + 3_000 + 1_500 + 1_000 + 500
    assert facts["overdue_net_minor"] == facts["overdue_minor"] - 2_000
    assert facts["leader_line_id"] == 4
    assert facts["leader_days_past_due"] == 27
    assert facts["leader_open_minor"] == 1_000


@pytest.mark.parametrize(
    ("cash", "leader", "left", "net"),
    [
        (99, 1, 1, 301),
        (100, 2, 300, 300),
        (101, 2, 299, 299),
        (399, 2, 1, 1),
        (400, 3, 50, 0),
        (900, 3, 50, 0),
    ],
)
def test_cash_below_at_and_above_a_line(book, cash, leader, left, net):
    """Cash that just covers a line hands the lead to the next; what is not yet due is never covered."""
    ledger = book()
    ledger.line(100, -20)
    ledger.line(300, -10)
    ledger.line(50, 3)
    ledger.credit(cash)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"], facts["overdue_net_minor"]) == (leader, left, net)


@pytest.mark.parametrize(("due", "days"), [(-1, 1), (0, 0), (1, -1), (10, -10)])
def test_a_line_not_yet_due_may_lead(book, due, days):
    """Before its due date the leader's days past due are negative; on it they are 0."""
    ledger = book()
    ledger.line(100, due)
    assert ledger.facts()["leader_days_past_due"] == days


def test_of_lines_due_on_one_day_the_lowest_number_leads(book):
    """Numbers compare as text, whatever order they were imported in; then instalment, then id."""
    ledger = book()
    for number, ordinal in [("B", 1), ("A2", 1), ("A10", 2), ("A10", 1), ("A10", 1)]:
        ledger.line(100, -5, number=number, ordinal=ordinal)
    ledger.line(100, -4, number="0")
    assert ledger.facts()["leader_line_id"] == 4


def test_a_number_that_begins_another_comes_first(book):
    """ "A" leads before "A-1" and "A 1"."""
    ledger = book()
    for number in ("A-1", "A 1", "A"):
        ledger.line(100, -5, number=number)
    assert ledger.facts()["leader_line_id"] == 3


def test_the_same_tie_break_decides_what_is_covered(book):
    """Of two lines due that day, cash reaches the lower number first."""
    ledger = book()
    ledger.line(100, -5, number="B")
    ledger.line(100, -5, number="A")
    ledger.credit(150)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"]) == (1, 50)


def test_set_off_stays_within_the_currency_and_the_customer(book):
    """Dollars do not cover euros, and another customer's cash covers nothing here."""
    ledger = book(customers=2)
    ledger.line(100, -5)
    ledger.credit(1_000, currency="USD")
    ledger.credit(1_000, customer=2)
    facts = ledger.facts(rates_e9={"USD": 900_000_000})
    assert (facts["overdue_net_minor"], facts["leader_open_minor"]) == (100, 100)
    assert facts["unapplied_minor"] == 900


def test_a_line_paid_too_much_covers_like_a_credit(book):
    """An overpaid line has nothing open; what is too much is a credit and is set off."""
    ledger = book()
    ledger.pay(ledger.line(100, -30), 160)
    ledger.line(200, -10)
    facts = ledger.facts()
    assert facts["credits_minor"] == 60
    assert (facts["open_minor"], facts["overdue_net_minor"], facts["leader_open_minor"]) == (200, 140, 140)


@pytest.mark.parametrize(
    ("disputed", "leader", "left"), [(None, 2, 500), (999, 1, 1), (1_000, 2, 500), (1_001, 2, 500), (300, 1, 700)]
)
def test_a_dispute_on_part_of_a_line_leaves_the_rest(book, disputed, leader, left):
    """The undisputed part leads; a line disputed in full does not."""
    ledger = book()
    ledger.line(1_000, -10)
    ledger.line(500, -5)
    ledger.dispute(1, disputed)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"]) == (leader, left)


@pytest.mark.parametrize("held", ["dispute", "promise", "pause"])
@pytest.mark.parametrize(("cash", "leader", "left", "net"), [(0, 2, 50, 150), (49, 2, 1, 101), (50, None, None, 100)])
def test_cash_covers_first_what_is_asked_for(book, held, cash, leader, left, net):
    """Whoever has paid as much as is neither disputed, promised nor paused is asked for nothing."""
    ledger = book()
    old = ledger.line(100, -20)
    ledger.line(50, -10)
    hold = {
        "dispute": lambda: ledger.dispute(old),
        "promise": lambda: ledger.promise(100, 5, old),
        "pause": lambda: ledger.block("pause", -1, 9, old),
    }
    hold[held]()
    if cash:
        ledger.credit(cash)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"], facts["overdue_net_minor"]) == (leader, left, net)


def test_cash_beyond_what_is_asked_for_covers_the_rest(book):
    """The disputed part of a line, too, lowers what is overdue net; nothing of the line is asked for."""
    ledger = book()
    ledger.dispute(ledger.line(100, -20), 40)
    ledger.line(50, -10)
    ledger.credit(130)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["overdue_net_minor"]) == (None, 20)


@pytest.mark.parametrize(
    ("amount", "by", "leader", "left"),
    [(400, 5, 1, 600), (1_000, 0, 2, 500), (1_000, -3, 2, 500), (1_000, -4, 1, 1_000)],
)
def test_a_promise_leaves_the_rest_and_holds_until_its_tolerance_ends(book, amount, by, leader, left):
    """Promised lines do not lead up to three days after the promised day; broken, they lead again."""
    ledger = book()
    ledger.line(1_000, -10)
    ledger.line(500, -5)
    ledger.promise(amount, by, line=1, day=-8)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"]) == (leader, left)


def test_a_promise_on_no_line_covers_the_oldest_but_stays_owed(book):
    """A promise of 1,200 in all takes the first line and 200 of the second out of dunning."""
    ledger = book()
    ledger.line(1_000, -10)
    ledger.line(500, -5)
    ledger.promise(1_200, 5)
    facts = ledger.facts()
    assert (facts["leader_line_id"], facts["leader_open_minor"]) == (2, 300)
    assert (facts["promised_minor"], facts["overdue_net_minor"]) == (1_200, 1_500)


@pytest.mark.parametrize(("since", "until", "leader"), [(0, None, 2), (-5, 1, 2), (-5, 0, 1), (1, None, 1)])
def test_a_paused_line_does_not_lead_but_ages_on(book, since, until, leader):
    """A pause is in force from its first day until, not including, its last."""
    ledger = book()
    ledger.line(1_000, -10)
    ledger.line(500, -5)
    ledger.block("pause", since, until, line=1)
    facts = ledger.facts()
    assert facts["leader_line_id"] == leader
    assert (facts["overdue_minor"], facts["overdue_net_minor"], facts["dunning_block"]) == (1_500, 1_500, False)


def test_nobody_leads_when_all_is_covered_disputed_or_undated(book):
    """Without a line to be dunned the leader's facts are unknown, not 0."""
    ledger = book()
    ledger.line(100, -10)
    ledger.line(100, -5)
    ledger.line(100)
    ledger.credit(100)
    ledger.dispute(2)
    facts = ledger.facts()
    assert [facts[name] for name in ("leader_line_id", "leader_due_day", "leader_days_past_due")] == [None] * 3
    assert facts["leader_open_minor"] is None
