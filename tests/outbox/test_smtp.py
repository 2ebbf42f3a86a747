"""Mail servers that die at every line: never two mails for one key without a person.

The servers speak the protocol over real sockets on loopback.
"""

import datetime
import email
import email.policy
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine import outbox
from engine.tables import Action, Alarm, Contact
from notifiers.gateways import Doubtful, OutgoingMessage, Rejected, Unreachable, message_id_of
from notifiers.smtp import SmtpGateway, SmtpServer, parse_smtp_url

KEY = "7/escalation/1/standard-p4/0/email"


def gateway_to(port, **changes):
    server = SmtpServer(host="127.0.0.1", port=port, tls=changes.pop("tls", "none"))
    return SmtpGateway(server, **{"step_seconds": 5, "call_seconds": 10, **changes})


def a_message(**changes):
    values = {
        "key": KEY,
        "message_id": message_id_of(KEY, "credit@main.example"),
        "from_address": "credit@main.example",
        "from_name": "Main Ltd",
        "to_address": "payables@customer.example",
        "to_name": "Payables",
        "subject": "Reminder",
        "text": "One\n.\n..two\nFrom here\n",
        "html": "<p>One</p>",
        "language": "en",
        "at": 1_774_947_600_000_000,
    }
    return OutgoingMessage(**{**values, **changes})


def ids_of(server):
    return [email.message_from_bytes(content)["Message-ID"] for content in server.accepted]


# The line, when it dies there, what the gateway says, and whether the server has the mail.
DEATHS = [
    ("connect", "before", Unreachable, 0),
    ("connect", 554, Unreachable, 0),
    ("EHLO", "before", Unreachable, 0),
    ("EHLO", "after", Unreachable, 0),
    ("MAIL", "before", Unreachable, 0),
    ("MAIL", "after", Unreachable, 0),
    ("MAIL", 451, Unreachable, 0),
    ("MAIL", 552, Rejected, 0),
    ("RCPT", "before", Unreachable, 0),
    ("RCPT", "after", Unreachable, 0),
    ("RCPT", 450, Unreachable, 0),
    ("RCPT", 550, Rejected, 0),
    ("DATA", "before", Unreachable, 0),
    ("DATA", "after", Unreachable, 0),
    ("DATA", 451, Unreachable, 0),
    ("DATA", 554, Rejected, 0),
    ("dot", "before", Doubtful, 0),
    ("dot", "after", Doubtful, 1),
    ("dot", 451, Unreachable, 0),
    ("dot", 554, Rejected, 0),
    ("dot", 299, Doubtful, 0),
]


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("line", "when", "failure", "accepted"), DEATHS)
def test_each_line_of_the_protocol_has_its_failure(dying_server, line, when, failure, accepted):
    """Before the content it is safe to try again; after it only an answer tells."""
    started = []
    with dying_server(line, when) as server, pytest.raises(failure):
        gateway_to(server.port).deliver(a_message(), lambda: started.append(1))
    assert len(server.accepted) == accepted
    assert bool(started) == (line in ("DATA", "dot"))


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("line", "when", "failure", "accepted"), DEATHS)
def test_never_two_mails_for_one_key(
    runtime, make_customer, make_action, prepare, clock, dying_server, line, when, failure, accepted
):
    """The server dies at the first try and lives at all later ones, for a day of sweeps."""
    action = make_action(make_customer("1"))
    with dying_server(line, when) as server:
        gateway = gateway_to(server.port)
        outbox.deliver(runtime, gateway=gateway, prepare=prepare)
        server.dies_at = None
        for _ in range(24):
            clock.advance(hours=1)
            outbox.sweep(runtime, gateway=gateway)
            outbox.deliver(runtime, gateway=gateway, prepare=prepare)
    state = Action.get_by_id(action.id).state
    assert len(server.accepted) <= 1
    if failure is Doubtful:
        assert state == "uncertain"
        assert action.key in Alarm.get(Alarm.kind == "message_uncertain").text
        assert len(server.accepted) == accepted
    elif failure is Unreachable:
        assert state == "sent"
        assert ids_of(server) == [message_id_of(action.key, "credit@main.example")]
    else:
        assert state in ("failed", "waiting")
        assert server.accepted == []


def test_a_batch_leaves_by_one_connection(runtime, make_customer, make_action, prepare, dying_server):
    """Connecting, and proving who one is, costs more than a mail."""
    for number in range(5):
        make_action(make_customer(str(number)))
    with dying_server() as server:
        assert outbox.deliver(runtime, gateway=gateway_to(server.port), prepare=prepare).counts == {"sent": 5}
    assert (len(server.accepted), server.sessions) == (5, 1)


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("line", "when", "failure", "accepted"), DEATHS)
def test_a_kept_connection_fails_like_a_new_one(dying_server, line, when, failure, accepted):
    """The second of two mails; before the content a new connection is tried first, after it nothing is."""
    with dying_server() as server:
        gateway = gateway_to(server.port)
        with gateway.session():
            gateway.deliver(a_message(), lambda: None)
            server.dies_at, server.when = line, when
            if line in ("connect", "EHLO"):  # nobody connects again
                gateway.deliver(a_message(), lambda: None)
            else:
                with pytest.raises(failure):
                    gateway.deliver(a_message(), lambda: None)
    assert len(server.accepted) == 1 + (line in ("connect", "EHLO")) + accepted
    assert server.sessions == (2 if failure is Unreachable and line in ("MAIL", "RCPT") else 1)


