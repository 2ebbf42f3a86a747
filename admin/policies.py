"""Policies: what decides, stage by stage, read in words, with its versions and what waits for approval."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from peewee import fn

from admin import comparing, derived_facts, formatting, gate, impact, letter_templates, parameters, wording
from admin.confirming import confirmation_words
from admin.remarks import places_of, remarks_of, stopped_now
from admin.versions import (
    address,
    body_of,
    coming_versions,
    currency_shown,
    first_day,
    governed,
    in_force,
    is_in_force,
    may_change,
    may_decide,
    newest_of,
    replaced_by,
    rule_labels,
    sees_all_of,
    sees_whole,
    title_of,
    versions,
    visible_document,
    waiting,
)
from engine import access
from engine.authors import authors_of
from engine.comparison import DECISIVE
from engine.editions import Unusable
from engine.findings import findings
from engine.pipeline import last_portfolio_run
from engine.simulation import rule_hits
from engine.tables import Customer, Document, Outcome
from rules.policies import Parameter
from rules.stages import STAGES, Stage

blueprint = Blueprint("policies", __name__, url_prefix="/policies")

HISTORY_MAX = 30
DISTRIBUTED = ("risk_class", "segment", "hold", "level")


@dataclass(frozen=True)
class StageCard:
    """One stage on the first page of the policies."""

    stage: Stage
    documents: list[Document]
    drafts: list[Document]
    rules: int
    steps: int
    outcomes: list[tuple[Any, int, str]]


@blueprint.get("/")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """Stage by stage what decides, and what waits for approval."""
    live = in_force("policy")
    drafts = list(Document.select().where(Document.status == "draft", Document.kind == "policy").order_by(Document.key))
    cards = []
    for stage in STAGES:
        own = [document for document in live if document.stage == stage.name]
        body = body_of(own[0]) if own else {}
        missing = [] if own else [d for d in drafts if d.stage == stage.name]
        if own or missing or stage.name in DECISIVE:
            steps = sum(len(s) for s in body.get("escalation", {}).get("scenarios", {}).values())
            cards.append(StageCard(stage, own, missing, len(body.get("rules", ())), steps, distribution(stage.name)))
    return render_template(
        "console/policies.html", cards=cards, waiting=waiting(), stops=stopped_now(), coming=coming_versions()
    )


def distribution(stage: str) -> list[tuple[Any, int, str]]:
    """How the customers the reader sees are distributed over a stage's outcomes: badge, number, list."""
    outcome = DECISIVE.get(stage, "")
    if outcome not in DISTRIBUTED or not gate.may("customers.view"):
        return []
    column = getattr(Outcome, outcome)
    query = Outcome.select(column, fn.COUNT(Outcome.customer)).join(Customer)
    query = access.visible_to(current_user.id, query).group_by(column)
    rows = sorted(query.tuples(), key=lambda row: (row[0] is None, str(row[0])))
    return [
        (impact.badge(outcome, value, currency_shown()), count, impact.customers_url(outcome, value, None))
        for value, count in rows
    ]


def every_kind(path: str, *methods: str) -> Callable[[gate.View], gate.View]:
    """Route a view of one version, be it of a policy, of parameters, of derived facts or of a template.

    Args:
        path: after the number of the version.
        methods: by default GET.
    """

    def route(view: gate.View) -> gate.View:
        for kind in (blueprint, parameters.blueprint, derived_facts.blueprint, letter_templates.blueprint):
            kind.add_url_rule(f"/<int:document_id>{path}", view_func=view, methods=methods or ("GET",))
        return view

    return route


@every_kind("")
@gate.needs("policies.view")
def document_page(document_id: int) -> ResponseReturnValue:
    """One version in words; of a proposal also the difference, its impact and the decision."""
    return page_of(visible_document(document_id))


