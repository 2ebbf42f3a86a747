"""Catalogue: importing this registers every command, for whoever lists or looks them up by name."""

from engine import (
    after_run,
    alerts,
    answers,
    charging,
    comments,
    corrections,
    diary,
    disputes,
    doubt,
    gateway_addresses,
    going_live,
    governance,
    importing,
    invoice_documents,
    letterhead,
    overrides,
    people,
    posting,
    received,
    regimes,
    replays,
    restoring,
    sending_terms,
    setting_up,
    stopping,
    training,
)
from engine.commands import COMMANDS, Registered

__all__ = ["COMMANDS", "MODULES", "all_commands"]

MODULES = (
    after_run,
    alerts,
    answers,
    charging,
    comments,
    corrections,
    diary,
    disputes,
    doubt,
    gateway_addresses,
    going_live,
    governance,
    importing,
    invoice_documents,
    letterhead,
    overrides,
    people,
    posting,
    received,
    regimes,
    replays,
    restoring,
    sending_terms,
    setting_up,
    stopping,
    training,
)


def all_commands() -> dict[str, Registered]:
    """Every command by name."""
    return dict(sorted(COMMANDS.items()))
