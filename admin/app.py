"""The web application: settings and runtime in, a Flask application out."""

from contextlib import suppress

from flask import Flask, request
from flask_babel import Babel
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect
from peewee import DatabaseError, InterfaceError

from admin import faults, formatting, gate, navigation, signing_in
from engine.runtime import Runtime
from ledger.dialect import LIMITS

LANGUAGES = ("en", "de", "fr")
UPLOAD_BYTES_MAX = LIMITS.file_bytes + 1024 * 1024  # the largest file and the form around it
FORM_PARTS_MAX = 2_000


def language() -> str:
    """The language of this answer: the user's own, else what the browser asks for."""
    with suppress(DatabaseError, InterfaceError):  # while the database is out, nobody knows who reads
        if current_user and current_user.is_authenticated and current_user.language in LANGUAGES:
            return str(current_user.language)
    return request.accept_languages.best_match(LANGUAGES, "en") or "en"


def create_app(runtime: Runtime) -> Flask:
    """Make the console.

    Args:
        runtime: an open runtime; the application closes a connection per request, not the runtime.
    """
    app = Flask(__package__, static_folder="static", template_folder="templates")
    app.extensions["dunwell"] = runtime
    app.config.update(
        MAX_CONTENT_LENGTH=UPLOAD_BYTES_MAX,
        MAX_FORM_PARTS=FORM_PARTS_MAX,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        BABEL_TRANSLATION_DIRECTORIES="translations",
        BABEL_DEFAULT_TIMEZONE="UTC",
        FLASK_ADMIN_RAISE_ON_VIEW_EXCEPTION=True,
        TEMPLATES_AUTO_RELOAD=False,
    )
    Babel(app, default_locale="en", locale_selector=language)
    _register_connection(app, runtime)
    app.before_request(gate.admit)  # before the token check: a stranger learns 401, nothing more
    CSRFProtect(app)
    signing_in.set_up(app, runtime)
    faults.register(app)
    app.after_request(gate.protect)
    formatting.register(app)
    _register_pages(app)
    navigation.register(app)
    return app


def _register_connection(app: Flask, runtime: Runtime) -> None:
    @app.before_request
    def _connect() -> None:
        runtime.database.connect(reuse_if_open=True)

    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        if not app.testing and not runtime.database.is_closed():
            runtime.database.close()


def _register_pages(app: Flask) -> None:
    from admin import health, pages

    app.register_blueprint(health.blueprint)
    pages.register(app)
