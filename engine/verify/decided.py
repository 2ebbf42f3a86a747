"""Checks of what was decided: standings as folds of decisions and contacts, decisions replayed."""

import json
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from peewee import fn

from engine import sending
from engine.call_results import RESULTS
from engine.claims import CONTACT_CHANNELS
from engine.commands import NotFound
from engine.differences import STAGE_OUTCOMES
from engine.editions import Unusable
from engine.replaying import replay_decision
from engine.tables import Action, Customer, Decision, Entity, Outcome, Standing
from engine.verify.report import RESTORE, Seen
from ledger.problems import Problem
from rules.standing import Contacted, Event, Stand, event_of, fold_all

if TYPE_CHECKING:
    from engine.runtime import Runtime

BATCH = 5_000  # customers whose histories are in memory at a time
SAMPLE_DECISIONS = 300  # replayed each time, others the next day
OUTCOMES = tuple(name for names in STAGE_OUTCOMES.values() for name in names)

Key = tuple[int, str, int]  # customer, policy, due line or 0
Histories = dict[Key, list[Event]]
Outcomes = dict[int, dict[str, Any]]


def standings(runtime: "Runtime") -> Iterator[Seen]:
    """Outcomes in force were decided last; each standing is the fold of decisions and contacts, byte for byte."""
    zones = dict(Entity.select(Entity.id, Entity.zone).tuples())
    last = Customer.select(fn.max(Customer.id)).scalar() or 0
    for first in range(1, last + 1, BATCH):
        with runtime.database.snapshot():
            histories, decided = _histories(first)
            contacts = _contacts(first, zones)
            kept = {
                (row["customer"], row["policy_key"], row["line_id"]): row
                for row in Standing.select().where(Standing.customer.between(first, first + BATCH - 1)).dicts()
            }
            in_force = {
                row["customer"]: row
                for row in Outcome.select().where(Outcome.customer.between(first, first + BATCH - 1)).dicts()
            }
        yield len(kept)
        yield from _outcomes(decided, in_force)
        for key in sorted({*histories, *kept}):
            rebuilt = fold_all([*histories.get(key, ()), *contacts.get(key, ())])
            stored = kept.get(key)
            problem = _differs(key, None if stored is None else Stand.of(stored, prefix=""), rebuilt)
            if problem is not None:
                yield problem


def _outcomes(decided: Outcomes, in_force: Outcomes) -> Iterator[Seen]:
    for customer in sorted({*decided, *in_force}):
        stored, last = in_force.get(customer), decided.get(customer, {})
        place = f"outcomes of customer {customer}"
        if stored is None or customer not in decided:
            what = "are missing, although decided" if stored is None else "are there, but no decision explains them"
            yield Problem(place, what, RESTORE)
            continue
        for name in OUTCOMES:
            expected = last.get(name)
            if name == "hold":
                expected = bool(expected)
            elif name == "level":
                expected = expected or 0
            if stored[name] != expected:
                yield Problem(place, f"{name} is {stored[name]!r}, decided was {expected!r}", RESTORE)


def _histories(first: int) -> tuple[Histories, Outcomes]:
    """Of some customers what moved their standings, and the outcomes decided last."""
    rows = (
        Decision.select(Decision.customer, Decision.line_id, Decision.changes, Decision.as_of_day)
        .where(Decision.customer.between(first, first + BATCH - 1))
        .order_by(Decision.customer, Decision.id)
        .tuples()
        .iterator()
    )
    found: Histories = {}
    decided: Outcomes = {}
    for customer, line, changes, day in rows:
        parsed = json.loads(changes)
        last = {} if line else decided.setdefault(customer, {})
        for stage in STAGE_OUTCOMES:
            if stage in parsed:
                last.update(parsed[stage]["after"])
        event = event_of(parsed, day)
        if event is not None:
            found.setdefault((customer, parsed["standing_of"], line), []).append(event)
    return found, decided


def _contacts(first: int, zones: dict[int, str]) -> Histories:
    found: Histories = {}
    reached = [name for name, result in RESULTS.items() if result.reached]
    sent = (Action.state == "sent") & Action.channel.in_(CONTACT_CHANNELS)
    sent = sent | ((Action.state == "done") & Action.result.in_(reached))
    rows = (
        Action.select(
            *(Action.customer, Action.policy_key, Action.line_id, Action.entity_id),
            *(Action.created_at, Action.due_day, Action.settled_at),
        )
        .where(Action.customer.between(first, first + BATCH - 1), sent, Action.settled_at.is_null(False))
        .order_by(Action.id)
        .tuples()
        .iterator()
    )
    for customer, policy, line, entity, created_at, due_day, settled_at in rows:
        day = sending.contact_day(zones[entity], created_at, due_day, settled_at)
        found.setdefault((customer, policy, line), []).append(Contacted(day=day))
    return found


def _differs(key: Key, stored: Stand | None, rebuilt: Stand) -> Problem | None:
    line = f" of line {key[2]}" if key[2] else ""
    place = f"customer {key[0]}, standing{line} in {key[1]}"
    if stored is None:
        if rebuilt.episode == 0:
            return None
        return Problem(place, f"is missing; decisions give {rebuilt}", RESTORE)
    if stored.canonical() == rebuilt.canonical():
        return None
    if rebuilt == Stand():
        return Problem(place, f"is {stored}, but no decision explains it", RESTORE)
    return Problem(place, f"is {stored}, its decisions and contacts give {rebuilt}", RESTORE)


def decisions(runtime: "Runtime") -> Iterator[Seen]:
    """A sample of all decisions comes out the same again; the day seeds it."""
    last = Decision.select(fn.max(Decision.id)).scalar() or 0
    dice = random.Random(runtime.today())  # noqa: S311 a sample, no secret
    drawn = sorted(dice.sample(range(1, last + 1), min(SAMPLE_DECISIONS, last)))
    for decision in Decision.select().where(Decision.id.in_(drawn)).order_by(Decision.id):
        yield 1
        place = f"decision {decision.id} of customer {decision.customer_id}"
        try:
            differences = replay_decision(runtime, decision)
        except (Unusable, NotFound, ValueError) as error:
            yield Problem(place, f"cannot be replayed: {error}", RESTORE)
            continue
        if differences:
            yield Problem(
                place,
                "comes out otherwise: " + "; ".join(d.what for d in differences),
                "the decision or its edition was changed, or this release decides otherwise; report it",
            )
