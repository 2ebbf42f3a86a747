"""What the commands of the command line share: the runtime, one clear line for an error, how values are printed."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import wraps
from typing import Any, NoReturn

import click
from peewee import DatabaseError

from admin import starting
from engine import runtime as composition
from engine.commands import Invalid
from engine.database import WeakDatabase
from engine.runtime import Runtime
from engine.settings import Settings
from engine.tables import Customer, Entity, User
from ledger.days import day_of
from ledger.problems import Hindrance

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
    try:
        return composition.build(settings)
    except (WeakDatabase, OSError) as error:
        fail(f"the database cannot be opened: {error}")
    except DatabaseError as error:
        fail(f"the database is damaged or is none: {error}. Cure: restore the last backup that verified")


def with_runtime(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the runtime first, close it after, and turn refusals into one line."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        runtime = open_runtime()
        try:
            return function(runtime, *args, **kwargs)
        except Invalid as error:
            fail("; ".join(f"{p.place}: {p.what}. Cure: {p.cure}" for p in error.problems))
        except (Hindrance, ValueError) as error:
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
