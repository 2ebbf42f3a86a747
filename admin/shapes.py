"""The forms of the console: which commands a person can give here, and in which words."""

import json
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import formatting, gate, places, sending_terms, versions
from admin.claim_shapes import CLAIM_SHAPES
from admin.forms import Ask, Shape
from admin.signs import signs
from engine import access, diary
from engine.access import ROLES
from engine.contact_times import times_of
from engine.dispute_causes import causes_on
from engine.overrides import scenarios_in_force, segments_in_force
from engine.people import proposed_roles
from engine.pipeline import asking
from engine.tables import Customer, Document, DueLine, Entity, User, UserRole
from ledger.days import day_of

LINES_MAX = 200
PEOPLE_MAX = 200


def _yes_no(yes: Any, no: Any) -> Any:
    return lambda _subject: [("yes", yes), ("no", no)]


def _roles(_subject: Any) -> list[tuple[str, str]]:
    return [(role, formatting.title(role)) for role in ROLES]


def _roles_or(nothing: Any) -> Any:
    return lambda subject: [("", nothing), *_roles(subject)]


def _people(subject: Any) -> list[tuple[str, str]]:
    """Those who see the customer of a form, to choose one or nobody."""
    customer = subject if isinstance(subject, Customer) else subject.customer
    own = Customer.select().where(Customer.id == customer.id)
    users = User.select().where(User.active == True).order_by(User.name)  # noqa: E712
    seeing = [user for user in users if access.visible_to(user, own).exists()]
    return [("", _("Nobody in particular")), *((str(user.id), user.name) for user in seeing[:PEOPLE_MAX])]


def _addresses(subject: Any) -> list[tuple[str, str]]:
    ids = [int(number) for number, _name in _people(subject) if number]
    return [(user.email, user.name) for user in User.select().where(User.id.in_(ids)).order_by(User.name)]


def _causes(_subject: Any) -> list[tuple[str, Any]]:
    return [(code, _(cause.label)) for code, cause in causes_on(gate.runtime().today()).items()]


def _outcomes(_subject: Any) -> list[tuple[str, str]]:
    return [("accepted", _("accepted")), ("rejected", _("rejected")), ("withdrawn", _("withdrawn by the customer"))]


def _entities(_subject: Any) -> list[tuple[str, str]]:
    seen = Entity.id.in_(access.visible_entities(current_user.id))
    return [(one.code, one.name) for one in Entity.select().where(seen).order_by(Entity.code)]


def _this_model(subject: Any) -> list[tuple[str, str]]:
    words = _("%(name)s, trained %(day)s", name=subject.sha256[:8], day=formatting.day_text(subject.trained_day))
    return [(str(subject.id), words)]


_sha256_of_model = Ask("", first=lambda subject: subject.sha256, kind="hidden")


def _held(subject: Any) -> list[tuple[str, str]]:
    rows = UserRole.select(UserRole.role).where(UserRole.user == subject.id).order_by(UserRole.role).tuples()
    waiting = [one.role for one in proposed_roles(subject)]
    return [(role, formatting.title(role)) for role in dict.fromkeys([*(role for (role,) in rows), *waiting])]


def _proposed(subject: Any) -> list[tuple[str, str]]:
    return [(one.role, formatting.title(one.role)) for one in proposed_roles(subject)]


def _lines(subject: Any) -> list[tuple[str, str]]:
    lines = DueLine.select().where(DueLine.customer == subject.id).order_by(DueLine.due_day.desc()).limit(LINES_MAX)
    return [("", _("Any of them"))] + [
        (
            str(line.id),
            f"{line.number} · {formatting.money_text(line.amount_minor, line.currency)} {line.currency}"
            f" · {formatting.day_text(line.due_day)}",
        )
        for line in lines
    ]


def _one_line(subject: Any) -> list[tuple[str, str]]:
    return _lines(subject)[1:]


def _lines_of_action(subject: Any) -> list[tuple[str, str]]:
    return _lines(subject.customer)


def _is_call(subject: Any) -> bool:
    return bool(subject.channel == "call")


def _today(_subject: Any) -> int:
    return gate.runtime().today()


def _in(days: int) -> Any:
    return lambda _subject: day_of(gate.runtime().now().date()) + days


def _results(subject: Any) -> list[tuple[str, str]]:
    return [(code, _(diary.RESULTS[code].label)) for code in diary.RESULTS_OF.get(subject.channel, ())]


