"""How large a policy becomes for durable-rules, which confirms what it decides, in words."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from admin import formatting
from engine.findings import parameters_beside
from engine.tables import Document
from rules.documents import parse
from rules.durable import size_of
from rules.limits import PATHS_PER_RULE
from rules.overlap_checks import stage_for_checks


def confirmation_words(document: Document, body: Mapping[str, Any]) -> str:
    """Into how many paths and rulesets the rules fall; empty for what cannot be compiled."""
    policy = parse(body)[0] if document.kind == "policy" else None
    parameters = None if policy is None else parameters_beside(document.entity)
    if policy is None or parameters is None or not policy.rules:
        return ""
    try:
        size = size_of(stage_for_checks(policy, [parameters]))
    except (KeyError, ValueError):  # the findings say why
        return ""
    rule = policy.rule(size.largest or policy.rules[0].key)
    return _(
        "durable-rules confirms it: %(rules)s make %(paths)s in %(rulesets)s. "
        "The largest rule, “%(name)s”, makes %(most)s of at most %(limit)s.",
        rules=ngettext("%(n)s rule", "%(n)s rules", size.rules, n=size.rules),
        paths=ngettext("%(n)s path", "%(n)s paths", size.paths, n=size.paths),
        rulesets=ngettext("%(n)s ruleset", "%(n)s rulesets", size.rulesets, n=size.rulesets),
        name=_(rule.label) if rule.label != rule.key else formatting.title(rule.key),
        most=size.most,
        limit=PATHS_PER_RULE,
    )
