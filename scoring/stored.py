"""Stored models: what must hold of a model's bytes before anything in them is believed."""

import hashlib
import json
from typing import Any

from ledger.canonical import canonical


def document_of(body: str | bytes, sha256: str, bytes_max: int) -> tuple[dict[str, Any] | None, list[str]]:
    """Read a model's document, refusing anything but what its name says.

    Args:
        body: canonical JSON.
        sha256: the name it was registered under.
        bytes_max: how large it may be.

    Returns:
        The document and no problems, or None and why it is refused.
    """
    raw = body.encode() if isinstance(body, str) else bytes(body)
    if len(raw) > bytes_max:
        return None, [f"the model is larger than {bytes_max} bytes"]
    if hashlib.sha256(raw).hexdigest() != sha256:
        return None, ["the model's content does not match its sha256: it was changed after training"]
    try:
        document = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return None, ["the model is not JSON; pickles and other formats are refused"]
    if not isinstance(document, dict) or canonical(document).encode() != raw:
        return None, ["the model is not canonical JSON"]
    return document, []


def whole(value: object, bound: int) -> int:
    """A whole number within a bound either way.

    Raises:
        ValueError: it is none; True and 1.0 are none either.
    """
    if type(value) is not int or abs(value) > bound:
        raise ValueError(f"{value!r} is not a whole number within {bound}")
    return value
