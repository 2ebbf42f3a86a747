"""A small demo, built through the product's own doors: forty customers, twenty days."""

import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from engine import demo
from engine.audit import verify_chain
from engine.demo.place import EPOCH, LOGINS_FILE, PEOPLE
from engine.replaying import decided_on, replay_day
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import (
    TABLES,
    Absence,
    Action,
    Alarm,
    Customer,
    Decision,
    Document,
    DueLine,
    Entity,
    Message,
    Outcome,
    Override,
    Promise,
    Proposal,
    Run,
    ScoreModel,
    Standing,
    User,
)
from engine.verify import verify
from scoring.invoice_model import TASK as INVOICE_TASK
from scoring.invoice_model import load_invoice_model
from scoring.labels import TASK
from scoring.model import load

TODAY = 20_600
DECIDED = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A runtime on the demo's today, with the small demo built."""
    var = tmp_path_factory.mktemp("demo") / "var"
    settings = Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key="only for this test " * 3)
    runtime = build(settings, now=lambda: EPOCH + timedelta(days=TODAY, hours=9))
    built = demo.build(runtime, TODAY, customers=40, decided_days=DECIDED, history_days=400)
    assert built.new
    assert built.until_day == TODAY - 1
    yield runtime
    runtime.close()


@pytest.fixture(autouse=True)
def _bound(place: Runtime) -> Iterator[None]:
    """Tables talk to the demo's database in these tests."""
    from engine.tables import database

    before = database.obj
    database.initialize(place.database)
    yield
    database.initialize(before)


def counts() -> dict[str, int]:
    """How many rows each table has."""
    return {table.__name__: table.select().count() for table in TABLES}


def test_every_day_is_decided_once_for_each_entity() -> None:
    """Adopted on the first day, then a nightly run a day until yesterday, all done."""
    for entity in Entity.select():
        runs = list(Run.select().where(Run.entity == entity, Run.state == "done").order_by(Run.as_of_day))
        assert [run.as_of_day for run in runs] == list(range(TODAY - DECIDED, TODAY))
        assert [run.kind for run in runs] == ["adoption"] + ["nightly"] * (DECIDED - 1)
        assert entity.sending


def test_two_people_approved_every_document_and_the_models() -> None:
    """The shipped documents are live; nobody approved what they proposed."""
    documents = list(Document.select())
    assert {document.status for document in documents} == {"live"}
    assert all(document.proposed_by_id != document.approved_by_id for document in documents)
    models = {model.task: model for model in ScoreModel.select()}
    of_customers, of_invoices = models[TASK], models[INVOICE_TASK]
    assert of_customers.status == "champion"
    assert of_customers.trained_by_id != of_customers.approved_by_id
    assert load(of_customers.body, of_customers.sha256)[1] == []
    assert load_invoice_model(of_invoices.body, of_invoices.sha256)[1] == []


def test_levels_history_diary_and_messages_are_there() -> None:
    """Customers stand at several levels; letters are in the mailbox, calls are made, some are left."""
    assert len({outcome.level for outcome in Outcome.select()}) >= 3
    assert Outcome.select().count() == Customer.select().count()
    assert Decision.select().count() > Customer.select().count()
    assert Standing.select().where(Standing.open).exists()
    assert Message.select().where(Message.gateway == "mailbox", Message.sent_at.is_null(False)).count() > 20
    assert Action.select().where(Action.channel == "call", Action.state == "done").exists()
    assert Action.select().where(Action.state == "open").exists()
    assert Promise.select().count() > 20


def test_what_takes_two_people_was_agreed_by_two() -> None:
    """A limit above the rules' counts, another waits; somebody is away; nobody approved their own."""
    limits = list(Override.select().where(Override.target == "limit").order_by(Override.id))
    assert [row.approved_by_id is None for row in limits] == [False, True]
    assert all(row.by_id != row.approved_by_id for row in limits)
    assert all(row.proposed_by_id != row.decided_by_id for row in Proposal.select())
    assert Absence.select().where(Absence.until_day > TODAY).exists()


def test_what_is_booked_in_a_decided_day_is_recorded_on_it() -> None:
    """Recorded day = booked day, in history and after it."""
    assert DueLine.select().where(DueLine.recorded_day != DueLine.booked_day).count() == 0
    assert DueLine.select().where(DueLine.booked_day >= TODAY - DECIDED).exists()


def test_nothing_went_wrong_unseen() -> None:
    """The audit chain is whole; no alarm is left and none but the gate's was ever raised."""
    assert verify_chain().broken == ()
    assert {alarm.kind for alarm in Alarm.select()} <= {"gated"}
    assert not Alarm.select().where(Alarm.acknowledged_at.is_null()).exists()


@pytest.mark.promise("D2")
def test_it_verifies_and_every_day_replays_without_a_difference(place: Runtime) -> None:
    """Balances, stored facts, standings, decisions; each day of each entity decided again."""
    report = verify(place)
    assert report.sound, report.values()
    replays = [replay_day(place, entity, day) for day in range(TODAY - DECIDED, TODAY) for entity in decided_on(day)]
    assert sum(replay.decisions for replay in replays) == Decision.select().count()
    assert [replay.values() for replay in replays if replay.found or replay.from_own_facts] == []


def test_logins_are_private_and_open_the_accounts(place: Runtime) -> None:
    """One per role with a generated password, in a file that only its owner reads."""
    logins = demo.logins(place)
    path = Path(place.settings.var) / LOGINS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [login.role for login in logins] == [role for _, _, role in PEOPLE]
    assert len({login.password for login in logins}) == len(logins)
    for login in logins:
        assert PasswordHasher().verify(User.get(User.email == login.email).password, login.password)


def test_building_again_changes_nothing(place: Runtime) -> None:
    """What is there is kept, row for row, also on a later day."""
    before = counts()
    again = demo.build(place, TODAY + 3, customers=40, decided_days=DECIDED, history_days=400)
    assert not again.new
    assert again.until_day == TODAY - 1
    assert counts() == before


def test_the_next_day_adds_a_day(place: Runtime) -> None:
    """One more run per entity, as of the day after the last; then it is the last."""
    before = Run.select().where(Run.kind == "nightly").count()
    assert demo.next_day(place) == TODAY
    runs = list(Run.select().where(Run.as_of_day == TODAY, Run.kind == "nightly"))
    assert len(runs) == Entity.select().count()
    assert Run.select().where(Run.kind == "nightly").count() == before + len(runs)
    assert json.loads((place.settings.var / "demo.json").read_text())["until_day"] == TODAY


def test_without_a_demo_there_is_no_next_day(tmp_path: Path) -> None:
    """Asking for a day of a demo that is not there changes nothing."""
    settings = Settings(database=f"sqlite:///{tmp_path / 'd.db'}", var=tmp_path, secret_key="only for this test " * 3)
    empty = build(settings, now=lambda: EPOCH)
    assert demo.next_day(empty) is None
    empty.close()
