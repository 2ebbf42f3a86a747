"""Replay: a past day decided again from the facts and the edition it was decided with. Writes nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames, kept_frames
from engine.commands import NotFound
from engine.confirming import DISAGREEMENT
from engine.decisions import Applying, Verdict, changes_of, event_for
from engine.differences import STAGE_OUTCOMES, columns_to_apply, matched_in_columns
from engine.editions import Edition, edition_of
from engine.pipeline import Frame, decided_day
from engine.tables import Alarm, Decision, Entity, Run
from ledger.canonical import canonical
from ledger.days import date_of
from ledger.problems import Hindrance
from rules import reference
from rules.columns import dtype_of
from rules.reference import Decided
from rules.stages import OUTCOMES
from rules.standing import kept_event
from rules.starting import stand_by_age

if TYPE_CHECKING:
    from engine.runtime import Runtime

BATCH = 2_000  # customers in memory at a time
KEPT_MAX = 1_000  # differences a replay names; all are counted
SHOWN_MAX = 20  # of them in an error


class Different(Hindrance):
    """A replay does not give what was decided then."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that comes out otherwise now.

    Args:
        decision: None where nothing was decided then.
        stage: of the pipeline, or ``standing``.
        what: of the stage, in words: what was decided and what the replay gives.
    """

    run: int
    decision: int | None
    customer: int
    stage: str
    what: str

    def __str__(self) -> str:
        decided = "no decision" if self.decision is None else f"decision {self.decision}"
        return f"customer {self.customer}, {self.stage} ({decided}): {self.what}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What replaying a day of an entity found.

    Args:
        run: the portfolio run of the day; None when only events were decided.
        runs: how many runs the day had, events among them.
        decisions: how many decisions were compared.
        from_own_facts: how many of them with their own facts alone, the run's being kept no more.
        differences: the first KEPT_MAX.
        found: how many there were.
    """

    entity: str
    as_of_day: int
    run: Run | None
    runs: int
    decisions: int
    from_own_facts: int
    differences: tuple[Difference, ...]
    found: int

    def values(self) -> dict[str, Any]:
        """The replay as plain values."""
        return {
            "entity": self.entity,
            "as_of": date_of(self.as_of_day).isoformat(),
            "runs": self.runs,
            "decisions": self.decisions,
            "from_own_facts": self.from_own_facts,
            "found": self.found,
            "differences": [asdict(difference) for difference in self.differences],
        }


def replay_day(runtime: "Runtime", entity: Entity, day: int) -> Replay:
    """Decide a past day again, every run of it, and compare.

    Raises:
        NotFound: nothing was decided on that day.
        engine.editions.Unusable: an edition cannot be rebuilt.
    """
    runs = list(Run.select().where(Run.entity == entity, Run.as_of_day == day, Run.state == "done").order_by(Run.id))
    if not runs:
        raise NotFound(f"{entity.code} has no run as of {date_of(day)}")
    found, decisions, alone, kept = 0, 0, 0, []
    for run in runs:
        decisions += Decision.select().where(Decision.run == run).count()
        whole = _is_kept(runtime, run)
        if not whole:
            alone += Decision.select().where(Decision.run == run).count()
        for difference in replay_run(runtime, run) if whole else _replay_rows(runtime, run):
            found += 1
            if found <= KEPT_MAX:
                kept.append(difference)
    portfolio = next((run for run in runs if run.kind != "event"), None)
    return Replay(entity.code, day, portfolio, len(runs), decisions, alone, tuple(kept), found)


def _is_kept(runtime: "Runtime", run: Run) -> bool:
    """Whether all that a run decided from is stored still."""
    files = [run.facts_file] + ([run.lines_file] if run.lines else [])
    return all(file is not None and (runtime.settings.var / str(file)).is_file() for file in files)


def decided_on(day: int) -> list[Entity]:
    """The entities with a run of a day."""
    decided = Run.select(Run.entity).where(Run.as_of_day == day, Run.state == "done")
    return list(Entity.select().where(Entity.id.in_(decided)).order_by(Entity.id))


def replayed_run(runtime: "Runtime", entity: Entity, day: int) -> Run:
    """The portfolio run of a day, after replaying the day without a difference.

    Raises:
        NotFound: the day was not decided by a run.
        Different: something comes out otherwise.
    """
    replay = replay_day(runtime, entity, day)
    if replay.found:
        shown = "; ".join(str(difference) for difference in replay.differences[:SHOWN_MAX])
        raise Different(f"{replay.found} differences: {shown}")
    if replay.run is None:
        raise NotFound(f"{entity.code} has no run as of {date_of(day)}")
    return replay.run


