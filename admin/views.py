"""Lists of what was decided and what is to be done: decisions, the diary, alarms."""

from typing import Any, ClassVar

from flask import g, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import ModelSelect

from admin import changes, desk_forms, explaining, formatting, gate, received_mail
from admin.comparisons import decision_before
from admin.console import Asked, Choice, ConsoleView, Tab
from admin.customers import customer_link
from admin.finding import entities, matching, of_entity, with_entities
from admin.invoices import invoice
from admin.scripts import script_of
from admin.signs import alarms_of
from admin.steps import step_label
from engine import access
from engine.call_results import RESULTS
from engine.decision_log import overrides_read
from engine.desk import desk_of, unassigned_work
from engine.diary import is_recorded
from engine.differences import STAGE_OUTCOMES
from engine.tables import Action, Alarm, Customer, Decision, User
from ledger.days import day_of


def whole_entities() -> list[int]:
    """Entities the person signed in sees all of: only there do sums over customers belong to them."""
    user = current_user.id
    return [e for e in sorted(access.visible_entities(user)) if access.sees_whole_entity(user, e)]


def link(endpoint: str, label: Any, **values: Any) -> Markup:
    """A link within a cell."""
    return Markup('<a class="strong" href="{}">{}</a>').format(url_for(endpoint, **values), label)


def _on(field: Any, later: bool) -> Any:
    def apply(query: ModelSelect, text: str) -> ModelSelect:
        from datetime import date

        try:
            day = day_of(date.fromisoformat(text))
        except ValueError:
            return query
        return query.where(field >= day if later else field <= day)

    return apply


def _coded(pairs: tuple[str, ...]) -> Any:
    return lambda: [(code, formatting.title(code)) for code in pairs]


CUSTOMER_FILTERS = (Choice("entity", _l("Entity"), of_entity, entities),)


class OfCustomers(ConsoleView):
    """A list of rows that each belong to a customer, whose name finds them."""

    searched = True

    def joined(self) -> ModelSelect:
        """The model's rows with their customer."""
        return self.model.select(self.model, Customer).join(Customer)

    def prepare(self, rows: list[Any]) -> None:
        """Give the rows' customers their entities."""
        with_entities(row.customer for row in rows)

    def visible(self) -> ModelSelect:
        """Rows of customers in the reader's scope."""
        return access.visible_to(current_user.id, self.joined(), in_order=True)

    def search_in(self, query: ModelSelect, words: str) -> ModelSelect:
        """By the customer's number or name."""
        return matching(query, words)


class DecisionsView(OfCustomers):
    """What changed for whom, and by which rules."""

    permission = "customers.view"
    can_view_details = False  # they have a page of their own
    list_template = "console/decisions.html"
    heading = _l("Decisions")
    lead = _l("Every change of class, segment, limit, hold, dunning level or alert, with the facts it was made on.")
    empty = _l("No decision yet. The first run of an entity makes them.")
    column_list = ("as_of_day", "customer", "changes", "confirmed_by", "open")
    column_labels: ClassVar[dict[str, Any]] = {
        "as_of_day": _l("Day"),
        "customer": _l("Customer"),
        "changes": _l("What changed"),
        "confirmed_by": _l("Confirmed by"),
        "open": _l("Explanation"),
    }
    column_export_list = ("as_of_day", "customer", "changes", "confirmed_by", "edition")
    column_kinds: ClassVar[dict[str, str]] = {"as_of_day": "day"}
    sorts: ClassVar[dict[str, Any]] = {"as_of_day": Decision.as_of_day}
    choices = (
        *CUSTOMER_FILTERS,
        Choice(
            "stage",
            _l("Stage"),
            lambda q, v: q.where(Decision.changes.contains(f'"{v}":')),
            _coded(tuple(STAGE_OUTCOMES)),
        ),
        Choice("from", _l("From"), _on(Decision.as_of_day, True), kind="date"),
        Choice("until", _l("Until"), _on(Decision.as_of_day, False), kind="date"),
        Choice("run", _l("Run"), lambda q, v: q.where(Decision.run == int(v)) if v.isdigit() else q),
    )
    shown: ClassVar[dict[str, Any]] = {
        "as_of_day": lambda row: formatting.day(row.as_of_day),
        "customer": lambda row: customer_link(row.customer),
        "changes": lambda row: changes.summary(row.changes, row.customer.entity.currency),
        "confirmed_by": lambda row: formatting.badge(row.confirmed_by, tone="calm"),
        "open": lambda row: link("decisions.decision_page", _("Why"), decision_id=row.id),
    }
    plain: ClassVar[dict[str, Any]] = {
        "as_of_day": lambda row: formatting.iso(row.as_of_day),
        "customer": lambda row: row.customer.number,
    }

    @expose("/<int:decision_id>")
    def decision_page(self, decision_id: int) -> str:
        """One decision with every rule's verdict, worked out again from what was stored."""
        decision = self.one_or_404(decision_id)
        found = explaining.of_decision(decision, request.args.get("why_not", ""))
        currency = decision.customer.entity.currency
        return self.render(
            "console/decision.html",
            decision=decision,
            customer=decision.customer,
            currency=currency,
            differences=changes.differences(decision.changes),
            explained=found,
            overrides=overrides_read([decision])[decision.id],
            has_previous=decision_before(decision) is not None,
            facts=explaining.facts_shown(found.facts, currency),
            actions=list(Action.select().where(Action.decision == decision).order_by(Action.id)),
            run_open=gate.may("reports.view") and decision.entity_id in whole_entities(),
        )


