"""Commands about payment-risk scores: backtest, train, promote, score."""

import json
import sys
from pathlib import Path

import click

from admin.command_parts import (
    DAY,
    actor_option,
    as_json,
    as_of_option,
    fail,
    find_entity,
    find_user,
    show,
    show_table,
    with_runtime,
)
from engine.runtime import Runtime
from engine.tables import Customer, Entity, ScoreModel

entities_option = click.option("--entity", "codes", multiple=True, metavar="CODE", help="An entity; all if left out.")


def _entities(codes: tuple[str, ...]) -> list[Entity]:
    return [find_entity(code) for code in codes] if codes else list(Entity.select().order_by(Entity.code))


@click.command("backtest")
@click.option("--train-until", type=DAY, required=True, help="Train on what was known before this day.")
@click.option("--test-from", type=DAY, required=True, help="First due date tested.")
@click.option("--test-to", type=DAY, required=True, help="First due date not tested any more.")
@click.option("--calibrate-from", type=DAY, help="Invoices due from here calibrate; the last fifth if left out.")
@click.option("--grace-days", default=0, show_default=True, help="A payment up to so many days late is not late.")
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write invoice_id, p_late, p_late30, days_late as CSV.",
)
@click.option("--customer-day", "customer_days", type=DAY, multiple=True, help="Score customers on; else each quarter.")
@click.option("--cash-from", type=DAY, help="First day cash is forecast from, then every four weeks.")
@click.option("--cash-to", type=DAY, help="Last such day.")
@click.option("--cash-amount-max", type=int, help="Larger invoices, in whole money, stay out of it.")
@entities_option
@as_json
@with_runtime
def backtest_command(
    runtime: Runtime,
    train_until: int,
    test_from: int,
    test_to: int,
    calibrate_from: int | None,
    grace_days: int,
    predictions: Path | None,
    customer_days: tuple[int, ...],
    cash_from: int | None,
    cash_to: int | None,
    cash_amount_max: int | None,
    codes: tuple[str, ...],
    json_: bool,
) -> None:
    """Train the payment models as of a past day and test them on later invoices, naive rivals beside them.

    docs/scoring.md says what each figure means.
    """
    from engine.backtesting import Beside, backtest, write_predictions
    from ledger.money import exponent
    from scoring.backtest import Window

    if not test_from < test_to:
        fail("--test-to must lie after --test-from")
    entities = _entities(codes)
    largest = None
    if cash_amount_max is not None and entities:
        largest = cash_amount_max * 10 ** exponent(entities[0].currency)
    window = Window(train_until, test_from, test_to, calibrate_from, grace_days)
    found = backtest(runtime, entities, window, Beside(customer_days or None, cash_from, cash_to, largest))
    if found.problems:
        fail("; ".join(found.problems))
    if predictions is not None:
        try:
            write_predictions(found, predictions)
        except OSError as error:
            fail(f"{predictions} cannot be written: {error}")
    if json_:
        click.echo(json.dumps(found.report, ensure_ascii=False, sort_keys=True))
        return
    for part in ("p_late", "p_late30", "customers_score"):
        figures = found.report[part]
        if "measures" in figures:
            click.echo(f"{part}: {figures['bad']} of {figures['n']}")
            show_table(["", "AUC", "from", "to", "Brier", "ECE"], [_row(*one) for one in figures["measures"].items()])
        else:
            click.echo(f"{part}: too few to measure")
    errors = found.report["days_late"]["mae"]
    click.echo("days late, mean absolute error")
    show_table(["", "days", "from", "to"], [[name, one["mean"], *one["interval"]] for name, one in errors.items()])
    if "wape" in found.report["cash"]:
        click.echo("cash, error of the weeks over all that came in")
        show_table(["", "WAPE"], list(found.report["cash"]["wape"].items()))
    for why in found.report["leak"]["why"]:
        click.echo(f"leak alarm: {why}")


def _row(name: str, one: dict[str, object]) -> list[object]:
    low, high = one["auc_interval"] or ("-", "-")  # type: ignore[misc]
    return [name, one["auc"], low, high, one.get("brier", "-"), one.get("ece", "-")]


@click.command("train")
@click.option(
    "--task",
    type=click.Choice(["payments", "customers"]),
    default="payments",
    show_default=True,
    help="What is learned: when invoices are paid, or which customers go 30 days past due.",
)
@click.option("--grace-days", default=0, show_default=True, help="A payment up to so many days late is not late.")
@entities_option
@as_of_option
@actor_option
@as_json
@with_runtime
def train_command(
    runtime: Runtime,
    task: str,
    grace_days: int,
    codes: tuple[str, ...],
    as_of: int | None,
    email: str | None,
    json_: bool,
) -> None:
    """Train a model on what was known before a day and keep it as a challenger with its card."""
    from engine.payment_models import train_payment
    from engine.training import train
    from engine.trainings import measure_now

    entities = _entities(codes)
    day = runtime.today(entities[0] if entities else None) if as_of is None else as_of
    if task == "payments":
        found = train_payment(runtime, entities, day, actor=find_user(email), grace_days=grace_days, tell=_tell)
    else:
        found = train(runtime, entities, day, actor=find_user(email), tell=_tell)
    if found.sha256 is None:
        fail("; ".join(f"{problem.what}. Cure: {problem.cure}" for problem in found.problems))
    measure_now(runtime, ScoreModel.get_by_id(found.model_id), _tell)
    show({"model": found.model_id, "sha256": found.sha256, "leak_alarm": found.card["leak_alarm"]}, json_)


