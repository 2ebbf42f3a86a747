"""Commands about the claim account and hand-overs: figures, charges, rates from a file, the file of a hand-over."""

from pathlib import Path

import click

from admin.command_parts import (
    DAY,
    actor_option,
    as_json,
    fail,
    find_customer,
    find_entity,
    find_user,
    show,
    show_table,
    with_runtime,
)
from engine.runtime import Runtime
from ledger.days import date_of
from ledger.money import format_minor

reason_option = click.option("--reason", required=True, help="Why; kept in the audit trail.")


@click.group("interest")
def interest_group() -> None:
    """Late interest, fixed sums and costs: the claim account of a customer, and the rates."""


@interest_group.command("show")
@click.argument("entity")
@click.argument("customer")
@click.option("--as-of", "day", type=DAY, help="A past day; by default today.")
@as_json
@with_runtime
def show_command(runtime: Runtime, entity: str, customer: str, day: int | None, json_: bool) -> None:
    """Print the claim account of CUSTOMER of ENTITY: interest by invoice, what is charged and open."""
    from engine.claim_account import claim_account_of

    of = find_entity(entity)
    account = claim_account_of(runtime, find_customer(of, customer), runtime.today(of) if day is None else day)
    rows = [
        {
            "invoice": claim.line.number,
            "due_on": date_of(claim.line.debt.due_day).isoformat(),
            "currency": claim.line.currency,
            "interest_minor": claim.interest.amount_minor,
            "charged_minor": claim.charged_minor,
        }
        for claim in account.claims
    ]
    values = {
        "regime": None if account.regime is None else account.regime.key,
        "open_minor": account.open_minor(),
        "rates_end": account.overtaken,
    }
    if json_:
        show({**values, "lines": rows}, json_)
        return
    show({**values, "open_minor": ", ".join(format_minor(v, k) for k, v in account.open_minor().items()) or "0"}, json_)
    if rows:
        show_table(list(rows[0]), [list(row.values()) for row in rows])


@interest_group.command("charge")
@click.argument("entity")
@click.argument("customer")
@click.option("--since", "since_day", type=DAY, help="Charge lines paid late as well, if due since that day.")
@actor_option
@reason_option
@as_json
@with_runtime
def charge_command(
    runtime: Runtime, entity: str, customer: str, since_day: int | None, email: str | None, reason: str, json_: bool
) -> None:
    """Bring the claim account of CUSTOMER of ENTITY up to date."""
    from engine.charging import ChargeClaims

    found = find_customer(find_entity(entity), customer)
    command = ChargeClaims(actor=find_user(email), reason=reason, customer=found.id, since_day=since_day)
    show(runtime.execute(command), json_)


@interest_group.command("import-rates")
@click.argument("table")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--known-until", "until_day", type=DAY, required=True, help="Last day the table is complete for.")
@actor_option
@reason_option
@as_json
@with_runtime
def import_rates_command(
    runtime: Runtime, table: str, file: Path, until_day: int, email: str | None, reason: str, json_: bool
) -> None:
    """Take the rates of FILE (CSV: from, rate) into a draft of the next version of TABLE; two people approve it."""
    from engine.regimes import FILE_BYTES_MAX, ImportRates

    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    values = {"table": table, "content": content, "known_until_day": until_day}
    show(runtime.execute(ImportRates(actor=find_user(email), reason=reason, **values)), json_)


@click.group("hand-over")
def hand_over_group() -> None:
    """Debts that go to an agency, an insurer or a court."""


@hand_over_group.command("propose")
@click.argument("entity")
@click.argument("customer")
@click.option("--to", "target", type=click.Choice(["agency", "insurer", "court"]), required=True)
@click.option("--recipient", required=True, help="Its name.")
@actor_option
@reason_option
@as_json
@with_runtime
def propose_command(
    runtime: Runtime,
    entity: str,
    customer: str,
    target: str,
    recipient: str,
    email: str | None,
    reason: str,
    json_: bool,
) -> None:
    """Propose that all CUSTOMER of ENTITY owes goes there; another person approves."""
    from engine.handing_over import ProposeHandOver

    found = find_customer(find_entity(entity), customer)
    values = {"customer": found.id, "target": target, "recipient": recipient}
    show(runtime.execute(ProposeHandOver(actor=find_user(email), reason=reason, **values)), json_)


@hand_over_group.command("approve")
@click.argument("number", type=int)
@actor_option
@reason_option
@as_json
@with_runtime
def approve_command(runtime: Runtime, number: int, email: str | None, reason: str, json_: bool) -> None:
    """Approve hand-over NUMBER, as another person."""
    from engine.handing_over import ApproveHandOver

    show(runtime.execute(ApproveHandOver(actor=find_user(email), reason=reason, hand_over=number)), json_)


@hand_over_group.command("note")
@click.argument("number", type=int)
@click.argument("state", type=click.Choice(["accepted", "rejected", "recovered", "closed"]))
@click.option("--amount-minor", type=int, help="What was recovered, in minor units.")
@click.option("--currency", help="Of what was recovered; by default the entity's.")
@actor_option
@reason_option
@as_json
@with_runtime
def note_command(
    runtime: Runtime,
    number: int,
    state: str,
    amount_minor: int | None,
    currency: str | None,
    email: str | None,
    reason: str,
    json_: bool,
) -> None:
    """Say what came back about hand-over NUMBER; rejected or closed, the debt is dunned again."""
    from engine.handing_over import NoteHandOver

    values = {"hand_over": number, "state": state, "amount_minor": amount_minor, "currency": currency}
    show(runtime.execute(NoteHandOver(actor=find_user(email), reason=reason, **values)), json_)


@hand_over_group.command("file")
@click.argument("number", type=int)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
@with_runtime
def file_command(runtime: Runtime, number: int, folder: Path, json_: bool) -> None:
    """Write the ZIP of hand-over NUMBER into FOLDER: register, statement, documents, letters, index."""
    from engine.hand_over_file import hand_over_zip
    from engine.tables import HandOver

    row = HandOver.get_or_none(HandOver.id == number)
    if row is None:
        fail(f"no hand-over {number}")
    name, content = hand_over_zip(runtime, row)
    (folder / name).write_bytes(content)
    show({"file": str(folder / name), "bytes": len(content)}, json_)
