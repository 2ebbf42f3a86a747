"""Counts beside the parts of a policy: whom each matches today, for a page to fill in while it is read or edited."""

from collections.abc import Mapping, Sequence
from typing import Any

from babel.numbers import format_decimal
from flask import jsonify
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from peewee import fn

from admin import formatting, gate, policies
from admin.versions import body_of, governed, sees_whole, visible_document
from engine import access
from engine.editions import Unusable
from engine.live_counts import Count, Counts, customers_in_gaps, live_counts
from engine.tables import Customer, Document, Entity, Standing
from ledger.problems import Problem
from rules.documents import parse


@policies.blueprint.get("/<int:document_id>/counts")
@gate.needs("policies.view")
def saved_counts(document_id: int) -> ResponseReturnValue:
    """The counts of a version as it is saved."""
    document = visible_document(document_id)
    return jsonify(counted(document, body_of(document)))


def counted(document: Document, body: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a document as JSON: by place, in words and as a number to compare with.

    Only of entities the reader sees whole: a count over a part nobody chose would mislead, and one
    over the rest would tell what the reader may not see.

    Args:
        document: whose entities count.
        body: what is counted, wrong or right.
    """
    entities = entities_of(document)
    try:
        counts = live_counts(gate.runtime(), entities, body)
    except Unusable:
        counts = Counts()
    places = {
        place: {"customers": one.customers, "words": count_words(one, counts.currency)}
        for place, one in counts.places.items()
    }
    if body.get("stage") == "escalation":
        places |= steps_counted(body, counts, entities)
    return {"ok": True, "version": document.version, "places": places, "note": note_of(counts, bool(entities))}


def steps_counted(body: Mapping[str, Any], counts: Counts, entities: Sequence[Entity]) -> dict[str, Any]:
    """The steps of an escalation: for how many each is the one that is due today, and how many stand at it so far."""
    policy = parse({**body, "cases": []})[0]
    if policy is None:
        return {}
    query = Standing.select(Standing.step_key, fn.COUNT(Standing.id)).where(
        Standing.policy_key == policy.key, Standing.open, Standing.entity_id.in_([one.id for one in entities])
    )
    standing = dict(query.group_by(Standing.step_key).tuples())
    found = {}
    for rule in policy.rules:
        due = counts.places[rule.place].decides if rule.place in counts.places else None
        if due is not None:
            words = _("%(customers)s due", customers=customers_words(due.customers))
            if standing.get(rule.key):
                words += ", " + _("%(n)s here", n=number_text(standing[rule.key]))
            found[rule.place] = {"customers": due.customers, "words": words}
    return found


def entities_of(document: Document) -> list[Entity]:
    """The entities that a document decides for and the reader sees whole."""
    return [entity for entity in governed(document) if sees_whole(entity)]


def customers_there(
    document: Document, body: Mapping[str, Any], problems: Sequence[Problem]
) -> dict[Problem, Customer]:
    """For each gap among some findings, a customer who lies in it today, as far as the reader may see them."""
    try:
        found = customers_in_gaps(gate.runtime(), entities_of(document), body, problems)
    except Unusable:
        return {}
    rows = access.visible_to(current_user.id, Customer.select().where(Customer.id.in_(list(found.values()))))
    seen = {row.id: row for row in rows}
    return {problem: seen[one] for problem, one in found.items() if one in seen}


def count_words(one: Count, currency: str | None) -> str:
    """A count in words: ``1,234 customers · 5,678,900 EUR``, and how many of them a rule decides."""
    parts = [customers_words(one.customers)]
    if currency is not None:
        parts.append(f"{formatting.money_text(one.money_minor, currency, decimals=False)} {currency}")
    if one.decides is not None and one.decides.customers != one.customers:
        parts.append(_("decides %(n)s", n=number_text(one.decides.customers)))
    return " · ".join(parts)


def note_of(counts: Counts, sees_any: bool) -> str:
    """On which facts the counts rest, or why there are none."""
    if not sees_any:
        return _("Counts are shown to those who see every customer.")
    if not counts.days:
        return _("Nothing is counted: there are no facts of a closed run.")
    day = formatting.day_text(min(counts.days.values()))
    words = _("Counted on the facts of %(day)s: %(customers)s.", day=day, customers=customers_words(counts.customers))
    if counts.undecided is not None and counts.undecided.customers:
        waiting = customers_words(counts.undecided.customers)
        words += " " + _("A person decides for %(customers)s.", customers=waiting)
    return words


def customers_words(number: int) -> str:
    """So many customers."""
    return ngettext("%(n)s customer", "%(n)s customers", number, n=number_text(number))


def number_text(number: int) -> str:
    """A whole number with separators."""
    return str(format_decimal(number, locale=formatting.locale()))
