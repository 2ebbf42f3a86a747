"""A disk that is full, fails or may not be written to (promise E2): whole or absent, and on it goes.

The n-th operation fails and every later one, for n = 1, 2, 3 ... until the work gets through before
its disk fails; after each failure there is room again and the same process goes on, without a restart.
"""

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from engine import kept_frames, outbox, runs, tasks, uploads
from engine.commands import execute
from engine.corrections import RecordPromise
from engine.importing import ImportFile, preview
from engine.outages import TOLD, Outage, outage_of
from engine.reaching import address_of
from engine.sending import Go
from engine.sqlite import Sqlite
from engine.tables import Action, Alarm, Contact, Decision, DueLine, Entity, Import, Promise, Run, User
from engine.verify import verify
from notifiers.composing import Composed
from notifiers.gateways import OutgoingMessage, Unreachable
from notifiers.mailbox import MailboxGateway

WORKER = Path(__file__).parents[1] / "console" / "day_worker.py"
PATIENCE_SECONDS = 120
START = datetime(2026, 3, 31, 9, tzinfo=UTC)
OUTAGES = {"full": Outage.FULL, "eio": Outage.FAILING, "read-only": Outage.READ_ONLY}
STRIDE = 7  # of the operations of long works, in the default tier
faults = pytest.mark.parametrize("fault", OUTAGES)


@pytest.fixture(scope="module")
def company(story, tmp_path_factory):
    """The state folder of a company that trades, made once."""
    folder = tmp_path_factory.mktemp("company") / "var"
    runtime = story.runtime_on(folder, Sqlite, lambda: START)
    story.trade(runtime, *story.set_up(runtime))
    runtime.close()
    return folder


@pytest.fixture
def on_disk(disks, story, clock, company, tmp_path) -> Iterator[tuple]:
    """That company on a disk that can fail, a day later: disk, runtime, its first manager."""
    disk, folder = disks.Disk(), tmp_path / "var"
    shutil.copytree(company, folder)
    clock.advance(days=1)
    runtime = story.runtime_on(folder, disks.database_on(disk, f"failing-{tmp_path.name}"), clock)
    yield disk, runtime, User.select().order_by(User.id).first()
    runtime.close()


@contextmanager
def an_outage(fault):
    """Whatever fails in here fails as this fault does, and leaves no transaction open."""
    try:
        yield
    except Exception as error:
        if outage_of(error) != OUTAGES[fault]:
            raise


def try_at(disk, story, runtime, fault, operation, work):
    """Do a piece of work on a disk that fails from an operation on.

    Returns:
        Whether the disk failed it.
    """
    before, done = story.state_of(runtime.database), False
    with disk.failing(fault, operation), an_outage(fault):
        work()
        done = True
    assert runtime.database.transaction_depth() == 0
    assert (story.state_of(runtime.database) != before) == done  # whole or absent
    return disk.met > 0


def promise(runtime, first, number):
    """A command with a key of its own."""
    line = DueLine.select().order_by(DueLine.id).first()
    return RecordPromise(
        actor=first.id,
        reason="on the telephone",
        key=f"promise {number}",
        customer=line.customer_id,
        due_line=line.id,
        amount_minor=number + 1,
        currency=line.currency,
        promised_day=runtime.today() + 3,
    )


@pytest.mark.promise("E2")
@faults
def test_a_command_is_whole_or_absent_at_every_operation(on_disk, story, fault):
    """And the same command goes through once there is room, in the same process."""
    disk, runtime, first = on_disk
    for operation in count(1):
        command = promise(runtime, first, operation)
        failed = try_at(disk, story, runtime, fault, operation, lambda c=command: execute(runtime, c))
        answer = execute(runtime, command)
        assert Promise.select().where(Promise.amount_minor == operation + 1).count() == 1
        assert execute(runtime, command) == answer
        if not failed:
            break
    assert operation > 3
    assert [check.findings for check in verify(runtime).checks if check.found] == []


def import_at_every(on_disk, story, fault, stride):
    disk, runtime, first = on_disk
    assert Import.select().count() == 3
    operation = 1
    while try_at(disk, story, runtime, fault, operation, lambda: story.take(runtime, first, "payments")):
        assert Import.select().count() == 3
        operation += stride
    assert operation > stride
    assert Import.select().count() == 4
    assert [check.findings for check in verify(runtime).checks if check.found] == []


