"""Lists of how the house is run: runs, imports, documents, users."""

import json
from typing import Any, ClassVar

from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import JOIN, ModelSelect

from admin import changes, formatting
from admin.console import Choice, ConsoleView, Tab
from admin.dashboard import share_bp
from admin.finding import entities
from admin.importing import ENTRIES
from admin.views import _coded, link, whole_entities
from engine import access
from engine.people import proposed_roles
from engine.replays import latest_of
from engine.tables import AuditEntry, Customer, Decision, Document, Entity, Import, Run, User, UserRole
from ledger.dialect import WHOLE

DIFFERENCES_SHOWN = 100
CHANGES_READ_MAX = 5_000  # decisions of a run that its page counts by outcome


class RunsView(ConsoleView):
    """Decision runs."""

    permission = "reports.view"
    can_view_details = False  # they have a page of their own
    heading = _l("Runs")
    lead = _l("Each night every customer is decided as of one day, with one edition of the rules.")
    empty = _l("No run yet. The first one adopts the portfolio without writing to anybody.")
    column_list = ("as_of_day", "entity", "kind", "state", "customers", "changed", "undecided", "disagreed", "took")
    column_labels: ClassVar[dict[str, Any]] = {
        "as_of_day": _l("As of"),
        "entity": _l("Entity"),
        "kind": _l("Kind"),
        "state": _l("State"),
        "customers": _l("Customers"),
        "changed": _l("Changed"),
        "undecided": _l("Undecided"),
        "disagreed": _l("Disagreed"),
        "took": _l("Took"),
    }
    column_kinds: ClassVar[dict[str, str]] = {
        "as_of_day": "day",
        **dict.fromkeys(("customers", "changed", "undecided", "disagreed", "took"), "count"),
    }
    sorts: ClassVar[dict[str, Any]] = {"as_of_day": Run.as_of_day, "changed": Run.changed}
    tabs = (
        Tab("portfolio", _l("Portfolio runs"), lambda q: q.where(Run.kind != "event")),
        Tab("events", _l("Single customers"), lambda q: q.where(Run.kind == "event")),
    )
    choices = (
        Choice("entity", _l("Entity"), lambda q, v: q.where(Entity.code == v), entities),
        Choice(
            "state",
            _l("State"),
            lambda q, v: q.where(Run.state == v),
            _coded(("gated", "confirming", "done", "superseded")),
        ),
    )
    shown: ClassVar[dict[str, Any]] = {
        "as_of_day": lambda row: link("runs.run_page", formatting.day(row.as_of_day), run_id=row.id),
        "entity": lambda row: row.entity.name,
        "kind": lambda row: formatting.title(row.kind),
        "state": lambda row: formatting.badge(row.state),
        **{
            name: (lambda row, name=name: formatting.count(getattr(row, name)))
            for name in ("customers", "changed", "undecided", "disagreed")
        },
        "took": lambda row: took(row),
    }
    plain: ClassVar[dict[str, Any]] = {
        "as_of_day": lambda row: formatting.iso(row.as_of_day),
        "entity": lambda row: row.entity.code,
        "took": lambda row: "" if row.finished_at is None else (row.finished_at - row.started_at) // 1_000_000,
    }

    def visible(self) -> ModelSelect:
        """Runs of entities the reader sees whole: their counters count every customer."""
        return Run.select(Run, Entity).join(Entity).where(Run.entity.in_(whole_entities()))

    @expose("/<int:run_id>")
    def run_page(self, run_id: int) -> str:
        """One run: its counters, its gate, what it depended on."""
        run = self.one_or_404(run_id)
        return self.render(
            "console/run.html",
            run=run,
            share=share_bp(run.changed, run.customers),
            steps=list(json.loads(run.seconds or "{}").items()),
            changes=changed_by_stage(run),
            replay=replay_shown(run),
        )


def replay_shown(run: Run) -> dict[str, Any] | None:
    """The last replay of a run's day, its differences with their customers."""
    asked = latest_of(run)
    if asked is None:
        return None
    found = json.loads(asked.differences)[:DIFFERENCES_SHOWN]
    names = dict(
        Customer.select(Customer.id, Customer.name).where(Customer.id.in_([one["customer"] for one in found])).tuples()
    )
    return {"asked": asked, "differences": [{**one, "name": names.get(one["customer"], "")} for one in found]}


