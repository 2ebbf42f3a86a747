"""Commands about people: users, their roles and scopes, and the erasure of a person's data."""

from dataclasses import dataclass
from uuid import uuid4

from engine.access import GUARDED_ROLES, ROLES
from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register, update_version
from engine.tables import Contact, Customer, Person, RoleProposal, User, UserRole, UserScope

LANGUAGES = ("en", "de", "fr")
NAME_LENGTH_MAX = 200
EMAIL_LENGTH_MAX = 254


@dataclass(frozen=True, kw_only=True)
class CreateUser(Command):
    """Let somebody sign in.

    Args:
        email: unique, compared without regard to case.
        name: shown in the console.
        password_hash: made by the console; None: no sign-in by password yet.
        roles: keys of ``engine.access.ROLES``; one that can approve waits for a second person.
        entities: codes of the entities of which they see everything.
    """

    email: str
    name: str
    password_hash: str | None = None
    roles: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    language: str = "en"


@register(CreateUser, permission="users.manage")
def create_user(context: Context, command: CreateUser) -> Change:
    """Create the account with its first roles and scopes."""
    email = command.email.strip().lower()
    local, _, domain = email.partition("@")
    if not local or not domain or len(email) > EMAIL_LENGTH_MAX or any(c.isspace() or c in "@,;<>" for c in domain):
        raise Invalid.because("email", "is not an address", "write it as name@company.example")
    if not 0 < len(command.name.strip()) <= NAME_LENGTH_MAX:
        raise Invalid.because("name", f"has not 1 to {NAME_LENGTH_MAX} characters", "write it as colleagues say it")
    _check_language(command.language)
    if User.select().where(User.email == email).exists():
        raise Conflict(f"there is a user {email} already")
    _check_roles(command.roles)
    entities = [context.any_entity(code) for code in command.entities]
    user = User.create(
        email=email,
        name=command.name.strip(),
        password=command.password_hash,
        fs_uniquifier=uuid4().hex,
        language=command.language,
    )
    waiting = [role for role in sorted(set(command.roles)) if not _give(context, user, role)]
    for entity in entities:
        UserScope.create(user=user, entity=entity)
    return Change(
        subject_kind="user",
        subject_id=user.id,
        after={"roles": sorted(set(command.roles)), "entities": list(command.entities), "waiting": waiting},
        answer={"user": user.id, "waiting": waiting},
    )


@dataclass(frozen=True, kw_only=True)
class ChangePassword(Command):
    """Give oneself another password; every other session of the account ends.

    Args:
        password_hash: made by the console once it has checked the old password.
    """

    password_hash: str


@register(ChangePassword, permission="account.own", person_only=True)
def change_password(context: Context, command: ChangePassword) -> Change:
    """Keep the new hash; a new ``fs_uniquifier`` makes every session that exists worth nothing."""
    user = _actor(context)
    if not command.password_hash.startswith("$argon2"):
        raise Invalid.because("password_hash", "is not made with argon2", "let the console make it")
    update_version(user, password=command.password_hash, fs_uniquifier=uuid4().hex)
    return Change(
        subject_kind="user",
        subject_id=user.id,
        after={"password": "changed", "sessions": "ended"},  # neither hash belongs into the trail
        answer={"user": user.id},
    )


@dataclass(frozen=True, kw_only=True)
class SetLanguage(Command):
    """Choose the language of one's own console."""

    language: str


@register(SetLanguage, permission="account.own", person_only=True)
def set_language(context: Context, command: SetLanguage) -> Change:
    """It counts at the next click."""
    user = _actor(context)
    _check_language(command.language)
    before = {"language": user.language}
    update_version(user, language=command.language)
    return Change(
        subject_kind="user",
        subject_id=user.id,
        before=before,
        after={"language": command.language},
        answer={"user": user.id},
    )


@dataclass(frozen=True, kw_only=True)
class GrantRole(Command):
    """Give a user a role, or a scope, or both; a role that can approve waits for a second person."""

    user: int
    role: str | None = None
    entity: str | None = None
    portfolio: str | None = None


@register(GrantRole, permission="users.manage")
def grant_role(context: Context, command: GrantRole) -> Change:
    """Give it; nobody gives themselves anything."""
    user = _other_user(context, command.user)
    before = _held(user)
    if command.role is not None:
        _check_roles((command.role,))
        _give(context, user, command.role)
    if command.entity is not None:
        entity = context.any_entity(command.entity)
        known = UserScope.select().where(
            UserScope.user == user, UserScope.entity == entity, UserScope.portfolio == command.portfolio
        )
        if not known.exists():
            UserScope.create(user=user, entity=entity, portfolio=command.portfolio)
    update_version(user)
    return Change(subject_kind="user", subject_id=user.id, before=before, after=_held(user), answer={"user": user.id})


@dataclass(frozen=True, kw_only=True)
class ApproveRole(Command):
    """Approve, as a second person, the role that somebody else gives a user."""

    user: int
    role: str


