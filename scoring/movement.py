"""Movement: why a customer's score is another one than before, as exactly as the score itself.

Contributions are exact on either day, so their differences add up to the difference of the raw scores. Features
of one reason are one change, told by the feature that moved most.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scoring.features import Feature
from scoring.model import Model, score_row
from scoring.reasons import value_text

TOP_CHANGES = 3

Translate = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ReasonMoved:
    """One reason that pulls otherwise than before.

    Args:
        key: the reason's name.
        micro: by how many micro-logits it raises the score more than before; negative: it lowers it.
        text: the feature with its value before and now.
    """

    key: str
    micro: int
    text: str

    @property
    def raises(self) -> bool:
        """Whether it makes the customer's chance worse than before."""
        return self.micro > 0


def _value(feature: Feature, value: int | None, translate: Translate) -> str:
    """A value in its unit; what lies before the due date is said, not signed."""
    if feature.unit != "days" or value is None or value >= 0:
        return value_text(feature, value, translate)
    ahead = value_text(feature, -value, translate)
    if feature.name == "leader_days_past_due":
        return translate("due in %(days)s") % {"days": ahead}
    return translate("%(days)s early") % {"days": ahead}


def reasons_moved(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    model: Model,
    top: int | None = TOP_CHANGES,
    translate: Translate = str,
) -> list[ReasonMoved]:
    """Say which reasons of a score changed between two days.

    Args:
        before, now: the customer's facts on each day.
        model: scores both; what another model would say is no change of the customer.
        top: how many, the largest first; None for all, whose sum is the difference of the raw scores.
        translate: gettext.
    """
    then, later = score_row(before, model), score_row(now, model)
    by_feature = {name: later.contributions[name] - then.contributions[name] for name in later.contributions}
    groups: dict[str, list[Feature]] = {}
    for feature in model.features:
        groups.setdefault(feature.reason, []).append(feature)
    found = []
    for key, members in groups.items():
        micro = sum(by_feature[member.name] for member in members)
        sign = 1 if micro >= 0 else -1
        loudest = max(members, key=lambda member: sign * by_feature[member.name])
        text = translate("%(label)s: %(before)s before, %(now)s now") % {
            "label": translate(loudest.label),
            "before": _value(loudest, then.features[loudest.name], translate),
            "now": _value(loudest, later.features[loudest.name], translate),
        }
        found.append(ReasonMoved(key, micro, text))
    found.sort(key=lambda one: (-abs(one.micro), one.key))
    return found if top is None else [one for one in found[:top] if one.micro != 0]
