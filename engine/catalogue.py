"""Catalogue: importing this registers every command, for whoever lists or looks them up by name."""

from engine import (
    absences,
    after_run,
    alerts,
    answers,
    charging,
    comments,
    contacts,
    corrections,
    desk_work,
    diary,
    disputes,
    doubt,
    edited_texts,
    gateway_addresses,
    going_live,
    governance,
    importing,
    invoice_documents,
    letterhead,
    notes,
    overrides,
    people,
    posting,
    received,
    regimes,
    replays,
    restoring,
    saved_views,
    sending_terms,
    setting_up,
    stopping,
    training,
)
from engine.commands import COMMANDS, Registered

__all__ = ["COMMANDS", "MODULES", "all_commands"]

MODULES = (
    absences,
    after_run,
    alerts,
    answers,
    charging,
    comments,
    contacts,
    corrections,
    desk_work,
    diary,
    disputes,
    doubt,
    edited_texts,
    gateway_addresses,
    going_live,
    governance,
    importing,
    invoice_documents,
    letterhead,
    notes,
    overrides,
    people,
    posting,
    received,
    regimes,
    replays,
    restoring,
    saved_views,
    sending_terms,
    setting_up,
    stopping,
    training,
)


def all_commands() -> dict[str, Registered]:
    """Every command by name."""
    return dict(sorted(COMMANDS.items()))