@register(ApproveRole, permission="users.approve", person_only=True)
def approve_role(context: Context, command: ApproveRole) -> Change:
    """Give it; neither who gets it nor who proposed it can be the second person."""
    user = _other_user(context, command.user)
    proposal = RoleProposal.get_or_none(
        RoleProposal.user == user, RoleProposal.role == command.role, RoleProposal.state == "proposed"
    )
    if proposal is None:
        raise NotFound(f"the role {command.role} does not wait for user {user.id}")
    approver = _actor(context)
    if proposal.proposed_by_id == approver.id:
        raise Refused("nobody approves a role that they give themselves")
    before = _held(user)
    RoleProposal.update(state="approved", approved_by=approver, approved_at=context.at).where(
        RoleProposal.id == proposal.id
    ).execute()
    UserRole.get_or_create(user=user, role=command.role)
    update_version(user)
    return Change(subject_kind="user", subject_id=user.id, before=before, after=_held(user), answer={"user": user.id})


@dataclass(frozen=True, kw_only=True)
class WithdrawRole(Command):
    """Take a role from a user, also one that waits for approval; it counts at their next request."""

    user: int
    role: str


@register(WithdrawRole, permission="users.manage")
def withdraw_role(context: Context, command: WithdrawRole) -> Change:
    """Take it; nobody changes their own roles."""
    user = _other_user(context, command.user)
    before = _held(user)
    waiting = (RoleProposal.user == user) & (RoleProposal.role == command.role) & (RoleProposal.state == "proposed")
    taken = UserRole.delete().where(UserRole.user == user, UserRole.role == command.role).execute()
    if taken + RoleProposal.update(state="withdrawn").where(waiting).execute() == 0:
        raise NotFound(f"user {user.id} does not hold the role {command.role}")
    update_version(user)
    return Change(subject_kind="user", subject_id=user.id, before=before, after=_held(user), answer={"user": user.id})


@dataclass(frozen=True, kw_only=True)
class ErasePerson(Command):
    """Destroy a person's data for good."""

    person: int


@register(ErasePerson, permission="persons.erase", person_only=True)
def erase_person(context: Context, command: ErasePerson) -> Change:
    """Destroy the key; refused while a customer of theirs still owes something."""
    from engine.pipeline import open_amounts

    person = Person.get_or_none(Person.id == command.person)
    if person is None or person.key_sealed is None:
        raise NotFound(f"no person {command.person}")
    customers = list(Customer.select().join(Contact).where(Contact.person == person).order_by(Customer.id).distinct())
    for customer in customers:
        context.customer(customer.id)  # one that the actor may not see stops the erasure
    owing = [number for number, amount in open_amounts(context.runtime, customers).items() if amount != 0]
    if owing:
        raise Refused(f"the data is still needed: customer {', '.join(owing)} has open items")
    context.runtime.vault.erase(person, context.at)
    Contact.update(usable=False).where(Contact.person == person).execute()
    return Change(
        subject_kind="person",
        subject_id=person.id,
        before={"erased": False},
        after={"erased": True},
        answer={"person": person.id},
    )


def _actor(context: Context) -> User:
    if context.actor is None:
        raise Refused("takes a person")
    return context.actor


def _other_user(context: Context, user_id: int) -> User:
    if context.actor is not None and context.actor.id == user_id:
        raise Refused("nobody changes their own roles")
    user: User | None = User.get_or_none(User.id == user_id)
    if user is None:
        raise NotFound(f"no user {user_id}")
    return user


def _check_language(language: str) -> None:
    if language not in LANGUAGES:
        raise Invalid.because("language", f"{language!r} is not spoken here", f"choose from {', '.join(LANGUAGES)}")


def _check_roles(roles: tuple[str, ...]) -> None:
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise Invalid.because("role", f"is unknown: {', '.join(unknown)}", f"choose from {', '.join(sorted(ROLES))}")


def _give(context: Context, user: User, role: str) -> bool:
    """Give a role, or propose it where it takes a second person. The system gives all: it makes the first accounts.

    Returns:
        Whether the user holds it now.
    """
    if UserRole.select().where(UserRole.user == user, UserRole.role == role).exists():
        return True
    if context.actor is None or role not in GUARDED_ROLES:
        UserRole.create(user=user, role=role)
        return True
    waiting = (RoleProposal.user == user) & (RoleProposal.role == role) & (RoleProposal.state == "proposed")
    if not RoleProposal.select().where(waiting).exists():
        RoleProposal.create(user=user, role=role, proposed_by=context.actor, proposed_at=context.at)
    return False


def proposed_roles(user: User) -> list[RoleProposal]:
    """The roles that wait for a second person, oldest first."""
    query = RoleProposal.select().where(RoleProposal.user == user, RoleProposal.state == "proposed")
    return list(query.order_by(RoleProposal.id))


def _held(user: User) -> dict[str, object]:
    roles = UserRole.select(UserRole.role).where(UserRole.user == user).order_by(UserRole.role).tuples()
    scopes = UserScope.select().where(UserScope.user == user).order_by(UserScope.id)
    return {
        "roles": [role for (role,) in roles],
        "waiting": [one.role for one in proposed_roles(user)],
        "scopes": [{"entity": scope.entity_id, "portfolio": scope.portfolio} for scope in scopes],
    }
