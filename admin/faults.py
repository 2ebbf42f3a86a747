"""One page for every HTML error, one shape for every JSON one; no exception text reaches anybody.

JSON: ``{"ok": false, "error": "...", "errors": [...], "status": 404}``.
"""

from http import HTTPStatus
from typing import Any

from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from engine.commands import CommandError, Conflict, Invalid
from engine.outages import TOLD, Outage, outage_of
from ledger.dialect import LIMITS

RETRY_SECONDS = 60


def wants_json() -> bool:
    """Whether the caller is a program rather than a browser."""
    if request.path.startswith("/api/") or request.is_json:
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"], "text/html") == "application/json"


def words(status: int) -> tuple[str, str]:
    """Title and advice for a status."""
    known = {
        400: (_("This request could not be read"), _("Go back, reload the page and try again.")),
        401: (_("Sign in"), _("Sign in to go on.")),
        403: (_("This is not open to you"), _("Your roles do not include it. An administrator can grant a role.")),
        404: (_("Nothing here"), _("The address is wrong, or what it names is not yours to see.")),
        405: (_("This cannot be done that way"), _("Go back and use the page's own buttons.")),
        409: (_("Somebody else was faster"), _("Compare both values below, then decide again.")),
        413: (
            _("The file is too large"),
            _("At most %(mb)s MiB are taken in at once. Split it and import the parts.", mb=LIMITS.file_bytes // 2**20),
        ),
        422: (_("This cannot be done as it stands"), _("Correct what is named below.")),
        429: (_("Too many tries"), _("Wait a minute, then try again.")),
    }
    return known.get(status, (_("Something went wrong"), _("Nothing was changed. The fault was written to the log.")))


def answer(status: int, errors: list[dict[str, Any]] | None = None, **values: Any) -> ResponseReturnValue:
    """The error answer, as a page or as JSON."""
    title, advice = words(status)
    if wants_json():
        listed = errors or [{"place": "request", "what": HTTPStatus(status).phrase, "cure": advice}]
        return jsonify(ok=False, error=title, errors=listed, status=status), status
    page = "console/sign_in_first.html" if status == 401 else "console/error.html"
    return render_template(page, status=status, title=title, advice=advice, errors=errors or [], **values), status


def unavailable(outage: Outage) -> ResponseReturnValue:
    """The answer while nothing can be kept. It asks the database nothing, not even who is signed in."""
    causes = {
        Outage.FULL: (_("The disk is full."), _("Whoever runs the server makes room; then send it again.")),
        Outage.READ_ONLY: (
            _("The disk or the database is read-only."),
            _("Whoever runs the server makes it writable; then send it again."),
        ),
        Outage.BUSY: (_("The database is busy."), _("Wait a minute, then send it again.")),
        Outage.FAILING: (
            _("The disk or the database does not answer."),
            _("Whoever runs the server looks at it; then send it again."),
        ),
    }
    what, cure = causes[outage]
    title, advice = _("Nothing can be saved just now"), _("Nothing was changed.")
    told = [{"place": "database", "what": what, "cure": cure}]
    headers = {"Retry-After": str(RETRY_SECONDS)}
    if wants_json():
        return jsonify(ok=False, error=title, errors=told, status=503), 503, headers
    page = current_app.jinja_env.get_template("console/unavailable.html")  # no context: that asks who is signed in
    return page.render(status=503, title=title, advice=advice, errors=told), 503, headers


def register(app: Flask) -> None:
    """Give an application its error answers."""

    @app.errorhandler(HTTPException)
    def _refused(error: HTTPException) -> ResponseReturnValue:
        return answer(error.code or 500)

    @app.errorhandler(CSRFError)
    def _no_token(_error: CSRFError) -> ResponseReturnValue:
        reason = {"place": "form", "what": _("The form was too old."), "cure": _("Reload the page and send it again.")}
        return answer(403, [reason])

    @app.errorhandler(Conflict)
    def _conflict(error: Conflict) -> ResponseReturnValue:
        names = sorted({*error.seen, *error.current})
        sides = [(name, error.seen.get(name), error.current.get(name)) for name in names]
        return answer(409, sides=[side for side in sides if side[0] in error.seen or side[1] != side[2]])

    @app.errorhandler(Invalid)
    def _invalid(error: Invalid) -> ResponseReturnValue:
        return answer(422, [{"place": p.place, "what": p.what, "cure": p.cure} for p in error.problems])

    @app.errorhandler(CommandError)
    def _command(error: CommandError) -> ResponseReturnValue:
        return answer(error.status)

    @app.errorhandler(Exception)
    def _broken(error: Exception) -> ResponseReturnValue:
        outage = outage_of(error)
        if outage is not None:
            current_app.logger.error("%s on %s", TOLD[outage], request.endpoint, exc_info=True)
            return unavailable(outage)
        if current_app.config.get("PROPAGATE_EXCEPTIONS"):
            raise error
        current_app.logger.exception("unexpected fault on %s", request.endpoint)
        return answer(500)
