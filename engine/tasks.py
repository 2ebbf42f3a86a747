"""The doorbell: huey tasks that carry nothing and know nothing.

All truth is in the database. ``drain`` is rung after a commit; ``sweep`` comes each minute and finds
what a lost ring missed. Deleting the queue therefore loses nothing, and a row somebody forged in
it runs no code: messages are JSON with a known name and no arguments.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from huey import Huey, crontab

from engine import (
    inbox,
    invoice_scores,
    kept_cash,
    outbox,
    promotion,
    refitting,
    replays,
    retention,
    runs,
    trainings,
    uploads,
)
from engine.locks import Lead
from engine.outages import TOLD, outage_of
from engine.queues import open_queue
from engine.tables import Alarm
from engine.verify import verify_nightly

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

OUT = "outage"  # what the runtime keeps of an outage until it is over


def make_huey(runtime: "Runtime") -> Huey:
    """The queue of a runtime, with its tasks; also makes ``runtime.ring`` ring.

    Args:
        runtime: whose outbox the tasks empty.
    """
    huey = open_queue(runtime.settings)
    train = huey.task(name="train")(lambda: _connected(runtime, models_now))

    def work(now: Callable[["Runtime"], None]) -> None:
        _connected(runtime, now)
        if trainings.is_waiting() or invoice_scores.is_waiting() or kept_cash.is_waiting():
            train()  # beside, in a task of its own: messages do not wait for it

    drain = huey.task(name="drain")(lambda: work(drain_now))
    lead, each_minute = Lead(runtime, "sweep"), crontab(minute="*")
    # Every process looks at the clock; the one that leads puts the sweep into the queue.
    huey.periodic_task(lambda when: each_minute(when) and lead.holds(), name="sweep")(lambda: work(sweep_now))

    def ring() -> None:
        """Wake a worker. A bell that cannot ring loses nothing: the sweep comes within a minute."""
        with suppress(Exception):
            drain()
            return
        try:
            drain()  # a queue file that was spoilt has been replaced by now
        except Exception:
            log.warning("the bell did not ring; the sweep will find the work", exc_info=True)

    runtime.huey, runtime.ring = huey, ring
    return huey


def _connected(runtime: "Runtime", work: Callable[["Runtime"], object]) -> None:
    """Work with a connection that is not known to be broken: a worker outlives a restart of the server."""
    database = runtime.database
    if not (database.is_closed() or database.is_connection_usable()):
        database.close()
    work(runtime)


def drain_now(runtime: "Runtime") -> None:
    """Decide the customers that changed, send what is due, then replay what somebody asked for."""
    with _waiting_out(runtime):
        _drain(runtime)


def models_now(runtime: "Runtime") -> None:
    """Score the open invoices of the last runs, forecast cash, then train and measure what was asked for."""
    with _waiting_out(runtime):
        invoice_scores.work_off(runtime)
        kept_cash.work_off(runtime)
        trainings.work_off(runtime)


def sweep_now(runtime: "Runtime") -> None:
    """Find what was left behind: days not decided yet, leases that ran out, rings that were lost.

    Once a night, after its runs, everything is verified.
    """
    with _waiting_out(runtime):
        _sweep(runtime)


def _drain(runtime: "Runtime") -> None:
    _decide(runtime, "customers that changed", lambda: runs.drain_dirty(runtime))
    outbox.deliver(runtime)
    replays.work_off(runtime)


def _sweep(runtime: "Runtime") -> None:
    recovered = outbox.sweep(runtime)
    if recovered.total:
        log.info("swept: %s", recovered.counts)
    uploads.purge(runtime)
    retention.purge_frames(runtime)
    _decide(runtime, "the day", lambda: runs.run_due_days(runtime))
    _drain(runtime)
    verify_nightly(runtime)
    inbox.read_inbox(runtime)
    refitting.ask_month(runtime)
    promotion.ask_measures(runtime)


@contextmanager
def _waiting_out(runtime: "Runtime") -> Iterator[None]:
    """Let work wait while the disk or the database is out; the next sweep goes on with it.

    The alarm is raised as soon as one can be written: that may be after the outage.
    """
    try:
        yield
    except Exception as error:
        outage = outage_of(error)
        if outage is None:
            raise
        log.error("%s; what is to be done waits for the next sweep", TOLD[outage], exc_info=True)
        runtime.cache.setdefault(OUT, (outage, runtime.now_at()))
        with suppress(Exception):
            _tell_outage(runtime)
    else:
        _tell_outage(runtime)
        runtime.cache.pop(OUT, None)


def _tell_outage(runtime: "Runtime") -> None:
    """Raise the alarm of an outage that was noted, once."""
    if OUT not in runtime.cache:
        return
    outage, since_at = runtime.cache[OUT]
    if not Alarm.select().where(Alarm.kind == "outage", Alarm.raised_at == since_at).exists():
        text = f"{TOLD[outage]}: work waited and goes on by itself; see the worker's log"
        Alarm.create(kind="outage", text=text, raised_at=since_at)


def _decide(runtime: "Runtime", what: str, decide: Callable[[], object]) -> None:
    """Decide; a fault is told to a person once, and does not keep back what was decided before.

    Each message is decided again before it is sent, so sending on is safe: where nothing can be
    decided, that fails too.
    """
    try:
        decide()
    except Exception as error:
        if outage_of(error) is not None:
            raise
        log.exception("deciding %s failed", what)
        told = Alarm.select().where(Alarm.kind == "run_failed", Alarm.acknowledged_at.is_null())
        if not told.exists():
            Alarm.create(
                kind="run_failed",
                text=f"deciding {what} failed: {type(error).__name__}; see the worker's log",
                raised_at=runtime.now_at(),
            )
