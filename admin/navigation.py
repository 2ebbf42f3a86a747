"""The sidebar: which page stands where, and who sees the way to it.

A line appears when its page exists and the person signed in may open it.
"""

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import gate
from admin.signs import Signs, signs


@dataclass(frozen=True)
class Line:
    """One line of the sidebar.

    Args:
        label: as shown.
        endpoint: where it leads.
        icon: name in the sprite.
        sign: name of the number shown beside it, of ``admin.signs.Signs``.
    """

    label: Any
    endpoint: str
    icon: str
    sign: str | None = None


GROUPS: tuple[tuple[Any, tuple[Line, ...]], ...] = (
    (None, (Line(_l("Dashboard"), "pages.dashboard", "layout-dashboard"),)),
    (
        _l("Portfolio"),
        (
            Line(_l("Customers"), "customers.index_view", "building-2"),
            Line(_l("Decisions"), "decisions.index_view", "scale"),
            Line(_l("Cash forecast"), "cash.index", "trending-up"),
        ),
    ),
    (
        _l("Collection"),
        (
            Line(_l("My day"), "day.index", "calendar-clock", "mentions"),
            Line(_l("Worklist"), "worklist.index_view", "trending-up"),
            Line(_l("Diary"), "actions.index_view", "list-checks", "diary"),
            Line(_l("Alerts"), "alerts.index_view", "triangle-alert", "alerts"),
            Line(_l("Disputes"), "disputes.index_view", "message-square-warning"),
            Line(_l("Plans and write-offs"), "plans.index", "calendar-clock"),
            Line(_l("Messages"), "messages.index_view", "mail", "letters"),
            Line(_l("Collectors"), "collectors.page", "users-round"),
            Line(_l("Mail received"), "received_mail.index", "inbox"),
            Line(_l("Hand-overs"), "hand_overs.index", "scale"),
            Line(_l("Alarms"), "alarms.index_view", "bell-ring", "alarms"),
        ),
    ),
    (
        _l("Rules"),
        (
            Line(_l("Policies"), "policies.index", "layers", "proposals"),
            Line(_l("Parameters"), "parameters.index", "sliders-horizontal"),
            Line(_l("Derived facts"), "derived_facts.index", "gauge"),
            Line(_l("Letter templates"), "templates.index", "mail"),
            Line(_l("Late interest"), "regimes.index", "scroll-text"),
            Line(_l("Simulation"), "simulations.index", "flask-conical"),
            Line(_l("Looking ahead"), "forward.page", "calendar-clock"),
            Line(_l("Documents"), "documents.index_view", "file-text"),
        ),
    ),
    (
        _l("Risk"),
        (
            Line(_l("Scores"), "scores.index", "trending-up"),
            Line(_l("Models"), "models.index", "gauge"),
            Line(_l("Overrides"), "overrides.index_view", "hand"),
        ),
    ),
    (
        _l("Operations"),
        (
            Line(_l("Runs"), "runs.index_view", "play", "gates"),
            Line(_l("Imports"), "imports.index_view", "file-up"),
            Line(_l("Go-live"), "go_live.index", "rocket"),
            Line(_l("Ways out"), "ways_out.index", "send"),
            Line(_l("Letter batches"), "letter_batches.index", "mail"),
        ),
    ),
    (
        _l("Administration"),
        (
            Line(_l("Users and roles"), "users.index_view", "key-round"),
            Line(_l("Audit trail"), "audit.index_view", "scroll-text"),
        ),
    ),
)


WITHIN = {
    **{"importing": "imports", "accounts": "users", "decision_log": "decisions", "comparisons": "decisions"},
    **{"explanations": "customers", "timelines": "customers"},
    **{
        "silence": "customers",
        "pauses": "customers",
        "claim_accounts": "customers",
        "dispute_pages": "disputes",
        "thread": "customers",
    },
    **{"absences": "day", "message_editor": "messages"},
}  # pages that belong to the line of another room


def _open(line: Line) -> bool:
    if line.endpoint not in current_app.view_functions:
        return False
    permission = gate.required(current_app, line.endpoint)
    return permission is not None and gate.may(permission)


def _current(line: Line) -> bool:
    endpoint = request.endpoint or ""
    if line.endpoint.startswith("pages."):
        return endpoint == line.endpoint
    room = endpoint.split(".")[0]
    return WITHIN.get(room, room) == line.endpoint.split(".")[0]


def sidebar() -> list[dict[str, Any]]:
    """Groups and lines the person signed in may follow."""
    if not current_user.is_authenticated:
        return []
    numbers: Signs = signs()
    shown = []
    for label, lines in GROUPS:
        followed = [
            {
                "label": line.label,
                "url": url_for(line.endpoint),
                "icon": line.icon,
                "current": _current(line),
                "sign": getattr(numbers, line.sign) if line.sign else 0,
            }
            for line in lines
            if _open(line)
        ]
        if followed:
            shown.append({"label": label, "lines": followed})
    return shown


def register(app: Flask) -> None:
    """Give templates the sidebar and the signs beside it."""
    app.jinja_env.globals.update(sidebar=sidebar, signs=signs)
