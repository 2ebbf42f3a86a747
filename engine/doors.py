"""Doors: by which gateway the messages of each channel leave."""

from typing import TYPE_CHECKING

from engine.tables import Entity
from notifiers.gateways import Gateway
from notifiers.mailbox import MailboxGateway
from notifiers.mime import is_address
from notifiers.print_folder import PrintFolderGateway
from notifiers.smtp import SmtpGateway, parse_smtp_url

if TYPE_CHECKING:
    from engine.runtime import Runtime

LETTER = "letter"  # the channel of paper
MAILBOX_FOLDER = "mailbox"
LETTERS_FOLDER = "letters"  # what a printer may take
TRIAL_FOLDER = "letters-on-trial"  # while nothing may be sent for real


def gateway_of(runtime: "Runtime") -> Gateway:
    """The way out: the mail server when sending for real is permitted, else the mailbox folder."""
    kept: Gateway | None = runtime.cache.get("gateway")
    if kept is None:
        kept = _mail_server(runtime) or MailboxGateway(runtime.settings.var / MAILBOX_FOLDER)
        runtime.cache["gateway"] = kept
    return kept


def doors_of(runtime: "Runtime") -> dict[str, Gateway]:
    """The way out of each channel."""
    letters: Gateway | None = runtime.cache.get("print_folder")
    if letters is None:
        folder = LETTERS_FOLDER if runtime.settings.send_for_real else TRIAL_FOLDER
        letters = runtime.cache["print_folder"] = PrintFolderGateway(runtime.settings.var / folder)
    return {"email": gateway_of(runtime), LETTER: letters}


def _mail_server(runtime: "Runtime") -> SmtpGateway | None:
    url = runtime.settings.smtp
    if url is None or not runtime.settings.send_for_real:
        return None
    server, problems = parse_smtp_url(url)
    if server is None:
        raise ValueError("; ".join(str(problem) for problem in problems))
    return SmtpGateway(server)


def sender_of(runtime: "Runtime", entity: Entity, gateway: Gateway) -> str | None:
    """The address a letter comes from; mail for real needs one that exists, the mailbox does not."""
    if is_address(entity.mail_from):
        return str(entity.mail_from)
    if isinstance(gateway, SmtpGateway):
        return gateway.server.sender or None
    return f"accounts.receivable@{entity.code.lower()}.example"
