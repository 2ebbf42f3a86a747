"""The desk of parameters and of derived facts: a list whose items open in place, saved as rules are."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, gate, parameters
from admin.versions import address, body_of, currency_shown, in_force, replaced_by, title_of, visible_document
from admin.workbench.asked import Asked
from engine import drafts
from engine.commands import Conflict
from engine.findings import dictionary_beside, findings
from engine.governance import SaveDraft
from engine.tables import Document, User
from ledger.columns import Column
from ledger.problems import Problem
from rules import editing
from rules.policies import Parameter

NEW = "-"  # the place behind the last item
NAME_LENGTH_MAX = 48  # of what a label gives to a name


@dataclass(frozen=True)
class Surroundings:
    """What a draft of a list is edited in.

    Args:
        row: of the draft.
        body: its document.
        dictionary: every fact, those that the draft derives among them.
        parameters: those it would be live with, with today's values.
        currency: amounts are shown in.
    """

    row: Document
    body: Mapping[str, Any]
    dictionary: Mapping[str, Column]
    parameters: Mapping[str, Parameter]
    currency: str


class Form(Protocol):
    """How the items of one kind are read and drawn."""

    items: str  # the key of the list in the document
    template: str

    def read(
        self, given: Mapping[str, str], item: Mapping[str, Any] | None, at: Surroundings
    ) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """The item a form says, or by field what is wrong with it."""

    def lines(self, at: Surroundings) -> list[dict[str, Any]]:
        """The closed items."""

    def fields(self, item: Mapping[str, Any] | None, given: Mapping[str, str], at: Surroundings) -> dict[str, Any]:
        """The open item (None: a new one); what was typed goes before what is kept."""


def surroundings_of(row: Document, body: Mapping[str, Any] | None = None) -> Surroundings:
    """The surroundings of a draft, or of what it would become."""
    body = body_of(row) if body is None else body
    named = parameters.parameters_now()
    beside = [
        body_of(owner)
        for owner in {owner.id: owner for owner, _one in named.values()}.values()
        if owner.entity_id in {None, row.entity_id} and (row.kind, row.key) != (owner.kind, owner.key)
    ]
    known = [*beside, *_others(row), body]
    code = None if row.entity is None else str(row.entity.code)
    return Surroundings(
        row=row,
        body=body,
        dictionary=dictionary_beside("customer", known, code),
        parameters={
            name: parameter for name, (owner, parameter) in named.items() if owner.entity_id in {None, row.entity_id}
        },
        currency=currency_shown(row),
    )


def _others(row: Document) -> list[dict[str, Any]]:
    """The derived facts in force beside a draft."""
    return [
        body_of(one)
        for one in in_force("derived_facts")
        if one.entity_id in {None, row.entity_id}
        and (one.kind, one.key, one.entity_id) != (row.kind, row.key, row.entity_id)
    ]


def edit(row: Document, form: Form) -> ResponseReturnValue:
    """Do to the draft what the form asks, and save it."""
    given = request.form.to_dict()
    seen = int(given.get("version", "0")) if given.get("version", "").isdecimal() else 0
    if seen != row.version:
        return conflict_of(row, form, seen, given)
    asked = asked_of(body_of(row), given, form, row)
    if asked.document is None:
        return desk_of(row, form, asked, 422)
    if asked.document != body_of(row):
        command = SaveDraft(
            actor=current_user.id, reason=asked.words, document=asked.document, document_id=row.id, version=seen
        )
        try:
            gate.runtime().execute(command)
        except Conflict:
            return conflict_of(visible_document(row.id), form, seen, given)
    return redirect(url_for("workbench.desk", document_id=row.id, open=asked.place or None), 303)


def asked_of(body: Mapping[str, Any], given: Mapping[str, str], form: Form, row: Document) -> Asked:
    """What a form comes to: ``place`` names the item, ``do`` is save, remove or one of the form's own."""
    place, do = given.get("place", ""), given.get("do", "save")
    item = item_at(body, form, place)
    if item is None and not place.endswith(f"/{NEW}"):
        return Asked(None, [Problem(place, _("This is not there any more."), _("Choose again."))])
    if do == "remove":
        document, problems = editing.drop(body, place)
        return Asked(document, problems, words=_("%(part)s removed", part=item["label"] if item else ""))
    value, wrong = form.read(given, item, surroundings_of(row, body))
    if value is None:
        return Asked(None, wrong=wrong, place=place, given=given)
    if item is None:
        document, problems = editing.insert(body, place, value)
        opened = f"/{form.items}/{len(body[form.items])}"
        return Asked(document, problems, place=opened, words=_("%(part)s added", part=value["label"]), given=given)
    document, problems = editing.put(body, place, value)
    return Asked(document, problems, place=place, words=_("%(part)s changed", part=value["label"]), given=given)


