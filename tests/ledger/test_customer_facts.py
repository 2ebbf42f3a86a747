"""Every fact of a customer, worked by hand on a ledger of a few lines."""

import pytest

from ledger.columns import Kind
from ledger.state import CUSTOMER_COLUMNS, TECHNICAL

# What a customer without any entry looks like: sums and counts are known to be 0, the rest is unknown.
NOTHING = {
    column.name: 0 if column.kind in {Kind.MONEY, Kind.COUNT} else False if column.kind is Kind.BOOL else None
    for column in CUSTOMER_COLUMNS
} | {
    "leader_open_minor": None,
    "credit_limit_minor": None,
    "headroom_minor": None,
    "group_exposure_minor": None,
    "rating_score": None,
    "rating_limit_minor": None,
    "statement_revenue_minor": None,
    "entity": "DE01",
}


def lines(*due, amount=100):
    """A ledger of equal lines, due so many days from today."""
    return lambda book: [book.line(amount, day) for day in due]


def paid(*cases, amount=100):
    """Lines of which each was due `due` and paid in full on `day`."""
    return lambda book: [book.pay(book.line(amount, due, day=-800), amount, day=day) for due, day in cases]


def steps(*calls):
    """Several entries, each (verb, arguments, keywords)."""

    def write(book):
        for verb, arguments, keywords in calls:
            getattr(book, verb)(*arguments, **keywords)

    return write


def step(verb, *arguments, **keywords):
    """One entry of `steps`."""
    return verb, arguments, keywords


A_LINE = step("line", 1_000, -10)

