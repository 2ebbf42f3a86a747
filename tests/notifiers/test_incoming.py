"""Received mails: what each of a corpus is, refers to and says; and that none of any shape raises or takes long."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.gateways import message_id_of
from notifiers.incoming import MAIL_BYTES_MAX, Incoming, read_mail
from notifiers.own_words import html_to_text, own_words

OURS = message_id_of("7/escalation/1/standard-p4/0/email", "credit@seller.example")
OTHER = message_id_of("8/escalation/1/standard-p4/0/email", "credit@seller.example")
THEIRS = "<CAF7x+9@mail.customer.example>"
LETTER = f"Message-ID: {OURS}\nFrom: credit@seller.example\nTo: payables@customer.example\nSubject: Reminder\n"
ANSWER = f"From: payables@customer.example\nMessage-ID: {THEIRS}\nIn-Reply-To: {OURS}\n"


def dsn(
    status: str,
    action: str = "failed",
    *,
    original: str = f"Content-Type: text/rfc822-headers\n\n{LETTER}",
    head: str = "From: MAILER-DAEMON@mx.customer.example (Mail Delivery System)\nAuto-Submitted: auto-replied\n",
    diagnostic: str = "smtp; 550 user unknown",
    words: str = "I'm sorry to have to inform you that your message could not be delivered.",
) -> str:
    """A delivery status as Postfix writes it."""
    return (
        f"{head}Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\n\n'
        f"--b1\nContent-Type: text/plain; charset=us-ascii\n\n{words}\n"
        "--b1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.customer.example\n\n"
        f"Final-Recipient: rfc822; Payables@customer.example\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}\n\n"
        f"--b1\n{original}\n--b1--\n"
    )


WHOLE = f"Content-Type: message/rfc822\n\n{LETTER}Content-Type: text/plain\n\nPlease pay.\n"
NO_HEADERS = "Content-Type: text/plain\n\nnothing of it\n"
EXCHANGE = f"From: postmaster@customer.example\nIn-Reply-To: {OURS}\nReferences: {OURS}\n"
EXIM = (
    "From: Mail Delivery System <Mailer-Daemon@mx.customer.example>\nX-Failed-Recipients: payables@customer.example\n"
    "Auto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\n"
    "  payables@customer.example\n    host mx.customer.example: 550 5.1.1 no such mailbox\n\n"
    f"------ This is a copy of the message, including all the headers. ------\n\n{LETTER}"
)
QMAIL = (
    "From: MAILER-DAEMON@mx.customer.example\nSubject: failure notice\n\nHi. This is the qmail-send program.\n"
    "<payables@customer.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
    f"--- Below this line is a copy of the message.\n\n{LETTER}"
)
FULL = "From: postmaster@customer.example\nSubject: delayed\n\n452 4.2.2 over quota, trying again\n" + LETTER

# name: mail, kind, what it refers to, status
CORPUS: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "postfix, headers attached": (dsn("5.1.1"), "hard_bounce", (OURS,), "5.1.1"),
    "whole letter attached": (dsn("5.1.10", original=WHOLE), "hard_bounce", (OURS,), "5.1.10"),
    "exchange, nothing attached": (dsn("5.1.10", original=NO_HEADERS, head=EXCHANGE), "hard_bounce", (OURS,), "5.1.10"),
    "status only in the diagnostics": (dsn("", diagnostic="smtp; 550 5.4.4 no"), "hard_bounce", (OURS,), "5.4.4"),
    "no status at all": (dsn("", diagnostic="x"), "hard_bounce", (OURS,), "5.0.0"),
    "refused as spam": (dsn("5.7.1"), "hard_bounce", (OURS,), "5.7.1"),
    "mailbox full": (dsn("4.2.2"), "soft_bounce", (OURS,), "4.2.2"),
    "delayed": (dsn("4.4.1", "delayed"), "soft_bounce", (OURS,), "4.4.1"),
    "delivered": (dsn("2.0.0", "delivered"), "automatic", (OURS,), ""),
    "of somebody else's letter": (dsn("5.1.1", original=NO_HEADERS), "hard_bounce", (), "5.1.1"),
    "exim": (EXIM, "hard_bounce", (OURS,), "5.1.1"),
    "qmail": (QMAIL, "hard_bounce", (OURS,), "5.1.1"),
    "over quota, in words": (FULL, "soft_bounce", (OURS,), "4.2.2"),
    "a daemon without a code": ("From: postmaster@x.example\n\nHello", "automatic", (), ""),
    "german out of office": (
        f"{ANSWER}Subject: =?utf-8?q?Abwesenheitsnotiz=3A_Zahlungserinnerung?=\n\nIch bin bis 12.1. nicht im Büro.",
        "automatic",
        (OURS,),
        "",
    ),
    "auto-replied": (f"{ANSWER}Auto-Submitted: auto-replied; owner=x\nSubject: Re\n\nAway", "automatic", (OURS,), ""),
    "auto-submitted: no": (f"{ANSWER}Auto-Submitted: no\nSubject: Re\n\nPaid", "written", (OURS,), ""),
    "x-autoreply": (f"{ANSWER}X-Autoreply: yes\nSubject: Re\n\nAway", "automatic", (OURS,), ""),
    "precedence": (f"{ANSWER}Precedence: auto_reply\nSubject: Re\n\nAway", "automatic", (OURS,), ""),
    "french absence": (f"{ANSWER}Subject: Réponse automatique : Rappel\n\nAbsent", "automatic", (OURS,), ""),
    "read receipt": (
        "From: payables@customer.example\nContent-Type: multipart/report; report-type=disposition-notification; "
        'boundary="b"\n\n--b\nContent-Type: text/plain\n\nRead.\n'
        "--b\nContent-Type: message/disposition-notification\n\n"
        f"Original-Message-ID: {OURS}\nDisposition: manual-action; displayed\n--b--\n",
        "automatic",
        (OURS,),
        "",
    ),
    "answer": (f"{ANSWER}Subject: Re: Reminder\n\nWe pay on Friday.", "written", (OURS,), ""),
    "answer by references only": (
        f"From: a@customer.example\nReferences: {OTHER} {THEIRS} {OURS}\nSubject: Re\n\nPaid",
        "written",
        (OURS, OTHER),
        "",
    ),
    "a number in its text is no reference": (f"From: a@x.example\nSubject: Hi\n\nsee {OURS}", "written", (), ""),
    "no headers": ("hello", "written", (), ""),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_a_mail_is(name: str) -> None:
    """Kind, whose letter it is about, and what a bounce gives as the reason."""
    text, kind, refers_to, status = CORPUS[name]
    for lines in (text, text.replace("\n", "\r\n")):
        mail = read_mail(lines.encode())
        assert (mail.kind, mail.refers_to, mail.status) == (kind, refers_to, status)


def test_only_codes_about_the_address_say_that_it_is_bad() -> None:
    """A full mailbox or a filter refuses this letter, not the address."""
    bad = {code: read_mail(dsn(code).encode()).address_is_bad for code in ("5.1.1", "5.2.1", "5.2.2", "5.7.1", "4.1.1")}
    assert bad == {"5.1.1": True, "5.2.1": True, "5.2.2": False, "5.7.1": False, "4.1.1": False}
    assert read_mail(dsn("5.1.1").encode()).recipients == ("payables@customer.example",)


QUOTED = {
    "english": "Paid.\n\nOn Mon, 3 Nov 2025 at 10:00, Main Ltd <credit@seller.example> wrote:\n> Reminder\n> 100.00",
    "german": "Paid.\n\nAm 03.11.2025 um 10:00 schrieb Main Ltd:\n> Zahlungserinnerung",
    "over two lines": "Paid.\n\nAm 03.11.2025 um 10:00 schrieb Main Ltd, accounts\nreceivable <c@s.example>:\n\nText",
    "french": "Paid.\n\nLe 3 nov. 2025 à 10:00, Main Ltd a écrit :\n> Rappel",
    "outlook": "Paid.\n\nVon: Main Ltd <c@s.example>\nGesendet: Montag\nAn: Kunde\nBetreff: Mahnung\n\nSehr geehrte",
    "outlook, divided": "Paid.\n\n-----Ursprüngliche Nachricht-----\nVon: Main Ltd\n\nSehr geehrte",
    "signature": "Paid.\n-- \nAccounts Payable\nCustomer Ltd",
    "between the lines": "> 100.00 are open\nPaid.\n> Please pay",
}


@pytest.mark.parametrize("name", QUOTED)
def test_what_is_quoted_is_cut_from_the_words(name: str) -> None:
    """The whole stays in the text; a text of nothing but quotes is its own words."""
    assert own_words(QUOTED[name]) == "Paid."
    mail = read_mail(f"{ANSWER}Subject: Re\n\n{QUOTED[name]}".encode())
    assert (mail.said, mail.text) == ("Paid.", QUOTED[name])
    assert own_words("> only\n> quoted") == "> only\n> quoted"


def test_html_is_words_and_nothing_else() -> None:
    """Scripts and styles are left out, quotes are known, and no address is more than text."""
    html = (
        "<html><head><title>x</title><style>p{}</style></head><body onload=alert(1)><p>Wir zahlen&nbsp;morgen."
        "<script>fetch('https://x.example')</script><img src=https://x.example/pixel></p>"
        "<blockquote><p>Mahnung</p></blockquote></body></html>"
    )
    assert own_words(html_to_text(html)) == "Wir zahlen morgen."
    head = f"{ANSWER}Subject: Re\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
    mail = read_mail((head + html).encode())
    assert mail.said == "Wir zahlen morgen."
    assert "x.example/pixel" not in mail.text


def test_a_file_is_named_and_not_read() -> None:
    """The text is the part that is shown, wherever the file stands."""
    mail = read_mail(
        f"{ANSWER}Subject: Re\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\nContent-Type: text/plain; name=proof.txt\nContent-Disposition: attachment; filename=proof.txt\n\nsecret\n"
        "--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nbez=E4hlt\n"
        "--b--\n".encode()
    )
    assert (mail.text, mail.attachments) == ("bezählt", ("proof.txt",))


NESTED = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(20_000))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "zeros": lambda: b"\0" * MAIL_BYTES_MAX,
    "boxes in boxes": NESTED.encode,
    "forty boxes and many lines": lambda: (
        "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(20)) + "--x\n" * 200_000
    ).encode(),
    "a header without end": lambda: b"Subject: " + b"=?utf-8?q?=41?= " * 60_000,
    "headers without end": lambda: b"X: y\n" * 200_000,
    "a charset of no kind": lambda: b"Content-Type: text/plain; charset=\xff\xfe\0idna\n\nhi",
    "a charset that is no text": lambda: b"Content-Type: text/plain; charset=hex\n\nzz",
    "base64 of nothing": lambda: b"Content-Transfer-Encoding: base64\n\n!!!" + b"=" * 100_000,
    "open tags": lambda: b"Content-Type: text/html\n\n" + b"<a " * 300_000,
    "open comments": lambda: b"Content-Type: text/html\n\n" + b"<!--" * 200_000,
    "quotes of quotes": lambda: b"Content-Type: text/html\n\n" + b"<blockquote>" * 80_000,
    "one long line": lambda: b"\n\nOn " + b"a" * 900_000 + b" wrote:",
    "many introductions": lambda: b"\n\n" + b"On x schrieb am \n" * 50_000,
    "a status without blocks": lambda: b"Content-Type: message/delivery-status\n\n" + b"\n" * 300_000,
    "surrogates": lambda: b"From: \xed\xa0\x80\nSubject: =?utf-8?b?7aCA?=\n\n\xed\xa0\x80",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_read_in_little_time(name: str) -> None:
    """It is something, it can be kept, and it took few seconds of the processor, however busy the machine is."""
    start = time.process_time()
    mail = read_mail(HOSTILE[name]())
    assert time.process_time() - start < 10
    assert mail.kind in ("written", "automatic", "hard_bounce", "soft_bounce")
    "".join((mail.text, mail.said, mail.subject, mail.sender, *mail.attachments)).encode()


def test_no_character_turns_the_writing_around() -> None:
    """Neither in the subject nor in the text; a header has one line."""
    mail = read_mail("Subject: a\u202eb\n c\nFrom: x@y.example\n\nIBAN\u2066 1\u0000".encode())
    assert (mail.subject, mail.text) == ("ab c", "IBAN 1")


PIECES = st.sampled_from(
    [text.encode() for text, *_ in CORPUS.values()]
    + [b"\n", b"--b1\n", b"\r\n\r\n", b"Content-Type: message/rfc822\n", b"<", b"=?", b"\xff", b"Status: 5\n"]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=40)), max_size=6), st.integers(0, 400))
def test_whatever_comes_is_read(pieces: list[bytes], cut: int) -> None:
    """Mails cut off, joined and spoilt are read as something."""
    mail = read_mail(b"".join(pieces)[cut:])
    assert isinstance(mail, Incoming)
    assert not mail.address_is_bad or mail.kind == "hard_bounce"
