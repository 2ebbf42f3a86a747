"""Messages as bytes, and the mailbox folder: one file per key, whatever happens."""

import mailbox
import threading
from email import message_from_bytes, policy
from email.utils import parseaddr

import pytest

from notifiers.gateways import MESSAGE_BYTES_MAX, Attachment, OutgoingMessage, Rejected, Unreachable, message_id_of
from notifiers.mailbox import MailboxGateway, name_of
from notifiers.mime import is_address, to_bytes


def a_message(key="7/escalation/1/standard-p4/0/email", **changes):
    values = {
        "key": key,
        "message_id": message_id_of(key, "credit@main.example"),
        "from_address": "credit@main.example",
        "from_name": "Main Ltd",
        "to_address": "payables@customer.example",
        "to_name": "Accounts Payable",
        "subject": "Zahlungserinnerung: 4.234,50 EUR überfällig",
        "text": "Grüße\n.\n..zwei Punkte\nFrom here on\n",
        "html": "<p>Grüße</p>",
        "language": "de",
        "at": 1_774_947_600_000_000,
    }
    return OutgoingMessage(**{**values, **changes})


def unused():
    raise AssertionError("an idempotent gateway has no point of no return")


def test_a_message_carries_text_html_and_a_stable_identity():
    """Same message, same bytes; answering machines are asked to be silent."""
    content = to_bytes(a_message())
    assert content == to_bytes(a_message())
    read = message_from_bytes(content, policy=policy.default)
    assert read["Message-ID"] == message_id_of("7/escalation/1/standard-p4/0/email", "credit@main.example")
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Subject"] == "Zahlungserinnerung: 4.234,50 EUR überfällig"
    assert read["Date"] == "Tue, 31 Mar 2026 09:00:00 +0000"
    assert read.get_body(("plain",)).get_content().replace("\r\n", "\n") == a_message().text
    assert "<p>Grüße</p>" in read.get_body(("html",)).get_content()
    assert all(len(line) <= 998 for line in content.splitlines())


@pytest.mark.parametrize("hostile", ["a\r\nBcc: all@x.example", "a\nb", "a\x00b", "a\u2028b", '"quoted" <x@y.example>'])
def test_no_field_can_add_a_header(hostile):
    """Names and subjects come from files."""
    read = message_from_bytes(
        to_bytes(a_message(subject=hostile, to_name=hostile, from_name=hostile)), policy=policy.default
    )
    assert read["Bcc"] is None
    assert parseaddr(str(read["To"]))[1] == "payables@customer.example"
    assert len(read["To"].addresses) == 1


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("payables@customer.example", True),
        ("o'brien+ap@customer.example", True),
        ("", False),
        ("payables", False),
        ("a@b@c.example", False),
        ("a@b.example, c@d.example", False),
        ("a@b.example\r\nBcc: c@d.example", False),
        ("<a@b.example>", False),
    ],
)
def test_what_is_an_address(address, fits):
    """Anything that could be read as two addresses is none."""
    assert is_address(address) is fits
    if not fits:
        with pytest.raises(Rejected) as refusal:
            to_bytes(a_message(to_address=address))
        assert refusal.value.address_is_bad


def test_a_message_has_a_largest_size():
    """MESSAGE_BYTES_MAX is named when it is passed; a file grows by a third when it travels."""
    file = Attachment("scan.pdf", "application/pdf", b"x" * (MESSAGE_BYTES_MAX * 3 // 4))
    with pytest.raises(Rejected, match="MESSAGE_BYTES_MAX"):
        to_bytes(a_message(attachments=(file,)))


def test_files_go_along_in_their_order_and_byte_for_byte():
    """The text stays the body; names keep their letters and can add no header; a repeat has the same bytes."""
    files = (
        Attachment("Kontoauszug für März.pdf", "application/pdf", bytes(range(256)) * 9),
        Attachment("R-1.pdf\r\nBcc: all@x.example", "application/pdf", b"%PDF-1.7\n.\n"),
    )
    content = to_bytes(a_message(attachments=files))
    assert content == to_bytes(a_message(attachments=files))
    read = message_from_bytes(content, policy=policy.default)
    assert read.get_body(("plain",)).get_content().replace("\r\n", "\n") == a_message().text
    assert "<p>Grüße</p>" in read.get_body(("html",)).get_content()
    found = list(read.iter_attachments())
    assert [(one.get_filename(), one.get_content_type()) for one in found] == [
        ("Kontoauszug für März.pdf", "application/pdf"),
        ("R-1.pdf Bcc: all@x.example", "application/pdf"),
    ]
    assert [one.get_content() for one in found] == [file.content for file in files]
    assert read["Bcc"] is None


def test_personal_fields_do_not_reach_a_log():
    """The repr of a message names its key and no person."""
    assert "customer.example" not in repr(a_message())


def test_the_mailbox_is_a_maildir(tmp_path):
    """Any mail program reads it."""
    gateway = MailboxGateway(tmp_path / "mailbox")
    receipt = gateway.deliver(a_message(), unused)
    assert receipt.answer == name_of("7/escalation/1/standard-p4/0/email")
    kept = list(mailbox.Maildir(tmp_path / "mailbox", create=False))
    assert [mail["To"] for mail in kept] == ["Accounts Payable <payables@customer.example>"]


def test_a_repeat_changes_nothing(tmp_path):
    """The same key is one file, also when another text comes with it."""
    gateway = MailboxGateway(tmp_path / "mailbox")
    first = gateway.deliver(a_message(), unused)
    assert gateway.deliver(a_message(text="another"), unused) == first == gateway.find(a_message().key)
    kept = list(mailbox.Maildir(tmp_path / "mailbox", create=False))
    assert len(kept) == 1
    assert "another" not in kept[0].as_string()


def test_a_repeat_is_known_after_it_was_read(tmp_path):
    """A mail program moves what was seen from new to cur and adds flags."""
    gateway = MailboxGateway(tmp_path / "mailbox")
    gateway.deliver(a_message(), unused)
    name = name_of(a_message().key)
    (tmp_path / "mailbox" / "new" / name).rename(tmp_path / "mailbox" / "cur" / f"{name}:2,S")
    gateway.deliver(a_message(), unused)
    assert len(mailbox.Maildir(tmp_path / "mailbox", create=False)) == 1


def test_many_at_once_leave_one_file(tmp_path):
    """Eight threads with the same key: one message, no remains in tmp."""
    gateway = MailboxGateway(tmp_path / "mailbox")
    threads = [threading.Thread(target=gateway.deliver, args=(a_message(), unused)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "mailbox" / "new").iterdir())) == 1
    assert not list((tmp_path / "mailbox" / "tmp").iterdir())


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    """A full or missing disk is no reason to give a message up."""
    (tmp_path / "mailbox").write_text("a file where the folder should be")
    with pytest.raises(Unreachable):
        MailboxGateway(tmp_path / "mailbox").deliver(a_message(), unused)
    assert MailboxGateway(tmp_path / "mailbox").find("another") is None
