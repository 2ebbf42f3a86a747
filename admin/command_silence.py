"""``dunwell why-silent``: why nothing was sent to a customer on a day, in the words of the console."""

import click
from flask_babel import force_locale

from admin.command_parts import DAY, as_json, fail, show, show_table, with_runtime
from engine.runtime import Runtime
from engine.silence import plain, silence_of
from engine.tables import Customer, Entity
from ledger.days import date_of


@click.command("why-silent")
@click.argument("customer")
@click.option("--entity", metavar="CODE", help="Of the customer; needed where several entities have that number.")
@click.option("--day", type=DAY, help="The day asked about; today if left out.")
@as_json
@with_runtime
def why_silent_command(runtime: Runtime, customer: str, entity: str | None, day: int | None, json_: bool) -> None:
    """Say why nothing was sent to CUSTOMER on a day, or what was, and which steps come."""
    from admin.app import create_app
    from admin.silence_words import holds_words, sentence
    from admin.steps import step_label
    from admin.wording import channel_words

    who = _customer(customer, entity)
    silence = silence_of(runtime, who, runtime.today(who.entity) if day is None else day)
    with create_app(runtime).app_context(), force_locale("en"):
        said = [sentence(finding, who.entity) for finding in silence.findings]
        if json_:
            show({"customer": customer, **plain(silence), "said": said}, True)
            return
        click.echo(f"{date_of(silence.day).isoformat()}  {said[0]}")
        for line in said[1:]:
            click.echo(f"            {line}")
        if silence.coming:
            click.echo("\nWhat comes if nothing is paid:")
            heads = ["on", "channel", "step", "what could hold it back"]
            rows = [
                (date_of(one.day).isoformat(), channel_words(one.channel), step_label(one.step), holds_words(one))
                for one in silence.coming
            ]
            show_table(heads, rows)


def _customer(number: str, code: str | None) -> Customer:
    query = Customer.select(Customer, Entity).join(Entity).where(Customer.number == number)
    found = list(query if code is None else query.where(Entity.code == code))
    if not found:
        fail(f"there is no customer {number}")
    if len(found) > 1:
        codes = ", ".join(sorted(str(one.entity.code) for one in found))
        fail(f"customer {number} is there in several entities. Cure: --entity with one of {codes}")
    one: Customer = found[0]
    return one