EXAMPLES = [
    # open, not due, overdue, buckets
    ("part paid", steps(A_LINE, step("line", 500, 1), step("pay", 1, 400)), {"open_minor": 1_100}),
    ("the edges of the day", lines(1, 0, -1), {"not_due_minor": 200, "overdue_minor": 100}),
    (
        "the edges of the buckets",
        lines(0, -1, -30, -31, -60, -61, -90, -91, -4_000),
        {
            "not_due_minor": 100,
            "d1_30_minor": 200,
            "d31_60_minor": 200,
            "d61_90_minor": 200,
            "d90_over_minor": 200,
            "overdue_count": 8,
            "open_count": 9,
        },
    ),
    ("no due date", lines(None, -1), {"no_due_date_minor": 100, "overdue_minor": 100, "not_due_minor": 0}),
    ("paid in full", steps(A_LINE, step("pay", 1, 1_000)), {"open_minor": 0, "open_count": 0, "overdue_count": 0}),
    ("paid but for one", steps(A_LINE, step("pay", 1, 999)), {"open_minor": 1, "open_count": 1}),
    # credits, unapplied cash, exposure
    (
        "a credit note in part allocated",
        steps(A_LINE, step("credit", 300, "credit_note"), step("allocate", 1, 1, 100)),
        {"credits_minor": 200, "unapplied_minor": 0, "open_minor": 900, "exposure_minor": 700},
    ),
    (
        "a payment in part allocated",
        steps(A_LINE, step("credit", 300), step("allocate", 1, 1, 100)),
        {"credits_minor": 0, "unapplied_minor": 200, "open_minor": 900, "exposure_minor": 700},
    ),
    ("a write-off left over", steps(step("credit", 30, "write_off")), {"credits_minor": 30, "unapplied_minor": 0}),
    ("exposure never below 0", steps(step("line", 100, 5), step("credit", 101)), {"exposure_minor": 0}),
    ("exposure at 0", steps(step("line", 100, 5), step("credit", 100)), {"exposure_minor": 0}),
    ("exposure above 0", steps(step("line", 100, 5), step("credit", 99)), {"exposure_minor": 1}),
    # disputes and promises
    (
        "a dispute, then payment of the rest",
        steps(A_LINE, step("dispute", 1, 300), step("pay", 1, 800)),
        {"disputed_minor": 200, "disputes_open": 1, "open_minor": 200},
    ),
    ("a whole dispute", steps(A_LINE, step("dispute", 1)), {"disputed_minor": 1_000, "disputes_open": 1}),
    (
        "a closed dispute",
        steps(A_LINE, step("dispute", 1, day=-5), step("close", 1, day=0)),
        {"disputed_minor": 0, "disputes_open": 0},
    ),
    (
        "an accepted dispute waits for its credit note",
        steps(A_LINE, step("dispute", 1, 300, day=-5), step("close", 1, "accepted", day=-2)),
        {"disputed_minor": 300, "disputes_open": 0, "leader_open_minor": 700},
    ),
    (
        "accepted in part: the rest is dunned again",
        steps(A_LINE, step("dispute", 1, 300, day=-5), step("close", 1, "accepted", 100, day=-2)),
        {"disputed_minor": 100, "leader_open_minor": 900},
    ),
    (
        "accepted and all but one credited",
        steps(
            A_LINE,
            step("dispute", 1, 300, day=-5),
            step("close", 1, "accepted", day=-2),
            step("pay", 1, 299, kind="credit_note"),
        ),
        {"disputed_minor": 1, "leader_open_minor": 700},
    ),
    (
        "accepted and credited",
        steps(
            A_LINE,
            step("dispute", 1, 300, day=-5),
            step("close", 1, "accepted", day=-2),
            step("pay", 1, 300, kind="credit_note"),
        ),
        {"disputed_minor": 0, "leader_open_minor": 700},
    ),
    (
        "a payment is no credit note, and a credit from before the dispute is not its",
        steps(
            A_LINE,
            step("pay", 1, 100, day=-6, kind="credit_note"),
            step("dispute", 1, 300, day=-5),
            step("close", 1, "accepted", day=-2),
            step("pay", 1, 200),
        ),
        {"disputed_minor": 300, "leader_open_minor": 400},
    ),
    # payment plans: the tolerance is 3 days
    (
        "a plan keeps its lines out of dunning, and no other",
        steps(A_LINE, step("line", 500, -5), step("plan", [1], [(5, 400), (35, 600)])),
        {"plans_active": 1, "promised_minor": 1_000, "leader_open_minor": 500, "instalments_missed_12m": 0},
    ),
    (
        "an instalment at the end of its tolerance",
        steps(A_LINE, step("plan", [1], [(-3, 400), (35, 600)], day=-9)),
        {"plans_active": 1, "leader_open_minor": None, "days_since_plan_default": None},
    ),
    (
        "an instalment a day past its tolerance ends the plan",
        steps(A_LINE, step("plan", [1], [(-4, 400), (35, 600)], day=-9)),
        {"plans_active": 0, "leader_open_minor": 1_000, "instalments_missed_12m": 1, "days_since_plan_default": 1},
    ),
    (
        "a default is a broken promise to the step reached",
        steps(A_LINE, step("plan", [1], [(-4, 400), (35, 600)], day=-9)),
        {"days_since_promise_broken": 1, "promised_minor": 0},
    ),
    (
        "an instalment paid but for one is missed",
        steps(A_LINE, step("plan", [1], [(-4, 400), (35, 600)], day=-9), step("pay", 1, 399, day=-5)),
        {"plans_active": 0, "instalments_missed_12m": 1, "leader_open_minor": 601},
    ),
    (
        "an instalment kept, by money and by a credit note",
        steps(
            A_LINE,
            step("plan", [1], [(-4, 400), (35, 600)], day=-9),
            step("pay", 1, 300, day=-5),
            step("pay", 1, 100, day=-1, kind="credit_note"),
        ),
        {"plans_active": 1, "instalments_missed_12m": 0, "promised_minor": 600},
    ),
    (
        "money that came early counts for later instalments",
        steps(A_LINE, step("plan", [1], [(-20, 400), (-4, 300), (35, 300)], day=-30), step("pay", 1, 700, day=-25)),
        {"plans_active": 1, "leader_open_minor": None, "promised_minor": 300},
    ),
    (
        "what comes after a default does not bring the plan back",
        steps(A_LINE, step("plan", [1], [(-9, 400), (35, 600)], day=-20), step("pay", 1, 400, day=-3)),
        {"plans_active": 0, "leader_open_minor": 600, "instalments_missed_12m": 1, "days_since_plan_default": 6},
    ),
    (
        "money from before the plan keeps no instalment of it",
        steps(A_LINE, step("pay", 1, 500, day=-9), step("plan", [1], [(-4, 250), (35, 250)], day=-9)),
        {"plans_active": 0, "instalments_missed_12m": 1, "leader_open_minor": 500},
    ),
    (
        "a plan over two lines is paid by either",
        steps(
            A_LINE,
            step("line", 500, -5),
            step("plan", [1, 2], [(-4, 500), (35, 1_000)], day=-9),
            step("pay", 2, 500, day=-5),
        ),
        {"plans_active": 1, "leader_open_minor": None, "promised_minor": 1_000},
    ),
    (
        "a plan taken back",
        steps(A_LINE, step("plan", [1], [(5, 1_000)], day=-9), step("reverse", "payment_plan", 1)),
        {"plans_active": 0, "leader_open_minor": 1_000, "instalments_missed_12m": 0},
    ),
    (
        "a plan that is done",
        steps(A_LINE, step("plan", [1], [(5, 1_000)], day=-9), step("pay", 1, 1_000)),
        {"plans_active": 0, "instalments_missed_12m": 0, "days_since_plan_default": None},
    ),
    (
        "a withdrawn dispute is dunned again",
        steps(A_LINE, step("dispute", 1, 300, day=-5), step("close", 1, "withdrawn", day=-2)),
        {"disputed_minor": 0, "leader_open_minor": 1_000},
    ),
    (
        "a dispute closed tomorrow",
        steps(A_LINE, step("dispute", 1, day=-5), step("close", 1, day=1)),
        {"disputed_minor": 1_000, "disputes_open": 1},
    ),
    (
        "a promise, in part kept",
        steps(A_LINE, step("promise", 400, 1, 1, day=-3), step("pay", 1, 100, day=-3)),
        {"promised_minor": 300, "promises_open": 1, "promises_broken_12m": 0},
    ),
    (
        "money from before the promise does not keep it",
        steps(A_LINE, step("promise", 400, 1, 1, day=-3), step("pay", 1, 100, day=-4)),
        {"promised_minor": 400, "promises_open": 1},
    ),
    (
        "nor does money of the same day that was there before it",
        steps(A_LINE, step("pay", 1, 100, day=-3), step("promise", 400, 1, 1, day=-3)),
        {"promised_minor": 400, "promises_open": 1},
    ),
    (
        "whoever pays a part and promises the rest has promised all that is open",
        steps(A_LINE, step("pay", 1, 400, day=-1), step("promise", 600, 5, 1, day=-1)),
        {"promised_minor": 600, "leader_open_minor": None},
    ),
    (
        "money that was there unmatched when a promise was made does not keep it",
        steps(A_LINE, step("credit", 100, day=-3), step("promise", 400, 1, 1), step("allocate", 1, 1, 100)),
        {"promised_minor": 400},
    ),
    (
        "a payment that bounces gives back what it kept, and no more",
        steps(
            A_LINE,
            step("pay", 1, 400, day=-5),
            step("promise", 300, -4, 1, day=-5),
            step("pay", 1, 300, day=-5),
            step("reverse", "credit", 1),
        ),
        {"promises_broken_12m": 0, "promises_open": 0, "open_minor": 700},
    ),
    (
        "a promise on no line is not kept by what was there before it",
        steps(A_LINE, step("credit", 400, day=-9), step("promise", 300, -4, day=-9)),
        {"promises_broken_12m": 1},
    ),
    (
        "a promise and a dispute do not count the same money",
        steps(A_LINE, step("dispute", 1, 700), step("promise", 400, 1, 1)),
        {"disputed_minor": 700, "promised_minor": 300, "leader_open_minor": None},
    ),
    (
        "domain.md CF-1, as of 31 March: B promised for 15 April stands, E promised for 20 March is broken",
        steps(
            A_LINE, step("line", 700, -20), step("promise", 1_000, 15, 1, day=-5), step("promise", 700, -11, 2, day=-18)
        ),
        {"promises_open": 1, "promised_minor": 1_000, "promises_broken_12m": 1, "leader_open_minor": 700},
    ),
    (
        "domain.md: a promise is kept by what came in by its date and the tolerance",
        steps(A_LINE, step("promise", 400, -4, 1, day=-9), step("pay", 1, 400, day=-1)),
        {"promises_open": 0, "promises_broken_12m": 0, "days_since_promise_broken": None},
    ),
    (
        "a promise at the end of its tolerance",
        steps(A_LINE, step("promise", 400, -3, 1, day=-9)),
        {"promises_open": 1, "promises_broken_12m": 0},
    ),
    (
        "a promise a day past its tolerance",
        steps(A_LINE, step("promise", 400, -4, 1, day=-9)),
        {"promises_open": 0, "promises_broken_12m": 1, "promised_minor": 0, "days_since_promise_broken": 1},
    ),
    (
        "a promise kept on the last day",
        steps(A_LINE, step("promise", 400, -4, 1, day=-9), step("pay", 1, 400, day=-1)),
        {"promises_open": 0, "promises_broken_12m": 0, "days_since_promise_broken": None},
    ),
    (
        "a promise kept a day too late is broken",
        steps(A_LINE, step("promise", 400, -5, 1, day=-9), step("pay", 1, 400, day=-1)),
        {"promises_broken_12m": 1},
    ),
    (
        "a promise of more than was left is kept when nothing is left",
        steps(A_LINE, step("promise", 5_000, -4, 1, day=-9), step("pay", 1, 1_000, day=-2)),
        {"promises_broken_12m": 0, "promises_open": 0},
    ),
    (
        "the first payment of a plan keeps only the first promise",
        steps(
            step("line", 300, -10),
            step("promise", 100, -2, 1, day=-9),
            step("promise", 100, 5, 1, day=-9),
            step("promise", 100, 9, 1, day=-9),
            step("pay", 1, 100, day=-3),
        ),
        {"promises_open": 2, "promised_minor": 200, "promises_broken_12m": 0},
    ),
    (
        "a promise on no line is kept by any payment",
        steps(A_LINE, step("promise", 400, -4, day=-9), step("credit", 400, day=-5)),
        {"promises_broken_12m": 0, "promises_open": 0},
    ),
    (
        "a credit note does not keep a promise on no line",
        steps(A_LINE, step("promise", 400, -4, day=-9), step("credit", 400, "credit_note", day=-5)),
        {"promises_broken_12m": 1},
    ),
    (
        "broken at the edge of the year",
        steps(A_LINE, step("promise", 1, -368, 1, day=-400)),
        {"promises_broken_12m": 1},
    ),
    ("broken before the year", steps(A_LINE, step("promise", 1, -369, 1, day=-400)), {"promises_broken_12m": 0}),
    # limits
    (
        "a limit",
        steps(step("limit", 1_000), step("line", 1_200, 1)),
        {"headroom_minor": -200, "utilisation_bp": 12_000},
    ),
    ("at the limit", steps(step("limit", 900), step("line", 900, 1)), {"headroom_minor": 0, "utilisation_bp": 10_000}),
    ("utilisation is rounded down", steps(step("limit", 3), step("line", 2, 1)), {"utilisation_bp": 6_666}),
    (
        "a limit of 0",
        steps(step("limit", 0), step("line", 1, 1)),
        {"credit_limit_minor": 0, "headroom_minor": -1, "utilisation_bp": None},
    ),
    (
        "amounts at the bound of money",
        steps(step("limit", 10**15 - 1), step("line", 10**15, 1)),
        {"headroom_minor": -1, "utilisation_bp": 10_000},
    ),
    ("a limit ends half-open", steps(step("limit", 1_000, -9, 0)), {"credit_limit_minor": None}),
    ("a limit on its last day", steps(step("limit", 1_000, -9, 1)), {"credit_limit_minor": 1_000}),
    ("a limit from today", steps(step("limit", 1_000, 0)), {"credit_limit_minor": 1_000}),
    ("a limit from tomorrow", steps(step("limit", 1_000, 1)), {"credit_limit_minor": None, "headroom_minor": None}),
    ("the latest limit wins", steps(step("limit", 5_000), step("limit", 8_000)), {"credit_limit_minor": 8_000}),
    (
        "an earlier limit returns when a later one ends",
        steps(step("limit", 5_000), step("limit", 8_000, -9, 0)),
        {"credit_limit_minor": 5_000},
    ),
    ("a limit taken away", steps(step("limit", 5_000), step("limit", None, -9)), {"credit_limit_minor": None}),
    # payment behaviour
    ("the year's window", paid((0, -1), (0, -365), (0, -366)), {"paid_count_12m": 2}),
    ("paid today is not yet known", paid((-5, 0)), {"paid_count_12m": 0, "days_since_payment": None}),
    ("means are floored", paid((-2, -5), (-7, -5)), {"mean_days_late_12m": -1, "max_days_late_12m": 2}),
    ("on the due day is not late", paid((-5, -5), (-6, -5)), {"late_share_12m_bp": 5_000}),
    (
        "all early",
        paid((-2, -5), (-4, -5)),
        {"max_days_late_12m": -1, "late_share_12m_bp": 0, "mean_days_late_12m": -2},
    ),
    ("a third late", paid((-5, -5), (-5, -5), (-6, -5)), {"late_share_3m_bp": 3_333}),
    (
        "the quarter's window",
        paid((-99, -91), (-91, -91), (-200, -92)),
        {"late_share_3m_bp": 5_000, "paid_count_12m": 3},
    ),
    (
        "a line without due date was paid but is neither late nor early",
        paid((None, -5)),
        {"paid_count_12m": 1, "late_share_12m_bp": None, "mean_days_late_12m": None, "max_days_late_12m": None},
    ),
    (
        "paid in two parts counts on the day of the last",
        steps(A_LINE, step("pay", 1, 500, day=-8), step("pay", 1, 500, day=-3)),
        {"paid_count_12m": 1, "max_days_late_12m": 7},
    ),
    (
        "part paid is not paid",
        steps(A_LINE, step("pay", 1, 999, day=-3)),
        {"paid_count_12m": 0, "days_since_payment": 3},
    ),
    (
        "written off is not paid",
        steps(A_LINE, step("pay", 1, 1_000, day=-3, kind="write_off")),
        {"paid_count_12m": 0, "open_minor": 0, "days_since_payment": None},
    ),
    ("the last payment", steps(step("credit", 1, day=-40), step("credit", 1, day=-3)), {"days_since_payment": 3}),
    (
        "the last invoice before today",
        steps(*(step("line", 1, 5, day=day) for day in (-40, -3, 0))),
        {"days_since_invoice": 3},
    ),
    ("invoiced today only", steps(step("line", 1, 5, day=0)), {"days_since_invoice": None}),
    (
        "turnover windows",
        steps(
            *(step("line", amount, 5, day=day) for amount, day in [(1, 0), (2, -1), (4, -91), (8, -92)]),
            *(step("line", amount, 5, day=day) for amount, day in [(16, -365), (32, -366)]),
        ),
        {"turnover_3m_minor": 6, "turnover_12m_minor": 30},
    ),
    # contacts and blocks
    ("contacts", steps(step("contact", -4), step("contact", -9), step("contact", 1)), {"days_since_contact": 4}),
    ("contacted today", steps(step("contact", 0)), {"days_since_contact": 0}),
    ("blocked", steps(step("block", "dunning_block", 0, 1)), {"dunning_block": True, "insolvent": False}),
    ("a block that ended today", steps(step("block", "dunning_block", -9, 0)), {"dunning_block": False}),
    ("a block from tomorrow", steps(step("block", "dunning_block", 1)), {"dunning_block": False}),
    ("a pause of the customer blocks", steps(step("block", "pause", -1, 5)), {"dunning_block": True}),
    ("insolvent", steps(step("block", "insolvent")), {"insolvent": True, "dunning_block": False}),
    ("handed over", steps(step("block", "handed_over", 0, 1)), {"handed_over": True, "dunning_block": False}),
    ("given back today", steps(step("block", "handed_over", -5, 0)), {"handed_over": False}),
    (
        "interest and costs beside the debt",
        steps(A_LINE, step("claim", "interest", 30), step("claim", "fixed_sum", 40), step("claim", "payment", 50)),
        {"claim_charged_minor": 20, "open_minor": 1_000},
    ),
    (
        "a charge taken back, and more waived than is left",
        steps(step("claim", "cost", 30), step("reverse", "claim_entry", 1), step("claim", "waiver", 5)),
        {"claim_charged_minor": 0},
    ),
    (
        "a foreign charge without a rate",
        steps(step("claim", "cost", 30, currency="USD")),
        {"claim_charged_minor": None},
    ),
]


