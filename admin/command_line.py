"""The command line ``dunwell``. Errors are one clear line and exit code 2; ``--json`` prints values."""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from admin import starting
from admin.command_claims import hand_over_group, interest_group
from admin.command_decisions import decisions_group
from admin.command_documents import documents_group
from admin.command_parts import (
    DAY,
    actor_option,
    as_json,
    as_of_option,
    fail,
    find_customer,
    find_entity,
    find_user,
    open_runtime,
    show,
    show_table,
    with_runtime,
)
from admin.command_policy import policy_group
from admin.command_proofs import replay_command, verify_command
from admin.command_scoring import (
    backtest_command,
    cash_command,
    model_card_command,
    promote_command,
    score_command,
    train_command,
)
from admin.command_silence import why_silent_command
from engine.runtime import Runtime
from engine.settings import SETTINGS
from engine.tables import Entity
from ledger.days import date_of
from ledger.money import format_minor

if TYPE_CHECKING:
    from engine.runs import Engine

DEMO_CUSTOMERS = 340
DEMO_DAYS = 180
UP_SECONDS = 30


def main() -> None:
    """Run the command that was typed; an error is one line on standard error and exit code 2."""
    try:
        code = dunwell.main(prog_name="dunwell", standalone_mode=False)
    except click.ClickException as error:
        fail(error.format_message())
    except click.Abort:
        fail("stopped")
    sys.exit(code if isinstance(code, int) else 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dunwell")
def dunwell() -> None:
    """Dunwell: credit limits, segments and escalations decided by rules, explained, sent once."""


dunwell.add_command(policy_group)
dunwell.add_command(decisions_group)
dunwell.add_command(documents_group)
dunwell.add_command(interest_group)
dunwell.add_command(hand_over_group)
dunwell.add_command(verify_command)
dunwell.add_command(replay_command)
dunwell.add_command(why_silent_command)
for command in (backtest_command, train_command, promote_command, score_command, model_card_command):
    dunwell.add_command(command)


@dunwell.command("settings")
@as_json
def settings_command(json_: bool) -> None:
    """List the settings read from the environment."""
    show({setting.name: setting.meaning + f" [{setting.default}]" for setting in SETTINGS}, json_)


@dunwell.command("entity")
@click.argument("code")
@click.option("--currency", required=True, help="ISO 4217 code of its base currency.")
@click.option("--name", help="As its letters print it.")
@click.option("--zone", default="UTC", show_default=True, help="IANA time zone.")
@click.option("--country", default="DE", show_default=True, help="ISO 3166 code, for holidays.")
@actor_option
@as_json
@with_runtime
def entity_command(
    runtime: Runtime,
    code: str,
    currency: str,
    name: str | None,
    zone: str,
    country: str,
    email: str | None,
    json_: bool,
) -> None:
    """Open the books of an entity."""
    from engine.setting_up import CreateEntity

    command = CreateEntity(
        actor=find_user(email),
        reason="opened on the command line",
        code=code,
        name=name or code,
        currency=currency,
        zone=zone,
        country=country,
    )
    show(runtime.execute(command), json_)


@dunwell.command("import")
@click.argument("entity")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mapping", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--history-until", type=DAY, help="Entries booked until this day count as recorded when booked.")
@actor_option
@as_json
@with_runtime
def import_command(
    runtime: Runtime,
    entity: str,
    file: Path,
    mapping: Path,
    history_until: int | None,
    email: str | None,
    json_: bool,
) -> None:
    """Import FILE into ENTITY: the whole file or nothing."""
    from engine.importing import ImportFile, import_file

    try:
        described = json.loads(mapping.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        fail(f"{mapping}: the mapping is not JSON ({error})")
    command = ImportFile(
        actor=find_user(email),
        reason=f"imported {file.name}",
        entity=find_entity(entity).code,
        mapping=described,
        content=file.read_bytes(),
        file_name=file.name,
        history_until=history_until,
    )
    show(import_file(runtime, command), json_)


@dunwell.command("run")
@click.argument("entity")
@as_of_option
@click.option("--replay", is_flag=True, help="Decide a past day again without writing anything.")
@click.option(
    "--engine",
    type=click.Choice(["polars", "spark"]),
    help="What computes facts and outcomes; spark where DUNWELL_SPARK_MASTER is set, else polars.",
)
@as_json
@with_runtime
def run_command(
    runtime: Runtime, entity: str, as_of: int | None, replay: bool, engine: "Engine | None", json_: bool
) -> None:
    """Decide every customer of ENTITY as of a day."""
    from engine.runs import run_entity

    found = find_entity(entity)
    day = runtime.today(found) if as_of is None else as_of
    run = run_entity(runtime, found, day, replay=replay, engine=engine)
    names = ("id", "kind", "state", "as_of_day", "customers", "changed", "applied", "undecided", "disagreed", "edition")
    values = {name: getattr(run, name) for name in names}
    values["as_of"] = date_of(values.pop("as_of_day")).isoformat()
    show({**values, "seconds": json.loads(run.seconds)}, json_)


@dunwell.command("facts")
@click.argument("entity")
@click.argument("customer")
@as_of_option
@as_json
@with_runtime
def facts_command(runtime: Runtime, entity: str, customer: str, as_of: int | None, json_: bool) -> None:
    """Print what rules may know about CUSTOMER of ENTITY on a day."""
    from rules.facts import FACTS
    from rules.words import Voice, value_words

    row, _book, currency = _seen(runtime, entity, customer, as_of)
    if json_:
        show({name: row.get(name) for name in FACTS}, True)
        return
    voice = Voice(currency=currency)
    for name, column in FACTS.items():
        click.echo(f"{name:<28}  {value_words(row.get(name), column.kind, voice)}")


@dunwell.command("explain")
@click.argument("entity")
@click.argument("customer")
@as_of_option
@click.option(
    "--why-not", "why_not_rule", metavar="STAGE/RULE", help="What would have to change for this rule to hold."
)
@as_json
@with_runtime
def explain_command(
    runtime: Runtime, entity: str, customer: str, as_of: int | None, why_not_rule: str | None, json_: bool
) -> None:
    """Explain what the rules decide for CUSTOMER of ENTITY, and why."""
    from admin.telling import explanation_lines, why_not_lines
    from rules.explanation import explain
    from rules.why_not import why_not

    row, book, currency = _seen(runtime, entity, customer, as_of)
    if why_not_rule is not None:
        stage, _, rule = why_not_rule.partition("/")
        if stage not in book.stages or rule not in {one.key for one in book.stages[stage].rules}:
            known = ", ".join(f"{s.name}/{r.key}" for s in book.stages.values() for r in s.rules)
            fail(f"there is no rule {why_not_rule}; known: {known}")
        lines = why_not_lines(why_not(row, book, stage, rule), book.stages[stage], currency)
    else:
        lines = explanation_lines(explain(row, book), currency)
    if json_:
        show({"customer": customer, "entity": entity, "explanation": lines}, True)
    else:
        click.echo("\n".join(lines))


def _seen(runtime: Runtime, entity: str, customer: str, as_of: int | None) -> tuple[dict[str, Any], Any, str]:
    """A customer's facts on a day, the book that decides them and the entity's currency."""
    from engine.pipeline import asking, facts_of

    found = find_entity(entity)
    who = find_customer(found, customer)
    ask = asking(runtime, found, runtime.today(found) if as_of is None else as_of)
    (row,) = facts_of(runtime, ask, [who.id])
    return row, ask.edition.book, found.currency


@dunwell.group("report")
def report_group() -> None:
    """Reports as of any day."""


report_group.add_command(cash_command)


@report_group.command("ageing")
@click.argument("entity")
@as_of_option
@click.option("--by-customer", is_flag=True, help="One row per customer.")
@as_json
@with_runtime
def ageing_command(runtime: Runtime, entity: str, as_of: int | None, by_customer: bool, json_: bool) -> None:
    """Split what ENTITY's customers owe by days past due; the buckets sum to the balance."""
    from engine.reports import ageing_report

    found = find_entity(entity)
    report = ageing_report(runtime, found, runtime.today(found) if as_of is None else as_of)
    if json_:
        show(report.values(by_customer), True)
        return
    rows = [["all customers", report.totals, report.balance_minor]]
    if by_customer:
        rows += [[c.number, c.amounts, c.balance_minor] for c in report.customers]
    show_table(
        [found.currency, *report.totals, "balance"],
        [
            [name, *(_amount(amounts and amounts[b], found) for b in report.totals), _amount(balance, found)]
            for name, amounts, balance in rows
        ],
    )


def _amount(minor: int | None, entity: Entity) -> str:
    """Without the currency, which heads the column."""
    return "no rate" if minor is None else format_minor(minor, entity.currency).removesuffix(f" {entity.currency}")


@dunwell.command("go-live")
@click.argument("entity")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who proposes, or who approves: two people.")
@click.option("--daily-cap", default=50, show_default=True, help="Messages a collector a day.")
@click.option("--start-level", type=click.Choice(["zero", "ageing"]), default="zero", show_default=True)
@as_json
@with_runtime
def go_live_command(runtime: Runtime, entity: str, email: str, daily_cap: int, start_level: str, json_: bool) -> None:
    """Propose that ENTITY starts sending, or approve what another person proposed."""
    from engine.going_live import go_live

    answer = go_live(runtime, find_entity(entity), actor=find_user(email), daily_cap=daily_cap, start_level=start_level)
    show(answer, json_)


@dunwell.command("user")
@click.argument("address")
@click.option("--role", "roles", multiple=True, required=True, help="A role; may be given several times.")
@click.option("--entity", "entities", multiple=True, help="An entity to see; may be given several times.")
@click.option("--name", help="As the console shows it.")
@actor_option
@as_json
@with_runtime
def user_command(
    runtime: Runtime,
    address: str,
    roles: tuple[str, ...],
    entities: tuple[str, ...],
    name: str | None,
    email: str | None,
    json_: bool,
) -> None:
    """Create a user with roles; prints a generated password once."""
    from argon2 import PasswordHasher

    from engine.people import CreateUser

    password = secrets.token_urlsafe(12)
    command = CreateUser(
        actor=find_user(email),
        reason="created on the command line",
        email=address,
        name=name or address.split("@")[0],
        password_hash=PasswordHasher().hash(password),
        roles=roles,
        entities=entities,
    )
    show({**runtime.execute(command), "email": address, "password": password}, json_)


@dunwell.group("demo", invoke_without_command=True)
@click.option("--customers", default=DEMO_CUSTOMERS, show_default=True, help="Over both entities.")
@click.option("--days", default=DEMO_DAYS, show_default=True, help="How many of its last days are decided one by one.")
@as_json
@click.pass_context
def demo_group(context: click.Context, customers: int, days: int, json_: bool) -> None:
    """Build a made-up ledger that ends yesterday, decided day by day; a second time keeps what is there."""
    if context.invoked_subcommand is None:
        build_demo(customers, days, json_)


@with_runtime
def build_demo(runtime: Runtime, customers: int, days: int, json_: bool) -> None:
    """Build it, or leave it as it is."""
    from engine import demo, kept_cash

    built = demo.build(
        runtime, runtime.today(), customers, decided_days=days, tell=lambda line: click.echo(line, err=True)
    )
    kept_cash.work_off(runtime)
    show({"new": built.new, "until": date_of(built.until_day).isoformat(), "logins": len(built.logins)}, json_)


@demo_group.command("next-day")
@as_json
@with_runtime
def demo_next_day_command(runtime: Runtime, json_: bool) -> None:
    """Let one more day pass in the demo."""
    from engine import demo

    day = demo.next_day(runtime)
    if day is None:
        fail("there is no demo here. Cure: dunwell demo build")
    show({"decided": date_of(day).isoformat()}, json_)


@demo_group.command("start")
def demo_start_command() -> None:
    """Build the demo, start the console and a worker, print the address and the logins; Ctrl-C stops all."""
    from engine import demo

    environment = starting.with_secret(os.environ)
    runtime = open_runtime()
    built = demo.build(runtime, runtime.today(), tell=click.echo)
    runtime.close()
    bind = starting.bind_address(environment.get("DUNWELL_BIND", "").strip() or "127.0.0.1:0")

    def welcome() -> None:
        if not starting.wait_until_up(bind, UP_SECONDS):
            return
        click.echo(f"\nDunwell is at http://{bind}/\n")
        show_table(["role", "e-mail", "password"], [(one.role, one.email, one.password) for one in built.logins])
        click.echo("\nCtrl-C stops the console and the worker.")
        sys.stdout.flush()

    sys.exit(starting.run_together([starting.serve_command(bind), starting.work_command()], environment, welcome))


@dunwell.command("serve")
@as_json
def serve_command(json_: bool) -> None:
    """Serve the console at DUNWELL_BIND."""
    open_runtime().close()
    environment = starting.with_secret(os.environ)
    bind = starting.bind_address(environment.get("DUNWELL_BIND", "").strip() or "127.0.0.1:0")
    show({"console": f"http://{bind}/"}, json_)
    sys.stdout.flush()
    starting.replace_process(starting.serve_command(bind), environment)


@dunwell.command("work")
@as_json
def work_command(json_: bool) -> None:
    """Run a worker: nightly runs, changed customers, messages."""
    open_runtime().close()
    show({"worker": "started"}, json_)
    sys.stdout.flush()
    starting.replace_process(starting.work_command(), starting.with_secret(os.environ))
