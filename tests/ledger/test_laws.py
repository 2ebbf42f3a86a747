"""Laws that hold on every ledger, and a second, independent computation of what decides a letter."""

import random
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.ageing import ageing, bucket_names
from ledger.balances import open_items

RATES = {"USD": 925_000_001, "GBP": 1_170_000_000}
TODAY = 20_000
LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(min_value=0, max_value=10**9)
BUCKETS = ("not_due_minor", *(f"{name}_minor" for name in bucket_names()), "no_due_date_minor")


@LAWS
@given(seed=SEEDS)
def test_amounts_of_a_customer_agree_with_each_other(random_book, seed):
    """Buckets add up to the open amount, the net never passes the overdue, parts never pass the whole."""
    for facts in random_book(random.Random(seed)).all_facts(rates_e9=RATES).values():
        assert sum(facts[name] for name in BUCKETS) == facts["open_minor"]
        assert sum(facts[name] for name in BUCKETS[1:5]) == facts["overdue_minor"]
        assert 0 <= facts["overdue_net_minor"] <= facts["overdue_minor"]
        assert facts["disputed_minor"] + facts["promised_minor"] <= facts["open_minor"]
        assert (facts["leader_line_id"] is None) == (facts["leader_open_minor"] is None)
        assert facts["leader_open_minor"] is None or 0 < facts["leader_open_minor"] <= facts["open_minor"]
        assert facts["overdue_count"] <= facts["open_count"]


@LAWS
@given(seed=SEEDS)
def test_ageing_adds_up_to_the_balance_and_to_the_facts(random_book, seed):
    """The report and the facts are two ways to the same amounts."""
    ledger = random_book(random.Random(seed))
    basis = ledger.basis(rates_e9=RATES)
    rows = ageing(open_items(ledger.frames(), basis), TODAY).to_native().collect().to_dicts()
    report = {row.pop("customer_id"): row for row in rows}
    for customer, facts in ledger.all_facts(rates_e9=RATES).items():
        row = report.get(customer, defaultdict(int))
        assert sum(row.values()) == facts["open_minor"] - facts["credits_minor"] - facts["unapplied_minor"]
        assert [row[name.removesuffix("_minor")] for name in BUCKETS] == [facts[name] for name in BUCKETS]
        assert (-row["credits"], -row["unapplied"]) == (facts["credits_minor"], facts["unapplied_minor"])


@LAWS
@given(seed=SEEDS, later=st.integers(min_value=1, max_value=50))
def test_nothing_that_comes_later_changes_an_earlier_figure(random_book, seed, later):
    """Moving what is booked or recorded after the day further away moves no fact of the day."""
    ledger = random_book(random.Random(seed))
    before = ledger.all_facts(rates_e9=RATES)
    for table, rows in ledger.rows.items():
        for row in rows:
            if max(row.get("booked_day", 0), row.get("recorded_day", 0)) > TODAY:
                row["recorded_day"] += later
                if "amount_minor" in row and table != "credit_limit":
                    row["amount_minor"] = (row["amount_minor"] or 0) + later
    assert ledger.all_facts(rates_e9=RATES) == before


@LAWS
@given(seed=SEEDS)
def test_features_do_not_see_the_day_itself(random_book, seed):
    """Dropping all entries of the day changes no figure that a model learns from."""
    names = ("paid_count_12m", "mean_days_late_12m", "late_share_3m_bp", "late_share_12m_bp", "max_days_late_12m")
    names += ("turnover_3m_minor", "turnover_12m_minor", "days_since_payment", "days_since_invoice", "tenure_days")
    ledger = random_book(random.Random(seed))
    before = ledger.all_facts(rates_e9=RATES)
    for table in ("due_line", "credit", "allocation", "reversal"):
        kept = [row for row in ledger.rows[table] if max(row["booked_day"], row["recorded_day"]) < TODAY]
        ledger.rows[table] = kept
    after = ledger.all_facts(rates_e9=RATES)
    assert {c: [f[name] for name in names] for c, f in after.items()} == {
        c: [f[name] for name in names] for c, f in before.items()
    }


