"""Go-live: two people let an entity send; one person and one click stop it."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import gate
from admin.signs import signs
from engine import access
from engine.claims import MESSAGE_CHANNELS
from engine.going_live import preview_of
from engine.tables import Action, Entity, GoLive, User

blueprint = Blueprint("go_live", __name__, url_prefix="/go-live")


@blueprint.get("/")
@gate.needs("reports.view")
def index() -> ResponseReturnValue:
    """Every entity with its way to sending."""
    return render_template("console/go_live.html", ways=[_way(entity) for entity in signs().entities])


def _way(entity: Entity) -> dict[str, Any]:
    proposal: GoLive | None = (
        GoLive.select(GoLive, User)
        .join(User, on=(GoLive.proposed_by == User.id))
        .where(GoLive.entity == entity, GoLive.state != "replaced")
        .order_by(GoLive.id.desc())
        .first()
    )
    whole = access.sees_whole_entity(current_user.id, entity.id)
    waiting = Action.select(Action.id).where(
        Action.entity_id == entity.id,
        Action.state.in_(("due", "claimed", "waiting")),
        Action.channel.in_(MESSAGE_CHANNELS),
    )
    return {
        "entity": entity,
        "proposal": proposal,
        "preview": preview_of(proposal) if proposal else {},
        "whole": whole,
        "mine": proposal is not None and proposal.proposed_by_id == current_user.id,
        "letters": waiting.limit(100).count() if whole else 0,
    }
