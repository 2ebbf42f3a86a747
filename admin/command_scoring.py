"""Commands about payment-risk scores: backtest, train, promote, score."""

import json
from pathlib import Path

import click

from admin.command_parts import DAY, as_json, fail, find_entity, show_table, with_runtime
from engine.runtime import Runtime
from engine.tables import Entity

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
