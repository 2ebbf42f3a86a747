"""Go-live: two people let an entity send; one person and one click stop it."""

from typing import Any
from uuid import uuid4

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user
from peewee import fn

from admin import gate, sending_terms
from admin.signs import signs
from admin.silence_words import reason_words
from admin.wording import channel_words, gateway_words
from engine import access
from engine.claims import IN_FLIGHT, MESSAGE_CHANNELS, STUCK
from engine.doors import doors_of
from engine.going_live import preview_of
from engine.sending_terms import proposed_terms
from engine.tables import Action, Entity, GoLive, User

TRIAL = frozenset({"mailbox", "trial_letters", "closed"})  # gateways by which nothing leaves this machine
blueprint = Blueprint("go_live", __name__, url_prefix="/go-live")


@blueprint.get("/")
@gate.needs("reports.view")
def index() -> ResponseReturnValue:
    """Every entity with its way to sending."""
    ways = [_way(entity) for entity in signs().entities]
    return render_template("console/go_live.html", ways=ways, doors=_doors(), once=uuid4)


def _way(entity: Entity) -> dict[str, Any]:
    proposal: GoLive | None = (
        GoLive.select(GoLive, User)
        .join(User, on=(GoLive.proposed_by == User.id))
        .where(GoLive.entity == entity, GoLive.state != "replaced")
        .order_by(GoLive.id.desc())
        .first()
    )
    whole = access.sees_whole_entity(current_user.id, entity.id)
    terms = proposed_terms(entity)
    return {
        "entity": entity,
        "proposal": proposal,
        "preview": preview_of(proposal) if proposal and proposal.state == "proposed" and whole else [],
        "whole": whole,
        "mine": proposal is not None and proposal.proposed_by_id == current_user.id,
        "waiting": _waiting(entity) if whole else [],
        "terms": sending_terms.terms_shown(entity),
        "wanted": None if terms is None else sending_terms.wanted_shown(terms),
        "wanted_by": "" if terms is None else terms.proposed_by.name,
        "wanted_why": "" if terms is None else terms.reason,
        "wanted_mine": terms is not None and terms.proposed_by_id == current_user.id,
    }


def _waiting(entity: Entity) -> list[tuple[str, int]]:
    """What is not over yet and why, with how many: the largest first."""
    query = (
        Action.select(Action.state, Action.waiting_for, fn.COUNT(Action.id))
        .where(
            Action.entity_id == entity.id,
            Action.state.in_((*IN_FLIGHT, *STUCK)),
            Action.channel.in_(MESSAGE_CHANNELS),
        )
        .group_by(Action.state, Action.waiting_for)
    )
    found = [(why or state, many) for state, why, many in query.tuples()]
    return [(reason_words(code), many) for code, many in sorted(found, key=lambda one: (-one[1], one[0]))]


def _doors() -> list[dict[str, Any]]:
    """By which way each channel leaves, and whether it leaves for real."""
    runtime = gate.runtime()
    return [
        {
            "channel": channel_words(channel),
            "way": gateway_words(door.name),
            "closed": door.name == "closed",
            "real": runtime.settings.send_for_real and not door.name.endswith("trial") and door.name not in TRIAL,
        }
        for channel, door in doors_of(runtime).items()
    ]
