"""A challenger in the champion's shadow: both score the same rows, and what must hold before it takes over.

Pure: rows, outcomes and chances are arguments. Intervals draw customers, paired: in each draw both
are measured on the same rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.measures import calibration_error, compared, mean_with_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_EACH = 20  # of the rarer outcome; fewer tell chance from nothing
ECE_DIGITS = 3  # as the error is shown: what nobody can see is no reason
EDGE = 1e-6
FEW, AUC, LOG_LOSS, ECE, WORSE, UNTESTED, RIVAL = "few", "auc", "log_loss", "ece", "worse", "untested", "rival"


def in_shadow(labels: Ints, customers: Ints, challenger: Floats, champion: Floats, seed: int) -> dict[str, Any]:
    """Measure both on the same rows.

    Args:
        labels: 0 or 1 per row.
        customers: whose row it is.
        challenger, champion: chances.
        seed: of the draws.

    Returns:
        n and bad; where there are enough of both outcomes also ``measures`` of both (AUC with interval, Brier, ECE,
        log loss), ``auc``: the challenger's AUC less the champion's, and ``log_loss``: the champion's log loss less
        the challenger's, each with its paired 95 % interval. Above 0 the challenger is better.
    """
    bad = int(labels.sum())
    found: dict[str, Any] = {"n": len(labels), "bad": bad}
    if not is_enough(found):
        return found
    both = compared(labels, customers, {"challenger": challenger, "champion": champion}, {}, seed)
    losses = {name: _log_loss(labels, chances) for name, chances in (("a", challenger), ("b", champion))}
    measures = both["measures"]
    for name, loss in (("challenger", losses["a"]), ("champion", losses["b"])):
        measures[name]["log_loss"] = round(float(loss.mean()), 6)
        measures[name]["ece"] = round(calibration_error(labels, challenger if name == "challenger" else champion), 6)
    lead = both["lead"]["champion"]
    gain = mean_with_interval(losses["b"] - losses["a"], customers, seed)
    return found | {
        "measures": measures,
        "auc": {"lead": lead["auc"], "interval": lead["auc_interval"]},
        "log_loss": {"lead": gain["mean"], "interval": gain["interval"]},
    }


def is_enough(part: Mapping[str, Any]) -> bool:
    """Whether there are enough rows of both outcomes to tell a difference."""
    return min(int(part["bad"]), int(part["n"]) - int(part["bad"])) >= LEAST_EACH


def _log_loss(labels: Ints, chances: Floats) -> Floats:
    known = np.clip(chances, EDGE, 1 - EDGE)
    return np.asarray(-(labels * np.log(known) + (1 - labels) * np.log(1 - known)), dtype=np.float64)


def failings(questions: Mapping[str, Mapping[str, Any]], by: str) -> list[tuple[str, str]]:
    """What keeps a challenger from taking the champion's place.

    Its paired interval must lie above 0 for one question at least and below 0 for none, and its ECE may be no
    worse for any.

    Args:
        questions: by name, of ``in_shadow``.
        by: ``auc``; of a re-fit, which ranks as the champion does, ``log_loss``.

    Returns:
        Question and code of each failing; none: it may be promoted.
    """
    few = [(name, FEW) for name, part in questions.items() if not is_enough(part)]
    if few or not questions:
        return few or [("", FEW)]
    found = []
    intervals = {name: part[by]["interval"] or [-1.0, 1.0] for name, part in questions.items()}
    if not any(low > 0 for low, _high in intervals.values()):
        found += [(name, by) for name in questions]
    found += [(name, WORSE) for name, (_low, high) in intervals.items() if high < 0 and (name, by) not in found]
    for name, part in questions.items():
        ours, theirs = (round(part["measures"][side]["ece"], ECE_DIGITS) for side in ("challenger", "champion"))
        if ours > theirs:
            found.append((name, ECE))
    return found


def card_leads(card: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    """The intervals of a card's leads over the naive rival, by question; of questions that were tested."""
    tested = card.get("tested") or {}
    leads = {"": (card.get("measures") or {}).get("lead")}
    leads |= {name: ((tested.get(name) or {}).get("lead") or {}).get("own_share") for name in ("p_late", "p_late30")}
    return {name: lead["auc_interval"] for name, lead in leads.items() if lead and lead.get("auc_interval")}


def first_failings(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What keeps a model from being the first champion: never tested, or significantly below the naive rival."""
    leads = card_leads(card)
    if not leads:
        return [("", UNTESTED)]
    return [(name, RIVAL) for name, (_low, high) in leads.items() if high < 0]
