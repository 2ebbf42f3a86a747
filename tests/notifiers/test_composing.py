"""Letters: what they say, that they add up, and that nothing in them can be executed."""

import re
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.days import day_of
from notifiers import composing
from notifiers.composing import ROWS_MAX, Wording
from notifiers.letter_templates import LETTER_USES, SHARED, parse_template, shipped_templates
from notifiers.letters import Letter, LetterCredit, LetterInstalment, LetterLine, totals
from notifiers.printing import layout_of

TODAY = day_of(date(2026, 5, 20))
SHIPPED = {document["key"]: parse_template(document)[0] for document in shipped_templates()}
LANGUAGES = ("en", "de", "fr")
LETTERS = ("before_due", "reminder_1", "reminder_2", "reminder_penalties", "formal_notice")


def compose(key, letter, *reader):
    return composing.compose(Wording(SHIPPED[key], SHIPPED[SHARED]), letter, *reader)


def a_line(number="RE-1", days=33, original=500_000, still_open=300_000, currency="EUR"):
    due = TODAY - days
    return LetterLine(
        number=number,
        invoice_day=due - 30,
        due_day=due,
        days_past_due=days,
        original_minor=original,
        open_minor=still_open,
        currency=currency,
    )


def a_credit(amount=20_000, number="GS-17", kind="credit_note", currency="EUR"):
    return LetterCredit(kind=kind, number=number, booked_day=TODAY - 3, open_minor=amount, currency=currency)


def a_letter(**changes):
    values = {
        "creditor": "Main Ltd",
        "payment_details": "IBAN DE02 1203 0000 0000 2020 51",
        "customer": "Hollow Oak Trading",
        "customer_number": "1001",
        "contact": "",
        "reference": "1001",
        "as_of_day": TODAY,
        "pay_by_day": TODAY + 10,
        "demanded": (a_line(), a_line("RE-2", 12, 123_450, 123_450)),
    }
    return Letter(**{**values, **changes})


