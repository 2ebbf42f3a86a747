"""PostgreSQL: what it does otherwise than SQLite, behind the same names (``engine.sqlite``)."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from peewee import Model, PeeweeException, PostgresqlDatabase
from playhouse.pool import PooledPostgresqlDatabase
from psycopg.adapt import Loader

WRITER = 0x44756E_77  # advisory lock of whoever writes; any number would do, the same in every release
CLAIMER = WRITER + 1  # of whoever claims messages
CONNECTIONS_MAX = 20  # of one process; a thread uses one
POOL_WAIT_SECONDS = 30
STALE_SECONDS = 300
LOCK_TIMEOUT_MS = 30_000  # longer than any transaction of ours may hold the write lock
IDLE_TIMEOUT_MS = 600_000  # a host that vanished in a transaction lets go of the write lock after it
DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),  # else a page torn by a power cut is not repaired
    "synchronous_commit": ("on", "remote_apply"),  # anything else acknowledges commits that may be lost
    "server_encoding": ("UTF8",),
}
VERSION_MIN = 140_000
REFUSING = """
create or replace function dunwell_refuse() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'restrict_violation', message = tg_argv[0];
end $$
"""
WORDS = """
create or replace function dunwell_words() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if old.number = new.number and old.name = new.name then return null; end if;
    delete from customer_word where customer_id = new.id;
  end if;
  insert into customer_word (word, customer_id)
    select distinct convert_to(lower(part), 'UTF8'), new.id
    from unnest(string_to_array(new.number || ' ' || new.name, ' ')) as part where part <> '';
  return null;
