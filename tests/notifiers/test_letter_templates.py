"""Letter templates as documents: what keeps one from being read, and which blocks a letter gets."""

import copy
from datetime import date

import pytest

from ledger.days import day_of
from ledger.problems import has_errors
from notifiers.composing import Wording, compose
from notifiers.letter_templates import SHARED, parse_template, shipped_templates
from notifiers.letters import Letter, LetterLine

DOCUMENTS = {document["key"]: document for document in shipped_templates()}
DAY = day_of(date(2026, 12, 24))
MISSING = type("Missing", (), {"__repr__": lambda self: "missing"})()


def changed(key, *place_and_value):
    """A shipped document with the value at a place put, or taken out (MISSING)."""
    *way, last, value = place_and_value
    document = copy.deepcopy(DOCUMENTS[key])
    part = document
    for step in way:
        part = part[step]
    if value is MISSING:
        del part[last]
    else:
        part[last] = value
    return document


def errors_of(document):
    """Place and words of every error."""
    template, problems = parse_template(document)
    assert (template is None) == has_errors(problems)
    return [(problem.place, problem.what) for problem in problems if problem.severity == "error"]


@pytest.mark.parametrize("key", DOCUMENTS)
def test_shipped_templates_have_no_fault(key):
    """Not even a warning."""
    assert parse_template(DOCUMENTS[key])[1] == []


BROKEN = [
    (("format", 2), "/kind"),
    (("kind", "policy"), "/kind"),
    (("key", ""), "/key"),
    (("name", "two\nlines"), "/name"),
    (("source", MISSING), "/source"),
    (("use", "poem"), "/use"),
    (("use", "shared"), "/use"),
    (("tone", "angry"), "/tone"),
    (("asks", "nothing"), "/asks"),
    (("pay_within_days", -1), "/pay_within_days"),
    (("pay_within_days", 91), "/pay_within_days"),
    (("pay_within_days", 10**100), "/pay_within_days"),
    (("pay_within_days", True), "/pay_within_days"),
    (("extra", 1), "/extra"),
    (("languages", "en", MISSING), "/languages"),
    (("languages", "xx", {}), "/languages/xx"),
    (("languages", "de", "text"), "/languages/de"),
    (("languages", "de", "subject", MISSING), "/languages/de/subject"),
    (("languages", "de", "poem", "x"), "/languages/de/poem"),
    (("languages", "de", "subject", "x" * 201), "/languages/de/subject"),
    (("languages", "de", "subject", "a\nb"), "/languages/de/subject"),
    (("languages", "de", "opening", "{payable"), "/languages/de/opening"),
    (("languages", "de", "opening", "{iban}"), "/languages/de/opening"),
    (("languages", "de", "opening", 5), "/languages/de/opening"),
    (("blocks", [5]), "/blocks/0"),
    (("blocks", "x"), "/blocks"),
]


@pytest.mark.parametrize(("change", "place"), BROKEN, ids=lambda value: str(value)[:40])
def test_every_fault_is_found_at_its_place(change, place):
    """With what is wrong and what to do."""
    found = errors_of(changed("reminder_1", *change))
    assert place in [at for at, _ in found]