def item_at(body: Mapping[str, Any], form: Form, place: str) -> dict[str, Any] | None:
    """The item of a place; None where there is none."""
    if not place.startswith(f"/{form.items}/"):
        return None
    try:
        found = editing.value_at(body, place)
    except KeyError:
        return None
    return found if isinstance(found, dict) and place.count("/") == 2 else None


def desk(row: Document, form: Form) -> ResponseReturnValue:
    """The desk, one item open where the address says so."""
    place = request.args.get("open", "")
    opened = place == f"/{form.items}/{NEW}" or item_at(body_of(row), form, place) is not None
    return desk_of(row, form, Asked(None, place=place if opened else ""))


def desk_of(row: Document, form: Form, asked: Asked, status: int = 200) -> ResponseReturnValue:
    """The page of a list."""
    at = surroundings_of(row)
    head = replaced_by(row)
    steps = drafts.steps_of(row)
    found = findings(at.body, row.entity)
    return render_template(
        "console/workbench/listed.html",
        row=row,
        body=at.body,
        title=title_of(row),
        form=form,
        asked=asked,
        lines=form.lines(at),
        part=form.fields(item_at(at.body, form, asked.place), asked.given, at) if asked.place else None,
        new_place=f"/{form.items}/{NEW}",
        found=[(problem, place_of(problem, form), label_of(problem, form, at.body)) for problem in found],
        errors=sum(problem.severity == "error" for problem in found),
        before=head,
        outdated=head is not None and row.replaces != head.sha256,
        differences=comparing.differences(body_of(head), at.body, at.currency) if head else [],
        last=steps[-1] if steps else None,
        currency=at.currency,
        version_page=address(row),
    ), status


def place_of(problem: Problem, form: Form) -> str:
    """The item a finding is about; empty for none."""
    found = re.match(rf"/{form.items}/\d+", problem.place)
    return found.group() if found else ""


def label_of(problem: Problem, form: Form, body: Mapping[str, Any]) -> str:
    """What the item of a finding is called."""
    item = item_at(body, form, place_of(problem, form))
    return problem.place if item is None else _(str(item["label"]))


def conflict_of(row: Document, form: Form, seen: int, given: Mapping[str, str]) -> ResponseReturnValue:
    """Somebody else saved the draft meanwhile: both sides."""
    now, before, currency = body_of(row), drafts.body_at(row, seen), currency_shown(row)
    mine, again = asked_of(before or now, given, form, row), asked_of(now, given, form, row)
    last = drafts.steps_of(row)[-1:]
    return render_template(
        "console/workbench/clash.html",
        row=row,
        title=title_of(row),
        theirs=comparing.differences(before, now, currency) if before else [],
        mine=comparing.differences(before or now, mine.document, currency) if mine.document else [],
        other=User.get_or_none(User.id == last[0]["by"]) if last else None,
        possible=again.document is not None,
        given={name: value for name, value in given.items() if name not in {"csrf_token", "version"}},
    ), 409


def name_from(label: str) -> str:
    """The name a label gives: small letters, digits and underscores.

    >>> name_from("Überfällig, Anteil")
    'uberfallig_anteil'
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:NAME_LENGTH_MAX].strip("_")


def copied(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item that may be changed."""
    found: dict[str, Any] = json.loads(json.dumps(item))
    return found
