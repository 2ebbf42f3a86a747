"""The workbench: a draft as rules in words, each opening in place into its editor."""

from admin.workbench import counting, histograms
from admin.workbench.desk import blueprint
from admin.workbench.fields import unit_words

__all__ = ["blueprint", "counting", "histograms", "unit_words"]
