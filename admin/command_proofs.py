"""Commands that prove: what is stored is what entries and decisions give, and a past day comes out the same."""

import sys
from pathlib import Path

import click

from admin.command_parts import DAY, as_json, fail, find_entity, show, show_table, with_runtime
from engine.runtime import Runtime
from ledger.days import date_of


@click.command("verify")
@click.option(
    "--heads",
    "heads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of var/audit-heads.jsonl kept elsewhere: shows a chain that was rewritten whole.",
)
@as_json
@with_runtime
def verify_command(runtime: Runtime, heads: Path | None, json_: bool) -> None:
    """Rebuild what must hold, compare, and keep the result for the dashboard; exit 1 on a finding."""
    from engine.verify import verify

    report = verify(runtime, heads)
    values = report.values()
    if json_:
        show(values, True)
    else:
        rows = [(c.name, c.checked, c.found, f"{c.seconds:.2f}") for c in report.checks]
        show_table(["check", "checked", "found", "seconds"], rows)
        for check in report.checks:
            for finding in check.findings:
                click.echo(f"{check.name}: {finding.place}: {finding.what}. Cure: {finding.cure}")
            if check.found > len(check.findings):
                click.echo(f"{check.name}: and {check.found - len(check.findings)} more")
        click.echo(f"audit head {report.audit_head} after {report.audit_entries} entries")
        click.echo("all well" if report.sound else f"NOT SOUND: {report.found} findings")
    if not report.sound:
        sys.exit(1)


@click.command("replay")
@click.argument("day", type=DAY)
@click.option("--entity", "code", metavar="CODE", help="One entity; all if left out.")
@as_json
@with_runtime
def replay_command(runtime: Runtime, day: int, code: str | None, json_: bool) -> None:
    """Decide DAY again from stored facts and editions, writing nothing; exit 1 on a difference."""
    from engine.replaying import decided_on, replay_day

    entities = decided_on(day) if code is None else [find_entity(code)]
    if not entities:
        fail(f"nothing was decided as of {date_of(day)}")
    replays = [replay_day(runtime, entity, day) for entity in entities]
    found = sum(replay.found for replay in replays)
    if json_:
        show({"found": found, "replays": [replay.values() for replay in replays]}, True)
    else:
        rows = [(r.entity, r.runs, r.decisions, r.found) for r in replays]
        show_table(["entity", "runs", "decisions", "differences"], rows)
        for replay in replays:
            for difference in replay.differences:
                click.echo(f"{replay.entity}: {difference}")
        click.echo("no difference" if not found else f"{found} differences")
    if found:
        sys.exit(1)