def _values(subject: Any) -> list[tuple[str, str]]:
    """Values an override can give that the policies in force know by name, each with what it is a value of."""
    runtime = gate.runtime()
    book = asking(runtime, subject.entity, runtime.today(subject.entity)).edition.book
    scorecard = book.stages.get("scorecard")
    classes = [] if scorecard is None else [band.risk_class for band in scorecard.policy.bands]
    segments = segments_in_force(runtime, subject.entity, runtime.today(subject.entity))
    scenarios = scenarios_in_force(runtime, subject.entity, runtime.today(subject.entity))
    named = [("risk_class", classes), ("segment", segments), ("hold", ["yes", "no"]), ("scenario", scenarios)]
    return [(value, target) for target, values in named for value in values]


def _this_entity(_subject: Any) -> list[tuple[str, str]]:
    return [(e.code, e.name) for e in signs().entities]


def _policies(_subject: Any) -> list[tuple[str, str]]:
    rows = Document.select(Document.key, Document.body).where(
        Document.kind == "policy", Document.status.in_(("approved", "live"))
    )
    named = {row.key: _(str(json.loads(row.body).get("name") or row.key)) for row in rows.order_by(Document.id)}
    return sorted(named.items(), key=lambda pair: pair[1])


def _reaches(_subject: Any) -> list[tuple[str, str]]:
    """All entities, for who sees them all; and each of those seen whole."""
    whole = [one for one in Entity.select().order_by(Entity.code) if versions.sees_whole(one)]
    every = [("", _("all entities"))] if len(whole) == Entity.select().count() else []
    return [*every, *((one.code, one.name) for one in whole)]


def _entities(_subject: Any) -> list[tuple[str, str]]:
    return [("", _("None"))] + [(e.code, e.name) for e in Entity.select().order_by(Entity.code)]


def _printed(name: str, label: Any, hint: Any = "", kind: str = "") -> Ask:
    """A field of the letterhead, with what is printed now."""
    return Ask(label, hint, first=lambda entity: entity.__data__[name], kind=kind)


def _hours(channel: str, label: Any, hint: Any) -> Ask:
    """Sending hours of a channel, with what holds now."""
    return Ask(label, hint, first=lambda entity: "{}-{}".format(*times_of(entity).of(channel)))


def _weekdays(entity: Any) -> list[tuple[str, str]]:
    """What may be chosen; what holds now is among it."""
    return sending_terms.weekday_choices(sending_terms.weekdays_given(entity))


TARGETS = {
    "risk_class": _l("Risk class"),
    "segment": _l("Segment"),
    "limit": _l("Credit limit"),
    "terms": _l("Payment terms (days)"),
    "hold": _l("Orders held (yes or no)"),
    "level": _l("Dunning level"),
    "scenario": _l("Dunning scenario"),
}

SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(
            "RecordPromise",
            _l("Record a promise to pay"),
            _l("The line leaves dunning until the promise is broken."),
            _l("Record the promise"),
            {
                "due_line": Ask(_l("Invoice"), options=_lines),
                "amount_minor": Ask(_l("Amount promised")),
                "currency": Ask(_l("Currency"), first=lambda subject: subject.entity.currency),
                "promised_day": Ask(_l("Paid by"), first=_in(7)),
            },
        ),
        Shape(
            "RecordDispute",
            _l("Open a dispute"),
            _l("The disputed part leaves dunning until the dispute is closed."),
            _l("Open the dispute"),
            {
                "due_line": Ask(_l("Invoice"), options=_one_line),
                "amount_minor": Ask(_l("Amount disputed"), _l("Leave empty for all of it.")),
                "cause": Ask(_l("Cause"), options=_causes),
                "owner_role": Ask(_l("Whose to solve"), options=_roles_or(_l("As the cause says"))),
                "owner": Ask(_l("Who of them"), options=_people),
                "deadline_day": Ask(_l("To be solved by"), _l("Leave empty for as long as the cause gives.")),
                "reason": Ask(_l("What is contested"), _l("Kept with the dispute and in the audit trail.")),
            },
        ),
        Shape(
            "CloseDispute",
            _l("Close a dispute"),
            _l("Accepted: a credit note follows, and that part is not dunned until it comes. Else dunning goes on."),
            _l("Close the dispute"),
            {
                "outcome": Ask(_l("It is"), options=_outcomes),
                "accepted_minor": Ask(_l("If accepted: how much"), _l("Leave empty for all that is disputed.")),
            },
        ),
        Shape(
            "CommentDispute",
            _l("Comment on a dispute"),
            _l("Everybody who sees the customer reads it."),
            _l("Add the comment"),
            {"reason": Ask(_l("Comment"))},
        ),
        Shape(
            "HandOverDispute",
            _l("Hand a dispute over"),
            _l("It lies in the diary of whoever has it, on the day it is to be solved by."),
            _l("Hand it over"),
            {
                "owner_role": Ask(_l("Whose to solve"), options=_roles_or(_l("As it is"))),
                "owner": Ask(_l("Who of them"), options=_people),
                "deadline_day": Ask(_l("To be solved by"), _l("Leave empty to keep the day.")),
            },
        ),
        Shape(
            "AskColleague",
            _l("Ask a colleague by mail"),
            _l("They answer by a link of their own, once, without signing in; they see the dispute and its invoice."),
            _l("Send the question"),
            {
                "email": Ask(_l("E-mail address"), suggest=_addresses),
                "name": Ask(_l("Name"), _l("As the mail greets them.")),
                "days": Ask(_l("Days to answer"), first=lambda _s: 10),
                "reason": Ask(_l("Question")),
            },
        ),
        Shape(
            "WithdrawQuestion",
            _l("Withdraw a question"),
            _l("Its link does not work any more."),
            _l("Withdraw it"),
            danger=True,
        ),
        Shape(
            "CancelPlan",
            _l("Cancel a payment plan"),
            _l("Its lines are dunned again where they stood."),
            _l("Cancel the plan"),
            danger=True,
        ),
        Shape(
            "WriteOff",
            _l("Write off"),
            _l("The debt is given up here until the accounts say the same. A large one takes a second person."),
            _l("Write it off"),
            {
                "due_line": Ask(_l("Invoice"), options=_one_line),
                "amount_minor": Ask(_l("Amount"), _l("Leave empty for all that is open.")),
            },
        ),
        Shape(
            "ReverseWriteOff",
            _l("Take a write-off back"),
            _l("Its amount is owed and dunned again."),
            _l("Take it back"),
        ),
        Shape(
            "ApproveEntry",
            _l("Approve as the second person"),
            _l("It is entered at once, if it still fits what is open. Nobody approves their own."),
            _l("Approve"),
            {"sha256": Ask("", kind="hidden")},
        ),
        Shape("DeclineEntry", _l("Decline what was proposed"), _l("Nothing is entered."), _l("Decline")),
        Shape(
            "SetBlock",
            _l("Pause or block dunning"),
            _l("Steps wait; interest and days past due run on."),
            _l("Set the block"),
            {
                "kind": Ask(
                    _l("Kind"),
                    options=lambda _s: [
                        ("pause", _("Pause, until a day")),
                        ("dunning_block", _("Dunning block")),
                        ("insolvent", _("Insolvent")),
                    ],
                ),
                "from_day": Ask(_l("From"), first=_today),
                "until_day": Ask(_l("Until"), _l("First day it no longer holds."), first=_in(14)),
                "due_line": Ask(_l("Invoice"), options=_lines),
            },
        ),
        Shape(
            "RemoveInvoiceDocument",
            _l("Take a document away"),
            _l("It is shown and sent no more; letters it went out with keep it."),
            _l("Take it away"),
        ),
        Shape("EndBlock", _l("End a block"), _l("The rules decide again at once."), _l("End the block")),
        Shape(
            "SetOverride",
            _l("Override the rules"),
            _l("Your value stands in place of the rules' until its day. What gives more takes a second person."),
            _l("Set the override"),
            {
                "target": Ask(_l("What"), options=lambda _s: list(TARGETS.items())),
                "value": Ask(
                    _l("Value"),
                    _l("A class, segment or scenario (none: no dunning), an amount, days, a level, or yes and no."),
                    suggest=_values,
                ),
                "until_day": Ask(_l("Until"), _l("It ends by itself; how late at most is a parameter."), first=_in(30)),
            },
        ),
        Shape(
            "ApproveOverride",
            _l("Approve an override"),
            _l("It takes effect at once. Nobody approves their own."),
            _l("Approve"),
        ),
        Shape("EndOverride", _l("End an override"), _l("The rules decide again."), _l("End the override")),
        Shape(
            "ApproveLimit",
            _l("Put a credit limit in force"),
            _l("Up to what the rules propose. More is an override and takes two people."),
            _l("Put in force"),
            {
                "amount_minor": Ask(_l("Limit")),
                "from_day": Ask(_l("From"), first=_today),
                "until_day": Ask(_l("Until"), _l("Leave empty for as long as no other comes.")),
            },
        ),
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
            {"until_day": Ask(_l("Until"), first=_in(7))},
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
                "amount_minor": Ask(
                    _l("Amount"), _l("Promised or disputed; of a dispute empty for all."), when=_is_call
                ),
                "agreed_day": Ask(
                    _l("Paid by"), _l("If it is said to be paid: until when dunning pauses."), when=_is_call
                ),
                "reason": Ask(_l("Note")),
            },
        ),
        Shape(
            "ResolveUncertain",
            _l("Did it arrive?"),
            _l("Nobody can know but a person who looked. It is never sent again alone."),
            _l("Settle"),
            {"delivered": Ask(_l("The message"), options=_yes_no(_l("arrived"), _l("did not arrive: send it again")))},
        ),
        Shape(
            "AssignMail",
            _l("Whose answer is it?"),
            _l("The mail becomes a diary item of the customer's collector."),
            _l("Assign"),
            {"entity": Ask(_l("Entity"), options=_entities), "number": Ask(_l("Customer number"))},
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
            "ProposeGoLive",
            _l("Propose that the entity starts sending"),
            _l("Another person approves it, with what each step would send in front of them."),
            _l("Propose"),
            {
                "entity": Ask(_l("Entity"), options=_this_entity),
                "start_level": Ask(
                    _l("Where customers begin"),
                    options=lambda _s: [
                        ("zero", _("Everybody with the first step")),
                        ("ageing", _("Where their oldest item would stand")),
                    ],
                ),
                "daily_cap": Ask(_l("Letters a collector a day, at most"), first=lambda _s: 50),
            },
        ),
        Shape(
            "ApproveGoLive",
            _l("Let the entity start sending"),
            _l("Steps begin with the next run. One click stops it at any time."),
            _l("Approve and start"),
            {"entity": Ask(_l("Entity"), options=_this_entity)},
            danger=True,
        ),
        Shape(
            "SetSendingTerms",
            _l("When and how much it sends"),
            _l("What permits no more than before counts at once. What permits more waits for a second person."),
            _l("Keep it"),
            {
                "entity": Ask(_l("Entity"), options=lambda entity: [(entity.code, entity.name)]),
                "daily_cap": Ask(_l("Letters a collector a day, at most"), first=lambda entity: entity.daily_cap),
                "email_hours": _hours("email", _l("E-mail, hours"), _l("Of the customer's day: 0-24 is any hour.")),
                "letter_hours": _hours("letter", _l("Letter, hours"), ""),
                "sms_hours": _hours("sms", _l("Short message, hours"), _l("At least four hours, as in 9-18.")),
                "chat_hours": _hours("chat", _l("Chat, hours"), ""),
                "quiet_weekdays": Ask(
                    _l("Days of the week without messages"), options=_weekdays, first=sending_terms.weekdays_given
                ),
                "quiet_dates": Ask(
                    _l("Further quiet days"),
                    _l("A line each: 2026-12-24, or 2026-12-24 to 2027-01-03."),
                    first=sending_terms.dates_given,
                    kind="area",
                ),
                "holidays": Ask(
                    _l("On public holidays where the customer is"),
                    options=_yes_no(_l("nothing is sent"), _l("it sends as on other days")),
                    first=lambda entity: "yes" if times_of(entity).holidays else "no",
                ),
                "version": Ask("", first=lambda entity: entity.version, kind="hidden"),
            },
        ),
        Shape(
            "ApproveSendingTerms",
            _l("Approve other sending terms"),
            _l("They count for the next message on."),
            _l("Approve"),
            {"entity": Ask(_l("Entity"), options=_this_entity)},
        ),
        Shape(
            "StopSending",
            _l("Stop sending now"),
            _l("Nothing is claimed any more and no step begins. Starting again takes two people."),
            _l("Stop sending"),
            {"entity": Ask(_l("Entity"), options=_this_entity)},
            danger=True,
        ),
        Shape(
            "StopPolicy",
            _l("Stop this policy now"),
            _l("Its stage changes nothing from now on and its messages wait. Going on takes two people."),
            _l("Stop the policy"),
            {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
            danger=True,
        ),
        Shape(
            "ProposeModel",
            _l("Propose as champion"),
            _l("It waits for another person. Until then nothing changes."),
            _l("Propose"),
            {"model": Ask(_l("Model"), options=_this_model), "sha256": _sha256_of_model},
        ),
        Shape(
            "PromoteModel",
            _l("Make it the champion"),
            _l("From the next run on its score is the score. The champion until now can be gone back to."),
            _l("Approve"),
            {"model": Ask(_l("Model"), options=_this_model), "sha256": _sha256_of_model},
        ),
        Shape(
            "WithdrawModel",
            _l("Drop the proposal"),
            _l("The model stays what it is; the champion goes on."),
            _l("Drop it"),
            {"model": Ask(_l("Model"), options=_this_model)},
        ),
        Shape(
            "ProposeResume",
            _l("Propose that the policy goes on"),
            _l("It stays stopped until another person approves."),
            _l("Propose"),
            {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
        ),
        Shape(
            "ApproveResume",
            _l("Let the policy go on"),
            _l("The next run decides with it again; each message is decided anew before it leaves."),
            _l("Approve"),
            {"policy": Ask(_l("Policy"), options=_policies), "entity": Ask(_l("For"), options=_reaches)},
            danger=True,
        ),
        Shape(
            "SetLetterhead",
            _l("Letterhead and bank account"),
            _l("Printed on every letter from the next one on. Another bank account raises an alarm."),
            _l("Keep it"),
            {
                "entity": Ask(_l("Entity"), options=lambda entity: [(entity.code, entity.name)]),
                "address": _printed("address", _l("Postal address"), _l("Without the name, a line each."), "area"),
                "mail_from": _printed("mail_from", _l("E-mail address"), _l("Answers of customers arrive there.")),
                "account_holder": _printed(
                    "account_holder", _l("Account holder"), _l("Leave empty where it is the entity's name.")
                ),
                "iban": _printed("iban", _l("IBAN"), _l("Letters in EUR then carry a code that banking apps scan.")),
                "bic": _printed("bic", _l("BIC")),
                "payment_details": _printed(
                    "payment_details", _l("Further ways to pay"), _l("Printed as it is written here."), "area"
                ),
                "version": Ask("", first=lambda entity: entity.version, kind="hidden"),
            },
        ),
        Shape(
            "ProposeGatewayAddress",
            _l("Propose an address for webhooks"),
            _l("Events of this entity go there once a second person has approved it."),
            _l("Propose"),
            {
                "entity": Ask(_l("Entity"), options=lambda entity: [(entity.code, entity.name)]),
                "url": Ask(_l("Address"), _l("https, on port 443 or 8443; nothing within our own network.")),
            },
        ),
        Shape(
            "ApproveGatewayAddress",
            _l("Approve the address for webhooks"),
            _l("From now on events of the entity go there, signed."),
            _l("Approve"),
            {"address": Ask("", kind="hidden"), "sha256": Ask("", kind="hidden")},
        ),
        Shape(
            "WithdrawGatewayAddress",
            _l("Take the address for webhooks out of force"),
            _l("Steps with the channel webhook wait from now on."),
            _l("Take out of force"),
            {"address": Ask("", kind="hidden")},
            danger=True,
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
        Shape(
            "CreateEntity",
            _l("Open an entity"),
            _l("One of your legal entities. Give people its scope next; it sends after go-live only."),
            _l("Open it"),
            {
                "code": Ask(_l("Code"), _l("1 to 20 letters or digits, as in files and addresses.")),
                "name": Ask(_l("Name"), _l("As its letters print it.")),
                "currency": Ask(_l("Base currency"), options=places.currencies, first=lambda _s: "EUR"),
                "zone": Ask(_l("Time zone"), options=places.zones, first=lambda _s: gate.runtime().settings.zone),
                "country": Ask(
                    _l("Country"),
                    _l("Its holidays count when days are shifted."),
                    options=places.countries,
                    first=lambda _s: "DE",
                ),
                "portfolio_share_bp": Ask(
                    _l("A run waits for a person when it would change more than"),
                    _l("Of all customers of the entity."),
                    options=places.shares,
                    first=lambda _s: 500,
                ),
            },
        ),
        Shape(
            "GrantRole",
            _l("Give a role or a scope"),
            _l("It counts at the person's next click."),
            _l("Give it"),
            {
                "role": Ask(_l("Role"), options=lambda s: [("", _("None")), *_roles(s)]),
                "entity": Ask(_l("Sees the entity"), options=_entities),
                "portfolio": Ask(_l("Only the portfolio"), _l("Leave empty for all of the entity.")),
            },
        ),
        Shape(
            "ApproveRole",
            _l("Approve a role"),
            _l("It counts at the person's next click. Nobody approves what they proposed."),
            _l("Approve"),
            {"role": Ask(_l("Role"), options=_proposed)},
        ),
        Shape(
            "WithdrawRole",
            _l("Take a role"),
            _l("It counts at the person's next click."),
            _l("Take it"),
            {"role": Ask(_l("Role"), options=_held)},
            danger=True,
        ),
        *CLAIM_SHAPES,
    )
}
