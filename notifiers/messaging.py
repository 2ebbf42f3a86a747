"""Short messages and chat through Apprise, which knows the providers and says only yes or no.

Why it said no is read from what its HTTP client answered and from how its connection failed
(decision 0030): only where nothing can have been accepted the message is tried again.
"""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from apprise import Apprise, AppriseAsset
from apprise.plugins.base import NotifyBase

from ledger.problems import Problem

from .gateways import Doubtful, OutgoingMessage, Receipt, Rejected, Unreachable

PLACE = "{to}"  # in a provider's URL: where the receiver's number or name goes
CALL_SECONDS_MAX = 40.0
# What may stand for a receiver: nothing that Apprise would split into two of them.
RECEIVERS = {
    "sms": re.compile(r"\+[1-9][0-9]{6,14}"),  # E.164
    "chat": re.compile(r"[\w+@#!:.-]{1,100}", re.ASCII),
}
SAMPLE = "+4915112345678"  # no receiver: to see whether a URL can be read at all
SAID = ("apprise", "urllib3.connectionpool")  # whose records tell what became of a call
ANSWERED = re.compile(r'^%s://%s:%s "%s %s %s" %s %s$')  # of urllib3: status is its last argument but one
# How urllib3 names connections that never came about.
NEVER_CONNECTED = re.compile(r"NewConnectionError|NameResolutionError|ConnectTimeoutError|CERTIFICATE_VERIFY_FAILED")
OUR_ACCOUNT = frozenset({401, 402, 403, 407})
LATER = frozenset({429, 503})


def url_problems(place: str, url: str) -> list[Problem]:
    """What is wrong with a provider's URL; it holds a password and is never repeated.

    >>> [problem.what for problem in url_problems("DUNWELL_SMS", "twilio://x")]
    ['does not say where the receiver goes']
    """
    if PLACE not in url:
        return [
            Problem(place, "does not say where the receiver goes", f"write {PLACE} there, as in twilio://.../{PLACE}")
        ]
    if _provider(url, SAMPLE) is None:
        return [Problem(place, "is no URL that Apprise can read", "see https://appriseit.com/services/")]
    return []


class MessagingGateway:
    """Sends short texts by one provider. Not idempotent: no key travels along.

    Args:
        channel: sms or chat; its name among the gateways.
        url: of the provider, as Apprise reads it, with ``{to}``. Never shown or logged.
        call_seconds: how long the whole call may take.
    """

    idempotent = False

    def __init__(self, channel: str, url: str, *, call_seconds: float = CALL_SECONDS_MAX) -> None:
        self.name = channel
        self.call_seconds = call_seconds
        self._url = url
        _quieten()

    def _takes(self, receiver: str) -> bool:
        return RECEIVERS[self.name].fullmatch(receiver) is not None

    def find(self, key: str) -> Receipt | None:
        """No provider can be asked for a key it never got."""
        return None

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Send one message; see `notifiers.gateways.Gateway.deliver`."""
        provider = _provider(self._url, message.to_address) if self._takes(message.to_address) else None
        if provider is None or message.to_address.lstrip("+@#") not in unquote(provider.url(privacy=False)):  # type: ignore[no-untyped-call]
            raise Rejected("the provider takes no such receiver", address_is_bad=True)
        about_to_send()
        call = _Call(provider, message.text)
        calling = threading.Thread(target=call.run, daemon=True)
        calling.start()
        calling.join(self.call_seconds)
        if calling.is_alive():
            raise Doubtful(f"the provider gave no answer in {self.call_seconds:g} seconds")
        if call.accepted:
            return Receipt(self.name, "accepted")
        raise _judged(call)


@dataclass
class _Call:
    """One call of a provider, and what its own thread's records said of it."""

    provider: NotifyBase
    text: str = field(repr=False)
    accepted: bool = False
    status: int | None = None
    never_connected: bool = False

    def run(self) -> None:
        """Call it. Nothing is raised: whoever waits looks at what was said."""
        ear = _Ear(self, threading.get_ident())
        loggers = [logging.getLogger(name) for name in SAID]
        for logger in loggers:
            logger.addHandler(ear)
        try:
            self.accepted = bool(self.provider.notify(body=self.text, title=""))
        except Exception:
            self.accepted = False
        finally:
            for logger in loggers:
                logger.removeHandler(ear)


class _Ear(logging.Handler):
    """Hears the records of one thread; keeps a status and a kind of failure, never their words."""

    def __init__(self, call: _Call, thread: int) -> None:
        super().__init__(logging.DEBUG)
        self._call = call
        self._thread = thread

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._thread:
            return
        if isinstance(record.args, tuple) and isinstance(record.msg, str) and ANSWERED.match(record.msg):
            status = record.args[-2]
            self._call.status = status if isinstance(status, int) else None
        elif NEVER_CONNECTED.search(record.getMessage()):
            self._call.never_connected, self._call.status = True, None


def _judged(call: _Call) -> Exception:
    """What follows from a no; without a reason to think otherwise the message may have been accepted."""
    status = call.status
    if status is None:
        if call.never_connected:
            return Unreachable("the provider cannot be reached", for_all=True)
        return Doubtful("the provider gave no answer")
    if status in OUR_ACCOUNT:
        return Unreachable(f"the provider refuses our account: {status}", for_all=True)
    if status in LATER:
        return Unreachable(f"the provider asks to come again: {status}", for_all=True)
    if 300 <= status < 400:
        return Unreachable(f"the provider answered {status}: redirects are not followed", for_all=True)
    if 400 <= status < 500 and status != 408:
        return Rejected(f"the provider refuses the message: {status}")
    return Doubtful(f"the provider answered {status}, and not that it took the message")


def _provider(url: str, receiver: str) -> NotifyBase | None:
    """The provider with its receiver, or None: the URL or the receiver cannot be read."""
    _quieten()
    asset = AppriseAsset(http_redirects=False, async_mode=False, storage_mode="memory")
    whole = url.replace(PLACE, quote(receiver, safe=""))
    found = Apprise.instantiate(whole, asset=asset)
    return found if isinstance(found, NotifyBase) else None


def _quieten() -> None:
    """Their records name receivers, texts and passwords: nobody hears them but `_Ear`."""
    for name in SAID:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
