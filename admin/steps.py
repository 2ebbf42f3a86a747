"""Steps by the words their policy gives them: ``standard-p4`` is "First reminder"."""

import json

from flask import g
from flask_babel import gettext as _

from admin import formatting, gate
from engine.tables import Document
from rules.documents import parse

KNOWN = ("live", "approved", "retired")


def step_label(key: str | None) -> str:
    """What a step is called in the versions that are or were in force; else its key in words."""
    if not key:
        return ""
    label = _labels().get(key)
    return _(label) if label else formatting.title(key)


def _labels() -> dict[str, str]:
    if "step_labels" not in g:
        g.step_labels = {}
        query = Document.select(Document.sha256).where(Document.stage == "escalation", Document.status.in_(KNOWN))
        for (sha256,) in query.order_by(Document.from_day, Document.id).tuples():
            g.step_labels.update(_of_version(sha256))
    return g.step_labels


def _of_version(sha256: str) -> dict[str, str]:
    kept: dict[str, dict[str, str]] = gate.runtime().cache.setdefault("step_labels", {})
    if sha256 not in kept:
        body = Document.select(Document.body).where(Document.sha256 == sha256).limit(1).scalar()
        policy, _problems = parse(json.loads(body))
        kept[sha256] = {} if policy is None else {rule.key: rule.label for rule in policy.rules if rule.label}
    return kept[sha256]
