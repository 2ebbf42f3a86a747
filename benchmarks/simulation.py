"""How long a simulation takes whose change is a parameter of the first stage, asked for values never asked before.

    python -m benchmarks.simulation --customers 100000

Tried on the facts of the last run, among the shipped policies filled up with drawn rules. The
parameter says until when a customer counts as young, which gives points: each value moves many
customers into another class, and whatever reads the class is decided anew. Of each value the
sample's answer is asked first, then the full one, as the page does. Nothing is written: the
documents stand in a transaction that is rolled back.
"""

import copy
import time
from argparse import Namespace
from typing import Any

from benchmarks.filling import put_in_force
from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from benchmarks.portfolio import AS_OF_DAY
from benchmarks.stages import documents_of
from benchmarks.watching import memory_watched
from engine.impact import Simulation
from engine.pipeline import last_portfolio_run
from engine.runs import run_entity
from engine.runtime import Runtime, settle
from engine.simulation import estimate, simulate
from engine.tables import Document, Entity
from rules.documents import shipped

SECONDS = {100: 1.0, 700: 5.0}  # by rules in all: the full answer
SAMPLE_SECONDS = 0.5
MEMORY_GB = 4
CHANGED_PERCENT = 10
PARAMETER, STANDING = "young_days", 365
VALUES = tuple(range(900, 1_500, 30))  # days; they move 13 to 30 of a hundred customers
VALUES_SMALL, SMALL = 3, 50_000  # so many values of a portfolio of up to so many customers


def with_parameter(rules: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Documents with so many rules in all, one of the scorecard asking the parameter."""
    parameters, *documents = copy.deepcopy(shipped())
    named = {"name": PARAMETER, "kind": "days", "label": "Young", "meaning": "Until when a customer is young."}
    values = [{"from": "2010-01-01", "value": STANDING}]
    parameters["parameters"].append(named | {"low": 0, "high": 10_000, "values": values})
    scorecard = next(document for document in documents if document["stage"] == "scorecard")
    rule = {"key": "still-young", "label": "Still young", "because": "drawn", "priority": 899}
    test = ["tenure_days", "<", {"param": PARAMETER}]
    scorecard["rules"].append(rule | {"when": test, "then": {"points": 20}})
    return documents_of(rules, [parameters, *documents])


def with_value(parameters: dict[str, Any], value: int) -> dict[str, Any]:
    """The parameters with another value of the one that is tried."""
    changed = copy.deepcopy(parameters)
    changed["parameters"][-1]["values"][0]["value"] = value
    return changed


def p95(taken: list[float]) -> float:
    """By the nearest rank."""
    return sorted(taken)[-(-95 * len(taken) // 100) - 1]


def one_size(runtime: Runtime, rules: int, values: tuple[int, ...]) -> dict[str, Any]:
    """Try every value once."""
    entity = Entity.get()
    parameters, documents = with_parameter(rules)
    Document.update(status="rejected").execute()  # these, and no others, are in force
    put_in_force([parameters, *documents])
    first, sampled, full, busy, shares = 0.0, [], [], [], []
    for value in (STANDING + 1, *values):
        document = with_value(parameters, value)
        start = time.monotonic()
        guess = estimate(runtime, entity, [document])
        between, worked = time.monotonic(), time.process_time()
        found = simulate(runtime, entity, [document])
        end = time.monotonic()
        if value == STANDING + 1:  # decides the side in force, which stays in memory
            first = end - start
            settle()  # as the server does once it is warm
            continue
        sampled += [between - start] if guess is not None else []
        full.append(end - between)
        busy.append(time.process_time() - worked)
        shares.append(100 * found.changed / found.customers)
        _check(found, guess)
    return {"first": first, "sampled": sampled, "full": full, "busy": busy, "changed": min(shares)}


def _check(found: Simulation, guess: Simulation | None) -> None:
    moved = sum(move.customers for move in found.stages[0].moves if move.before != move.after)
    if moved != found.stages[0].changed or sum(m.customers for m in found.stages[0].moves) != found.customers:
        raise RuntimeError(f"the moves do not add up: {found.stages[0].moves}")
    # Of a hundred samples one may be further off than this; of all that are drawn here none should be.
    if guess is not None and abs(guess.changed - found.changed) > 2 * guess.margin:
        raise RuntimeError(f"the sample says {guess.changed} give or take {guess.margin}, it is {found.changed}")


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """Both sizes of the book."""
    if last_portfolio_run(Entity.get()) is None:
        run_entity(runtime, Entity.get(), AS_OF_DAY - 1)
    values = VALUES if chosen.customers > SMALL else VALUES[:: len(VALUES) // VALUES_SMALL]
    name, rows = chosen.database, []
    with memory_watched() as memory, runtime.database.atomic() as transaction:
        for rules, target in SECONDS.items():
            told = one_size(runtime, rules, values)
            found.goal(Goal(f"{name}.simulation_{rules}_rules_p95", p95(told["full"]), target, "s"))
            if told["sampled"]:
                found.goal(Goal(f"{name}.sample_{rules}_rules_p95", p95(told["sampled"]), SAMPLE_SECONDS, "s"))
            changed = Goal(f"{name}.simulation_{rules}_rules_changed", told["changed"], CHANGED_PERCENT, "%", False)
            found.goal(changed)
            cells = [f"{p95(told['sampled']):.2f}" if told["sampled"] else "-", f"{p95(told['full']):.2f}"]
            cells += [f"{p95(told['busy']):.2f}", f"{told['first']:.2f}", f"{told['changed']:.0f} %"]
            rows.append([f"{rules} rules in all", *cells])
        transaction.rollback()
    found.goal(Goal(f"{name}.simulation_memory", memory.peak_gb, MEMORY_GB, "GB"))
    columns = ["book", "sample p95", "full answer p95", "processor p95", "first of all", "changed, at least"]
    note = (
        f"{chosen.customers:,} customers, {len(values)} values of a parameter of the scorecard, each asked once; "
        "seconds. The first of all also decides the side in force, which then stays in memory. "
        f"Peak memory {memory.peak_gb:.2f} GB."
    )
    found.table(Table(f"Simulation, {name}", columns, rows, note))


if __name__ == "__main__":
    measured(__doc__, measure)
