"""The forms of policies, models and roles."""

import json
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import choices, formatting, versions
from admin.forms import Ask, Shape
from admin.trainings_page import meets_conditions, question_words
from engine.people import proposed_roles
from engine.tables import Document, Entity, UserRole
from engine.trainings import TASKS


def _this_model(subject: Any) -> list[tuple[str, str]]:
    words = _("%(name)s, trained %(day)s", name=subject.sha256[:8], day=formatting.day_text(subject.trained_day))
    return [(str(subject.id), words)]


def _held(subject: Any) -> list[tuple[str, str]]:
    rows = UserRole.select(UserRole.role).where(UserRole.user == subject.id).order_by(UserRole.role).tuples()
    waiting = [one.role for one in proposed_roles(subject)]
    return [(role, formatting.title(role)) for role in dict.fromkeys([*(role for (role,) in rows), *waiting])]


def _proposed(subject: Any) -> list[tuple[str, str]]:
    return [(one.role, formatting.title(one.role)) for one in proposed_roles(subject)]


def _policies(_subject: Any) -> list[tuple[str, str]]:
    rows = Document.select(Document.key, Document.body).where(
        Document.kind == "policy", Document.status.in_(("approved", "live"))
    )
    named = {row.key: _(str(json.loads(row.body).get("name") or row.key)) for row in rows.order_by(Document.id)}
    return sorted(named.items(), key=lambda pair: pair[1])


def _reaches(_subject: Any) -> list[tuple[str, str]]:
    """All entities, for who sees them all; and each of those seen whole."""
    whole = [one for one in Entity.select().order_by(Entity.code) if versions.sees_whole(one)]
    every = [("", _("all entities"))] if len(whole) == Entity.select().count() else []
    return [*every, *((one.code, one.name) for one in whole)]


def _entities(_subject: Any) -> list[tuple[str, str]]:
    return [("", _("None"))] + [(e.code, e.name) for e in Entity.select().order_by(Entity.code)]


_sha256_of_model = Ask("", first=lambda subject: subject.sha256, kind="hidden")


GOVERNING_SHAPES = (
    Shape(
        "StopPolicy",
        _l("Stop this policy now"),
        _l("Its stage changes nothing from now on and its messages wait. Going on takes two people."),
        _l("Stop the policy"),
        {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
        danger=True,
    ),
    Shape(
        "ProposeModel",
        _l("Propose as champion"),
        _l("It waits for another person. Until then nothing changes."),
        _l("Propose"),
        {"model": Ask(_l("Model"), options=_this_model), "sha256": _sha256_of_model},
    ),
    Shape(
        "PromoteModel",
        _l("Make it the champion"),
        _l("From the next run on its score is the score. The champion until now can be gone back to."),
        _l("Approve"),
        {
            "model": Ask(_l("Model"), options=_this_model),
            "sha256": _sha256_of_model,
            "override": Ask(
                _l("Why all the same"),
                _l("Only if it is to become the champion without meeting the conditions; kept with it."),
                kind="text",
                when=lambda model: not meets_conditions(model),
            ),
        },
    ),
    Shape(
        "StartTraining",
        _l("Train a challenger"),
        _l("The workers train it on everything that is decided by now, and measure it beside the champion."),
        _l("Train"),
        {
            "task": Ask(_l("Question"), options=lambda _subject: [(task, question_words(task)) for task in TASKS]),
            "grace_days": Ask(
                _l("Days of grace"),
                _l("Of invoices: a payment up to so many days after the due date is not late."),
                first=lambda _subject: 0,
            ),
        },
    ),
    Shape(
        "WithdrawModel",
        _l("Drop the proposal"),
        _l("The model stays what it is; the champion goes on."),
        _l("Drop it"),
        {"model": Ask(_l("Model"), options=_this_model)},
    ),
    Shape(
        "ProposeResume",
        _l("Propose that the policy goes on"),
        _l("It stays stopped until another person approves."),
        _l("Propose"),
        {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
    ),
    Shape(
        "ApproveResume",
        _l("Let the policy go on"),
        _l("The next run decides with it again; each message is decided anew before it leaves."),
        _l("Approve"),
        {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
        danger=True,
    ),
    Shape(
        "GrantRole",
        _l("Give a role or a scope"),
        _l("It counts at the person's next click."),
        _l("Give it"),
        {
            "role": Ask(_l("Role"), options=lambda s: [("", _("None")), *choices.roles(s)]),
            "entity": Ask(_l("Sees the entity"), options=_entities),
            "portfolio": Ask(_l("Only the portfolio"), _l("Leave empty for all of the entity.")),
        },
    ),
    Shape(
        "ApproveRole",
        _l("Approve a role"),
        _l("It counts at the person's next click. Nobody approves what they proposed."),
        _l("Approve"),
        {"role": Ask(_l("Role"), options=_proposed)},
    ),
    Shape(
        "WithdrawRole",
        _l("Take a role"),
        _l("It counts at the person's next click."),
        _l("Take it"),
        {"role": Ask(_l("Role"), options=_held)},
        danger=True,
    ),
)
