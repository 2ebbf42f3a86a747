"""Reaching: to which address a message goes by each channel, and by which other channel where there is none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine import access
from engine.doors import INTERNAL, LETTER, WEBHOOK, ClosedGateway, doors_of
from engine.gateway_addresses import address_in_force
from engine.numbers import mobile_of
from engine.postal import is_postal, postal_lines
from engine.tables import Action, Contact, Customer, Entity, Person, User, UserRole
from notifiers.messaging import RECEIVERS
from notifiers.mime import is_address

if TYPE_CHECKING:
    from engine.runtime import Runtime

COLLEAGUES_MAX = 20  # of one internal mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Whom a message goes to.

    Args:
        person: with whose key its text is sealed.
        address: for e-mail, a telephone number, a chat name, a web address, or the lines of the postal one.
        name: of a person, not of the company; may be empty.
        language: of the text.
        copies: further addresses of an internal mail.
    """

    person: Person
    address: str
    name: str = ""
    language: str = "en"
    copies: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The address line by line."""
        return self.address.splitlines()


def is_reached(runtime: "Runtime", action: Action) -> bool:
    """Whether a message has an address to go to now, by any of its channels."""
    entity = Entity.get_by_id(action.entity_id)
    return any(reached(runtime, action, entity, channel) for channel in action.ways)


def next_way(runtime: "Runtime", action: Action, entity: Entity) -> str | None:
    """The first channel after the one that was tried by which a message can be sent; None: no other."""
    later = action.ways[action.ways.index(action.way) + 1 :]
    return next((channel for channel in later if reached(runtime, action, entity, channel)), None)


def needs_contact(runtime: "Runtime", action: Action) -> bool:
    """Whether a contact would help: one of its channels goes to the customer and is set up."""
    doors = doors_of(runtime)
    return any(
        channel not in (WEBHOOK, INTERNAL) and not isinstance(doors[channel], ClosedGateway) for channel in action.ways
    )


class Addresses:
    """The contacts of some customers, without erased ones: read at once, when the first is asked for.

    Args:
        customers: whose contacts to read; others are read by themselves.
    """

    def __init__(self, runtime: "Runtime", customers: Sequence[int]) -> None:
        self._runtime, self._customers = runtime, set(customers)
        self._contacts: dict[int, list[Contact]] | None = None

    def of(self, customer_id: int) -> Iterator[tuple[Contact, dict[str, object]]]:
        """Contacts of a customer with what is known of them, in the order they came."""
        if self._contacts is None:
            self._contacts = {}
            for contact in self._read(list(self._customers)):
                self._contacts.setdefault(contact.customer_id, []).append(contact)
        own = self._contacts.get(customer_id, []) if customer_id in self._customers else self._read([customer_id])
        for contact in own:
            yield contact, self._runtime.vault.open_person(contact.person) or {}

    @staticmethod
    def _read(customers: Sequence[int]) -> list[Contact]:
        return list(
            Contact.select(Contact, Person)
            .join(Person)
            .where(Contact.customer.in_(customers), Person.key_sealed.is_null(False))
            .order_by(Contact.id)
        )


def reached(
    runtime: "Runtime", action: Action, entity: Entity, channel: str, addresses: Addresses | None = None
) -> Reached | None:
    """To whom an action goes by a channel; None: nobody, or nothing is set up for the channel.

    Args:
        addresses: where contacts were read for several customers at once.
    """
    if isinstance(doors_of(runtime)[channel], ClosedGateway):
        return None
    customer = action.customer
    if channel == LETTER:
        return postal_of(runtime, customer, entity, addresses)
    if channel == WEBHOOK:
        return _receiver_of(runtime, customer, entity)
    if channel == INTERNAL:
        return _colleagues_of(runtime, action)
    if channel in RECEIVERS:
        return _messaged(runtime, customer, entity, channel, addresses)
    return address_of(runtime, customer.id, addresses)


def address_of(runtime: "Runtime", customer_id: int, addresses: Addresses | None = None) -> Reached | None:
    """The customer's first contact with a usable e-mail address, or None."""
    for contact, known in (addresses or Addresses(runtime, [customer_id])).of(customer_id):
        address = _said(known, "email")
        if contact.usable and is_address(address):
            return _of_contact(contact, address, known)
    return None


def postal_of(
    runtime: "Runtime", customer: Customer, entity: Entity, addresses: Addresses | None = None
) -> Reached | None:
    """The customer's first contact with a postal address, or None; a bounced e-mail address does not spoil it."""
    for contact, known in (addresses or Addresses(runtime, [customer.id])).of(customer.id):
        if is_postal(known):
            return _of_contact(contact, "\n".join(postal_lines(known, customer, entity)), known)
    return None


def _messaged(
    runtime: "Runtime", customer: Customer, entity: Entity, channel: str, addresses: Addresses | None
) -> Reached | None:
    """The customer's first contact with a mobile number, or a chat name, that no provider has refused."""
    for contact, known in (addresses or Addresses(runtime, [customer.id])).of(customer.id):
        if channel in str(contact.refused).split(","):
            continue
        country = _said(known, "country") or customer.country or entity.country
        address = mobile_of(known, country) if channel == "sms" else _said(known, "chat")
        if address and RECEIVERS[channel].fullmatch(address):
            return _of_contact(contact, address, known)
    return None


def _receiver_of(runtime: "Runtime", customer: Customer, entity: Entity) -> Reached | None:
    url = address_in_force(entity)
    return None if url is None else Reached(person=person_about(runtime, customer), address=url)


def _colleagues_of(runtime: "Runtime", action: Action) -> Reached | None:
    """The people of the step's role who see the customer; of collectors the customer's own."""
    users = list(
        User.select()
        .join(UserRole, on=(UserRole.user == User.id))
        .where(UserRole.role == action.owner_role, User.active == True)  # noqa: E712
        .order_by(User.id)
    )
    own = [user for user in users if user.id == action.owner_id]
    of_customer = Customer.select().where(Customer.id == action.customer_id)
    found = [user for user in own or users if is_address(user.email) and access.visible_to(user, of_customer).exists()]
    if not found:
        return None
    first, *others = found[:COLLEAGUES_MAX]
    return Reached(
        person=person_about(runtime, action.customer),
        address=first.email,
        name="" if others else first.name,
        language=first.language,
        copies=tuple(user.email for user in others),
    )


def refuse(person: Person, channel: str) -> None:
    """Note that a contact's address of a channel is refused for good: it is not used again."""
    if channel == "email":
        Contact.update(usable=False).where(Contact.person == person).execute()
        return
    for contact in Contact.select().where(Contact.person == person):
        refused = sorted({*filter(None, str(contact.refused).split(",")), channel})
        Contact.update(refused=",".join(refused)).where(Contact.id == contact.id).execute()


def person_about(runtime: "Runtime", customer: Customer) -> Person:
    """With whose key a message about a customer is sealed that does not go to them: erased with their contact."""
    for contact, _ in Addresses(runtime, [customer.id]).of(customer.id):
        person: Person = contact.person
        return person
    return runtime.vault.create_person({})


def _of_contact(contact: Contact, address: str, known: dict[str, object]) -> Reached:
    return Reached(person=contact.person, address=address, name=_said(known, "name"), language=contact.language)


def _said(known: dict[str, object], name: str) -> str:
    return str(known.get(name) or "").strip()
