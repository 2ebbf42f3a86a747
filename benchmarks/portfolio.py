"""A made-up portfolio in memory: the size is a parameter, the seed is fixed.

>>> frames = portfolio(customers=10)
>>> frames["customer"].height
10
"""

import numpy as np
import polars as pl

AS_OF_DAY = 20_000
LINES_PER_CUSTOMER = 5
SEED = 20_260_101
TERMS = np.array([10, 14, 30, 45, 60])


def _ids(size: int) -> np.ndarray:
    return np.arange(1, size + 1, dtype=np.int64)


def _entries(customer_id: np.ndarray, day: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "id": _ids(len(day)),
        "customer_id": customer_id.astype(np.int64),
        "booked_day": day.astype(np.int64),
        "recorded_day": day.astype(np.int64),
    }


def _with_nulls(values: np.ndarray, nulls: np.ndarray) -> pl.Series:
    return pl.Series(values.astype(np.int64)).scatter(np.flatnonzero(nulls), None)


def portfolio(
    customers: int, lines_per_customer: int = LINES_PER_CUSTOMER, seed: int = SEED
) -> dict[str, pl.DataFrame]:
    """The input frames of ledger.state for so many customers, lines in proportion, 46 % of them open.

    Args:
        customers: how many.
        lines_per_customer: due lines per customer, on average.
        seed: of numpy's generator; the same seed gives the same frames.
    """
    rng = np.random.default_rng(seed)
    size = customers * lines_per_customer
    owner = rng.integers(1, customers + 1, size)
    invoiced = rng.integers(AS_OF_DAY - 500, AS_OF_DAY, size)
    terms = rng.choice(TERMS, customers + 1)
    due = invoiced + terms[owner]
    amount = np.exp(rng.normal(11, 1.2, size)).astype(np.int64) + 100
    paid = due + rng.normal(8, 15, size).astype(np.int64)
    is_paid = (paid < AS_OF_DAY) & (paid >= invoiced) & (rng.random(size) < 0.75)
    part = np.where(rng.random(size) < 0.04, amount // 2, amount)
    pick = np.flatnonzero(is_paid)
    credit = _entries(owner[pick], paid[pick])
    frames = {
        "customer": {
            "id": _ids(customers),
            "number": [f"C{i:07d}" for i in range(customers)],
            "customer_group_id": _with_nulls(
                rng.integers(1, customers // 20 + 2, customers), rng.random(customers) < 0.8
            ),
            "country": rng.choice(np.array(["DE", "FR", "AT", "NL"]), customers),
            "terms_days": terms[1:].astype(np.int64),
            "opened_day": rng.integers(AS_OF_DAY - 4000, AS_OF_DAY - 500, customers),
        },
        "due_line": {
            **_entries(owner, invoiced),
            "number": pl.Series("number", rng.permutation(size)).cast(pl.String).str.zfill(9),
            "ordinal": np.ones(size, dtype=np.int64),
            "invoice_day": invoiced.astype(np.int64),
            "due_day": _with_nulls(due, rng.random(size) < 0.001),
            "amount_minor": amount,
            "currency": pl.repeat("EUR", size, eager=True),
        },
        "credit": {
            **credit,
            "kind": np.where(rng.random(len(pick)) < 0.98, "payment", "credit_note"),
            "amount_minor": part[pick] + np.where(rng.random(len(pick)) < 0.01, 5_000, 0),
            "currency": pl.repeat("EUR", len(pick), eager=True),
        },
        "allocation": {
            **credit,
            "credit_id": credit["id"],
            "due_line_id": _ids(size)[pick],
            "amount_minor": part[pick],
        },
    }
    return {
        name: pl.DataFrame(columns) for name, columns in (frames | _rarer(rng, customers, frames["due_line"])).items()
    }


def _rarer(rng: np.random.Generator, customers: int, lines: dict) -> dict[str, dict]:
    """Disputes, promises, limits, blocks, contacts and reversals, in the shares of the demo year."""
    some = rng.choice(len(lines["id"]), len(lines["id"]) // 20, replace=False)
    on = rng.integers(AS_OF_DAY - 40, AS_OF_DAY, len(some))
    dispute = _entries(lines["customer_id"][some], on)
    closed = np.flatnonzero(rng.random(len(some)) < 0.5)
    whole = rng.random(len(some)) < 0.5
    promised = on + rng.integers(1, 30, len(some))
    everyone = _ids(customers)
    blocked = np.flatnonzero(rng.random(customers) < 0.01)
    taken_back = rng.choice(len(some), len(some) // 50, replace=False)
    return {
        "dispute": {
            **dispute,
            "due_line_id": lines["id"][some],
            "amount_minor": _with_nulls(lines["amount_minor"][some] // 3, whole),
        },
        "dispute_closing": {
            **_entries(dispute["customer_id"][closed], on[closed]),
            "dispute_id": dispute["id"][closed],
        },
        "promise": {
            **_entries(lines["customer_id"][some[::-1]], on),
            "due_line_id": _with_nulls(lines["id"][some[::-1]], rng.random(len(some)) < 0.2),
            "amount_minor": lines["amount_minor"][some[::-1]],
            "currency": pl.repeat("EUR", len(some), eager=True),
            "promised_day": promised.astype(np.int64),
        },
        "credit_limit": {
            **_entries(everyone, np.full(customers, AS_OF_DAY - 300)),
            "amount_minor": rng.integers(10, 1_000, customers) * 10_000,
            "from_day": np.full(customers, AS_OF_DAY - 300),
            "until_day": pl.Series([None] * customers, dtype=pl.Int64),
        },
        "block": {
            **_entries(everyone[blocked], np.full(len(blocked), AS_OF_DAY - 5)),
            "kind": rng.choice(np.array(["dunning_block", "insolvent"]), len(blocked)),
            "due_line_id": pl.Series([None] * len(blocked), dtype=pl.Int64),
            "from_day": np.full(len(blocked), AS_OF_DAY - 5),
            "until_day": np.full(len(blocked), AS_OF_DAY + 5),
        },
        "reversal": {
            **_entries(dispute["customer_id"][taken_back], np.full(len(taken_back), AS_OF_DAY - 1)),
            "target": pl.repeat("dispute", len(taken_back), eager=True),
            "target_id": dispute["id"][taken_back],
        },
        "contact_made": {
            "customer_id": everyone[: customers // 3],
            "day": rng.integers(AS_OF_DAY - 60, AS_OF_DAY, customers // 3),
        },
        "group_other": {
            "customer_group_id": np.array([1, 2], dtype=np.int64),
            "exposure_minor": np.array([500_000, 1_000_000], dtype=np.int64),
        },
    }
