"""A payment model in its registry: trained, proposed and approved by two people, asked about open invoices."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import invoice_scores
from engine.commands import Refused
from engine.editions import Unusable, edition_for
from engine.importing import ImportFile, import_file
from engine.invoice_scores import scores_of_customer
from engine.invoice_whys import whys_of_customer
from engine.payment_models import card_lines, payment_model, score_open_invoices, train_payment
from engine.promotion import PromoteModel, ProposeModel
from engine.refitting import refit
from engine.retention import _needed
from engine.runtime import Runtime
from engine.shadow import measure
from engine.tables import Customer, Entity, Run, ScoreModel
from engine.training import RegisterModel
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of, day_of
from scoring.invoice_training import Trained

pytestmark = [pytest.mark.xdist_group("scoring"), pytest.mark.sqlite("a model is a text like any other")]

MAPPING = Path(__file__).parents[2] / "samples" / "mappings" / "ibm.json"
UNTIL = 18_620


@pytest.fixture
def invoice_body(trained: Trained) -> dict[str, Any]:
    """A model of the made-up ledger, as the engine keeps it."""
    lead = {"own_share": {"auc": 0.02, "auc_interval": [0.01, 0.03]}}
    return trained.body | {"card": trained.body["card"] | {"leak_alarm": False, "tested": {"p_late": {"lead": lead}}}}


@pytest.fixture
def take(runtime: Runtime, entity: Entity) -> Callable[[dict[str, Any]], None]:
    """Import a made-up ledger as a file; what is paid later than a year after is open."""

    def written(day: float) -> str:
        found: date = date_of(int(day))
        return f"{found.month}/{found.day}/{found.year}"

    def take(entries: dict[str, Any], rows: int) -> None:
        lines, payments = entries["lines"], entries["payments"]
        text = ["countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,"]
        text[0] += "SettledDate,PaperlessBill,DaysToSettle,DaysLate"
        for place in range(rows):
            days = [written(lines[name][place]) for name in ("invoice_day", "due_day")]
            paid = written(payments["booked_day"][place]) if payments["booked_day"][place] < UNTIL else ""
            amount = f"{lines['amount'][place] / 100:.2f}"
            text.append(f"1,c{lines['customer_id'][place]},,{place + 1},{days[0]},{days[1]},{amount},,{paid},,,")
        command = ImportFile(
            actor=None,
            reason="a test",
            entity=entity.id,
            mapping=json.loads(MAPPING.read_text(encoding="utf-8")),
            content="\n".join(text).encode(),
            file_name="a.csv",
            history_until=day_of(date(2025, 12, 31)),
        )
        import_file(runtime, command)

    return take


def register(runtime: Runtime, actor: int, body: dict[str, Any]) -> dict[str, Any]:
    """Register a body under its name."""
    return runtime.execute(RegisterModel(actor=actor, reason="new", body=canonical(body), sha256=sha256_of(body)))


def test_two_people_put_a_payment_model_in_force(
    runtime: Runtime, entity: Entity, users: SimpleNamespace, invoice_body: dict[str, Any]
) -> None:
    """Registered, proposed by one, approved by another; the customers' score is another task and stays without."""
    answer = register(runtime, users.analyst.id, invoice_body)
    named = {"reason": "read its card", "model": answer["model"], "sha256": answer["sha256"]}
    assert payment_model(runtime) is None
    runtime.execute(ProposeModel(actor=users.manager.id, **named))
    with pytest.raises(Refused):
        runtime.execute(PromoteModel(actor=users.manager.id, **named))
    runtime.execute(PromoteModel(actor=users.second.id, **named))
    assert payment_model(runtime).sha256 == answer["sha256"]
    assert edition_for(runtime, entity, UNTIL).model is None


def test_a_champion_changed_in_the_database_is_not_used(
    runtime: Runtime, users: SimpleNamespace, invoice_body: dict[str, Any]
) -> None:
    """Its content no longer has the name that was approved."""
    answer = register(runtime, users.analyst.id, invoice_body)
    changed = canonical(invoice_body | {"golden": []})
    ScoreModel.update(status="champion", body=changed).where(ScoreModel.id == answer["model"]).execute()
    with pytest.raises(Unusable, match="changed after training"):
        payment_model(runtime)


def test_open_invoices_are_scored_with_reasons(
    runtime: Runtime,
    entity: Entity,
    users: SimpleNamespace,
    invoice_body: dict[str, Any],
    made_up_entries: dict[str, Any],
    take: Callable[..., None],
) -> None:
    """Every open one has chances in order, a median in its band and reasons with value and usual value."""
    take(made_up_entries, 150)
    answer = register(runtime, users.analyst.id, invoice_body)
    ScoreModel.update(status="champion").where(ScoreModel.id == answer["model"]).execute()
    rows = score_open_invoices(runtime, entity, UNTIL, payment_model(runtime))
    assert len(rows) == sum(
        made_up_entries["payments"]["booked_day"][place] >= UNTIL > made_up_entries["lines"]["invoice_day"][place]
        for place in range(150)
    )
    assert rows == sorted(rows, key=lambda row: (-row["p_late"], row["line"]))
    for row in rows:
        assert row["p_late30"] <= row["p_late"]
        assert row["days_low"] <= row["days_late"] <= row["days_high"]
        assert 0 < len(row["reasons"]) <= 4
        assert all(": " in reason and ", usual " in reason for reason in row["reasons"])


