"""A scenario as a line of days around the due date: its steps as cards, and the days between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from admin import formatting
from admin.wording import channel_words, paper_words, when_words
from admin.workbench.asked import Asked
from admin.workbench.world import World
from rules.editing import pointer, steps_of
from rules.policies import TIMINGS, WORK_CHANNELS
from rules.step_editing import days_on_line
from rules.stepping import STANDARD

SIGNS = {
    **{"email": "mail", "letter": "file-text", "sms": "message-square-warning", "chat": "users-round"},
    **{"webhook": "external-link", "internal": "building-2", "call": "phone", "task": "list-checks"},
}
TICK_DAYS = 10
BEFORE_MIN, AFTER_MIN = 15, 30  # days a line shows before and after the due date at least
BEYOND_DAYS = 5  # behind the last step
WORDS_OF_DAYS = (-2, -1, 1, 2)  # before and after, one and several: a script says the others by them


@dataclass(frozen=True)
class Card:
    """A step as the line shows it.

    Args:
        day: where it stands on the line.
        kind: how it is timed: only a step of ``days`` has a day of its own.
        level: it raises to, its own or the one its order gives.
        hand: the sign of who has a hand in it.
        notes: what else is special about it, each with its sign.
        severity: of the worst that is found about it; empty for nothing.
    """

    key: str
    place: str
    label: str
    when: str
    day: int
    kind: str
    channel: str
    sign: str
    template: str
    how: str
    level: int
    hand: str
    notes: tuple[tuple[str, str], ...]
    severity: str


@dataclass(frozen=True)
class Tab:
    """A scenario among the others."""

    name: str
    title: str
    count: str
    is_shown: bool


@dataclass(frozen=True)
class Line:
    """One scenario on its line.

    Args:
        scenario: its name.
        whom: in words, whom it is for.
        low, high: the days the line reaches from and to.
        ticks: days named along the line, each with its words.
        words: by a day of ``WORDS_OF_DAYS``, how it is said; ``%n`` stands for the number.
        names: that scenarios may be given: what the chooser is known to be.
    """

    scenario: str
    title: str
    whom: str
    tabs: tuple[Tab, ...]
    cards: tuple[Card, ...]
    low: int
    high: int
    ticks: tuple[tuple[int, str], ...]
    words: Mapping[int, str]
    names: tuple[str, ...]

    @property
    def is_standard(self) -> bool:
        """Whether it is the one that cannot go."""
        return self.scenario == STANDARD


def line_of(body: Mapping[str, Any], found: Sequence[Any], asked: Asked, at: str, world: World) -> Line | None:
    """The scenario a page shows as a line; None of a policy without scenarios.

    Args:
        found: findings, each with the place and severity.
        asked: what a form came to: an open step, or a scenario to go on with, is the one that is shown.
        at: the scenario the reader saw before.
    """
    scenarios = body.get("escalation", {}).get("scenarios", {})
    if not scenarios:
        return None
    steps = steps_of(asked.place)
    wanted = [steps[2] if len(steps) == 4 and steps[0] == "escalation" else "", asked.scenario, at, STANDARD]
    name = next(one for one in [*wanted, *scenarios] if one in scenarios)
    cards = _cards(name, scenarios[name], found)
    days = [card.day for card in cards]
    low = min([-BEFORE_MIN, *(day - BEYOND_DAYS for day in days)])
    high = max([AFTER_MIN, *(day + BEYOND_DAYS for day in days)])
    order = sorted(scenarios, key=lambda one: one != STANDARD)
    return Line(
        scenario=name,
        title=formatting.title(name),
        whom=_whom(name, body, world),
        tabs=tuple(Tab(one, formatting.title(one), _count(len(scenarios[one])), one == name) for one in order),
        cards=cards,
        low=low,
        high=high,
        ticks=tuple((day, when_words({"days": day})) for day in range(low - low % TICK_DAYS, high, TICK_DAYS) if day),
        words={day: when_words({"days": day}).replace(str(abs(day)), "%n", 1) for day in WORDS_OF_DAYS},
        names=tuple(one for one in world.codes_of(_chooser(body)) if one not in scenarios),
    )


def _cards(name: str, steps: Sequence[Mapping[str, Any]], found: Sequence[Any]) -> tuple[Card, ...]:
    cards, level = [], 0
    for index, (step, day) in enumerate(zip(steps, days_on_line(steps), strict=True)):
        place = pointer("escalation", "scenarios", name, index)
        level = int(step.get("level", 0 if step.get("days", 0) < 0 else level + 1))
        worst = sorted(one.severity for one in found if one.place == place)
        cards.append(
            Card(
                key=step["key"],
                place=place,
                label=_(str(step.get("label") or step["key"])),
                when=when_words(step),
                day=day,
                kind=next(one for one in TIMINGS if one in step),
                channel=channel_words(step["channel"]),
                sign=SIGNS.get(step["channel"], "send"),
                template=formatting.title(step["template"]),
                how=how_words(step),
                level=level,
                hand=_hand(step),
                notes=tuple(_notes(step)),
                severity=worst[0] if worst else "",
            )
        )
    return tuple(cards)


def how_words(step: Mapping[str, Any]) -> str:
    """Who has a hand in a step."""
    owner = formatting.phrase(str(step.get("owner", "collector")))
    if step["channel"] in WORK_CHANNELS:
        return _("by the %(role)s", role=owner)
    if step.get("mode", "automatic") == "automatic":
        return _("sent without asking")
    return _("confirmed first by the %(role)s", role=owner)


def _hand(step: Mapping[str, Any]) -> str:
    if step["channel"] in WORK_CHANNELS:
        return "user-round"
    return "send" if step.get("mode", "automatic") == "automatic" else "hand"


def _notes(step: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if step.get("otherwise"):
        channels = ", ".join(channel_words(channel) for channel in step["otherwise"])
        found.append(("arrow-right", _("without an address: %(channels)s", channels=channels)))
    papers = [paper_words(name) for name in step.get("attach", ())]
    if step.get("penalties"):
        papers.append(_("late interest and costs"))
    if papers:
        found.append(("receipt-text", _("with %(papers)s", papers=", ".join(papers))))
    if "when" in step:
        found.append(("filter", _("only for some")))
    if step.get("blocks"):
        found.append(("lock", _("holds back the next level")))
    return found


def _chooser(body: Mapping[str, Any]) -> str:
    return str(body["escalation"].get("scenario_by", "segment"))


def _whom(name: str, body: Mapping[str, Any], world: World) -> str:
    label = _(world.column(_chooser(body)).label)
    if name == STANDARD:
        return _("For every customer without a scenario of their own.")
    return _("For customers whose “%(fact)s” is “%(value)s”.", fact=label, value=formatting.title(name))


def _count(number: int) -> str:
    return ngettext("%(n)s step", "%(n)s steps", number, n=number)
