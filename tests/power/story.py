"""What happens in a small company before the power goes: every kind of write the product makes.

The database stands on a ``disk.Disk``; after each acknowledged commit its state is kept as a hash,
so that what a cut leaves can be compared with what was promised.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from peewee import Database

import engine.catalogue  # noqa: F401 - registers every command
from engine import database as storage
from engine import outbox, runs
from engine.commands import execute
from engine.corrections import RecordPromise, SetBlock
from engine.disputes import RecordDispute
from engine.going_live import ApproveGoLive, ProposeGoLive
from engine.governance import ApproveDocument, ProposeDocument
from engine.importing import ImportFile, import_file
from engine.matching import Matcher
from engine.people import CreateUser
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.setting_up import CreateEntity
from engine.settings import Settings
from engine.tables import Document, DueLine, Entity, User, UserRole
from engine.vault import Vault
from notifiers.mailbox import MailboxGateway

SAMPLES = Path(__file__).parents[2] / "samples"
SECRET = "a secret only for tests, 32 characters and more"
NOTHING = "no table"


@dataclass
class Recorded:
    """A story as the disk saw it.

    Args:
        disk: every operation.
        folder: where the state of the product lies, with the facts of its runs.
        states: hash of the database after each acknowledged commit; the first one is of nothing.
        acknowledged: for each of them how many operations the disk had seen by then.
    """

    disk: Any
    folder: Path
    states: list[str] = field(default_factory=lambda: [NOTHING])
    acknowledged: list[int] = field(default_factory=lambda: [0])

    def committed(self, opened: Database) -> None:
        """Keep the state after a commit."""
        state = state_of(opened)
        if state != self.states[-1]:
            self.states.append(state)
            self.acknowledged.append(len(self.disk.operations))

    def known_at(self, cut: int) -> int:
        """How many commits were acknowledged when the disk had seen so many operations."""
        return max(number for number, seen in enumerate(self.acknowledged) if seen <= cut)


def state_of(opened: Database) -> str:
    """The hash over every row of every table."""
    connection = opened.connection()
    names = [
        name
        for (name,) in connection.execute("select name from sqlite_master where type = 'table' order by name")
        if not name.startswith("sqlite_")
    ]
    if not names:
        return NOTHING
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode())
        for row in connection.execute(f'select * from "{name}" order by rowid'):
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def runtime_on(folder: Path, sqlite: Any, clock: Any, matcher: Matcher | None = None) -> Runtime:
    """The product's runtime, as ``engine.runtime.build`` composes it, on a database class of our own."""
    settings = Settings(database=f"sqlite:///{folder / 'dunwell.db'}", var=folder, secret_key=SECRET)
    opened = storage.connect(settings, sqlite)
    storage.migrate(opened)
    runtime = Runtime(settings=settings, database=opened, now=clock, vault=Vault(SECRET))
    if matcher is not None:
        runtime.cache["matcher"] = matcher
    return runtime


def take(runtime: Runtime, actor: User, name: str, **more: Any) -> None:
    """Import a file of the samples."""
    mapping = json.loads((SAMPLES / "mappings" / f"{name}.json").read_text(encoding="utf-8"))
    content = (SAMPLES / "accounts" / f"{name}.csv").read_bytes()
    command = ImportFile(
        actor=actor.id, reason="month end", entity="main", mapping=mapping, content=content, file_name=f"{name}.csv"
    )
    import_file(runtime, command)


