"""Webhooks: signed and repeated safely; and no address leads into our own network (promise G7)."""

import hashlib
import hmac
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifiers.gateways import OutgoingMessage, Rejected, Unreachable
from notifiers.mailbox import name_of
from notifiers.vetting import parse
from notifiers.webhook import ANSWER_BYTES_MAX, BODY_BYTES_MAX, WebhookGateway

SECRET = "a-secret-of-at-least-32-characters"
KEY = "7/escalation/1/standard-p4/0/webhook"
PUBLIC = "93.184.216.34"


def a_message(url, text='{"version":1}', **changes):
    values = {
        "key": KEY,
        "message_id": "<1@main.example>",
        "from_address": "",
        "from_name": "Main Ltd",
        "to_address": url,
        "to_name": "",
        "subject": "",
        "text": text,
        "html": "",
        "language": "en",
        "at": 1_774_947_600_000_000,
    }
    return OutgoingMessage(**{**values, **changes})


def _self_signed(host):
    """Key and certificate of a host, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoded = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(encoded, *plain) + made.public_bytes(encoded)


def never():
    raise AssertionError("an idempotent gateway has no point of no return")


@contextmanager
def listening(answer=None, tls=None):
    """A receiver on loopback that keeps what it was sent; `answer` is called with each connection."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(120)

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                try:
                    connection.settimeout(10)
                    connection = tls.wrap_socket(connection, server_side=True) if tls else connection
                    heard.append(_request(connection))
                    if answer is None:
                        connection.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                    else:
                        answer(connection)
                except OSError:
                    heard.append(None)
                finally:
                    connection.close()

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
        serving.join(10)


