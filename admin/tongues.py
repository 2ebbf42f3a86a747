"""Tongues: how cells of decision tables are said, in any of the console's languages.

A file is read in the language it was written in, whoever reads it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.support import NullTranslations, Translations

from ledger.columns import Column
from rules.cell_words import Tongue
from rules.policies import Parameter
from rules.words import Voice

FOLDER = Path(__file__).parent / "translations"


@cache
def catalog(language: str) -> NullTranslations:
    """What the console says in a language; English where it has none."""
    return Translations.load(str(FOLDER), [language])


def tongue_of(
    language: str, currency: str, parameters: Mapping[str, Parameter], dictionary: Mapping[str, Column]
) -> Tongue:
    """How the cells of a policy are said.

    Args:
        language: as ``de``.
        currency: of its amounts.
        parameters: those in force, by name.
        dictionary: facts and outcomes of its subject.
    """
    return Tongue(
        Voice(
            say=catalog(language).ugettext,
            currency=currency,
            language=language,
            dictionary=dictionary,
            parameters=parameters,
        )
    )
