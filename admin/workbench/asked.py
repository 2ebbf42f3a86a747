"""What a form of the workbench came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from ledger.problems import Problem
from rules.editing import Edited


@dataclass
class Asked:
    """What a form came to.

    Args:
        document: the draft as it would be; None when it is refused.
        problems: why.
        wrong: by field, what cannot be read.
        place: of the part that stays open; empty for none.
        words: what was done, for the audit trail.
        focus: id of the element the reader goes on with.
        given: the fields, to be shown again where they could not be read.
        part: what the form makes of its part, however wrong.
        scenario: of an escalation, the one the reader goes on with; empty for the one they see.
    """

    document: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    place: str = ""
    words: str = ""
    focus: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    part: Any = None
    scenario: str = ""

    def then(self, edited: Edited, focus: str) -> None:
        """Go on with a further edit."""
        self.document, self.problems = edited
        self.focus = focus


def gone(place: str) -> Asked:
    """What was asked about is not there."""
    return Asked(None, [Problem(place, _("This is not there any more."), _("Choose again."))])
