"""The gate: nothing is open unless it is declared so.

Every request passes here before any view: public routes are a short list, every other route
carries the permission it needs, and a route without a declaration is refused to everybody.
Refusal is 401 (nobody is signed in) or 403, never a redirect that looks like success.
"""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from engine import access
from engine.runtime import Runtime

PUBLIC = frozenset({"static", "security.login", "health.healthz", "health.readyz", "answers.page", "answers.give"})
SIGNED_IN = "signed_in"  # for routes every signed-in user may use: sign out, a refusal's own page
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_SECONDS_MAX = 12 * 3600  # absolute; the idle limit is the lifetime of the cookie

View = TypeVar("View", bound=Callable[..., Any])


def needs(permission: str) -> Callable[[View], View]:
    """Declare the permission of a route. Place it above the function, below the route.

    Raises:
        ValueError: no such permission.
    """
    if permission != SIGNED_IN and permission not in access.PERMISSIONS:
        raise ValueError(f"{permission!r} is not a permission of engine.access")

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def required(app: Flask, endpoint: str) -> str | None:
    """The permission an endpoint asks for; None when it declares none and so admits nobody."""
    view = app.view_functions[endpoint]
    declared: str | None = getattr(view, "permission", None)
    if declared is not None:
        return declared
    # Views of Flask-Admin are bound methods: the class says what reading it takes.
    owner = getattr(view, "__self__", None)
    return getattr(owner, "permission", None)


def runtime() -> Runtime:
    """The runtime this application was made with."""
    return current_app.extensions["dunwell"]


def held() -> frozenset[str]:
    """Permissions of the person signed in, read once per request: a withdrawal counts at once."""
    if "permissions" not in g:
        g.permissions = access.permissions_of(current_user.id) if current_user.is_authenticated else frozenset()
    return g.permissions


def may(permission: str) -> bool:
    """Whether the person signed in may do this; for templates that hide what would be refused."""
    return permission == SIGNED_IN or permission in held()


def nonce() -> str:
    """This answer's nonce for the content security policy."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return g.nonce


def _from_elsewhere() -> bool:
    """Whether a browser says that another site sent this request."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


def _session_over() -> bool:
    began = session.get("began_at")
    if began is None:
        return True
    return runtime().now_at() - int(began) > SESSION_SECONDS_MAX * 1_000_000


def admit() -> ResponseReturnValue | None:
    """Let a request through, or refuse it. Runs before every view."""
    if request.method not in SAFE_METHODS and _from_elsewhere():
        abort(403, "This request came from another site.")
    endpoint = request.endpoint
    if endpoint is None or endpoint in PUBLIC:
        return None  # no route: 404 for everybody alike
    if current_user.is_authenticated and _session_over():
        logout_user()
        session.clear()
    if not current_user.is_authenticated:
        abort(401)
    permission = required(current_app, endpoint)
    if permission is None or not may(permission):
        current_app.logger.warning("refused: %s to user %s, needs %s", endpoint, current_user.id, permission)
        abort(403)
    return None


def policy() -> str:
    """The content security policy of an answer: own files, and inline only with this nonce."""
    own = f"'self' 'nonce-{nonce()}'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {own}",
            f"style-src {own}",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "frame-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
        )
    )


def protect(response: Response) -> Response:
    """Set the headers every answer carries, errors too."""
    headers = response.headers
    headers["Content-Security-Policy"] = policy()
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response
