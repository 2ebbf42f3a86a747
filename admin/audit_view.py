"""The audit trail: who changed what, why, and whether the chain of entries is whole."""

import json
from typing import Any, ClassVar

from flask import g, request
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from peewee import ModelSelect

from admin import formatting
from admin.console import Choice, ConsoleView
from admin.views import link, whole_entities
from engine import audit
from engine.catalogue import COMMANDS
from engine.tables import AuditEntry, User

VALUE_LENGTH_MAX = 120


def _who(row: AuditEntry) -> str:
    if row.actor_id is None:
        return _("the system")
    names: dict[int, str] = g.get("audit_names", {})
    return names.get(row.actor_id, f"#{row.actor_id}")


def _short(name: str, value: Any) -> str:
    if name.endswith("_day") and isinstance(value, int):
        return formatting.day_text(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_LENGTH_MAX else text[:VALUE_LENGTH_MAX] + "…"


def pairs_of(row: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Name, before and after of each value an entry changed."""
    before, after = (json.loads(side) if side else {} for side in (row.before, row.after))
    return [(name, before.get(name), after.get(name)) for name in sorted({*before, *after})]


def change(row: AuditEntry) -> Markup:
    """What an entry changed, in one cell."""
    parts = []
    for name, old, new in pairs_of(row):
        if old == new or name == "customer":
            continue
        arrow = formatting.icon("arrow-right", _("to")) if old is not None else Markup("")
        was = Markup('<span class="quiet">{}</span>').format(_short(name, old)) if old is not None else Markup("")
        now = _short(name, new) if new is not None else "–"
        parts.append(
            Markup('<span class="change"><span class="quiet">{}</span> {} {} {}</span>').format(
                formatting.title(name.removesuffix("_day")), was, arrow, now
            )
        )
    return Markup(" ").join(parts)


class AuditView(ConsoleView):
    """Entries of the chain, newest first."""

    permission = "audit.view"
    heading = _l("Audit trail")
    lead = _l("Every change, by whom and why. Each entry carries the hash of the one before it.")
    empty = _l("No entry matches.")
    list_template = "console/audit.html"
    column_list = ("at", "who", "command", "subject", "change", "reason")
    column_export_list = (
        "at",
        "who",
        "command",
        "subject_kind",
        "subject_id",
        "before",
        "after",
        "reason",
        "hash",
    )
    column_labels: ClassVar[dict[str, Any]] = {
        "at": _l("When"),
        "who": _l("Who"),
        "command": _l("What"),
        "subject": _l("On what"),
        "change": _l("Change"),
        "reason": _l("Why"),
    }
    column_kinds: ClassVar[dict[str, str]] = {
        "at": "instant",
        **dict.fromkeys(("who", "command", "subject"), "short"),
        "change": "wrap",
        "reason": "wrap",
    }
    column_details_list = (*column_export_list[:8], "previous_hash", "hash")
    choices = (
        Choice(
            "command",
            _l("What"),
            lambda q, v: q.where(AuditEntry.command == v),
            lambda: [(name, words(name)) for name in sorted({*COMMANDS, "Activate"})],
        ),
        Choice("subject", _l("Kind of subject"), lambda q, v: q.where(AuditEntry.subject_kind == v)),
        Choice("id", _l("Number of subject"), lambda q, v: q.where(AuditEntry.subject_id == v)),
        Choice(
            "actor",
            _l("Who"),
            lambda q, v: q.where(AuditEntry.actor_id == int(v)),
            lambda: [(str(u.id), u.name) for u in User.select().order_by(User.name).limit(500)],
        ),
    )
    shown: ClassVar[dict[str, Any]] = {
        "at": lambda row: link("audit.details_view", formatting.instant_text(row.at), id=row.id),
        "who": _who,
        "command": lambda row: words(row.command),
        "subject": lambda row: f"{formatting.title(row.subject_kind)} {row.subject_id}",
        "change": change,
    }
    plain: ClassVar[dict[str, Any]] = {"at": lambda row: formatting.moment(row.at).isoformat(), "who": _who}

    def visible(self) -> ModelSelect:
        """Entries of entities the reader sees whole, and those of no entity."""
        mine = AuditEntry.entity_id.in_(whole_entities()) | AuditEntry.entity_id.is_null()
        return AuditEntry.select().where(mine)

    def prepare(self, rows: list[Any]) -> None:
        """Names of the actors."""
        actors = {row.actor_id for row in rows}
        g.audit_names = dict(User.select(User.id, User.name).where(User.id.in_(actors)).tuples())

    def render(self, template: str, **values: Any) -> str:
        """Give the list the state of the chain; checking it reads every entry, so only when asked."""
        entries, head = audit.head()
        report = audit.verify_chain() if request.args.get("check") == "1" else None
        return super().render(template, chain={"entries": entries, "head": head, "report": report}, **values)

    @expose("/details/")
    def details_view(self) -> str:
        """One entry with both sides whole."""
        row = self.one_or_404(request.args.get("id"))
        return self.render("console/audit_entry.html", row=row, pairs=pairs_of(row), who=_who(row), words=words)


def words(command: str) -> str:
    """A command's name in words: ``ApproveRun`` -> ``Approve run``."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in command).strip()
    return _(spaced[:1].upper() + spaced[1:])
