"""A challenger measured beside the champion on outcomes that neither has learned from.

Customers are asked on the days since both have learned whose 90 days are over. Invoices are those decided since
both were trained; a challenger fresh from training has none, because it learned from everything decided: then its
twin, trained the same way as of an earlier day, stands for it. A re-fit's twin has its sigmoid from the older half
of the outcomes. Reads the ledger, writes nothing: ``engine.promotion.KeepMeasured`` keeps what is found.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backtesting import last_told_day, ledgers_of
from engine.editions import Unusable
from engine.tables import Entity, ScoreModel
from engine.training import Tell, labelled_rows, untold
from scoring.features import WHOLE_BP
from scoring.invoice_model import CHANCES, InvoiceModel, codes_of, scores_of
from scoring.invoice_training import Ledger, Mask, Outcomes, Questions, questions_of, train_invoices
from scoring.labels import HORIZON_DAYS, TASK
from scoring.learning import SEED, twin_of
from scoring.loading import load_any
from scoring.model import MICRO, Model, score_row
from scoring.past import WORSE_DAYS, Floats, Ints
from scoring.refit import Sigmoid, chance_under, sigmoid_of, under
from scoring.shadow import AUC, LOG_LOSS, in_shadow, is_enough

if TYPE_CHECKING:
    from engine.runtime import Runtime

DAYS_ASKED = 13  # fortnights of customers
EVERY_DAYS = 14
TEST_DAYS = 120  # of due dates that a twin does not learn from
QUESTIONS = {"late": "p_late", "late30": "p_late30"}
SINCE, TWIN, NONE = "since", "twin", "none"


def measure(
    runtime: "Runtime", challenger: ScoreModel, champion: ScoreModel, day: int, tell: Tell = untold
) -> dict[str, Any]:
    """Measure a challenger beside the champion.

    Args:
        day: the ledger is taken to be known as of it.
        tell: called with step, done and parts.

    Returns:
        champion (its sha256), day, ``by`` what it is judged (``auc``; a re-fit of the champion's tables by
        ``log_loss``), ``way`` (``since``: both as they are; ``twin``; ``none``: nothing to measure on), from_day and
        until_day of the rows, and ``questions`` of ``scoring.shadow.in_shadow``.

    Raises:
        Unusable: one of them cannot be loaded any more.
    """
    asked = _customers if champion.task == TASK else _invoices
    by = LOG_LOSS if tables_of(challenger) == tables_of(champion) else AUC
    found = asked(runtime, challenger, champion, day, by, tell)
    return {"champion": champion.sha256, "day": day, "by": by, **found}


def tables_of(row: ScoreModel) -> str:
    """Whose tables a model has: those of the first champion it was re-fitted from, else its own."""
    return str(json.loads(str(row.card)).get("tables_of", row.sha256))


def loaded(row: ScoreModel) -> Model | InvoiceModel:
    """A stored model, checked.

    Raises:
        Unusable: it is not what it was.
    """
    model, refused = load_any(str(row.body), str(row.sha256))
    if model is None:
        raise Unusable(f"the model {str(row.sha256)[:8]} cannot be used: {'; '.join(refused)}")
    return model


def entities_all() -> list[Entity]:
    """Every entity: a model serves all."""
    return list(Entity.select().order_by(Entity.code))


# --- customers -------------------------------------------------------------------------


def learned_until(model: Model) -> int:
    """The last day a customers' model learned from, its tables or its sigmoid."""
    slices = model.card["slices"]
    return max(int(slices[name]["until_day"]) for name in ("fit", "refit") if name in slices)


def rows_since(runtime: "Runtime", first_day: int, day: int, tell: Tell) -> list[dict[str, Any]]:
    """Facts and labels of customers on the fortnights since a day whose labels are decided, the newest ones."""
    last = day - HORIZON_DAYS
    days = list(range(last, first_day - 1, -EVERY_DAYS))[:DAYS_ASKED][::-1]
    if not days:
        return []
    entities = entities_all()
    rows: list[dict[str, Any]] = []
    for number, entity in enumerate(entities):
        tell("features", number, len(entities))
        rows += labelled_rows(runtime, entity, day, asked=days)
    return rows


