"""Verifying: every check in turn, the result kept for the dashboard; nightly by the workers."""

import json
import logging
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine import audit
from engine.tables import Alarm, Entity, Verification
from engine.verify import books, decided, records
from engine.verify.report import Check, Report, Seen, checked
from ledger.canonical import canonical

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

HEADS_FILE = "audit-heads.jsonl"  # copy it elsewhere: only a head outside shows a chain that was rewritten whole
STARTS_AT = time(3)  # an hour after the runs of the night begin
GIVEN_UP_SECONDS = 6 * 3_600  # a nightly verification that has not ended by then died; another takes its place
FAILED = "verify_failed"  # kind of an alarm


def verify(runtime: "Runtime", heads_file: Path | None = None) -> Report:
    """Check everything and keep the result.

    Args:
        heads_file: a copy of HEADS_FILE that was kept elsewhere, compared too.

    Raises:
        ValueError: that copy cannot be read.
    """
    outside = [] if heads_file is None else read_heads(heads_file)
    report = _verify(runtime, outside)
    Verification.create(**_row(runtime, report))
    return report


def verify_nightly(runtime: "Runtime") -> Report | None:
    """What the workers call: verify once a night, by one process; a finding raises an alarm.

    Returns:
        The report, or None when tonight's is done, under way or not due yet.
    """
    now = runtime.now().astimezone(ZoneInfo(runtime.settings.zone))
    if now.time() < STARTS_AT or not Entity.select().exists() or not _claim(runtime):
        return None
    report = _verify(runtime, [])
    Verification.update(**_row(runtime, report)).where(Verification.night == runtime.today()).execute()
    if not report.sound:
        _tell(runtime, report)
    return report


def latest() -> Verification | None:
    """The last verification that ended."""
    found: Verification | None = (
        Verification.select()
        .where(Verification.finished_at.is_null(False))
        .order_by(Verification.finished_at.desc(), Verification.id.desc())
        .first()
    )
    return found


def read_heads(path: Path) -> list[records.Head]:
    """The audit heads kept in a file.

    Raises:
        ValueError: it is not one that verifying wrote.
    """
    heads = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            read = json.loads(line)
            heads.append((int(read["entries"]), str(read["head"])))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: is no audit head; give a copy of {HEADS_FILE}") from error
    return heads


def _verify(runtime: "Runtime", outside: list[records.Head]) -> Report:
    at = runtime.now_at()
    kept = runtime.settings.var / HEADS_FILE

    def chain() -> list[Seen]:
        heads = [*outside, *(read_heads(kept) if kept.exists() else [])]
        return list(records.chain(heads))

    checks: list[Check] = [
        checked("durability", lambda: records.durability(runtime)),
        checked("schema", lambda: records.schema(runtime)),
        checked("append-only triggers", lambda: records.triggers(runtime)),
        checked("database file", lambda: records.file(runtime)),
        checked("audit chain", chain),
        checked("documents and editions", records.documents),
        checked("stored facts", lambda: records.stored_facts(runtime)),
        checked("allocations", lambda: books.allocations(runtime)),
        *_books(runtime),
        checked("outcomes and standings", lambda: decided.standings(runtime)),
        checked("decisions replayed", lambda: decided.decisions(runtime)),
    ]
    entries, head = _head()
    report = Report(at, tuple(checks), entries, head)
    if report.sound:
        _keep_head(kept, report)
    return report


def _books(runtime: "Runtime") -> list[Check]:
    try:
        entities = list(Entity.select().order_by(Entity.id))
    except Exception as error:
        failed = error

        def said() -> list[Seen]:
            raise failed

        return [checked("balances", said)]
    return [
        checked(f"balances of {entity.code}", lambda entity=entity: books.books(runtime, entity))  # type: ignore[misc]
        for entity in entities
    ]


def _head() -> records.Head:
    try:
        return audit.head()
    except Exception:
        log.warning("the head of the audit chain cannot be read", exc_info=True)
        return 0, audit.FIRST


def _keep_head(path: Path, report: Report) -> None:
    line = json.dumps({"at": report.at, "entries": report.audit_entries, "head": report.audit_head})
    with path.open("a", encoding="utf-8") as heads:
        heads.write(line + "\n")


def _row(runtime: "Runtime", report: Report) -> dict[str, object]:
    return {
        "started_at": report.at,
        "finished_at": runtime.now_at(),
        "seconds": round(report.seconds),
        "problems": report.found,
        "checks": canonical([check.values() | {"seconds": f"{check.seconds:.2f}"} for check in report.checks]),
    }


def _claim(runtime: "Runtime") -> bool:
    """Take tonight's verification, or one that died; of two processes one gets it."""
    night, now_at = runtime.today(), runtime.now_at()
    taken = Verification.insert(night=night, started_at=now_at, problems=0).on_conflict_ignore().as_rowcount().execute()
    if taken:
        return True
    died = Verification.update(started_at=now_at).where(
        Verification.night == night,
        Verification.finished_at.is_null(),
        Verification.started_at < now_at - GIVEN_UP_SECONDS * 1_000_000,
    )
    return bool(died.execute())


def _tell(runtime: "Runtime", report: Report) -> None:
    first = next(check.findings[0] for check in report.checks if check.findings)
    told = Alarm.select().where(Alarm.kind == FAILED, Alarm.acknowledged_at.is_null())
    if not told.exists():
        Alarm.create(
            kind=FAILED,
            text=f"the nightly verification found {report.found} problems, the first: {first}; "
            "all of them: dunwell verify",
            raised_at=runtime.now_at(),
        )
