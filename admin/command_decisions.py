"""Commands about decisions: the log of them, for auditors and for other systems."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from admin.command_parts import DAY, as_json, fail, find_entity, show, with_runtime
from engine.runtime import Runtime


@click.group("decisions")
def decisions_group() -> None:
    """Decisions as they were recorded."""


@decisions_group.command("export")
@click.option("--from", "from_day", type=DAY, required=True, help="First day decided.")
@click.option("--to", "to_day", type=DAY, required=True, help="Last day decided, itself included.")
@click.option("--entity", "code", metavar="CODE", help="One entity; all if left out.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@as_json
@with_runtime
def export_command(
    runtime: Runtime, from_day: int, to_day: int, code: str | None, file: Path | None, json_: bool
) -> None:
    """Write the decision log of some days to FILE, or to standard output: one JSON line per decision.

    docs/decision-log.md says what each field means.
    """
    from engine.decision_log import decisions_between, log_lines

    if to_day < from_day:
        fail("--to lies before --from")
    lines = log_lines(runtime, decisions_between(from_day, to_day, None if code is None else find_entity(code)))
    if file is None:
        for line in lines:
            sys.stdout.write(line)
        return
    show({"decisions": _written(lines, file), "file": str(file)}, json_)


def _written(lines: Iterator[str], file: Path) -> int:
    """Write lines to a file that is there whole or not at all; how many there were."""
    unfinished = file.with_name(f".{file.name}.part")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as out:
            for line in lines:
                out.write(line)
                count += 1
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        fail(f"{file} cannot be written: {error}")
    return count