def test_a_connection_the_server_has_ended_is_made_anew(dying_server):
    """Servers end what is idle; no message pays for it with an attempt."""
    with dying_server() as server:
        gateway = gateway_to(server.port)
        with gateway.session():
            gateway.deliver(a_message(), lambda: None)
            gateway._own.line.cut()
            assert gateway.deliver(a_message(), lambda: None).answer == "250 taken"
    assert (len(server.accepted), server.sessions) == (2, 2)


def test_a_refused_mailbox_makes_the_contact_unusable(runtime, make_customer, make_action, prepare, dying_server):
    """550 at RCPT is about the address; 554 after the content is about the message."""
    action = make_action(make_customer("1"))
    with dying_server("RCPT", 550) as server:
        outbox.deliver(runtime, gateway=gateway_to(server.port), prepare=prepare)
    assert not Contact.get().usable
    assert Action.get_by_id(action.id).waiting_for == "no_address"


def test_the_whole_message_arrives(dying_server):
    """Lines of dots and umlauts included; the identity is in the headers."""
    with dying_server() as server:
        receipt = gateway_to(server.port).deliver(a_message(text="Grüße\n.\n..two\n"), lambda: None)
    read = email.message_from_bytes(
        b"".join(
            line.removeprefix(b".") if line.startswith(b"..") else line for line in server.accepted[0].splitlines(True)
        ),
        policy=email.policy.default,
    )
    assert receipt.answer == "250 taken"
    assert read.get_body(("plain",)).get_content().replace("\r\n", "\n") == "Grüße\n.\n..two\n"


def test_a_receipt_names_no_person(dying_server):
    """Servers like to quote the address; what is kept is free of it."""
    with (
        dying_server("RCPT", "450 4.2.1 <payables@customer.example> is busy") as server,
        pytest.raises(Unreachable) as said,
    ):
        gateway_to(server.port).deliver(a_message(), lambda: None)
    assert "customer.example" not in str(said.value)


def test_nothing_is_handed_over_when_the_lease_is_lost(dying_server):
    """The caller says no at the last moment: the server gets a QUIT and no content."""

    def no():
        raise outbox.LeaseLost(KEY)

    with dying_server() as server, pytest.raises(outbox.LeaseLost):
        gateway_to(server.port).deliver(a_message(), no)
    assert server.accepted == []


@pytest.mark.parametrize("speed", ["silent", "dribbling"])
def test_a_conversation_has_an_end(speed):
    """A server that says nothing, or one letter at a time, is left after the time limit."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            try:
                while speed == "dribbling":
                    connection.sendall(b"2")
                    time.sleep(0.05)
                connection.recv(1)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    with listener, pytest.raises(Unreachable):
        gateway_to(listener.getsockname()[1], step_seconds=0.5, call_seconds=0.5).deliver(a_message(), lambda: None)


class Keeping:
    """An aiosmtpd handler that keeps what it takes."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 kept"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1, and a context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "mail.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize("tls", ["starttls", "ssl"])
def test_mail_travels_encrypted(certificate, tls):
    """STARTTLS is required, not tried; the server's name is checked."""
    own, trusted = certificate
    handler = Keeping()
    options = {"ssl_context": own} if tls == "ssl" else {"tls_context": own, "require_starttls": True}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        gateway_to(port, tls=tls, tls_context=trusted).deliver(a_message(), lambda: None)
        with pytest.raises(Unreachable):  # a certificate nobody vouches for
            gateway_to(port, tls=tls).deliver(a_message(), lambda: None)
    finally:
        controller.stop()
    assert [envelope.rcpt_tos for envelope in handler.envelopes] == [["payables@customer.example"]]


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for(dying_server):
    """No fall-back to plain text."""
    with dying_server() as server, pytest.raises(Unreachable):
        gateway_to(server.port, tls="starttls").deliver(a_message(), lambda: None)
    assert server.accepted == []


def test_addresses_outside_ascii_need_a_server_that_takes_them(dying_server):
    """Without SMTPUTF8 the address is refused here, not mangled there."""
    with dying_server() as server, pytest.raises(Rejected) as refusal:
        gateway_to(server.port).deliver(a_message(to_address="buchhaltung@müller.example"), lambda: None)
    assert refusal.value.address_is_bad


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test", SmtpServer(host="mail.test", port=587, tls="starttls")),
        ("smtps://mail.test", SmtpServer(host="mail.test", port=465, tls="ssl")),
        ("smtp://localhost", SmtpServer(host="localhost", port=25, tls="none")),
        ("smtp://mail.test:25?tls=none", SmtpServer(host="mail.test", port=25, tls="none")),
        (
            "smtp://me%40x:p%3Aw@mail.test:2525?tls=ssl&from=credit@main.example",
            SmtpServer(
                host="mail.test", port=2525, tls="ssl", user="me@x", password="p:w", sender="credit@main.example"
            ),
        ),
    ],
)
def test_what_a_url_means(url, server):
    """Encryption is the default everywhere but on loopback."""
    assert parse_smtp_url(url) == (server, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.test",
        "smtp://",
        "smtp://mail.test:99999",
        "smtp://mail.test?tls=maybe",
        "smtp://me:secret@mail.test?tls=none",
        "smtp://mail.test?from=nobody",
        "smtp://mail.test?form=a@b.example",
    ],
)
def test_a_wrong_url_is_named_without_its_password(url):
    """Place, what, cure; the URL itself is not repeated."""
    server, problems = parse_smtp_url(url)
    assert server is None
    assert len(problems) == 1
    assert problems[0].place == "DUNWELL_SMTP"
    assert problems[0].cure
    assert "secret" not in str(problems[0])
