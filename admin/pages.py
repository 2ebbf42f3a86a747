"""Which pages the console has, in one place."""

from typing import Any

from flask import Flask
from flask_admin import Admin, AdminIndexView, expose
from flask_login import current_user

from admin import (
    absences,
    accounts,
    answer_page,
    audit_view,
    cash_page,
    changes,
    claim_accounts,
    collectors_page,
    commands_page,
    comparisons,
    customer_pieces,
    dashboard,
    day,
    decision_log,
    derived_facts,
    desk_forms,
    dispute_pages,
    disputes_view,
    doubt,
    drift_page,
    explanation_page,
    formatting,
    forms,
    forward_page,
    gate,
    go_live,
    governing,
    hand_overs,
    importing,
    invoice_documents,
    invoice_whys,
    invoices,
    letter_batches,
    letter_editor,
    message_editor,
    model_curves,
    models_page,
    navigation,
    overrides_view,
    parameters,
    pauses,
    plan_pages,
    policies,
    received_mail,
    regimes_page,
    scores_page,
    silence,
    simulations,
    steps,
    thread,
    timelines,
    trainings_page,
    trying,
    ways_out,
    wording,
    workbench,
)
from admin.alerts_view import AlertsView
from admin.customers import CustomersView
from admin.messages_view import MessagesView
from admin.records import DocumentsView, ImportsView, RunsView, UsersView
from admin.views import ActionsView, AlarmsView, DecisionsView
from admin.worklist_view import WorklistView
from engine.tables import (
    Action,
    Alarm,
    Alert,
    AuditEntry,
    Customer,
    Decision,
    Dispute,
    Document,
    Import,
    Outcome,
    Override,
    Run,
    User,
)


class Home(AdminIndexView):
    """The first page: the figures for those who may see them, else the ways that are open."""

    permission = gate.SIGNED_IN
    index = None  # Flask-Admin's own

    def __init__(self) -> None:
        super().__init__(endpoint="pages", url="/")
        # Flask-Admin's bundled scripts are not used: without a folder there is no route to them.
        self.static_folder, self.static_url_path = None, "/closed"

    @expose("/")
    def dashboard(self) -> str:
        """One screen of one entity."""
        if gate.may("reports.view"):
            return self.render("console/dashboard.html", **dashboard.values())
        return self.render("console/welcome.html", groups=navigation.sidebar(), user=current_user)


def views() -> list[Any]:
    """The lists, made anew for each application."""
    return [
        CustomersView(Customer, endpoint="customers", url="/customers"),
        DecisionsView(Decision, endpoint="decisions", url="/decisions"),
        WorklistView(Outcome, endpoint="worklist", url="/worklist"),
        ActionsView(Action, endpoint="actions", url="/diary"),
        MessagesView(Action, endpoint="messages", url="/messages"),
        AlertsView(Alert, endpoint="alerts", url="/alerts"),
        disputes_view.DisputesView(Dispute, endpoint="disputes", url="/disputes"),
        overrides_view.OverridesView(Override, endpoint="overrides", url="/overrides"),
        AlarmsView(Alarm, endpoint="alarms", url="/alarms"),
        RunsView(Run, endpoint="runs", url="/runs"),
        ImportsView(Import, endpoint="imports", url="/imports"),
        DocumentsView(Document, endpoint="documents", url="/documents"),
        UsersView(User, endpoint="users", url="/users"),
        audit_view.AuditView(AuditEntry, endpoint="audit", url="/audit"),
    ]


def register(app: Flask) -> None:
    """Hang every page into the application."""
    gate.needs(gate.SIGNED_IN)(app.view_functions["security.logout"])
    for page in (
        commands_page,
        go_live,
        ways_out,
        doubt,
        letter_batches,
        received_mail,
        policies,
        parameters,
        derived_facts,
        letter_editor,
        simulations,
        workbench,
        importing,
        invoice_documents,
        accounts,
        decision_log,
        forward_page,
        explanation_page,
        customer_pieces,
        timelines,
        silence,
        pauses,
        thread,
        day,
        desk_forms,
        absences,
        message_editor,
        collectors_page,
        comparisons,
        claim_accounts,
        hand_overs,
        regimes_page,
        dispute_pages,
        models_page,
        model_curves,
        trainings_page,
        scores_page,
        drift_page,
        invoice_whys,
        answer_page,
        plan_pages,
        cash_page,
    ):
        app.register_blueprint(page.blueprint)
    accounts.limit_tries(app)
    answer_page.limit_tries(app)
    app.extensions["csrf"].exempt(answer_page.blueprint)  # it has a token of its own: it knows no session
    lists = Admin(app, name="Dunwell", index_view=Home(), csp_nonce_generator=gate.nonce)
    for view in views():
        lists.add_view(view)
    _words(app)


def _words(app: Flask) -> None:
    """Filters and functions that only pages need."""
    filters = app.jinja_env.filters
    filters["tone"] = lambda value: formatting.TONES.get(str(value), "")
    filters["channel"] = wording.channel_words
    filters["gateway"] = wording.gateway_words
    filters["step"] = steps.step_label
    filters["invoice"] = invoices.invoice
    filters["language_name"] = lambda code: formatting.locale().languages.get(code, code)
    filters["changed"] = changes.summary
    filters["outcome_label"] = changes.outcome_label
    filters["outcome"] = lambda value, name, currency=None: changes.outcome_badge(name, value, currency)
    filters["command_words"] = audit_view.words
    filters["audit_change"] = audit_view.change
    filters["bucket_pairs"] = lambda buckets: [(tone, minor) for tone, _name, minor in buckets]
    filters["money_plain"] = formatting.money_text
    filters["override_value"] = forms.override_text
    filters["dispute_state"] = disputes_view.state_badge
    filters["disputed_amount"] = disputes_view.disputed_amount
    trying.register_words(app)
    governing.register_words(app)
    forward_page.register_words(app)
    workbench.register_words(app)
    app.jinja_env.globals.update(trainings_page.words())
    app.jinja_env.globals.update(command_open=commands_page.command_open, **desk_forms.register_words())
