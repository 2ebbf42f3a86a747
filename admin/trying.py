"""Change a number, see whom it touches, propose; a second person approves exactly what they read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

from flask import Flask, abort, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, formatting, gate, impact, measures, parameters, policies, wording
from admin.versions import (
    address,
    body_of,
    currency_shown,
    decided_days,
    first_day,
    governed,
    in_several_currencies,
    may_change,
    may_decide,
    newest_of,
    replaced_by,
    rule_labels,
    title_of,
    visible_document,
)
from engine.commands import Command, Conflict, Invalid
from engine.editions import documents_in_force
from engine.findings import dictionary_beside
from engine.governance import ApproveDocument, ProposeDocument, RejectDocument
from engine.pipeline import last_portfolio_run
from engine.restoring import RestoreDocument
from engine.simulation import impact_of
from engine.tables import Document
from ledger.canonical import sha256_of
from ledger.days import day_of
from rules.documents import parse, parse_parameters
from rules.restating import Restated, restated, with_restated
from rules.thresholds import Threshold, threshold_at, with_threshold

REASON_LENGTH_MAX = 2_000


@dataclass(frozen=True)
class Asked:
    """What the form of a change asks: the new value, the day it begins and, of a rule, its name."""

    value: int
    from_day: int
    label: str = ""


@parameters.blueprint.route("/<int:document_id>/change/<path:place>", methods=["GET", "POST"])
@policies.blueprint.route("/<int:document_id>/change/<path:place>", methods=["GET", "POST"])
@gate.needs("documents.propose")
def change(document_id: int, place: str) -> ResponseReturnValue:
    """Change one number: fill in, see whom it touches, propose."""
    document = visible_document(document_id)
    if not may_change(document):
        abort(403)
    if newest_of(document).id != document.id or document.status not in {"approved", "live"}:
        abort(404)
    body = body_of(document)
    try:
        threshold = threshold_at(body, place)
    except KeyError:
        abort(404)
    asked, wrong = (None, {}) if request.method == "GET" else read_change(document, threshold)
    found: dict[str, Any] | None = None
    problems: Sequence[Any] = ()
    overturned: list[Restated] = []
    if asked is not None:
        changed, overturned = changed_document(document, body, threshold, asked)
        try:
            found = tried(document, changed, asked.from_day)
            wrong = proposal_faults(found, overturned) if request.form.get("do") == "propose" else {}
            if request.form.get("do") == "propose" and not wrong:
                return propose(document, changed, asked.from_day, found)
        except Invalid as error:
            problems = error.problems
    return change_page(document, body, threshold, wrong=wrong, problems=problems, found=found, overturned=overturned)


def change_page(
    document: Document,
    body: Mapping[str, Any],
    threshold: Threshold,
    *,
    wrong: Mapping[str, str],
    problems: Sequence[Any],
    found: dict[str, Any] | None,
    overturned: Sequence[Restated],
) -> ResponseReturnValue:
    """The page of a change, as far as it has come."""
    currency = currency_shown(document)
    given = request.form
    return render_template(
        "console/change.html",
        document=document,
        title=title_of(document),
        back=address(document),
        threshold=threshold,
        label=_(threshold.label),
        words=wording.threshold_words(body, threshold, currency),
        now=measures.number_words(threshold.value, threshold.kind, currency),
        range=measures.range_words(threshold.low, threshold.high, threshold.kind, currency),
        coming=bool(threshold.since) and threshold.since > formatting.iso(gate.runtime().today(document.entity)),
        since=day_of(date.fromisoformat(threshold.since)) if threshold.since else None,
        unit=measures.unit_of(threshold.kind, currency),
        value=given.get("value", measures.number_text(threshold.value, threshold.kind, currency)),
        from_on=given.get("from_on", formatting.iso(first_day(document))),
        named=named_part(body, threshold) is not None,
        rule_name=given.get("rule_name", threshold.label),
        reason=given.get("reason", ""),
        key=given.get("key") or str(uuid4()),
        adopts=given.get("adopt") == "yes",
        wrong=wrong,
        problems=problems,
        overturned=[(one.name, *restated_words(one)) for one in overturned],
        impacts=impact.shown(found, current_user.id, rule_labels(document)),
        seen=sha256_of(found) if found else "",
        customers=customers_of(document),
    ), 422 if wrong or problems else 200


def named_part(body: Mapping[str, Any], threshold: Threshold) -> tuple[str | int, ...] | None:
    """Where the rule or step stands whose name may speak of the number; None for bands and parameters."""
    parts = threshold.place.split("/")
    if parts[0] == "rules":
        return ("rules", int(parts[1]))
    if parts[0] == "escalation":
        return ("escalation", "scenarios", parts[2], int(parts[3]))
    return None


def read_change(document: Document, threshold: Threshold) -> tuple[Asked | None, dict[str, str]]:
    """What was filled in, or by field what is wrong with it."""
    currency = currency_shown(document)
    wrong = {}
    value = measures.read_number(request.form.get("value", ""), threshold.kind, currency)
    if value is None:
        example = measures.example_of(threshold.kind, currency)
        wrong["value"] = _("This cannot be read: write a number such as %(n)s.", n=example)
    elif threshold.low is not None and value < threshold.low:
        least = measures.number_words(threshold.low, threshold.kind, currency)
        wrong["value"] = _("This is too low: %(n)s is the least.", n=least)
    elif threshold.high is not None and value > threshold.high:
        most = measures.number_words(threshold.high, threshold.kind, currency)
        wrong["value"] = _("This is too high: %(n)s is the most.", n=most)
    elif value == threshold.value and request.form.get("rule_name", threshold.label) == threshold.label:
        wrong["value"] = _("This is the value it has already.")
    from_day, fault = read_day(document)
    if fault:
        wrong["from_on"] = fault
    label = request.form.get("rule_name", "").strip()[:200]
    return (None if wrong or value is None else Asked(value, from_day, label)), wrong


def read_day(document: Document) -> tuple[int, str]:
    """The day a version shall hold from, or what is wrong with it."""
    try:
        from_day = day_of(date.fromisoformat(request.form.get("from_on", "")))
    except ValueError:
        return 0, _("This is not a date: choose a day.")
    last = max(decided_days(document), default=None)
    if last is not None and from_day < last:
        return 0, _("%(day)s is decided already: choose that day or a later one.", day=formatting.day_text(last))
    follows = replaced_by(document) if document.status == "draft" else document
    if follows is not None and follows.from_day is not None and from_day < follows.from_day:
        begins = formatting.day_text(follows.from_day)
        return 0, _("A version that holds from %(day)s is approved: choose that day or a later one.", day=begins)
    return from_day, ""


def changed_document(
    document: Document, body: Mapping[str, Any], threshold: Threshold, asked: Asked
) -> tuple[dict[str, Any], list[Restated]]:
    """The document with the number changed, its overturned cases restated."""
    changed = with_threshold(body, threshold.place, asked.value, formatting.iso(asked.from_day))
    path = named_part(changed, threshold)
    if path is not None and asked.label and asked.label != threshold.label:
        part: Any = changed
        for step in path:
            part = part[step]
        part["label"] = asked.label
    policy = parse(changed)[0] if changed["kind"] == "policy" else None
    if policy is None:
        return changed, []
    others = documents_in_force(document.entity, gate.runtime().today(document.entity))
    sets = [parse_parameters(body_of(other))[0] for other in others if other.kind == "parameters"]
    overturned = restated(
        policy,
        [one for one in sets if one is not None],
        dictionary_beside(policy.subject, [body_of(one) for one in others], policy.entity),
    )
    return with_restated(changed, overturned), overturned


def restated_words(one: Restated) -> tuple[str, str]:
    """What a case expected, and what it gives under the change."""
    if not one.given:
        return _("another rule decides"), formatting.title(one.rule or "")
    return comparing.expected_words({"expect": one.expected}), comparing.expected_words({"expect": one.given})


def tried(document: Document, changed: Mapping[str, Any], from_day: int) -> dict[str, Any]:
    """The impact of a version on every entity it decides for, as a proposal keeps it.

    Raises:
        Invalid: it cannot be tried as it stands.
    """
    return impact_of(gate.runtime(), governed(document), changed, from_day)


def customers_of(document: Document) -> int:
    """How many customers a trial decides."""
    runs = [last_portfolio_run(entity) for entity in governed(document)]
    return sum(run.customers for run in runs if run is not None)


def proposal_faults(found: Mapping[str, Any], overturned: Sequence[Restated]) -> dict[str, str]:
    """What is missing before a change that was tried can be proposed."""
    wrong = {}
    if not request.form.get("reason", "").strip():
        wrong["reason"] = _("Say why, for the second person.")
    if request.form.get("seen") != sha256_of(found):
        wrong["seen"] = _("The figures are new since you last looked. Look again, then propose.")
    if overturned and request.form.get("adopt") != "yes":
        wrong["adopt"] = _("Say whether the new results are what you want.")
    return wrong


def propose(
    document: Document, changed: Mapping[str, Any], from_day: int, found: Mapping[str, Any]
) -> ResponseReturnValue:
    """Propose the changed document with the impact that was seen."""
    return proposed(
        ProposeDocument(
            actor=current_user.id,
            reason=request.form["reason"].strip()[:REASON_LENGTH_MAX],
            key=request.form["key"],
            document=dict(changed),
            from_day=from_day,
            impact=found,
            replaces=document.sha256,
        )
    )


def proposed(command: ProposeDocument | RestoreDocument) -> ResponseReturnValue:
    """Propose a new version and go to its page."""
    answer = gate.runtime().execute(command)
    flash(_("Proposed. A second person must approve it."), "success")
    return redirect(address(Document.get_by_id(answer["document"])), 303)


@policies.every_kind("/propose", "POST")
@gate.needs("documents.propose")
def propose_draft(document_id: int) -> ResponseReturnValue:
    """Try a draft as it stands, or propose it from a day on."""
    document = visible_document(document_id)
    if not may_change(document):
        abort(403)
    sha256 = request.form.get("sha256", document.sha256)
    if sha256 != document.sha256:
        raise Conflict("the draft was changed", seen={"sha256": sha256}, current={"sha256": document.sha256})
    from_day, fault = read_day(document)
    given = {"from_on": request.form.get("from_on", ""), "reason": request.form.get("reason", "")}
    wrong = {"from_on": fault} if fault else {}
    found: dict[str, Any] | None = None
    if not wrong:
        try:
            found = tried(document, body_of(document), from_day)
        except Invalid:
            found = None  # what it needs is not in force yet; the checks of the proposal say so
    if request.form.get("do") == "propose":
        if not given["reason"].strip():
            wrong["reason"] = _("Say why, for the second person.")
        if not wrong:
            reason = given["reason"].strip()[:REASON_LENGTH_MAX]
            command = ProposeDocument(
                actor=current_user.id,
                reason=reason,
                document=document.id,
                from_day=from_day,
                impact=found,
                sha256=sha256,
            )
            return decided(document, command, _("Proposed. A second person must approve it."))
    impacts = impact.shown(found, current_user.id, rule_labels(document))
    return policies.page_of(document, 422 if wrong else 200, wrong=wrong, given=given, impacts=impacts)


@policies.every_kind("/approve", "POST")
@gate.needs("documents.approve")
def approve(document_id: int) -> ResponseReturnValue:
    """Approve exactly the content that was read: the form carries its sha256."""
    document = visible_document(document_id)
    if not may_decide(document):
        abort(403)
    sha256 = request.form.get("sha256", "")
    if sha256 != document.sha256:
        raise Conflict("the proposal was changed", seen={"sha256": sha256}, current={"sha256": document.sha256})
    reason = request.form.get("reason", "").strip()[:REASON_LENGTH_MAX] or _("read and approved")
    command = ApproveDocument(actor=current_user.id, reason=reason, document_id=document.id, sha256=sha256)
    day = formatting.day_text(document.from_day)
    return decided(document, command, _("Approved. The first run from %(day)s on uses it.", day=day))


@policies.every_kind("/reject", "POST")
@gate.needs("documents.approve")
def reject(document_id: int) -> ResponseReturnValue:
    """Send a proposal back, saying why."""
    document = visible_document(document_id)
    if not may_decide(document):
        abort(403)
    reason = request.form.get("reason", "").strip()[:REASON_LENGTH_MAX]
    if not reason:
        wrong = {"decision": _("Say why you reject it, for whoever proposed it.")}
        return policies.page_of(document, 422, wrong=wrong)
    command = RejectDocument(actor=current_user.id, reason=reason, document_id=document.id)
    return decided(document, command, _("Rejected. It never takes effect."))


def decided(document: Document, command: Command, words: str) -> ResponseReturnValue:
    """Carry out a command about a version and go back to it; what is wrong with it is shown there."""
    try:
        gate.runtime().execute(command)
    except Invalid as error:
        return policies.page_of(document, 422, problems=error.problems)
    flash(words, "success")
    return redirect(address(document), 303)


def register_words(app: Flask) -> None:
    """Functions that the pages of documents need."""
    app.jinja_env.globals.update(
        document_address=address,
        document_title=title_of,
        in_several_currencies=in_several_currencies,
        piece=wording.Piece,
    )
