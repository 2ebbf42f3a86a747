"""Doubt in bulk: a person who has looked at the provider's list settles many doubtful messages at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.diary import resolved
from engine.tables import Action

TOGETHER_MAX = 200
EVIDENCE_LENGTH_MAX = 500


@dataclass(frozen=True, kw_only=True)
class ResolveUncertainTogether(Command):
    """Say of several doubtful messages whether they arrived, and by what that is known.

    Args:
        actions: id and version of each, as the actor saw it.
        delivered: True: they count as sent; False: each is sent again, under the same Message-ID, if
            it is still due then.
        evidence: what was looked at: a name of a file, a ticket of the provider, a few words.
    """

    actions: Sequence[tuple[int, int]]
    delivered: bool
    evidence: str


@register(ResolveUncertainTogether, permission="actions.resolve", person_only=True)
def resolve_uncertain_together(context: Context, command: ResolveUncertainTogether) -> Change:
    """All of them or none; one audit entry names all."""
    evidence, versions = command.evidence.strip(), dict(command.actions)
    if not evidence or len(evidence) > EVIDENCE_LENGTH_MAX:
        what = "is missing" if not evidence else f"is longer than {EVIDENCE_LENGTH_MAX} characters"
        raise Invalid.because("evidence", what, "say what you looked at: a file, a ticket, a log of the provider")
    if not 0 < len(versions) <= TOGETHER_MAX or len(versions) != len(command.actions):
        raise Invalid.because(
            "actions", f"names {len(command.actions)} messages", f"choose 1 to {TOGETHER_MAX} messages, each once"
        )
    rows = {row.id: row for row in Action.select().where(Action.id.in_(list(versions)))}
    for number in sorted(versions):
        if number not in rows:
            raise NotFound(f"no action {number}")
        context.customer(rows[number].customer_id)
    _expect_as_seen(rows, versions)
    receipt = f"confirmed by a person: {evidence}"
    for number in sorted(versions):
        resolved(rows[number], command.delivered, context.at, receipt)
    entities = {row.entity_id for row in rows.values()}
    settled = {"actions": sorted(versions), "delivered": command.delivered, "evidence": evidence}
    return Change(
        subject_kind="action",
        subject_id=min(versions),
        before={"state": "uncertain"},
        after={"state": "sent" if command.delivered else "due", **settled},
        answer={"actions": [{"action": n, "state": rows[n].state, "version": rows[n].version} for n in sorted(rows)]},
        dirty=[row.customer_id for row in rows.values()] if command.delivered else [],
        entity_id=entities.pop() if len(entities) == 1 else None,
    )


def _expect_as_seen(rows: dict[int, Action], versions: dict[int, int]) -> None:
    """Refuse the whole where anything has changed, naming what.

    Raises:
        Conflict: with the state of each that is not as the actor saw it.
    """
    others = {
        number: row.state for number, row in rows.items() if row.state != "uncertain" or row.version != versions[number]
    }
    if others:
        names = ", ".join(str(number) for number in sorted(others))
        raise Conflict(
            f"messages {names} were settled or changed by somebody else; none of those chosen was touched",
            seen={f"message {number}": "uncertain" for number in sorted(others)},
            current={f"message {number}": state for number, state in sorted(others.items())},
        )
