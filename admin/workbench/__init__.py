"""The workbench: a draft as rules in words, each opening in place into its editor."""

from admin.workbench import bands, counting, histograms, table, table_upload  # their pages stand on the same blueprint
from admin.workbench.desk import blueprint
from admin.workbench.fields import unit_words

__all__ = ["bands", "blueprint", "counting", "histograms", "table", "table_upload", "unit_words"]