@LAWS
@given(seed=SEEDS)
def test_taking_everything_back_restores_the_ledger_before(random_book, seed):
    """A posted and reversed batch leaves every fact as if it had never been."""
    ledger = random_book(random.Random(seed), customers=6)
    before = ledger.all_facts(rates_e9=RATES)
    line = ledger.line(500, -12, number="0", day=-40)
    ledger.pay(line, 200, day=-3)
    ledger.dispute(line, 100, day=-3)
    ledger.promise(50, 4, line, day=-3)
    ledger.limit(123, day=-3, since=-3)
    ledger.block("pause", -3, 5, day=-3)
    for table in ("due_line", "credit", "allocation", "dispute", "promise", "credit_limit", "block"):
        ledger.reverse(table, len(ledger.rows[table]))
    assert ledger.all_facts(rates_e9=RATES) == before


@pytest.mark.parametrize("seed", range(3))
def test_each_customer_alone_has_the_facts_it_has_among_all(random_book, seed):
    """One row is the same question as a portfolio, but for the group, which needs its members."""
    ledger = random_book(random.Random(seed), customers=5)
    together = ledger.all_facts(rates_e9=RATES)
    everything = {name: list(rows) for name, rows in ledger.rows.items()}
    for customer, facts in together.items():
        for name, rows in everything.items():
            key = "id" if name == "customer" else "customer_id"
            ledger.rows[name] = [row for row in rows if row.get(key, customer) == customer]
        alone = ledger.facts(customer=customer, rates_e9=RATES)
        assert alone | {"group_exposure_minor": 0} == facts | {"group_exposure_minor": 0}


def test_the_same_on_polars_and_duckdb(random_book):
    """Every fact of 150 random customers, on two days, is equal on both engines."""
    ledger = random_book(random.Random(20_260_101), customers=150)
    for as_of in (0, -4):
        on_polars = ledger.all_facts(as_of, rates_e9=RATES)
        assert ledger.duckdb_facts(as_of, rates_e9=RATES) == on_polars
    unknown = ledger.all_facts(rates_e9={})
    assert ledger.duckdb_facts(rates_e9={}) == unknown
    assert any(facts["open_minor"] is None for facts in unknown.values())


# --- the second computation: plain Python, entry by entry ------------------------------


def live_rows(ledger, table):
    """Rows of a table that count today: known, not taken back, nor their owner."""

    def known(row):
        return row["booked_day"] <= TODAY and row["recorded_day"] <= TODAY

    back = {(row["target"], row["target_id"]) for row in ledger.rows["reversal"] if known(row)}
    owners = {"due_line_id": "due_line", "credit_id": "credit"}
    for row in ledger.rows[table]:
        owned_by = [(owners[key], row[key]) for key in owners if row.get(key) is not None]
        if known(row) and not back & {(table, row["id"]), *owned_by}:
            yield row


def second_opinion(ledger, customer):
    """Net overdue and leader of one customer whose amounts are all in EUR; promises and pauses aside."""
    lines = {row["id"]: dict(row) for row in live_rows(ledger, "due_line") if row["customer_id"] == customer}
    rest = {row["id"]: row["amount_minor"] for row in live_rows(ledger, "credit") if row["customer_id"] == customer}
    for row in live_rows(ledger, "allocation"):
        if row["due_line_id"] in lines:
            lines[row["due_line_id"]]["amount_minor"] -= row["amount_minor"]
        if row["credit_id"] in rest:
            rest[row["credit_id"]] -= row["amount_minor"]
    pool = sum(rest.values()) - sum(min(line["amount_minor"], 0) for line in lines.values())
    closed = {row["dispute_id"] for row in live_rows(ledger, "dispute_closing")}
    disputed = defaultdict(int)
    for row in live_rows(ledger, "dispute"):
        if row["id"] not in closed:
            disputed[row["due_line_id"]] += 10**9 if row["amount_minor"] is None else row["amount_minor"]
    leader = None
    dated = [line for line in lines.values() if line["amount_minor"] > 0 and line["due_day"] is not None]
    net = max(0, sum(line["amount_minor"] for line in dated if line["due_day"] < TODAY) - pool)
    for line in sorted(dated, key=lambda line: (line["due_day"], line["number"], line["ordinal"], line["id"])):
        left = line["amount_minor"] - min(disputed[line["id"]], line["amount_minor"])
        cover = min(pool, left) if line["due_day"] < TODAY else 0
        pool -= cover
        left -= cover
        if left > 0 and leader is None:
            leader = (line["id"], left)
    return (net, *(leader or (None, None)))


