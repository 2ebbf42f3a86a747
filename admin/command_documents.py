"""Commands about the documents of invoices: a folder of PDF files is kept, each beside its invoice."""

import sys
from pathlib import Path

import click

from admin.command_parts import actor_option, as_json, find_entity, find_user, show, show_table, with_runtime
from engine.runtime import Runtime

FILES_MAX = 100_000  # of one folder


@click.group("documents")
def documents_group() -> None:
    """Documents of invoices: the PDF files that reminders carry."""


@documents_group.command("import")
@click.argument("entity")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@actor_option
@as_json
@with_runtime
def import_command(runtime: Runtime, entity: str, folder: Path, email: str | None, json_: bool) -> None:
    """Keep the PDF files of FOLDER, each with the invoice of ENTITY its name says; exit 1 if one is not kept.

    A name is the invoice's number, or has it at its beginning or end: R-1001.pdf, Invoice_R-1001.pdf.
    """
    from engine.commands import CommandError
    from engine.invoice_documents import DOCUMENT_BYTES_MAX, AttachInvoiceDocument, invoices_named

    actor = find_user(email)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf" and path.is_file())[:FILES_MAX]
    named = invoices_named(find_entity(entity), [path.stem for path in files])
    counts = {"kept": 0, "known": 0, "refused": 0}
    refused: list[tuple[str, str]] = []
    for path in files:
        number, customers = named.get(path.stem, ("", ()))
        if len(customers) != 1:
            why = f"{len(customers)} customers have an invoice {number}" if customers else "no invoice has this number"
            refused.append((path.name, why))
            continue
        with path.open("rb") as file:
            content = file.read(DOCUMENT_BYTES_MAX + 1)
        command = AttachInvoiceDocument(
            actor=actor, reason=f"imported {path.name}"[:200], customer=customers[0], number=number,
            name=path.name, content=content,
        )  # fmt: skip
        try:
            counts["kept" if runtime.execute(command)["new"] else "known"] += 1
        except CommandError as error:
            refused.append((path.name, str(error)))
    counts["refused"] = len(refused)
    if json_:
        show({**counts, "files": [{"file": name, "why": why} for name, why in refused]}, True)
    else:
        show(counts, False)
        if refused:
            show_table(["file", "why"], refused)
    if refused:
        sys.exit(1)
