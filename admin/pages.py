"""Which pages the console has, in one place."""

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import gate, navigation

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
@gate.needs(gate.SIGNED_IN)
def dashboard() -> ResponseReturnValue:
    """The first page: the figures for those who may see them, else the ways that are open."""
    return render_template("console/welcome.html", groups=navigation.sidebar(), user=current_user)


def register(app: Flask) -> None:
    """Hang every page into the application."""
    app.register_blueprint(blueprint)
    gate.needs(gate.SIGNED_IN)(app.view_functions["security.logout"])
