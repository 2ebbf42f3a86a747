"""Commands for documents in repositories and pipelines: check, diff, simulate, propose, export, import."""

import difflib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from admin.command_parts import DAY, as_json, fail, find_entity, find_user, show, show_table, with_runtime
from engine.runtime import Runtime
from engine.tables import Document, Entity
from ledger.days import date_of
from ledger.problems import Problem
from rules.stages import POINT_OUTCOMES

Body = Mapping[str, Any]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
files_argument = click.argument("files", nargs=-1, required=True, type=FILE)
from_option = click.option("--from", "from_day", type=DAY, help="The day it would hold from; today if left out.")
entity_option = click.option("--entity", "code", metavar="CODE", help="One entity; all it decides for if left out.")


@click.group("policy")
def policy_group() -> None:
    """Policies, parameters and derived facts as files: the same checks, trials and approvals as in the console."""


@policy_group.command("check")
@files_argument
@as_json
@with_runtime
def check_command(runtime: Runtime, files: tuple[Path, ...], json_: bool) -> None:
    """Check FILES with each other and with what is in force; exit 1 on an error."""
    from engine.findings import findings

    read = {file: body_of(file) for file in files}
    found = [(file, problem) for file, body in read.items() for problem in findings(body, beside=list(read.values()))]
    errors = sum(problem.severity == "error" for _, problem in found)
    if json_:
        problems = [{"file": str(file), **_said(problem)} for file, problem in found]
        show({"errors": errors, "problems": problems}, True)
    else:
        for file, problem in found:
            place = f"{file}{problem.place if problem.place.startswith('/') else ': ' + problem.place}"
            click.echo(f"{problem.severity}: {place}: {problem.what}. Cure: {problem.cure}")
        click.echo(f"{len(files)} checked, {errors} errors, {len(found) - errors} warnings")
    if errors:
        sys.exit(1)


@policy_group.command("diff")
@click.argument("file", type=FILE)
@click.option("--document", "as_document", is_flag=True, help="Line by line as JSON instead of in words.")
@as_json
@with_runtime
def diff_command(runtime: Runtime, file: Path, as_document: bool, json_: bool) -> None:
    """Say what FILE changes against the newest approved version of its scope."""
    from rules.differences import document_differences
    from rules.words import Voice

    body = body_of(file)
    before = newest_like(body)
    old: Body | None = None if before is None else json.loads(before.body)
    if as_document:
        sides = [[] if one is None else _lines(one) for one in (old, body)]
        names = ("nothing" if before is None else before.sha256[:12], str(file))
        lines = list(difflib.unified_diff(*sides, *names, lineterm=""))
    elif old is None:
        lines = ["nothing of its scope is approved yet: all of it is new"]
    else:
        entity = _entity_of(body)
        voice = Voice(currency="EUR" if entity is None else entity.currency)
        lines = [str(difference) for difference in document_differences(old, body, voice)]
    if json_:
        show({"replaces": None if before is None else before.sha256, "differences": lines}, True)
    else:
        click.echo("\n".join(lines) if lines else "no difference")


@policy_group.command("simulate")
@files_argument
@entity_option
@from_option
@as_json
@with_runtime
def simulate_command(
    runtime: Runtime, files: tuple[Path, ...], code: str | None, from_day: int | None, json_: bool
) -> None:
    """Try FILES together on every customer: what would change, from which outcome to which. Writes nothing."""
    from engine.simulation import simulate

    bodies = [body_of(file) for file in files]
    entities = _entities(bodies, code)
    found = {one.code: simulate(runtime, one, bodies, from_day=from_day) for one in entities}
    if json_:
        show({code: simulation.values() for code, simulation in found.items()}, True)
        return
    for name, simulation in found.items():
        day = date_of(simulation.as_of_day)
        click.echo(f"{name}: {simulation.changed:,} of {simulation.customers:,} customers change, facts of {day}")
        rows = [
            (stage.stage, _outcome(move.before), _outcome(move.after), f"{move.customers:,}")
            for stage in simulation.stages
            if stage.changed
            for move in stage.moves
            if move.before != move.after and not (stage.outcome in POINT_OUTCOMES and move.after == "unchanged")
        ]
        if rows:
            show_table(["stage", "from", "to", "customers"], rows)