def set_up(runtime: Runtime) -> tuple[User, User]:
    """People and an entity, the shipped documents proposed by one and approved by the other."""
    execute(runtime, CreateEntity(actor=None, reason="begin", code="main", name="Main Ltd", currency="EUR"))
    for name in ("first", "second"):
        execute(
            runtime,
            CreateUser(
                actor=None,
                reason="begin",
                email=f"{name}@dunwell.example",
                name=name.title(),
                roles=("credit_manager",),
                entities=("main",),
            ),
        )
    first, second = User.select().order_by(User.id)
    for user in (first, second):
        if not UserRole.select().where(UserRole.user == user).exists():
            UserRole.create(user=user, role="credit_manager")
    Entity.update(portfolio_share_bp=10_000).execute()
    today = runtime.today()
    for document in sorted(Document.select(), key=lambda row: row.kind != "parameters"):
        proposed = execute(
            runtime, ProposeDocument(actor=first.id, reason="as shipped", document=document.id, from_day=today)
        )
        execute(
            runtime,
            ApproveDocument(actor=second.id, reason="read", document_id=document.id, sha256=proposed["sha256"]),
        )
    return first, second


def trade(runtime: Runtime, first: User, second: User) -> None:
    """Files, adoption, go-live."""
    for name in ("customers", "rates", "invoices"):
        take(runtime, first, name)
    entity = Entity.get(Entity.code == "main")
    run_entity(runtime, entity, runtime.today())
    execute(runtime, ProposeGoLive(actor=first.id, reason="ready", entity="main"))
    execute(runtime, ApproveGoLive(actor=second.id, reason="read", entity="main"))


def work(runtime: Runtime, first: User, day: int) -> None:
    """What people say, what the workers decide and send."""
    lines = list(DueLine.select().order_by(DueLine.id))[10 * day :]
    by: dict[str, Any] = {"actor": first.id, "reason": "on the telephone"}
    today = runtime.today()
    for number, line in enumerate(lines[:6]):
        execute(
            runtime,
            RecordPromise(
                **by,
                customer=line.customer_id,
                due_line=line.id,
                amount_minor=100 + number,
                currency=line.currency,
                promised_day=today + 3,
            ),
        )
    execute(runtime, RecordDispute(**by, due_line=lines[7].id, amount_minor=None))
    execute(
        runtime,
        SetBlock(**by, customer=lines[8].customer_id, kind="pause", from_day=today, until_day=today + 9, due_line=None),
    )
    runs.drain_dirty(runtime)
    take(runtime, first, "payments")
    runs.drain_dirty(runtime)
    runs.run_due_days(runtime)
    outbox.deliver(runtime, gateway=MailboxGateway(runtime.settings.var / "mail"))
    outbox.sweep(runtime, gateway=MailboxGateway(runtime.settings.var / "mail"))


def start_again(folder: Path, disk_module: ModuleType, clock: Any, name: str) -> Recorded:
    """What the product does with what a cut left, as the disk sees it: that may be cut, too."""
    recorded = Recorded(disk_module.Disk(), folder)
    recorded.disk.hold(folder)
    sqlite = disk_module.database_on(recorded.disk, name, recorded.committed)
    settings = Settings(database=f"sqlite:///{folder / 'dunwell.db'}", var=folder, secret_key=SECRET)
    opened = storage.connect(settings, sqlite)
    recorded.states = [state_of(opened)]
    opened.close()
    runtime = runtime_on(folder, sqlite, clock)
    recorded.committed(runtime.database)
    execute(runtime, CreateEntity(actor=None, reason="back", code="again", name="Again Ltd", currency="EUR"))
    runtime.database.close()
    return recorded


def tell(folder: Path, disk_module: ModuleType, clock: Any, name: str) -> Recorded:
    """The whole story: set up, a restart, a checkpoint in between, two days of work."""
    recorded = Recorded(disk_module.Disk(), folder)
    sqlite = disk_module.database_on(recorded.disk, name, recorded.committed)
    matcher = Matcher()
    try:
        runtime = runtime_on(folder, sqlite, clock, matcher)
        recorded.committed(runtime.database)
        first, second = set_up(runtime)
        trade(runtime, first, second)
        runtime.database.close()
        runtime = runtime_on(folder, sqlite, clock, matcher)
        for day in range(2):
            clock.advance(days=1)
            work(runtime, first, day)
            runtime.database.execute_sql("pragma wal_checkpoint(restart)")
        runtime.database.close()
    finally:
        matcher.close()
    return recorded