def _customers(
    runtime: "Runtime", challenger: ScoreModel, champion: ScoreModel, day: int, by: str, tell: Tell
) -> dict[str, Any]:
    ours, theirs = loaded(challenger), loaded(champion)
    if not isinstance(ours, Model) or not isinstance(theirs, Model):
        raise Unusable("the models answer different questions")
    rows = rows_since(runtime, max(map(learned_until, (ours, theirs))) + HORIZON_DAYS, day, tell)
    if _bad(rows):
        return _of_customers(SINCE, rows, _chances(rows, ours), _chances(rows, theirs))
    newer = rows_since(runtime, learned_until(theirs) + HORIZON_DAYS, day, tell)  # the champion has not learned these
    if by == LOG_LOSS:
        return _refit_twin(newer, theirs)
    if not _bad(newer):
        return _of_customers(NONE, newer, _chances(newer, ours), _chances(newer, theirs))
    first = min(int(row["as_of_day"]) for row in newer)
    every = [row for one in entities_all() for row in labelled_rows(runtime, one, day, tell=tell)]
    tell("rows", len(every), 0)
    twin = twin_of([row for row in every if row["as_of_day"] <= first - HORIZON_DAYS])
    if twin is None:
        return _of_customers(NONE, [], np.zeros(0), np.zeros(0))
    tell("test", 0, 0)
    return _of_customers(TWIN, newer, _chances(newer, twin), _chances(newer, theirs))


