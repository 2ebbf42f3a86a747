"""Short messages: what a provider's answer means, and what nobody may hear of it."""

import io
import logging
import socket
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.composing import Wording
from notifiers.gateways import Doubtful, OutgoingMessage, Rejected, Unreachable
from notifiers.letter_templates import SHARED, parse_template, shipped_templates
from notifiers.messaging import MessagingGateway, url_problems
from notifiers.short_texts import PARTS_MAX, compose_short, length_of, plain

NUMBER = "+4915112345678"
SHIPPED = {document["key"]: parse_template(document)[0] for document in shipped_templates()}
WITH_SHORT = sorted(key for key, template in SHIPPED.items() if "short" in template.texts["en"])


def a_message(to=NUMBER, text="Main Ltd: 5.00 EUR are overdue."):
    return OutgoingMessage(
        key="7/escalation/1/standard-p4/0/sms",
        message_id="<1@main.example>",
        from_address="",
        from_name="Main Ltd",
        to_address=to,
        to_name="",
        subject="",
        text=text,
        html="",
        language="en",
        at=1_774_947_600_000_000,
    )


class Provider(socketserver.ThreadingTCPServer):
    """A provider of messages on loopback that answers with one status, or not at all."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, status):
        self.status, self.taken = status, []
        super().__init__(("127.0.0.1", 0), Asked)


class Asked(BaseHTTPRequestHandler):
    """One call."""

    def do_POST(self):
        self.server.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.status is None:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@contextmanager
def provider(status):
    with Provider(status) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server, f"json://127.0.0.1:{server.server_address[1]}/send/{{to}}"
        server.shutdown()


def test_the_text_reaches_the_number_once():
    """The last moment to stop it comes before the call."""
    steps = []
    with provider(200) as (server, url):
        receipt = MessagingGateway("sms", url).deliver(a_message(), lambda: steps.append(len(server.taken)))
    assert (receipt.gateway, receipt.answer, steps) == ("sms", "accepted", [0])
    ((path, body),) = server.taken
    assert path == "/send/+4915112345678"
    assert b"5.00 EUR are overdue" in body


@pytest.mark.parametrize(
    ("status", "raised", "for_all"),
    [
        *((status, Rejected, None) for status in (400, 404, 413, 422)),
        *((status, Unreachable, True) for status in (302, 401, 403, 429, 503)),
        *((status, Doubtful, None) for status in (408, 500, 502, 504, None)),
    ],
)
def test_what_a_no_means(status, raised, for_all):
    """What may have been accepted is never sent again alone; what concerns all is tried with one only."""
    with provider(status) as (server, url):
        with pytest.raises(raised) as said:
            MessagingGateway("sms", url).deliver(a_message(), lambda: None)
        assert len(server.taken) == 1
    if for_all is not None:
        assert said.value.for_all is for_all
    if raised is Rejected:
        assert not said.value.address_is_bad


def test_a_provider_that_cannot_be_reached_has_taken_nothing():
    """So the message is tried again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        gateway = MessagingGateway("sms", f"json://127.0.0.1:{closed.getsockname()[1]}/{{to}}")
        with pytest.raises(Unreachable) as said:
            gateway.deliver(a_message(), lambda: None)
    assert said.value.for_all


def test_a_provider_that_hangs_leaves_doubt():
    """It may have the message by then."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        gateway = MessagingGateway("sms", f"json://127.0.0.1:{deaf.getsockname()[1]}/{{to}}", call_seconds=0.3)
        with pytest.raises(Doubtful):
            gateway.deliver(a_message(), lambda: None)


def test_a_caller_that_lost_its_lease_sends_nothing():
    """Whatever the last look raises comes out."""

    def lost():
        raise RuntimeError("lost")

    with provider(200) as (server, url):
        with pytest.raises(RuntimeError):
            MessagingGateway("sms", url).deliver(a_message(), lost)
        assert server.taken == []


def test_a_receiver_the_provider_cannot_take_is_a_bad_address():
    """Nothing was handed over, and the customer's next address is tried."""
    account = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{to}}"
    for channel, receiver in (("sms", "0151 1"), ("sms", "+49"), ("sms", f"{NUMBER},{NUMBER}"), ("chat", "hello")):
        with pytest.raises(Rejected) as said:
            MessagingGateway(channel, account).deliver(
                a_message(to=receiver), lambda: pytest.fail("nothing may be handed over")
            )
        assert said.value.address_is_bad


