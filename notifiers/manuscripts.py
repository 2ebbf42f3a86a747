"""Manuscripts: what a letter says, fixed at one moment and written out at a later one.

Writing out takes a hundred times as long as fixing it, so the two are apart: the engine fixes
what is said while nobody else can write, and has it written when everybody can.
"""

from dataclasses import dataclass

from .composing import Composed, compose
from .letters import Letter
from .printing import Printed, print_letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """Everything a letter will say.

    Args:
        template: one of ``composing.TEMPLATES``.
        letter: its values.
        language: of the contact.
        country: ISO 3166 code of the contact, for the way dates and amounts are written.
        on_paper: printed, instead of text and HTML.
    """

    template: str
    letter: Letter
    language: str
    country: str | None = None
    on_paper: bool = False


def written(manuscript: Manuscript) -> Composed | Printed:
    """Write a manuscript out; the same one gives the same text and the same page.

    Raises:
        ValueError: there is no such template, or the letter demands nothing.
        Unprintable: a name holds characters that no font of ours has.
    """
    write = print_letter if manuscript.on_paper else compose
    return write(manuscript.template, manuscript.letter, manuscript.language, manuscript.country)
