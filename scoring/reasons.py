"""Reasons: why a score is what it is, in words with the value and the usual value.

Contributions are exact: base + their sum is the raw score. Correlated features are one
reason, merged before ranking, so that "pays late" is not told three times.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from scoring.features import THIN_HISTORY_PAID, WHOLE_BP, Feature, Shrunk
from scoring.model import Frame, Model, Score, column_of, probability_bp, score, score_row, value_columns

TOP_REASONS = 4

Translate = Callable[[str], str]


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a score.

    Args:
        key: the reason's name; stable, for tests and the API.
        feature: the feature that speaks loudest in it.
        micro: its contribution in micro-logits; positive raises the score.
        value, usual: of that feature.
        text: the sentence shown.
    """

    key: str
    feature: str
    micro: int
    value: int | None
    usual: int | None
    text: str

    @property
    def raises(self) -> bool:
        """Whether it makes late payment likelier than the usual customer's."""
        return self.micro > 0


def value_text(feature: Feature, value: int | None, translate: Translate = _same) -> str:
    """Print a feature's value in its unit.

    >>> value_text(FEATURES[0], 1250)
    '12.5 %'
    """
    return unit_text(feature.unit, value, translate)


def unit_text(unit: str, value: int | None, translate: Translate = _same) -> str:
    """Print a value in a unit of features: ``bp``, ``days``, anything else as a number."""
    if value is None:
        return translate("unknown")
    if unit == "bp":
        whole, rest = divmod(abs(value) + 5, 100)
        return f"{'-' if value < 0 else ''}{whole}.{rest // 10} %"
    if unit == "days":
        return translate("1 day") if value == 1 else translate("%(days)s days") % {"days": value}
    return str(value)


def reasons(
    row: Mapping[str, Any], model: Model | None, top: int | None = TOP_REASONS, translate: Translate = _same
) -> list[Reason]:
    """Explain one customer's score.

    Args:
        row: the customer's facts.
        model: the model that scored; without one there is nothing to explain.
        top: how many reasons, the strongest first whichever way they pull; None for all,
            whose contributions then sum to raw - base exactly.
        translate: gettext.

    Returns:
        Reasons by falling weight, ties by name.
    """
    if model is None:
        return []
    answer = score_row(row, model)
    merged = _merged(answer, row, model, translate)
    merged.sort(key=lambda reason: (-abs(reason.micro), reason.key))
    return merged if top is None else [reason for reason in merged[:top] if reason.micro != 0]


def with_reasons(facts: Frame, model: Model) -> Frame:
    """Add every customer's score and all its reasons to a frame of facts.

    Args:
        facts: one row per customer, with the facts that features read.
        model: the model that scores.

    Returns:
        The frame with what ``scoring.model.score`` adds and, per reason, ``reason_<key>_micro``: with the
        model's base they sum to the raw score exactly.
    """
    tables = {table.name: table for table in model.tables}
    reasons_of: dict[str, nw.Expr] = {}
    for feature in model.features:
        part = tables[feature.name].column()
        known = reasons_of.get(feature.reason)
        reasons_of[feature.reason] = part if known is None else known + part
    told = [part.alias(f"reason_{key}_micro") for key, part in reasons_of.items()]
    scored = score(facts, model).with_columns(*value_columns(model)).with_columns(*told)
    return scored.drop(*[column_of(table.name) for table in model.tables])


@dataclass(frozen=True, slots=True)
class Alike:
    """What became of those who were scored alike when the model was tested.

    Args:
        rows: how many; bad: how many of them turned bad.
    """

    rows: int
    bad: int

    @property
    def of_100(self) -> int:
        """How many of 100 turned bad.

        >>> Alike(40, 9).of_100
        23
        """
        return (200 * self.bad + self.rows) // (2 * self.rows)


def alike(model: Model, score_bp: int) -> Alike | None:
    """Those of the tested customers that were scored alike; None where a card has none."""
    return alike_of(model.card.get("measures", {}).get("score", {}).get("reliability") or (), score_bp)


def alike_of(tenths: Sequence[Mapping[str, Any]], score_bp: int) -> Alike | None:
    """The tenth of the tested rows whose mean chance lies nearest to a score.

    Args:
        tenths: of ``scoring.measures.reliability``.
    """
    nearest = min(tenths, key=lambda tenth: abs(tenth["expected"] / tenth["rows"] * WHOLE_BP - score_bp), default=None)
    return None if nearest is None else Alike(int(nearest["rows"]), int(nearest["bad"]))


def _habit(row: Mapping[str, Any], usual: int | None, translate: Translate) -> str | None:
    """The late share as one counts it, where there is enough to count; None otherwise."""
    paid, share = row.get("paid_count_12m") or 0, row.get("late_share_12m_bp")
    if paid < THIN_HISTORY_PAID or share is None or usual is None:
        return None
    late = -(-share * paid // WHOLE_BP)  # the share was rounded down
    return translate("%(late)s of %(paid)s invoices paid late in 12 months, usual %(usual)s of %(paid)s") % {
        "late": late,
        "paid": paid,
        "usual": (2 * usual * paid + WHOLE_BP) // (2 * WHOLE_BP),
    }


def _merged(answer: Score, row: Mapping[str, Any], model: Model, translate: Translate) -> list[Reason]:
    usual = {table.name: table.usual for table in model.tables}
    groups: dict[str, list[Feature]] = {}
    for feature in model.features:
        groups.setdefault(feature.reason, []).append(feature)
    merged = []
    for key, members in groups.items():
        micro = sum(answer.contributions[member.name] for member in members)
        sign = 1 if micro >= 0 else -1
        # the member that pulls hardest the way the reason pulls; max keeps the first of equals
        loudest = max(members, key=lambda member: sign * answer.contributions[member.name])
        value = answer.features[loudest.name]
        counted = _habit(row, usual[loudest.name], translate) if loudest.source == Shrunk() else None
        merged.append(
            Reason(
                key=key,
                feature=loudest.name,
                micro=micro,
                value=value,
                usual=usual[loudest.name],
                text=counted
                or translate("%(label)s: %(value)s, usual %(usual)s")
                % {
                    "label": translate(loudest.label),
                    "value": value_text(loudest, value, translate),
                    "usual": value_text(loudest, usual[loudest.name], translate),
                },
            )
        )
    return merged


def usual_score_bp(model: Model) -> int:
    """Return the score of the usual customer: what reasons are measured against."""
    return probability_bp(model.base)