class Reader(HTMLParser):
    """Collects tags, attributes and text, to see what a mail program would see."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, text):
        self.words.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_every_letter_exists_in_every_language_and_shows_the_open_amount(template, language):
    """The statement shows what is still open, not only what was once invoiced."""
    letter = compose(template, a_letter(), language, {"en": "GB", "de": "DE", "fr": "FR"}[language])
    shown = {"en": "4,234.50", "de": "4.234,50", "fr": "4 234,50"}[language]
    assert letter.language == language
    for part in (letter.subject, letter.text, letter.html):
        assert shown in " ".join(part.split())
        assert "{" not in part.replace("{{", "")
    assert f'<html lang="{language}">' in letter.html


def test_every_shipped_template_says_everything_in_every_language():
    """A missing translation is found here and not by a customer."""
    for template in SHIPPED.values():
        assert set(template.texts) == set(LANGUAGES)
        assert len({frozenset(texts) for texts in template.texts.values()}) == 1
        for block in template.blocks:
            assert set(block.texts) == set(LANGUAGES)
    assert {key for key, template in SHIPPED.items() if template.use == "letter"} == {*LETTERS, "plan_agreed"}
    assert {use for template in SHIPPED.values() for use in (template.use,)} > LETTER_USES


@pytest.mark.parametrize(
    ("language", "named"), [("en", "Instalment 2 of 2"), ("de", "Rate 2 von 2"), ("fr", "Échéance 2 sur 2")]
)
def test_a_plan_is_confirmed_with_a_table_of_its_instalments(language, named):
    """Each with its day and amount, in text, mail and print; they come to what the lines come to."""
    parts = (LetterInstalment(due_day=TODAY + 10, open_minor=400_000, currency="EUR"),)
    parts += (LetterInstalment(due_day=TODAY + 40, open_minor=23_450, currency="EUR"),)
    own = a_letter(instalments=parts, pay_by_day=TODAY + 40)
    mail = compose("plan_agreed", own, language, "GB" if language == "en" else None)
    amount = {"en": "234.50", "de": "234,50", "fr": "234,50"}[language]
    for text in (mail.text, Reader(mail.html).text):
        assert named in text
        assert amount in text.partition(named)[2][:40]
    page = layout_of(Wording(SHIPPED["plan_agreed"], SHIPPED[SHARED]), own, language)
    (plan,) = (one for one in page["tables"] if one["key"] == "instalments")
    assert plan["rows"][1][0] == named
    assert plan["sums"][-1] == page["totals"][0]["payable"]
    assert page["payment"]["rows"][-1][1].endswith(
        {"en": "4,000.00", "de": "4.000,00", "fr": "4\u202f000,00"}[language] + "\u00a0EUR"
    )
    assert page["ages"] == []


def test_letters_get_firmer():
    """Each step has another subject and heading, and only the last names recovery by law."""
    composed = [compose(template, a_letter(), "en") for template in LETTERS]
    assert len({letter.subject for letter in composed}) == len(LETTERS)
    assert ["legal recovery" in letter.text for letter in composed] == [False] * 4 + [True]


def test_every_open_credit_is_listed_and_set_off():
    """A customer must see what speaks for them; the sum asked for is less by it."""
    letter = compose("reminder_1", a_letter(credits=(a_credit(), a_credit(1_050, "", "payment"))), "en")
    for part in (letter.text, Reader(letter.html).text):
        assert "Credit note GS-17" in part
        assert "Payment on account" in part
        assert "-210.50" in part
        assert "4,024.00" in part


def test_disputed_and_later_lines_are_shown_apart_and_not_asked_for():
    """What is disputed or not due yet is listed for information only."""
    letter = compose("reminder_2", a_letter(held=(a_line("RE-9"),), later=(a_line("RE-8", -5),)), "en")
    text = Reader(letter.html).text
    assert "not part of this request" in text
    assert "For information: not due yet" in text
    assert "Please transfer 4,234.50" in text.replace("\u00a0", " ")


def test_two_currencies_are_never_added():
    """Each currency has its own total, and the subject names both."""
    letter = compose("reminder_1", a_letter(demanded=(a_line(), a_line("US-1", currency="USD"))), "en")
    assert "3,000.00\u00a0EUR and 3,000.00\u00a0USD" in letter.text
    assert "6,000.00" not in letter.html


@pytest.mark.parametrize(("currency", "minor", "shown"), [("JPY", 1_200, "1,200"), ("KWD", 1_234, "1.234")])
def test_currencies_without_cents_and_with_mills(currency, minor, shown):
    """The number of digits is the currency's, not always two."""
    letter = compose("reminder_1", a_letter(demanded=(a_line("X-1", 5, minor, minor, currency),)), "en")
    assert f"{shown}\u00a0{currency}" in letter.text


def test_country_decides_how_dates_and_amounts_are_written():
    """The words follow the contact's language, the figures their country."""
    swiss = compose("reminder_1", a_letter(), "de", "CH")
    assert "4’234.50" in swiss.text
    american = compose("reminder_1", a_letter(), "en", "US")
    assert "April 17, 2026" in american.text
    assert "17 April 2026" in compose("reminder_1", a_letter(), "en", "GB").text


def test_a_language_without_wording_gets_english():
    """A letter is sent all the same."""
    assert compose("reminder_1", a_letter(), "fi", "FI").language == "en"


def test_a_script_is_no_letter_and_an_empty_letter_is_the_callers_mistake():
    """Nobody gets a letter that asks for nothing."""
    with pytest.raises(ValueError, match="'call_first' is for no letter"):
        compose("call_first", a_letter(), "en")
    with pytest.raises(ValueError, match="without a single demanded line"):
        compose("reminder_1", a_letter(demanded=()), "en")


