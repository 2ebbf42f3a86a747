"""Messages: every letter, what state it is in, and what it said."""

import base64
from html import escape
from html.parser import HTMLParser
from typing import Any, ClassVar
from uuid import uuid4

from flask import Response, abort, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import JOIN, ModelSelect

from admin import desk_forms, doubt, formatting, gate, received_mail
from admin.console import Asked, Choice, Tab
from admin.customers import customer_link
from admin.invoice_documents import file_answer
from admin.invoices import invoice, name_invoices
from admin.steps import step_label
from admin.views import CUSTOMER_FILTERS, MESSAGE_STATES, OfCustomers, _coded, link
from engine import access
from engine.answers import masked
from engine.statements import preview_of
from engine.tables import Action, Customer, Decision, EditedText, Entity, Message, Person
from engine.vault import Erased
from engine.wordings import wording_for
from engine.writing import files_of
from notifiers.gateways import Attachment
from notifiers.printing import Unprintable
from notifiers.short_texts import length_of

PREVIEWED = ("reminder_1", "before_due")  # what a preview is written as; the second where nothing is overdue
NEVER_CLOSED = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


class _Sheet(HTMLParser):
    """Moves inline styles into one style element, so that a letter shows under a strict policy."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.styles: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            return
        kept = []
        for name, value in attrs:
            if name == "style" and value:
                kept.append(("class", self.styles.setdefault(value, f"s{len(self.styles)}")))
            elif not name.startswith("on"):
                kept.append((name, value or ""))
        written = "".join(f' {name}="{escape(value)}"' for name, value in kept)
        self.parts.append(f"<{tag}{written}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in NEVER_CLOSED and tag != "script":
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")


def letter_for_frame(html: str, nonce: str) -> str:
    """A letter's HTML for a sandboxed frame: its inline styles become a sheet with this answer's nonce.

    >>> letter_for_frame('<p style="color:red">Hi</p>', "N")
    '<style nonce="N">.s0{color:red}</style><p class="s0">Hi</p>'
    """
    sheet = _Sheet()
    sheet.feed(html)
    sheet.close()
    rules = "".join(
        f".{name}{{{style.replace('<', '').replace('}', '').replace('{', '')}}}" for style, name in sheet.styles.items()
    )
    body = "".join(sheet.parts).replace("<style>", f'<style nonce="{nonce}">')
    return f'<style nonce="{nonce}">{rules}</style>{body}'


def opened(message: Message | None) -> dict[str, Any] | None:
    """What a message said, or None when it is not composed yet or its person was erased."""
    if message is None or message.id is None:
        return None
    try:
        said = gate.runtime().vault.open(message.person, message.sealed)
    except Erased:
        return None
    return said | {name: masked(said[name]) for name in ("text", "html") if name in said}


def _said(row: Action) -> dict[str, Any]:
    return g.get("letters", {}).get(row.id) or {}


class MessagesView(OfCustomers):
    """Messages of every channel."""

    permission = "people.view"
    list_template = "console/messages.html"
    can_view_details = False  # they have a page of their own
    heading = _l("Messages")
    lead = _l(
        "What the policies send, from waiting to sent. Until sending is on for real, nothing leaves this machine."
    )
    empty = _l("No letter here. Letters are written once an entity is live and a step is due.")
    column_list = ("due_day", "customer", "subject", "to", "level", "state", "sent_at")
    column_export_list = ("due_day", "customer", "step_key", "level", "state", "result")
    column_labels: ClassVar[dict[str, Any]] = {
        "due_day": _l("Due"),
        "customer": _l("Customer"),
        "subject": _l("Subject"),
        "to": _l("To"),
        "level": _l("Dunning"),
        "state": _l("State"),
        "sent_at": _l("Sent"),
        "step_key": _l("Step"),
        "result": _l("Result"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"due_day": "day", "sent_at": "instant"}
    sorts: ClassVar[dict[str, Any]] = {"due_day": Action.due_day, "level": Action.level, "state": Action.state}
    first_sort = ("due_day", True)
    choices = (
        *CUSTOMER_FILTERS,
        Choice("state", _l("State"), lambda q, v: q.where(Action.state == v), _coded(MESSAGE_STATES)),
        Choice("step", _l("Step"), lambda q, v: q.where(Action.step_key == v)),
    )
    tabs = (
        Tab("all", _l("All"), lambda q: q),
        Tab("confirm", _l("To confirm"), lambda q: q.where(Action.state == "waiting")),
        Tab("doubt", _l("In doubt"), lambda q: q.where(Action.state.in_(("uncertain", "failed")))),
        Tab("way", _l("On the way"), lambda q: q.where(Action.state.in_(("due", "claimed", "sending")))),
        Tab("sent", _l("Sent"), lambda q: q.where(Action.state == "sent")),
    )
    shown: ClassVar[dict[str, Any]] = {
        "tick": lambda row: doubt.tick(row) if row.state in ("uncertain", "failed") else desk_forms.tick(row),
        "due_day": lambda row: formatting.day(row.due_day),
        "customer": lambda row: customer_link(row.customer),
        "subject": lambda row: _subject(row),
        "to": lambda row: _said(row).get("to") or formatting.NOTHING,
        "level": lambda row: (
            formatting.badge(min(row.level, 5), _("Level %(n)s", n=row.level)) if row.level else _("before due")
        ),
        "state": lambda row: state_badge(row),
        "sent_at": lambda row: formatting.instant(row.settled_at) if row.state == "sent" else "",
    }
    plain: ClassVar[dict[str, Any]] = {
        "due_day": lambda row: formatting.iso(row.due_day),
        "customer": lambda row: row.customer.number,
    }

    def joined(self) -> ModelSelect:
        """Letters with what was composed."""
        return (
            Action.select(Action, Customer, Message, Person)
            .join(Customer)
            .switch(Action)
            .join(Message, JOIN.LEFT_OUTER, on=(Message.action == Action.id), attr="message")
            .join(Person, JOIN.LEFT_OUTER)
            .where(Action.channel.not_in(("call", "task")))
        )

    def head(self, asked: Asked) -> list[dict[str, Any]]:
        """The columns; before those in doubt and to confirm a box each, for whoever may settle them."""
        columns = super().head(asked)
        if asked.tab == "doubt" and gate.may("actions.resolve"):
            return [{"name": "tick", "label": _("Chosen"), "kind": "short"}, *columns]
        if asked.tab == "confirm" and gate.may("actions.work"):
            return [{"name": "tick", "label": _("Chosen"), "kind": "short"}, *columns]
        return columns

    def once(self) -> str:
        """A key for a form, so that sending it twice does it once."""
        return str(uuid4())

    def prepare(self, rows: list[Any]) -> None:
        """Open the letters of these rows."""
        super().prepare(rows)
        name_invoices(row.line_id for row in rows)
        g.letters = {row.id: opened(getattr(row, "message", None)) for row in rows}

    @expose("/<int:action_id>/pdf")
    def message_pdf(self, action_id: int) -> ResponseReturnValue:
        """The printed letter, byte for byte as it was handed over."""
        row = self.one_or_404(action_id)
        printed = _said(row).get("pdf")
        if not printed:
            abort(404)
        return pdf_answer(base64.b64decode(printed), f"{row.customer.number}-{row.id}")

    @expose("/<int:action_id>/files/<int:place>")
    def message_file(self, action_id: int, place: int) -> ResponseReturnValue:
        """A file that went along, byte for byte."""
        row = self.one_or_404(action_id)
        names = _said(row).get("attachments", ())
        if not 0 < place <= len(names):
            abort(404)
        return file_answer(files_of(gate.runtime(), {"attachments": [names[place - 1]]})[0])

    @expose("/<int:action_id>/text")
    def message_text(self, action_id: int) -> ResponseReturnValue:
        """The words of a mail as they were sent, byte for byte."""
        row = self.one_or_404(action_id)
        text = _said(row).get("text")
        if text is None:
            abort(404)
        return file_answer(Attachment(f"{row.customer.number}-{row.id}.txt", "text/plain", text.encode()))

    @expose("/preview/<int:customer_id>")
    def preview(self, customer_id: int) -> ResponseReturnValue:
        """What a reminder to a customer would say today, on paper; nothing is kept or sent."""
        query = Customer.select(Customer, Entity).join(Entity).where(Customer.id == customer_id)
        customer = access.visible_to(current_user.id, query).first()
        if customer is None:
            abort(404)
        runtime = gate.runtime()
        day = runtime.today(customer.entity)
        asked = request.args.get("template", "")
        known = [wording_for(runtime, customer.entity, key, day) for key in (asked, *PREVIEWED) if key]
        try:
            letters = (preview_of(runtime, customer, wording) for wording in known if wording is not None)
            printed = next((letter for letter in letters if letter is not None), None)
        except Unprintable:
            flash(_("The letter holds characters that our fonts cannot print."), "error")
            return redirect(url_for("customers.customer_page", customer_id=customer_id), 303)
        if printed is None:
            flash(_("Nothing is open that a letter could ask for."), "error")
            return redirect(url_for("customers.customer_page", customer_id=customer_id), 303)
        return pdf_answer(printed.pdf, f"{customer.number}-preview")

    @expose("/<int:action_id>")
    def message_page(self, action_id: int) -> str:
        """One letter: why it goes, in which state it is, and what it says."""
        row = self.one_or_404(action_id)
        letter = _said(row)
        html = letter.get("html")
        return self.render(
            "console/message.html",
            row=row,
            letter=letter,
            message=getattr(row, "message", None),
            parts=length_of(letter["text"]) if row.way == "sms" and letter.get("text") else None,
            framed=letter_for_frame(html, gate.nonce()) if html else None,
            decision=Decision.get_or_none(Decision.id == row.decision_id),
            mails=received_mail.of_message(row.id),
            edited=EditedText.get_or_none(EditedText.action == row.id),
            carried=list(Action.select().where(Action.covered_by == row.id).order_by(Action.id)),
        )


def pdf_answer(content: bytes, name: str) -> Response:
    """A PDF to look at or keep."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)
    answer = Response(content, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{kept}.pdf"'
    return answer


def _subject(row: Action) -> Markup:
    """The letter's subject, or its step; with the invoice it is about, and whether another carries it."""
    text = link("messages.message_page", _said(row).get("subject") or step_label(row.step_key), action_id=row.id)
    notes = [invoice(row.line_id), _("covered by another message") if row.covered_by_id else ""]
    said = " · ".join(note for note in notes if note)
    return Markup('{} <span class="quiet small">{}</span>').format(text, said) if said else text


def state_badge(row: Action) -> Markup:
    """A message's state, with why it waits."""
    text = formatting.badge(row.state)
    if row.waiting_for and row.state in {"waiting", "due"}:
        return Markup('{} <span class="quiet small">{}</span>').format(text, formatting.title(row.waiting_for))
    return text
