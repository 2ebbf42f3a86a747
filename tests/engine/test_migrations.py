"""Migrations: they give the schema of the tables, once, whatever interrupts them."""

import pytest
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from engine import database
from engine.database import HISTORY, MIGRATIONS, migrate, missing_triggers
from engine.postgres import Postgres
from engine.sqlite import Sqlite
from engine.tables import TABLES


class Dying:
    """A database that dies at its n-th statement."""

    dies_at = 0

    def execute_sql(self, *arguments, **named):
        if self.dies_at:
            self.dies_at -= 1
            if self.dies_at == 0:
                raise KeyboardInterrupt
        return super().execute_sql(*arguments, **named)


class DyingSqlite(Dying, Sqlite):
    pass


class DyingPostgres(Dying, Postgres):
    pass


@pytest.fixture
def empty(store, tmp_path, request):
    """Open an empty database by a name: ``empty("first")``; the same name opens the same one again."""
    places, opened = {}, []

    def open_it(name, kinds=(Sqlite, Postgres)):
        if name not in places and store == "postgresql":
            places[name] = request.getfixturevalue("server").copy(ready=False)
        made = kinds[0](tmp_path / f"{name}.db") if store == "sqlite" else kinds[1](places[name])
        opened.append(made)
        database.database.initialize(made)
        return made

    yield open_it
    for one in opened:
        one.shut()
    for url in places.values():
        request.getfixturevalue("server").drop(url)


def schema(opened):
    """Every table with the name, type and nullability of its columns, what it refers to, its indexes; triggers."""
    found = {"triggers": opened.triggers()}
    for table in opened.get_tables():
        columns = {(c.name, c.data_type, c.null) for c in opened.get_columns(table)}
        refers = {(r.column, r.dest_table, r.dest_column, *r[4:]) for r in opened.get_foreign_keys(table)}
        found[table] = (columns, refers, {(i.name, tuple(i.columns), i.unique) for i in opened.get_indexes(table)})
    return found


def test_the_migrations_give_the_schema_of_the_tables(empty):
    """No column, index or table differs."""
    opened = empty("migrated")
    Runner(opened, str(MIGRATIONS), table_name=HISTORY).up()
    found = diff_models(opened, list(TABLES))
    differing = {name: value for name, value in found._asdict().items() if value}
    assert differing == {}, "run python -m migrations.regenerate"
    database.create_triggers(opened)
    created = empty("created")
    migrate(created)
    assert schema(opened) == schema(created)


def test_a_fresh_database_counts_every_migration_as_applied(runtime):
    """A second start applies nothing."""
    names = [path.stem for path in sorted(MIGRATIONS.glob("0*.py"))]
    assert [
        migration.name for migration in Runner(runtime.database, str(MIGRATIONS), table_name=HISTORY).status()
    ] == names
    assert migrate(runtime.database) == []
    assert missing_triggers(runtime.database) == []


@pytest.mark.long
@pytest.mark.parametrize("step", [1, 7])
def test_a_start_killed_at_any_statement_is_finished_by_the_next(empty, step):
    """Killed at the first, then at later and later statements: whole or absent, and whole in the end."""
    dies_at = 1
    while True:
        opened = empty("killed", (DyingSqlite, DyingPostgres))
        opened.dies_at = dies_at
        try:
            migrate(opened)
            break
        except KeyboardInterrupt:
            dies_at += step * 11
        finally:
            opened.dies_at = 0
            opened.shut()
    whole = empty("whole")
    migrate(whole)
    assert schema(opened) == schema(whole)
