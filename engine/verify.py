"""Verify: what must always hold, checked on live data. Plain values; nothing is changed but the kept heads."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from engine import audit, database, sending
from engine.commands import NotFound
from engine.diary import RESULTS
from engine.editions import Unusable
from engine.pipeline import asking, facts_of
from engine.replaying import replay_decision
from engine.tables import Action, Allocation, Credit, Customer, Decision, DueLine, Entity, Reversal, Standing
from rules.standing import Contacted, Event, Stand, event_of, fold_all

if TYPE_CHECKING:
    from engine.runtime import Runtime

SAMPLE_CUSTOMERS = 500  # of each entity, balances recomputed independently
SAMPLE_DECISIONS = 200  # replayed
FINDINGS_MAX = 100  # shown of each check
HEADS_FILE = "audit-heads.jsonl"  # copy it elsewhere: only a head outside shows a chain that was rewritten whole


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold.

    Args:
        name: what was checked.
        checked: how many of it.
        findings: in words, empty when all is well; at most FINDINGS_MAX of them.
        found: how many there were.
    """

    name: str
    checked: int
    findings: tuple[str, ...]
    found: int


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found.

    Args:
        at: microseconds UTC.
        checks: each thing that must hold.
        audit_entries, audit_head: to be kept outside.
    """

    at: int
    checks: tuple[Check, ...]
    audit_entries: int
    audit_head: str

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return all(not check.found for check in self.checks)

    def values(self) -> dict[str, Any]:
        """The report as plain values."""
        return {"sound": self.sound, **asdict(self)}


def verify(runtime: "Runtime") -> Report:
    """Check settings, the audit chain, balances, standings and a sample of decisions."""
    entries, head = audit.head()
    checks = (
        _check("durability", 1, database.durability(runtime.database)),
        _check("append-only triggers", 1, [f"{n} is missing" for n in database.missing_triggers(runtime.database)]),
        _check("file", 1, _file(runtime)),
        _chain(runtime),
        _counted("allocations", _allocations()),
        _counted("balances", _balances(runtime)),
        _counted("standings", _standings()),
        _counted("decisions replayed", _decisions(runtime)),
    )
    report = Report(runtime.now_at(), checks, entries, head)
    if report.sound:
        _keep_head(runtime, report)
    return report


def _check(name: str, checked: int, findings: list[str]) -> Check:
    return Check(name, checked, tuple(findings[:FINDINGS_MAX]), len(findings))


def _counted(name: str, results: Iterator[str | None]) -> Check:
    """Counts one per result; a text is a finding."""
    checked, findings = 0, []
    for result in results:
        checked += 1
        if result is not None:
            findings.append(result)
    return _check(name, checked, findings)


def _file(runtime: "Runtime") -> list[str]:
    rows = runtime.database.execute_sql("pragma quick_check").fetchall()
    broken = [str(row[0]) for row in rows if row[0] != "ok"]
    lost = runtime.database.execute_sql("pragma foreign_key_check").fetchall()
    return broken + [f"{row[0]} {row[1]} refers to a row of {row[2]} that is not there" for row in lost]


def _chain(runtime: "Runtime") -> Check:
    broken: list[str] = []
    report = audit.verify_chain()
    broken += report.broken
    path = runtime.settings.var / HEADS_FILE
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if kept:
        last = kept[-1]
        broken += set(audit.verify_chain((last["entries"], last["head"])).broken) - set(broken)
    return _check("audit chain", report.entries, broken)


def _keep_head(runtime: "Runtime", report: Report) -> None:
    line = json.dumps({"at": report.at, "entries": report.audit_entries, "head": report.audit_head})
    with (runtime.settings.var / HEADS_FILE).open("a") as heads:
        heads.write(line + "\n")


def _undone(target: str) -> Any:
    return Reversal.select(Reversal.target_id).where(Reversal.target == target)


def _allocations() -> Iterator[str | None]:
    """No allocation exceeds either side, in any currency."""
    for model, field, name in ((DueLine, Allocation.due_line, "due line"), (Credit, Allocation.credit, "credit")):
        sums: dict[int, int] = {}
        rows = Allocation.select(field, Allocation.amount_minor).where(Allocation.id.not_in(_undone("allocation")))
        for number, amount in rows.tuples().iterator():
            sums[number] = sums.get(number, 0) + amount
        for row in model.select(model.id, model.amount_minor).where(model.id.in_(list(sums))).tuples().iterator():
            number, amount = row
            beyond = abs(sums[number]) > abs(amount)
            yield f"{name} {number}: {sums[number]} allocated of {amount}" if beyond else None


def _balances(runtime: "Runtime") -> Iterator[str | None]:
    """The open amount of a fact row is what adding up the entries by hand gives; its buckets sum to it."""
    for entity in Entity.select().order_by(Entity.id):
        numbers = [
            c for (c,) in Customer.select(Customer.id).where(Customer.entity == entity).order_by(Customer.id).tuples()
        ]
        every = max(1, len(numbers) // SAMPLE_CUSTOMERS)
        offset = runtime.now_at() // 86_400_000_000 % every  # another sample each day
        sample = numbers[offset::every][:SAMPLE_CUSTOMERS]
        if not sample:
            continue
        today = runtime.today(entity)
        by_hand = _open_by_hand(sample, today)
        for row in facts_of(runtime, asking(runtime, entity, today), sample):
            number = row["customer_id"]
            currencies = by_hand.get(number, {})
            if set(currencies) <= {entity.currency}:
                yield _balance_finding(number, row, currencies.get(entity.currency, 0))


def _balance_finding(number: int, row: dict[str, Any], by_hand: int) -> str | None:
    if row["open_minor"] != by_hand:
        return f"customer {number}: facts say {row['open_minor']} is open, the entries {by_hand}"
    buckets = ("not_due_minor", "d1_30_minor", "d31_60_minor", "d61_90_minor", "d90_over_minor", "no_due_date_minor")
    total = sum(row[name] for name in buckets)
    return None if total == by_hand else f"customer {number}: the buckets sum to {total}, {by_hand} is open"


def _open_by_hand(customers: list[int], day: int) -> dict[int, dict[str, int]]:
    """Open amounts by customer and currency: lines less allocations, without what was taken back."""

    def known(model: Any) -> Any:
        return (model.booked_day <= day) & (model.recorded_day <= day)

    undone: dict[str, set[int]] = {}
    for target, number in (
        Reversal.select(Reversal.target, Reversal.target_id)
        .where(Reversal.customer.in_(customers), known(Reversal))
        .tuples()
    ):
        undone.setdefault(target, set()).add(number)
    lines = {
        line.id: [line.customer_id, line.currency, line.amount_minor]
        for line in DueLine.select().where(DueLine.customer.in_(customers), known(DueLine))
        if line.id not in undone.get("due_line", ())
    }
    gone = undone.get("credit", set())
    for allocation in Allocation.select().where(Allocation.customer.in_(customers), known(Allocation)):
        taken_back = allocation.id in undone.get("allocation", ()) or allocation.credit_id in gone
        if not taken_back and allocation.due_line_id in lines:
            lines[allocation.due_line_id][2] -= allocation.amount_minor
    sums: dict[int, dict[str, int]] = {}
    for customer, currency, amount in lines.values():
        per = sums.setdefault(customer, {})
        per[currency] = per.get(currency, 0) + amount
    return sums


def _standings() -> Iterator[str | None]:
    """Each standing is the fold of its decisions and contacts, byte for byte."""
    decisions = (
        Decision.select(Decision.customer, Decision.changes, Decision.as_of_day)
        .where(Decision.customer.in_(Standing.select(Standing.customer)))
        .order_by(Decision.customer, Decision.id)
        .tuples()
        .iterator()
    )
    kept = {(row.customer_id, row.policy_key): row for row in Standing.select()}
    contacts = _contacts()
    for customer, rows in groupby(decisions, key=lambda row: row[0]):
        events: dict[str, list[Event]] = {}
        for _, changes, day in rows:
            parsed = json.loads(changes)
            event = event_of(parsed, day)
            if event is not None:
                events.setdefault(parsed["standing_of"], []).append(event)
        for policy, history in sorted(events.items()):
            row = kept.pop((customer, policy), None)
            history += contacts.get((customer, policy), [])
            yield _standing_finding(customer, policy, row, fold_all(history))
    for customer, policy in sorted(kept):
        yield f"customer {customer}: a standing in {policy} that no decision explains"


def _contacts() -> dict[tuple[int, str], list[Event]]:
    found: dict[tuple[int, str], list[Event]] = {}
    reached = [name for name, result in RESULTS.items() if result.reached]
    sent = (Action.state == "sent") | ((Action.state == "done") & Action.result.in_(reached))
    for action in Action.select().where(sent, Action.settled_at.is_null(False)).order_by(Action.id).iterator():
        day = sending.day_at(action, action.settled_at)
        found.setdefault((action.customer_id, action.policy_key), []).append(Contacted(day=day))
    return found


def _standing_finding(customer: int, policy: str, row: Standing | None, rebuilt: Stand) -> str | None:
    if row is None:
        return None if rebuilt.episode == 0 else f"customer {customer}: the standing in {policy} is missing"
    stored = Stand.of(row.__data__, prefix="")
    if stored.canonical() == rebuilt.canonical():
        return None
    return f"customer {customer}: the standing in {policy} is {stored}, its decisions give {rebuilt}"


def _decisions(runtime: "Runtime") -> Iterator[str | None]:
    """The latest decisions, and some of the oldest, come out the same again."""
    newest = Decision.select().order_by(Decision.id.desc()).limit(SAMPLE_DECISIONS // 2)
    oldest = Decision.select().order_by(Decision.id).limit(SAMPLE_DECISIONS // 2)
    replays: dict[int, Callable[[], str | None]] = {}
    for decision in (*newest, *oldest):
        replays.setdefault(decision.id, lambda decision=decision: _replayed(runtime, decision))  # type: ignore[misc]
    for _, replay in sorted(replays.items()):
        yield replay()


def _replayed(runtime: "Runtime", decision: Decision) -> str | None:
    try:
        found = replay_decision(runtime, decision)
    except (Unusable, NotFound) as error:
        return f"decision {decision.id}: {error}"
    return str(found[0]) if found else None
