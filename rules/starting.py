"""Going live by age: whoever is late stands at the step its oldest item deserves, without a message."""

from rules.plans import Plan
from rules.reference import Decided


def stand_by_age(decided: Decided, plan: Plan | None) -> bool:
    """Change what the rules made of one row: it stands at the most severe step whose day has come, and enters none.

    Args:
        decided: of a row whose episode is open at level 0; changed where there is such a step.
        plan: of the escalation policy; None: there is none.

    Returns:
        Whether it was changed.
    """
    if plan is None or decided.undecided:
        return False
    holding = [step for step in plan.steps if step.key in decided.matched["escalation"]]
    reached = max(holding, key=lambda step: (step.level, [-step.priority], step.key), default=None)
    if reached is None or reached.level == 0:
        return False
    for outcomes in (decided.outcomes, decided.by_rules):
        outcomes.update({"level": reached.level, "step": reached.key})
    decided.waiting = "none"
    return True
