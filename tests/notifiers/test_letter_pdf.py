"""Printed letters: read back from the PDF, measured on the page, decoded from the picture."""

import io
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import typst
import zxingcpp
from pypdf import PdfReader

from ledger.days import day_of
from notifiers.composing import FOLDER, Wording
from notifiers.letter_templates import SHARED, parse_template, shipped_templates
from notifiers.letters import Letter, LetterCharge, LetterCredit, Letterhead, LetterLine
from notifiers.printing import TAGGED_LINES_MAX, Unprintable, _typesetter, layout_of, print_letter

DAY = day_of(date(2026, 3, 31))
MM = 72 / 25.4  # points
SHIPPED = {document["key"]: parse_template(document)[0] for document in shipped_templates()}


def wording(key="reminder_1"):
    """A shipped template."""
    return Wording(SHIPPED[key], SHIPPED[SHARED])


IBAN = "DE02120300000000202051"
HEAD = Letterhead(
    address=("Speicherstraße 12", "20457 Hamburg"), email="credit@seller.example", iban=IBAN, bic="BYLADEM1001"
)


def line(number, open_minor=12_345, late=30, currency="EUR", original=None):
    """A due line some days past due."""
    return LetterLine(
        number=number,
        invoice_day=DAY - late - 30,
        due_day=None if late is None else DAY - late,
        days_past_due=late,
        original_minor=original or open_minor * 2,
        open_minor=open_minor,
        currency=currency,
    )


def letter(many=1, **changes):
    """A letter with so many overdue lines."""
    values = {
        "creditor": "Hollow Oak Supplies GmbH",
        "payment_details": "",
        "customer": "Alderbach Fittings GmbH & Co. KG",
        "customer_number": "10042",
        "contact": "",
        "reference": "10042",
        "as_of_day": DAY,
        "pay_by_day": DAY + 10,
        "demanded": tuple(line(f"R-{1000 + at}", 1_000 + at, 30 + at % 90) for at in range(many)),
        "head": HEAD,
        "recipient": ("Alderbach Fittings GmbH & Co. KG", "Industrieweg 7", "90402 Nürnberg"),
        "mark": "EU-10042-7",
    }
    return Letter(**{**values, **changes})


def printed(asked=None, template="reminder_1", language="en", country=None):
    """The PDF of a letter."""
    return print_letter(wording(template), asked or letter(), language, country).pdf