MESSAGE_STATES = ("waiting", "due", "claimed", "sending", "sent", "uncertain", "failed", "cancelled")
WORK_STATES = ("open", "done", "skipped", "cancelled")


def _mine() -> Any:
    """Work that is the reader's today, also as a stand-in."""
    runtime = gate.runtime()
    return desk_of(runtime, current_user.id, runtime.today()).is_theirs()


def _due(row: Action) -> Markup:
    day = gate.runtime().today()
    late = row.state == "open" and row.due_day < day
    text = formatting.day(row.due_day)
    return Markup('{} <span class="badge hot">{}</span>').format(text, _("overdue")) if late else text


class ActionsView(OfCustomers):
    """The diary: dated work of people. Messages have a list of their own."""

    permission = "customers.view"
    can_view_details = False  # they have a page of their own
    list_template = "console/diary.html"
    heading = _l("Diary")
    lead = _l("Calls and tasks the policies ask for, by the day they are due.")
    empty = _l("Nothing to do here. Calls and tasks appear when a step of a scenario is due.")
    column_list = ("due_day", "customer", "step_key", "channel", "owner_role", "owner", "state", "result")
    column_labels: ClassVar[dict[str, Any]] = {
        "due_day": _l("Due"),
        "customer": _l("Customer"),
        "step_key": _l("Step"),
        "channel": _l("What"),
        "owner_role": _l("Whose"),
        "owner": _l("Person"),
        "state": _l("State"),
        "result": _l("Result"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"due_day": "day"}
    sorts: ClassVar[dict[str, Any]] = {"due_day": Action.due_day, "state": Action.state}
    first_sort = ("due_day", False)
    choices = (
        *CUSTOMER_FILTERS,
        Choice("state", _l("State"), lambda q, v: q.where(Action.state == v), _coded(WORK_STATES)),
        Choice("channel", _l("What"), lambda q, v: q.where(Action.channel == v), _coded(("call", "task"))),
        Choice(
            "owner",
            _l("Whose"),
            lambda q, v: q.where(Action.owner_role == v),
            lambda: [(role, formatting.title(role)) for role in access.ROLES],
        ),
        Choice(
            "person",
            _l("Person"),
            lambda q, v: q.where(Action.owner == int(v)) if v.isdigit() else q,
            lambda: [(str(user.id), user.name) for user in desk_forms.workers()],
        ),
    )
    tabs = (
        Tab("due", _l("Due"), lambda q: q.where(Action.state == "open", Action.due_day <= gate.runtime().today())),
        Tab("later", _l("Later"), lambda q: q.where(Action.state == "open", Action.due_day > gate.runtime().today())),
        Tab("mine", _l("Mine"), lambda q: q.where(Action.state == "open", _mine())),
        Tab("unassigned", _l("Unassigned"), lambda q: q.where(Action.state == "open", unassigned_work())),
        Tab("done", _l("Done"), lambda q: q.where(Action.state != "open").order_by()),
    )
    shown: ClassVar[dict[str, Any]] = {
        "due_day": _due,
        "customer": lambda row: customer_link(row.customer),
        "step_key": lambda row: link(
            "actions.action_page", f"{step_label(row.step_key)} {invoice(row.line_id)}".rstrip(), action_id=row.id
        ),
        "channel": lambda row: formatting.title(row.channel),
        "tick": desk_forms.tick,
        "owner_role": lambda row: formatting.title(row.owner_role) or formatting.NOTHING,
        "owner": lambda row: g.diary_owners[row.owner_id] if row.owner_id else formatting.NOTHING,
        "state": lambda row: formatting.badge(row.state),
        "result": lambda row: formatting.title(row.result) or "",
    }
    plain: ClassVar[dict[str, Any]] = {
        "due_day": lambda row: formatting.iso(row.due_day),
        "customer": lambda row: row.customer.number,
        "owner": lambda row: g.diary_owners[row.owner_id] if row.owner_id else "",
    }

    def head(self, asked: Asked) -> list[dict[str, Any]]:
        """The columns; before open work a box each, for whoever may give it to somebody else."""
        columns = super().head(asked)
        if asked.tab != "done" and gate.may("actions.work"):
            return [{"name": "tick", "label": _("Chosen"), "kind": "short"}, *columns]
        return columns

    def prepare(self, rows: list[Any]) -> None:
        """Read the names of the owners at once."""
        super().prepare(rows)
        named = sorted({row.owner_id for row in rows if row.owner_id is not None})
        g.diary_owners = dict(User.select(User.id, User.name).where(User.id.in_(named)).tuples())

    def joined(self) -> ModelSelect:
        """Work of people only."""
        return super().joined().where(Action.channel.in_(("call", "task")))

    @expose("/<int:action_id>")
    def action_page(self, action_id: int) -> str:
        """One call or task, to be done and reported."""
        row = self.one_or_404(action_id)
        offered = {} if is_recorded(row) else RESULTS  # what was agreed is not recorded twice
        follow_ups = {code: result.follow_up for code, result in offered.items() if result.follow_up}
        return self.render(
            "console/action.html",
            row=row,
            follow_ups=follow_ups,
            script=script_of(row),
            mail=received_mail.of_task(row.id),
        )


class AlarmsView(ConsoleView):
    """What a person must know."""

    permission = "alarms.acknowledge"
    heading = _l("Alarms")
    lead = _l("Disagreements, crashes, missing rates: what the engine will not pass over in silence.")
    empty = _l("No alarm. That is the normal state.")
    column_list = ("raised_at", "kind", "text", "customer", "acknowledged_at")
    column_labels: ClassVar[dict[str, Any]] = {
        "raised_at": _l("Raised"),
        "kind": _l("Kind"),
        "text": _l("What happened"),
        "customer": _l("Customer"),
        "acknowledged_at": _l("Acknowledged"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"raised_at": "instant"}
    sorts: ClassVar[dict[str, Any]] = {"raised_at": Alarm.raised_at}
    tabs = (
        Tab("open", _l("Open"), lambda q: q.where(Alarm.acknowledged_at.is_null())),
        Tab("all", _l("All"), lambda q: q),
    )
    shown: ClassVar[dict[str, Any]] = {
        "raised_at": lambda row: formatting.instant(row.raised_at),
        "kind": lambda row: formatting.badge(row.kind, tone="bad" if row.acknowledged_at is None else "calm"),
        "customer": lambda row: customer_link(row.customer) if row.customer_id and gate.may("customers.view") else "",
        "acknowledged_at": lambda row: (
            formatting.instant(row.acknowledged_at)
            if row.acknowledged_at
            else Markup('<a class="button" href="{}">{}</a>').format(
                url_for("commands.form", name="AcknowledgeAlarm", alarm=row.id, next=url_for("alarms.index_view")),
                _("Acknowledge"),
            )
        ),
    }
    plain: ClassVar[dict[str, Any]] = {
        "raised_at": lambda row: formatting.instant_text(row.raised_at),
        "customer": lambda row: row.customer.number if row.customer_id else "",
        "acknowledged_at": lambda row: formatting.instant_text(row.acknowledged_at),
    }

    def visible(self) -> ModelSelect:
        """Alarms of the reader's customers, and those of entities the reader sees whole."""
        return alarms_of(current_user.id).select(Alarm, Customer)