def _tell(step: str, done: int, parts: int) -> None:
    """Each step of a training, for whoever sits before the terminal."""
    if sys.stderr.isatty():
        told = f"{step} {done + 1} of {parts}" if parts > 1 else step
        click.echo(f"learn from {done} rows" if step == "rows" else told, err=True)


@click.command("promote")
@click.argument("sha256")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who proposes, or who approves: two people.")
@click.option("--reason", default="promoted on the command line", show_default=True)
@click.option("--override", default="", help="Why all the same, where a condition is not met; kept with the model.")
@as_json
@with_runtime
def promote_command(runtime: Runtime, sha256: str, email: str, reason: str, override: str, json_: bool) -> None:
    """Propose that the model SHA256 becomes the champion, or approve what another person proposed.

    A challenger is measured beside the champion before: docs/scoring.md says what must hold. An earlier champion is
    gone back to in the same way, unmeasured.
    """
    from engine.promotion import PromoteModel, ProposeModel
    from engine.trainings import measure_now

    row, actor = _model(sha256), find_user(email)
    proposed = row.proposed_by_id or (row.trained_by_id if row.status == "challenger" else None)
    named = {"actor": actor, "reason": reason, "model": row.id, "sha256": row.sha256}
    if proposed in {None, actor}:
        show(runtime.execute(ProposeModel(**named)), json_)
        return
    measure_now(runtime, row, _tell)
    show(runtime.execute(PromoteModel(**named, override=override)), json_)


def _model(sha256: str) -> ScoreModel:
    """The one model whose name begins so."""
    found = list(ScoreModel.select().where(ScoreModel.sha256.startswith(sha256)).limit(2)) if len(sha256) > 5 else []
    if len(found) != 1:
        fail(f"no model, or more than one, has a sha256 that begins with {sha256}; give at least 6 of its characters")
    return found[0]


@click.command("model-card")
@click.argument("sha256")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@as_json
@with_runtime
def model_card_command(runtime: Runtime, sha256: str, file: Path | None, json_: bool) -> None:
    """Write the card of the model SHA256 as Markdown (or as JSON) to FILE, or to standard output."""
    from engine.payment_models import card_lines

    row = _model(sha256)
    text = f"{row.card}\n" if json_ else "\n".join(card_lines(row)) + "\n"
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error}")


@click.command("score")
@click.argument("entity")
@as_of_option
@click.option("--model", "sha256", help="Another model than the champion.")
@click.option("--customer", metavar="NUMBER", help="Invoices of this customer alone.")
@click.option("--top", default=20, show_default=True, help="How many invoices to print; with --json all.")
@as_json
@with_runtime
def score_command(
    runtime: Runtime,
    entity: str,
    as_of: int | None,
    sha256: str | None,
    customer: str | None,
    top: int,
    json_: bool,
) -> None:
    """Say of every open invoice of ENTITY how likely it is paid late, when, and why."""
    from engine.payment_models import payment_model, score_open_invoices
    from scoring.invoice_model import TASK, load_invoice_model

    found = find_entity(entity)
    if sha256 is None:
        model = payment_model(runtime)
    else:
        row = _model(sha256)
        if row.task != TASK:
            fail(f"{row.sha256[:8]} is a model of customers ({row.task}); runs score with it. Cure: name one of {TASK}")
        model, refused = load_invoice_model(row.body, row.sha256)
        if model is None:
            fail("; ".join(refused))
    if model is None:
        fail("no payment model is in force. Cure: dunwell train, then dunwell promote by two people")
    rows = score_open_invoices(runtime, found, runtime.today(found) if as_of is None else as_of, model)
    if customer is not None:
        if not Customer.select().where(Customer.entity == found, Customer.number == customer).exists():
            fail(f"{found.code} has no customer {customer}")
        rows = [row for row in rows if row["customer"] == customer]
    if json_:
        show({"model": model.sha256, "invoices": rows}, True)
        return
    heads = ("invoice", "customer", "due_on", "p_late", "p_late30", "days_late", "days_low", "days_high")
    show_table([*heads, "reason"], [[*(row[name] for name in heads), *row["reasons"][:1]] for row in rows[:top]])


@click.command("cash")
@click.argument("entity")
@as_of_option
@as_json
@with_runtime
def cash_command(runtime: Runtime, entity: str, as_of: int | None, json_: bool) -> None:
    """Forecast what of the open invoices of ENTITY comes in, thirteen weeks from a day on, beside what came in.

    The day is tomorrow if left out; only what was known before it counts.
    """
    from engine.cash import cash_forecasts

    found = find_entity(entity)
    forecasts = cash_forecasts(runtime, found, [runtime.today(found) + 1 if as_of is None else as_of])
    if not forecasts:
        fail("there are no invoices. Cure: import a ledger first")
    values = forecasts[0].values()
    if json_:
        show(values, True)
        return
    show_table(list(values["weeks"][0]), [list(week.values()) for week in values["weeks"]])
