"""Signing in: Flask-Security over the engine's users. Roles are data of ``engine.access``."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from flask import Flask, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import user_logged_in
from flask_security import PeeweeUserDatastore, Security, UserMixin

from engine import access
from engine.runtime import Runtime
from engine.tables import User

TRIES_PER_ACCOUNT = "5/minute"
TRIES_PER_ADDRESS = "30/minute"
IDLE = timedelta(minutes=30)


class RoleName(str):
    """A role's name that also answers as a role, which is what Flask-Security asks for."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name itself."""
        return str(self)

    def get_permissions(self) -> frozenset[str]:
        """What the role lets a person do."""
        return access.ROLES.get(self, frozenset())


class Account(User, UserMixin):
    """A user as the sign-in machinery sees one; the same table as ``engine.tables.User``."""

    class Meta:
        table_name = "account"

    @property
    def roles(self) -> list[RoleName]:
        """Names of the roles held now."""
        return [RoleName(role) for role in access.roles_of(self.id)]

    def has_role(self, role: Any) -> bool:
        """Whether this role is held."""
        return role in self.roles

    def has_permission(self, permission: str) -> bool:
        """Whether some role held gives this permission."""
        return permission in access.permissions_of(self.id)

    def get_id(self) -> str:
        """What the session keeps: a value that changes when all sessions must end, never the key."""
        return str(self.fs_uniquifier)

    __hash__ = User.__hash__
    __eq__ = User.__eq__


class NoRole:
    """Stands where Flask-Security wants role tables: roles are given by commands only."""


def set_up(app: Flask, runtime: Runtime) -> None:
    """Give an application its sign-in page, sessions and limits on tries."""
    app.config.update(
        SECRET_KEY=runtime.settings.secret_key,
        SECURITY_PASSWORD_SALT=_salt(runtime.settings.secret_key),
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - the name of a scheme
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/login",
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_STATIC_FOLDER=None,
        SECURITY_DEFAULT_REMEMBER_ME=False,
        SECURITY_MSG_INVALID_PASSWORD=("Invalid password", "error"),
        SECURITY_REDIRECT_ALLOW_SUBDOMAINS=False,
        SESSION_COOKIE_NAME="dunwell",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # Set behind TLS; without it a browser on plain loopback would never send the cookie back.
        SESSION_COOKIE_SECURE=bool(getattr(runtime.settings, "behind_tls", False)),
        PERMANENT_SESSION_LIFETIME=IDLE,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        RATELIMIT_HEADERS_ENABLED=False,
        RATELIMIT_STORAGE_URI="memory://",
    )
    store = PeeweeUserDatastore(runtime.database, Account, NoRole, NoRole)
    Security(app, store)
    limiter = Limiter(_account_and_address, app=app, default_limits=[])
    view = app.view_functions["security.login"]
    view = limiter.limit(TRIES_PER_ACCOUNT, methods=["POST"])(view)
    view = limiter.limit(TRIES_PER_ADDRESS, methods=["POST"], key_func=get_remote_address)(view)
    app.view_functions["security.login"] = view
    app.extensions["dunwell_limiter"] = limiter

    def begin(_sender: Flask, **_user: Any) -> None:
        session.permanent = True
        session["began_at"] = runtime.now_at()

    user_logged_in.connect(begin, app, weak=False)


def _account_and_address() -> str:
    account = request.form.get("email", "").strip().lower()
    return f"{get_remote_address()}|{account}"


def _salt(secret_key: str) -> str:
    # Flask-Security signs some tokens with it; passwords themselves carry argon2's own salts.
    return sha256(b"dunwell sign-in|" + secret_key.encode()).hexdigest()