def changed_by_stage(run: Run) -> list[tuple[str, Any, Any, int]]:
    """How many customers went from which outcome to which, of the first decisions of a run."""
    counted: dict[tuple[str, Any, Any], int] = {}
    rows = Decision.select(Decision.changes).where(Decision.run == run).limit(CHANGES_READ_MAX).tuples()
    for (text,) in rows:
        for d in changes.differences(text):
            if d.outcome not in {"points", "proposed_limit_minor", "proposed_terms_days", "hold_reason", "step"}:
                key = (d.outcome, d.before, d.after)
                counted[key] = counted.get(key, 0) + 1
    order = sorted(counted.items(), key=lambda item: (item[0][0], -item[1], str(item[0][1:])))
    return [(outcome, before, after, number) for (outcome, before, after), number in order]


def took(run: Run) -> Any:
    """How long a run took."""
    if run.finished_at is None:
        return formatting.NOTHING
    seconds = (run.finished_at - run.started_at) / 1_000_000
    return Markup('<span class="num">{} <span class="unit">s</span></span>').format(f"{seconds:.1f}")


class ImportsView(ConsoleView):
    """Files taken in."""

    permission = "reports.view"
    can_view_details = False  # they have a page of their own
    list_template = "console/imports.html"
    heading = _l("Imports")
    lead = _l("A file is taken in whole or not at all; the same entries twice change nothing.")
    empty = _l("Nothing imported yet. Begin with your customers, then their invoices and payments.")
    column_list = ("recorded_at", "entity", "file_name", "rows_read", "entries_posted", "entries_known", "by")
    column_labels: ClassVar[dict[str, Any]] = {
        "recorded_at": _l("Taken in"),
        "entity": _l("Entity"),
        "file_name": _l("File"),
        "rows_read": _l("Rows"),
        "entries_posted": _l("New entries"),
        "entries_known": _l("Known already"),
        "by": _l("By"),
    }
    column_kinds: ClassVar[dict[str, str]] = {
        "recorded_at": "instant",
        **dict.fromkeys(("rows_read", "entries_posted", "entries_known"), "count"),
    }
    sorts: ClassVar[dict[str, Any]] = {"recorded_at": Import.recorded_at}
    shown: ClassVar[dict[str, Any]] = {
        "recorded_at": lambda row: formatting.instant(row.recorded_at),
        "entity": lambda row: row.entity.name,
        "file_name": lambda row: link("imports.import_page", row.file_name, import_id=row.id),
        "by": lambda row: row.by.name if row.by_id else formatting.NOTHING,
        **{
            name: (lambda row, name=name: formatting.count(getattr(row, name)))
            for name in ("rows_read", "entries_posted", "entries_known")
        },
    }
    plain: ClassVar[dict[str, Any]] = {
        "recorded_at": lambda row: formatting.instant_text(row.recorded_at),
        "entity": lambda row: row.entity.code,
        "by": lambda row: row.by.email if row.by_id else "",
    }

    def visible(self) -> ModelSelect:
        """Imports into entities the reader sees whole."""
        query = Import.select(Import, Entity, User).join(Entity).switch(Import)
        return query.join(User, JOIN.LEFT_OUTER).where(Import.entity.in_(whole_entities()))

    @expose("/<int:import_id>")
    def import_page(self, import_id: int) -> str:
        """One file: what it brought, and what was found on the way."""
        taken = self.one_or_404(import_id)
        entry = AuditEntry.get_or_none(AuditEntry.subject_kind == "import", AuditEntry.subject_id == str(import_id))
        after = json.loads(entry.after) if entry and entry.after else {}
        mapping = json.loads(taken.mapping)
        return self.render(
            "console/import_done.html",
            taken=taken,
            entries=[(ENTRIES.get(n, formatting.title(n)), number) for n, number in after.get("entries", {}).items()],
            warnings=json.loads(taken.warnings),
            mapping=json.dumps(mapping, ensure_ascii=False, indent=2),
            mapping_name=mapping.get("name") or mapping.get("key"),
            whole=WHOLE,
        )