end $$
"""
READ_ONLY = "repeatable read, read only"
BESIDE, CLAIMING = "beside", "claiming"
LOCKS = {  # what a transaction waits for as it begins, by its mode
    None: f"pg_advisory_xact_lock({WRITER})",
    BESIDE: f"pg_advisory_xact_lock_shared({WRITER})",
    CLAIMING: f"pg_advisory_xact_lock_shared({WRITER}), pg_advisory_xact_lock({CLAIMER})",
}


class WholeNumber(Loader):
    """Sums of bigint arrive as numeric: money is a whole number of minor units here too."""

    def load(self, written: Any) -> int:
        """Read the text of a number without a fraction."""
        return int(bytes(written))


class _Connecting(PostgresqlDatabase):  # type: ignore[misc]
    """Sets up each new connection, below the pool that keeps it."""

    def _connect(self) -> Any:
        connection = super()._connect()
        connection.adapters.register_loader("numeric", WholeNumber)
        connection.execute(
            f"set lock_timeout = {LOCK_TIMEOUT_MS}; set idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}"
        )
        return connection


class Postgres(PooledPostgresqlDatabase, _Connecting):  # type: ignore[misc]
    """A database on a server, which several hosts may share.

    One transaction writes at a time, as on SQLite: each takes the lock WRITER as it begins and keeps
    it until it ends. So what it has read still holds when it writes, the audit chain has one head and
    no command meets another half way, whatever the number of hosts. Readers never wait. Those that
    only write down how one claimed message fared share the lock (``beside``).

    Args:
        url: ``postgresql://user:password@host:port/name``.
    """

    driver = "postgresql"
    changes = ("update", "delete", "truncate")  # what a trigger refuses on an append-only table
    unindexed = ""  # the planner knows how many rows an entity has
    listed = "(select value::bigint from json_array_elements_text(%s::json))"

    def __init__(self, url: str, **more: Any) -> None:
        super().__init__(
            url,
            prefer_psycopg3=True,
            max_connections=CONNECTIONS_MAX,
            stale_timeout=STALE_SECONDS,
            timeout=POOL_WAIT_SECONDS,
            autoconnect=True,
            **more,
        )

    def begin(self, mode: str | None = None) -> None:
        """Begin to write, once nobody else does; ``READ_ONLY`` begins to read one state, others as in ``LOCKS``."""
        try:
            self.execute_sql(f"begin; select {LOCKS[mode]}" if mode in LOCKS else f"begin isolation level {mode}")
        except BaseException:
            with suppress(PeeweeException):  # the connection may be what failed
                self.rollback()  # waited too long: what was begun must not linger
            raise

    def snapshot(self) -> AbstractContextManager[Any]:
        """A transaction that reads one state and takes no lock."""
        reading: AbstractContextManager[Any] = self.atomic(READ_ONLY)
        return reading

    def beside(self) -> AbstractContextManager[Any]:
        """A transaction that waits for whoever writes, but not for others like it.

        For changes of rows that are the writer's own, each found by its key and generation, and decided by
        nothing else that was read: how a claimed message fared. Many of them share the disk's flush.
        """
        writing: AbstractContextManager[Any] = self.atomic(BESIDE)
        return writing

    def claiming(self) -> AbstractContextManager[Any]:
        """A transaction that claims messages: it waits for whoever writes or claims, but not for those ``beside``.

        They bring messages further that are claimed already: caps, and the order of a customer's messages,
        count such a message alike before and after; one of the same step keeps its successors from being due.
        """
        writing: AbstractContextManager[Any] = self.atomic(CLAIMING)
        return writing

    def weaknesses(self) -> list[str]:
        """What of this connection is weaker than promised (E1); empty when all is well."""
        names = list(DURABLE)
        row = self.execute_sql(f"select {', '.join(f'current_setting({n!r})' for n in names)}").fetchone()
        weak = [
            f"{name} is {seen}, must be {DURABLE[name][0]}"
            for name, seen in zip(names, row)
            if seen not in DURABLE[name]
        ]
        version = self.connection().info.server_version
        if version < VERSION_MIN:
            weak.append(f"the server's version is {version // 10_000}, must be {VERSION_MIN // 10_000} or newer")
        return weak

    def damage(self) -> list[str]:
        """What of the stored rows is damaged or refers to nothing, in words."""
        rows = self.execute_sql(
            "select indexrelid::regclass::text from pg_index where not indisvalid and "
            "(select relnamespace from pg_class c where c.oid = indrelid) = current_schema()::regnamespace"
        ).fetchall()
        broken = [f"the index {name} is not valid" for (name,) in rows]
        references = self.execute_sql(
            "select c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, r.attname from pg_constraint c "
            "join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] "
            "join pg_attribute r on r.attrelid = c.confrelid and r.attnum = c.confkey[1] "
            "where c.contype = 'f' and c.connamespace = current_schema()::regnamespace order by 1, 2"
        ).fetchall()
        for table, column, other, key in references:
            lost = self.execute_sql(
                f"select t.{column} from {table} t where t.{column} is not null "  # noqa: S608 names of the catalog
                f"and not exists (select 1 from {other} o where o.{key} = t.{column}) limit 100"
            ).fetchall()
            broken += [f"{table}.{column} {value} refers to a row of {other} that is not there" for (value,) in lost]
        return broken

    def triggers(self) -> set[str]:
        """Names of the triggers in force."""
        rows = self.execute_sql(
            "select tgname from pg_trigger join pg_class c on c.oid = tgrelid where not tgisinternal "
            "and tgenabled in ('O', 'A') and c.relnamespace = current_schema()::regnamespace"
        )
        return {row[0] for row in rows.fetchall()}

    def refuse(self, name: str, table: str, event: str, message: str, when: str = "") -> None:
        """Make a trigger that refuses an event (``update``, ``delete``, ``update of a, b``) on a table."""
        if name in self.triggers():  # making it anew would wait for every other user of the table
            return
        only = f"when ({when}) " if when else ""
        each = "statement" if event == "truncate" else "row"
        self.execute_sql(REFUSING)
        self.execute_sql(
            f'create or replace trigger "{name}" before {event} on "{table}" '
            f"for each {each} {only}execute function dunwell_refuse('{message}')"
        )

    def take_statistics(self) -> None:
        """Let the planner see how the rows are spread; autovacuum comes later than the first list after a run."""
        self.execute_sql("analyze")

    def keep_words(self) -> None:
        """Make the triggers that keep the words of customers as customers come and are renamed."""
        if "customer_words_come" in self.triggers():
            return
        self.execute_sql(WORDS)
        for name, event in (("come", "insert"), ("change", "update of number, name")):
            self.execute_sql(
                f"create or replace trigger customer_words_{name} after {event} on customer "
                "for each row execute function dunwell_words()"
            )

    def numbers(self, model: type[Model], many: int) -> Sequence[int]:
        """Ids for so many new rows."""
        rows = self.execute_sql(
            "select nextval(pg_get_serial_sequence(%s, 'id')) from generate_series(1, %s)",
            (model._meta.table_name, many),
        )
        return [row[0] for row in rows.fetchall()]

    @contextmanager
    def alone(self, name: str, _folder: Path) -> Iterator[bool]:
        """Hold a lock of the whole server while the block runs; False: somebody else holds it.

        It belongs to this thread's connection: if that breaks, the lock and the work break together.
        """
        number = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
        if not self.execute_sql("select pg_try_advisory_lock(%s)", (number,)).fetchone()[0]:
            yield False
            return
        try:
            yield True
        finally:
            try:
                self.execute_sql("select pg_advisory_unlock(%s)", (number,))
            except PeeweeException:  # the connection broke, and the lock with it
                self.manual_close()

    def shut(self) -> None:
        """Close this thread's connection and those that wait for a thread."""
        if not self.is_closed():
            self.close()
        self.close_idle()

    @staticmethod
    def first_of(column: str) -> str:
        """The first text of a JSON array kept as text, or null."""
        return f"({column}::json ->> 0)"

    @staticmethod
    def value_of(column: str, type_: str) -> str:
        """The value of a JSON scalar kept as text."""
        return f"({column}::json #>> '{{}}')::{type_}"
