"""The thread of a customer: what finance, sales and customer care say about it, and whom they ask.

A note is said once and never changed. Its words are personal: they are sealed with the key of the
customer's contact and go with it; entries and audit hold ids.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import access
from engine.commands import Change, Command, Context, Invalid, NotFound, Refused, register
from engine.reaching import person_about
from engine.tables import Action, Customer, Mention, Note, Person, User, UserRole, UserScope
from engine.vault import Erased
from ledger.problems import Problem

if TYPE_CHECKING:
    from engine.runtime import Runtime

TEXT_LENGTH_MAX = 2_000
MENTIONS_MAX = 10
HANDLE = re.compile(r"(?<![\w.@])@([\w.+-]+(?:@[\w.-]+)?)")
NOT_IN_A_HANDLE = ".-"  # at its end: the sentence ends there


@dataclass(frozen=True, slots=True)
class Said:
    """A note as it is read.

    Args:
        text: None: its person was erased.
        asked: names of those it mentions.
    """

    note: Note
    text: str | None
    by: str
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WriteNote(Command):
    """Say something about a customer to all who work with it.

    Args:
        text: names with ``@`` whoever is asked: the first part of their address, or all of it.
        action: the work it was said at.
    """

    customer: int
    text: str
    action: int | None = None


@register(WriteNote, permission="notes.write", person_only=True)
def write_note(context: Context, command: WriteNote) -> Change:
    """Keep it sealed; whom it names finds it in their own list."""
    customer = context.customer(command.customer)
    text = command.text.strip()
    if not 0 < len(text) <= TEXT_LENGTH_MAX:
        raise Invalid.because("text", f"must have 1 to {TEXT_LENGTH_MAX} characters", "write it, or shorten it")
    if command.action is not None:
        theirs = Action.select().where(Action.id == command.action, Action.customer == customer)
        if not theirs.exists():
            raise NotFound(f"no action {command.action} of this customer")
    asked = _asked(text, customer)
    person = person_about(context.runtime, customer)
    note = Note.create(
        customer=customer,
        person=person,
        sealed=context.runtime.vault.seal(person, {"text": text}),
        action=command.action,
        by=context.actor,
        at=context.at,
    )
    for user in asked:
        Mention.create(note=note, user=user)
    named = [user.id for user in asked]
    return Change(
        subject_kind="note",
        subject_id=note.id,
        after={"customer": customer.id, "action": command.action, "asks": named},
        answer={"note": note.id, "asks": named},
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class SeeMentions(Command):
    """Say that one has seen notes one is asked in."""

    mentions: Sequence[int]


@register(SeeMentions, permission="notes.view", person_only=True)
def see_mentions(context: Context, command: SeeMentions) -> Change:
    """They leave one's own list; nobody sees for another."""
    if context.actor is None:
        raise Refused("takes a person")
    mine = (Mention.id.in_(list(command.mentions))) & (Mention.user == context.actor)
    found = [mention.id for mention in Mention.select(Mention.id).where(mine)]
    if len(found) != len(set(command.mentions)) or not found:
        raise NotFound("no such question to you")
    Mention.update(seen_at=context.at).where(mine, Mention.seen_at.is_null()).execute()
    return Change(
        subject_kind="mention", subject_id=found[0], after={"seen": sorted(found)}, answer={"seen": len(found)}
    )


def thread_of(runtime: "Runtime", customer: Customer, most: int, before: int | None = None) -> list[Said]:
    """What was said about a customer, the latest first.

    Args:
        before: id of a note; only earlier ones.
    """
    query = Note.select(Note, Person, User).join(Person).switch(Note).join(User, on=(Note.by == User.id))
    query = query.where(Note.customer == customer)
    if before is not None:
        query = query.where(Note.id < before)
    return opened(runtime, query.order_by(Note.id.desc()).limit(most))


def opened(runtime: "Runtime", notes: Iterable[Note]) -> list[Said]:
    """Notes, joined to person and writer, with their words."""
    rows = list(notes)
    asked: dict[int, list[str]] = {}
    query = Mention.select(Mention.note, User.name).join(User).where(Mention.note.in_([row.id for row in rows]))
    for note, name in query.order_by(Mention.id).tuples():
        asked.setdefault(note, []).append(name)
    return [Said(row, _text(runtime, row), row.by.name, tuple(asked.get(row.id, ()))) for row in rows]


def _text(runtime: "Runtime", note: Note) -> str | None:
    try:
        return str(runtime.vault.open(note.person, note.sealed)["text"])
    except Erased:
        return None


def unseen_of(user: int, most: int) -> list[Mention]:
    """Questions to a user that they have not seen, the oldest first; of customers they may see."""
    query = (
        Mention.select(Mention, Note, Customer)
        .join(Note)
        .join(Customer)
        .where(Mention.user == user, Mention.seen_at.is_null())
    )
    return list(access.visible_to(user, query, in_order=True).order_by(Mention.id).limit(most))


def askable(customer: Customer) -> Mapping[str, User]:
    """Who can be asked about a customer, by the handles they are called by."""
    users: dict[str, User] = {}
    ambiguous: set[str] = set()
    for user in people_with("notes.view", customer):
        short, whole = user.email.partition("@")[0].lower(), user.email.lower()
        if short in users:
            ambiguous.add(short)
        users[short], users[whole] = user, user
    return {handle: user for handle, user in users.items() if handle not in ambiguous}


def people_with(permission: str, customer: Customer) -> list[User]:
    """Users who hold a permission now and may see a customer."""
    roles = [role for role, permissions in access.ROLES.items() if permission in permissions]
    whole_or_theirs = UserScope.portfolio.is_null() | (UserScope.portfolio == customer.portfolio)
    query = User.select().join(UserRole).switch(User).join(UserScope)
    query = query.where(
        User.active == True,  # noqa: E712
        UserRole.role.in_(roles),
        UserScope.entity == customer.entity_id,
        whole_or_theirs,
    )
    return list(query.distinct().order_by(User.id))


def _asked(text: str, customer: Customer) -> list[User]:
    """The people a text names, each once."""
    handles = dict.fromkeys(handle.rstrip(NOT_IN_A_HANDLE).lower() for handle in HANDLE.findall(text))
    if not handles:
        return []
    known = askable(customer)
    unknown = [handle for handle in handles if handle not in known]
    if unknown:
        cure = f"write one of {', '.join(f'@{handle}' for handle in sorted(known) if '@' not in handle)}"
        raise Invalid(
            [Problem(place="text", what=f"@{handle} is nobody who sees this customer", cure=cure) for handle in unknown]
        )
    asked = list({known[handle].id: known[handle] for handle in handles}.values())
    if len(asked) > MENTIONS_MAX:
        raise Invalid.because("text", f"asks {len(asked)} people", f"ask at most {MENTIONS_MAX}")
    return asked