@pytest.mark.promise("E2")
@faults
def test_an_import_is_whole_or_absent(on_disk, story, fault):
    """At every seventh operation; the file goes in once there is room."""
    import_at_every(on_disk, story, fault, STRIDE)


@pytest.mark.slow
@faults
def test_an_import_is_whole_or_absent_at_every_operation(on_disk, story, fault):
    """Each of them."""
    import_at_every(on_disk, story, fault, 1)


def run_days(on_disk, story, clock, fault, stride):
    """A day decided on a failing disk and finished afterwards, for each operation; whether it ever failed."""
    disk, runtime, _ = on_disk
    operation, failed = 1, True
    while failed:
        clock.advance(days=1)
        entity = Entity.get()
        with disk.failing(fault, operation), an_outage(fault):
            runs.run_entity(runtime, entity, runtime.today())
        failed = disk.met > 0
        assert [check.findings for check in verify(runtime).checks if check.found] == []
        run = runs.run_entity(runtime, Entity.get(), runtime.today())
        assert (run.as_of_day, run.state) == (runtime.today(), "done")
        assert run.applied == Decision.select().where(Decision.run == run).count()
        operation += stride
    assert operation > stride + 1
    assert Run.select().where(Run.state != "done").count() == 0
    assert [check.findings for check in verify(runtime).checks if check.found] == []


@pytest.mark.promise("E2")
@faults
def test_a_run_goes_on_where_the_disk_failed(on_disk, story, clock, fault):
    """Each batch of decisions has its actions or neither is there; the next call finishes the day."""
    run_days(on_disk, story, clock, fault, STRIDE)


@pytest.mark.slow
@faults
def test_a_run_goes_on_wherever_the_disk_failed(on_disk, story, clock, fault):
    """At every operation."""
    run_days(on_disk, story, clock, fault, 1)


@pytest.fixture
def letter():
    """Prepare a letter without deciding again: what is tested is how it leaves."""

    def write(runtime, action, now_at, gateway):
        reached = address_of(runtime, action.customer_id)
        return Go(
            person=reached.person,
            to_address=reached.address,
            to_name=reached.name,
            from_address="credit@main.example",
            from_name="Main Ltd",
            letter=Composed("Reminder", action.key, f"<p>{action.key}</p>", "en"),
            edition=None,
        )

    return write


@pytest.mark.promise("E2")
@faults
def test_a_message_leaves_once_wherever_the_disk_fails(on_disk, clock, fault, letter, tmp_path):
    """Claim and settlement fail at each operation; after the lease the message has left exactly once."""
    disk, runtime, _ = on_disk
    gateway = CountingMailbox(tmp_path / "mail")
    customer = Contact.select().order_by(Contact.id).first().customer
    for operation in count(1):
        action = Action.create(
            key=f"{customer.id}/escalation/1/step{operation}/0/email",
            entity_id=customer.entity_id,
            customer=customer,
            policy_key="other",
            episode=operation,
            step_key=f"step{operation}",
            level=1,
            channel="email",
            state="due",
            due_day=runtime.today(),
            created_at=runtime.now_at(),
        )
        with disk.failing(fault, operation), an_outage(fault):
            outbox.deliver(runtime, gateway=gateway, prepare=letter)
        failed = disk.met > 0
        clock.advance(hours=2)
        outbox.sweep(runtime, gateway=gateway)
        outbox.deliver(runtime, gateway=gateway, prepare=letter)
        assert (Action.get_by_id(action.id).state, gateway.delivered.count(action.key)) == ("sent", 1)
        if not failed:
            break
    assert operation > 5
    assert Action.select().where(Action.state.in_(("failed", "uncertain"))).count() == 0


