"""The forms of daily work: alarms, alerts, messages, calls, mail, runs, batches of letters."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import choices
from admin.forms import Ask, Shape
from engine import access, call_results
from engine.tables import Entity


def _visible_entities(_subject: Any) -> list[tuple[str, str]]:
    seen = Entity.id.in_(access.visible_entities(current_user.id))
    return [(one.code, one.name) for one in Entity.select().where(seen).order_by(Entity.code)]


def _lines_of_action(subject: Any) -> list[tuple[str, str]]:
    return choices.lines(subject.customer)


def _is_call(subject: Any) -> bool:
    return bool(subject.channel == "call")


def _results(subject: Any) -> list[tuple[str, str]]:
    return [(code, _(call_results.RESULTS[code].label)) for code in call_results.RESULTS_OF.get(subject.channel, ())]


WORK_SHAPES = (
    Shape(
        "AcknowledgeAlarm",
        _l("Acknowledge an alarm"),
        _l("It leaves the open list; it stays in the record."),
        _l("Acknowledge"),
    ),
    Shape(
        "AcknowledgeAlert",
        _l("Acknowledge an alert"),
        _l("It leaves the open list, and comes up again only when it has been over and begins anew."),
        _l("Acknowledge"),
    ),
    Shape(
        "SnoozeAlert",
        _l("Snooze an alert"),
        _l("It rests until that day, and comes up again if it still holds then."),
        _l("Snooze"),
        {"until_day": Ask(_l("Until"), first=choices.in_days(7))},
    ),
    Shape(
        "ConfirmMessage",
        _l("Let a message go"),
        _l("It is decided once more before it is sent."),
        _l("Confirm and send"),
    ),
    Shape(
        "CancelAction",
        _l("Do not carry this out"),
        _l("Its step counts as finished; the next one follows in its time."),
        _l("Cancel it"),
        danger=True,
    ),
    Shape(
        "CompleteAction",
        _l("Report the result"),
        _l("What was agreed is recorded with it and leaves dunning at once."),
        _l("Done"),
        {
            "result": Ask(_l("Result"), options=_results),
            "due_line": Ask(_l("Invoice"), options=_lines_of_action, when=_is_call),
            "amount_minor": Ask(_l("Amount"), _l("Promised or disputed; of a dispute empty for all."), when=_is_call),
            "agreed_day": Ask(_l("Paid by"), _l("If it is said to be paid: until when dunning pauses."), when=_is_call),
            "cause": Ask(
                _l("Cause"), _l("If it is disputed."), options=choices.causes, first=lambda _s: "other", when=_is_call
            ),
            "reason": Ask(_l("Note")),
        },
    ),
    Shape(
        "ResolveUncertain",
        _l("Did it arrive?"),
        _l("Nobody can know but a person who looked. It is never sent again alone."),
        _l("Settle"),
        {
            "delivered": Ask(
                _l("The message"), options=choices.yes_no(_l("arrived"), _l("did not arrive: send it again"))
            )
        },
    ),
    Shape(
        "AssignMail",
        _l("Whose answer is it?"),
        _l("The mail becomes a diary item of the customer's collector."),
        _l("Assign"),
        {"entity": Ask(_l("Entity"), options=_visible_entities), "number": Ask(_l("Customer number"))},
    ),
    Shape(
        "SetMailAside",
        _l("Set the mail aside"),
        _l("It is nobody's answer. Its words are destroyed here; the mailbox keeps the mail."),
        _l("Set aside"),
    ),
    Shape("RetryMessage", _l("Try again"), _l("It is due again with all its attempts."), _l("Try again")),
    Shape(
        "ApproveRun",
        _l("Let the run go on"),
        _l("Its changes are confirmed and written, and the steps that follow from them begin."),
        _l("Approve the run"),
    ),
    Shape(
        "ReplayDay",
        _l("Replay this day"),
        _l("A worker decides the day again from the stored facts and editions and compares. Nothing is changed."),
        _l("Replay"),
    ),
    Shape(
        "CloseBatch",
        _l("Close a batch of letters"),
        _l("The letters that wait for the printer now come into one PDF, in the order you choose."),
        _l("Close the batch"),
        {
            "entity": Ask(_l("Entity"), options=lambda entity: [(entity.code, entity.name)]),
            "sorted_by": Ask(
                _l("In the order of"),
                options=lambda _s: [("postcode", _("Postcode")), ("customer", _("Customer number"))],
            ),
        },
    ),
    Shape(
        "PostBatch",
        _l("Printed and posted"),
        _l("Say by what it can be shown that the letters were posted."),
        _l("Keep it"),
        {
            "batch": Ask("", kind="hidden"),
            "evidence": Ask(_l("Evidence"), _l("Number of the receipt or of the posting list.")),
        },
    ),
)
