"""Documents of invoices: looked at on the customer's page, kept by whoever imports."""

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from engine import access
from engine.commands import Invalid
from engine.invoice_documents import DOCUMENT_BYTES_MAX, AttachInvoiceDocument, content_of
from engine.tables import Customer, DocumentContent, InvoiceDocument
from engine.vault import WrongSecret
from notifiers.gateways import Attachment

blueprint = Blueprint("invoice_documents", __name__, url_prefix="/customers/<int:customer_id>/documents")


def file_answer(file: Attachment) -> Response:
    """A file to keep, byte for byte."""
    answer = Response(file.content, mimetype=file.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=file.name)
    return answer


def _customer(customer_id: int) -> Customer:
    """A customer of the reader's; 404 otherwise."""
    found: Customer | None = access.visible_to(
        current_user.id, Customer.select().where(Customer.id == customer_id)
    ).first()
    if found is None:
        abort(404)
    return found


@blueprint.get("/<int:document_id>")
@gate.needs("customers.view")
def download(customer_id: int, document_id: int) -> ResponseReturnValue:
    """One document."""
    customer = _customer(customer_id)
    found = InvoiceDocument.get_or_none(
        InvoiceDocument.id == document_id,
        InvoiceDocument.customer == customer,
        InvoiceDocument.removed_at.is_null(),
    )
    if found is None:
        abort(404)
    try:
        content = content_of(gate.runtime(), found.sha256)
    except (DocumentContent.DoesNotExist, WrongSecret):
        flash(_("What is kept of this document is damaged: restore a backup that verified."), "error")
        return redirect(url_for("customers.customer_page", customer_id=customer_id, _anchor="documents"), 303)
    return file_answer(Attachment(found.name, "application/pdf", content))


@blueprint.post("")
@gate.needs("import.run")
def attach(customer_id: int) -> ResponseReturnValue:
    """Keep the PDF of an invoice."""
    customer = _customer(customer_id)
    back = redirect(url_for("customers.customer_page", customer_id=customer_id, _anchor="documents"), 303)
    file = request.files.get("file")
    if file is None or not file.filename:
        flash(_("Choose a file."), "error")
        return back
    command = AttachInvoiceDocument(
        actor=current_user.id,
        reason=f"attached {file.filename}"[:200],
        customer=customer.id,
        number=request.form.get("number", ""),
        name=file.filename,
        content=file.stream.read(DOCUMENT_BYTES_MAX + 1),
    )
    try:
        answer = gate.runtime().execute(command)
    except Invalid as error:
        for problem in error.problems:
            words = _("%(file)s: %(what)s; %(cure)s.", file=command.name, what=problem.what, cure=problem.cure)
            flash(words, "error")
        return back
    words = (
        _("%(file)s is kept.", file=command.name)
        if answer["new"]
        else _("%(file)s was kept before.", file=command.name)
    )
    flash(words, "success")
    return back