def test_a_label_must_name_what_it_is_for():
    """`page` without its numbers would print a page of nothing."""
    assert errors_of(changed(SHARED, "languages", "de", "page", "Seite {page}")) == [
        ("/languages/de/page", "does not say {pages}")
    ]
    assert ("/languages/de/page", "line 1, column 7: {payable} is no field") in errors_of(
        changed(SHARED, "languages", "de", "page", "Seite {payable}")
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"source": ""}, "source"),
        ({"kind": "poem"}, "kind"),
        ({"countries": ["XX"]}, "countries"),
        ({"countries": "DE"}, "countries"),
        ({"from": "24.12.2026"}, "from"),
        ({"from": "2026-12-24", "until": "2026-12-24"}, "until"),
        ({"texts": {}}, "texts"),
        ({"texts": {"en": "<b>"}}, "texts/en"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_a_block_says_when_where_and_by_which_law(change, place):
    """A legal block without its source is refused."""
    block = {"key": "law", "kind": "legal", "source": "BGB § 1", "texts": {"en": "x", "de": "x", "fr": "x"}}
    assert errors_of(changed("reminder_1", "blocks", [block])) == []
    (found, *_) = errors_of(changed("reminder_1", "blocks", [{**block, **change}]))
    assert found[0] == f"/blocks/0/{place}"


def a_letter(days=40, **changes):
    line = LetterLine(
        number="R-1", invoice_day=DAY - days - 30, due_day=DAY - days, days_past_due=days, original_minor=100,
        open_minor=100, currency="EUR",
    )  # fmt: skip
    values = {
        **dict.fromkeys(("creditor", "payment_details", "customer", "customer_number", "contact", "reference"), "x"),
        **{"as_of_day": DAY, "pay_by_day": DAY + 7, "demanded": (line,)},
    }
    return Letter(**{**values, **changes})


def says(letter, country="DE", language="en", **block):
    """Whether a letter says what is in a block."""
    whole = {"key": "b", "kind": "message", "source": "law", "texts": {"en": "THE BLOCK", "de": "DER BLOCK"}, **block}
    own = parse_template(changed("reminder_1", "blocks", [whole]))[0]
    text = compose(Wording(own, parse_template(DOCUMENTS[SHARED])[0]), letter, language, country).text
    return "THE BLOCK" in text or "DER BLOCK" in text


@pytest.mark.parametrize(
    ("begin", "end", "written"),
    [
        (None, None, True),
        ("2026-12-25", None, False),
        ("2026-12-24", None, True),
        (None, "2026-12-24", False),
        (None, "2026-12-25", True),
        ("2026-12-24", "2026-12-25", True),
    ],
)
def test_a_message_holds_from_its_first_day_until_before_its_last(begin, end, written):
    """Half-open, like every span of days."""
    assert says(a_letter(), **{"from": begin, "until": end}) == written


def test_a_block_for_countries_is_for_customers_there():
    """A law of one country is told to nobody else."""
    assert [says(a_letter(), country, kind="legal", countries=["DE", "AT"]) for country in ("DE", "AT", "FR")] == [
        True,
        True,
        False,
    ]


def test_penalties_are_told_where_the_step_has_them_and_early_payment_before_anything_is_late():
    """Each kind of block has its occasion."""
    assert [says(a_letter(penalties=has), kind="penalties") for has in (False, True)] == [False, True]
    assert [says(a_letter(days), kind="early_payment") for days in (-1, 0, 1)] == [True, True, False]


def test_what_the_law_asks_is_told_in_another_language_rather_than_not():
    """A block without the letter's language is written in one it has, and the checker warns."""
    assert says(a_letter(), language="fr")
    warned = parse_template(
        changed("reminder_1", "blocks", [{"key": "b", "kind": "legal", "source": "law", "texts": {"de": "x"}}])
    )[1]
    assert [problem.severity for problem in warned] == ["warning", "warning"]


def test_the_shipped_law_of_late_payment_is_told_by_country():
    """Germany, Austria and Switzerland read German, and each its own law."""
    wording = Wording(*(parse_template(DOCUMENTS[key])[0] for key in ("reminder_penalties", SHARED)))
    told = {
        country: compose(wording, a_letter(penalties=True), "de", country).text
        for country in ("DE", "AT", "CH", "FR", "GB", "PL", "US")
    }
    laws = {"DE": "§ 288", "AT": "§ 456 UGB", "CH": "Art. 104 OR", "FR": "L441-10", "GB": "1998", "PL": "2011/7/EU"}
    for country, text in told.items():
        assert [law in text for law in laws.values()] == [country == own for own in laws]
