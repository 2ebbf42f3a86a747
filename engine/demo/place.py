"""Where the demo stands: its clock, what is kept between days, and who acts in it."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from engine.commands import NotFound
from engine.demo.companies import BOOKS
from engine.people import CreateUser
from engine.tables import User

if TYPE_CHECKING:
    from engine.runtime import Runtime

STATE_FILE = "demo.json"
LOGINS_FILE = "demo-logins.txt"
PASSWORD_BYTES = 12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PEOPLE = (
    ("administrator", "Administrator", "administrator"),
    ("credit.manager", "Credit manager", "credit_manager"),
    ("second.manager", "Second manager", "credit_manager"),
    ("analyst", "Risk analyst", "risk_analyst"),
    ("collector", "Collector", "collector"),
    ("second.collector", "Second collector", "collector"),
    ("sales", "Sales", "sales"),
    ("customer.care", "Customer care", "customer_care"),
    ("auditor", "Auditor", "auditor"),
)
DOMAIN = "dunwell.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a demo was built with and how far it has come; kept in ``var/demo.json``.

    Args:
        seed, first_day, customers, span_days: of the generator.
        decided_from_day: the first day decided through the product; before it lies history.
        until_day: the last day that is whole.
    """

    seed: int
    first_day: int
    customers: int
    span_days: int
    decided_from_day: int
    until_day: int

    @property
    def last_planned_day(self) -> int:
        """The day the first build ends on."""
        return self.first_day + self.span_days - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who may sign in to the demo."""

    email: str
    role: str
    password: str


class DemoClock:
    """A clock that stands where the demo sets it, so that what happens on a day is recorded on it."""

    def __init__(self, day: int) -> None:
        self.instant = EPOCH + timedelta(days=day)

    def __call__(self) -> datetime:
        """Return the instant it stands at."""
        return self.instant

    def set(self, day: int, hour: int, minute: int = 0) -> None:
        """Move to a time of a day, UTC."""
        self.instant = EPOCH + timedelta(days=day, hours=hour, minutes=minute)


def on_clock(runtime: "Runtime", clock: DemoClock) -> "Runtime":
    """Return the same place on another clock: same database and vault, silent bell, caches of its own."""
    return replace(runtime, now=clock, ring=lambda: None, cache={})


def kept(runtime: "Runtime") -> Standing | None:
    """Return how far the demo has come, None where there is none."""
    path = runtime.settings.var / STATE_FILE
    return Standing(**json.loads(path.read_text())) if path.exists() else None


def keep(runtime: "Runtime", standing: Standing) -> None:
    """Write how far the demo has come; a crash leaves the older or the newer state, never half of one."""
    path = runtime.settings.var / STATE_FILE
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(standing)))
    unfinished.replace(path)


def people(runtime: "Runtime") -> dict[str, int]:
    """Return the ids of the demo's users by the first part of their address; who is missing is created."""
    missing = [one for one in PEOPLE if not User.select().where(User.email == _address(one[0])).exists()]
    if missing:
        path = runtime.settings.var / LOGINS_FILE
        known = {login.email: login for login in logins(runtime)}
        for place, _, role in missing:
            address = _address(place)
            known[address] = Login(email=address, role=role, password=secrets.token_urlsafe(PASSWORD_BYTES))
        # the passwords are on disk before the accounts exist: a crash in between loses no login
        _write_private(path, "".join(f"{one.email}\t{one.role}\t{one.password}\n" for one in known.values()))
        hasher = PasswordHasher()
        for place, name, role in missing:
            runtime.execute(
                CreateUser(
                    actor=None,
                    reason="one login per role, for the demo",
                    email=_address(place),
                    name=name,
                    password_hash=hasher.hash(known[_address(place)].password),
                    roles=(role,),
                    entities=tuple(books.code for books in BOOKS),
                )
            )
    return {place: _user(place).id for place, _, _ in PEOPLE}


def logins(runtime: "Runtime") -> list[Login]:
    """Return the demo's logins with their passwords, as shown by ``dunwell demo``."""
    path = runtime.settings.var / LOGINS_FILE
    if not path.exists():
        return []
    rows = (line.split("\t") for line in path.read_text().splitlines() if line)
    return [Login(email=email, role=role, password=password) for email, role, password in rows]


def _address(place: str) -> str:
    return f"{place}@{DOMAIN}"


def _user(place: str) -> User:
    found: User | None = User.get_or_none(User.email == _address(place))
    if found is None:
        raise NotFound(f"no user {_address(place)}")
    return found


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; never readable by others, not even for a moment."""
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)