def replay_run(runtime: "Runtime", run: Run) -> Iterator[Difference]:
    """Decide a run's stored facts again, in columns; every difference to its decisions.

    Also names who would be decided otherwise now although nothing was decided then.

    Raises:
        FileNotFoundError: its facts are not kept any more.
    """
    edition = edition_of(runtime, run.entity, str(run.edition), run.as_of_day)
    facts = kept_frames.scan_frame(runtime, str(run.facts_file))
    # A frame that an older release stored knows nothing of outcomes that came later.
    later = sorted({f"was_{name}" for name in OUTCOMES} - set(facts.collect_schema().names()))
    facts = facts.with_columns(
        nw.lit(None, dtype=dtype_of(OUTCOMES[name.removeprefix("was_")])).alias(name) for name in later
    )
    yield from _replay_frame(runtime, run, edition, facts, later)
    if run.lines_file is not None:
        lines = kept_frames.scan_frame(runtime, str(run.lines_file))
        yield from _replay_frame(runtime, run, edition.for_lines(), lines, [])


def _replay_frame(
    runtime: "Runtime", run: Run, edition: Edition, facts: Frame, later: Sequence[str]
) -> Iterator[Difference]:
    """Decide stored rows of customers, or of due lines, again; every difference to their decisions."""
    decided = decided_day(runtime, run.entity, edition, run.as_of_day, True, facts)
    book = edition.book
    wanted = columns_to_apply(tuple(decided.collect_schema().names()), book)
    by_rules = [name for name in decided.collect_schema().names() if name.endswith("_by_rules")]
    of_lines = book.subject != "customer"
    key, subject = ("line_id", Decision.line_id) if of_lines else ("customer_id", Decision.customer)
    own = Decision.select().where(Decision.run == run, Decision.line_id != 0 if of_lines else Decision.line_id == 0)
    unseen = dict(own.select(subject, Decision.customer).tuples())
    rows = decided.filter(nw.col("changed") | nw.col("moved") | nw.col(key).is_in(list(unseen)))
    excused = _excused(run)
    for batch in frames.batches(rows.select(*wanted, *by_rules), BATCH, key):
        numbers = [row[key] for row in batch]
        kept = {d.line_id if of_lines else d.customer_id: d for d in own.where(subject.in_(numbers))}
        for row in batch:
            unseen.pop(row[key], None)
            decision = kept.get(row[key])
            if decision is not None:
                yield from _compared(runtime, decision, row, _decided_in_columns(row, edition), edition)
            elif (row["changed"] or row["moved"]) and row["customer_id"] not in excused:
                yield from _undecided(run, row, later)
    for customer in sorted(unseen.values()):
        yield Difference(run.id, None, customer, "facts", "a decision was made, but the run's facts have no such row")


def _replay_rows(runtime: "Runtime", run: Run) -> Iterator[Difference]:
    for decision in Decision.select().where(Decision.run == run).order_by(Decision.id).iterator():
        yield from replay_decision(runtime, decision)


def replay_decision(runtime: "Runtime", decision: Decision) -> list[Difference]:
    """Decide one stored fact row again, by the reference evaluator.

    Raises:
        engine.editions.Unusable: its edition cannot be rebuilt.
    """
    edition = edition_decided_by(runtime, decision)
    facts = json.loads(decision.facts)
    row = {**facts, "customer_id": decision.customer_id, "at_step_key": facts.get("previous_step")}
    return list(_compared(runtime, decision, row, _decided_again(decision, facts, edition), edition))


def _decided_again(decision: Decision, facts: Mapping[str, Any], edition: Edition) -> Decided:
    decided = reference.decide(facts, edition.book)
    if decision.run.starts_by_age:
        stand_by_age(decided, edition.book.stages["escalation"].plan)
    return decided


def edition_decided_by(runtime: "Runtime", decision: Decision) -> Edition:
    """The edition of a decision, with the book of its subject.

    Raises:
        engine.editions.Unusable: it cannot be rebuilt.
    """
    edition = edition_of(runtime, decision.run.entity, decision.edition, decision.as_of_day)
    return edition.for_lines() if decision.line_id else edition


