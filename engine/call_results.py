"""Results that a call or task may have, and what each asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

WORK_CHANNELS = ("call", "task")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result a call or task may have.

    Args:
        label: what the console calls it.
        reached: whether the customer was reached, so that it counts as a contact.
        follow_up: name of the command the console offers next, or None.
    """

    label: str
    reached: bool = False
    follow_up: str | None = None


RESULTS: Mapping[str, Result] = {
    "promised": Result(label="Promised to pay", reached=True, follow_up="RecordPromise"),
    "disputed": Result(label="Disputes the invoice", reached=True, follow_up="RecordDispute"),
    "already_paid": Result(label="Says it is paid", reached=True, follow_up="SetBlock"),
    "refused": Result(label="Refuses to pay", reached=True),
    "reached": Result(label="Spoken to, no commitment", reached=True),
    "no_answer": Result(label="No answer"),
    "wrong_contact": Result(label="Wrong contact"),
    "contact_found": Result(label="Contact found"),
    "done": Result(label="Done"),
}
RESULTS_OF = {
    "call": ("promised", "disputed", "already_paid", "refused", "reached", "no_answer", "wrong_contact"),
    "task": ("done", "contact_found"),
}

# What a result says beside itself, and which of it cannot be left out when anything is said.
AGREED = {
    "promised": frozenset({"due_line", "amount_minor", "agreed_day"}),
    "disputed": frozenset({"due_line", "amount_minor"}),
    "already_paid": frozenset({"due_line", "agreed_day"}),
}
NEEDED = {
    "promised": frozenset({"amount_minor", "agreed_day"}),
    "disputed": frozenset({"due_line"}),
    "already_paid": frozenset({"agreed_day"}),
}
