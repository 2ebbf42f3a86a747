"""The examples in docstrings are right."""

import doctest

import pytest

from engine import invoice_documents, settlements
from notifiers import composing, gateways, letter_templates, letter_text, mailbox, mime

MODULES = [composing, gateways, letter_templates, letter_text, mailbox, mime, settlements, invoice_documents]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module):
    """Each is run."""
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
