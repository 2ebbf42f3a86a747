"""docs/promises.md: a promise without its test leaves the page."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = [
    line
    for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "::" in line
]


def test_the_page_promises_something():
    """Every row of its tables names a test."""
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert rows == LINES
    assert len(LINES) > 20


@pytest.mark.parametrize("line", LINES, ids=[line.split("|")[1].split(".")[0].strip() for line in LINES])
def test_every_named_test_exists(line):
    """And it is not one that only the slow tier runs."""
    path, name = re.search(r"`(tests/[\w/]+\.py)::(\w+)`", line).groups()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    marks = {ast.unparse(mark) for mark in found.decorator_list}
    assert not any("slow" in mark or "skip" in mark for mark in marks)
