"""The console in German and French: nothing is left in English, and what is loaded is what was written."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from flask_babel import ngettext

from admin import formatting
from admin.app import LANGUAGES
from admin.translations import words
from engine.tables import Customer, Entity, User

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
NO_BREAK = "\u00a0\u202f"
translated = pytest.mark.parametrize("language", words.LANGUAGES)


@pytest.fixture(scope="module")
def asked_for() -> list[words.Id]:
    """What the console can say, gathered from the sources as they are now."""
    return words.asked_for()


def sides(message: words.Id) -> tuple[str, ...]:
    """A message, or each of its plural forms."""
    return (message,) if isinstance(message, str) else tuple(message)


def test_every_language_the_console_offers_has_a_catalog() -> None:
    """English is what messages are written in; the others are translated."""
    assert {"en", *words.LANGUAGES} == set(LANGUAGES)


def test_words_of_every_kind_are_gathered(asked_for: list[words.Id]) -> None:
    """From Python, templates, the words of rules, labels, shipped policies, codes, roles and permissions."""
    assert {
        "The form was too old.",  # a page's Python
        "Skip to the content",  # a template
        "%(fact)s is at most %(value)s",  # a rule in words
        "Net overdue",  # a fact's label
        "First reminder",  # a step of a shipped policy
        "Credit manager",  # a role
        "dunning block",  # a code within a sentence
        "Read the audit trail.",  # a permission
        "Approve run",  # a command in the audit trail
        "use of the credit limit",  # a reason of a score
    } <= set(asked_for)


@translated
def test_everything_is_translated(language: str, asked_for: list[words.Id]) -> None:
    """A sentence without its translation is red here until ``make words`` and a translator have met it."""
    waiting = words.untranslated(words.brought_up_to_date(language, asked_for))
    assert waiting == [], f"translate these in {words.po_path(language)}, after `make words`"


@translated
def test_nothing_is_translated_that_nobody_says(language: str, asked_for: list[words.Id]) -> None:
    """A sentence that left the console leaves the catalog as well, with the next ``make words``."""
    assert [message.id for message in words.read(language) if message.id and message.id not in asked_for] == []


@translated
def test_placeholders_survive_translation(language: str) -> None:
    """A lost placeholder hides a number; a misspelt one breaks the page."""
    wrong = []
    for message in words.read(language):
        if not message.id:
            continue
        asked = set(PLACEHOLDER.findall(sides(message.id)[-1]))
        wrong += [side for side in sides(message.string) if side and set(PLACEHOLDER.findall(side)) != asked]
    assert wrong == []


@translated
def test_sentences_end_as_their_originals_do(language: str) -> None:
    """A label stays a label, a sentence a sentence, and nothing begins or ends with a space."""
    ends = (".", ":", "?", "…")
    wrong = [
        (message.id, message.string)
        for message in words.read(language)
        if isinstance(message.id, str) and isinstance(message.string, str) and message.id and message.string
        if [message.id.endswith(end) for end in ends] != [message.string.endswith(end) for end in ends]
        or message.string != message.string.strip()
    ]
    assert wrong == []


@translated
def test_what_is_loaded_is_what_was_written(language: str) -> None:
    """The compiled catalog is the one that compiling the text gives."""
    assert words.mo_path(language).read_bytes() == words.as_mo(language), "run `make words`"


@translated
def test_gathering_again_changes_nothing(language: str, asked_for: list[words.Id]) -> None:
    """The text depends on the sources alone: no line numbers, no dates, no names of who ran it."""
    written = words.po_path(language).read_bytes()
    assert written == words.as_po(words.brought_up_to_date(language, asked_for)), "run `make words`"
    assert not re.search(rb"^#:|-Date:|Translator:|Generated-By", written, flags=re.MULTILINE)


def test_a_new_sentence_waits_for_its_translator() -> None:
    """It is kept with nothing beside it, and a guess counts as nothing."""
    catalog = words.brought_up_to_date("de", ["Dashboard", "Something nobody has said yet."])
    assert words.untranslated(catalog) == ["Something nobody has said yet."]
    guessed = Catalog(locale="de")
    guessed.add("Dashboard", "Armaturenbrett", flags=("fuzzy",))
    assert words.untranslated(guessed) == ["Dashboard"]


def test_both_forms_of_a_plural_count_as_its_translation() -> None:
    """German and French have two forms; one alone is not enough."""
    catalog = Catalog(locale="fr")
    catalog.add(("%(n)s day", "%(n)s days"), ("%(n)s jour", ""))
    assert words.untranslated(catalog) == [("%(n)s day", "%(n)s days")]


@translated
def test_the_text_names_its_language_and_plural_rule(language: str) -> None:
    """French counts none as one, German does not."""
    text = words.po_path(language).read_text(encoding="utf-8")
    assert f'"Language: {language}\\n"' in text
    assert {"de": "(n != 1)", "fr": "(n > 1)"}[language] in text
    with words.po_path(language).open("rb") as content:
        assert read_po(content).charset == "utf-8"


def speaks(user: User, language: str) -> User:
    """A user who reads another language."""
    User.update(language=language).where(User.id == user.id).execute()
    return user


def plain(page: str) -> str:
    """A page's text with one kind of space."""
    return re.sub(rf"[\s{NO_BREAK}]+", " ", page)