def _request(connection):
    """Headers by name in small letters, and the body."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        part = connection.recv(65_536)
        if not part:
            return None
        seen += part
    head, _, body = seen.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65_536)
    return first, headers, body


def test_a_receiver_can_prove_who_wrote_and_drop_a_repeat():
    """Timestamp and body are signed; the same key comes with each repeat."""
    gateway = WebhookGateway(SECRET, loopback=True)
    with listening() as (port, heard):
        for at in (1_774_947_600_000_000, 1_774_947_660_000_000):
            assert gateway.deliver(a_message(f"http://127.0.0.1:{port}/in?a=1", at=at), never).answer == "204"
    assert [first for first, _, _ in heard] == ["POST /in?a=1 HTTP/1.1"] * 2
    for (_, headers, body), timestamp in zip(heard, ("1774947600", "1774947660"), strict=True):
        signed = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["dunwell-timestamp"] == timestamp
        assert headers["dunwell-signature"] == f"v1={signed}"
        assert headers["idempotency-key"] == name_of(KEY)
        assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        *((status, Rejected) for status in (301, 307, 400, 404, 410)),
        *((status, Unreachable) for status in (408, 409, 429, 500, 503)),
    ],
)
def test_what_an_answer_means(status, raised):
    """Only 2xx is delivered; a redirect is not followed, not even to the receiver itself."""
    with listening(
        lambda connection: connection.sendall(
            f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n".encode()
        )
    ) as (port, heard):
        with pytest.raises(raised, match=str(status)):
            WebhookGateway(SECRET, loopback=True).deliver(a_message(f"http://127.0.0.1:{port}/"), never)
        assert len(heard) == 1


def test_a_receiver_that_never_stops_talking_is_cut_off(monkeypatch):
    """Five seconds for everything, and 64 KB of an answer: then the status counts, or nothing does."""
    monkeypatch.setattr("notifiers.webhook.SECONDS_MAX", 60)  # the machine may be busy
    gateway = WebhookGateway(SECRET, loopback=True)

    def flood(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (4 * ANSWER_BYTES_MAX))

    def dribble(connection):
        while True:  # until the other side has had enough
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)

    with listening(flood) as (port, _):
        assert gateway.deliver(a_message(f"http://127.0.0.1:{port}/"), never).answer == "200"
    monkeypatch.setattr("notifiers.webhook.SECONDS_MAX", 0.5)
    with listening(dribble) as (port, _), pytest.raises(Unreachable):
        gateway.deliver(a_message(f"http://127.0.0.1:{port}/"), never)


def test_a_resolver_that_hangs_does_not_hold_the_worker(monkeypatch):
    """It has no limit of its own."""
    monkeypatch.setattr("notifiers.webhook.SECONDS_MAX", 0.2)
    gateway = WebhookGateway(SECRET, resolve=lambda host, port: time.sleep(2) or [PUBLIC])
    with pytest.raises(Unreachable, match="resolved"):
        gateway.deliver(a_message("https://hooks.customer.example/"), never)


@pytest.mark.parametrize("length", [BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
def test_a_document_has_a_limit(length):
    """At the limit and one byte beyond it."""
    gateway = WebhookGateway(SECRET, loopback=True)
    with listening() as (port, heard):
        message = a_message(f"http://127.0.0.1:{port}/", text="x" * length)
        if length > BODY_BYTES_MAX:
            with pytest.raises(Rejected, match="BODY_BYTES_MAX"):
                gateway.deliver(message, never)
        else:
            gateway.deliver(message, never)
        assert len(heard) == (length <= BODY_BYTES_MAX)


def test_the_name_is_resolved_once_and_tls_checks_it(tmp_path):
    """A name that leads elsewhere after it was judged changes nothing; a certificate of another host does."""
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(_self_signed("hooks.customer.example"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    answers = iter([[PUBLIC], ["127.0.0.1"], [PUBLIC], ["127.0.0.1"]])
    asked, connected = [], []

    def resolve(host, port):
        asked.append(host)
        return next(answers)

    with listening(tls=tls) as (port, heard):

        def connect(address, seconds):
            connected.append(address)
            return socket.create_connection(("127.0.0.1", port), seconds)

        trusted = ssl.create_default_context(cafile=str(certificate))
        gateway = WebhookGateway(SECRET, resolve=resolve, connect=connect, tls_context=trusted)
        gateway.deliver(a_message("https://hooks.customer.example/in"), never)
        assert (asked, connected) == (["hooks.customer.example"], [(PUBLIC, 443)])
        assert heard[0][1]["host"] == "hooks.customer.example:443"
        with pytest.raises(Rejected, match="inner network"):  # rebound: judged anew at each call
            gateway.deliver(a_message("https://hooks.customer.example/in"), never)
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            gateway.deliver(a_message("https://other.customer.example/in"), never)
        assert [one for one in heard if one is not None] == heard[:1]


# --- hostile addresses -------------------------------------------------------------------

FORMS = [
    *("http://hooks.customer.example/", "ftp://hooks.customer.example/", "file:///etc/passwd", "gopher://x.example/"),
    *("HTTPS:hooks.customer.example", "//hooks.customer.example/", "javascript:alert(1)", "data:text/html,x", "", " "),
    *("https://", "https:///in", "https://.", "https://..", "https://.example/", "https://hooks..example/"),
    *("https://user@hooks.customer.example/", "https://user:pass@hooks.customer.example/", "https://@x.example/"),
    *("https://hooks.customer.example@127.0.0.1/", "https://127.0.0.1#@hooks.customer.example/"),
    *("https://hooks.customer.example/\r\nHost: x", "https://hooks.customer.example\r\n/", "https://a.example/\n"),
    *("https://hooks.customer.example/%0d%0a\t", "https://hooks.customer.example/ x", "https://a.example/\x00"),
    *("https://hooks.customer.example:22/", "https://hooks.customer.example:80/", "https://a.example:25/"),
    *("https://hooks.customer.example:6379/", "https://hooks.customer.example:99999/", "https://a.example:-1/"),
    *("https://hooks.customer.example:443:22/", "https://a.example:4４3/", "https://a.example:0443x/"),
    *("https://hooks.customer.example\\@127.0.0.1/", "https:\\\\127.0.0.1\\", "https://a.example/#x"),
    *("https://localhost/", "https://localhost./", "https://LOCALHOST:443/", "https://metadata/", "https://intranet/"),
    *("https://printer.local/", "https://metadata.google.internal/", "https://x.localhost/", "https://db.internal./"),
    *(
        "https://２１３.例え/",
        "https://ⓛocalhost.example/",
        "https://xn--.example\u3002com/",
        f"https://{'a' * 64}.example/",
    ),
    *("https://%6c%6f%63alhost/", "https://127.0.0.1%2f.example/", f"https://a.example/{'x' * 1_000}"),
    *(f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/"),
]
NUMBERS = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0.0.0.0", "0", "2130706433", "0x7f000001", "0x7f.0.0.1"),
    *(
        "0177.0.0.1",
        "017700000001",
        "127.0.0.01",
        "127.0.0.1.",
        "1.1",
        "3232235777",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
    ),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]"),
    *("[::127.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::a00:1]"),
    *("[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%1]"),
    *("[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[0:0:0:0:0:0:0:1]", "[100::1]"),
    *("[::1", "::1", "[127.0.0.1]", "[::ffff:0:127.0.0.1]", "[]", "0251.0376.0251.0376"),
]
BEHIND_A_NAME = [
    *(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1"], ["0.0.0.0"]),
    *([PUBLIC, "127.0.0.1"], [PUBLIC, "::1"], ["127.0.0.1", PUBLIC], ["fd00::1", PUBLIC], ["64:ff9b::7f00:1"]),
    *(["127.1"], ["localhost"], [""], [PUBLIC] * 17),
]


def test_no_hostile_address_reaches_the_trap():
    """More than 120 of them, by form, by number and behind a name, in 0 connections."""
    calls = [(url, [PUBLIC]) for url in FORMS]
    with listening() as (port, heard):
        calls += [(f"https://{number}{more}", ["127.0.0.1"]) for number in NUMBERS for more in ("/", f":{port}/")]
        calls += [(f"https://hooks.customer.example{more}", found) for found in BEHIND_A_NAME for more in ("", ":8443")]

        def trap(address, seconds):
            connected.append(address)
            return socket.create_connection(("127.0.0.1", port), seconds)

        connected: list = []
        for url, found in calls:
            gateway = WebhookGateway(SECRET, resolve=lambda host, port, found=found: found, connect=trap)
            with pytest.raises((Rejected, Unreachable)) as refused:
                gateway.deliver(a_message(url), never)
            assert "127.0.0.1" not in str(refused.value)
    assert len({url for url, _ in calls}) >= 120
    assert (connected, heard) == ([], [])


@pytest.mark.parametrize(
    "url", ["https://hooks.customer.example/", "https://a.b-c.example:8443/in?x=%20", f"https://{PUBLIC}/"]
)
def test_ordinary_addresses_may_be_called(url):
    """Or the refusals would prove nothing."""
    assert parse(url).port in (443, 8443)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"])
def test_this_machine_is_called_only_where_that_is_allowed(url):
    """For development and tests, by a setting; nothing else of the inner network is allowed by it."""
    assert parse(url, loopback=True).port == 8080
    for refused in (url, "https://localhost/"):
        with pytest.raises(Rejected):
            parse(refused)
    for inner in ("http://10.0.0.1/", "https://192.168.0.1/", "http://hooks.customer.example/"):
        with pytest.raises(Rejected):
            parse(inner, loopback=True)
