"""The desks of the demo: who works with whom, what is said, who is away."""

from random import Random
from typing import TYPE_CHECKING

from engine.absences import SetAbsence, SetStandIn
from engine.demo.place import people
from engine.desk_work import TOGETHER_MAX, AssignCollector, PlanWork
from engine.notes import WriteNote
from engine.saved_views import SaveView
from engine.tables import Action, Customer, Outcome

if TYPE_CHECKING:
    from engine.demo.days import Demo

SHARE_OF_FIRST = 0.6  # of the customers; the second collector has the others,
NOBODYS = 0.02  # and a few wait to be given to somebody
SAID_A_DAY = 0.25  # of the calls of a day leave a note
SAID = (
    "Spoke to accounts payable: the invoice is approved and goes out with their next run.",
    "They ask for the proof of delivery before they pay. @sales can you send it?",
    "Their contact changed; the new one is on the invoice from next month on.",
    "Wants to offset a credit note that we do not know of. @customer.care please look.",
    "Pays every Thursday; calling before Wednesday is of no use.",
    "Managing director must release amounts above 10,000 himself.",
)
QUESTIONS = (
    ("sales", "The customer says you agreed on 60 days in May. @collector please wait until I have asked them."),
    ("credit.manager", "@collector what is the state here? The limit is due for review."),
    ("sales", "Visit planned next week, I can bring it up there. @collector @credit.manager"),
)
AWAY_DAYS = 12


def give_out(demo: "Demo") -> None:
    """Give the customers to the two collectors; a few are left for whoever tries the demo."""
    random = Random(f"{demo.standing.seed}/collectors")  # noqa: S311 - a demo, not a secret
    users = demo.users
    shares: dict[str, list[int]] = {"collector": [], "second.collector": []}
    for customer in Customer.select(Customer.id).order_by(Customer.id):
        drawn = random.random()
        if drawn >= NOBODYS:
            shares["collector" if drawn < SHARE_OF_FIRST else "second.collector"].append(customer.id)
    for place, customers in shares.items():
        for start in range(0, len(customers), TOGETHER_MAX):
            demo.execute(
                AssignCollector(
                    actor=users["credit.manager"],
                    reason="portfolios of the year",
                    key=f"demo/{place}/{start}",
                    customers=tuple(customers[start : start + TOGETHER_MAX]),
                    collector=users[place],
                )
            )


def remember(demo: "Demo", random: Random, action: Action) -> None:
    """Leave a note about a call, now and then."""
    if random.random() < SAID_A_DAY:
        demo.execute(
            WriteNote(
                actor=worker(demo, action.customer),
                reason="call made",
                key=f"demo/note/{action.id}",
                customer=action.customer_id,
                text=random.choice(SAID),
                action=action.id,
            )
        )


def worker(demo: "Demo", customer: Customer) -> int:
    """Who works with a customer."""
    return int(customer.collector_id or demo.users["collector"])


def last_touches(demo: "Demo", day: int) -> None:
    """What whoever opens the demo finds on the desk: questions, a stand-in, planned calls, kept views."""
    users = people(demo.runtime)
    demo.clock.set(day, 16)
    mine = Customer.select().join(Outcome).where(Customer.collector == users["collector"], Outcome.worklist_points > 0)
    best = list(mine.order_by(Outcome.worklist_points.desc(), Customer.id).limit(8))
    for index, ((who, text), customer) in enumerate(zip(QUESTIONS, best, strict=False)):
        demo.execute(
            WriteNote(actor=users[who], reason="asked", key=f"demo/asked/{index}", customer=customer.id, text=text)
        )
    for index, customer in enumerate(best[3:]):
        demo.execute(
            PlanWork(
                actor=users["collector"],
                reason="planned on the phone",
                key=f"demo/planned/{index}",
                customer=customer.id,
                due_day=day + 1 + index // 3,
                text="Call again: they wanted to look into it.",
            )
        )
    demo.execute(
        SetAbsence(
            actor=users["second.collector"],
            reason="holiday",
            key="demo/absence",
            user=users["second.collector"],
            stand_in=users["collector"],
            from_day=day,
            until_day=day + AWAY_DAYS,
        )
    )
    demo.execute(
        SetStandIn(
            actor=users["credit.manager"],
            reason="for work left undone",
            key="demo/stand-in",
            user=users["collector"],
            stand_in=users["second.collector"],
        )
    )
    for name, page, arguments in (
        ("Calls that are late", "diary", "view=due&channel=call"),
        ("Public customers", "worklist", "segment=public"),
    ):
        demo.execute(
            SaveView(
                actor=users["credit.manager"],
                reason="for the team",
                key=f"demo/view/{page}",
                page=page,
                name=name,
                arguments=arguments,
                shared=True,
            )
        )