def test_a_run_keeps_the_scores_of_its_open_invoices(
    runtime: Runtime,
    entity: Entity,
    users: SimpleNamespace,
    invoice_body: dict[str, Any],
    made_up_entries: dict[str, Any],
    take: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once per run, the same in parts, the same as asked for one customer alone, and kept as long as the facts."""
    take(made_up_entries, 150)
    run = Run.create(
        entity=entity, as_of_day=UNTIL, kind="nightly", state="done", facts_file="frames/none.parquet", started_at=1
    )
    assert invoice_scores.work_off(runtime) == 0  # nobody approved a model
    assert scores_of_customer(runtime, entity, 1) is None
    answer = register(runtime, users.analyst.id, invoice_body)
    ScoreModel.update(status="champion").where(ScoreModel.id == answer["model"]).execute()
    monkeypatch.setattr(invoice_scores, "LINES_AT_ONCE", 30)
    assert [invoice_scores.work_off(runtime) for _ in range(2)] == [1, 0]
    kept = Run.get_by_id(run.id)
    assert kept.invoice_model == answer["sha256"]
    monkeypatch.undo()
    Run.update(invoices_file=None).where(Run.id == run.id).execute()  # killed before the run named it
    invoice_scores.work_off(runtime)
    assert Run.get_by_id(run.id).invoices_file == kept.invoices_file
    rows = score_open_invoices(runtime, entity, UNTIL, payment_model(runtime))
    customers = {customer.number: customer.id for customer in Customer}
    for number, customer in list(customers.items())[:3]:
        stored = scores_of_customer(runtime, entity, customer)
        alone = invoice_scores.scores_on(runtime, entity, UNTIL, payment_model(runtime), customer)
        told = {int(line): int(chance) for line, chance in zip(alone["line_id"], alone["p_late_bp"], strict=True)}
        assert {line: one["p_late_bp"] for line, one in stored.lines.items()} == told
        asked = {row["line"]: row["p_late"] for row in rows if row["customer"] == number}
        assert asked.keys() == told.keys()
        assert all(abs(asked[line] * 10_000 - chance) <= 1 for line, chance in told.items())
        why_day, why = whys_of_customer(runtime, entity, customer) or (None, [])
        assert (why_day, {one.line_id: one.p_late_bp for one in why}) == (UNTIL, told)
        assert all(one.reasons and one.alike is None for one in why)  # nothing was tested: nobody is alike
    assert kept.invoices_file in _needed(runtime)


@pytest.mark.slow
def test_training_on_a_ledger_gives_a_card(
    runtime: Runtime, entity: Entity, made_up_entries: dict[str, Any], take: Callable[..., None]
) -> None:
    """Trained twice it is one row; its card names rows, code, versions, seed, slices and figures beside rivals."""
    take(made_up_entries, 1000)
    told: list[tuple[str, int, int]] = []
    first, again = (train_payment(runtime, [entity], UNTIL, tell=lambda *one: told.append(one)) for _ in range(2))
    assert [step for step, _, _ in told[:7]] == ["read", "features", "learn", "learn", "learn", "test", "register"]
    assert [done for step, done, parts in told[:7] if (step, parts) == ("learn", 3)] == [0, 1, 2]
    assert (first.sha256, first.model_id) == (again.sha256, again.model_id)
    row = ScoreModel.get()
    assert (row.task, row.status) == ("invoice_payment", "challenger")
    card = json.loads(row.card)
    assert {"frame_sha256", "code_sha256", "versions", "seed", "slices", "tested", "leak_alarm"} <= set(card)
    assert card["tested"]["p_late"]["measures"]["own_share"]["auc_interval"]
    text = "\n".join(card_lines(row))
    assert card["frame_sha256"] in text
    assert "own_share" in text


@pytest.mark.slow
def test_a_challenger_and_a_refit_are_measured_on_what_the_champion_has_not_learned(
    runtime: Runtime,
    entity: Entity,
    users: SimpleNamespace,
    invoice_body: dict[str, Any],
    made_up_entries: dict[str, Any],
    take: Callable[..., None],
) -> None:
    """Fresh from training they have learned everything: their twins are measured, on invoices decided since."""
    take(made_up_entries, 1000)
    answer = register(
        runtime, users.analyst.id, invoice_body | {"card": invoice_body["card"] | {"trained_day": 18_400}}
    )
    ScoreModel.update(status="champion").where(ScoreModel.id == answer["model"]).execute()
    champion = ScoreModel.get_by_id(answer["model"])
    fitted = refit(runtime, champion, UNTIL)
    assert fitted.card["refit_of"] == champion.sha256
    assert fitted.card["slices"]["refit"]["rows"] > 100
    by = measure(runtime, ScoreModel.get_by_id(fitted.model_id), champion, UNTIL)
    assert (by["by"], by["way"]) == ("log_loss", "twin")
    assert by["questions"]["p_late"]["auc"]["lead"] == pytest.approx(0, abs=1e-4)  # it ranks the same
    trained = train_payment(runtime, [entity], UNTIL)
    found = measure(runtime, ScoreModel.get_by_id(trained.model_id), champion, UNTIL)
    assert (found["by"], found["way"]) == ("auc", "twin")
    assert found["from_day"] >= UNTIL - 30 - 120 - 30
    assert found["questions"]["p_late"]["n"] > 100
    since = measure(runtime, champion, champion, UNTIL + 200)  # long after, both as they are
    assert since["way"] == "since"
    assert since["questions"]["p_late"]["log_loss"]["interval"] == [0.0, 0.0]
