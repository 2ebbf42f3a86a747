"""Verify: what must always hold, rebuilt from the entries and decisions and compared with what is stored."""

from engine.verify.report import Check, Report
from engine.verify.running import HEADS_FILE, latest, verify, verify_nightly

__all__ = ["HEADS_FILE", "Check", "Report", "latest", "verify", "verify_nightly"]
