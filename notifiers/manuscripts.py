"""Manuscripts: what a letter says, fixed at one moment and written out at a later one.

Writing out takes a hundred times as long as fixing it, so the two are apart: the engine fixes
what is said while nobody else can write, and has it written when everybody can.
"""

from dataclasses import dataclass

from .composing import Composed, Wording, compose
from .gateways import Attachment
from .letters import Letter
from .printing import Printed, print_letter, print_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """Everything a letter will say.

    Args:
        wording: what it is written with.
        letter: its values.
        language: of the contact.
        country: ISO 3166 code of the contact, for the way dates and amounts are written.
        on_paper: printed, instead of text and HTML.
        statement: the same values with what a statement prints beside them; None: none goes along.
    """

    wording: Wording
    letter: Letter
    language: str
    country: str | None = None
    on_paper: bool = False
    statement: Letter | None = None


def statement_name(letter: Letter, wording: Wording, language: str) -> str:
    """The file name of a letter's statement, as in ``Kontoauszug 10-1.pdf``."""
    number = "".join(c if c.isalnum() else "-" for c in letter.customer_number)
    title = wording.shared.texts[wording.spoken(language)]["statement"].source
    return f"{title} {number}.pdf"


def statement_of(manuscript: Manuscript) -> Attachment | None:
    """Print the statement that goes along, if one does.

    Raises:
        Unprintable: a name holds characters that no font of ours has.
    """
    if manuscript.statement is None:
        return None
    own = manuscript.statement
    printed = print_statement(manuscript.wording, own, manuscript.language, manuscript.country)
    return Attachment(statement_name(own, manuscript.wording, manuscript.language), "application/pdf", printed.pdf)


def written(manuscript: Manuscript) -> Composed | Printed:
    """Write a manuscript out; the same one gives the same text and the same page.

    Raises:
        ValueError: the template is for no letter, or the letter demands nothing.
        Unprintable: a name holds characters that no font of ours has.
    """
    write = print_letter if manuscript.on_paper else compose
    return write(manuscript.wording, manuscript.letter, manuscript.language, manuscript.country)
