"""The audit chain: who, when, what, before, after, why; each entry carries the previous one's hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.tables import AuditEntry
from ledger.canonical import canonical, sha256_of

FIRST = "0" * 64  # what the first entry names as its previous hash
PAGE = 10_000  # entries read at a time when the chain is checked
SEALED = ("at", "actor_id", "command", "entity_id", "subject_kind", "subject_id", "before", "after", "reason")


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking the chain found.

    Args:
        entries: how many were read.
        head: hash of the last one; publish it elsewhere, a bare chain can be rewritten whole.
        broken: in words, one per entry that does not fit; empty when the chain is whole.
    """

    entries: int
    head: str
    broken: tuple[str, ...]


def append(
    *,
    at: int,
    actor: int | None,
    command: str,
    subject_kind: str,
    subject_id: object,
    reason: str,
    entity_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write one entry. Call it inside the transaction that makes the change.

    Args:
        at: microseconds UTC.
        actor: id of the user, None for the system.
        before, after: plain values without personal data, which is referenced by id only.
    """
    last, previous = head()
    values = {
        "at": at,
        "actor_id": actor,
        "command": command,
        "entity_id": entity_id,
        "subject_kind": subject_kind,
        "subject_id": str(subject_id),
        "before": None if before is None else canonical(before),
        "after": None if after is None else canonical(after),
        "reason": reason,
    }
    # The number is given, not drawn: one that a rolled back transaction drew would look like a missing entry.
    entry: AuditEntry = AuditEntry.create(id=last + 1, **values, previous_hash=previous, hash=_hash(previous, values))
    return entry


def head() -> tuple[int, str]:
    """How many entries there are and the last one's hash, to be kept outside."""
    last = AuditEntry.select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).first()
    return (0, FIRST) if last is None else (last.id, last.hash)


def verify_chain(*outside_heads: tuple[int, str]) -> ChainReport:
    """Read the whole chain and name each entry that was changed, removed, inserted or swapped.

    Args:
        outside_heads: (entries, hash) as kept elsewhere earlier; they show a chain that was cut at
            its end or rewritten as a whole, which the chain alone cannot.
    """
    broken: list[str] = []
    previous, count, last_id = FIRST, 0, 0
    unseen = {(number, kept) for number, kept in outside_heads if number > 0}
    while True:
        page = list(AuditEntry.select().where(AuditEntry.id > last_id).order_by(AuditEntry.id).limit(PAGE))
        for entry in page:
            count += 1
            if entry.id != count:
                broken.append(f"entry {count} is missing: the next one is {entry.id}")
                count = entry.id
            if entry.previous_hash != previous:
                broken.append(f"entry {entry.id} does not follow the one before it")
            if entry.hash != _hash(entry.previous_hash, {name: getattr(entry, name) for name in SEALED}):
                broken.append(f"entry {entry.id} was changed after it was written")
            unseen.discard((entry.id, entry.hash))
            previous, last_id = entry.hash, entry.id
        if len(page) < PAGE:
            break
    broken += [f"entry {number} is not the one whose hash was kept outside" for number, _ in sorted(unseen)]
    return ChainReport(entries=count, head=previous, broken=tuple(broken))


def _hash(previous: str, values: Mapping[str, Any]) -> str:
    return sha256_of([previous, {name: values[name] for name in SEALED}])