def replayed_changes(runtime: "Runtime", decision: Decision) -> str:
    """What deciding a stored fact row again would keep of it, as ``Decision.changes`` keeps it: canonical JSON.

    Raises:
        engine.editions.Unusable: its edition cannot be rebuilt.
    """
    edition = edition_decided_by(runtime, decision)
    facts, stored = json.loads(decision.facts), json.loads(decision.changes)
    decided = _decided_again(decision, facts, edition)
    row = {**facts, "customer_id": decision.customer_id, "at_step_key": facts.get("previous_step")}
    for stage, names in STAGE_OUTCOMES.items():
        # Of a stage that changed it is kept what stood before; of the others, what stood is what stands.
        before = stored.get(stage, {}).get("before", {})
        row.update({f"was_{name}": before.get(name, decided.outcomes.get(name)) for name in names})
    applying = Applying(runtime, decision.run, edition, False, 0)
    return canonical(changes_of(applying, Verdict(row, decided, decision.confirmed_by)))


def _decided_in_columns(row: Mapping[str, Any], edition: Edition) -> Decided:
    outcomes = {name: row[name] for name in OUTCOMES if name in row}
    found = Decided(
        outcomes=outcomes,
        by_rules={name: row.get(f"{name}_by_rules", value) for name, value in outcomes.items()},
        matched=matched_in_columns(row, edition.book),
    )
    if "escalation" in edition.book.stages:
        found.waiting, found.enters_step = row["waiting"], row["enters_step"]
        found.episode_move = row["episode_move"]
    return found


def _compared(
    runtime: "Runtime", decision: Decision, row: Mapping[str, Any], decided: Decided, edition: Edition
) -> Iterator[Difference]:
    """Outcomes, what the rules said, which of them held, and what became of the standing."""
    changes = json.loads(decision.changes)
    for stage, change in changes.items():
        if stage not in STAGE_OUTCOMES:
            continue
        said: list[tuple[str, Any, Any]] = []
        for part, values in (("", decided.outcomes), (" by the rules", decided.by_rules)):
            stored = change["by_rules" if part else "after"]
            said += [(f"{name}{part}", then, values.get(name)) for name, then in stored.items()]
        said.append(("rules that held", change["rules"], sorted(decided.matched.get(stage, ()))))
        if stage in decided.winner:
            said.append(("deciding rule", change["winner"], decided.winner[stage]))
        for name, then, now in said:
            if then != now:
                what = f"{name} was {_said(then)}, replay gives {_said(now)}"
                yield Difference(decision.run_id, decision.id, decision.customer_id, stage, what)
    applying = Applying(runtime, decision.run, edition, False, 0)
    event = event_for(applying, Verdict(row, decided, decision.confirmed_by))
    moved = None if event is None else kept_event(event)
    if changes.get("standing") != moved:
        what = f"was moved by {_said(changes.get('standing'))}, replay gives {_said(moved)}"
        yield Difference(decision.run_id, decision.id, decision.customer_id, "standing", what)


def _undecided(run: Run, row: Mapping[str, Any], later: Sequence[str]) -> Iterator[Difference]:
    for stage, names in STAGE_OUTCOMES.items():
        for name in names:
            if f"was_{name}" in later:
                continue
            before, now = row.get(f"was_{name}"), row[name]
            if before != now:
                what = f"{name} stayed {_said(before)}, replay gives {_said(now)}"
                yield Difference(run.id, None, row["customer_id"], stage, what)
    if row["moved"] and not row["changed"]:
        yield Difference(run.id, None, row["customer_id"], "standing", f"stayed, replay gives {row['episode_move']}")


def _said(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _excused(run: Run) -> set[int]:
    """Customers a run rightly left alone: executors disagreed, or a later run decided them while it was interrupted."""
    alarms = Alarm.select(Alarm.customer, Alarm.text).where(
        Alarm.kind == DISAGREEMENT, Alarm.entity_id == run.entity_id
    )
    disagreed = {customer for customer, text in alarms.tuples() if json.loads(text).get("run") == run.id}
    later = Decision.select(Decision.customer).where(
        Decision.entity_id == run.entity_id,
        Decision.run > run.id,
        Decision.created_at <= (run.finished_at or 0),
        Decision.as_of_day >= run.as_of_day,
    )
    return disagreed | {customer for (customer,) in later.tuples()}
