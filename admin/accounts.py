"""Accounts: an administrator creates one; everybody changes their own password and language."""

import secrets
from typing import Any
from uuid import uuid4

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_security import hash_password, login_user, verify_password
from flask_security.utils import _security

from admin import formatting, gate
from admin.records import scope_words
from admin.signing_in import TRIES_PER_ACCOUNT, Account
from engine.access import GUARDED_ROLES, PERMISSIONS, ROLES, roles_of
from engine.commands import Conflict, Invalid
from engine.people import ChangePassword, CreateUser, SetLanguage
from engine.tables import CommandRecord, Entity, User

blueprint = Blueprint("accounts", __name__, url_prefix="/account")

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}  # each in its own words
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 256
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another when read aloud or typed
GROUPS, GROUP_LENGTH = 4, 4  # 16 letters of 31: 79 bits
ROLE_WORDS = {
    "credit_manager": _l("Runs credit: policies, limits, approvals, go-live."),
    "risk_analyst": _l("Writes and proposes policies, imports files."),
    "collector": _l("Works the diary, sends and pauses dunning."),
    "sales": _l("Sees customers, records promises and disputes."),
    "customer_care": _l("Answers internal mails, records promises and disputes."),
    "auditor": _l("Reads everything, changes nothing."),
    "administrator": _l("Creates users and entities; sees no customers."),
}


def limit_tries(app: Flask) -> None:
    """Guessing the old password is slowed down as signing in is."""
    limiter = app.extensions["dunwell_limiter"]
    view = app.view_functions["accounts.change_password"]
    limited = limiter.limit(TRIES_PER_ACCOUNT, methods=["POST"], key_func=lambda: f"account|{current_user.get_id()}")
    app.view_functions["accounts.change_password"] = limited(view)


# --- creating a user ----------------------------------------------------------------------


def _new(given: Any, wrong: dict[str, str], status: int = 200) -> ResponseReturnValue:
    page = render_template(
        "console/user_new.html",
        given=given,
        wrong=wrong,
        key=given.get("key") or str(uuid4()),
        roles=[(role, formatting.title(role), ROLE_WORDS.get(role, ""), role in GUARDED_ROLES) for role in ROLES],
        entities=list(Entity.select().order_by(Entity.code)),
        languages=LANGUAGES,
        given_roles=given.getlist("roles"),
        given_entities=given.getlist("entities"),
    )
    return page, status


@blueprint.get("/new")
@gate.needs("users.manage")
def new() -> ResponseReturnValue:
    """The form of a new user."""
    return _new(request.args, {})


@blueprint.post("/new")
@gate.needs("users.manage")
def create() -> ResponseReturnValue:
    """Create the user; their password is on this page once and nowhere else."""
    given = request.form
    asked = {"name": given.get("name", "").strip(), "email": given.get("email", "").strip()}
    wrong = {name: _("Fill it in.") for name, value in asked.items() if not value}
    if not given.getlist("roles"):
        wrong["roles"] = _("Choose at least one role.")
    if wrong:
        return _new(given, wrong, 422)
    key = given.get("key", "")
    if key and CommandRecord.get_or_none(CommandRecord.key == key) is not None:
        flash(_("This user is created already; the password was shown once."), "warning")
        return redirect(url_for("users.index_view", search=asked["email"]), 303)
    password = _generated()
    command = CreateUser(
        actor=current_user.id,
        reason=given.get("reason", "").strip() or "a new user",
        **({"key": key} if key else {}),
        **asked,
        password_hash=hash_password(password),
        roles=tuple(given.getlist("roles")),
        entities=tuple(given.getlist("entities")),
        language=given.get("language", "en"),
    )
    try:
        answer = gate.runtime().execute(command)
    except Invalid as error:
        return _new(given, {p.place: f"{p.what}: {p.cure}" for p in error.problems}, 422)
    except Conflict:
        return _new(given, {"email": _("There is a user with this address already.")}, 409)
    return render_template(
        "console/user_created.html",
        user=User.get_by_id(answer["user"]),
        password=password,
        waiting=answer["waiting"],
    )


# --- one's own account --------------------------------------------------------------------


def _own(wrong: dict[str, str], status: int = 200) -> ResponseReturnValue:
    user = User.get_by_id(current_user.id)
    held = roles_of(user)
    page = render_template(
        "console/account.html",
        user=user,
        wrong=wrong,
        roles=held,
        scopes=[scope_words(scope) for scope in user.scopes],
        permissions=[_(words) for name, words in PERMISSIONS.items() if gate.may(name)],
        languages=LANGUAGES,
        shortest=PASSWORD_LENGTH_MIN,
    )
    return page, status


@blueprint.get("/")
@gate.needs("account.own")
def own() -> ResponseReturnValue:
    """Who I am here, and what I may change about it."""
    return _own({})


@blueprint.post("/password")
@gate.needs("account.own")
def change_password() -> ResponseReturnValue:
    """Change it; every other session of the account ends, this one goes on."""
    user = Account.get_by_id(current_user.id)
    old, first, again = (_normal(request.form.get(name, "")) for name in ("old", "new", "again"))
    wrong: dict[str, str] = {}
    if not user.password or not verify_password(old, user.password):
        wrong["old"] = _("This is not your password.")
    typed = len(request.form.get("new", ""))  # as the person counts them, not as the normal form does
    if not PASSWORD_LENGTH_MIN <= typed <= PASSWORD_LENGTH_MAX:
        wrong["new"] = _(
            "It has %(n)s characters; give %(low)s to %(high)s.",
            n=typed,
            low=PASSWORD_LENGTH_MIN,
            high=PASSWORD_LENGTH_MAX,
        )
    elif first == old:
        wrong["new"] = _("It is the old one.")
    elif first.casefold() in {user.email.casefold(), user.name.casefold()}:
        wrong["new"] = _("It is your name or address.")
    if first != again:
        wrong["again"] = _("The two are not the same.")
    if wrong:
        return _own(wrong, 422)
    command = ChangePassword(actor=user.id, reason="changed by its owner", password_hash=hash_password(first))
    gate.runtime().execute(command)
    login_user(Account.get_by_id(user.id))  # the session of this browser under the account's new name
    flash(_("Your password is changed. Other sessions have ended."), "success")
    return redirect(url_for("accounts.own"), 303)


@blueprint.post("/language")
@gate.needs("account.own")
def choose_language() -> ResponseReturnValue:
    """Choose the language of the console."""
    command = SetLanguage(
        actor=current_user.id, reason="chosen by its owner", language=request.form.get("language", "")
    )
    gate.runtime().execute(command)
    return redirect(url_for("accounts.own"), 303)


def _generated() -> str:
    """A password somebody can hand over: four groups of four letters and digits."""
    return "-".join("".join(secrets.choice(LETTERS) for _n in range(GROUP_LENGTH)) for _g in range(GROUPS))


def _normal(password: str) -> str:
    """As sign-in reads it: one Unicode form."""
    return str(_security._password_util.normalize(password))