@policy_group.command("propose")
@click.argument("file", type=FILE)
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who proposes; another person approves.")
@click.option("--reason", required=True, help="Why, for whoever approves.")
@from_option
@as_json
@with_runtime
def propose_command(runtime: Runtime, file: Path, email: str, reason: str, from_day: int | None, json_: bool) -> None:
    """Propose FILE, with its simulation attached, for another person to approve."""
    from engine.governance import ProposeDocument
    from engine.simulation import impact_of

    body = body_of(file)
    entities = _entities([body], None)
    day = max((runtime.today(one) for one in entities), default=runtime.today()) if from_day is None else from_day
    before = newest_like(body)
    command = ProposeDocument(
        actor=find_user(email),
        reason=reason,
        document=body,
        from_day=day,
        impact=impact_of(runtime, entities, body, day),
        replaces=None if before is None else before.sha256,
    )
    show({**runtime.execute(command), "from": date_of(day).isoformat()}, json_)


@policy_group.command("export")
@click.argument("key")
@entity_option
@click.option("--sha256", help="A version by its sha256 or the beginning of it; the newest approved if left out.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file; standard output if left out.")
@click.option("--xlsx", is_flag=True, help="As a decision table in an Excel file; --out names it.")
@as_json
@with_runtime
def export_command(
    runtime: Runtime, key: str, code: str | None, sha256: str | None, out: Path | None, xlsx: bool, json_: bool
) -> None:
    """Write a version of KEY byte by byte as it is kept: the sha256 of the file is the version's name."""
    entity = None if code is None else find_entity(code)
    query = Document.select().where(
        Document.key == key, Document.entity.is_null() if entity is None else Document.entity == entity.id
    )
    chosen = Document.status.in_(("approved", "live")) if sha256 is None else Document.sha256.startswith(sha256)
    row = query.where(chosen).order_by(Document.from_day.desc(), Document.id.desc()).first()
    if row is None:
        known = sorted({one.key for one in Document.select(Document.key).distinct()})
        fail(f"there is no such version of {key}; known documents: {', '.join(known) or 'none'}")
    if xlsx:
        _export_table(row, out, json_)
    elif out is not None:
        out.write_bytes(row.body.encode())
        show({"sha256": row.sha256, "file": str(out), "bytes": len(row.body.encode())}, json_)
    elif json_:
        show({"sha256": row.sha256, "document": json.loads(row.body)}, True)
    else:
        sys.stdout.buffer.write(row.body.encode())


def _export_table(row: Document, out: Path | None, json_: bool) -> None:
    """Write a version as an Excel file."""
    from admin.table_documents import file_of, spoken_for

    if out is None:
        fail("an Excel file is not for a terminal. Cure: name it with --out policy.xlsx")
    content, problems = file_of(row, spoken_for(row, "en"))
    if content is None:
        fail("; ".join(f"{row.key}{p.place}: {p.what}. Cure: {p.cure}" for p in problems))
    out.write_bytes(content)
    show({"sha256": row.sha256, "file": str(out), "bytes": len(content)}, json_)