def page_of(document: Document, status: int = 200, **more: Any) -> ResponseReturnValue:
    """The page of one version."""
    body, currency = body_of(document), currency_shown(document)
    before = replaced_by(document)
    named = parameters.parameters_now()
    kept = json.loads(document.impact) if document.impact else None
    values = {
        "document": document,
        "body": body,
        "title": title_of(document),
        "shown": wording.policy_shown(body, currency, {name: p for name, (_d, p) in named.items()})
        if document.kind == "policy"
        else None,
        "lines": parameters.parameter_lines([document]) if document.kind == "parameters" else [],
        "derived": derived_facts.derived_lines([document]) if document.kind == "derived_facts" else [],
        "template": letter_templates.shown(document, body) if document.kind == "template" else None,
        "reach": reach(document, named),
        "cases": cases_shown(body, currency),
        "before": before,
        "differences": comparing.differences(body_of(before), body, currency) if before else [],
        "impacts": impact.shown(kept, current_user.id, rule_labels(document)),
        "hits": hits_of(document),
        "confirmed": confirmation_words(document, body),
        "history": list(
            versions(document).where(Document.status != "draft").order_by(Document.id.desc())[:HISTORY_MAX]
        ),
        "live": is_in_force(document),
        "tunable": is_tunable(document),
        "newest": newest_of(document),
        "own": current_user.id in authors_of(document),
        "proposed_it": current_user.id == document.proposed_by_id,
        "remarks": remarks_of(document, body),
        "places": places_of(body),
        "stops": stopped_now(document.key) if document.kind == "policy" else [],
        "coming": coming_versions(document),
        "decides": may_decide(document),
        "proposes": may_change(document),
        "edits": document.status != "proposed" and gate.may("documents.draft") and sees_all_of(document),
        "from_on": formatting.iso(first_day(document)),
        "currency": currency,
        "wrong": {},
        "given": {},
        "problems": findings(body, document.entity) if document.status == "draft" else (),
    }
    return render_template("console/policy.html", **{**values, **more}), status


def is_tunable(document: Document) -> bool:
    """Whether the reader may change this version: it is the newest approved one."""
    return document.status in {"approved", "live"} and newest_of(document).id == document.id and may_change(document)


def reach(
    document: Document, named: Mapping[str, tuple[Document, Parameter]]
) -> Callable[[wording.Piece], tuple[str, str]]:
    """How a number in a sentence is reached: the address that changes it, and the parameter it is."""
    tunable = is_tunable(document)

    def find(piece: wording.Piece) -> tuple[str, str]:
        if piece.place:
            return (address(document, "change", place=piece.place) if tunable else "", "")
        if piece.param in named:
            owner, parameter = newest_of(named[piece.param][0]), named[piece.param][1]
            place = parameters.place_of(owner, piece.param)
            if place and may_change(owner):
                return address(owner, "change", place=place), _(parameter.label)
            return f"{url_for('parameters.index')}#p-{piece.param}", _(parameter.label)
        return "", ""

    return find


def cases_shown(body: Mapping[str, Any], currency: str) -> list[tuple[str, list[tuple[str, str]], str]]:
    """The cases of a policy: name, facts and what is expected."""
    subject = str(body.get("subject", "customer"))
    return [
        (case["name"], comparing.facts_words(case["facts"], currency, subject), comparing.expected_words(case))
        for case in body.get("cases", ())
    ]


def hits_of(document: Document) -> dict[str, int]:
    """How many customers each rule matched in the last runs of the entities the reader sees whole."""
    if document.kind != "policy" or not is_in_force(document):
        return {}
    sums: dict[str, int] = {}
    for entity in governed(document):
        run = last_portfolio_run(entity) if sees_whole(entity) else None
        if run is None:
            continue
        try:
            counted = rule_hits(gate.runtime(), run).get(str(document.stage), {})
        except Unusable:
            continue
        for key, number in counted.items():
            sums[key] = sums.get(key, 0) + number
    return sums