@pytest.mark.parametrize("receiver", ["a b", "a,b", "a;b", "a/b", "a?b", "a&b=c", "", "x" * 101, "a\nb", "é"])
def test_one_receiver_never_becomes_two(receiver):
    """What Apprise would split is refused before it sees it."""
    with pytest.raises(Rejected):
        MessagingGateway("chat", "json://127.0.0.1/{to}").deliver(
            a_message(to=receiver), lambda: pytest.fail("nothing may be handed over")
        )


def test_nobody_hears_of_number_text_or_password():
    """Apprise's own records name all three (promise G12)."""
    heard = io.StringIO()
    root, ear = logging.getLogger(), logging.StreamHandler(heard)  # as a server's log is written
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    for status in (200, 400, None):
        with provider(status) as (_, url):
            gateway, told = MessagingGateway("sms", url.replace("//", "//user:pa55word@")), ""
            try:
                gateway.deliver(a_message(), lambda: None)
            except (Rejected, Doubtful) as error:
                told = repr(error)
            assert "4915112345678" not in told + repr(gateway)
    root.removeHandler(ear)
    root.setLevel(logging.WARNING)
    assert not any(canary in heard.getvalue() for canary in ("4915112345678", "5.00 EUR", "pa55word"))


def test_a_url_that_cannot_be_used_is_named_at_the_start():
    """Without repeating it."""
    assert url_problems("DUNWELL_SMS", "json://127.0.0.1/{to}") == []
    for url, what in (("json://127.0.0.1/", "receiver"), ("nonsense://user:pa55word@x/{to}", "Apprise")):
        (problem,) = url_problems("DUNWELL_SMS", url)
        assert what in problem.what
        assert "pa55word" not in str(problem)


# --- texts -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en", "fr"])
@pytest.mark.parametrize("template", WITH_SHORT)
def test_every_short_text_says_what_and_when_in_few_parts(language, template, a_letter):
    """Amount and creditor are in it, in plain characters, in each language."""
    composed = compose_short(Wording(SHIPPED[template], SHIPPED[SHARED]), a_letter, language, "DE")
    assert "Main Ltd" in composed.text
    assert "EUR" in composed.text
    counted = length_of(composed.text)
    assert (counted.alphabet, counted.parts <= PARTS_MAX) == ("GSM-7" if language != "fr" else counted.alphabet, True)
    assert composed.subject == composed.html == ""


@pytest.mark.parametrize(
    ("text", "alphabet", "parts"),
    [
        *(("x" * 160, "GSM-7", 1), ("x" * 161, "GSM-7", 2), ("x" * 306, "GSM-7", 2), ("x" * 307, "GSM-7", 3)),
        *(("€" * 80, "GSM-7", 1), ("€" * 80 + "x", "GSM-7", 2), ("ê" * 70, "UCS-2", 1), ("ê" * 71, "UCS-2", 2)),
        *(("ê" * 134, "UCS-2", 2), ("ê" * 135, "UCS-2", 3), ("\U0001f600" * 35, "UCS-2", 1), ("", "GSM-7", 1)),
    ],
)
def test_parts_are_counted_as_networks_do(text, alphabet, parts):
    """At each boundary and beyond it; a character of two places counts twice."""
    counted = length_of(text)
    assert (counted.alphabet, counted.parts) == (alphabet, parts)


@given(st.text(st.sampled_from("aé€\u00a0\u2013\u2019ł😀{"), max_size=400))
def test_a_text_in_plain_characters_is_never_longer(text):
    """Spaces and quotation marks alone never make a text dearer."""
    assert length_of(plain(text)).parts <= length_of(text).parts
