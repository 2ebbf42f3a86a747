"""Two versions of a document side by side: their canonical JSON line by line, what is alike left out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any

AROUND = 3  # lines shown before and after a difference


@dataclass(frozen=True)
class Line:
    """One line of both sides.

    Args:
        kind: same, changed, gone, new, or skipped (``number`` lines that are alike).
        left, right: number and text; None where the side has no such line.
    """

    kind: str
    left: tuple[int, str] | None = None
    right: tuple[int, str] | None = None
    number: int = 0


def lines_of(body: Mapping[str, Any] | None) -> list[str]:
    """A document in lines, its names in order."""
    return [] if body is None else json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True).splitlines()


def side_by_side(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    """Both sides, row by row; runs of equal lines shrink to what stands around a difference.

    >>> [line.kind for line in side_by_side(["a", "b"], ["a", "c"])]
    ['same', 'changed']
    """
    found: list[Line] = []
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for place, (tag, i1, i2, j1, j2) in enumerate(blocks):
        if tag == "equal":
            found += _alike(before, i1, i2, j1, place == 0, place == len(blocks) - 1)
            continue
        for n in range(max(i2 - i1, j2 - j1)):
            left = (i1 + n + 1, before[i1 + n]) if i1 + n < i2 else None
            right = (j1 + n + 1, after[j1 + n]) if j1 + n < j2 else None
            found.append(Line("gone" if right is None else "new" if left is None else "changed", left, right))
    return found


def _alike(before: Sequence[str], i1: int, i2: int, j1: int, first: bool, last: bool) -> Iterator[Line]:
    head, tail = (0 if first else AROUND), (0 if last else AROUND)
    for i in range(i1, i2):
        hidden = i - i1 >= head and i2 - i > tail and i2 - i1 > head + tail + 1
        if not hidden:
            yield Line("same", (i + 1, before[i]), (j1 + i - i1 + 1, before[i]))
        elif i - i1 == head:
            yield Line("skipped", number=i2 - i1 - head - tail)


def unified(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The same as one text, each line with its sign."""
    return list(unified_diff(before, after, lineterm="", n=AROUND))[2:]
