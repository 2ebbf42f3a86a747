"""Stored models of either kind, read through one door."""

from scoring.invoice_model import KIND, InvoiceModel, load_invoice_model
from scoring.model import Model, load

OF_INVOICES = f'"kind":"{KIND}"'


def load_any(body: str, sha256: str) -> tuple[Model | InvoiceModel | None, list[str]]:
    """Read a stored model, refusing anything but what its name says.

    Args:
        body: canonical JSON.
        sha256: the name it was registered under.

    Returns:
        The model and no problems, or None and why it is refused.
    """
    return (load_invoice_model if OF_INVOICES in body else load)(body, sha256)