def test_examples_have_names_of_their_own():
    """Two examples with one name would hide each other in a report."""
    names = [name for name, _, _ in EXAMPLES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("write", "expected"), [pytest.param(w, e, id=name) for name, w, e in EXAMPLES])
def test_facts_of_a_small_ledger(book, write, expected):
    """The facts named are as worked by hand."""
    ledger = book()
    write(ledger)
    facts = ledger.facts()
    assert {name: facts[name] for name in expected} == expected


def test_a_customer_without_entries(book):
    """Sums and counts are 0 because they are known; what has nothing to count from is unknown."""
    facts = book().facts()
    assert {name: facts[name] for name in NOTHING} == NOTHING


def test_every_fact_is_declared_and_computed_as_declared(book):
    """The columns of the frame are the technical ones and the declared ones, in that order, integers as Int64."""
    ledger = book()
    ledger.line(100, -5)
    assert list(ledger.facts()) == [*TECHNICAL, *(column.name for column in CUSTOMER_COLUMNS)]
    assert len({column.name for column in CUSTOMER_COLUMNS}) == len(CUSTOMER_COLUMNS)
    assert all(column.label and column.meaning.endswith(".") for column in CUSTOMER_COLUMNS)


def test_master_facts(book):
    """Terms, country and opening day come from the customer, the entity from the question."""
    facts = book(terms_days=30, country="AT", opened_day=20_000 - 400).facts()
    assert {name: facts[name] for name in ("terms_days", "country", "entity", "tenure_days")} == {
        "terms_days": 30,
        "country": "AT",
        "entity": "DE01",
        "tenure_days": 400,
    }


