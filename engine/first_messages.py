"""What an entity would send first if it went live: per step, channel and language, how many and about how much."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames, line_rows
from engine.pipeline import Asking, Frame, asking, decide_frame, last_portfolio_run
from engine.tables import Contact, Customer, Entity
from rules.policies import Step

if TYPE_CHECKING:
    from engine.runtime import Runtime

BATCH = 2_000
READ = ("customer_id", "step", "level", "leader_open_minor", "overdue_net_minor")


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """Messages or work of one step, channel and language.

    Args:
        customers: how many; of a policy of invoices, how many of these.
        amount_minor: what they are about, in the entity's base currency.
        example: a customer among them.
    """

    step: str
    channel: str
    template: str
    language: str
    customers: int
    amount_minor: int
    example: int


def decided_as_if_live(runtime: "Runtime", entity: Entity, *, begins: bool = True) -> Iterator[tuple[Asking, Frame]]:
    """Customers, and due lines where a policy decides them, as of the last decided day.

    Args:
        begins: whether steps may begin.
    """
    last = last_portfolio_run(entity)
    day = runtime.today(entity) if last is None else last.as_of_day
    ask = replace(asking(runtime, entity, day), begins=begins)
    found = line_rows.asking_of_lines(ask)
    of_lines = None if found is None else replace(found, begins=begins)
    facts, own = line_rows.read_portfolio(runtime, ask, of_lines)
    decided = frames.collected(decide_frame(facts, ask.edition), frames.STREAM)
    yield ask, decided
    if of_lines is not None and own is not None:
        yield of_lines, decide_frame(line_rows.line_rows(own, decided, of_lines), of_lines.edition)


def first_messages(runtime: "Runtime", entity: Entity, start_level: str = "zero") -> list[First]:
    """What each step would send if the entity went live as of its last decided day."""
    found: list[First] = []
    for ask, decided in decided_as_if_live(runtime, entity):
        stage = ask.edition.book.stages.get("escalation")
        if stage is None or stage.policy.escalation is None:
            continue
        entering = decided.filter(nw.col("enters_step"))
        if start_level == "ageing":  # whoever is late stands where the item's age puts them, without a letter
            entering = entering.filter(nw.col("leader_days_past_due") <= nw.lit(0, dtype=nw.Int64))
        steps = {step.key: step for step in stage.policy.escalation.steps()}
        rows = list(zip(*frames.columns_of(entering.select(*READ), *READ)))
        found += _grouped(rows, steps)
    return found


def _grouped(rows: Sequence[tuple[Any, ...]], steps: Mapping[str, Step]) -> list[First]:
    languages = _languages([int(row[0]) for row in rows])
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for customer, step, level, leader_minor, net_minor in rows:
        amount = (net_minor if level else leader_minor) or 0
        found[(step, languages[customer])].append((customer, amount))
    return [
        First(
            step=step,
            channel=steps[step].channel,
            template=steps[step].template or "",
            language=language,
            customers=len(group),
            amount_minor=sum(amount for _, amount in group),
            example=max(group, key=lambda one: (one[1], -one[0]))[0],
        )
        for (step, language), group in sorted(found.items())
        if step in steps
    ]


def _languages(customers: Sequence[int]) -> dict[int, str]:
    """The language of each customer's first contact, else the customer's own."""
    found: dict[int, str] = {}
    for some in (customers[start : start + BATCH] for start in range(0, len(customers), BATCH)):
        found |= dict(Customer.select(Customer.id, Customer.language).where(Customer.id.in_(some)).tuples())
        contacts = Contact.select(Contact.customer, Contact.language).where(Contact.customer.in_(some))
        found |= dict(contacts.order_by(Contact.id.desc()).tuples())
    return found


def counted(rows: Sequence[First]) -> dict[str, int]:
    """How many customers would enter each step."""
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row.step] += row.customers
    return dict(sorted(found.items()))
