"""Checks of an escalation's steps: what each asks for must fit its channel."""

from collections.abc import Iterator

from ledger.problems import Problem
from rules.policies import PAPERS, WORK_CHANNELS, Policy, Step


def step_problems(policy: Policy) -> list[Problem]:
    """What is wrong with single steps; their templates are documents, which whoever has them checks."""
    return [problem for rule in policy.rules if rule.step is not None for problem in _problems(rule.step, rule.place)]


def _problems(step: Step, place: str) -> Iterator[Problem]:
    message = step.channel not in WORK_CHANNELS
    for index, channel in enumerate(step.otherwise):
        where = f"{place}/otherwise/{index}"
        if channel in (step.channel, *step.otherwise[:index]):
            yield Problem(where, f"the channel {channel} was tried before", "name each channel once")
    asked = (("otherwise", step.otherwise), ("penalties", step.penalties), ("attach", step.attach))
    for name in (name for name, said in asked if said):
        if not message:
            yield Problem(f"{place}/{name}", f"a {step.channel} sends nothing", "take it out")
    if step.attach and message and not PAPERS & {step.channel, *step.otherwise}:
        cure = f"take it out, or choose {', '.join(sorted(PAPERS))}"
        yield Problem(f"{place}/attach", f"{step.channel} carries no document", cure)
