"""The workbench: a draft as rules in words, each opening in place into its editor."""

from admin.workbench.desk import blueprint
from admin.workbench.fields import unit_words

__all__ = ["blueprint", "unit_words"]
