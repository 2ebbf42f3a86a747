"""The workbench on a phone: nothing wider than the screen, every part opens, nothing serious for axe."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.tables import Document, Entity

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("place", ["/rules/0", "/policy", "/otherwise", "/cases/0"])
def test_every_part_is_edited_on_a_phone(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity, place: str
) -> None:
    """The page does not scroll sideways."""
    hold = Document.get(Document.key == "hold")
    watched = page_as(people.manager, width=390, height=844)
    watched.goto(f"/policies/{hold.id}")
    watched.page.get_by_role("button", name="Edit rules").click()
    watched.page.wait_for_url("**/workbench/*")
    watched.goto(f"{urlsplit(watched.page.url).path}?open={place}")
    watched.page.locator("#editor").wait_for()
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
    watched.check()
