"""What verifying finds, as plain values."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ledger.problems import Problem

FINDINGS_MAX = 100  # kept of each check; all are counted
RESTORE = "restore the last backup that verified, then import what came since"

# A number: so many more were looked at. A problem: what does not hold.
Seen: TypeAlias = int | Problem


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold.

    Args:
        name: what was checked.
        checked: how many of it.
        findings: what does not hold, with place and cure; the first FINDINGS_MAX.
        found: how many there were.
        seconds: how long it took.
    """

    name: str
    checked: int
    findings: tuple[Problem, ...]
    found: int
    seconds: float

    def values(self) -> dict[str, Any]:
        """The check as plain values."""
        return {
            "name": self.name,
            "checked": self.checked,
            "found": self.found,
            "seconds": self.seconds,
            "findings": [{"place": f.place, "what": f.what, "cure": f.cure} for f in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found.

    Args:
        at: when it began, microseconds UTC.
        checks: each thing that must hold.
        audit_entries, audit_head: to be kept outside.
    """

    at: int
    checks: tuple[Check, ...]
    audit_entries: int
    audit_head: str

    @property
    def found(self) -> int:
        """How many findings there are."""
        return sum(check.found for check in self.checks)

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return self.found == 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return round(sum(check.seconds for check in self.checks), 2)

    def values(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "sound": self.sound,
            "at": self.at,
            "seconds": self.seconds,
            "found": self.found,
            "checks": [check.values() for check in self.checks],
            "audit_entries": self.audit_entries,
            "audit_head": self.audit_head,
        }


def checked(name: str, look: Callable[[], Iterable[Seen]]) -> Check:
    """Look at everything and gather what does not hold.

    Damage may show as any error at all, in the database or in what reads it. Verifying names it and
    goes on with the next check: one broken page must not hide what else is wrong.
    """
    start = time.monotonic()
    count = found = 0
    findings: list[Problem] = []

    def add(problem: Problem) -> None:
        nonlocal found
        found += 1
        if found <= FINDINGS_MAX:
            findings.append(problem)

    try:
        for seen in look():
            if isinstance(seen, Problem):
                add(seen)
            else:
                count += seen
    except Exception as error:  # see above: whatever it is, it is a finding
        add(Problem(name, f"cannot be checked: {type(error).__name__}: {error}", RESTORE))
    return Check(name, count, tuple(findings), found, round(time.monotonic() - start, 3))
