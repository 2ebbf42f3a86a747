"""Live counts on the facts of the last run: per entity, refreshed by a newer run, and with the parameters of today."""

import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.distributions import BINS_MAX, Bin, distribution
from engine.findings import findings
from engine.live_counts import ALL_RULES, OTHERWISE, RUNS_KEPT, Count, customers_in_gaps, facts_today, live_counts
from engine.live_facts import Counted
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.simulation import rule_hits, simulate
from engine.tables import Customer, Entity, Outcome
from rules.documents import shipped

from .conftest import in_force

pytestmark = pytest.mark.long

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at


@pytest.fixture
def portfolio(runtime: Runtime, entity: Entity, forty_customers: Callable[[int], None]) -> SimpleNamespace:
    """Forty customers of all habits under the shipped documents, decided yesterday."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    documents = {document["key"]: in_force(document) for document in shipped()}
    forty_customers(DAY)
    run = run_entity(runtime, entity, DAY)
    return SimpleNamespace(entity=Entity.get_by_id(entity.id), documents=documents, run=run)


def body_of(portfolio: SimpleNamespace, key: str) -> Any:
    """A document of the portfolio, to be changed at will."""
    return json.loads(portfolio.documents[key].body)


def places_of(body: dict[str, Any]) -> list[str]:
    """Where the rules of a policy stand, those of an escalation by scenario."""
    if "escalation" in body:
        scenarios = body["escalation"]["scenarios"].items()
        return [f"/escalation/scenarios/{name}/{index}" for name, steps in scenarios for index in range(len(steps))]
    return [f"/rules/{index}" for index in range(len(body["rules"]))]


def keys_of(body: dict[str, Any]) -> list[str]:
    """The keys of its rules or steps, in the same order."""
    if "escalation" in body:
        return [step["key"] for steps in body["escalation"]["scenarios"].values() for step in steps]
    return [rule["key"] for rule in body["rules"]]


def test_the_rules_of_what_is_in_force_count_what_the_run_counted(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Every shipped policy, rule by rule, those that read outcomes of earlier stages too."""
    hits = rule_hits(runtime, portfolio.run)
    for key in ("scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert"):
        body = body_of(portfolio, key)
        counts = live_counts(runtime, [portfolio.entity], body)
        places = places_of(body)
        found = {rule: counts.places[place].customers for rule, place in zip(keys_of(body), places, strict=True)}
        assert found == hits[key]
        assert counts.days == {portfolio.entity.code: DAY}
        assert counts.customers == 40
        assert counts.currency == portfolio.entity.currency
        assert counts.places[ALL_RULES].customers + counts.places[OTHERWISE].customers == 40


