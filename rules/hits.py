"""Hit policies: from the set of rules that match to the outcomes of a stage.

One total order for everybody, (severity where it counts, priority, key), made by
``rules.book``. Executors return only the set of matched keys; the reference evaluator and
the engine, after durable-rules, resolve it here. ``rules.columns`` says the same in
expressions, and a property test holds them equal. Source: design.md 5.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rules.book import MASK_BITS, BookRule, BookStage
from rules.conditions import Scalar
from rules.effects import evaluate
from rules.stages import PREVIOUS, Stage

Row = Mapping[str, Scalar | None]
NO_KEYS: frozenset[str] = frozenset()
SEPARATOR = ","  # between the codes that `collect` joins
ORDERED = frozenset({"first", "most_severe"})
SINGLE = frozenset({"first", "most_severe", "unique", "any"})  # one rule decides


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a stage makes of a set of matched rules.

    Args:
        values: outcome by name.
        winner: key of the rule that decided; None for `otherwise` and for sums.
        undecided: whether the row goes to a person; the values are then what stood before.
        conflict: keys of rules that contradict each other (`unique`, `any`).
        final: whether the winner beats every override.
    """

    values: dict[str, Scalar | None]
    winner: str | None
    undecided: bool
    conflict: tuple[str, ...] = ()
    final: bool = False


def matched_keys(stage: BookStage, masks: Sequence[int]) -> frozenset[str]:
    """The keys of the rules whose bits are set, one mask per 60 rules."""
    if not any(masks):
        return NO_KEYS
    return frozenset(rule.key for rule in stage.rules if masks[rule.index // MASK_BITS] >> (rule.index % MASK_BITS) & 1)


def before(stage: Stage, row: Row) -> dict[str, Scalar | None]:
    """The outcomes of a stage that stood before this decision."""
    values: dict[str, Scalar | None] = {}
    for column in stage.outcomes:
        previous = row.get(PREVIOUS + column.name)
        values[column.name] = stage.absent.get(column.name) if previous is None else previous
    return values


def resolve(
    stage: BookStage, matched: AbstractSet[str], row: Row, unknown: AbstractSet[str] = frozenset()
) -> Resolution:
    """Resolve a stage, all but the settling of an escalation.

    Args:
        stage: of a book.
        matched: keys of the rules that hold.
        row: facts and earlier outcomes; effects read it.
        unknown: keys of the rules whose verdict is unknown; only those that refer count.
    """
    if stage.stopped:
        return Resolution(before(stage.stage, row), None, False)
    holding = [rule for rule in stage.ranked if rule.key in matched] if matched else []
    first = holding[0] if holding else None
    refers = _refers(stage, first, row, unknown)
    conflict = _conflict(stage, holding, row)
    if refers or conflict:
        return Resolution(before(stage.stage, row), None, True, conflict)
    if stage.policy.hit in SINGLE:
        values = {name: evaluate(stage.effect(first, name), row) for name in _set_by_rules(stage)}
        found = Resolution(values, first.key if first else None, False, (), first is not None and first.rule.final)
    else:
        found = Resolution({name: _joined(stage, holding, name, row) for name in _set_by_rules(stage)}, None, False)
    if stage.policy.bands:
        found.values["risk_class"] = band_of(stage, found.values["points"])
    return found


def band_of(stage: BookStage, points: Scalar | None) -> str | None:
    """The class that points fall into; unknown points have none."""
    if not isinstance(points, int):
        return None
    return next(band.risk_class for band in stage.policy.bands if band.up_to is None or points <= band.up_to)


def _set_by_rules(stage: BookStage) -> tuple[str, ...]:
    return stage.stage.settable


def _refers(stage: BookStage, first: BookRule | None, row: Row, unknown: AbstractSet[str]) -> bool:
    if (first is None or stage.plan is not None) and any(row.get(name) is None for name in stage.money):
        return True
    if not unknown:
        return False
    doubtful = [rule for rule in stage.ranked if rule.key in unknown and rule.refers_on(row)]
    if not doubtful or stage.plan is not None:
        return False
    if stage.policy.hit in ORDERED and first is not None:
        return stage.ranked.index(doubtful[0]) < stage.ranked.index(first)
    return True


def _conflict(stage: BookStage, holding: list[BookRule], row: Row) -> tuple[str, ...]:
    if len(holding) < 2:
        return ()
    if stage.policy.hit == "unique":
        return tuple(rule.key for rule in holding)
    if stage.policy.hit == "any":
        for name in _set_by_rules(stage):
            if len({evaluate(stage.effect(rule, name), row) for rule in holding}) > 1:
                return tuple(rule.key for rule in holding)
    return ()


def _joined(stage: BookStage, holding: list[BookRule], name: str, row: Row) -> Scalar | None:
    """The one value of an outcome that several rules make together; unknown when any is."""
    if stage.policy.hit == "count" and holding:
        return len(holding)
    setting = [rule for rule in holding if name in rule.effects]
    if not setting:
        return evaluate(stage.effect(None, name), row)
    values = [evaluate(rule.effects[name], row) for rule in setting]
    if stage.policy.hit == "collect":
        return None if None in values else SEPARATOR.join(str(value) for value in values)
    amounts = [value for value in values if isinstance(value, int)]
    if len(amounts) < len(values):
        return None
    if stage.policy.hit == "sum":
        return sum(amounts)
    return min(amounts) if stage.policy.hit == "min" else max(amounts)
