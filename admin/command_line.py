"""The command line ``dunwell``. Errors are one clear line and exit code 2; ``--json`` prints values."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from admin import starting
from engine import runtime as composition
from engine.commands import CommandError, Invalid
from engine.runtime import Runtime
from engine.settings import SETTINGS, Settings
from engine.tables import Customer, Entity, User
from ledger.days import date_of, day_of
from ledger.money import format_minor

EXIT_ERROR = 2


class Day(click.ParamType):
    """An ISO date on the command line, a day inside."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Days since 1970-01-01."""
        if isinstance(value, int):
            return value
        try:
            return day_of(date.fromisoformat(value))
        except ValueError:
            self.fail(f"{value} is not a date; give it as 2026-03-31", param, ctx)


DAY = Day()


def fail(message: str) -> NoReturn:
    """One clear line, exit 2."""
    click.echo(f"dunwell: {' '.join(message.split())}", err=True)
    sys.exit(EXIT_ERROR)


def open_runtime() -> Runtime:
    """The runtime of the environment, or every problem of the settings in one line each."""
    settings, problems = Settings.from_environment(starting.with_secret(os.environ))
    if problems:
        for problem in problems:
            click.echo(f"dunwell: {problem.place} {problem.what}. Cure: {problem.cure}", err=True)
        sys.exit(EXIT_ERROR)
    return composition.build(settings)


def with_runtime(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the runtime first, close it after, and turn refusals into one line."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        runtime = open_runtime()
        try:
            return function(runtime, *args, **kwargs)
        except Invalid as error:
            fail("; ".join(f"{p.place}: {p.what}. Cure: {p.cure}" for p in error.problems))
        except CommandError as error:
            fail(str(error))
        finally:
            runtime.close()

    return wrapped


as_json = click.option("--json", "json_", is_flag=True, help="Print values as JSON.")


def show(values: Mapping[str, Any], json_: bool) -> None:
    """Print values as JSON or as lines of name and value."""
    if json_:
        click.echo(json.dumps(values, ensure_ascii=False, sort_keys=True))
        return
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {'-' if value is None else value}")


def show_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print aligned columns: numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(heads))]
    widths = [max(len(head), *(len(row[i]) for row in cells), 0) for i, head in enumerate(heads)]
    for row in [list(heads), *cells]:
        padded = [cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(row, widths, numeric)]
        click.echo("  ".join(padded).rstrip())


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("-", "").isdigit()


def find_entity(code: str) -> Entity:
    """The entity of a code."""
    found: Entity | None = Entity.get_or_none(Entity.code == code)
    if found is None:
        known = ", ".join(row.code for row in Entity.select().order_by(Entity.code)) or "none yet"
        fail(f"there is no entity {code}; known: {known}. Cure: dunwell entity {code} --currency EUR")
    return found


def find_customer(entity: Entity, number: str) -> Customer:
    """The customer of a number in an entity."""
    found: Customer | None = Customer.get_or_none(Customer.entity == entity.id, Customer.number == number)
    if found is None:
        fail(f"{entity.code} has no customer {number}")
    return found


def find_user(email: str | None) -> int | None:
    """The id of the user with an address; None stands for the system."""
    if email is None:
        return None
    found: User | None = User.get_or_none(User.email == email)
    if found is None:
        fail(f"there is no user {email}. Cure: dunwell user {email} --role credit_manager --entity CODE")
    return int(found.id)


actor_option = click.option("--as", "email", metavar="EMAIL", help="Who does it; without it, the system.")
as_of_option = click.option("--as-of", "as_of", type=DAY, help="The day the question is asked for; today if left out.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dunwell")
def main() -> None:
    """Dunwell: credit limits, segments and escalations decided by rules, explained, sent once."""


@main.command("settings")
@as_json
def settings_command(json_: bool) -> None:
    """List the settings read from the environment."""
    show({setting.name: setting.meaning + f" [{setting.default}]" for setting in SETTINGS}, json_)


