"""Authors: who had a hand in a version, so that none of them approves it.

Everybody who saved an edit of a draft counts, not only the last one; and whoever wrote the same
content in another draft that nobody has approved, so that a copy hides nobody.
"""

import json

from engine.commands import Refused
from engine.tables import Document, User


def authors_of(row: Document) -> frozenset[int]:
    """Ids of everybody who wrote, edited or proposed a version."""
    # What two people have agreed on once is no longer its author's own: going back to it is the change.
    agreed = Document.select().where(Document.sha256 == row.sha256, Document.approved_at.is_null(False)).exists()
    copies = [] if agreed else list(Document.select().where(Document.sha256 == row.sha256, Document.id != row.id))
    wrote = {user for one in (row, *copies) for user in (*json.loads(one.authors), one.drafted_by_id)}
    return frozenset(user for user in {*wrote, row.proposed_by_id} if user is not None)


def refuse_authors(row: Document, actor: User | None) -> None:
    """Refuse whoever would approve what they had a hand in.

    Raises:
        Refused: the actor wrote, edited or proposed it, or is no person.
    """
    if actor is None or actor.id in authors_of(row):
        raise Refused("nobody approves what they wrote or proposed")
