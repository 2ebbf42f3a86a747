"""The doorbell: what it carries (nothing), what losing it costs (nothing), and what it runs (two tasks)."""

import json
import os
import pickle
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine import doors, queues, runs, tasks
from engine.commands import Change, Command, register
from engine.tables import Action, Alarm, Run
from notifiers.mailbox import MailboxGateway


@pytest.fixture
def huey(runtime):
    """The queue of the runtime, closed afterwards."""
    made = tasks.make_huey(runtime)
    yield made
    made.storage.close()


def work_off(huey):
    """What a huey worker does with each row; its faults are logged and the row is gone."""
    while huey.storage.queue_size():
        try:
            task = huey.dequeue()
            if task is not None:
                huey.execute(task)
        except Exception:
            continue


def test_a_ring_carries_a_name_and_nothing_else(runtime, huey):
    """JSON, without arguments."""
    runtime.ring()
    (row,) = huey.storage.enqueued_items()
    assert json.loads(row)["name"] == "queuetask_drain" or json.loads(row)["name"].endswith("drain")
    assert set(json.loads(row)) == {"id", "name", "retries"}


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.promise("G13")
@pytest.mark.parametrize("place", ["task", "schedule", "result"])
def test_a_forged_row_runs_no_code(runtime, huey, tmp_path, place):
    """A pickle bomb in any table of the queue does not go off, and the worker goes on."""
    hit = tmp_path / "hit"
    content = pickle.dumps(Bomb(hit))
    huey.storage.enqueue(content)
    if place == "schedule":
        huey.storage.add_to_schedule(content, datetime(1970, 1, 2))
    elif place == "result":
        huey.storage.put_data("r:1", content)
    with suppress(queues.ForgedMessage):
        huey.read_schedule(datetime(2030, 1, 1))
    with suppress(queues.ForgedMessage):
        huey.get("r:1")
    runtime.ring()
    work_off(huey)
    assert not hit.exists()
    assert huey.storage.queue_size() == 0
    pickle.loads(content)
    assert hit.exists()  # it was a real bomb


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id": 1, "name": "drain"}',
        b'{"id": "1", "name": ["drain"]}',
        b'{"id": "1", "name": "' + b"x" * 2_000 + b'"}',
        b"\x80\x04.",
        "\u2028".encode(),
    ],
)
def test_a_row_that_is_no_message_is_dropped(content):
    """Refused by what it is, before anything is looked up."""
    with pytest.raises(queues.ForgedMessage):
        queues.BellSerializer().deserialize(content)


def test_a_row_with_arguments_loses_them(runtime, huey):
    """Whoever can write the queue can ring the bell, and that is all."""
    huey.storage.enqueue(json.dumps({"id": "1", "name": "os.system", "args": ["touch x"]}).encode())
    work_off(huey)
    assert huey.storage.queue_size() == 0
    message = queues.BellSerializer().deserialize(b'{"id": "1", "name": "drain", "args": ["x"], "kwargs": {"a": 1}}')
    assert (message.args, message.kwargs) == ((), {})


@pytest.mark.sqlite("the queue is the same on both")
def test_after_a_run_the_workers_forecast_its_cash(runtime, entity, huey):
    """A ring is enough: the forecast is made beside, in a task of its own."""
    run = Run.create(entity=entity, as_of_day=20_543, kind="nightly", state="done", started_at=1)
    runtime.ring()
    work_off(huey)
    assert Run.get_by_id(run.id).cash_at == runtime.now_at()


def remove_file(runtime):
    path = runtime.settings.var / queues.QUEUE_FILE
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    return path


def deleted(runtime, huey):
    """The file, or the tables."""
    if runtime.settings.on_postgresql:
        for table in ("task", "schedule", "kv", "counter"):
            runtime.database.execute_sql(f"drop table {queues.QUEUE_TABLES}_{table}")
    else:
        remove_file(runtime)


def noise(runtime, huey):
    """In the file, or in a row."""
    if runtime.settings.on_postgresql:
        huey.storage.enqueue(os.urandom(20_000))
    else:
        remove_file(runtime).write_bytes(os.urandom(20_000))


def emptied(runtime, huey):
    """The file, or the table."""
    if runtime.settings.on_postgresql:
        huey.storage.flush_queue()
    else:
        remove_file(runtime).touch()


