"""How long rules over a whole portfolio take: all stages.

    python -m benchmarks.stages --customers 100000

On the facts of the last run, read by ``benchmarks.night`` or decided here. The shipped policies
are filled up with drawn rules of three tests, to 100 rules in all and to a hundred a stage.
"""

import copy
import random
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import narwhals as nw

from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from benchmarks.portfolio import AS_OF_DAY
from engine.frames import STREAM, collected
from engine.kept_frames import scan_frame
from engine.pipeline import last_portfolio_run
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Entity
from rules import columns
from rules.book import Book
from rules.documents import parse, parse_parameters, shipped

STAGES_SECONDS, STAGES_700_SECONDS = 0.5, 5
ROUNDS = 5
DRAWN: dict[str, Callable[[int], dict[str, Any]]] = {
    "scorecard": lambda number: {"points": number % 9},
    "segmentation": lambda number: {"segment": f"drawn-{number % 9}"},
    "credit_limit": lambda number: {"proposed_limit_minor": 100_000 * (number % 50), "proposed_terms_days": 14},
    "hold": lambda number: {"hold": number % 2 == 0, "hold_reason": "overdue" if number % 2 == 0 else None},
    "worklist": lambda number: {"worklist_points": number % 9},
    "alert": lambda number: {"alert": f"drawn-{number % 9}"},
}
RANGES = {  # facts that are drawn tests of, and from where to where
    **dict.fromkeys(("open_minor", "overdue_minor", "exposure_minor", "not_due_minor"), (0, 5_000_000)),
    **dict.fromkeys(("credit_limit_minor", "headroom_minor", "leader_open_minor"), (0, 20_000_000)),
    **dict.fromkeys(("utilisation_bp", "late_share_12m_bp"), (0, 10_000)),
    **dict.fromkeys(("leader_days_past_due", "terms_days"), (-20, 90)),
    "tenure_days": (0, 4_000),
}


def book_of(rules: int) -> Book:
    """The shipped policies, filled up evenly to so many rules in all."""
    return _built(*documents_of(rules))


def documents_of(
    rules: int, shipped_ones: Sequence[dict[str, Any]] | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The documents of a book of so many rules: the parameters, and the policies.

    Args:
        shipped_ones: the documents to fill up, parameters first; by default those that are shipped.
    """
    parameters, *documents = copy.deepcopy(shipped() if shipped_ones is None else list(shipped_ones))
    counted = sum(len(stage.rules) for stage in _built(parameters, documents).stages.values())
    dice = random.Random(7)
    fillable = [document for document in documents if document["stage"] in DRAWN]
    for number in range(rules - counted):
        document = fillable[number % len(fillable)]
        tests = [
            [name, dice.choice(["<", ">=", ">"]), dice.randint(*RANGES[name])] for name in dice.sample([*RANGES], 3)
        ]
        key = f"drawn-{number}"
        drawn = {"key": key, "label": key, "because": "drawn", "priority": 900 + number, "when": {"all": tests}}
        document["rules"].append(drawn | {"then": DRAWN[document["stage"]](number)})
    return parameters, documents


def _built(parameters: dict[str, Any], documents: list[dict[str, Any]]) -> Book:
    found, problems = parse_parameters(parameters)
    policies = []
    for document in documents:
        policy, faults = parse(document)
        problems += [fault for fault in faults if fault.severity == "error"]
        if policy is not None:
            policies.append(policy)
    if problems or found is None:
        raise ValueError(problems)
    return Book.build(policies, [found], AS_OF_DAY, entity="DE01")


def seconds_of(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median, after a first time that does not count."""
    act()
    taken = []
    for _ in range(rounds):
        start = time.monotonic()
        act()
        taken.append(time.monotonic() - start)
    return statistics.median(taken)


def stages(facts: nw.LazyFrame[Any], book: Book) -> None:
    """Decide all rows; outcomes, masks and doubts are computed, the facts are not copied."""
    decided = columns.decide(facts, book)
    names = [column.name for stage in book.stages.values() for column in stage.stage.outcomes]
    names += [name for name in decided.collect_schema().names() if name.startswith(("matched_", "undecided_"))]
    collected(decided.select("customer_id", *names), STREAM)


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """The stages."""
    run = last_portfolio_run(Entity.get()) or run_entity(runtime, Entity.get(), AS_OF_DAY - 1)
    facts = collected(scan_frame(runtime, str(run.facts_file)))
    rows, name = [], chosen.database
    for rules, target in ((100, STAGES_SECONDS), (700, STAGES_700_SECONDS)):
        book = book_of(rules)
        taken = seconds_of(partial(stages, facts, book), 3)
        found.goal(Goal(f"{name}.stages_{rules}_rules", taken, target, "s"))
        rows.append([f"stages, {rules} rules in all", f"{taken:.2f}"])
    note = f"{chosen.customers:,} customers, medians, warm: the first time is not counted."
    found.table(Table(f"Rules over all customers, {name}", ["what", "seconds"], rows, note))


if __name__ == "__main__":
    measured(__doc__, measure)
