"""A made-up portfolio, drawn block by block: the size is a parameter, the seed is fixed.

Customers buy and pay as in the demo (engine.demo.year): five terms, six habits, two of which
drift, lognormal amounts, nobody pays on weekends and holidays; part payments, credit notes,
unapplied cash, disputes, promises and insolvencies in the shares of that year. Each block of
customers is drawn from a stream of its own, so memory is bounded and nothing depends on how many
blocks are held at a time. The ledger goes on for some days after ``AS_OF_DAY``: what is booked
then counts once that day is decided.

>>> block = next(blocks(customers=10))
>>> block["customer"].height, block["due_line"].height
(10, 50)
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from engine.demo.names import FIRST, FORMS, LANGUAGES, LAST, TRADES
from engine.demo.year import business_day

AS_OF_DAY = 20_003  # Monday, 7 October 2024
LAST_DAY = AS_OF_DAY + 4  # the Friday after it
LINES_PER_CUSTOMER = 5
SEED = 20_260_101
BLOCK = 1_000  # customers drawn from one stream
DAY_US = 86_400_000_000
ENTITY_ID = 1  # of the one entity that is owed

RECENT_DAYS, OLDEST_DAYS, RECENT = 100, 420, 0.86  # of invoices: most were written in the last weeks
TERMS, TERMS_WEIGHTS = np.array([7, 14, 30, 45, 60]), [0.04, 0.07, 0.29, 0.28, 0.32]
HABITS = ("prompt", "relaxed", "slow", "erratic", "worsening", "improving")
HABITS_WEIGHTS = [0.58, 0.24, 0.06, 0.04, 0.04, 0.04]
ERRATIC = np.array([-5, 0, 2, 6, 12, 20, 33, 55])
DRIFT_DAYS = 540  # in which a worsening customer has become what an improving one was
STUCK, DISPUTED, CREDITED, PARTLY, UNAPPLIED, OVERPAID, UNDATED = 0.07, 0.05, 0.02, 0.04, 0.01, 0.01, 0.001
PROMISE_IF_LATE, LATE_FOR_A_PROMISE_DAYS, PROMISE_KEPT = 0.36, 8, 0.68
GROUPED, GROUP_MEMBERS, NO_LIMIT, REACHABLE, BLOCKED, INSOLVENT = 0.2, 5, 0.06, 0.2, 0.01, 0.001
COUNTRIES, COUNTRIES_WEIGHTS = ("DE", "FR", "AT", "NL", "BE", "CH"), [0.6, 0.12, 0.1, 0.1, 0.06, 0.02]
REASONS = np.array(["goods damaged on arrival", "price differs from the order", "quantity short"])
RATES_E9 = {"CHF": 1_048_000_000}  # of what customers in Switzerland are billed in

Columns = dict[str, Any]
Tables = dict[str, pl.DataFrame]


def blocks(customers: int, seed: int = SEED) -> Iterator[Tables]:
    """The rows of the engine's tables, a block of customers at a time; ids count on.

    Args:
        customers: how many.
        seed: the same seed gives the same rows.

    Yields:
        By table what it says of the block's customers; ``contact`` with the ``email`` of
        its person, which the table does not hold.
    """
    first = {}
    for start in range(0, customers, BLOCK):
        size = min(BLOCK, customers - start)
        block = _Block(np.random.default_rng([seed, start // BLOCK]), start, size, first).tables()
        first = {name: first.get(name, 1) + table.height for name, table in block.items()}
        yield block


def portfolio(customers: int, seed: int = SEED) -> Tables:
    """The input frames of ledger.state for so many customers, all in memory.

    Args:
        customers: how many.
        seed: the same seed gives the same frames.
    """
    gathered: dict[str, list[pl.DataFrame]] = {}
    for block in blocks(customers, seed):
        for name, table in block.items():
            gathered.setdefault(name, []).append(table)
    frames = {name: pl.concat(tables) for name, tables in gathered.items()}
    rng = np.random.default_rng([seed, customers])
    reached = frames["customer"]["id"].head(customers // 3)
    frames["contact_made"] = pl.DataFrame(
        {"customer_id": reached, "day": rng.integers(AS_OF_DAY - 60, AS_OF_DAY, len(reached))}
    )
    frames["group_other"] = pl.DataFrame({"customer_group_id": [1, 2], "exposure_minor": [500_000, 1_000_000]})
    return frames


@cache
def _working_days() -> tuple[int, np.ndarray]:
    """The first day told of, and by country and day since then that day or the next working day."""
    first = LAST_DAY - OLDEST_DAYS - 60
    days = range(first, LAST_DAY + 600)
    return first, np.array([[business_day(day, country) for day in days] for country in COUNTRIES])


def _with_nulls(values: np.ndarray, nulls: np.ndarray) -> pl.Series:
    return pl.Series(values.astype(np.int64)).scatter(np.flatnonzero(nulls), None)


class _Block:
    """Some customers and everything about them.

    Args:
        rng: of this block alone.
        start: customers before it.
        size: customers in it.
        first: by table the next id.
    """

    def __init__(self, rng: np.random.Generator, start: int, size: int, first: dict[str, int]) -> None:
        self.rng, self.start, self.size, self.first = rng, start, size, first
        self.country = rng.choice(len(COUNTRIES), size, p=COUNTRIES_WEIGHTS)
        self.terms = rng.choice(TERMS, size, p=TERMS_WEIGHTS)
        self.habit = rng.choice(len(HABITS), size, p=HABITS_WEIGHTS)
        self.drift = rng.random(size)
        self.scale = np.exp(rng.normal(11.4, 1.3, size))  # of an invoice, minor units
        self.insolvent = np.where(rng.random(size) < INSOLVENT, LAST_DAY - rng.integers(2, 90, size), LAST_DAY + 999)
        self.lines = self._drawn_lines()

    def tables(self) -> Tables:
        """Every table."""
        found: dict[str, Columns] = {"customer_group": self._groups(), "customer": self._customers()}
        found |= {"contact": self._contacts(), "credit_limit": self._limits(), "block": self._blocks()}
        found |= self._ledger()
        return {name: pl.DataFrame(columns) for name, columns in found.items()}

    def _ids(self, table: str, count: int) -> np.ndarray:
        return np.arange(count, dtype=np.int64) + self.first.get(table, 1)

    def _entries(self, table: str, owner: np.ndarray, day: np.ndarray) -> Columns:
        """What every entry carries; ``owner`` counts from 0 within the block."""
        day = day.astype(np.int64)
        return {
            "id": self._ids(table, len(owner)),
            "entity_id": np.full(len(owner), ENTITY_ID),
            "customer_id": owner.astype(np.int64) + self.start + 1,
            "booked_day": day,
            "recorded_day": day,
            "recorded_at": day * DAY_US + DAY_US * 3 // 4,
        }

    def _working(self, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The day, or the next that is neither weekend nor holiday at its customer."""
        first, days = _working_days()
        return days[self.country[owner], np.clip(day - first, 0, days.shape[1] - 1)]

    # --- who ---------------------------------------------------------------------------

    def _groups(self) -> Columns:
        count = int(self.size * GROUPED) // GROUP_MEMBERS
        ids = self._ids("customer_group", count)
        return {
            "id": ids,
            "code": [f"G{number:06}" for number in ids],
            "name": [f"{FIRST[number % len(FIRST)]}{LAST[number % len(LAST)]} Group {number}" for number in ids],
            "currency": pl.repeat("EUR", count, eager=True),
            "limit_minor": _with_nulls(self.rng.integers(50, 5_000, count) * 100_000, self.rng.random(count) < 0.7),
        }

    def _customers(self) -> Columns:
        rng, size = self.rng, self.size
        groups = int(size * GROUPED) // GROUP_MEMBERS
        member = np.flatnonzero(rng.permutation(size) < groups * GROUP_MEMBERS)
        group = np.zeros(size, dtype=np.int64)
        group[member] = self._ids("customer_group", groups)[np.arange(len(member)) // GROUP_MEMBERS]
        codes = [COUNTRIES[place] for place in self.country]
        return {
            "id": np.arange(size, dtype=np.int64) + self.start + 1,
            "entity_id": np.full(size, ENTITY_ID),
            "number": [f"C{self.start + place + 1:07}" for place in range(size)],
            "name": self._names(codes),
            "customer_group_id": _with_nulls(group, group == 0),
            "country": codes,
            "language": [LANGUAGES.get(code, "en") for code in codes],
            "portfolio": [f"P{place:02}" for place in rng.integers(1, 41, size)],
            "terms_days": self.terms.astype(np.int64),
            "opened_day": rng.integers(AS_OF_DAY - 4_000, AS_OF_DAY - OLDEST_DAYS, size),
        }

    def _names(self, codes: list[str]) -> list[str]:
        """Put together from syllables, as the demo's; two thirds carry two of them."""
        drawn = self.rng.integers(0, 2**31, (self.size, 6))
        names = []
        for (first, last, second, end, trade, form), code in zip(drawn.tolist(), codes):
            name = FIRST[first % len(FIRST)] + LAST[last % len(LAST)]
            if form % 3:
                name += f" & {FIRST[second % len(FIRST)]}{LAST[end % len(LAST)]}"
            names.append(f"{name} {TRADES[trade % len(TRADES)]} {FORMS[code][form % len(FORMS[code])]}")
        return names

    def _contacts(self) -> Columns:
        owner = np.flatnonzero(self.rng.random(self.size) < REACHABLE)
        ids = self._ids("contact", len(owner))
        return {
            "id": ids,
            "customer_id": owner + self.start + 1,
            "person_id": ids,
            "language": [LANGUAGES.get(COUNTRIES[place], "en") for place in self.country[owner]],
            "email": [f"accounts.payable@c{self.start + place + 1:07}.example" for place in owner],
        }

    def _limits(self) -> Columns:
        owner = np.flatnonzero(self.rng.random(self.size) >= NO_LIMIT)
        yearly = self.scale[owner] * 14
        cover = yearly * (self.terms[owner] + 25) / 365 * self.rng.uniform(0.95, 2.6, len(owner))
        day = np.full(len(owner), AS_OF_DAY - 300)
        return {
            **self._entries("credit_limit", owner, day),
            "amount_minor": np.maximum(cover.astype(np.int64) // 100_000 * 100_000, 100_000),
            "from_day": day,
            "until_day": pl.Series([None] * len(owner), dtype=pl.Int64),
            "reason": pl.repeat("", len(owner), eager=True),
        }

    def _blocks(self) -> Columns:
        """Dunning blocks, and insolvencies from the day they are known."""
        failed = np.flatnonzero(self.insolvent <= LAST_DAY)
        blocked = np.flatnonzero(self.rng.random(self.size) < BLOCKED)
        owner = np.concatenate([failed, blocked])
        day = np.concatenate([self.insolvent[failed], LAST_DAY - self.rng.integers(0, 40, len(blocked))])
        ends = np.arange(len(owner)) >= len(failed)
        kind = np.where(ends, "dunning_block", "insolvent")
        return {
            **self._entries("block", owner, day),
            "kind": kind,
            "due_line_id": pl.Series([None] * len(owner), dtype=pl.Int64),
            "from_day": day,
            "until_day": _with_nulls(day + 20, ~ends),
            "reason": kind,
        }

    # --- what is owed and how it is paid ---------------------------------------------------

    def _drawn_lines(self) -> dict[str, np.ndarray]:
        """Invoices, one line each: who buys much buys often. Sorted by day, with what becomes of them."""
        rng, count = self.rng, self.size * LINES_PER_CUSTOMER
        often = np.exp(rng.normal(0, 1.9, self.size))
        owner = rng.choice(self.size, count, p=often / often.sum())
        recent = rng.random(count) < RECENT
        ago = np.where(recent, rng.integers(0, RECENT_DAYS, count), rng.integers(RECENT_DAYS, OLDEST_DAYS, count))
        order = np.argsort(-ago, kind="stable")
        owner, day = owner[order], self._working(owner[order], LAST_DAY - ago[order])
        day = np.where(day > LAST_DAY, LAST_DAY, day)
        amount = np.maximum(self.scale[owner] * np.exp(rng.normal(-0.08, 0.4, count)), 5_000).astype(np.int64)
        due = day + self.terms[owner]
        return {
            "owner": owner,
            "day": day,
            "due": due,
            "amount": amount,
            "paid": np.maximum(due + self._delay(owner, day), day + 1),
            "left": amount.copy(),
            "chance": rng.random(count),
        }

    def _delay(self, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Days after the due date on which a customer with its habit pays."""
        rng, count = self.rng, len(owner)
        drift = np.clip(self.drift[owner] + (day - AS_OF_DAY) / DRIFT_DAYS, 0, 1)
        by_habit = [
            rng.integers(-9, 3, count),
            rng.integers(-7, 5, count),
            rng.integers(10, 33, count),
            rng.choice(ERRATIC, count),
            rng.integers(-6, 7, count) + (31 * drift).astype(np.int64),
            rng.integers(-6, 7, count) + (30 * (1 - drift)).astype(np.int64),
        ]
        stuck = rng.random(count) < STUCK
        return np.where(stuck, rng.integers(75, 331, count), np.choose(self.habit[owner], by_habit))

    def _ledger(self) -> dict[str, Columns]:
        """Due lines with the disputes, promises and credits that follow from them."""
        lines, rng = self.lines, self.rng
        chance, later = lines["chance"], rng.random(len(lines["owner"]))
        disputed = chance < DISPUTED
        late = lines["paid"] - lines["due"] >= LATE_FOR_A_PROMISE_DAYS
        credited = (chance >= DISPUTED) & (chance < DISPUTED + CREDITED)
        partly = (chance >= DISPUTED + CREDITED) & (chance < DISPUTED + CREDITED + PARTLY)
        promised = (chance >= DISPUTED + CREDITED + PARTLY) & late & (later < PROMISE_IF_LATE)
        disputes = self._disputes(np.flatnonzero(disputed))
        promises = self._promises(np.flatnonzero(promised))
        credits_ = self._credits(np.flatnonzero(credited), np.flatnonzero(partly))
        return {"due_line": self._due_lines(), **disputes, **promises, **credits_}

    def _currency(self, owner: np.ndarray) -> list[str]:
        return ["CHF" if COUNTRIES[place] == "CH" else "EUR" for place in self.country[owner]]

    def _due_lines(self) -> Columns:
        lines, count = self.lines, len(self.lines["owner"])
        entries = self._entries("due_line", lines["owner"], lines["day"])
        return {
            **entries,
            "number": [f"R{number:08}" for number in entries["id"]],
            "ordinal": np.ones(count, dtype=np.int64),
            "identity": [f"line {number}" for number in entries["id"]],
            "invoice_day": lines["day"],
            "due_day": _with_nulls(lines["due"], self.rng.random(count) < UNDATED),
            "amount_minor": lines["amount"],
            "currency": self._currency(lines["owner"]),
        }

    def _disputes(self, at: np.ndarray) -> dict[str, Columns]:
        """Open some days round the due date; closed after weeks; some are taken back the next day."""
        rng, lines = self.rng, self.lines
        owner = lines["owner"][at]
        opened = np.maximum(lines["due"][at] + rng.integers(-8, 7, len(at)), lines["day"][at] + 1)
        opened = self._working(owner, opened)
        closed = self._working(owner, opened + rng.integers(9, 36, len(at)))
        self.accepted = (rng.random(len(at)) < 0.4, closed + 1, at)
        lines["paid"][at] = closed + rng.integers(4, 15, len(at))
        part = np.where(rng.random(len(at)) < 0.5, lines["amount"][at] // 3, 0)
        back = rng.random(len(at)) < 0.02
        seen = opened <= LAST_DAY
        ended = (closed[seen] <= LAST_DAY) & ~back[seen]
        taken = np.flatnonzero(back[seen] & (opened[seen] < LAST_DAY))
        dispute = {
            **self._entries("dispute", owner[seen], opened[seen]),
            "due_line_id": self._ids("due_line", len(lines["owner"]))[at[seen]],
            "amount_minor": _with_nulls(part[seen], part[seen] == 0),
            "reason": REASONS[at[seen] % len(REASONS)],
        }
        return {
            "dispute": dispute,
            "dispute_closing": {
                **self._entries("dispute_closing", owner[seen][ended], closed[seen][ended]),
                "dispute_id": dispute["id"][ended],
                "outcome": np.where(self.accepted[0][seen][ended], "accepted", "rejected"),
            },
            "reversal": {
                **self._entries("reversal", owner[seen][taken], opened[seen][taken] + 1),
                "target": pl.repeat("dispute", len(taken), eager=True),
                "target_id": dispute["id"][taken],
                "reason": pl.repeat("entered by mistake", len(taken), eager=True),
            },
        }

    def _promises(self, at: np.ndarray) -> dict[str, Columns]:
        """Made when the first reminder comes; most are kept."""
        rng, lines = self.rng, self.lines
        owner = lines["owner"][at]
        made = self._working(owner, lines["due"][at] + rng.integers(4, 9, len(at)))
        promised = self._working(owner, made + rng.integers(4, 13, len(at)))
        kept = rng.random(len(at)) < PROMISE_KEPT
        late = np.where(kept, -rng.integers(0, 3, len(at)), rng.integers(7, 31, len(at)))
        lines["paid"][at] = promised + late
        seen = made <= LAST_DAY
        ids = self._ids("due_line", len(lines["owner"]))[at[seen]]
        return {
            "promise": {
                **self._entries("promise", owner[seen], made[seen]),
                "due_line_id": _with_nulls(ids, rng.random(len(ids)) < 0.2),
                "amount_minor": lines["amount"][at[seen]],
                "currency": self._currency(owner[seen]),
                "promised_day": promised[seen],
                "after_credit_id": np.zeros(len(ids), dtype=np.int64),
            }
        }

    def _credits(self, credited: np.ndarray, partly: np.ndarray) -> dict[str, Columns]:
        """Credit notes, part payments and payments of the rest, and what each is set against."""
        rng, lines = self.rng, self.lines
        says_yes, decided, disputed = self.accepted
        notes = self._taken(np.concatenate([credited, disputed[says_yes]]), rng.choice([5, 10, 15, 25], len(credited)
                            + int(says_yes.sum())))  # fmt: skip
        note_day = np.concatenate([lines["day"][credited] + rng.integers(2, 10, len(credited)), decided[says_yes]])
        parts = self._taken(partly, rng.integers(40, 71, len(partly)))
        part_day = lines["paid"][partly].copy()
        lines["paid"][partly] += rng.integers(12, 41, len(partly))
        every = np.arange(len(lines["owner"]))
        at = np.concatenate([notes[0], parts[0], every])
        amount = np.concatenate([notes[1], parts[1], lines["left"]])
        day = self._working(lines["owner"][at], np.concatenate([note_day, part_day, lines["paid"]]))
        kind = np.repeat(np.array(["credit_note", "payment"]), [len(notes[0]), len(parts[0]) + len(every)])
        seen = np.flatnonzero((day <= LAST_DAY) & (day < self.insolvent[lines["owner"][at]] - 45) & (amount > 0))
        return self._booked(at[seen], day[seen], amount[seen], kind[seen])

    def _taken(self, at: np.ndarray, percent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take a part of what is left of lines."""
        part = self.lines["left"][at] * percent // 100
        self.lines["left"][at] -= part
        return at, part

    def _booked(self, at: np.ndarray, day: np.ndarray, amount: np.ndarray, kind: np.ndarray) -> dict[str, Columns]:
        rng, owner = self.rng, self.lines["owner"][at]
        entries = self._entries("credit", owner, day)
        ids = self._ids("due_line", len(self.lines["owner"]))[at]
        applied = np.flatnonzero(rng.random(len(at)) >= UNAPPLIED)
        more = np.where((rng.random(len(at)) < OVERPAID) & (kind == "payment"), 5_000, 0)
        return {
            "credit": {
                **entries,
                "kind": kind,
                "number": [f"{letter[0].upper()}{number:08}" for letter, number in zip(kind, entries["id"])],
                "reference": [f"R{number:08}" for number in ids],
                "identity": [f"credit {number}" for number in entries["id"]],
                "amount_minor": amount + more,
                "currency": self._currency(owner),
            },
            "allocation": {
                **self._entries("allocation", owner[applied], day[applied]),
                "credit_id": entries["id"][applied],
                "due_line_id": ids[applied],
                "amount_minor": amount[applied],
            },
        }
