"""Manuscripts: what a letter says, fixed at one moment and written out at a later one.

Writing out takes a hundred times as long as fixing it, so the two are apart: the engine fixes
what is said while nobody else can write, and has it written when everybody can.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from .composing import Composed, Wording, compose
from .events import event_text
from .gateways import Attachment
from .letters import Letter
from .printing import Printed, print_letter, print_statement
from .short_texts import compose_short

MAIL, PAPER, SHORT, EVENT = "mail", "paper", "short", "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript:
    """Everything a letter will say.

    Args:
        wording: what it is written with.
        letter: its values.
        language: of the contact.
        country: ISO 3166 code of the contact, for the way dates and amounts are written.
        form: mail (text and HTML), paper (printed), short (a text of few characters) or event (JSON).
        about: of an event, what it says of its step.
        link: of a mail to colleagues, where they find the customer; empty: none.
        statement: the same values with what a statement prints beside them; None: none goes along.
    """

    wording: Wording
    letter: Letter
    language: str
    country: str | None = None
    form: str = MAIL
    about: Mapping[str, str | int] = field(default_factory=dict)
    link: str = ""
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
    said = (manuscript.wording, manuscript.letter, manuscript.language, manuscript.country)
    if manuscript.form == PAPER:
        return print_letter(*said)
    if manuscript.form == SHORT:
        return compose_short(*said)
    if manuscript.form == EVENT:
        text = event_text(manuscript.about, manuscript.letter)
        return Composed(subject="", text=text, html="", language=manuscript.language)
    return _linked(compose(*said), manuscript.link)


def _linked(mail: Composed, link: str) -> Composed:
    """Put a link below a mail."""
    if not link:
        return mail
    body, end, rest = mail.html.rpartition("</body>")
    shown = f'<p style="font-family:sans-serif;text-align:center"><a href="{escape(link)}">{escape(link)}</a></p>'
    return replace(mail, text=f"{mail.text.rstrip()}\n\n{link}\n", html=f"{body}{shown}{end}{rest}")