def test_whom_a_rule_decides_is_what_they_became(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """The customers a segment's rules decide are those that have it; their money is their exposure."""
    body = body_of(portfolio, "segmentation")
    counts = live_counts(runtime, [portfolio.entity], body)
    for segment in {rule["then"]["segment"] for rule in body["rules"]} | {body["otherwise"]["then"]["segment"]}:
        places = [f"/rules/{n}" for n, rule in enumerate(body["rules"]) if rule["then"]["segment"] == segment]
        places += [OTHERWISE] * (body["otherwise"]["then"]["segment"] == segment)
        decided = [counts.places[place].decides for place in places]
        assert (
            sum(one.customers for one in decided if one) == Outcome.select().where(Outcome.segment == segment).count()
        )
    assert counts.undecided == Counted(0, 0)
    everybody = live_counts(runtime, [portfolio.entity], {**body, "rules": [rule(["open_minor", ">=", 0])]})
    total = facts_today(runtime, portfolio.entity)
    assert total is not None
    assert everybody.places["/rules/0"].money_minor == sum(total.live.column("exposure_minor").to_list())


def rule(*tests: Any) -> dict[str, Any]:
    """A rule of a segmentation."""
    return {"key": "only", "when": {"all": list(tests)}, "then": {"segment": "key"}}


def test_a_changed_threshold_counts_what_a_simulation_then_finds(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Before anything is simulated, each rule's count is the simulation's."""
    body = body_of(portfolio, "segmentation")
    body["cases"] = []
    body["rules"] = [
        {**rule(["open_minor", ">", 200_000], ["risk_class", "in", ["A", "B"]]), "key": "large"},
        {**rule(["leader_days_past_due", ">=", 20]), "key": "late"},
    ]
    counts = live_counts(runtime, [portfolio.entity], body)
    found = next(one for one in simulate(runtime, portfolio.entity, [body]).stages if one.stage == "segmentation")
    assert {hit.key: hit.after for hit in found.hits if hit.after is not None} == {
        key: counts.places[place].customers for key, place in zip(keys_of(body), places_of(body), strict=True)
    }


def test_parameters_count_as_they_are_today(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """A value that holds from tomorrow on changes nothing; approved for today it does, without a new run."""
    hold = body_of(portfolio, "hold")
    before = live_counts(runtime, [portfolio.entity], hold)
    parameters = body_of(portfolio, "parameters")
    own = next(one for one in parameters["parameters"] if one["name"] == "hold_set_days")
    own["values"].append({"from": "2026-04-01", "value": 2})
    in_force(parameters)
    assert live_counts(runtime, [portfolio.entity], hold).places == before.places
    own["values"][-1]["from"] = "2026-03-31"
    in_force(parameters)
    after = live_counts(runtime, [portfolio.entity], hold)
    assert after.places[ALL_RULES].customers > before.places[ALL_RULES].customers


def test_a_newer_run_takes_the_place_of_an_older_one(runtime: Runtime, portfolio: SimpleNamespace, books: Any) -> None:
    """Nobody has to start anything again; the old facts leave the memory."""
    body = {**body_of(portfolio, "segmentation"), "rules": [rule(["open_minor", ">=", 0])]}
    assert live_counts(runtime, [portfolio.entity], body).places["/rules/0"].customers == 40
    books.customer("9999")
    assert live_counts(runtime, [portfolio.entity], body).places["/rules/0"].customers == 40
    run_entity(runtime, portfolio.entity, DAY + 1)
    counts = live_counts(runtime, [portfolio.entity], body)
    assert counts.places["/rules/0"].customers == counts.customers == 41
    assert counts.days == {portfolio.entity.code: DAY + 1}
    assert len(runtime.cache["live_facts"]) == 1 <= RUNS_KEPT


def test_without_a_run_or_its_facts_there_is_nothing_to_count(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """No guess: no places at all. Nor for parameters, nor for policies about invoices."""
    body = body_of(portfolio, "segmentation")
    for other in (body_of(portfolio, "parameters"), {**body, "subject": "invoice"}, {}):
        assert live_counts(runtime, [portfolio.entity], other).places == {}
    (runtime.settings.var / str(portfolio.run.facts_file)).unlink()
    assert live_counts(runtime, [portfolio.entity], body).days == {}
    assert live_counts(runtime, [], body).places == {}


def test_several_entities_are_added_up_and_their_currencies_never(
    runtime: Runtime, portfolio: SimpleNamespace, books: Any
) -> None:
    """Customers are counted together; money has a currency only where all have the same."""
    other = Entity.create(code="US01", name="Other", currency="USD", zone="America/New_York", country="US")
    Customer.create(entity=other, number="1", name="One", opened_day=DAY - 100)
    run_entity(runtime, other, DAY)
    body = {**body_of(portfolio, "segmentation"), "rules": [rule(["open_minor", ">=", 0])]}
    both = live_counts(runtime, [portfolio.entity, Entity.get_by_id(other.id)], body)
    assert both.places["/rules/0"].customers == 41
    assert both.currency is None
    entities = [portfolio.entity, Entity.get_by_id(other.id)]
    amounts, days = (distribution(runtime, entities, name) for name in ("open_minor", "tenure_days"))
    assert amounts is not None
    assert (amounts.currency, amounts.customers) == (portfolio.entity.currency, 40)
    assert days is not None
    assert days.customers == 41
    assert set(both.days) == {portfolio.entity.code, "US01"}
    assert live_counts(runtime, [portfolio.entity], body).places["/rules/0"].customers == 40
    Entity.update(currency=portfolio.entity.currency).where(Entity.id == other.id).execute()
    same = live_counts(runtime, [portfolio.entity, Entity.get_by_id(other.id)], body)
    assert same.currency == portfolio.entity.currency


def test_counting_writes_nothing(runtime: Runtime, portfolio: SimpleNamespace, dump: Callable[[], list[str]]) -> None:
    """Every row before and after is the same, and no file is stored."""
    before, files = dump(), sorted(runtime.settings.var.rglob("*.parquet"))
    live_counts(runtime, [portfolio.entity], body_of(portfolio, "hold"))
    distribution(runtime, [portfolio.entity], "open_minor")
    assert dump() == before
    assert sorted(runtime.settings.var.rglob("*.parquet")) == files


def test_several_people_may_edit_at_once(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Each gets the counts of their own document, whatever the others ask meanwhile."""
    found: dict[int, set[int]] = {n: set() for n in range(6)}
    body = body_of(portfolio, "segmentation")

    def edit(number: int) -> None:
        amount = number * 100_000
        for _ in range(15):
            own = {**body, "rules": [rule(["open_minor", ">", amount], ["segment_unknown", "==", 1])]}
            own["rules"].append(rule(["open_minor", ">", amount]))
            counts = live_counts(runtime, [portfolio.entity], own)
            found[number].add(counts.places["/rules/1"].customers)
        runtime.database.close()

    threads = [threading.Thread(target=edit, args=(number,)) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = facts_today(runtime, portfolio.entity)
    assert facts is not None
    amounts = facts.live.column("open_minor").to_list()
    assert found == {n: {sum(one > n * 100_000 for one in amounts)} for n in found}


def test_a_gap_names_a_customer_who_lies_in_it_today(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """The one with the largest exposure; a gap nobody lies in names nobody."""
    facts = facts_today(runtime, portfolio.entity)
    assert facts is not None
    days = facts.live.column("leader_days_past_due").to_list()
    there = max({day for day in days if day is not None}, key=days.count)

    def holding(gap_at: int) -> dict[str, Any]:
        body = body_of(portfolio, "segmentation")
        body["cases"] = []
        body["rules"] = [
            {**rule(["leader_days_past_due", "<", gap_at]), "key": "early"},
            {**rule(["leader_days_past_due", ">", gap_at]), "key": "late"},
        ]
        return body

    problems = findings(holding(there), portfolio.entity, DAY)
    gap = [problem for problem in problems if "no rule covers" in problem.what]
    assert len(gap) == 1
    found = customers_in_gaps(runtime, [portfolio.entity], holding(there), problems)
    ids, exposures = facts.live.column("customer_id").to_list(), facts.live.column("exposure_minor").to_list()
    largest = max((money, -one) for one, money, day in zip(ids, exposures, days, strict=True) if day == there)
    assert found == {gap[0]: -largest[1]}
    empty = next(day for day in range(1, 400) if day not in days)
    problems = findings(holding(empty), portfolio.entity, DAY)
    assert any("no rule covers" in problem.what for problem in problems)
    assert customers_in_gaps(runtime, [portfolio.entity], holding(empty), problems) == {}


def test_a_fact_is_distributed_over_all_customers(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Every number falls into one bin, none into two; what is unknown is counted beside; money in whole units."""
    facts = facts_today(runtime, portfolio.entity)
    assert facts is not None
    for name in ("open_minor", "credit_limit_minor", "leader_days_past_due", "utilisation_bp", "tenure_days"):
        values = facts.live.column(name).to_list()
        known = sorted(value for value in values if value is not None)
        found = distribution(runtime, [portfolio.entity], name)
        assert found is not None
        assert found.customers == len(values)
        assert found.unknown == values.count(None)
        assert (found.lowest, found.highest) == (known[0], known[-1])
        assert found.median in known
        assert len(found.bins) <= BINS_MAX
        for one in found.bins:
            inside = [v for v in known if (one.low is None or v >= one.low) and (one.high is None or v <= one.high)]
            assert one.customers == len(inside)
        assert sum(one.customers for one in found.bins) == len(known)
    opened = distribution(runtime, [portfolio.entity], "open_minor")
    assert opened is not None
    assert all(one.low is None or one.low in (0, 1) or one.low % 100 == 0 for one in opened.bins)


def test_words_and_claims_are_counted_the_most_frequent_first(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Outcomes of earlier stages too; a fact that no run stored has no distribution."""
    found = distribution(runtime, [portfolio.entity], "segment")
    assert found is not None
    expected = {o.segment: Outcome.select().where(Outcome.segment == o.segment).count() for o in Outcome.select()}
    assert {one.value: one.customers for one in found.bins} == expected
    assert [one.customers for one in found.bins] == sorted(expected.values(), reverse=True)
    claims = distribution(runtime, [portfolio.entity], "insolvent")
    assert claims is not None
    assert list(claims.bins) == [Bin(40, value=False)]
    assert distribution(runtime, [], "segment") is None


def test_counts_of_one_place_add_up() -> None:
    """Who decides is known of both or of neither."""
    one, other = Count(1, 5, Counted(1, 5)), Count(2, 7, Counted(1, 3))
    assert one + other == Count(3, 12, Counted(2, 8))
    assert one + Count(2, 7) == Count(3, 12)
