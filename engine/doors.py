"""Doors: by which gateway the messages of each channel leave."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.tables import Entity
from notifiers.gateways import Gateway, OutgoingMessage, Receipt, Unreachable
from notifiers.mailbox import MailboxGateway
from notifiers.messaging import MessagingGateway
from notifiers.mime import is_address
from notifiers.print_folder import PrintFolderGateway
from notifiers.provider_folder import ProviderFolderGateway
from notifiers.smtp import SmtpGateway, parse_smtp_url
from notifiers.trial_folder import TrialFolderGateway
from notifiers.webhook import WebhookGateway

if TYPE_CHECKING:
    from engine.runtime import Runtime

LETTER = "letter"  # the channel of paper
WEBHOOK, INTERNAL = "webhook", "internal"
MAILBOX_FOLDER = "mailbox"
LETTERS_FOLDER = "letters"  # what a printer may take
TRIAL_FOLDER = "letters-on-trial"  # while nothing may be sent for real


class ClosedGateway:
    """A channel for which nothing is set up: what cannot leave otherwise waits and says so."""

    name = "closed"
    idempotent = True

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Nothing leaves here."""
        raise Unreachable("nothing is set up for this channel", for_all=True)

    def find(self, key: str) -> Receipt | None:
        """Nothing ever left here."""
        return None


@dataclass(frozen=True, slots=True)
class Way:
    """A way out as the outbox works with it: what fares alike, rests and recovers alike.

    Args:
        name: of its state, see ``engine.tables.Door``.
        channels: whose messages leave by it.
        entity: of which entity only, by id; None: of all.
    """

    name: str
    gateway: Gateway
    channels: tuple[str, ...]
    entity: int | None = None


def ways_of(runtime: "Runtime") -> list[Way]:
    """Every way out. Each entity's webhooks are a way of their own: their receivers are different ones."""
    doors = doors_of(runtime)
    behind: dict[int, list[str]] = {}
    for channel, gateway in doors.items():
        if channel != WEBHOOK:
            behind.setdefault(id(gateway), []).append(channel)
    ways = [Way(doors[channels[0]].name, doors[channels[0]], tuple(channels)) for channels in behind.values()]
    hooks = doors[WEBHOOK]
    entities = Entity.select(Entity.id, Entity.code).order_by(Entity.id).tuples()
    return ways + [Way(f"{WEBHOOK} {code}", hooks, (WEBHOOK,), entity) for entity, code in entities]


def doors_of(runtime: "Runtime") -> dict[str, Gateway]:
    """The way out of each channel."""
    kept: dict[str, Gateway] | None = runtime.cache.get("doors")
    if kept is None:
        mail = gateway_of(runtime)
        kept = {
            "email": mail,
            LETTER: _letters(runtime),
            "sms": _messaging(runtime, "sms", runtime.settings.sms),
            "chat": _messaging(runtime, "chat", runtime.settings.chat),
            WEBHOOK: _webhooks(runtime),
            INTERNAL: mail,
        }
        runtime.cache["doors"] = kept
    return kept


def gateway_of(runtime: "Runtime") -> Gateway:
    """The way out of mail: the mail server when sending for real is permitted, else the mailbox folder."""
    kept: Gateway | None = runtime.cache.get("gateway")
    if kept is None:
        kept = _mail_server(runtime) or MailboxGateway(runtime.settings.var / MAILBOX_FOLDER)
        runtime.cache["gateway"] = kept
    return kept


def _mail_server(runtime: "Runtime") -> SmtpGateway | None:
    url = runtime.settings.smtp
    if url is None or not runtime.settings.send_for_real:
        return None
    server, problems = parse_smtp_url(url)
    if server is None:
        raise ValueError("; ".join(str(problem) for problem in problems))
    return SmtpGateway(server)


def _letters(runtime: "Runtime") -> Gateway:
    settings = runtime.settings
    if not settings.send_for_real:
        return PrintFolderGateway(settings.var / TRIAL_FOLDER, trial=True)
    if settings.letter_folder is not None:
        return ProviderFolderGateway(settings.letter_folder)
    return PrintFolderGateway(settings.var / LETTERS_FOLDER)


def _messaging(runtime: "Runtime", channel: str, url: str | None) -> Gateway:
    if not runtime.settings.send_for_real:
        return TrialFolderGateway(channel, runtime.settings.var / f"{channel}-on-trial")
    return ClosedGateway() if url is None else MessagingGateway(channel, url)


def _webhooks(runtime: "Runtime") -> Gateway:
    settings = runtime.settings
    if not settings.send_for_real:
        return TrialFolderGateway(WEBHOOK, settings.var / f"{WEBHOOK}-on-trial")
    if settings.webhook_secret is None:
        return ClosedGateway()
    return WebhookGateway(settings.webhook_secret, loopback=settings.webhook_loopback)


def sender_of(runtime: "Runtime", entity: Entity, gateway: Gateway) -> str | None:
    """The address a letter comes from; mail for real needs one that exists, the mailbox does not."""
    if is_address(entity.mail_from):
        return str(entity.mail_from)
    if isinstance(gateway, SmtpGateway):
        return gateway.server.sender or None
    return f"accounts.receivable@{entity.code.lower()}.example"
