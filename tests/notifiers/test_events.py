"""Events: what a webhook says, by its published schema."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from notifiers import events
from notifiers.events import LINES_MAX, event_text

SCHEMA = Path(events.__file__).parents[1] / "docs" / "webhook.schema.json"


def test_the_event_keeps_to_its_published_schema(a_letter):
    """Whole numbers in minor units, dates by ISO 8601, at most so many lines, and no name of a person."""
    schema = json.loads(SCHEMA.read_text())
    about = {
        **dict.fromkeys(("key", "entity", "policy", "step", "template"), "x"),
        "episode": 1,
        "repeat": 0,
        "level": 2,
    }
    line = replace(a_letter.demanded[0], currency="JPY", due_day=None, days_past_due=None)
    for many in (1, LINES_MAX, LINES_MAX + 1):
        text = event_text(about, replace(a_letter, contact="Accounts Payable", demanded=(line,) * many))
        said = json.loads(text)
        jsonschema.validate(said, schema)
        assert "Accounts Payable" not in text
        assert (len(said["lines"]), said["further_lines"]) == (min(many, LINES_MAX), max(0, many - LINES_MAX))
        (total,) = said["totals"]
        assert (total["exponent"], total["payable_minor"]) == (0, 300_000 * many)
