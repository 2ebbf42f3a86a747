"""From ledger entries to features and labels: nothing of the future gets in."""

import json
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import sha256_of
from ledger.entries import Known
from ledger.mapping import parse
from ledger.posting import post
from ledger.reading import read
from ledger.state import FRAMES, Basis, customer_facts
from scoring.features import FACTS_READ
from scoring.labels import bad_lines, cutoffs, labels, training_rows
from scoring.learning import train
from scoring.model import canonical, load

DAY = 20_000
POLARS = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}
Frames = dict[str, nw.LazyFrame[Any]]


def frames_of(**rows: list[dict[str, Any]]) -> Frames:
    """Ledger frames of a few rows; tables not named are empty, columns not named null."""
    return {
        table: nw.from_native(
            pl.DataFrame(
                [{name: row.get(name) for name in schema} for row in rows.get(table, [])],
                schema={name: POLARS[dtype] for name, dtype in schema.items()},
            ).lazy()
        )
        for table, schema in FRAMES.items()
    }


def line(number: int, due_day: int, booked_day: int | None = None, amount: int = 100) -> dict[str, Any]:
    """A due line of customer 1, invoiced 30 days before it is due."""
    booked = due_day - 30 if booked_day is None else booked_day
    return {
        "id": number,
        "customer_id": 1,
        "booked_day": booked,
        "recorded_day": booked,
        "number": str(number),
        "ordinal": 1,
        "invoice_day": booked,
        "due_day": due_day,
        "amount_minor": amount,
        "currency": "EUR",
    }


def payment(number: int, line_number: int, day: int, amount: int = 100, recorded: int | None = None) -> dict[str, Any]:
    """Credit and allocation of a payment share their numbers here."""
    return {
        "id": number,
        "customer_id": 1,
        "booked_day": day,
        "recorded_day": day if recorded is None else recorded,
        "kind": "payment",
        "currency": "EUR",
        "credit_id": number,
        "due_line_id": line_number,
        "amount_minor": amount,
    }


def ledger_of(lines: list[dict[str, Any]], payments: list[dict[str, Any]]) -> Frames:
    """The frames of customer 1 with these lines and payments."""
    customer = {"id": 1, "number": "1", "terms_days": 30, "opened_day": DAY - 900}
    return frames_of(customer=[customer], due_line=lines, credit=payments, allocation=payments)


def features_on(frames: Frames, day: int) -> dict[str, Any]:
    """The facts that features read, of customer 1."""
    facts = customer_facts(frames, Basis(as_of_day=day, entity="main", currency="EUR"))
    return facts.select(*FACTS_READ).collect().to_native().to_dicts()[0]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    dues=st.lists(st.integers(DAY - 200, DAY + 40), min_size=1, max_size=6),
    delays=st.lists(st.integers(-25, 120), min_size=6, max_size=6),
    moved=st.integers(1, 200),
)
def test_moving_a_future_payment_changes_no_earlier_feature(dues: list[int], delays: list[int], moved: int) -> None:
    """What is paid after the day cannot be seen on the day, nor can when it is paid."""
    lines = [line(number, due) for number, due in enumerate(dues, start=1)]
    payments = [payment(number, number, due + delays[number - 1]) for number, due in enumerate(dues, start=1)]
    later = [
        entry if entry["booked_day"] <= DAY else entry | {"booked_day": DAY + moved, "recorded_day": DAY + moved}
        for entry in payments
    ]
    assert features_on(ledger_of(lines, payments), DAY) == features_on(ledger_of(lines, later), DAY)


def test_a_payment_recorded_later_is_not_seen_before() -> None:
    """Booked in time but recorded a month on: on the day it was not known."""
    lines = [line(1, DAY - 10)]
    unknown = features_on(ledger_of(lines, [payment(1, 1, DAY - 5, recorded=DAY + 30)]), DAY)
    assert unknown == features_on(ledger_of(lines, []), DAY)


def flags(frames: Frames, day: int, known_day: int = DAY + 400) -> tuple[int, int]:
    """Already bad, and label, of customer 1; neither without a bad line."""
    rows = labels(bad_lines(frames, known_day), day).collect().to_native().to_dicts()
    return (rows[0]["already_bad"], rows[0]["label"]) if rows else (0, 0)


@pytest.mark.parametrize(
    ("paid_after", "expected"), [(29, (0, 0)), (30, (0, 0)), (31, (0, 1)), (None, (0, 1))], ids=str
)
def test_a_line_is_bad_when_open_at_the_end_of_its_thirtieth_day(
    paid_after: int | None, expected: tuple[int, int]
) -> None:
    """Paid on the thirtieth day is just in time, a day later is not."""
    payments = [] if paid_after is None else [payment(1, 1, DAY + 10 + paid_after)]
    assert flags(ledger_of([line(1, DAY + 10)], payments), DAY) == expected


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (DAY - 31, (1, 0)),
        (DAY - 30, (1, 0)),
        (DAY - 29, (0, 1)),
        (DAY + 60, (0, 1)),
        (DAY + 61, (0, 0)),
    ],
)
def test_the_label_looks_from_tomorrow_to_the_ninetieth_day(due: int, expected: tuple[int, int]) -> None:
    """Bad on the day itself is already bad; bad on day 91 is beyond the question."""
    assert flags(ledger_of([line(1, due)], []), DAY) == expected


