"""Words of the mail that asks a colleague about a dispute, in the languages of the console."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language: subject, opening, what stands before the question and the link, and the close."""

    subject: str
    opening: str
    contested: str
    question: str
    link: str
    close: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        subject="Your answer, please: dispute about invoice {number}",
        opening="Hello {name},",
        contested="{customer} contests invoice {number}: {reason}",
        question="{asked_by} asks you: {question}",
        link="Please answer here until {until}; no sign-in is needed, and the link is yours alone:",
        close="It works once. If it is not for you, write back to whoever asked.",
    ),
    "de": Words(
        subject="Bitte um Antwort: Reklamation zu Rechnung {number}",
        opening="Guten Tag {name},",
        contested="{customer} beanstandet Rechnung {number}: {reason}",
        question="{asked_by} fragt Sie: {question}",
        link="Bitte antworten Sie hier bis {until}; eine Anmeldung ist nicht nötig, der Link gilt nur für Sie:",
        close="Er gilt ein einziges Mal. Ist er nicht für Sie bestimmt, sagen Sie es bitte der fragenden Person.",
    ),
    "fr": Words(
        subject="Votre réponse, s’il vous plaît : litige sur la facture {number}",
        opening="Bonjour {name},",
        contested="{customer} conteste la facture {number} : {reason}",
        question="{asked_by} vous demande : {question}",
        link="Merci de répondre ici avant le {until} ; sans connexion, ce lien est personnel :",
        close="Il ne sert qu’une fois. S’il ne vous est pas destiné, prévenez la personne qui demande.",
    ),
}
