"""Whether the process lives and whether it is ready to serve. Public, so it says no more than that."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from peewee import PeeweeException

from admin import gate
from engine import database as storage
from engine.tables import Action

OUTBOX_LATE_SECONDS = 300

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(ok=True)


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """The database is open, durable and guarded, and no message waits longer than five minutes."""
    runtime = gate.runtime()
    try:
        checks = {
            "durable": not runtime.database.weaknesses(),
            "guarded": not storage.missing_triggers(runtime.database),
            "outbox": not _late(runtime.now_at()),
        }
    except PeeweeException:
        checks = {"database": False}
    ready = all(checks.values())
    return jsonify(ok=ready, checks=checks), 200 if ready else 503


def _late(now_at: int) -> bool:
    border = now_at - OUTBOX_LATE_SECONDS * 1_000_000
    stuck = Action.state.in_(("claimed", "sending")) & (Action.lease_until_at < border)
    return bool(Action.select(Action.id).where(stuck).limit(1).exists())
