"""A decision beside the one before it, and beside what deciding it again gives."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import changes, explaining, formatting, gate
from engine import access
from engine.editions import Edition, Unusable
from engine.replaying import edition_decided_by, replay_decision, replayed_changes
from engine.tables import Customer, Decision, Entity
from rules.causes import Causes, causes_of, differing
from rules.facts import dictionary_of
from rules.reference import OVERRIDE
from rules.stages import STAGE_NAMES

blueprint = Blueprint("comparisons", __name__, url_prefix="/decisions")


@dataclass(frozen=True)
class FactShown:
    """One fact on both days.

    Args:
        decisive: whether it made an outcome another.
    """

    label: str
    before: Any
    after: Any
    decisive: bool = False


@dataclass(frozen=True)
class StageShown:
    """What made one stage's outcome another.

    Args:
        outcomes: label, before and after.
        facts: those that together made the difference.
        rules: whether the rules had to change as well.
        exact: whether no fewer would do.
    """

    label: str
    outcomes: list[tuple[str, Any, Any]]
    facts: list[FactShown]
    rules: bool
    exact: bool


def decision_before(decision: Decision) -> Decision | None:
    """The decision before one about the same customer or invoice; None of the first."""
    found: Decision | None = (
        Decision.select()
        .where(
            Decision.customer == decision.customer_id,
            Decision.line_id == decision.line_id,
            Decision.id < decision.id,
        )
        .order_by(Decision.id.desc())
        .first()
    )
    return found


@blueprint.get("/<int:decision_id>/compare")
@gate.needs("customers.view")
def compare(decision_id: int) -> ResponseReturnValue:
    """Both decisions side by side, and the fewest differences that explain each outcome."""
    decision = _visible(decision_id)
    earlier = decision_before(decision)
    if earlier is None:
        abort(404)
    entity = decision.customer.entity
    before, after = json.loads(earlier.facts), json.loads(decision.facts)
    editions = [_edition(one) for one in (earlier, decision)]
    dictionary = dictionary_of("invoice" if decision.line_id else "customer")
    found = {} if None in editions else _causes(before, after, *editions)
    decisive = {name for causes in found.values() for name in causes.facts}
    names = sorted(differing(before, after, dictionary), key=lambda name: (name not in decisive, name))
    return render_template(
        "console/comparison.html",
        decision=decision,
        earlier=earlier,
        customer=decision.customer,
        readable=None not in editions,
        stages=[_stage(name, causes, before, after, entity.currency) for name, causes in found.items()],
        facts=[_fact(name, before, after, entity.currency, name in decisive) for name in names],
    )


@blueprint.get("/<int:decision_id>/replay")
@gate.needs("runs.replay")
def replay(decision_id: int) -> ResponseReturnValue:
    """One decision made again from its facts and edition, beside what was kept of it. Writes nothing."""
    decision = _visible(decision_id)
    again, differences, unusable = None, [], ""
    try:
        again = replayed_changes(gate.runtime(), decision)
        differences = replay_decision(gate.runtime(), decision)
    except Unusable as error:
        unusable = str(error)
    return render_template(
        "console/replay.html",
        decision=decision,
        customer=decision.customer,
        same=again == decision.changes and not differences,
        differences=differences,
        unusable=unusable,
        kept=decision.changes,
        again=again,
        facts_sha256=hashlib.sha256(decision.facts.encode()).hexdigest(),
        changes_sha256=hashlib.sha256(decision.changes.encode()).hexdigest(),
    )


def _visible(decision_id: int) -> Decision:
    """A decision of a customer the reader may see; what one may not see does not exist."""
    query = Decision.select(Decision, Customer, Entity).join(Customer).join(Entity).where(Decision.id == decision_id)
    found: Decision | None = access.visible_to(current_user.id, query).first()
    if found is None:
        abort(404)
    return found


def _edition(decision: Decision) -> Edition | None:
    try:
        return edition_decided_by(gate.runtime(), decision)
    except Unusable:
        return None


def _causes(before: Mapping[str, Any], after: Mapping[str, Any], old: Edition, new: Edition) -> dict[str, Causes]:
    """Per stage that came out otherwise, what made it so."""
    stages = [name for name in STAGE_NAMES if name in new.book.stages]
    dictionary = dictionary_of(new.book.subject)
    found = {name: causes_of(name, before, after, old.book, new.book, dictionary) for name in stages}
    return {name: causes for name, causes in found.items() if causes is not None}


def _stage(name: str, causes: Causes, before: Mapping[str, Any], after: Mapping[str, Any], currency: str) -> StageShown:
    return StageShown(
        label=str(explaining.STAGE_LABELS[name]),
        outcomes=[
            (
                changes.outcome_label(outcome),
                changes.outcome_badge(outcome, causes.before[outcome], currency),
                changes.outcome_badge(outcome, causes.after[outcome], currency),
            )
            for outcome in causes.after
            if causes.before[outcome] != causes.after[outcome]
        ],
        facts=[_fact(fact, before, after, currency, True) for fact in causes.facts],
        rules=causes.rules,
        exact=causes.exact,
    )


def _fact(name: str, before: Mapping[str, Any], after: Mapping[str, Any], currency: str, decisive: bool) -> FactShown:
    if name.startswith(OVERRIDE):
        outcome = name.removeprefix(OVERRIDE)
        label = _("Override: %(what)s", what=changes.outcome_label(outcome))
        shown = [changes.outcome_badge(outcome, row.get(name), currency) for row in (before, after)]
    else:
        label = explaining.fact_label(name)
        shown = [explaining.fact_value(name, row.get(name), currency) for row in (before, after)]
    return FactShown(label, *(_("unknown") if one == formatting.NOTHING else one for one in shown), decisive)
