"""Settings of the ways out: providers, secrets, limits. What holds a password is never repeated."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from ledger.problems import Problem
from notifiers.inbox import parse_imap_url
from notifiers.messaging import url_problems
from notifiers.webhook import SECRET_LENGTH_MIN

# Messages a minute, by gateway. A mail server of one's own takes many; providers of SMS block whoever is hasty.
LIMITS = {
    "smtp": 12_000,
    "mailbox": 60_000,
    "print_folder": 60_000,
    "trial_letters": 60_000,
    "provider_folder": 60_000,
    **dict.fromkeys(("sms_trial", "chat_trial", "webhook_trial"), 60_000),
    "sms": 60,
    "chat": 60,
    "webhook": 300,
}
LIMIT_MAX = 1_000_000


class DoorSettings(TypedDict):
    """The part of ``engine.settings.Settings`` read here."""

    url: str | None
    sms: str | None
    chat: str | None
    webhook_secret: str | None
    webhook_loopback: bool
    letter_folder: Path | None
    imap: str | None
    limits: tuple[tuple[str, int], ...]


def read_doors(
    environment: Mapping[str, str], true: frozenset[str], false: frozenset[str]
) -> tuple[DoorSettings, list[Problem]]:
    """Read them from the environment.

    Args:
        true, false: what counts as on and as off.
    """
    problems: list[Problem] = []

    def value(name: str) -> str:
        return environment.get(name, "").strip()

    for name in ("DUNWELL_SMS", "DUNWELL_CHAT"):
        problems += url_problems(name, value(name)) if value(name) else []
    url = value("DUNWELL_URL").rstrip("/")
    if url and not _is_web(url):
        problems.append(
            Problem("DUNWELL_URL", "is not the address of a console", "give https://dunwell.company.example")
        )
    secret = value("DUNWELL_WEBHOOK_SECRET")
    if secret and len(secret) < SECRET_LENGTH_MIN:
        problems.append(
            Problem("DUNWELL_WEBHOOK_SECRET", f"is shorter than {SECRET_LENGTH_MIN} characters", "give a longer one")
        )
    loopback = value("DUNWELL_WEBHOOK_LOOPBACK").lower()
    if loopback not in true | false:
        problems.append(Problem("DUNWELL_WEBHOOK_LOOPBACK", "is neither on nor off", "set it to 1 or 0"))
    problems += parse_imap_url(value("DUNWELL_IMAP"))[1] if value("DUNWELL_IMAP") else []
    limits, wrong = parse_limits(value("DUNWELL_LIMITS"))
    folder = value("DUNWELL_LETTER_FOLDER")
    return {
        "url": url or None,
        "sms": value("DUNWELL_SMS") or None,
        "chat": value("DUNWELL_CHAT") or None,
        "webhook_secret": secret or None,
        "webhook_loopback": loopback in true,
        "letter_folder": Path(folder).resolve() if folder else None,
        "imap": value("DUNWELL_IMAP") or None,
        "limits": limits,
    }, problems + wrong


def parse_limits(text: str) -> tuple[tuple[tuple[str, int], ...], list[Problem]]:
    """Read messages a minute by gateway.

    >>> parse_limits("smtp=600, sms=30")
    ((('smtp', 600), ('sms', 30)), [])
    >>> [problem.what for problem in parse_limits("fax=1,sms=0")[1]]
    ["'fax=1' names no gateway", "'sms=0' has no number from 1 to 1000000"]
    """
    found: list[tuple[str, int]] = []
    problems: list[Problem] = []
    for part in (one.strip() for one in text.split(",") if one.strip()):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in LIMITS:
            problems.append(
                Problem(
                    "DUNWELL_LIMITS", f"{part!r} names no gateway", f"write one of {', '.join(LIMITS)} before the ="
                )
            )
        elif not (number.isascii() and number.isdigit() and 0 < int(number) <= LIMIT_MAX):
            what = f"{part!r} has no number from 1 to {LIMIT_MAX}"
            problems.append(Problem("DUNWELL_LIMITS", what, "write sms=30, for example"))
        else:
            found.append((name, int(number)))
    return tuple(found), problems


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        return False
