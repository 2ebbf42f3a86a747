"""The workbench: a draft as rules in words, each opening in place into its editor."""

from flask import Flask

from admin.workbench import bands, counting, histograms, table, table_upload, timeline  # on the same blueprint
from admin.workbench.desk import blueprint
from admin.workbench.editors import keyed
from admin.workbench.fields import unit_words
from rules.editing import pointer

__all__ = ["bands", "blueprint", "counting", "histograms", "register_words", "table", "table_upload", "timeline"]


def register_words(app: Flask) -> None:
    """Filters that the pages of the workbench need."""
    app.jinja_env.filters.update(unit_words=unit_words, keyed=keyed, step_of_place=lambda name: pointer(name)[1:])