@pytest.mark.parametrize(("day", "tenure"), [(-30, 30), (-1, 1), (0, None)])
def test_tenure_counts_from_the_first_invoice_when_the_opening_day_is_unknown(book, day, tenure):
    """An invoice of today is not yet known to features."""
    ledger = book()
    ledger.line(100, 30, day=day)
    assert ledger.facts()["tenure_days"] == tenure


def test_parts_of_exposure_can_be_switched_off(book):
    """Credits and unapplied cash lower the exposure only where the parameter says so."""
    ledger = book()
    ledger.line(1_000, 5)
    ledger.credit(100, "credit_note")
    ledger.credit(30)
    assert ledger.facts(exposure_less_credits=False)["exposure_minor"] == 970
    assert ledger.facts(exposure_less_unapplied=False)["exposure_minor"] == 900


def test_promise_tolerance_is_a_parameter(book):
    """Without tolerance a promise is broken the day after."""
    ledger = book()
    ledger.line(1_000, -10)
    ledger.promise(400, -1, line=1, day=-9)
    assert ledger.facts(promise_tolerance_days=0)["promises_broken_12m"] == 1
    assert ledger.facts(promise_tolerance_days=1)["promises_broken_12m"] == 0


def test_group_exposure(book):
    """Members here and the other entities' last run add up; without a group it is unknown."""
    ledger = book(customers=3, customer_group_id=7)
    ledger.rows["customer"][1]["customer_group_id"] = 7
    ledger.line(700, 5, customer=1)
    ledger.line(300, 5, customer=2)
    ledger.line(50, 5, customer=3)
    ledger.elsewhere(7, 200)
    ledger.elsewhere(8, 999)
    facts = ledger.all_facts()
    assert [facts[customer]["group_exposure_minor"] for customer in (1, 2, 3)] == [1_200, 1_200, None]
    assert [facts[customer]["group_id"] for customer in (1, 2, 3)] == [7, 7, None]