class CountingMailbox(MailboxGateway):
    """The mailbox folder, and what was new to it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.delivered = []

    def deliver(self, message, about_to_send):
        known = self.find(message.key)
        receipt = super().deliver(message, about_to_send)
        if known is None:
            self.delivered.append(message.key)
        return receipt


@pytest.mark.promise("E2")
@faults
def test_workers_wait_an_outage_out_and_tell_of_it(on_disk, clock, fault):
    """Drain and sweep end without an error; with room again the work is done and one alarm says what happened."""
    disk, runtime, _ = on_disk
    clock.advance(days=1)
    for _ in range(2):
        with disk.failing(fault, 1):
            tasks.sweep_now(runtime)
            tasks.drain_now(runtime)
        assert disk.met > 0
    assert Alarm.select().count() == 0  # there was no room for it either
    tasks.sweep_now(runtime)
    assert Run.select().where(Run.as_of_day == runtime.today(), Run.state == "done").exists()
    (alarm,) = Alarm.select()
    assert (alarm.kind, alarm.text.split(":")[0]) == ("outage", TOLD[OUTAGES[fault]])
    tasks.sweep_now(runtime)
    assert Alarm.select().count() == 1


@contextmanager
def no_room_beyond(bytes_max):
    """No file of this process may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.promise("E2")
def test_facts_and_uploads_are_whole_or_absent(on_disk, story, tmp_path):
    """A file that could not be written leaves nothing that takes the room that is left."""
    _, runtime, first = on_disk
    frame = pl.DataFrame({"customer_id": list(range(50_000))}).lazy()
    files = sorted((runtime.settings.var / "frames").iterdir())
    command = ImportFile(
        actor=first.id, reason="a test", entity="main", mapping={}, content=b"x" * 20_000, file_name="a.csv"
    )
    with no_room_beyond(4_096):
        with pytest.raises(OSError, match="File too large") as refused:
            kept_frames.store_frame(runtime, nw.from_native(frame))
        assert outage_of(refused.value) == Outage.FULL
        with pytest.raises(OSError, match="File too large") as refused:
            uploads.keep(runtime, command, preview(command.content, {}))
        assert outage_of(refused.value) == Outage.FULL
    assert sorted((runtime.settings.var / "frames").iterdir()) == files
    assert list((runtime.settings.var / uploads.FOLDER).iterdir()) == []
    assert kept_frames.store_frame(runtime, nw.from_native(frame)).rows == 50_000
    waiting = uploads.keep(runtime, command, preview(command.content, {}))
    assert uploads.content_of(runtime, waiting) == command.content


@pytest.mark.promise("E2")
def test_a_mailbox_without_room_keeps_the_message_for_later(tmp_path):
    """Nothing half written is left in its folder."""
    gateway = MailboxGateway(tmp_path)
    message = OutgoingMessage(
        key="1/escalation/1/p4/0/email",
        message_id="<1@main.example>",
        from_address="credit@main.example",
        from_name="Main Ltd",
        to_address="payables@customer.example",
        to_name="Accounts payable",
        subject="Reminder",
        text="x" * 9_000,
        html="<p>x</p>",
        language="en",
        at=0,
    )
    with no_room_beyond(4_096), pytest.raises(Unreachable):
        gateway.deliver(message, lambda: None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    gateway.deliver(message, lambda: None)
    assert gateway.find(message.key) is not None


@pytest.mark.promise("E2")
def test_a_worker_process_outlives_a_full_disk(company, story, clock, tmp_path):
    """No file of it may grow, the queue's neither: it lives, and decides the day once there is room."""
    folder = tmp_path / "var"
    shutil.copytree(company, folder)
    clock.advance(days=1)
    (folder / "clock").write_text(clock().isoformat())
    runtime = story.runtime_on(folder, Sqlite, clock)
    huey = tasks.make_huey(runtime)
    decided = Run.select().where(Run.as_of_day == runtime.today(), Run.state == "done")
    command = [sys.executable, str(WORKER), str(folder), story.SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as worker:
        try:
            assert worker.stdout.readline() == "ready\n"
            soft, hard = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, hard))
            (sweep,) = huey._registry._periodic_tasks
            huey.enqueue(sweep())
            time.sleep(1)
            assert (worker.poll(), decided.exists()) == (None, False)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (soft, hard))
            until = time.monotonic() + PATIENCE_SECONDS
            while not decided.exists() and time.monotonic() < until:
                assert worker.poll() is None
                time.sleep(0.1)
            assert decided.exists()
        finally:
            worker.terminate()
    huey.storage.close()
    runtime.close()
