"""What every table has: the database they are bound to when it is opened."""

from peewee import DatabaseProxy, Model

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False