def text_of(pdf):
    """All text, blanks of every kind as one, marks that allow a break left out."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).replace("\u200b", "").split())


def codes_in(asked, template="reminder_1"):
    """What a phone reads from the picture of the letter."""
    pages = _typesetter().compile(
        format="png", ppi=150, sys_inputs={"letter": json.dumps(layout_of(wording(template), asked, "en"))}
    )
    found = []
    for page in pages if isinstance(pages, list) else [pages]:
        found += zxingcpp.read_barcodes(picture_of(page))
    return [one.text for one in found]


def picture_of(png):
    """A PNG as an array, through the only decoder at hand that needs no library of its own."""
    at, parts = 8, []
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
            channels = {0: 1, 2: 3, 6: 4}[body[9]]
        if kind == b"IDAT":
            parts.append(body)
        at += 12 + size
    raw = np.frombuffer(zlib.decompress(b"".join(parts)), np.uint8).reshape(height, 1 + width * channels)
    rows, above = [], np.zeros(width * channels, np.uint8)
    for row in raw:
        above = unfiltered(row[0], row[1:].copy(), above, channels)
        rows.append(above)
    return np.stack(rows).reshape(height, width, channels)[:, :, 0].copy()


def unfiltered(kind, row, above, step):
    """Undo the filter of one row of a PNG."""
    if kind == 2:
        return row + above
    if kind in (1, 3, 4):
        done = row.astype(int).tolist()
        up = above.astype(int).tolist()
        for at in range(len(done)):
            left = done[at - step] if at >= step else 0
            corner = up[at - step] if at >= step else 0
            if kind == 1:
                guess = left
            elif kind == 3:
                guess = (left + up[at]) // 2
            else:
                near = left + up[at] - corner
                far = (abs(near - left), abs(near - up[at]), abs(near - corner))
                guess = left if far[0] <= far[1] and far[0] <= far[2] else up[at] if far[1] <= far[2] else corner
            done[at] = (done[at] + guess) % 256
        return np.array(done, np.uint8)
    return row


def places_of(pdf, page=0):
    """(text, mm from the left, mm from the top) of what stands on a page."""
    found = []

    def visit(text, current, matrix, _font, _size):
        if text.strip():
            x = matrix[4] * current[0] + current[4]
            y = matrix[5] * current[3] + current[5]
            found.append((text.strip(), x / MM, 297 - y / MM))

    PdfReader(io.BytesIO(pdf)).pages[page].extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize("many", [1, 8, 60, 250])
def test_every_line_is_listed_with_its_amounts(many):
    """Number, original and open amount of each line are on paper, and the sum at the end."""
    asked = letter(many)
    text = text_of(printed(asked))
    for one in asked.demanded:
        assert re.search(rf"{one.number} .{{0,80}}{one.original_minor / 100:,.2f} {one.open_minor / 100:,.2f}", text)
    assert f"{sum(one.open_minor for one in asked.demanded) / 100:,.2f} EUR" in text


@pytest.mark.parametrize("many", [1, 60, 250])
def test_pages_are_counted_and_carry_their_sum_forward(many):
    """Each page says which of how many it is; a table that goes on says how much so far."""
    asked = letter(many)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(printed(asked))).pages]
    for at, page in enumerate(pages, start=1):
        assert f"Page {at} of {len(pages)}" in page
    for page in pages[1:]:
        assert "10042" in page, "a page that is parted from the others still says whose it is"
    carried = [float(found.replace(",", "")) for page in pages for found in re.findall(r"forward\s+([\d,.]+)", page)]
    listed = [len(re.findall(r"R-\d{4}", page)) for page in pages]
    opens = [one.open_minor for one in sorted(asked.demanded, key=lambda one: (one.due_day, one.number))]
    reached = [sum(opens[: sum(listed[: at + 1])]) / 100 for at in range(len(pages))]
    assert carried == [amount for amount in reached if amount < sum(opens) / 100]


@pytest.mark.parametrize(
    ("language", "country", "amount", "words"),
    [
        ("en", "GB", "1,234,567.89", "Payment reminder"),
        ("de", "DE", "1.234.567,89", "Zahlungserinnerung"),
        ("fr", "FR", "1 234 567,89", "Rappel de paiement"),
    ],
)
def test_a_letter_speaks_its_readers_language(language, country, amount, words):
    """Words, dates and amounts follow the contact; so does the language a screen reader is told."""
    pdf = printed(letter(demanded=(line("R-1", 123_456_789),)), language=language, country=country)
    text = text_of(pdf)
    assert amount in text.replace("\u202f", " ").replace("\xa0", " ")
    assert words in text
    catalog = PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    assert catalog["/Lang"] == language
    assert catalog["/MarkInfo"]["/Marked"]


@pytest.mark.parametrize(
    ("currency", "minor", "shown"), [("JPY", 1_234_567, "1,234,567 JPY"), ("TND", 1_234_567, "1,234.567 TND")]
)
def test_currencies_have_their_own_decimals(currency, minor, shown):
    """A yen has no hundredth, a dinar has thousandths; neither gets a code for EUR."""
    asked = letter(demanded=(line("R-1", minor, currency=currency),))
    assert shown in text_of(printed(asked))
    assert codes_in(asked) == []


def test_credits_and_interest_change_what_is_to_pay():
    """Credits are deducted, interest is added where somebody counted it, held lines are neither."""
    asked = letter(
        demanded=(line("R-1", 100_000),),
        held=(line("R-2", 50_000),),
        credits=(LetterCredit(kind="payment", number="P-1", booked_day=DAY, open_minor=20_000, currency="EUR"),),
    )
    text = text_of(printed(asked))
    assert "Less credits in your favour -200.00" in text
    assert "interest" not in text
    assert re.search(r"Please pay by 10 April 2026 800\.00 EUR", text)
    more = text_of(printed(replace(asked, charges=(LetterCharge(kind="cost", open_minor=1_250, currency="EUR"),))))
    assert "Late-payment interest and costs 12.50" in more
    assert re.search(r"Please pay by 10 April 2026 812\.50 EUR", more)


def test_the_ages_add_up_to_the_balance():
    """Each bucket has what is open of its age, below, at and above its edge."""
    lates = (-5, 0, 1, 30, 31, 60, 61, 90, 91)
    asked = letter(demanded=tuple(line(f"R-{late}", 100 << at, late) for at, late in enumerate(lates)))
    (ages,) = layout_of(wording(), asked, "en")["ages"]
    assert [amount for _, amount in ages["cells"]] == ["3.00", "12.00", "48.00", "192.00", "256.00", "511.00"]


@pytest.mark.parametrize("amount", [1, 123_45, 99_999_999_999])
def test_the_code_says_what_the_letter_says(amount):
    """A phone reads holder, IBAN, BIC, amount and creditor reference of the letter."""
    (code,) = codes_in(letter(demanded=(line("R-1", amount),)))
    fields = code.split("\n")
    assert fields[:8] == ["BCD", "002", "1", "SCT", "BYLADEM1001", "Hollow Oak Supplies GmbH", IBAN, fields[7]]
    assert fields[7].startswith("EUR")
    assert round(float(fields[7][3:]) * 100) == amount
    assert fields[9] == "RF821 0042".replace(" ", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"demanded": (line("R-1", 100_000_000_000),)},
        {"head": replace(HEAD, iban="")},
        {"head": replace(HEAD, iban="DE02120300000000202052")},
    ],
)
def test_no_code_rather_than_a_wrong_one(changes):
    """Above a billion EUR, without an IBAN, or with one that is misspelt, there is no code."""
    assert codes_in(letter(**changes)) == []


def test_without_an_iban_the_house_says_how_to_pay():
    """The payment block falls back to text, with what to quote."""
    text = text_of(printed(letter(head=replace(HEAD, iban="", bic=""), payment_details="By cheque to the above")))
    assert "By cheque to the above" in text
    assert "IBAN" not in text
    assert "RF82 1004 2" in text


@pytest.mark.parametrize(
    ("country", "left", "right", "top", "bottom"), [("DE", 20, 105, 62.7, 90), ("FR", 105, 195, 45, 81)]
)
@pytest.mark.parametrize("lines", [3, 6, 9])
def test_the_address_stands_in_the_window(country, left, right, top, bottom, lines):
    """Every line of the address is inside the window (DIN 5008 form B; NF Z 11-001), beside our own alone."""
    recipient = tuple(f"Recipient {at} " + "with a long name " * 4 for at in range(lines))
    places = places_of(printed(letter(recipient=recipient, head=replace(HEAD, country=country))))
    own = [(x, y) for text, x, y in places if text.startswith("Recipient")]
    assert len(own) == min(lines, 6)
    for x, y in own:
        assert left <= x <= right
        assert top <= y <= bottom
    others = [text for text, x, y in places if left <= x < right and top + 1 < y < bottom and "Recipient" not in text]
    assert [text for text in others if not re.search("with a long|long name|Speicherstraße", text)] == []


NAMES = [
    "#[]*_$@<>",
    '#read("/etc/passwd")',
    "$ x^2 $ <label> @ref // gone /* gone */",
    "`raw` \\ \\u{41} ~ -- ... 'q' \"q\"",
    "= Heading",
    "- item + 1. list",
    "https://evil.example",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_others_wrote_stays_text(name):
    """No mark of the typesetter means anything in a name, a number or a reference."""
    asked = letter(
        customer=name,
        recipient=(name, "Street 1"),
        creditor=name,
        demanded=(line(name),),
        reference=name,
        mark=name,
        head=replace(HEAD, account_holder=name, address=(name,)),
        payment_details=name,
    )
    pdf = printed(asked)
    plain = re.sub(r"\s", "", text_of(pdf))
    kept = re.sub(r"\s", "", name)
    assert plain.count(kept) >= 5
    assert not [note for page in PdfReader(io.BytesIO(pdf)).pages for note in page.get("/Annots", [])]


@pytest.mark.parametrize("name", ["שלום בעמ", "Ђорђе и синови", "Αφοί Παπαδόπουλοι", "شركة المثال", "Łódź Ğ ő"])
def test_other_scripts_are_printed(name):
    """Names in Hebrew, Cyrillic, Greek, Arabic or with rare accents have their letters in our fonts."""
    assert len(PdfReader(io.BytesIO(printed(letter(customer=name, recipient=(name, "Street 1"))))).pages) == 1


def test_direction_marks_vanish():
    """A mark that turns the reading direction would show another number than the one that is paid."""
    text = text_of(printed(letter(demanded=(line("R-\u202e1234\u202c"),))))
    assert "R- 1234" in text
    assert "\u202e" not in text


def test_a_letter_reads_nothing_outside_its_folder():
    """Even a template of ours could not: the typesetter knows one folder only."""
    with pytest.raises(typst.TypstError, match=r"outside|project root|access"):
        typst.compile(b'#read("../letters.py")', root=FOLDER, ignore_system_fonts=True)


def test_a_name_no_font_can_print_is_refused():
    """Better no letter than one with boxes for a name."""
    with pytest.raises(Unprintable, match="fonts"):
        printed(letter(customer="漢字", recipient=("漢字",)))


@pytest.mark.parametrize("many", [1, TAGGED_LINES_MAX, TAGGED_LINES_MAX + 1])
def test_it_says_that_it_is_pdf_a(many):
    """The mark of PDF/A-2 is in the metadata, tagged (a) up to a limit of lines, plain (b) beyond; so is the title."""
    pdf = printed(letter(many))
    reader = PdfReader(io.BytesIO(pdf))
    meta = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    level = "A" if many <= TAGGED_LINES_MAX else "B"
    assert re.search(r"pdfaid:part[^0-9]+2", meta)
    assert re.search(rf"pdfaid:conformance[^A-Z]+{level}", meta)
    assert ("/StructTreeRoot" in reader.trailer["/Root"]) == (level == "A")
    assert "overdue" in str(reader.metadata.title)
    assert "/OutputIntents" in reader.trailer["/Root"]


def test_all_fonts_are_in_the_file():
    """A printer needs nothing else."""
    for page in PdfReader(io.BytesIO(printed(letter(60)))).pages:
        for font in page["/Resources"]["/Font"].values():
            below = font.get_object()["/DescendantFonts"][0].get_object()
            assert {"/FontFile2", "/FontFile3"} & below["/FontDescriptor"].get_object().keys()


def test_the_same_letter_gives_the_same_bytes():
    """In this process and in another one."""
    source = "import sys; from test_letter_pdf import printed, letter; sys.stdout.buffer.write(printed(letter(8)))"
    other = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {source}"],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert other.stdout == printed(letter(8)) == printed(letter(8))
    assert printed(letter(8)) != printed(letter(8, as_of_day=DAY + 1))


@pytest.mark.parametrize("many", [1, 8, 60, TAGGED_LINES_MAX, 250])
def test_a_letter_stays_small(many):
    """At most 200 KB, however long the list (promise G8)."""
    assert len(printed(letter(many))) <= 200_000