def test_a_bad_line_paid_by_the_day_is_forgotten() -> None:
    """Who was bad and has paid is asked about again."""
    assert flags(ledger_of([line(1, DAY - 60)], [payment(1, 1, DAY)]), DAY) == (0, 0)
    assert flags(ledger_of([line(1, DAY - 60)], [payment(1, 1, DAY + 1)]), DAY) == (1, 0)


def test_part_payments_do_not_clear_a_line() -> None:
    """99 of 100 on time leave a bad line; the rest a day in time does not."""
    parts = [payment(1, 1, DAY + 5, amount=99), payment(2, 1, DAY + 40, amount=1)]
    assert flags(ledger_of([line(1, DAY + 10)], parts), DAY) == (0, 0)
    parts[1] |= {"booked_day": DAY + 41, "recorded_day": DAY + 41}
    assert flags(ledger_of([line(1, DAY + 10)], parts), DAY) == (0, 1)


def test_a_line_taken_back_is_no_bad_line() -> None:
    """A reversed due line was never owed."""
    frames = ledger_of([line(1, DAY + 10)], [])
    back = {"id": 1, "customer_id": 1, "booked_day": DAY, "recorded_day": DAY, "target": "due_line", "target_id": 1}
    frames["reversal"] = frames_of(reversal=[back])["reversal"]
    assert flags(frames, DAY) == (0, 0)


def udyam_frames(folder: Path) -> tuple[Frames, int, int]:
    """The Udyam ledger through the shipped mapping, as history."""
    mapping_file = Path(__file__).parents[2] / "samples" / "mappings" / "udyam.json"
    mapping, problems = parse(json.loads(mapping_file.read_text()))
    assert mapping is not None, problems
    reading = read((folder / "udyam_invoices.csv").read_bytes(), mapping)
    last_day = 17_500
    plan, _ = post(reading.records, Known(), currency="INR", posting_day=last_day, history_until=last_day)
    customers = {name: place for place, name in enumerate(sorted({entry.customer for entry in plan.lines}), start=1)}

    def rows(entries: list[Any], **more: Any) -> list[dict[str, Any]]:
        return [
            {name: getattr(entry, name, None) for name in ("booked_day", "recorded_day", "amount_minor")}
            | {name: getattr(entry, name, None) for name in ("number", "ordinal", "invoice_day", "due_day", "currency")}
            | {"kind": getattr(entry, "kind", None), "id": place}
            | {name: of(entry) for name, of in more.items()}
            for place, entry in enumerate(entries, start=1)
        ]

    line_ids = {entry.identity: place for place, entry in enumerate(plan.lines, start=1)}
    credit_ids = {entry.identity: place for place, entry in enumerate(plan.credits, start=1)}
    owner = {"customer_id": lambda entry: customers[entry.customer]}
    frames = frames_of(
        customer=[{"id": place, "number": name} for name, place in customers.items()],
        due_line=rows(plan.lines, **owner),
        credit=rows(plan.credits, **owner),
        allocation=rows(
            plan.allocations,
            customer_id=lambda entry: customers[entry.line.customer],
            due_line_id=lambda entry: line_ids[entry.line.identity],
            credit_id=lambda entry: credit_ids[entry.credit.identity],
        ),
    )
    return frames, min(entry.booked_day for entry in plan.lines), max(entry.booked_day for entry in plan.lines)


def test_a_real_ledger_is_scored_better_than_its_rivals_and_not_absurdly_well(ledgers: Path) -> None:
    """Udyam: above the ageing rule and the own late share; an AUC above 0.97 would be a leak."""
    frames, first_day, last_day = udyam_frames(ledgers)
    bad = nw.from_native(bad_lines(frames, last_day).collect().to_native().lazy())
    rows: list[dict[str, Any]] = []
    for day in cutoffs(first_day + 180, last_day, every_days=120):
        facts = customer_facts(frames, Basis(as_of_day=day, entity="main", currency="INR"))
        rows += training_rows(facts, bad, day, FACTS_READ).collect().to_native().to_dicts()
    body, problems = train(rows, last_day)
    assert body is not None, problems
    model, refused = load(canonical(body), sha256_of(body))
    assert model is not None, refused
    measures = body["card"]["measures"]
    assert measures["own_late_share"]["auc"] < measures["score"]["auc"] <= 0.97
    assert measures["ageing_rule"]["auc"] < measures["score"]["auc"]
    assert measures["score"]["ece"] < 0.08
