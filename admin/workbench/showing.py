"""The page of a draft as it is drawn: words, findings, cases, what differs from the version in force."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin import comparing, measures, wording
from admin.changes import outcome_label
from admin.confirming import confirmation_words
from admin.counting import customers_there
from admin.versions import address, body_of, may_change, replaced_by, title_of
from admin.workbench import parts
from admin.workbench.asked import Asked
from admin.workbench.editors import part_shown, rules_named, timings
from admin.workbench.line import line_of
from admin.workbench.world import World, world_of
from engine import drafts
from engine.findings import findings
from engine.tables import Customer, Document
from ledger.columns import Kind
from ledger.problems import Problem
from rules.mapping_checks import MOVED
from rules.stages import OUTCOMES

FACT = re.compile(r"\b([a-z][a-z0-9_]*)\b(?: (-?\d+)\b)?")


@dataclass(frozen=True)
class Finding:
    """A finding in words, with the part of the draft it leads to; of a gap, a customer who lies in it today.

    Args:
        step: key of a step whose customers can go along with it by one click; empty of any other finding.
    """

    severity: str
    what: str
    cure: str
    place: str
    label: str
    customer: Customer | None = None
    step: str = ""


@dataclass(frozen=True)
class CaseLine:
    """A case: what is given, what is expected, and what is wrong with it."""

    name: str
    place: str
    facts: Sequence[tuple[str, str]]
    expect: str
    wrong: Sequence[str]


def desk_of(row: Document, asked: Asked, status: int = 200) -> ResponseReturnValue:
    """The page, or the part of it that a script puts in place."""
    world, body = world_of(row), body_of(row)
    problems = findings(body, row.entity)
    there = customers_there(row, body, problems)
    found = [
        finding_of(problem, world, there.get(problem))
        for problem in problems
        if not problem.place.startswith("/cases/")
    ]
    cases = case_lines(body, problems, world)
    head = replaced_by(row)
    steps = drafts.steps_of(row)
    page = "console/workbench/desk.html" if "HX-Request" in request.headers else "console/workbench/page.html"
    return render_template(
        page,
        row=row,
        track=line_of(body, found, asked, request.values.get("at", ""), world),
        body=body,
        title=title_of(row),
        shown=wording.policy_shown(body, world.currency, world.parameters),
        asked=asked,
        part=part_shown(world, asked),
        timings=timings(),
        found=found,
        confirmed=confirmation_words(row, body),
        cases=cases,
        failing=[case for case in cases if case.wrong],
        tried=not any(one.severity == "error" for one in found),
        errors=sum(problem.severity == "error" for problem in problems),
        boundaries=sum("no case shows" in problem.what for problem in problems),
        head=head,
        outdated=head is not None and row.replaces != head.sha256,
        differences=comparing.differences(body_of(head), body, world.currency) if head else [],
        last=steps[-1] if steps else None,
        facts=world.facts,
        currency=world.currency,
        back=address(head or row),
        next=address(row),
        simulate=simulation_of(row),
        proposes=may_change(row),
        HEAD=parts.HEAD,
    ), status


def simulation_of(row: Document) -> str:
    """Where a draft is simulated; empty while that page is not there."""
    known = any(endpoint.startswith("simulations.") for endpoint in current_app.view_functions)
    return f"/simulations/?document={row.id}" if known else ""


def finding_of(problem: Problem, world: World, customer: Customer | None = None) -> Finding:
    """A finding with the part of the draft it is about."""
    place = parts.part_around(world.body, problem.place)
    part = parts.part_at(place) if place else None
    label = _("The whole policy") if part is None else part.title(parts.value_of(world.body, place))
    step = parts.value_of(world.body, place)["key"] if MOVED in problem.what else ""
    return Finding(problem.severity, said(problem.what, world), said(problem.cure, world), place, label, customer, step)


def said(text: str, world: World) -> str:
    """A finding with facts, outcomes and rules by their names for people, and values in human units."""
    rules = dict(rules_named(world.body))

    def name(found: re.Match[str]) -> str:
        word, number = found[1], found[2]
        if word in rules and text[found.start() - 1 : found.start()] == "'":
            return rules[word] + (f" {number}" if number else "")
        column = world.dictionary.get(word) or OUTCOMES.get(word)
        if column is None or ("_" not in word and number is None and word not in OUTCOMES):
            return found[0]
        label = outcome_label(word) if word in OUTCOMES else _(column.label)
        if number is None:
            return f"“{label}”"
        value = measures.number_words(int(number), column.kind, world.currency)
        return f"“{label}” {value if column.unit is not None and column.kind is not Kind.COUNT else number}"

    return FACT.sub(name, text)


def case_lines(body: Mapping[str, Any], problems: Sequence[Problem], world: World) -> list[CaseLine]:
    """The cases of a draft, the failing ones first."""
    subject = str(body.get("subject", "customer"))
    lines = []
    for index, case in enumerate(body.get("cases", ())):
        place = f"/cases/{index}"
        own = [one for one in problems if one.place == place or one.place.startswith(f"{place}/")]
        lines.append(
            CaseLine(
                name=case["name"],
                place=place,
                facts=comparing.facts_words(case["facts"], world.currency, subject),
                expect=comparing.expected_words({"expect": {}, **case}),
                wrong=[said(one.what, world) for one in own if one.severity == "error"],
            )
        )
    return sorted(lines, key=lambda line: not line.wrong)
