"""Migrations: they give the schema of the tables, once, whatever interrupts them."""

import pytest
from peewee import SqliteDatabase
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from engine import database
from engine.database import HISTORY, MIGRATIONS, migrate, missing_triggers
from engine.tables import TABLES


class Interrupted(SqliteDatabase):
    """A database that dies at its n-th statement."""

    dies_at = 0

    def execute_sql(self, *arguments, **named):
        if self.dies_at:
            self.dies_at -= 1
            if self.dies_at == 0:
                raise KeyboardInterrupt
        return super().execute_sql(*arguments, **named)


def schema(opened):
    """Every table with the name, type and nullability of its columns and what it refers to; indexes; triggers."""
    rows = opened.execute_sql("select type, name from sqlite_master where name not like 'sqlite_%'").fetchall()
    found = {}
    for kind, name in rows:
        if kind == "table":
            columns = {row[1:4] for row in opened.execute_sql(f"pragma table_info({name})").fetchall()}
            refers = {row[2:7] for row in opened.execute_sql(f"pragma foreign_key_list({name})").fetchall()}
            found[name] = (frozenset(columns), frozenset(refers))
        else:
            found[name] = kind
    return found


def test_the_migrations_give_the_schema_of_the_tables(tmp_path):
    """No column, index or table differs."""
    opened = SqliteDatabase(tmp_path / "migrated.db", pragmas=database.PRAGMAS, lock_type="immediate")
    database.database.initialize(opened)
    Runner(opened, str(MIGRATIONS), table_name=HISTORY).up()
    found = diff_models(opened, list(TABLES))
    differing = {name: value for name, value in found._asdict().items() if value}
    assert differing == {}, "run python -m migrations.regenerate"
    database.create_triggers(opened)
    created = SqliteDatabase(tmp_path / "created.db", pragmas=database.PRAGMAS, lock_type="immediate")
    database.database.initialize(created)
    migrate(created)
    assert schema(opened) == schema(created)
    created.close()
    opened.close()


def test_a_fresh_database_counts_every_migration_as_applied(runtime):
    """A second start applies nothing."""
    names = [path.stem for path in sorted(MIGRATIONS.glob("0*.py"))]
    assert [
        migration.name for migration in Runner(runtime.database, str(MIGRATIONS), table_name=HISTORY).status()
    ] == names
    assert migrate(runtime.database) == []
    assert missing_triggers(runtime.database) == []


@pytest.mark.parametrize("step", [1, 7])
def test_a_start_killed_at_any_statement_is_finished_by_the_next(tmp_path, step):
    """Killed at the first, then at later and later statements: whole or absent, and whole in the end."""
    path, dies_at = tmp_path / "killed.db", 1
    while True:
        opened = Interrupted(path, pragmas=database.PRAGMAS, lock_type="immediate")
        database.database.initialize(opened)
        opened.dies_at = dies_at
        try:
            migrate(opened)
            break
        except KeyboardInterrupt:
            dies_at += step * 11
        finally:
            opened.dies_at = 0
            opened.close()
    whole = SqliteDatabase(tmp_path / "whole.db", pragmas=database.PRAGMAS, lock_type="immediate")
    database.database.initialize(whole)
    migrate(whole)
    assert schema(opened) == schema(whole)
    whole.close()
    opened.close()