class DocumentsView(ConsoleView):
    """Versions of policies and parameters."""

    permission = "policies.view"
    heading = _l("Documents")
    lead = _l("Every version of every policy, named by the hash of its content.")
    column_list = ("key", "stage", "status", "from_day", "proposed_by", "approved_by", "sha256")
    column_export_list = ("key", "kind", "stage", "status", "from_day", "until_day", "sha256")
    column_labels: ClassVar[dict[str, Any]] = {
        "key": _l("Document"),
        "stage": _l("Stage"),
        "status": _l("Status"),
        "from_day": _l("From"),
        "proposed_by": _l("Proposed by"),
        "approved_by": _l("Approved by"),
        "sha256": _l("Hash"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"from_day": "day"}
    sorts: ClassVar[dict[str, Any]] = {"key": Document.key, "status": Document.status, "from_day": Document.from_day}
    choices = (
        Choice(
            "status",
            _l("Status"),
            lambda q, v: q.where(Document.status == v),
            _coded(("draft", "proposed", "approved", "live", "retired", "rejected", "withdrawn")),
        ),
    )
    shown: ClassVar[dict[str, Any]] = {
        "key": lambda row: Markup('<span class="strong">{}</span>').format(formatting.title(row.key)),
        "stage": lambda row: formatting.title(row.stage) or formatting.NOTHING,
        "status": lambda row: formatting.badge(row.status),
        "from_day": lambda row: formatting.day(row.from_day),
        "proposed_by": lambda row: row.proposed_by.name if row.proposed_by_id else formatting.NOTHING,
        "approved_by": lambda row: row.approved_by.name if row.approved_by_id else formatting.NOTHING,
        "sha256": lambda row: Markup('<span class="mono" title="{}">{}</span>').format(row.sha256, row.sha256[:12]),
    }
    plain: ClassVar[dict[str, Any]] = {
        "from_day": lambda row: formatting.iso(row.from_day),
        "until_day": lambda row: formatting.iso(row.until_day),
    }
    column_details_list = ("key", "kind", "stage", "status", "from_day", "until_day", "reason", "sha256", "body")

    def visible(self) -> ModelSelect:
        """Documents for all entities and for those the reader sees a part of."""
        seen = access.visible_entities(current_user.id)
        return Document.select().where(Document.entity.is_null() | Document.entity.in_(seen))


class UsersView(ConsoleView):
    """Who may sign in, and what they hold."""

    list_template = "console/users.html"
    permission = "users.view"
    can_view_details = False  # they have a page of their own
    heading = _l("Users and roles")
    lead = _l("Roles are given and taken by an administrator; nobody changes their own.")
    column_list = ("name", "email", "roles", "scopes", "active")
    column_labels: ClassVar[dict[str, Any]] = {
        "name": _l("Name"),
        "email": _l("E-mail address"),
        "roles": _l("Roles"),
        "scopes": _l("Sees"),
        "active": _l("Account"),
    }
    sorts: ClassVar[dict[str, Any]] = {"name": User.name, "email": User.email}
    first_sort = ("email", False)
    searched = True
    shown: ClassVar[dict[str, Any]] = {
        "name": lambda row: link("users.user_page", row.name, user_id=row.id),
        "roles": lambda row: Markup(" ").join(formatting.badge(r.role, tone="calm") for r in row.role_rows),
        "scopes": lambda row: ", ".join(scope_words(s) for s in row.scopes) or formatting.NOTHING,
        "active": lambda row: formatting.badge("on" if row.active else "off", _("active") if row.active else _("off")),
    }
    plain: ClassVar[dict[str, Any]] = {
        "roles": lambda row: ", ".join(r.role for r in row.role_rows),
        "scopes": lambda row: ", ".join(scope_words(s) for s in row.scopes),
    }

    def visible(self) -> ModelSelect:
        """Every account."""
        return User.select()

    @expose("/<int:user_id>")
    def user_page(self, user_id: int) -> str:
        """One person: roles, scopes, and what follows from them."""
        user = self.one_or_404(user_id)
        return self.render(
            "console/user.html",
            user=user,
            roles=access.roles_of(user),
            waiting=proposed_roles(user),
            scopes=[scope_words(scope) for scope in user.scopes],
            permissions=permitted(user),
        )

    def search_in(self, query: ModelSelect, words: str) -> ModelSelect:
        """By name, address or role."""
        holders = UserRole.select(UserRole.user).where(UserRole.role == words.replace(" ", "_").lower())
        return query.where(User.name.contains(words) | User.email.startswith(words) | User.id.in_(holders))


def permitted(user: User) -> list[tuple[str, str, str]]:
    """Permission, meaning and the roles that give it, of a user."""
    roles = access.roles_of(user)
    return [
        (name, _(meaning), ", ".join(formatting.title(role) for role in roles if name in access.ROLES[role]))
        for name, meaning in access.PERMISSIONS.items()
        if any(name in access.ROLES[role] for role in roles)
    ]


def scope_words(scope: Any) -> str:
    """A scope in words."""
    if scope.portfolio is None:
        return str(scope.entity.name)
    return _("%(entity)s, portfolio %(portfolio)s", entity=scope.entity.name, portfolio=scope.portfolio)
