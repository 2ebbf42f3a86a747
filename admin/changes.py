"""What a decision changed, stage by stage, as values that can be shown."""

import json
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from admin import formatting
from admin.steps import step_label
from engine.alerts import codes_of
from rules.stages import POINT_OUTCOMES

STAGES = ("scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert")
KINDS = {
    "proposed_limit_minor": "money",
    "proposed_terms_days": "days",
    "points": "count",
    "level": "level",
    "hold": "bool",
}

LABELS = {
    "risk_class": _l("Class"),
    "segment": _l("Segment"),
    "proposed_limit_minor": _l("Proposed limit"),
    "proposed_terms_days": _l("Proposed terms"),
    "hold": _l("Orders"),
    "hold_reason": _l("Reason"),
    "level": _l("Level"),
    "step": _l("Step"),
    "points": _l("Points"),
    "worklist_points": _l("Worklist points"),
    "alert": _l("Alerts"),
}


@dataclass(frozen=True)
class Difference:
    """One outcome before and after."""

    stage: str
    outcome: str
    before: Any
    after: Any
    by_rules: Any
    rules: tuple[str, ...]

    @property
    def overridden(self) -> bool:
        """Whether a person's override stands in place of what the rules say."""
        return self.by_rules is not None and self.by_rules != self.after


def differences(changes: str | dict[str, Any]) -> list[Difference]:
    """Read the changes of a decision, in the order of the stages."""
    stages = json.loads(changes) if isinstance(changes, str) else changes
    found = []
    for stage in (name for name in STAGES if name in stages):  # "standing" is the episode's own record
        change = stages[stage]
        before, after = change.get("before"), change.get("after")
        by_rules, rules = change.get("by_rules"), tuple(change.get("rules") or ())
        before, after, by_rules = (
            value if isinstance(value, dict) else {stage: value} for value in (before, after, by_rules)
        )
        for outcome in sorted({*before, *after}):
            old, new = before.get(outcome), after.get(outcome)
            if old != new:
                found.append(Difference(stage, outcome, old, new, by_rules.get(outcome), rules))
    return found


def outcome_badge(outcome: str, value: Any, currency: str | None = None) -> Markup:
    """An outcome's value as the console shows it everywhere."""
    if value is None:
        return formatting.NOTHING
    if outcome == "proposed_limit_minor":
        return formatting.money(value, currency, decimals=False)
    if outcome == "proposed_terms_days":
        return formatting.by_kind(value, "days")
    if outcome == "level":
        return formatting.badge(min(int(value), 5), _("Level %(n)s", n=value) if value else _("None"))
    if outcome == "hold":
        return formatting.badge("hold" if value else "done", _("Held") if value else _("Released"))
    if outcome == "risk_class":
        return formatting.badge(value, str(value))
    if outcome in POINT_OUTCOMES:
        return formatting.count(int(value))
    if outcome == "step":
        return formatting.badge(value, step_label(value), "calm")
    if outcome == "alert":
        return Markup(" ").join(formatting.badge(code, formatting.title(code), "warm") for code in codes_of(value))
    return formatting.badge(value, formatting.title(str(value)), "calm")


def summary(changes: str | dict[str, Any], currency: str | None = None) -> Markup:
    """All differences of a decision in one line."""
    parts = [
        Markup('<span class="change"><span class="quiet">{}</span> {} {} {}</span>').format(
            outcome_label(d.outcome),
            outcome_badge(d.outcome, d.before, currency),
            formatting.icon("arrow-right", _("to")),
            outcome_badge(d.outcome, d.after, currency),
        )
        for d in differences(changes)
        if d.outcome not in POINT_OUTCOMES
    ]
    return Markup(" ").join(parts)


def outcome_label(outcome: str) -> str:
    """An outcome's name in words."""
    return str(LABELS[outcome]) if outcome in LABELS else formatting.title(outcome)