def _refit_twin(rows: Sequence[dict[str, Any]], theirs: Model) -> dict[str, Any]:
    """The sigmoid of the older rows, measured on the newer ones."""
    days = sorted({int(row["as_of_day"]) for row in rows})
    if not days:
        return _of_customers(NONE, rows, np.zeros(0), np.zeros(0))
    middle = days[len(days) // 2]
    older = [row for row in rows if row["as_of_day"] <= middle - HORIZON_DAYS]
    newer = [row for row in rows if row["as_of_day"] >= middle]
    fitted = sigmoid_of(raws(older, theirs), labels_of(older).astype(np.float64)) if older else None
    said = raws(newer, theirs) / MICRO
    return _of_customers(TWIN, newer, chance_under(said, *(fitted or (1.0, 0.0))), chance_under(said, 1.0, 0.0))


def _bad(rows: Sequence[Mapping[str, Any]]) -> bool:
    return is_enough({"n": len(rows), "bad": int(labels_of(rows).sum())})


def labels_of(rows: Sequence[Mapping[str, Any]]) -> Ints:
    """Outcomes of rows of customers."""
    return np.array([row["label"] for row in rows], dtype=np.int64)


def raws(rows: Sequence[Mapping[str, Any]], model: Model) -> Ints:
    """Raw scores of rows of customers, micro-logits."""
    return np.array([score_row(row, model).raw for row in rows], dtype=np.int64)


def _chances(rows: Sequence[Mapping[str, Any]], model: Model) -> Floats:
    return np.array([score_row(row, model).score_bp for row in rows], dtype=np.float64) / WHOLE_BP


def _of_customers(way: str, rows: Sequence[Mapping[str, Any]], ours: Floats, theirs: Floats) -> dict[str, Any]:
    days = [int(row["as_of_day"]) for row in rows]
    customers = np.array([row["customer_id"] for row in rows], dtype=np.int64)
    return {
        "way": way,
        "from_day": min(days, default=None),
        "until_day": max(days, default=None),
        "questions": {"score": in_shadow(labels_of(rows), customers, ours, theirs, SEED)},
    }


# --- invoices --------------------------------------------------------------------------


def _invoices(
    runtime: "Runtime", challenger: ScoreModel, champion: ScoreModel, day: int, by: str, tell: Tell
) -> dict[str, Any]:
    ours, theirs = loaded(challenger), loaded(champion)
    if not isinstance(ours, InvoiceModel) or not isinstance(theirs, InvoiceModel):
        raise Unusable("the models answer different questions")
    tell("read", 0, 0)
    ledgers = ledgers_of(runtime, entities_all(), day)
    if not ledgers:
        return {"way": NONE, "from_day": None, "until_day": None, "questions": {}}
    until = min(day, last_told_day(ledgers) + 1)
    tell("features", 0, 0)
    asked = questions_of(ledgers, until - 1, theirs.shrinkage)
    grace = int(ours.card["grace_days"])
    since = decided_since(asked, max(trained_day(ours), trained_day(theirs)))
    tell("test", 0, 0)
    if _enough(asked.known, since, grace):
        chances = _said(ours, ledgers, until, since)
        return _of_invoices(SINCE, asked, since, chances, _said(theirs, ledgers, until, since, asked), grace)
    if by == LOG_LOSS:
        rows = decided_since(asked, trained_day(theirs))
        due = asked.lines["due_day"].astype(np.float64)
        cut = float(np.median(due[rows])) if rows.any() else 0.0
        older, newer = rows & (due < cut), rows & (due >= cut)
        sigmoids = sigmoids_of(theirs, asked, older, grace)
        codes = codes_of(theirs.edges, {name: values[newer] for name, values in asked.features.items()})
        chances = under(theirs, sigmoids, codes)
        return _of_invoices(TWIN, asked, newer, chances, _said(theirs, ledgers, until, newer, asked), grace)
    start = max(trained_day(theirs), until - WORSE_DAYS - TEST_DAYS)
    twin = train_invoices(ledgers, start, grace_days=grace)
    if twin.model is None or twin.questions is None:
        return {"way": NONE, "from_day": None, "until_day": None, "questions": {}}
    rows = decided_since(asked, start)
    chances = _said(twin.model, ledgers, until, rows, twin.questions)
    return _of_invoices(TWIN, asked, rows, chances, _said(theirs, ledgers, until, rows, asked), grace)


def trained_day(model: InvoiceModel) -> int:
    """Only what was known before it has been learned."""
    return int(model.card["trained_day"])


def decided_since(asked: Questions, first_day: int) -> Mask:
    """The rows that are decided, and were not when the ledger was known up to the day before."""
    due = np.nan_to_num(asked.lines["due_day"].astype(np.float64), nan=-1e9)
    found: Mask = asked.known.decided & (due + WORSE_DAYS >= first_day)
    return found


def outcome_of(known: Outcomes, name: str, rows: Mask, grace_days: int) -> Floats:
    """What became of rows by the question of a part."""
    return known.late(grace_days if name == "late" else WORSE_DAYS)[rows]


def sigmoids_of(model: InvoiceModel, asked: Questions, rows: Mask, grace_days: int) -> dict[str, Sigmoid]:
    """The sigmoids that rows ask for, by part; without the parts they are too few for."""
    codes = codes_of(model.edges, {name: values[rows] for name, values in asked.features.items()})
    fitted = {
        name: sigmoid_of(model.parts[name].raw(codes), outcome_of(asked.known, name, rows, grace_days))
        for name in CHANCES
    }
    return {name: one for name, one in fitted.items() if one is not None}


def _enough(known: Outcomes, rows: Mask, grace_days: int) -> bool:
    return all(
        is_enough({"n": int(rows.sum()), "bad": int(outcome_of(known, name, rows, grace_days).sum())})
        for name in CHANCES
    )


def _said(
    model: InvoiceModel, ledgers: Sequence[Ledger], until: int, rows: Mask, asked: Questions | None = None
) -> dict[str, Floats]:
    """Both chances of rows, on their invoice dates."""
    found = asked or questions_of(ledgers, until - 1, model.shrinkage)
    scores = scores_of(model, {name: values[rows] for name, values in found.features.items()})
    return {"late": scores.p_late, "late30": scores.p_late30}


def _of_invoices(
    way: str, asked: Questions, rows: Mask, ours: Mapping[str, Floats], theirs: Mapping[str, Floats], grace_days: int
) -> dict[str, Any]:
    due = asked.lines["due_day"][rows]
    customers = asked.lines["customer_id"][rows].astype(np.int64)
    return {
        "way": way,
        "from_day": int(due.min()) if len(due) else None,
        "until_day": int(due.max()) if len(due) else None,
        "questions": {
            told: in_shadow(
                outcome_of(asked.known, name, rows, grace_days).astype(np.int64),
                customers,
                ours[name],
                theirs[name],
                SEED,
            )
            for name, told in QUESTIONS.items()
        },
    }
