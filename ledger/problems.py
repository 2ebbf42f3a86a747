"""What is wrong with something a user gave us, and what to do about it.

User data never raises: a reader returns ``(value, problems)``.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """One finding, said so that the reader can act on it.

    Args:
        place: where, in the reader's words ("row 12", "rule risky, when").
        what: what is wrong.
        cure: what to do about it.
        severity: an error stops the whole; a warning is shown and kept.
        line: line of a file, counted from 1.
        column: column of a file, by its heading.
    """

    place: str
    what: str
    cure: str
    severity: Literal["error", "warning"] = "error"
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        """Say it in one line.

        >>> print(Problem("row 3", "the amount is empty", "give an amount"))
        row 3: the amount is empty; give an amount
        """
        return f"{self.place}: {self.what}; {self.cure}"


class Hindrance(Exception):
    """Something stands in the way that a person can clear: its text says what, and often how.

    The command line and the console show the text of every kind of it, without knowing them all.
    """


def has_errors(problems: list[Problem]) -> bool:
    """Whether any of them stops the whole."""
    return any(problem.severity == "error" for problem in problems)
