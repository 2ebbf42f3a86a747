"""Files of others in the console: each is named, licensed and byte for byte the one it says."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "admin" / "static"
VENDOR = STATIC / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_the_one_its_manifest_names(entry: dict[str, str]) -> None:
    """Its hash fits, and its package, version and licence are given."""
    assert sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert all(entry[name] for name in ("package", "version", "licence", "tarball"))


def test_no_vendored_file_is_left_out_of_the_manifest() -> None:
    """And none is named that is not there."""
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert present - {"manifest.json"} == {entry["file"] for entry in MANIFEST}


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No template, style or script of ours names another host."""
    ours = [*STATIC.glob("*.css"), *STATIC.glob("*.js"), *(STATIC.parent / "templates").rglob("*.html")]
    assert len(ours) > 20
    for path in ours:
        text = path.read_text()
        assert "://" not in text.replace("http://www.w3.org/", ""), path
        assert "javascript:" not in text, path
        assert " style=" not in text, path
        assert " onclick=" not in text, path


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    """One that is not would leave a hole in its button."""
    there = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (VENDOR / "icons.svg").read_text()))
    named = r"""icon\(['"]([a-z0-9-]+)['"]|do\('\w+', _\('[^']*'\), '([a-z0-9-]+)'|empty\(.*?, '([a-z0-9-]+)'\)"""
    sources = [*(STATIC.parent / "templates").rglob("*.html"), *STATIC.parent.rglob("*.py")]
    used = {name for path in sources for found in re.findall(named, path.read_text()) for name in found if name}
    assert len(used) > 30
    assert used <= there