@main.command("entity")
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


@main.command("import")
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


@main.command("run")
@click.argument("entity")
@as_of_option
@click.option("--replay", is_flag=True, help="Decide a past day again without writing anything.")
@as_json
@with_runtime
def run_command(runtime: Runtime, entity: str, as_of: int | None, replay: bool, json_: bool) -> None:
    """Decide every customer of ENTITY as of a day."""
    from engine.runs import run_entity

    found = find_entity(entity)
    run = run_entity(runtime, found, runtime.today(found) if as_of is None else as_of, replay=replay)
    names = ("id", "kind", "state", "as_of_day", "customers", "changed", "applied", "undecided", "disagreed", "edition")
    values = {name: getattr(run, name) for name in names}
    values["as_of"] = date_of(values.pop("as_of_day")).isoformat()
    show({**values, "seconds": json.loads(run.seconds)}, json_)


@main.command("facts")
@click.argument("entity")
@click.argument("customer")
@as_of_option
@as_json
@with_runtime
def facts_command(runtime: Runtime, entity: str, customer: str, as_of: int | None, json_: bool) -> None:
    """Print what rules may know about CUSTOMER of ENTITY on a day."""
    row, _decided = _decide(runtime, entity, customer, as_of)
    show(dict(sorted(row.items())), json_)


@main.command("explain")
@click.argument("entity")
@click.argument("customer")
@as_of_option
@click.option("--why-not", metavar="STAGE/RULE", help="What would have to change for this rule to hold.")
@as_json
@with_runtime
def explain_command(
    runtime: Runtime, entity: str, customer: str, as_of: int | None, why_not: str | None, json_: bool
) -> None:
    """Explain what the rules decide for CUSTOMER of ENTITY, and why."""
    from admin.explaining import explanation_lines, explanation_values, why_not_lines

    row, decided = _decide(runtime, entity, customer, as_of)
    if why_not is not None:
        stage, _, rule = why_not.partition("/")
        lines = why_not_lines(row, decided.book, stage, rule)
        show({"why_not": lines}, True) if json_ else click.echo("\n".join(lines))
        return
    if json_:
        show(explanation_values(row, decided.book), True)
    else:
        click.echo("\n".join(explanation_lines(row, decided.book)))


def _decide(runtime: Runtime, entity: str, customer: str, as_of: int | None) -> Any:
    from engine.pipeline import decide_customer

    found = find_entity(entity)
    day = runtime.today(found) if as_of is None else as_of
    return decide_customer(runtime, find_customer(found, customer).id, day)


@main.group("report")
def report_group() -> None:
    """Reports as of any day."""


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
    return "no rate" if minor is None else format_minor(minor, entity.currency)


@main.command("go-live")
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


@main.command("verify")
@as_json
@with_runtime
def verify_command(runtime: Runtime, json_: bool) -> None:
    """Check balances, standings, the audit chain and the database's settings; exit 1 on a finding."""
    from engine.verify import verify

    report = verify(runtime)
    show(report.values(), json_)
    if not report.sound:
        sys.exit(1)


@main.command("user")
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
    from admin.accounts import create_user

    answer = create_user(runtime, find_user(email), address, name or address.split("@")[0], roles, entities)
    show(answer, json_)


@main.command("serve")
def serve_command() -> None:
    """Serve the console at DUNWELL_BIND."""
    open_runtime().close()
    environment = starting.with_secret(os.environ)
    bind = starting.bind_address(environment.get("DUNWELL_BIND", "").strip() or "127.0.0.1:0")
    click.echo(f"The console is at http://{bind}/")
    sys.stdout.flush()
    starting.replace_process(starting.serve_command(bind), environment)


@main.command("work")
def work_command() -> None:
    """Run a worker: nightly runs, changed customers, messages."""
    open_runtime().close()
    starting.replace_process(starting.work_command(), starting.with_secret(os.environ))