def test_a_letter_names_the_template_it_was_written_by():
    """Whoever reads a message later finds the very version."""
    assert compose("reminder_1", a_letter(), "en").template == SHIPPED["reminder_1"].sha256


def test_a_short_message_and_a_script_use_the_same_fields():
    """What leaves by SMS and what a caller reads show the same amount as the letter."""
    shared = SHIPPED[SHARED]
    said = composing.short_message(Wording(SHIPPED["reminder_1"], shared), a_letter(), "de", "DE")
    assert said.startswith("Main Ltd: 4.234,50\u00a0EUR sind überfällig")
    told = composing.script(Wording(SHIPPED["call_first"], shared), a_letter(credits=(a_credit(),)), "en", "GB")
    assert told[-1] == ("Open credits: 200.00\u00a0EUR.",)
    with pytest.raises(ValueError, match="no short message"):
        composing.short_message(Wording(SHIPPED["call_first"], shared), a_letter(), "en")


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_long_statements_are_cut_but_still_add_up(extra):
    """Beyond ROWS_MAX one row carries the rest."""
    lines = tuple(a_line(f"RE-{n:04}", 5, 100, 100) for n in range(ROWS_MAX + extra))
    letter = compose("reminder_1", a_letter(demanded=lines), "en")
    assert ("further items" in letter.text) == (extra > 0)
    assert f"{ROWS_MAX + extra}.00\u00a0EUR" in letter.text


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "{payable.__class__}",
    "a\r\nBcc: everybody@customer.example",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_others_stays_text(hostile):
    """Names, numbers and references come from files: they are shown, never obeyed."""
    plain = Reader(compose("reminder_1", a_letter(), "en").html)
    values = dict.fromkeys(
        ("creditor", "payment_details", "customer", "customer_number", "contact", "reference"), hostile
    )
    letter = compose(
        "reminder_1", a_letter(**values, demanded=(a_line(hostile),), credits=(a_credit(number=hostile),)), "en"
    )
    attacked = Reader(letter.html)
    assert set(attacked.tags) == set(plain.tags)
    assert set(attacked.attributes) == set(plain.attributes)
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    assert "49" not in letter.subject
    assert not re.search(r"\bimg\b|script", " ".join(attacked.tags))


def test_the_letter_is_readable_for_everybody():
    """Tables of figures have headings, layout tables say that they are none."""
    html = compose("reminder_1", a_letter(credits=(a_credit(),)), "de").html
    assert html.count("<table") == html.count('role="presentation"') + html.count("<thead") + 1
    assert html.count('scope="col"') == 6 + 3
    assert "<style" not in html
    assert "http" not in html  # nothing is fetched when the mail is opened


lines = st.builds(
    a_line,
    number=st.text(min_size=1, max_size=8),
    days=st.integers(-400, 4_000),
    original=st.integers(1, 10**12),
    still_open=st.integers(1, 10**12),
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
)
credits_ = st.builds(a_credit, amount=st.integers(1, 10**12), currency=st.sampled_from(["EUR", "USD"]))


@given(
    demanded=st.lists(lines, min_size=1, max_size=6),
    held=st.lists(lines, max_size=3),
    later=st.lists(lines, max_size=3),
    back=st.lists(credits_, max_size=3),
)
def test_totals_add_up(demanded, held, later, back):
    """Per currency: the balance is the sum of all rows, and nothing negative is asked for."""
    letter = a_letter(demanded=tuple(demanded), held=tuple(held), later=tuple(later), credits=tuple(back))
    found = {total.currency: total for total in totals(letter)}
    for currency in {item.currency for item in (*demanded, *held, *later, *back)}:
        rows = [line.open_minor for line in (*demanded, *held, *later) if line.currency == currency]
        owed_back = [credit.open_minor for credit in back if credit.currency == currency]
        assert found[currency].balance_minor == sum(rows) - sum(owed_back)
        assert found[currency].payable_minor >= 0
    assert list(found) == sorted(found)