@policy_group.command("import")
@files_argument
@click.option("--as", "email", metavar="EMAIL", required=True, help="Whose drafts they become.")
@as_json
@with_runtime
def import_command(runtime: Runtime, files: tuple[Path, ...], email: str, json_: bool) -> None:
    """Keep FILES (JSON, or Excel files of decision tables) as drafts; what is wrong with them is said."""
    from engine.governance import SaveDraft

    actor = find_user(email)
    read = {file: _any_body_of(file) for file in files}  # all of them before any is kept
    kept = []
    for file, body in read.items():
        answer = runtime.execute(SaveDraft(actor=actor, reason=f"imported {file.name}", document=body))
        kept.append({"file": str(file), **answer})
    if json_:
        show({"drafts": kept}, True)
        return
    rows = [(one["file"], one["document"], one["sha256"][:12], len(one["problems"])) for one in kept]
    show_table(["file", "document", "sha256", "findings"], rows)


@policy_group.command("stop")
@click.argument("key")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who stops it; one person is enough.")
@click.option("--reason", required=True, help="Why.")
@entity_option
@as_json
@with_runtime
def stop_command(runtime: Runtime, key: str, email: str, reason: str, code: str | None, json_: bool) -> None:
    """Stop the policy KEY at once: its stage changes nothing, its messages wait."""
    from engine.stopping import StopPolicy

    show(runtime.execute(StopPolicy(actor=find_user(email), reason=reason, policy=key, entity=code)), json_)


@policy_group.command("resume")
@click.argument("key")
@click.option("--as", "email", metavar="EMAIL", required=True, help="Who proposes it, or who approves: two people.")
@click.option("--reason", required=True, help="Why.")
@entity_option
@as_json
@with_runtime
def resume_command(runtime: Runtime, key: str, email: str, reason: str, code: str | None, json_: bool) -> None:
    """Propose that the stopped policy KEY goes on, or approve what another person proposed."""
    from engine.stopping import ApproveResume, ProposeResume, stop_of

    actor = find_user(email)
    stop = stop_of(key, None if code is None else find_entity(code))
    proposed_by = None if stop is None else stop.resume_by_id
    command = ProposeResume if proposed_by in (None, actor) else ApproveResume
    show(runtime.execute(command(actor=actor, reason=reason, policy=key, entity=code)), json_)


def body_of(file: Path) -> dict[str, Any]:
    """A document read from a file."""
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        fail(f"{file}: is not JSON ({error})")
    if not isinstance(body, dict):
        fail(f"{file}: is no document. Cure: give an object with kind policy, parameters, derived_facts or template")
    return body


def _any_body_of(file: Path) -> dict[str, Any]:
    """A document read from JSON, or from an Excel file of a version kept here."""
    if file.suffix.lower() != ".xlsx":
        return body_of(file)
    from admin.table_documents import document_of_file
    from admin.table_import import FILE_BYTES_MAX

    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    body, problems = document_of_file(content, file.name, lambda _row: True)
    if body is None:
        for problem in problems[:-1]:
            click.echo(f"dunwell: {problem.place}: {problem.what}. Cure: {problem.cure}", err=True)
        fail(f"{problems[-1].place}: {problems[-1].what}. Cure: {problems[-1].cure}")
    return body


def newest_like(body: Body) -> Document | None:
    """The newest approved version of a document's scope."""
    from engine.versions import head_of

    entity = _entity_of(body)
    row = Document(
        kind=body.get("kind"),
        key=body.get("key"),
        stage=body.get("stage"),
        subject=body.get("subject", "customer"),
        entity=entity,
        id=0,
    )
    return head_of(row)


def _entity_of(body: Body) -> Entity | None:
    code = body.get("entity")
    return None if code is None else find_entity(str(code))


def _entities(bodies: list[dict[str, Any]], code: str | None) -> list[Entity]:
    """The entities to try on: the one asked for, those the documents are for, or all."""
    if code is not None:
        return [find_entity(code)]
    own = [entity for body in bodies if (entity := _entity_of(body)) is not None]
    return own or list(Entity.select().order_by(Entity.code))


def _lines(body: Body) -> list[str]:
    return json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True).splitlines()


def _outcome(value: Any) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _said(problem: Problem) -> dict[str, str]:
    return {"severity": problem.severity, "place": problem.place, "what": problem.what, "cure": problem.cure}