def test_group_exposure_is_unknown_when_a_member_is(book):
    """One member's missing rate makes the group's exposure unknown, not smaller."""
    ledger = book(customers=2, customer_group_id=7)
    ledger.rows["customer"][1]["customer_group_id"] = 7
    ledger.line(700, 5, customer=1)
    ledger.line(300, 5, customer=2, currency="USD")
    facts = ledger.all_facts()
    assert [facts[customer]["group_exposure_minor"] for customer in (1, 2)] == [None, None]
    assert facts[1]["exposure_minor"] == 700


def test_a_missing_rate_makes_money_unknown(book):
    """Never 0: every sum that the item would be in is null, counts and days stay known."""
    ledger = book(customers=2)
    ledger.limit(10_000)
    ledger.line(100, -5)
    ledger.line(100, -9, currency="USD")
    ledger.line(70, -9, customer=2)
    facts = ledger.facts()
    beside = {"credit_limit_minor", "claim_charged_minor"}  # in the base currency, beside the ledger
    unknown = {column.name for column in CUSTOMER_COLUMNS if column.kind is Kind.MONEY} - beside
    assert {name for name in unknown if facts[name] is not None} == set()
    assert (facts["credit_limit_minor"], facts["open_count"], facts["leader_days_past_due"]) == (10_000, 2, 9)
    assert ledger.facts(customer=2)["open_minor"] == 70


