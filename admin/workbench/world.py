"""What a draft is edited in: the facts it may read, the parameters it may name, the words for both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from admin import parameters
from admin.dictionaries import dictionary_in_force
from admin.versions import body_of, currency_shown, in_force
from engine.findings import parameters_beside
from engine.tables import Document
from ledger.columns import Column, Kind
from rules.facts import readable
from rules.policies import Parameter, Parameters
from rules.stages import OUTCOMES, PREVIOUS, STAGE

SUGGESTIONS_MAX = 200


@dataclass(frozen=True)
class World:
    """The surroundings of one draft.

    Args:
        body: of the draft.
        stage: its name.
        facts: what its rules may read.
        dictionary: every fact and outcome there is for its subject.
        parameters: those it would be live with, with today's values.
        currency: amounts are shown in.
        codes: by fact or outcome, the codes that documents use for it.
        beside: the parameters with all their days, as the checks read them.
    """

    body: Mapping[str, Any]
    stage: str
    facts: Mapping[str, Column]
    dictionary: Mapping[str, Column]
    parameters: Mapping[str, Parameter]
    currency: str
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: Parameters | None = None

    def column(self, name: str) -> Column:
        """The declaration of a fact or outcome; plain text for one that nobody knows."""
        known = self.facts.get(name) or OUTCOMES.get(name)
        return known or Column(name=name, kind=Kind.CODE, nullable=True, label=name, meaning="")

    def codes_of(self, name: str) -> tuple[str, ...]:
        """The codes of a fact or outcome; of a previous outcome, those of the outcome."""
        return self.codes.get(name.removeprefix(PREVIOUS), ())

    def outcomes(self) -> tuple[Column, ...]:
        """The outcomes a rule of the draft may set."""
        stage = STAGE[self.stage]
        return tuple(stage.outcome(name) for name in stage.settable)


def world_of(row: Document) -> World:
    """The surroundings of a draft of a policy."""
    body = body_of(row)
    dictionary = dictionary_in_force(row.entity, str(body.get("subject", "customer")))
    named = {
        name: parameter
        for name, (owner, parameter) in parameters.parameters_now().items()
        if owner.entity_id in {None, row.entity_id}
    }
    return World(
        body=body,
        stage=str(row.stage),
        facts=readable(str(row.stage), dictionary),
        dictionary=dictionary,
        parameters=named,
        currency=currency_shown(row),
        codes=codes_in([body, *(body_of(one) for one in in_force("policy"))]),
        beside=parameters_beside(row.entity),
    )


def codes_in(bodies: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """By fact or outcome, the codes that documents compare it with or set it to."""
    found: dict[str, dict[str, None]] = {}

    def note(name: str, value: Any) -> None:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                found.setdefault(name.removeprefix(PREVIOUS), {})[one] = None

    def walk(node: Any) -> None:
        if isinstance(node, list) and len(node) >= 2 and all(isinstance(one, str) for one in node[:2]):
            note(node[0], node[2] if len(node) > 2 else None)
        elif isinstance(node, dict):
            for name, value in node.get("then", {}).items():
                note(name, value)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    for body in bodies:
        walk({name: value for name, value in body.items() if name != "cases"})
        for band in body.get("bands", ()):
            note("risk_class", band["risk_class"])
    return {name: tuple(sorted(codes))[:SUGGESTIONS_MAX] for name, codes in found.items()}