def test_a_german_reads_the_dashboard_in_german(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Words of the trade, and numbers with a comma for the fraction."""
    page = plain(signed_in(speaks(people.manager, "de")).get("/").text)
    assert '<html lang="de"' in page
    assert all(word in page for word in ("Übersicht", "Forderungen", "Wiedervorlage", "Risikoklassen", "Überfällig"))
    assert "Receivables" not in page
    assert re.search(r">\d{1,3}(\.\d{3})+<", page) or re.search(r"\d,\d", page)
    assert not re.search(r">\d{1,3}(,\d{3})+(\.\d+)?<", page)


def test_a_french_reads_the_dashboard_in_french(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Words of the trade, and numbers grouped by narrow spaces."""
    text = signed_in(speaks(people.manager, "fr")).get("/").text
    assert '<html lang="fr"' in text
    assert all(word in text for word in ("Tableau de bord", "Créances", "Agenda", "Classes de risque", "Échu"))
    assert not re.search(r">\d{1,3}(,\d{3})+(\.\d+)?<", text)


def test_a_german_reads_a_customer_and_its_reasons_in_german(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Facts, stages, rules and codes of the shipped policies as well, since they are explained."""
    browser = signed_in(speaks(people.manager, "de"))
    customer = Customer.select().where(Customer.entity == decided).order_by(Customer.id).first()
    parts = ("", "/pieces/rules", "/pieces/facts")
    page = plain("".join(browser.get(f"/customers/{customer.id}{part}").text for part in parts))
    assert all(word in page for word in ("Kreditlimit", "Offene Posten", "Mahnstufe", "Risikoklasse"))
    assert not any(word in page for word in ("Open items", "Dunning level", "Risk class", "Days past due"))


def test_a_german_reads_numbers_days_and_codes_in_german(app: Any) -> None:
    """Comma and full stop, days with their month, one day and several, codes within a sentence."""
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert formatting.money_text(123_456_789, "EUR") == "1.234.567,89"
        assert plain(formatting.percent_text(1_250)) == "12,5 %"
        assert formatting.day_text(20_543) == "31.03.2026"
        assert [formatting.late_text(n) for n in (-2, -1, 0, 1, 2)] == [
            "fällig in 2 Tagen",
            "fällig in 1 Tag",
            "heute fällig",
            "1 Tag überfällig",
            "2 Tage überfällig",
        ]
        assert (formatting.title("dunning_block"), formatting.phrase("promise")) == ("Mahnsperre", "Zahlungszusage")
        assert formatting.title("our_own_segment") == "Our own segment"


def test_french_counts_none_as_one(app: Any) -> None:
    """As the plural rule of the language says."""
    with app.test_request_context(headers={"Accept-Language": "fr"}):
        said = [ngettext("%(n)s open item", "%(n)s open items", n, n=n) for n in (0, 1, 2)]
    assert said == ["0 poste ouvert", "1 poste ouvert", "2 postes ouverts"]


def test_a_per_cent_sign_in_a_policy_is_nothing_to_fill_in(app: Any) -> None:
    """Its author writes words, not formats; what has no translation is shown as written."""
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert formatting.said("Up to 10 % of turnover.") == "Up to 10 % of turnover."
        assert formatting.said("Most late payers only forgot.") == "Die meisten Spätzahler haben es nur vergessen."


def test_the_language_of_the_browser_counts_before_signing_in(app: Any) -> None:
    """Whoever is not known yet is greeted in a language they asked for."""
    client = app.test_client()
    assert "Anmelden" in client.get("/login", headers={"Accept-Language": "de-CH,de;q=0.9"}).text
    assert "Se connecter" in client.get("/login", headers={"Accept-Language": "fr"}).text
    assert "Sign in" in client.get("/login", headers={"Accept-Language": "pl"}).text


def test_the_catalogs_travel_with_the_package() -> None:
    """The compiled ones are files of the package, not made at installation."""
    assert all(words.mo_path(language).is_relative_to(Path(words.__file__).parent) for language in words.LANGUAGES)
    assert "translations/**/*" in (words.ROOT / "setup.cfg").read_text(encoding="utf-8")
