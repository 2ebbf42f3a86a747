"""Who receives: providers that fail, and workers that die at any commit or call."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from engine.sqlite import Sqlite
from notifiers.gateways import Doubtful, OutgoingMessage, Receipt, Rejected, Unreachable

ASKED = re.compile(r"^Please pay: ([\d.,\s]+[.,]\d\d)\s([A-Z]{3})$", re.MULTILINE)
BILL_NUMBER = re.compile(r"\b[NE]-\d{5}\b")


class Killed(BaseException):
    """The worker dies here. No ``except Exception`` of the product may catch it."""


class Life:
    """How many commits and calls the worker passes before it dies; None: it lives on."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.dead = False

    def point(self) -> None:
        """Pass a boundary, or die at it."""
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.dead = True
                raise Killed


class MortalDatabase(Sqlite):  # type: ignore[misc]
    """Dies before or after a commit; a dead process says nothing more to its database."""

    life: Life

    def commit(self) -> object:
        """Commit, if the process lives so long."""
        self.life.point()
        done = super().commit()
        self.life.point()
        return done

    def execute_sql(self, *args: object, **more: object) -> object:
        """Execute, unless dead: what unwinds must change nothing."""
        if self.life.dead:
            raise Killed
        return super().execute_sql(*args, **more)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that reached its receiver; ``asked``: what it says is to be paid, by currency, if anything."""

    key: str
    channel: str
    to: str
    at: int
    bills: frozenset[str]
    asked: dict[str, int] | None


class Receiver:
    """A provider of one channel.

    Args:
        idempotent: whether it drops a second message with the same key.
        arrived: told of every effect at once.
        wait: lets time pass while the provider is slow.
    """

    def __init__(
        self,
        channel: str,
        idempotent: bool,
        random: Random,
        life: Life,
        arrived: Callable[[Arrival], None],
        wait: Callable[[], None],
    ) -> None:
        self.channel, self.idempotent, self.name = channel, idempotent, f"town_{channel}"
        self.random, self.life, self.arrived, self.wait = random, life, arrived, wait
        self.effects: Counter[str] = Counter()
        self.down = False
        self.trouble = 0.0  # how often something goes wrong
        self.faults: Counter[str] = Counter()

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Take a message, or fail in one of the ways providers do."""
        self.life.point()
        if self.down:
            self.faults["down"] += 1
            raise Unreachable("nobody answers", for_all=True)
        fault = self._fault()
        self.faults[fault] += 1
        if fault == "busy":
            raise Unreachable("451 try again later")
        if fault == "refused":
            raise Rejected("554 no", address_is_bad=self.random.random() < 0.3)
        if fault == "slow before":
            self.wait()
        if not self.idempotent:
            about_to_send()
        self.life.point()
        if fault == "lost":
            raise Doubtful("the connection broke")
        self._take(message)
        self.life.point()
        if fault == "slow after":
            self.wait()
        if fault == "no answer":
            raise Doubtful("no answer came")
        return Receipt(self.name, "taken")

    def find(self, key: str) -> Receipt | None:
        """Whether it has a message; one that drops no repeat cannot be asked."""
        return Receipt(self.name, "taken") if self.idempotent and self.effects[key] else None

    def _fault(self) -> str:
        if self.random.random() >= self.trouble:
            return "fine"
        kinds = ("busy", "busy", "refused", "lost", "no answer", "slow before", "slow after")
        return self.random.choice(kinds)

    def _take(self, message: OutgoingMessage) -> None:
        if self.idempotent and self.effects[message.key]:
            self.faults["repeated"] += 1
            return
        self.effects[message.key] += 1
        bills = frozenset(BILL_NUMBER.findall(message.text))
        sums = {currency: int(re.sub(r"\D", "", amount)) for amount, currency in ASKED.findall(message.text)}
        asked = {currency: amount for currency, amount in sums.items() if amount} if sums else None
        self.arrived(Arrival(message.key, self.channel, message.to_address, message.at, bills, asked))
