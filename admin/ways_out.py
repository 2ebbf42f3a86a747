"""Ways out: how each of them fares, and where each entity's webhooks go."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import gate
from engine import access
from engine.door_states import door_states
from engine.gateway_addresses import addresses_of
from engine.inbox import server_of, state_of
from engine.tables import Entity

blueprint = Blueprint("ways_out", __name__, url_prefix="/ways-out")


@blueprint.get("/")
@gate.needs("reports.view")
def index() -> ResponseReturnValue:
    """Every way out that carries something of what the reader sees."""
    entities = list(Entity.select().order_by(Entity.code))
    seen = [entity for entity in entities if access.sees_whole_entity(current_user.id, entity.id)]
    codes = {f"webhook {entity.code}" for entity in seen}
    states = [one for one in door_states(gate.runtime()) if "webhook" not in one.channels or one.name in codes]
    return render_template(
        "console/ways_out.html",
        states=states,
        is_read=server_of(gate.runtime()) is not None,
        box=state_of(gate.runtime()),
        counted=len(seen) == len(entities),
        hooks=[_hook(entity) for entity in seen] if gate.may("golive.propose") else [],
    )


def _hook(entity: Entity) -> dict[str, Any]:
    """Addresses of an entity's webhooks, each with whether the reader proposed it."""
    rows = addresses_of(entity)
    return {"entity": entity, "addresses": [(row, row.proposed_by_id == current_user.id) for row in rows]}
