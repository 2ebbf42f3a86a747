"""A customer's decisions as a timeline: what changed, by which rule, what followed, and what stood between.

Read by key, a page at a time, so that ten thousand decisions open as fast as ten.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from peewee import JOIN

from admin import changes, explaining, formatting, gate
from admin.console import cursor, position
from admin.explanation_page import visible_customer
from admin.forms import override_text
from admin.steps import step_label
from admin.versions import address, rule_labels, title_of
from engine.differences import STAGE_OUTCOMES
from engine.tables import Action, Customer, Decision, Document, Override, User
from ledger.days import day_of

blueprint = Blueprint("timelines", __name__, url_prefix="/customers")
PAGE_DECISIONS = 25
STAGE_OF_TARGET = {
    "risk_class": "scorecard",
    "segment": "segmentation",
    "limit": "credit_limit",
    "terms": "credit_limit",
    "hold": "hold",
    "level": "escalation",
}


@dataclass(frozen=True)
class Moment:
    """One thing that happened.

    Args:
        at: instant within the day, for the order.
        kind: decision | override | ended | policy.
        title: in words, of what is no decision.
        note: by whom and why.
        url: where more stands.
        changed: of a decision: outcome, before and after, and the rule that decided it.
        actions: that followed from it.
        previous: whether there is an earlier decision to compare it with.
    """

    day: int
    at: int
    kind: str
    title: str = ""
    note: str = ""
    url: str = ""
    decision: Decision | None = None
    changed: tuple[tuple[changes.Difference, str], ...] = ()
    actions: tuple[Action, ...] = ()
    previous: bool = True


@dataclass(frozen=True)
class Stretch:
    """One page of the timeline.

    Args:
        moments: newest first.
        older: where the next page begins; empty on the last one.
    """

    moments: list[Moment] = field(default_factory=list)
    older: str = ""


@blueprint.get("/<int:customer_id>/timeline")
@gate.needs("customers.view")
def timeline(customer_id: int) -> ResponseReturnValue:
    """Day by day what was decided, and what people and policies did in between."""
    customer = visible_customer(customer_id)
    stage = request.args.get("stage", "")
    stage = stage if stage in STAGE_OUTCOMES else ""
    before = position(request.args.get("before", ""))
    found = stretch_of(customer, stage, before)
    here = {"customer_id": customer.id, **({"stage": stage} if stage else {})}
    return render_template(
        "console/timeline.html",
        customer=customer,
        currency=customer.entity.currency,
        stage=stage,
        stages=[(name, explaining.STAGE_LABELS[name]) for name in STAGE_OUTCOMES],
        days=_by_day(found.moments),
        older=found.older and url_for(".timeline", before=found.older, **here),
        newest=before and url_for(".timeline", **here),
    )


def stretch_of(customer: Customer, stage: str, before: tuple[Any, Any] | None) -> Stretch:
    """One page: some decisions, and what else happened on their days.

    Args:
        stage: only what concerns it; empty: everything.
        before: day and id of the last decision of the page before.
    """
    query = Decision.select().where(Decision.customer == customer)
    if stage:
        query = query.where(Decision.changes.contains(f'"{stage}":{{'))
    if before is not None:
        query = query.where(Decision.id < int(before[1]))
    # No day is decided after a later one, so ids stand in the order of days; the index of a customer gives them.
    found = list(query.order_by(Decision.id.desc()).limit(PAGE_DECISIONS + 1))
    more, found = len(found) > PAGE_DECISIONS, found[:PAGE_DECISIONS]
    low = found[-1].as_of_day if more else 0
    high = int(before[0]) if before is not None else 10**6  # its own day stands on the page before
    moments = [
        *_decisions(found, stage, first=not more),
        *_overrides(customer, stage, low, high),
        *_policies(customer, stage, low, high),
    ]
    older = cursor(found[-1].as_of_day, found[-1].id) if more else ""
    return Stretch(sorted(moments, key=lambda one: (one.day, one.at), reverse=True), older)


def _decisions(found: Sequence[Decision], stage: str, first: bool) -> Iterable[Moment]:
    labels = rule_labels()
    followed: dict[int, list[Action]] = {}
    for action in Action.select().where(Action.decision.in_([one.id for one in found])).order_by(Action.id):
        followed.setdefault(action.decision_id, []).append(action)
    for decision in found:
        changed = [
            (difference, _decided_by(difference, json.loads(decision.changes), labels))
            for difference in changes.differences(decision.changes)
            if not stage or difference.stage == stage
        ]
        yield Moment(
            day=decision.as_of_day,
            at=decision.created_at,
            kind="decision",
            url=url_for("decisions.decision_page", decision_id=decision.id),
            decision=decision,
            changed=tuple(changed),
            actions=tuple(followed.get(decision.id, ())),
            previous=not (first and decision is found[-1]),
        )


def _decided_by(
    difference: changes.Difference, said: Mapping[str, Any], labels: Mapping[str, Mapping[str, str]]
) -> str:
    """The rule that decided, or those that counted together; empty: none did."""
    winner = said[difference.stage].get("winner")
    keys = [winner] if winner else list(difference.rules)
    named = labels.get(difference.stage, {})
    words = [
        named.get(key) or (step_label(key) if difference.stage == "escalation" else formatting.title(key))
        for key in keys
    ]
    return ", ".join(words)


def _overrides(customer: Customer, stage: str, low: int, high: int) -> Iterable[Moment]:
    approver = User.alias()
    query = (
        Override.select(Override, User, approver)
        .join(User, on=(Override.by == User.id), attr="by")
        .switch(Override)
        .join(approver, JOIN.LEFT_OUTER, on=(Override.approved_by == approver.id), attr="approved_by")
        .where(Override.customer == customer)
    )
    for one in query:
        if stage and STAGE_OF_TARGET.get(one.target) != stage:
            continue
        what = formatting.title(one.target)
        value = override_text(one.value, one.target, customer.entity.currency)
        url = url_for("customers.customer_page", customer_id=customer.id)
        if low <= one.from_day < high:
            title = _("Override of %(what)s until %(day)s", what=what, day=formatting.day_text(one.until_day))
            note = _("%(value)s, by %(name)s: %(reason)s", value=value, name=one.by.name, reason=one.reason)
            if one.approved_by_id:
                note = _("%(note)s (approved by %(name)s)", note=note, name=one.approved_by.name)
            yield Moment(one.from_day, one.created_at, "override", title, note, url)
        end = one.until_day if one.ended_day is None else one.ended_day
        if low <= end < high and end <= gate.runtime().today(customer.entity):
            note = _("by a person") if one.ended_day is not None else _("its day had come")
            yield Moment(end, 0, "ended", _("Override of %(what)s ended", what=what), note, url)


def _policies(customer: Customer, stage: str, low: int, high: int) -> Iterable[Moment]:
    """Versions of policies and parameters that came into force for the customer's entity."""
    today = gate.runtime().today(customer.entity)
    query = Document.select(Document.id, Document.from_day, Document.approved_at).where(
        Document.approved_at.is_null(False),
        Document.from_day < min(high, today + 1),
        Document.entity.is_null() | (Document.entity == customer.entity),
    )
    if stage:
        query = query.where((Document.stage == stage) | (Document.kind == "parameters"))
    for number, from_day, approved_at in query.tuples():
        began = max(from_day, _day_at(approved_at, customer))
        if not low <= began < high:
            continue
        document = Document.get_by_id(number)
        who = document.approved_by.name if document.approved_by_id else _("the system")
        yield Moment(
            day=began,
            at=approved_at if began > from_day else 0,
            kind="policy",
            title=_("%(policy)s: a version came into force", policy=title_of(document)),
            note=_("approved by %(name)s: %(reason)s", name=who, reason=document.reason or _("no reason given")),
            url=address(document),
        )


def _day_at(at: int, customer: Customer) -> int:
    """The entity's business day of an instant."""
    return day_of(formatting.moment(at).astimezone(ZoneInfo(customer.entity.zone)).date())


def _by_day(moments: Iterable[Moment]) -> list[tuple[int, list[Moment]]]:
    days: dict[int, list[Moment]] = {}
    for moment in moments:
        days.setdefault(moment.day, []).append(moment)
    return list(days.items())
