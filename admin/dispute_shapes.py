"""The forms of disputes."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin import choices
from admin.forms import Ask, Shape
from engine import access
from engine.tables import Customer, User

PEOPLE_MAX = 200


def _roles_or(nothing: Any) -> Any:
    return lambda subject: [("", nothing), *choices.roles(subject)]


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


def _outcomes(_subject: Any) -> list[tuple[str, str]]:
    return [("accepted", _("accepted")), ("rejected", _("rejected")), ("withdrawn", _("withdrawn by the customer"))]


DISPUTE_SHAPES = (
    Shape(
        "RecordDispute",
        _l("Open a dispute"),
        _l("The disputed part leaves dunning until the dispute is closed."),
        _l("Open the dispute"),
        {
            "due_line": Ask(_l("Invoice"), options=choices.one_line),
            "amount_minor": Ask(_l("Amount disputed"), _l("Leave empty for all of it.")),
            "cause": Ask(_l("Cause"), options=choices.causes),
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
)
