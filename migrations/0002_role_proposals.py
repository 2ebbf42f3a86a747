"""Roles that wait for a second person."""

# ruff: noqa: F403, F405
from peewee import *


def up(migrator, db):
    class User(Model):
        class Meta:
            database = db
            legacy_table_names = False
            table_name = "account"

    class RoleProposal(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        role = CharField()
        state = CharField(default="proposed")
        proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
        proposed_at = BigIntegerField()
        approved_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        approved_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "role_proposal"

    db.create_tables([RoleProposal])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("role_proposal"))
