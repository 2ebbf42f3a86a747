"""Who may do what, and whose rows they see. Deny by default; permissions and roles are data."""

from collections.abc import Mapping
from typing import Any

from peewee import ModelSelect

from engine.tables import Customer, Entity, User, UserRole, UserScope

# Each permission with what it lets a person do, in the words of the console.
PERMISSIONS: Mapping[str, str] = {
    "customers.view": "See customers, their open items, standing and decisions.",
    "people.view": "See names and addresses of contacts and the texts of messages.",
    "policies.view": "Read policies, parameters and their history.",
    "reports.view": "See the dashboard, ageing and figures.",
    "audit.view": "Read the audit trail.",
    "users.view": "See users, roles and scopes.",
    "import.run": "Import ledger files.",
    "documents.draft": "Write and try drafts of policies and parameters.",
    "documents.propose": "Propose a draft for approval.",
    "documents.approve": "Approve or reject what another person proposed.",
    "documents.comment": "Comment on versions of policies and parameters.",
    "policies.stop": "Stop one policy at once, or ask that it goes on.",
    "policies.approve": "Approve, as a second person, that a stopped policy goes on.",
    "golive.propose": "Propose that an entity starts sending.",
    "golive.approve": "Approve that an entity starts sending, as a second person.",
    "sending.stop": "Stop all sending of an entity at once.",
    "runs.start": "Start a decision run.",
    "runs.approve": "Let a run that changes much go on.",
    "runs.replay": "Decide past days again and see whether they come out the same.",
    "decisions.export": "Take out the decision log.",
    "overrides.set": "Put a person's decision in place of a rule's.",
    "overrides.approve": "Approve another person's override.",
    "limits.approve": "Put a credit limit in force.",
    "external.record": "Record ratings and financial statements of customers.",
    "promises.record": "Record a promise to pay.",
    "disputes.record": "Open a dispute.",
    "disputes.close": "Close a dispute.",
    "plans.agree": "Agree payment plans, and cancel them.",
    "write_offs.enter": "Write off what is open, and take it back.",
    "entries.approve": "Approve, as a second person, a payment plan, a write-off or a waiver.",
    "blocks.set": "Pause dunning of a customer or a line.",
    "claims.charge": "Charge late interest, fixed sums and costs, and record what is paid of them.",
    "claims.waive": "Waive interest and costs.",
    "handovers.propose": "Propose that a debt goes to an agency, an insurer or a court, and say what became of it.",
    "handovers.approve": "Approve, as a second person, that a debt is handed over.",
    "actions.work": "Confirm messages and do calls and tasks.",
    "work.assign": "Give customers and work to somebody else, and enter who stands in for whom.",
    "collectors.view": "See what was done at the desks: one's own; of everybody for who may assign or audit.",
    "notes.view": "Read what colleagues say about a customer.",
    "notes.write": "Write in the thread of a customer, and ask colleagues there.",
    "actions.resolve": "Say whether a doubtful message was delivered.",
    "alarms.acknowledge": "Acknowledge alarms.",
    "alerts.settle": "Acknowledge and snooze alerts about customers.",
    "users.manage": "Create users, give and take roles.",
    "users.approve": "Approve, as a second person, that somebody gets a role that can approve.",
    "account.own": "Change one's own password and language.",
    "persons.erase": "Erase a person's data.",
}

_EVERYBODY = frozenset({"customers.view", "policies.view", "reports.view", "account.own"})
_COLLECTOR = _EVERYBODY | {
    "people.view",
    "documents.comment",
    "promises.record",
    "disputes.record",
    "disputes.close",
    "plans.agree",
    "write_offs.enter",
    "blocks.set",
    "claims.charge",
    "claims.waive",
    "handovers.propose",
    "actions.work",
    "collectors.view",
    "notes.view",
    "notes.write",
    "sending.stop",
    "alarms.acknowledge",
    "alerts.settle",
}
_ANALYST = _EVERYBODY | {
    "documents.draft",
    "documents.propose",
    "documents.comment",
    "policies.stop",
    "overrides.set",
    "import.run",
    "external.record",
    "notes.view",
    "notes.write",
}
_BESIDE = _EVERYBODY | {
    "promises.record",
    "disputes.record",
    "disputes.close",
    "notes.view",
    "notes.write",
}  # who works with the customers otherwise

