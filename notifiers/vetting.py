"""Whether a web address given by a person may be called: no way from it into our own network.

An address is refused by its form (other schemes and ports, a user, control characters, numbers that
only look like names) or by where its name leads. Every address behind a name is judged, and the call
goes to one of the judged ones: a name that leads elsewhere a moment later changes nothing.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from .gateways import Rejected, Unreachable

URL_LENGTH_MAX = 1_000
PORTS = frozenset({443, 8443})
NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)
ADDRESSES_MAX = 16  # behind one name
# Not for everybody, whatever their numbers say: clouds answer there about the machine that asks.
SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", "fec0::/10"),
    )
)

# Name and port in; the addresses behind them out. Raises OSError where there are none.
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that may be called.

    Args:
        host: as TLS and the Host header name it.
        path: with the query.
        addresses: numeric, every one judged; only these may be connected to.
    """

    host: str
    port: int
    path: str
    encrypted: bool
    addresses: tuple[str, ...]


def parse(url: str, *, loopback: bool = False) -> Target:
    """Judge the form of an address; nothing is resolved yet, unless it names an IP address itself.

    Args:
        loopback: whether this machine may be called, unencrypted too; for development only.

    Raises:
        Rejected: it may not be called; the reason never repeats it.
    """
    if not 0 < len(url) <= URL_LENGTH_MAX:
        raise Rejected(f"the address has no or more than {URL_LENGTH_MAX} characters")
    if not all("!" <= character <= "~" and character not in '\\"<>^`{|}' for character in url):
        raise Rejected("the address holds a space, a control character or one outside ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Rejected("the address cannot be read") from None
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise Rejected("the address does not start with https://")
    if "@" in parts.netloc or parts.fragment:
        raise Rejected("the address holds a user, a password or a fragment")
    number = _number(host)
    if number is None and not (loopback and host == "localhost") and not NAME.fullmatch(host.removesuffix(".")):
        raise Rejected("the address names no host, or one in a form that is not taken")
    if number is None and host.rstrip(".").endswith((".local", ".internal", ".localhost", ".localdomain")):
        raise Rejected("the address names a host of an inner network")
    port = port or (443 if parts.scheme == "https" else 80)
    here = loopback and (host == "localhost" or (number is not None and number.is_loopback))
    if not here and (port not in PORTS or parts.scheme != "https"):
        raise Rejected("the address names another port than 443 or 8443, or is not encrypted")
    if number is not None and not here:
        _check_public(number)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    addresses = () if number is None else (str(number),)
    return Target(host=host, port=port, path=path, encrypted=parts.scheme == "https", addresses=addresses)


def vet(url: str, resolve: Resolve, seconds: float, *, loopback: bool = False) -> Target:
    """Judge an address and everything its name leads to.

    Args:
        seconds: how long the name may take to be resolved.

    Raises:
        Rejected: it may not be called.
        Unreachable: its name cannot be resolved now.
    """
    target = parse(url, loopback=loopback)
    if target.addresses:
        return target
    found = _resolved(resolve, target.host, target.port, seconds)
    if not 0 < len(found) <= ADDRESSES_MAX:
        raise Rejected("the name leads nowhere, or to too many addresses")
    for one in found:
        number = _number(one)
        if number is None:
            raise Rejected("the name leads to something that is no address")
        if not (loopback and target.host == "localhost" and number.is_loopback):
            _check_public(number)
    return Target(
        host=target.host, port=target.port, path=target.path, encrypted=target.encrypted, addresses=tuple(found)
    )


def addresses_of(host: str, port: int) -> list[str]:
    """What the system's resolver says, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _resolved(resolve: Resolve, host: str, port: int, seconds: float) -> list[str]:
    """Ask the resolver, which knows no time limit of its own."""
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            answers.append(list(resolve(host, port)))
        except (OSError, UnicodeError):
            answers.append([])

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if not answers or not answers[0]:
        raise Unreachable("the host's name cannot be resolved")
    return answers[0]


def _number(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address a text is, in its one plain form."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _check_public(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    inner = any(number.version == network.version and number in network for network in SPECIAL)
    if inner or not number.is_global or number.is_multicast or number.is_reserved or number.is_unspecified:
        raise Rejected("the address leads into an inner network")
