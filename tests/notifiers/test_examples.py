"""The examples in docstrings are right."""

import doctest

import pytest

from engine import outbox
from notifiers import composing, gateways, mailbox, mime


@pytest.mark.parametrize("module", [composing, gateways, mailbox, mime, outbox], ids=lambda module: module.__name__)
def test_examples(module):
    """Each is run."""
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
