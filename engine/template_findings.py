"""Findings about letter templates: what is wrong with one, and with steps that name one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.tables import Contact, Customer, Entity
from ledger.problems import Problem
from notifiers.letter_templates import LETTER_USES, SHARED, parse_template
from rules.policies import Policy

LETTER_CHANNELS = frozenset({"email", "letter", "internal"})
SHORT_CHANNELS = frozenset({"sms", "chat"})


def template_findings(
    document: Mapping[str, Any], others: Sequence[Mapping[str, Any]], entity: Entity | None
) -> list[Problem]:
    """What is wrong with a template, by itself and beside what all letters share.

    Args:
        others: documents that hold with it.
        entity: whose contacts read it; None: everybody's.
    """
    template, problems = parse_template(document)
    if template is None or template.use == "script":
        return problems
    written = set(template.texts)
    beside = {str(other["key"]): other for other in others if other.get("kind") == "template"}
    if template.use == "shared":
        others_written = {code for key, other in beside.items() if key != SHARED for code in other["languages"]}
        missing = sorted(others_written - written)
        problems += [_unwritten(code, "other templates are written in it") for code in missing]
    elif SHARED not in beside:
        what = f"the template {SHARED!r}, which holds the words all letters share, is not in force"
        problems.append(Problem("/languages", what, "propose and approve it first"))
    else:
        unshared = sorted(written - set(beside[SHARED]["languages"]))
        what = f"is not written in the template {SHARED!r}; those letters would be in English"
        problems += [Problem(f"/languages/{code}", what, "add it there", severity="warning") for code in unshared]
    missing = sorted(_languages_spoken(entity) - written)
    problems += [_unwritten(code, "contacts read it; they would get English") for code in missing]
    return problems


def _unwritten(code: str, why: str) -> Problem:
    return Problem("/languages", f"{code!r} is missing: {why}", "add the language", severity="warning")


def _languages_spoken(entity: Entity | None) -> set[str]:
    """Languages of contacts, as a letter takes them."""
    query = Contact.select(Contact.language).distinct()
    if entity is not None:
        query = query.join(Customer).where(Customer.entity == entity)
    return {str(code).lower()[:2] for (code,) in query.tuples() if code}


def named_templates(policy: Policy, others: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Steps whose template is not in force, or cannot be said on the step's channel.

    Args:
        others: documents that hold with the policy.
    """
    if policy.escalation is None:
        return []
    known = {str(other["key"]): other for other in others if other.get("kind") == "template"}
    return [
        problem
        for name, steps in policy.escalation.scenarios.items()
        for index, step in enumerate(steps)
        for channel in (step.channel, *step.otherwise)
        for problem in _named(step.template, channel, known, f"/escalation/scenarios/{name}/{index}/template")
    ]


def _named(key: str, channel: str, known: Mapping[str, Mapping[str, Any]], place: str) -> Iterator[Problem]:
    if key == SHARED or key not in known:
        cure = "propose and approve it first, or choose another template"
        yield Problem(place, f"the template {key!r} is not in force", cure)
        return
    use = str(known[key].get("use"))
    if channel in LETTER_CHANNELS and use not in LETTER_USES:
        yield Problem(place, f"the template {key!r} is a {use}, no letter", "choose a template of a letter")
    if channel in SHORT_CHANNELS and any("short" not in texts for texts in known[key]["languages"].values()):
        cure = "write one in each language, or choose another template"
        yield Problem(place, f"the template {key!r} has no short message", cure)