ROLES: Mapping[str, frozenset[str]] = {
    "credit_manager": _COLLECTOR
    | _ANALYST
    | {
        "audit.view",
        "documents.approve",
        "policies.approve",
        "golive.propose",
        "golive.approve",
        "runs.start",
        "runs.approve",
        "runs.replay",
        "decisions.export",
        "overrides.approve",
        "limits.approve",
        "handovers.approve",
        "entries.approve",
        "actions.resolve",
        "work.assign",
        "persons.erase",
        "users.view",
        "users.approve",
    },
    "risk_analyst": _ANALYST,
    "collector": _COLLECTOR,
    "sales": _BESIDE,
    "customer_care": _BESIDE,
    "auditor": _EVERYBODY
    | {"people.view", "notes.view", "collectors.view", "audit.view", "users.view", "runs.replay", "decisions.export"},
    "administrator": frozenset(
        {"users.view", "users.manage", "users.approve", "audit.view", "alarms.acknowledge", "account.own"}
    ),
}
# Whoever could make an approver of a second account of theirs would need no second person for anything.
GUARDED_ROLES = frozenset(
    role
    for role, permissions in ROLES.items()
    if "users.manage" in permissions or any(name.endswith(".approve") for name in permissions)
)


def roles_of(user: User | int) -> list[str]:
    """The roles a user holds now, sorted; none when the account is not active."""
    user_id = user if isinstance(user, int) else user.id
    rows = (
        UserRole.select(UserRole.role)
        .join(User)
        .where(UserRole.user == user_id, User.active == True)  # noqa: E712
        .tuples()
    )
    return sorted(role for (role,) in rows)


def permissions_of(user: User | int) -> frozenset[str]:
    """What a user may do now. Read from the database each time: a role withdrawn counts at once."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles_of(user)))


def visible_to(
    user: User | int | None, query: ModelSelect, customer_model: Any = Customer, *, in_order: bool = False
) -> ModelSelect:
    """Restrict a query to the customers a user may see.

    Args:
        user: who asks; None sees nothing.
        query: selects from or joins ``customer_model``.
        customer_model: the customer table, or an alias of it, in that query.
        in_order: the query reads some rows of a long list in its own order, so no index may serve the
            condition: the database would take all rows of a scope first and put them in order then.

    Returns:
        The query with the condition added; a user without a scope gets no row.
    """
    if user is None:
        return query.where(False)
    allowed = scope_of(user, customer_model, in_order=in_order)
    return query.where(False) if allowed is None else query.where(allowed)


def scope_of(user: User | int, customer_model: Any = Customer, *, in_order: bool = False) -> Any:
    """The condition a customer a user may see fulfils; None: there is none (see ``visible_to``)."""
    user_id = user if isinstance(user, int) else user.id
    entity = customer_model.entity + 0 if in_order else customer_model.entity
    allowed: Any = None
    for scope in UserScope.select().where(UserScope.user == user_id).order_by(UserScope.id):
        clause = entity == scope.entity_id
        if scope.portfolio is not None:
            clause = clause & (customer_model.portfolio == scope.portfolio)
        allowed = clause if allowed is None else allowed | clause
    return allowed


def visible_entities(user: User | int | None) -> frozenset[int]:
    """Ids of the entities of which a user sees at least a portfolio."""
    if user is None:
        return frozenset()
    user_id = user if isinstance(user, int) else user.id
    rows = UserScope.select(UserScope.entity).where(UserScope.user == user_id).tuples()
    return frozenset(entity_id for (entity_id,) in rows)


def sees_whole_entity(user: User | int | None, entity_id: int) -> bool:
    """Whether a user sees every customer of an entity, not one portfolio only."""
    if user is None:
        return False
    user_id = user if isinstance(user, int) else user.id
    whole = UserScope.select().where(
        UserScope.user == user_id, UserScope.entity == entity_id, UserScope.portfolio.is_null()
    )
    return bool(whole.exists())


def sees_all_of(user: User | int | None, entity_id: int | None) -> bool:
    """Whether a user sees every customer of an entity, or, where none is given, of all of them."""
    touched = [entity_id] if entity_id is not None else [one.id for one in Entity.select(Entity.id)]
    return all(sees_whole_entity(user, one) for one in touched)
