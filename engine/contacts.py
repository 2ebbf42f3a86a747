"""Contacts that a person enters: sealed like those an import brings."""

from dataclasses import dataclass

from engine.commands import Change, Command, Context, Invalid, register
from engine.tables import Contact
from ledger.problems import Problem

LENGTH_MAX = 200


@dataclass(frozen=True, kw_only=True)
class AddContact(Command):
    """A person to write to or call.

    Args:
        email, phone: one of the two at least.
        role: what they are at the customer's.
        language: of letters to them; empty: the customer's.
    """

    customer: int
    name: str
    email: str = ""
    phone: str = ""
    role: str = "accounts payable"
    language: str = ""


@register(AddContact, permission="people.view", person_only=True)
def add_contact(context: Context, command: AddContact) -> Change:
    """Keep them, sealed with a key of their own."""
    customer = context.customer(command.customer)
    known = {name: str(getattr(command, name)).strip() for name in ("name", "email", "phone")}
    problems = [
        Problem(place=name, what=f"is longer than {LENGTH_MAX} characters", cure="shorten it")
        for name, value in {**known, "role": command.role}.items()
        if len(value) > LENGTH_MAX
    ]
    if not known["name"]:
        problems.append(Problem(place="name", what="is missing", cure="say whom you reach there"))
    if not known["email"] and not known["phone"]:
        problems.append(Problem(place="email", what="is missing", cure="give an e-mail address or a telephone number"))
    before, at, after = known["email"].partition("@")
    if known["email"] and not (before and at and "." in after and " " not in known["email"]):
        problems.append(Problem(place="email", what="is no e-mail address", cure="write it as name@company.example"))
    language = command.language or customer.language
    if len(language) != 2:
        problems.append(Problem(place="language", what="is no language", cure="give a code of two letters, as de"))
    if problems:
        raise Invalid(problems)
    person = context.runtime.vault.create_person({name: value for name, value in known.items() if value})
    contact = Contact.create(
        customer=customer, person=person, role=command.role.strip() or "accounts payable", language=language
    )
    return Change(
        subject_kind="contact",
        subject_id=contact.id,
        after={"customer": customer.id, "person": person.id, "language": language},
        answer={"contact": contact.id},
        entity_id=customer.entity_id,
    )
