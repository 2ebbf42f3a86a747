"""Write 0001_initial.py anew from the tables: only until the first release, when it is frozen.

python -m migrations.regenerate
"""

import re
from pathlib import Path

from peewee import SqliteDatabase
from playhouse.migrations import template
from playhouse.schema_diff import diff_models

from engine.tables import TABLES, database

HEADER = '''"""The schema of the first release: a frozen copy of the tables, independent of engine.tables."""

# ruff: noqa: F403, F405
'''


def main() -> None:
    """Compare the tables with an empty database and write what creates them."""
    empty = SqliteDatabase(":memory:")
    database.initialize(empty)
    body = template(diff_models(empty, list(TABLES)))
    body = re.sub(r"^# Generated.*\n", "", body)
    # Indexes are named after their tables, as those of the tables are.
    body = re.sub(r"( +)database = db\n", r"\1database = db\n\1legacy_table_names = False\n", body)
    path = Path(__file__).with_name("0001_initial.py")
    path.write_text(HEADER + body)


if __name__ == "__main__":
    main()
