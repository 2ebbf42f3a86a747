"""The forms of an entity: when it sends, what it prints, where its events go."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import choices, gate, places, sending_terms
from admin.forms import Ask, Shape
from admin.signs import signs
from engine.contact_times import times_of


def _this_entity(_subject: Any) -> list[tuple[str, str]]:
    return [(e.code, e.name) for e in signs().entities]


def _printed(name: str, label: Any, hint: Any = "", kind: str = "") -> Ask:
    """A field of the letterhead, with what is printed now."""
    return Ask(label, hint, first=lambda entity: entity.__data__[name], kind=kind)


def _hours(channel: str, label: Any, hint: Any) -> Ask:
    """Sending hours of a channel, with what holds now."""
    return Ask(label, hint, first=lambda entity: "{}-{}".format(*times_of(entity).of(channel)))


def _weekdays(entity: Any) -> list[tuple[str, str]]:
    """What may be chosen; what holds now is among it."""
    return sending_terms.weekday_choices(sending_terms.weekdays_given(entity))


ENTITY_SHAPES = (
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
                options=choices.yes_no(_l("nothing is sent"), _l("it sends as on other days")),
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
)