@contextmanager
def barred(runtime):
    """Nothing can be put into the queue."""
    if runtime.settings.on_postgresql:
        runtime.database.execute_sql(f"alter table {queues.QUEUE_TABLES}_task add column missing int not null")
        yield
        runtime.database.execute_sql(f"alter table {queues.QUEUE_TABLES}_task drop column missing")
    else:
        path = remove_file(runtime)
        path.mkdir()
        yield
        path.rmdir()


@pytest.mark.promise("A7")
@pytest.mark.parametrize("harm", [deleted, noise, emptied])
def test_losing_the_queue_loses_nothing(
    runtime, huey, make_customer, make_action, harm, monkeypatch, counting, prepare
):
    """The next sweep finds the work; the bell rings again by itself."""
    monkeypatch.setattr(
        tasks.outbox,
        "deliver",
        lambda runtime, deliver=tasks.outbox.deliver: deliver(runtime, gateway=counting, prepare=prepare),
    )
    action = make_action(make_customer("1"))
    runtime.ring()
    harm(runtime, huey)
    tasks.sweep_now(runtime)
    assert Action.get_by_id(action.id).state == "sent"
    runtime.ring()
    assert huey.storage.enqueued_items()
    work_off(huey)
    assert huey.storage.queue_size() == 0


@dataclass(frozen=True, kw_only=True)
class Knock(Command):
    """For this test only."""

    fails: bool


@register(Knock, permission="customers.view")
def knock(context, command):
    """Change nothing."""
    if command.fails:
        raise RuntimeError("no")
    return Change(subject_kind="door", subject_id=1)


def test_the_bell_rings_after_the_commit_and_only_then(runtime, huey, monkeypatch):
    """A command that fails rings nothing; when it rings, a worker that wakes finds what was committed."""
    ring, open_still = runtime.ring, []

    def heard():
        open_still.append(runtime.database.in_transaction())
        ring()

    monkeypatch.setattr(runtime, "ring", heard)
    with pytest.raises(RuntimeError):
        runtime.execute(Knock(actor=None, reason="test", fails=True))
    assert huey.storage.enqueued_items() == []
    runtime.execute(Knock(actor=None, reason="test", fails=False))
    assert len(huey.storage.enqueued_items()) == 1
    assert open_still == [False]


def test_a_bell_that_cannot_ring_fails_no_command(runtime, huey, caplog):
    """The command is committed; the log says that the sweep will find the work."""
    with barred(runtime):
        runtime.execute(Knock(actor=None, reason="test", fails=False))
        assert "the sweep will find the work" in caplog.text
    runtime.ring()
    assert huey.storage.enqueued_items()


def test_a_real_consumer_sends_after_a_ring(runtime, huey, make_customer, make_action, monkeypatch, counting, prepare):
    """Two worker threads and a scheduler, as in production."""
    monkeypatch.setattr(
        tasks.outbox,
        "deliver",
        lambda runtime, deliver=tasks.outbox.deliver: deliver(runtime, gateway=counting, prepare=prepare),
    )
    action = make_action(make_customer("1"))
    consumer = huey.create_consumer(workers=2, worker_type="thread", periodic=True)
    consumer.start()
    try:
        runtime.ring()
        until = time.monotonic() + 120
        while Action.get_by_id(action.id).state != "sent" and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        consumer.stop(graceful=True)
    assert counting.effects() == [action.key]


def test_the_sweep_comes_each_minute(huey):
    """And it is the only periodic task."""
    (periodic,) = huey.read_periodic(datetime(2026, 3, 31, 9, 0, tzinfo=UTC))
    assert "sweep" in periodic.name


def test_a_run_that_fails_is_told_once_and_stops_no_sweep(runtime, huey, monkeypatch):
    """A document that cannot be read must not also keep people from knowing."""

    def broken(runtime):
        raise ValueError("half an edition")

    monkeypatch.setattr(runs, "run_due_days", broken)
    tasks.sweep_now(runtime)
    tasks.sweep_now(runtime)
    assert [alarm.kind for alarm in Alarm.select()] == ["run_failed"]


def test_until_it_may_send_for_real_the_worker_fills_the_mailbox_folder(runtime, huey):
    """Nothing leaves the machine by default."""
    assert isinstance(doors.gateway_of(runtime), MailboxGateway)
