"""The inbox: what came into the mailbox is taken in, each mail once (see ``engine.received``).

The mailbox is read outside any transaction; how far it is read stands in the database and moves on with
each mail that is taken in. A crash in between loses nothing, since nothing in the mailbox changes, and
doubles nothing. The sweep calls it; a mailbox that cannot be read is tried less and less often.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.outages import outage_of
from engine.received import Fetched, take_in
from engine.tables import Alarm, Mailbox
from ledger.days import date_of
from notifiers.inbox import ImapServer, Inbox, InboxUnreadable, open_inbox, parse_imap_url
from notifiers.incoming import Incoming, read_mail

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
EACH_US = 180 * SECOND_US  # between two visits
REST_MAX_US = 3_600 * SECOND_US
MAILS_MAX = 200  # of one visit
FIRST_DAYS = 30  # how far back a mailbox is read that is new to us
FAILURES_TOLD = 3  # in a row; then an alarm

Opened = Callable[[ImapServer], AbstractContextManager[Inbox]]


def server_of(runtime: "Runtime") -> ImapServer | None:
    """The mailbox of the settings, or None."""
    return parse_imap_url(runtime.settings.imap)[0] if runtime.settings.imap else None


def state_of(runtime: "Runtime") -> Mailbox | None:
    """How reading the mailbox of the settings fares; None: none is set up, or it was not read yet."""
    server = server_of(runtime)
    return None if server is None else Mailbox.get_or_none(Mailbox.name == server.name)


def read_inbox(runtime: "Runtime", opened: Opened = open_inbox) -> int:
    """Take in what is new, if it is time.

    Returns:
        How many mails were taken in.
    """
    server = server_of(runtime)
    if server is None:
        return 0
    now_at = runtime.now_at()
    with runtime.database.atomic():
        box, _ = Mailbox.get_or_create(name=server.name)
        mine = Mailbox.update(next_read_at=now_at + EACH_US).where(Mailbox.id == box.id, Mailbox.next_read_at <= now_at)
        if mine.execute() != 1:
            return 0
    try:
        taken = _read(runtime, server, box.id, opened)
    except InboxUnreadable as error:
        _note_failure(runtime, box.id, str(error))
        return 0
    Mailbox.update(failures=0, last_error=None, last_read_at=runtime.now_at()).where(Mailbox.id == box.id).execute()
    return taken


def _read(runtime: "Runtime", server: ImapServer, box_id: int, opened: Opened) -> int:
    taken = 0
    with opened(server) as inbox:
        box = _numbered(box_id, inbox.uid_validity)
        since = None if box.last_uid else date_of(runtime.today()) - timedelta(days=FIRST_DAYS)
        for uid in inbox.uids_after(box.last_uid, since)[:MAILS_MAX]:
            content = inbox.content_of(uid)
            if content is not None:
                taken += _take_in(runtime, box, Fetched(inbox.uid_validity, uid, content))
    return taken


def _numbered(box_id: int, uid_validity: int) -> Mailbox:
    """The mailbox as it is numbered now; renumbered it is read again, and what is known is known again."""
    Mailbox.update(uid_validity=uid_validity, last_uid=0).where(
        Mailbox.id == box_id, Mailbox.uid_validity != uid_validity
    ).execute()
    box: Mailbox = Mailbox.get_by_id(box_id)
    return box


def _take_in(runtime: "Runtime", box: Mailbox, fetched: Fetched) -> bool:
    """Take one in; a mail we stumble over stops no other: it is kept for a person, without effects."""
    try:
        row = take_in(runtime, box, fetched, read_mail(fetched.content))
    except Exception as error:
        if outage_of(error) is not None:
            raise
        log.error("mail %d of the mailbox cannot be taken in: %s", fetched.uid, type(error).__name__)
        row = take_in(runtime, box, fetched, Incoming(kind="written", subject="?"))
    if row is not None:
        log.info("took in mail %d as %s, %s", row.id, row.kind, row.state)
    return row is not None


def _note_failure(runtime: "Runtime", box_id: int, why: str) -> None:
    now_at = runtime.now_at()
    with runtime.database.atomic():
        failures = int(Mailbox.get_by_id(box_id).failures) + 1
        rest = min(REST_MAX_US, EACH_US << min(failures - 1, 10))
        Mailbox.update(
            failures=failures, last_failure_at=now_at, last_error=why[:255], next_read_at=now_at + rest
        ).where(Mailbox.id == box_id).execute()
        if failures == FAILURES_TOLD:
            Alarm.create(kind="inbox_unreadable", text=f"the mailbox cannot be read: {why}", raised_at=now_at)
    log.warning("the mailbox cannot be read: %s", why)
