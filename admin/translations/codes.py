"""Codes of the engine that the console shows as words: states, kinds, reasons, names of columns.

Where the engine declares a set of codes it is taken from there; the others are named here. A code that
a policy of the house makes up is shown as it is written.
"""

from engine import access, call_results
from engine.claims import WAITING
from rules.documents import shipped
from rules.settling import Wait
from rules.stages import OUTCOMES, STAGE_NAMES

STATES = (
    *("waiting", "due", "claimed", "sending", "sent", "uncertain", "failed", "cancelled"),  # of a message
    *("open", "done", "skipped"),  # of work
    *("draft", "proposed", "approved", "live", "retired", "rejected", "withdrawn"),  # of a document
    *("deciding", "gated", "confirming", "superseded"),  # of a run
    *("kept", "broken"),  # of a promise
    *("champion", "challenger"),  # of a score model
    *("durable", "reference"),  # what confirmed a decision
    *("snoozed", "acknowledged", "over"),  # of an alert
    "replaced",
    *("declined", "handed_over", "accepted", "recovered", "closed"),  # of a hand-over
)
KINDS = (
    *("adoption", "nightly", "event"),  # of a run
    *("payment", "credit_note", "write_off"),  # of a credit
    *("dunning_block", "pause", "insolvent", "handed_over"),  # of a block
    *("interest", "fixed_sum", "cost", "waiver"),  # of a claim entry
    *("email", "letter", "sms", "chat", "webhook", "internal", "call", "task"),  # of an action
    *("policy", "parameters", "template", "regime", "rate_table"),  # of a document
    *("agency", "insurer", "court"),  # of a hand-over
    *("accounts_payable",),  # of a contact
)
MAIL = (
    *("hard_bounce", "soft_bounce", "automatic", "reply", "other"),  # what a received mail is
    *("noted", "goes_again", "diary", "unassigned", "set_aside"),  # what became of it
    *("answer_of_the_customer", "message_came_back"),  # the diary item
)
DISPUTES = (
    *("solve_dispute", "send_credit_note", "ask_a_colleague", "read_the_answer"),  # its diary items and mails
    *("accepted", "outcome", "cause", "owner", "deadline", "link", "verdict", "commented", "expires"),
)
PLANNED = ("planned_call", "planned_task")  # what a person put into the diary
AGREED = (
    *("payment_plan", "write_off", "plan_agreed", "plan_defaulted", "proposal", "cancelled", "reversed", "proposed_by"),
    *("total_minor", "instalments", "due_lines", "many", "first"),
)
ALARMS = (
    "inbox_unreadable",
    *(
        "undecided",
        "undecidable",
        "no_template",
        "disagreement",
        "gated",
        "behind",
        "run_failed",
        "outage",
        "child_crashed",
        "clock",
    ),
    *("missing_rate", "score_drift", "ledger_truncated"),
    "account_changed",
    "models",
    *("sending_stopped", "message_failed", "message_uncertain", "message_late"),
)
SUBJECTS = (
    *(
        "received_mail",
        "document",
        "alarm",
        "action",
        "import",
        "run",
        "entity",
        "user",
        "customer",
        "override",
        "person",
    ),
    *("score_model", "promise", "dispute", "block", "credit_limit"),
    *("note", "mention", "absence", "view", "contact"),
)
CHANGED = (  # names of values in the audit trail and in a conflict
    *("amount_minor", "band_minor", "currency", "status", "state", "sha256", "customers", "changed", "limits"),
    *("from", "until", "promised", "deadline", "ended", "live_from", "live_after_run", "history_until", "recorded"),
    *("sending", "daily_cap", "start_level", "go_live", "roles", "scopes", "entities", "role", "portfolio", "name"),
    *("rows", "posted", "known", "entries", "file", "mapping", "code", "zone", "country", "task", "version"),
    *("acknowledged", "erased", "approved_by", "needs_approval", "kind", "accepted", "due_line", "reason", "value"),
    *("result", "owner_role", "target", "settled_at", "waiting_for", "credit_limit_minor", "replaces", "key"),
    *("attempts", "not_before_at", "receipt", "until_day", "from_day", "snoozed_until_day"),
    *("comment", "place", "about", "text", "settles", "stopped", "resume", "messages_waiting"),
    *("action", "asks", "seen", "user", "stand_in", "page", "arguments", "shared", "owner", "owners", "actions"),
    *("collector", "collectors", "confirmed", "edited", "language", "next_day", "due_day", "channel", "person"),
    *("address", "mail_from", "account_holder", "iban", "bic", "payment_details"),
)
TARGETS = ("risk_class", "segment", "limit", "terms", "hold", "level", "scenario", "collector")  # of an override
STEPS = ("facts", "stages", "store", "again", "confirm and write", "reasons for waiting", "sample of points", "after")
SEGMENTS = ("standard", "risky", "key_account", "new", "insolvent", "public", "none")  # also names of scenarios
HOLD_REASONS = ("group", "insolvent", "key_account", "over_limit", "overdue")
ALERTS = tuple(
    rule["then"]["alert"] for document in shipped() if document.get("stage") == "alert" for rule in document["rules"]
)
WAITS = tuple(wait.value for wait in Wait)
PARAMETERS = tuple(part["name"] for document in shipped() for part in document.get("parameters", ()))

TITLES = (
    *(
        *STATES,
        *MAIL,
        *DISPUTES,
        *PLANNED,
        *AGREED,
        *KINDS,
        *ALARMS,
        *SUBJECTS,
        *CHANGED,
        *TARGETS,
        *STEPS,
        *SEGMENTS,
        *HOLD_REASONS,
        *ALERTS,
        *STAGE_NAMES,
    ),
    *(*OUTCOMES, *access.ROLES, *call_results.RESULTS, *WAITING, *WAITS),
)
PHRASES = (*HOLD_REASONS, *WAITS, *access.ROLES, *PARAMETERS)
COMMANDS_BESIDE = ("Activate", "Take in mail")  # in the audit trail, though nobody gives them
