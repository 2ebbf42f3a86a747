"""Standings: where a customer stands in an escalation. The fold itself is pure: ``rules.standing``."""

from rules.standing import Contacted, Event, Moved, Stand, event_of, fold, fold_all, kept_event

__all__ = ["Contacted", "Event", "Moved", "Stand", "event_of", "fold", "fold_all", "kept_event"]
