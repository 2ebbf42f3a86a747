"""The examples in docstrings are right."""

import doctest

import pytest

from engine import invoice_documents, numbers, settlements
from notifiers import composing, gateways, letter_templates, letter_text, mailbox, messaging, mime, short_texts, webhook

MODULES = [
    *(composing, gateways, letter_templates, letter_text, mailbox, messaging, mime, short_texts, webhook),
    *(invoice_documents, numbers, settlements),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module):
    """Each is run."""
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
