"""The curves of a model: from its card alone, with tables and files, and no amounts for who sees a part."""

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
from openpyxl import load_workbook

from admin.charts import Axis, Chart, Column, Line, mark, rounded_up
from engine.tables import Entity, ScoreModel, User
from ledger.canonical import canonical
from scoring.curves import About, Sample, curves_of, parts_of
from scoring.labels import TASK

ROWS = 400


def card() -> dict[str, Any]:
    """The card of a model that ranks well: curves and parts as a training draws them."""
    generator = np.random.default_rng(3)
    chances = generator.random(ROWS)
    labels = (generator.random(ROWS) < chances).astype(np.int64)
    amounts = 10_000.0 + np.arange(ROWS)
    sample = Sample(labels, np.arange(ROWS) % 50, np.arange(ROWS) % 40 + 20_000, amounts)
    rival = np.round(chances + generator.normal(0, 0.3, ROWS), 1)
    countries = {number: "DE" if number % 5 else "AT" for number in range(50)}
    about = About(dict.fromkeys(range(50), "EUR"), {"country": countries})
    one = {"auc": 0.8, "auc_interval": [0.76, 0.84], "brier": 0.1, "ece": 0.02, "n": ROWS, "bad": int(labels.sum())}
    return {
        "question": "some invoice goes 30 or more days past due within 90 days",
        "trained_day": 20_500,
        "measures": {"score": one, "own_late_share": {**one, "auc": 0.7}},
        "curves": curves_of(sample, {"champion": chances, "own_late_share": rival}, {}, about, 1),
        "parts": parts_of(sample, chances, rival, about, np.zeros(ROWS, dtype=bool)),
        "leak_alarm": False,
    }


def stored(told: dict[str, Any], sha256: str = "a" * 64) -> ScoreModel:
    """A model of the registry with a card; its body is not read by these pages."""
    row: ScoreModel = ScoreModel.create(
        task=TASK, sha256=sha256, body="{}", card=canonical(told), status="challenger", trained_day=20_500, created_at=1
    )
    return row


def test_every_chart_has_its_table_its_words_and_its_file(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity
) -> None:
    """Reliability, ROC, precision and recall, lift and money; beside another model, and as a workbook."""
    row, other = stored(card()), stored(card() | {"trained_day": 20_530}, "b" * 64)
    browser = signed_in(people.analyst)
    page = browser.get(f"/models/{row.id}/curves?beside={other.id}").text
    assert page.count('<svg class="plot"') == page.count("As a table") == 5
    assert page.count("Beside it (bbbbbbbb)") >= 5
    book = load_workbook(BytesIO(browser.get(f"/models/{row.id}/curves.xlsx?of=customers").data))
    assert book.sheetnames == ["Reliability", "ROC", "Precision and recall", "Lift", "Money, EUR"]
    sheet = book["Money, EUR"]
    assert [cell.value for cell in sheet[1]][:3] == ["Looked at %", "The model, found EUR", "The model %"]
    last = [cell.value for cell in sheet[sheet.max_row]]
    assert last[:3] == [100, float(card()["curves"]["money"][0]["total_minor"]) / 100, 100]
    one = load_workbook(BytesIO(browser.get(f"/models/{row.id}/curves.xlsx?of=customers&chart=roc").data))
    assert one.sheetnames == ["ROC"]
    assert browser.get(f"/models/{row.id}/curves.xlsx?of=customers&chart=none").status_code == 404


def test_errors_stand_by_month_and_part(signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity) -> None:
    """Months, countries and sizes, with what happened beside what was said."""
    row = stored(card())
    browser = signed_in(people.analyst)
    page = browser.get(f"/models/{row.id}/parts").text
    for text in ("2024-10", "2024-11", "Germany", "Austria", "Smallest"):
        assert text in page
    book = load_workbook(BytesIO(browser.get(f"/models/{row.id}/curves.xlsx?parts=1&chart=month").data))
    assert sum(line[1].value for line in list(book["Month"])[1:]) == ROWS


def test_who_sees_one_portfolio_sees_no_amounts_and_parts_of_all(
    entity: Entity, make_user: Any, signed_in: Callable[..., Any], password_hash: str
) -> None:
    """Neither on the pages nor in the files: curves are shares, months and money count other people's customers."""
    reader = make_user("north@dunwell.example", "risk_analyst", entity, portfolio="north")
    User.update(password=password_hash).where(User.id == reader.id).execute()
    row = stored(card())
    browser = signed_in(reader)
    page = browser.get(f"/models/{row.id}/curves").text
    assert page.count('<svg class="plot"') == 4
    assert "Money, EUR" not in page
    assert "Not all customers are open to you" in browser.get(f"/models/{row.id}/parts").text
    assert browser.get(f"/models/{row.id}/curves.xlsx?parts=1").status_code == 404
    assert browser.get(f"/models/{row.id}/curves.xlsx?chart=money-eur").status_code == 404
    told = browser.get(f"/models/{row.id}/card.json").json["card"]
    assert "parts" not in told
    assert "money" not in told["curves"]


def test_a_card_without_curves_says_what_to_do(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity
) -> None:
    """A model of earlier times, or one tested on rows that all ended alike."""
    row = stored({"trained_day": 20_500, "leak_alarm": False, "curves": {}, "parts": {}})
    page = signed_in(people.analyst).get(f"/models/{row.id}/curves")
    assert page.status_code == 200
    assert "Train a model again" in page.text


def test_a_gap_in_a_line_lifts_the_pen() -> None:
    """What is unknown is not drawn as if it were known."""
    axis = Axis("", 0.0, 1.0, ())
    line = Line("one", [(0.0, 0.0), (0.25, None), (0.5, 0.5), (1.0, 1.0)], None)
    chart = Chart("key", "", "", axis, axis, [line], [Column("x")], [])
    assert chart.path(line).count("M") == 2
    assert len({mark(style, 0, 0) for style in range(6)}) == 6


def test_an_axis_ends_at_or_above_what_it_holds() -> None:
    """Below, at and above a step."""
    assert [rounded_up(value) for value in (0.19, 0.2, 0.21, 1.4)] == [0.2, 0.2, 0.3, 1.0]
