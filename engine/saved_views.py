"""Saved views: what a list was asked for, kept under a name, for oneself or for everybody."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.tables import SavedView

PAGES = ("diary", "worklist")
VIEWS_MAX = 50  # of one person and page
NAME_LENGTH_MAX = 60
ARGUMENTS_LENGTH_MAX = 1_000
POSITION = frozenset({"after", "before", "end"})  # where in the list, which is no part of a view


@dataclass(frozen=True, kw_only=True)
class SaveView(Command):
    """Keep what a list is asked for.

    Args:
        page: of ``PAGES``.
        arguments: of the list's address.
        shared: whether others find it too.
    """

    page: str
    name: str
    arguments: str
    shared: bool = False


@register(SaveView, permission="account.own", person_only=True)
def save_view(context: Context, command: SaveView) -> Change:
    """Keep it; a view of one's own with that name is replaced."""
    if context.actor is None:
        raise Refused("takes a person")
    name = command.name.strip()
    if command.page not in PAGES:
        raise Invalid.because("page", f"is {command.page!r}", f"choose from {', '.join(PAGES)}")
    if not 0 < len(name) <= NAME_LENGTH_MAX:
        raise Invalid.because("name", f"must have 1 to {NAME_LENGTH_MAX} characters", "give it a short name")
    if len(command.arguments) > ARGUMENTS_LENGTH_MAX:
        raise Invalid.because("arguments", "are too long", "ask for less")
    asked = urlencode([pair for pair in parse_qsl(command.arguments) if pair[0] not in POSITION])
    mine = (SavedView.user == context.actor) & (SavedView.page == command.page)
    row: SavedView | None = SavedView.get_or_none(mine, SavedView.name == name)
    if row is None:
        if len(list(SavedView.select(SavedView.id).where(mine).limit(VIEWS_MAX).tuples())) >= VIEWS_MAX:
            raise Conflict(f"there are {VIEWS_MAX} views of this list already: remove one first")
        row = SavedView(user=context.actor, page=command.page, name=name)
    before = {"arguments": row.arguments, "shared": row.shared} if row.id else None
    row.arguments, row.shared = asked, command.shared
    row.save()
    return Change(
        subject_kind="view",
        subject_id=row.id,
        before=before,
        after={"page": command.page, "name": name, "arguments": asked, "shared": command.shared},
        answer={"view": row.id},
    )


@dataclass(frozen=True, kw_only=True)
class RemoveView(Command):
    """Remove a view of one's own."""

    view: int


@register(RemoveView, permission="account.own", person_only=True)
def remove_view(context: Context, command: RemoveView) -> Change:
    """It is gone for those it was shared with too."""
    row: SavedView | None = SavedView.get_or_none(SavedView.id == command.view, SavedView.user == context.actor)
    if row is None:
        raise NotFound(f"no view {command.view} of yours")
    SavedView.delete().where(SavedView.id == row.id).execute()
    before = {"page": row.page, "name": row.name, "arguments": row.arguments, "shared": row.shared}
    return Change(subject_kind="view", subject_id=row.id, before=before, answer={"view": row.id})


def views_of(user: int, page: str) -> list[SavedView]:
    """One's own views of a list, then those that others share; by name."""
    found = SavedView.select().where(SavedView.page == page, (SavedView.user == user) | SavedView.shared)
    return sorted(found, key=lambda view: (view.user_id != user, view.name.lower(), view.id))
