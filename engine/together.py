"""What the due messages of one claim are decided and written with, read for all of them at once."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from engine import contact_times, edited_texts, recheck, statements
from engine.outages import outage_of
from engine.reaching import Addresses
from engine.sending import Verdict, business_day, prepare
from engine.wordings import wording_for

if TYPE_CHECKING:
    from engine.contact_times import Contacted
    from engine.recheck import Read
    from engine.runtime import Runtime
    from engine.statements import Items
    from engine.tables import Action, Entity
    from notifiers.composing import Wording
    from notifiers.gateways import Gateway

log = logging.getLogger(__name__)

T = TypeVar("T")


class Together:
    """Prepares the due messages of one claim, reading for all of an entity and day at once.

    Made and used inside the claim's transaction, so nobody else writes between the read and the last
    verdict; what the claim itself writes is told by ``taken``. Where reading for all fails, each
    message is read for alone: one stops no other.

    Args:
        actions: all that may be claimed, with their customers and entities.
    """

    def __init__(self, runtime: "Runtime", actions: Sequence["Action"]) -> None:
        self._runtime = runtime
        self._customers: dict[tuple[int, int], list[int]] = {}
        self._of_lines: dict[tuple[int, int], list[int]] = {}
        self._of_entity: dict[int, list[int]] = {}
        for action in actions:
            key = (action.entity_id, business_day(runtime, action))
            self._customers.setdefault(key, []).append(action.customer_id)
            self._of_entity.setdefault(action.entity_id, []).append(action.customer_id)
            if action.line_id:
                self._of_lines.setdefault(key, []).append(action.customer_id)
        self.addresses = Addresses(runtime, [action.customer_id for action in actions])
        self._facts: dict[tuple[int, int], Read | None] = {}
        self._items: dict[tuple[int, int], Items | None] = {}
        self._wordings: dict[tuple[int, int, str], Wording | None] = {}
        self._contacted: dict[int, Contacted] = {}
        self._edited = edited_texts.edited_among([action.id for action in actions])

    def prepare(self, runtime: "Runtime", action: "Action", now_at: int, gateway: "Gateway") -> Verdict:
        """Decide the customer again and fix what the letter says."""
        return prepare(runtime, action, now_at, gateway, self)

    def facts(self, entity: "Entity", day: int, customer: int) -> "Read":
        """Facts of a customer and of those asked for together with it."""
        key = (entity.id, day)
        if key not in self._facts:
            asked, of_lines = self._customers.get(key, [customer]), self._of_lines.get(key, [])
            self._facts[key] = self._tried(lambda: recheck.read(self._runtime, entity, day, asked, of_lines))
        found = self._facts[key]
        if found is not None:
            return found
        with self._runtime.database.atomic():
            return recheck.read(self._runtime, entity, day, [customer], [customer])

    def items(self, entity: "Entity", facts: "Read", customer: int) -> "Items":
        """Open items of a customer and of those whose facts were read together with it."""
        key = (entity.id, facts.ask.as_of_day)
        if facts is not self._facts.get(key):
            return statements.open_items_of(self._runtime, entity, [customer], facts.ask.basis, facts.frames)
        if key not in self._items:
            self._items[key] = self._tried(
                lambda: statements.open_items_of(self._runtime, entity, list(facts.rows), facts.ask.basis, facts.frames)
            )
        return self._items[key] or statements.open_items_of(
            self._runtime, entity, [customer], facts.ask.basis, facts.frames
        )

    def contacted(self, entity: "Entity") -> "Contacted":
        """How often the customers of an entity were contacted."""
        if entity.id not in self._contacted:
            self._contacted[entity.id] = contact_times.contacted(entity, self._of_entity.get(entity.id, []))
        return self._contacted[entity.id]

    def taken(self, action: "Action", lease_until_at: int) -> None:
        """A message was claimed: to the others of its customer it is a contact."""
        if action.entity_id in self._contacted:
            self._contacted[action.entity_id].add(action, lease_until_at)

    def wording(self, entity: "Entity", template: str, day: int) -> "Wording | None":
        """The template in force, with what all letters share."""
        key = (entity.id, day, template)
        if key not in self._wordings:
            self._wordings[key] = wording_for(self._runtime, entity, template, day)
        return self._wordings[key]

    def own_words(self, action: "Action", wording: "Wording", language: str) -> "Wording | None":
        """What a message is written with: its template, or a person's words; None: in another language now."""
        if action.id not in self._edited:
            return wording
        return edited_texts.with_own_words(self._runtime, action, wording, language)

    def _tried(self, look: Callable[[], T]) -> T | None:
        try:
            with self._runtime.database.atomic():
                return look()
        except Exception as error:
            if outage_of(error) is not None:
                raise
            log.warning("reading for several messages at once failed; each is read for alone", exc_info=True)
            return None