def test_a_paid_line_needs_no_rate_for_what_is_open(book):
    """The open amounts of a customer are known although last year's dollars have no rate; turnover is not."""
    ledger = book()
    ledger.line(100, -5)
    ledger.pay(ledger.line(100, -9, currency="USD"), 100)
    facts = ledger.facts()
    assert (facts["open_minor"], facts["turnover_12m_minor"]) == (100, None)


@pytest.mark.parametrize(("amount", "rate_e9", "expected"), [(1, 499_999_999, 0), (1, 5 * 10**8, 1), (3, 5 * 10**8, 2)])
def test_foreign_items_are_rounded_half_up_each(book, amount, rate_e9, expected):
    """Below a half down, at a half up; two items are rounded before they are added."""
    ledger = book()
    ledger.line(amount, -5, currency="USD")
    ledger.line(amount, -5, currency="USD")
    assert ledger.facts(rates_e9={"USD": rate_e9})["open_minor"] == 2 * expected


def test_largest_amounts_convert_without_wrapping(book):
    """10**15 minor units at a rate of 1.999999999 stay exact in 64 bits."""
    ledger = book()
    ledger.line(10**15 - 1, -5, currency="USD")
    expected = ((10**15 - 1) * 1_999_999_999 + 5 * 10**8) // 10**9
    assert ledger.facts(rates_e9={"USD": 1_999_999_999})["open_minor"] == expected
    assert ledger.facts(rates_e9={"USD": 10**15})["open_minor"] is None