@pytest.mark.parametrize("seed", range(4))
def test_a_second_computation_agrees_on_net_overdue_and_leader(random_book, seed):
    """Set-off, disputes, reversals and tie-breaks, done again entry by entry in plain Python."""
    ledger = random_book(random.Random(seed), customers=60)
    for rows in ledger.rows.values():
        for row in rows:
            row.update({"currency": "EUR"} if "currency" in row else {})
    ledger.rows["promise"].clear()
    ledger.rows["block"].clear()
    ledger.rows["reversal"] = [row for row in ledger.rows["reversal"] if row["target"] not in {"promise", "block"}]
    names = ("overdue_net_minor", "leader_line_id", "leader_open_minor")
    facts = {customer: tuple(row[name] for name in names) for customer, row in ledger.all_facts().items()}
    assert {customer: second_opinion(ledger, customer) for customer in facts} == facts
    assert sum(leader is not None for _, leader, _ in facts.values()) > 20


def promised_again(ledger):
    """Open promises per customer: how many, and the broken ones; every promise by itself, payment by payment."""
    lines = {row["id"]: row for row in live_rows(ledger, "due_line")}
    payments = [row for row in live_rows(ledger, "credit") if row["kind"] == "payment"]
    set_against = list(live_rows(ledger, "allocation"))
    plans = {}
    for row in sorted(live_rows(ledger, "promise"), key=lambda row: (row["promised_day"], row["id"])):
        key = (row["customer_id"], row["due_line_id"], row["currency"], row["booked_day"])
        plans.setdefault(key, []).append(row)
    found = {row["id"]: [0, 0] for row in ledger.rows["customer"]}
    for (customer, line, currency, made), promises in plans.items():
        if line is None:
            came = [
                (one["id"], one) for one in payments if (one["customer_id"], one["currency"]) == (customer, currency)
            ]
        else:
            came = [(one["credit_id"], one) for one in set_against if one["due_line_id"] == line]
        so_far = 0
        for promise in promises:
            so_far += promise["amount_minor"]
            deadline = promise["promised_day"] + 3
            by_then = [(credit, one) for credit, one in came if one["booked_day"] <= deadline]
            kept = sum(
                one["amount_minor"]
                for credit, one in by_then
                if (one["booked_day"], credit) > (made, promise["after_credit_id"])
            )
            if line is not None and line not in lines:
                continue
            all_of_it = sum(one["amount_minor"] for _, one in by_then)
            if kept >= so_far or (line is not None and all_of_it >= lines[line]["amount_minor"]):
                continue
            found[customer][deadline < TODAY] += 1
    return {customer: tuple(counts) for customer, counts in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_second_computation_agrees_on_promises(random_book, seed):
    """What came before a promise, also on its day, does not keep it; done again payment by payment."""
    ledger = random_book(random.Random(seed), customers=60)
    names = ("promises_open", "promises_broken_12m")
    facts = {customer: tuple(row[name] for name in names) for customer, row in ledger.all_facts().items()}
    assert promised_again(ledger) == facts
    assert sum(broken for _, broken in facts.values()) > 5
    of_the_day = [
        row
        for row in ledger.rows["promise"]
        if any(
            one["booked_day"] == row["booked_day"] and one["credit_id"] <= row["after_credit_id"]
            for one in ledger.rows["allocation"]
            if one["due_line_id"] == row["due_line_id"]
        )
    ]
    assert of_the_day
