"""How soon a person who edits a policy sees whom it touches: counts of every part, through the application.

    python -m benchmarks.editing --customers 1000000

On the facts of the last run, read by ``benchmarks.night`` or decided here. A draft of the shipped hold
policy, filled up to forty rules of three tests; one threshold is given twenty different values, each
of them new, as somebody types. The first count of a process reads columns and decides the stages before.
"""

import copy
import json
import random
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from admin.app import create_app
from benchmarks.goals import Found, Goal, Table
from benchmarks.lists import people, sign_in
from benchmarks.places import measured
from benchmarks.portfolio import AS_OF_DAY
from benchmarks.stages import RANGES
from engine.distributions import distribution
from engine.governance import SaveDraft
from engine.live_counts import live_counts
from engine.pipeline import last_portfolio_run
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Document, Entity, User
from rules.documents import shipped

COUNTS_MS = 300
VALUES = 20  # different thresholds, none asked before
RULES = 40
NAMES = ("open_minor", "exposure_minor", "leader_days_past_due")  # what the edited rule asks


def policy() -> dict[str, Any]:
    """The shipped hold policy with drawn rules, the one that is edited last."""
    document = copy.deepcopy(next(one for one in shipped() if one.get("stage") == "hold"))
    dice = random.Random(7)
    then = {"hold": True, "hold_reason": "overdue"}
    while len(document["rules"]) < RULES:
        number = len(document["rules"])
        names = dice.sample([*RANGES], 3) if number < RULES - 1 else NAMES
        tests = [[name, ">=", dice.randint(*RANGES[name])] for name in names]
        rule = {"key": f"drawn-{number}", "label": f"Drawn {number}", "priority": 900 + number}
        document["rules"].append(rule | {"when": {"all": tests}, "then": then})
    return document


def with_value(document: dict[str, Any], value: int) -> dict[str, Any]:
    """The policy with another threshold in its last rule."""
    changed = copy.deepcopy(document)
    changed["rules"][-1]["when"]["all"][0][2] = value
    return changed


def form(document: dict[str, Any], version: int, token: str, euros: int) -> dict[str, str]:
    """What the open editor of the last rule sends while its first value is typed."""
    rule = document["rules"][-1]
    fields = {"csrf_token": token, "version": str(version), "place": f"/rules/{RULES - 1}", "of": rule["key"]}
    fields |= {"key": rule["key"], "label": rule["label"], "priority": str(rule["priority"]), "when:is": "all"}
    fields |= {"then/hold:form": "value", "then/hold:as": "const:true"}
    fields |= {"then/hold_reason:form": "value", "then/hold_reason:as": "value", "then/hold_reason:value": "overdue"}
    for index, (fact, op, value) in enumerate(rule["when"]["all"]):
        name = f"when/all/{index}"
        written = str(euros) if index == 0 else str(value // 100 if fact.endswith("_minor") else value)
        fields |= {f"{name}:is": "test", f"{name}:fact": fact, f"{name}:op": op}
        fields |= {f"{name}:0:as": "value", f"{name}:0:value": written}
    return fields


@dataclass(frozen=True)
class Timed:
    """What acts took, in milliseconds: by the clock, and of the processor."""

    wall: list[float]
    cpu: list[float]


def timed(acts: Iterator[Callable[[], Any]]) -> Timed:
    """What each of some acts takes."""
    taken = Timed([], [])
    for act in acts:
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        taken.wall.append((time.perf_counter() - wall) * 1_000)
        taken.cpu.append((time.process_time() - cpu) * 1_000)
    return taken


def forget(runtime: Runtime) -> None:
    """As in a process that has just started."""
    for name in ("live_facts", "sides"):
        runtime.cache.pop(name, None)


def at(share: float, values: list[float]) -> float:
    """The value below which a share of the times lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """Counts cold and warm, the application's answers, distributions of facts."""
    people(runtime)
    entity = Entity.get()
    if last_portfolio_run(entity) is None:
        run_entity(runtime, entity, AS_OF_DAY - 1)
    document = policy()
    forget(runtime)
    cold = timed(iter([lambda: live_counts(runtime, [entity], document)]))
    dice = random.Random(3)
    values = dice.sample(range(1_000, 5_000_000), 2 * VALUES)
    warm = timed(
        (lambda value=value: live_counts(runtime, [entity], with_value(document, value))) for value in values[:VALUES]
    )
    pages = answers(runtime, document, values[VALUES:])
    facts = timed((lambda name=name: distribution(runtime, [entity], name)) for name in RANGES)
    found.goal(Goal(f"{chosen.database}.live_counts", at(0.95, pages.wall), COUNTS_MS, "ms"))
    rows = [
        [what, *(f"{figure:.0f}" for figure in (at(0.5, taken.wall), at(0.95, taken.wall), at(0.5, taken.cpu)))]
        for what, taken in (
            (f"counts of {RULES} rules, first of a process", cold),
            (f"counts of {RULES} rules, a new value each time", warm),
            ("the same through the application, a form each time", pages),
            ("distribution of a fact, first time", facts),
        )
    ]
    note = f"{chosen.customers:,} customers; {VALUES} values that nobody asked for before."
    found.table(
        Table(f"Live counts while editing, {chosen.database}", ["what", "p50 ms", "p95 ms", "p50 CPU ms"], rows, note)
    )


def answers(runtime: Runtime, document: dict[str, Any], values: list[int]) -> Timed:
    """What the application takes to answer a form, value by value."""
    person = User.get(User.email == "whole@dunwell.example")
    saved = runtime.execute(SaveDraft(actor=person.id, reason="measured", document=document))
    row = Document.get_by_id(saved["document"])
    app = create_app(runtime)
    app.extensions["dunwell_limiter"].enabled = False
    client = app.test_client()
    sign_in(client, person.email)
    token = client.get("/").text.split('name="csrf_token" value="')[1].split('"')[0]
    body = json.loads(row.body)

    def ask(value: int) -> None:
        answer = client.post(f"/workbench/{row.id}/counts", data=form(body, row.version, token, value // 100))
        place = f"/rules/{RULES - 1}/when/all/0"
        if answer.status_code != 200 or place not in answer.json["places"]:
            raise RuntimeError(f"the counts answer {answer.status_code}")

    ask(values[0])  # what an application does once
    return timed((lambda value=value: ask(value)) for value in values[1:])


if __name__ == "__main__":
    measured(__doc__, measure)
