"""Why nothing was sent, in words: a sentence for every code, filled with the figures behind it."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import formatting
from admin.invoices import invoice
from admin.steps import step_label
from admin.wording import channel_words
from engine.claims import WAITING
from engine.silence import ComingStep
from engine.silence_actions import Finding
from engine.tables import Entity
from ledger.days import day_of

PLACEHOLDER = re.compile(r"%\((\w+)\)s")

# Of the sentences of a code the first whose figures are all known is said.
SENTENCES: Mapping[str, tuple[Any, ...]] = {
    # what was sent, or is on its way
    "sent": (_l("%(channel)s “%(step)s” was sent, on %(sent_at)s."),),
    "sent_along": (_l("“%(step)s” went along with “%(other)s”, on %(sent_at)s."),),
    "covered": (
        _l("“%(step)s” goes along with “%(other)s” in one message."),
        _l("“%(step)s” goes along with another message to the customer."),
    ),
    "on_its_way": (_l("%(channel)s “%(step)s” is on its way this moment."),),
    "uncertain": (
        _l("Whether %(channel)s “%(step)s” arrived is in doubt: %(reason)s. A person settles it."),
        _l("Whether %(channel)s “%(step)s” arrived is in doubt. A person settles it."),
    ),
    "failed": (_l("%(channel)s “%(step)s” could not be sent: %(reason)s. A person decides what follows."),),
    "cancelled": (
        _l("%(channel)s “%(step)s” was cancelled before it left: %(reason)s."),
        _l("%(channel)s “%(step)s” was cancelled before it left."),
    ),
    "due_now": (_l("%(channel)s “%(step)s” is due and leaves with the next round of the workers."),),
    "not_taken": (
        _l("%(channel)s “%(step)s” was ready since %(due_day)s, but no worker took it before %(over_at)s."),
        _l("%(channel)s “%(step)s” is ready since %(due_day)s, but no worker has taken it yet."),
    ),
    "earlier_message": (_l("“%(step)s” waits for “%(earlier)s”, an earlier message that is not over yet."),),
    # what a message waits for
    "unconfirmed": (
        _l("%(channel)s “%(step)s” waits for a person to confirm it."),
        _l("It waits for a person to confirm it."),
    ),
    "no_address": (
        _l("%(channel)s “%(step)s” has no usable address to go to; a task asks for one."),
        _l("There is no usable address for it."),
    ),
    "no_template": (_l("“%(step)s” waits: its template is not in force; two people approve one."),),
    "edited": (_l("“%(step)s” waits: its text was edited in another language than its contact's; edit it again."),),
    "another_today": (
        _l("“%(step)s” waits: the customer has another message by this channel today. It goes on %(until_at)s."),
        _l("“%(step)s” waited: the customer had another message by this channel on that day."),
    ),
    "no_sender": (_l("%(channel)s “%(step)s” waits: the entity has no sender address."),),
    "no_door": (_l("%(channel)s “%(step)s” waits: nothing is set up for this channel yet."),),
    "renamed": (_l("“%(step)s” has another name in the version that holds now; the next run sends it by that."),),
    "undecidable": (_l("“%(step)s” waits: the rules cannot be applied just now; an alarm says why."),),
    "disagreement": (
        _l("“%(step)s” waits: the executors of the rules disagreed about this customer; a person looks at it first."),
    ),
    "cap": (
        _l("“%(step)s” waits: the %(daily_cap)s messages a day of %(by)s are used up; it goes on %(until_at)s."),
        _l("“%(step)s” waits: the %(daily_cap)s messages a day of one collector are used up; it goes on %(until_at)s."),
        _l("“%(step)s” waited: the %(daily_cap)s messages a day of one collector were used up."),
    ),
    "cap_days": (
        _l(
            "“%(step)s” waits for the contact cap: at most %(most)s contacts in %(days)s days,"
            " the last on %(contact_day)s. It may leave from %(until_at)s on."
        ),
        _l(
            "“%(step)s” waited for the contact cap: at most %(most)s contacts in %(days)s days,"
            " the last on %(contact_day)s."
        ),
        _l("“%(step)s” waited for the contact cap."),
    ),
    "hours": (
        _l(
            "“%(step)s” waits for the sending hours where the customer is (%(from_hour)s to %(until_hour)s,"
            " %(zone)s). It may leave from %(until_at)s on."
        ),
        _l(
            "“%(step)s” waited for the sending hours where the customer is (%(from_hour)s to %(until_hour)s, %(zone)s)."
        ),
    ),
    "quiet_day": (
        _l("“%(step)s” waits: nothing is sent on %(day)s, a quiet day. It may leave from %(until_at)s on."),
        _l("“%(step)s” waited: nothing is sent on %(day)s, a quiet day."),
    ),
    "holiday": (
        _l("“%(step)s” waits: %(day)s is a public holiday (%(country)s: %(name)s). It may leave from %(until_at)s on."),
        _l("“%(step)s” waited: %(day)s is a public holiday (%(country)s: %(name)s)."),
        _l("“%(step)s” waited for a public holiday where the customer is to pass."),
    ),
    "retry": (
        _l("The last try of “%(step)s” failed (try %(attempts)s: %(reason)s); the next one comes on %(until_at)s."),
        _l("A try of “%(step)s” failed: %(reason)s. The next one came by itself."),
        _l("A try of “%(step)s” failed; the next one comes by itself."),
    ),
    # what the rules said of the customer
    "unknown": (
        _l("What the customer owes is not known, because a rate is missing; nothing is asked for until it is there."),
    ),
    "undecided": (_l("The escalation is undecided: these facts are unknown: %(facts)s."),),
    "no_leader": (
        _l("Nothing is overdue that could be dunned: %(overdue_minor)s overdue, %(open_minor)s open."),
        _l("Nothing is overdue that could be dunned."),
    ),
    "within_tolerance": (
        _l("%(net_minor)s net overdue lies within the tolerance of %(bound_minor)s: a letter would cost more."),
    ),
    "minimum": (_l("%(net_minor)s lies below the minimum of %(bound_minor)s for a step."),),
    "min_days": (
        _l(
            "The last contact was on %(contact_day)s; at least %(days)s days lie between two:"
            " the next one may come on %(until_day)s."
        ),
        _l("“%(step)s” waits: the customer was contacted too few days ago. It may leave from %(until_at)s on."),
        _l("“%(step)s” waited: the customer was contacted too few days before."),
    ),
    "promise": (
        _l("What is overdue is promised: %(promised_minor)s by %(until_day)s. The step comes again if it is broken."),
        _l("What is overdue is promised."),
    ),
    "dispute": (
        _l("What is overdue is disputed since %(since_day)s, %(disputed_minor)s in all: %(reason)s."),
        _l("What is overdue is disputed."),
    ),
    "pause": (
        _l("Dunning is paused until %(until_day)s, by %(by)s: %(reason)s."),
        _l("Dunning is paused until %(until_day)s: %(reason)s."),
        _l("Dunning is blocked since %(since_day)s: %(reason)s."),
        _l("Dunning is paused."),
    ),
    "dunning_block": (
        _l("Dunning is blocked since %(since_day)s, by %(by)s: %(reason)s."),
        _l("Dunning is blocked since %(since_day)s: %(reason)s."),
        _l("Dunning is blocked."),
    ),
    "insolvent": (_l("The customer is insolvent since %(since_day)s: %(reason)s."), _l("The customer is insolvent.")),
    "handed_over": (
        _l("The debt is handed over since %(since_day)s, by %(by)s: %(reason)s."),
        _l("The debt is handed over since %(since_day)s: %(reason)s."),
        _l("The debt is handed over."),
    ),
    "excluded": (_l("A step's day has come, but the policy leaves this customer alone."),),
    "left_alone": (
        _l("%(by)s tied the customer to no scenario until %(until_day)s: %(reason)s."),
        _l("A person tied the customer to no scenario."),
    ),
    "not_meant": (_l("A step's day has come, but its condition does not hold for this customer."),),
    "step_open": (_l("The step before, “%(step)s”, is not finished yet."), _l("The step before is not finished yet.")),
    "raised_today": (
        _l("“%(step)s” began on this day; a customer goes one step up a day at most."),
        _l("A customer goes one step up a day at most."),
    ),
    "stopped": (
        _l("%(by)s stopped the policy “%(policy)s” on %(stopped_at)s: %(reason)s."),
        _l("The policy “%(policy)s” is stopped."),
        _l("A person stopped the policy; it goes on when two people say so."),
    ),
    "step_begins": (_l("“%(step)s” begins on this day."),),
    "no_step_yet": (
        _l(
            "No step was due. The next one is “%(step)s”, due on %(next_day)s; that is a quiet day, so it leaves on"
            " %(leaves_day)s, if nothing is paid."
        ),
        _l("No step was due. The next one is “%(step)s” on %(next_day)s, if nothing is paid."),
    ),
    "no_step_left": (
        _l("Level %(level)s is the last of the scenario: no further step is left."),
        _l("No step of the scenario is left."),
    ),
    "none": (_l("No step was due."),),
    "line_waits": (_l("Invoice %(line)s goes no further now: %(why)s."),),
    "line_next": (_l("Invoice %(line)s: the next step is “%(step)s” on %(next_day)s, if it is not paid."),),
    "line_stood": (_l("Invoice %(line)s stood at level %(level)s; no step of it began on this day."),),
    "no_policy": (_l("No escalation policy was in force, so nothing could be due."),),
    # a person's work
    "work_open": (
        _l("%(channel)s “%(step)s” is work for %(by)s since %(since_day)s; it is not a message."),
        _l("%(channel)s “%(step)s” is work for the %(role)s since %(since_day)s; it is not a message."),
    ),
    "work_done": (_l("%(channel)s “%(step)s” was done on this day: %(result)s."),),
    "work_ended": (
        _l("%(channel)s “%(step)s” ended on this day without a result: %(reason)s."),
        _l("%(channel)s “%(step)s” ended on this day without a result."),
    ),
    # the entity and its runs
    "to_come": (_l("%(day)s has not come yet."),),
    "not_adopted": (_l("%(entity)s was not decided yet; its first run adopts the portfolio and contacts nobody."),),
    "before_first_run": (_l("The first run was on %(first_day)s; before it nothing was decided."),),
    "adoption": (_l("On this day the first run adopted the portfolio: it contacts nobody."),),
    "run_to_come": (_l("Today's run has not been yet; it decides what is due."),),
    "no_run": (_l("There was no run for this day, so nothing could become due."),),
    "gated": (_l("The run waits for approval: it would change %(changed)s of %(customers)s customers at once."),),
    "run_under_way": (_l("The run of this day is under way since %(since_at)s."),),
    "missed_day": (_l("The day was missed and decided later, on %(decided_at)s; only the last missed day sends."),),
    "not_live": (
        _l("%(entity)s sends only from %(live_day)s on."),
        _l("%(entity)s is not live: two people have not let it send yet."),
    ),
    "stopped_sending": (
        _l("%(by)s stopped all sending on %(stopped_at)s: %(reason)s."),
        _l("All sending is stopped; starting again takes two people."),
    ),
}
HOLDS: Mapping[str, Any] = {
    "not_live": _l("the entity is not live"),
    "stopped_sending": _l("sending is stopped"),
    "pause": _l("a pause"),
    "unconfirmed": _l("a person confirms it first"),
    "no_address": _l("no usable address"),
}


def sentence(finding: Finding, entity: Entity) -> str:
    """A finding in words; amounts and instants are those of the entity."""
    known = {name: text for name, value in finding.figures.items() if (text := _text(name, value, entity))}
    for said in SENTENCES.get(finding.code, ()):
        if set(PLACEHOLDER.findall(str(said))) <= set(known):
            return str(said) % known
    return _(WAITING[finding.code]) if finding.code in WAITING else formatting.title(finding.code)


def _text(name: str, value: Any, entity: Entity) -> str:
    """A figure as it stands in a sentence; empty where it is unknown."""
    if value is None or value == "":
        return ""
    if name.endswith("_minor"):
        return f"{formatting.money_text(value, entity.currency)} {entity.currency}"
    if name.endswith("_day") or name == "day":
        return formatting.day_text(value)
    if name.endswith("_at"):
        local = formatting.moment(value).astimezone(ZoneInfo(entity.zone))
        return f"{formatting.day_text(day_of(local.date()))}, {local:%H:%M}"
    if name in ("step", "earlier", "other"):
        return step_label(value)
    if name == "line":
        return invoice(value)
    if name == "why":
        return formatting.phrase(value)
    if name == "channel":
        return channel_words(value)
    if name in ("from_hour", "until_hour"):
        return f"{value:02}:00"
    if name == "role":
        return formatting.phrase(value)
    if name == "result":
        return _(str(value))
    return str(value).rstrip(".") if name == "reason" else str(value)


# Why messages of an entity wait, in a list with how many: reasons and states.
REASONS: Mapping[str, Any] = {
    "unconfirmed": _l("a person confirms them first"),
    "no_address": _l("there is no usable address"),
    "no_sender": _l("the entity has no sender address"),
    "stopped": _l("a person stopped the policy"),
    "pause": _l("dunning is paused or blocked"),
    "renamed": _l("the next run sends them under another name"),
    "unknown": _l("a rate is missing"),
    "undecidable": _l("the rules cannot be applied; an alarm says why"),
    "disagreement": _l("the executors of the rules disagreed"),
    "min_days": _l("the last contact is too few days ago"),
    "cap": _l("the collector's messages of the day are used up"),
    "cap_days": _l("the contact cap"),
    "hours": _l("outside the sending hours of the customer"),
    "quiet_day": _l("a quiet day"),
    "holiday": _l("a public holiday where the customer is"),
    "retry": _l("the last try failed; the next comes by itself"),
    "no_template": _l("a template is not in force"),
    "edited": _l("edited in another language than the contact's"),
    "no_door": _l("no way out is set up for their channel"),
    "another_today": _l("the customer has another message today"),
    "covered": _l("they go along with another message"),
    "due": _l("due, they leave with the next round"),
    "claimed": _l("on their way"),
    "sending": _l("on their way"),
    "uncertain": _l("in doubt: a person settles them"),
    "failed": _l("failed: a person decides what follows"),
}


def reason_words(code: str) -> str:
    """Why messages wait, in a few words."""
    return str(REASONS.get(code) or formatting.title(code))


def holds_words(step: ComingStep) -> str:
    """What could hold a coming step back."""
    always = _("a payment, a promise or a dispute")
    own = [str(HOLDS.get(code, code)) for code in step.holds]
    moved = [_("moved off a quiet day")] if step.moved else []
    return "; ".join([*own, *moved, always])
