"""Promise F2, exhaustively: every command that approves x every route to it x every person x every state.

``WAYS`` names, for each command with a permission ``*.approve``, how something comes to wait for it and who
had a hand in that. A new command of that kind is red here until its ways are written down.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from engine import catalogue
from engine.access import GUARDED_ROLES, ROLES
from engine.after_run import PutLimitsInForce
from engine.charging import RecordCost, WaiveClaim
from engine.commands import Command, CommandError
from engine.gateway_addresses import ApproveGatewayAddress, ProposeGatewayAddress
from engine.going_live import ApproveGoLive, ApproveRun, ProposeGoLive
from engine.governance import ApproveDocument, ProposeDocument, RejectDocument, SaveDraft, UndoDraft
from engine.handing_over import ApproveHandOver, ProposeHandOver
from engine.overrides import ApproveLimit, ApproveOverride, SetOverride
from engine.payment_plans import AgreePlan
from engine.people import ApproveRole, GrantRole
from engine.promotion import PromoteModel, ProposeModel
from engine.proposals import ApproveEntry
from engine.restoring import RestoreDocument, WithdrawDocument
from engine.runs import run_entity
from engine.sending_terms import ApproveSendingTerms, SetSendingTerms
from engine.stopping import ApproveResume, ProposeResume, StopPolicy
from engine.tables import Document, Entity, Outcome, Run, ScoreModel, UserRole
from engine.write_offs import WriteOff
from ledger.canonical import canonical, sha256_of

from .conftest import in_force, model_body, parameters, segmentation

DAY = 20_543


@dataclass(frozen=True)
class Waiting:
    """Something that waits for an approval.

    Args:
        command: makes the approving command of an actor.
        hands: names of all who had a hand in it: none of them may.
    """

    command: Callable[[int], Command]
    hands: frozenset[str]


class World:
    """Two who write, both of whom may approve by now as well, and what the ways share."""

    def __init__(self, runtime: Any, users: SimpleNamespace, entity: Entity, books: Any, make_user: Any) -> None:
        self.runtime, self.entity, self.books = runtime, entity, books
        self.people = {name: user.id for name, user in vars(users).items()}
        for name in ("a", "b"):
            self.people[name] = make_user(f"{name}@dunwell.example", "risk_analyst", entity).id

    def do(self, command: type[Command], who: str, **values: Any) -> dict[str, Any]:
        """Give a command as somebody."""
        answer: dict[str, Any] = self.runtime.execute(command(actor=self.people[who], reason="because", **values))
        return answer

    def promote_all(self) -> None:
        """A change of roles in between: whoever wrote as an analyst is a credit manager by now."""
        for name in ("a", "b"):
            UserRole.create(user=self.people[name], role="credit_manager")


@pytest.fixture
def world(runtime: Any, users: Any, entity: Entity, books: Any, make_user: Any, policies: Any) -> World:
    """Policies in force, nothing decided yet."""
    return World(runtime, users, entity, books, make_user)


# --- documents: every route to a proposal -------------------------------------------------


def _draft(world: World, who: str, amount: int, **known: Any) -> dict[str, Any]:
    return world.do(SaveDraft, who, document=segmentation(amount), **known)


def _edit(world: World, who: str, draft: dict[str, Any], amount: int) -> dict[str, Any]:
    return _draft(world, who, amount, document_id=draft["document"], version=draft["version"])


def _propose(world: World, who: str, document: Any) -> dict[str, Any]:
    return world.do(ProposeDocument, who, document=document, from_day=DAY)


def at_once(world: World) -> tuple[dict[str, Any], str]:
    return _propose(world, "a", segmentation(1)), "a"


def own_draft(world: World) -> tuple[dict[str, Any], str]:
    return _propose(world, "a", _draft(world, "a", 1)["document"]), "a"


def proposed_by_another(world: World) -> tuple[dict[str, Any], str]:
    return _propose(world, "b", _draft(world, "a", 1)["document"]), "ab"


def edited_by_another(world: World) -> tuple[dict[str, Any], str]:
    draft = _draft(world, "a", 1)
    return _propose(world, "b", _edit(world, "b", draft, 2)["document"]), "ab"


def edited_by_another_and_proposed_by_its_author(world: World) -> tuple[dict[str, Any], str]:
    draft = _draft(world, "a", 1)
    return _propose(world, "a", _edit(world, "b", draft, 2)["document"]), "ab"


def edit_taken_back_by_another(world: World) -> tuple[dict[str, Any], str]:
    later = _edit(world, "a", _draft(world, "a", 1), 2)
    undone = world.do(UndoDraft, "b", document_id=later["document"], version=later["version"])
    return _propose(world, "b", undone["document"]), "ab"


def copied_into_anothers_file(world: World) -> tuple[dict[str, Any], str]:
    _draft(world, "a", 1)
    return _propose(world, "b", segmentation(1)), "ab"


def proposed_again_after_a_withdrawal(world: World) -> tuple[dict[str, Any], str]:
    first = _propose(world, "a", segmentation(1))
    world.do(WithdrawDocument, "a", document_id=first["document"])
    return _propose(world, "b", segmentation(1)), "ab"


def proposed_again_after_a_rejection(world: World) -> tuple[dict[str, Any], str]:
    first = _propose(world, "a", segmentation(1))
    world.do(RejectDocument, "manager", document_id=first["document"])
    return _propose(world, "b", segmentation(1)), "ab"


def gone_back_to(world: World) -> tuple[dict[str, Any], str]:
    older = Document.get(Document.key == "segmentation")
    in_force(segmentation(7), 1)
    return world.do(RestoreDocument, "a", document_id=older.id, from_day=DAY), "a"


def parameters_document(world: World) -> tuple[dict[str, Any], str]:
    return _propose(world, "a", parameters(dunning_tolerance=600)), "a"


def derived_facts(world: World) -> tuple[dict[str, Any], str]:
    document = {
        "format": 1,
        "kind": "derived_facts",
        "key": "derived",
        "entity": None,
        "source": "test",
        "facts": [
            {
                "name": "derived_at_stake_minor",
                "kind": "money",
                "label": "At stake",
                "meaning": "Exposure that no promise covers.",
                "formula": {"max": [{"subtract": [{"fact": "exposure_minor"}, {"fact": "promised_minor"}]}, 0]},
                "rounding": "down",
            }
        ],
    }
    return _propose(world, "a", document), "a"


def draft_of_the_product(world: World) -> tuple[dict[str, Any], str]:
    body = segmentation(3)
    row = in_force(body)
    Document.delete().where(Document.id == row.id).execute()
    draft = Document.create(
        kind="policy", key="segmentation", stage="segmentation", subject="customer",
        sha256=row.sha256, body=row.body, status="draft",
    )  # fmt: skip
    return _propose(world, "a", draft.id), "a"


DOCUMENT_ROUTES = (
    at_once,
    own_draft,
    proposed_by_another,
    edited_by_another,
    edited_by_another_and_proposed_by_its_author,
    edit_taken_back_by_another,
    copied_into_anothers_file,
    proposed_again_after_a_withdrawal,
    proposed_again_after_a_rejection,
    gone_back_to,
    parameters_document,
    derived_facts,
    draft_of_the_product,
)


def _of_document(route: Callable[[World], tuple[dict[str, Any], str]], command: Any = ApproveDocument) -> Any:
    def wait(world: World) -> Waiting:
        answer, hands = route(world)
        values = {"document_id": answer["document"]}
        if command is ApproveDocument:
            values["sha256"] = answer["sha256"]
        return Waiting(lambda actor: command(actor=actor, reason="read", **values), frozenset(hands))

    wait.__name__ = route.__name__
    return wait


# --- all other approvals ------------------------------------------------------------------


def go_live(world: World) -> Waiting:
    """Proposed by somebody who is a manager by then."""
    world.books.invoice(world.books.customer("1"), 50_000, DAY - 60, DAY - 40)
    run_entity(world.runtime, world.entity, DAY)
    world.promote_all()
    world.do(ProposeGoLive, "a", entity="main")
    return Waiting(lambda actor: ApproveGoLive(actor=actor, reason="read", entity="main"), frozenset("a"))


def run_through_the_gate(world: World) -> Waiting:
    """Nobody proposes a run: who may approve may; the policy behind it took two people already."""
    row = Run.create(entity=world.entity, as_of_day=DAY, kind="nightly", state="gated", started_at=1)
    return Waiting(lambda actor: ApproveRun(actor=actor, reason="read", run=row.id), frozenset())


def released_hold(world: World) -> Waiting:
    customer = world.books.customer("1")
    world.books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(world.runtime, world.entity, DAY)
    made = world.do(SetOverride, "a", customer=customer.id, target="hold", value=False, until_day=DAY + 10)
    return Waiting(lambda actor: ApproveOverride(actor=actor, reason="read", override=made["override"]), frozenset("a"))


def proposed_limit(world: World) -> Waiting:
    """The rules propose it; above them it is an override (see ``released_hold``)."""
    customer = world.books.customer("1")
    run_entity(world.runtime, world.entity, DAY)
    Outcome.update(proposed_limit_minor=100).where(Outcome.customer == customer).execute()
    values = {"customer": customer.id, "amount_minor": 100, "from_day": DAY}
    return Waiting(lambda actor: ApproveLimit(actor=actor, reason="read", **values), frozenset())


def limits_in_the_band(world: World) -> Waiting:
    """The end of a run alone does it: every person is refused."""
    row = Run.create(entity=world.entity, as_of_day=DAY, kind="nightly", state="done", started_at=1)
    return Waiting(
        lambda actor: PutLimitsInForce(actor=actor, reason="read", run=row.id, band_minor=10**9),
        frozenset(world.people),
    )


def model(world: World, status: str) -> ScoreModel:
    """A score model that a trained."""
    body = model_body(-1_000_000)
    values = {"sha256": sha256_of(body), "body": canonical(body), "card": canonical(body["card"]), "task": "late"}
    return ScoreModel.create(**values, status=status, trained_day=DAY, created_at=1, trained_by=world.people["a"])


def trained_model(world: World) -> Waiting:
    row = model(world, "challenger")
    return Waiting(
        lambda actor: PromoteModel(actor=actor, reason="read", model=row.id, sha256=row.sha256), frozenset("a")
    )


def earlier_champion(world: World) -> Waiting:
    """Whoever trained it, and whoever asks to go back to it."""
    row = model(world, "retired")
    world.do(ProposeModel, "b", model=row.id, sha256=row.sha256)
    return Waiting(
        lambda actor: PromoteModel(actor=actor, reason="read", model=row.id, sha256=row.sha256), frozenset("ab")
    )


def given_role(world: World) -> Waiting:
    """Neither who gives it nor who gets it."""
    world.do(GrantRole, "administrator", user=world.people["sales"], role="credit_manager")
    hands = frozenset({"administrator", "sales"})
    return Waiting(
        lambda actor: ApproveRole(actor=actor, reason="read", user=world.people["sales"], role="credit_manager"), hands
    )


def resumed_policy(world: World) -> Waiting:
    world.do(StopPolicy, "b", policy="hold")
    world.do(ProposeResume, "a", policy="hold")
    return Waiting(lambda actor: ApproveResume(actor=actor, reason="read", policy="hold"), frozenset("a"))


def resumed_by_who_stopped_it(world: World) -> Waiting:
    world.do(StopPolicy, "a", policy="hold")
    world.do(ProposeResume, "a", policy="hold")
    return Waiting(lambda actor: ApproveResume(actor=actor, reason="read", policy="hold"), frozenset("a"))


def asked_for_once_more_by_another(world: World) -> Waiting:
    """The newer request counts: whoever makes it cannot approve it."""
    world.do(StopPolicy, "manager", policy="hold")
    world.do(ProposeResume, "a", policy="hold")
    world.do(ProposeResume, "b", policy="hold")
    return Waiting(lambda actor: ApproveResume(actor=actor, reason="read", policy="hold"), frozenset("b"))


def higher_daily_cap(world: World) -> Waiting:
    world.promote_all()
    world.do(SetSendingTerms, "a", entity="main", daily_cap=51)
    return Waiting(lambda actor: ApproveSendingTerms(actor=actor, reason="read", entity="main"), frozenset("a"))


def gateway_address(world: World) -> Waiting:
    """Where webhooks go."""
    said = world.do(ProposeGatewayAddress, "manager", entity="main", url="https://hooks.seller.example/")
    address, sha256 = said["gateway_address"], said["sha256"]
    return Waiting(
        lambda actor: ApproveGatewayAddress(actor=actor, reason="read", address=address, sha256=sha256),
        frozenset({"manager"}),
    )


def waived_charge(world: World) -> Waiting:
    """More than one person may waive alone: without the parameter that is nothing."""
    customer = world.books.customer("1")
    world.promote_all()
    world.do(RecordCost, "b", customer=customer.id, amount_minor=5_000, currency="EUR")
    made = world.do(WaiveClaim, "a", customer=customer.id, part="cost", amount_minor=5_000, currency="EUR")
    return Waiting(lambda actor: ApproveEntry(actor=actor, reason="read", proposal=made["proposal"]), frozenset("a"))


def handed_over_debt(world: World) -> Waiting:
    customer = world.books.customer("1")
    world.books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    world.promote_all()
    made = world.do(ProposeHandOver, "a", customer=customer.id, target="agency", recipient="An agency")
    return Waiting(
        lambda actor: ApproveHandOver(actor=actor, reason="read", hand_over=made["hand_over"]), frozenset("a")
    )


def large_write_off(world: World) -> Waiting:
    line = world.books.invoice(world.books.customer("1"), 50_000, DAY - 60, DAY - 40)
    world.promote_all()
    made = world.do(WriteOff, "a", due_line=line.id)
    return Waiting(lambda actor: ApproveEntry(actor=actor, reason="read", proposal=made["proposal"]), frozenset("a"))


def long_payment_plan(world: World) -> Waiting:
    customer = world.books.customer("1")
    line = world.books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    world.promote_all()
    terms = {"due_lines": (line.id,), "instalments": ((DAY + 200, 50_000),)}
    made = world.do(AgreePlan, "a", customer=customer.id, **terms)
    return Waiting(
        lambda actor: ApproveEntry(actor=actor, reason="read", proposal=made["proposal"], sha256=made["sha256"]),
        frozenset("a"),
    )


WAYS: dict[str, tuple[Callable[[World], Waiting], ...]] = {
    "ApproveDocument": tuple(_of_document(route) for route in DOCUMENT_ROUTES),
    "RejectDocument": (),  # saying no to one's own harms nobody
    "ApproveGoLive": (go_live,),
    "ApproveSendingTerms": (higher_daily_cap,),
    "ApproveRun": (run_through_the_gate,),
    "ApproveOverride": (released_hold,),
    "ApproveLimit": (proposed_limit,),
    "PutLimitsInForce": (limits_in_the_band,),
    "PromoteModel": (trained_model, earlier_champion),
    "ApproveRole": (given_role,),
    "ApproveEntry": (large_write_off, long_payment_plan, waived_charge),
    "ApproveGatewayAddress": (gateway_address,),
    "ApproveHandOver": (handed_over_debt,),
    "DeclineHandOver": (),
    "ApproveResume": (resumed_policy, resumed_by_who_stopped_it, asked_for_once_more_by_another),
}
EACH_WAY = [pytest.param(name, way, id=f"{name}: {way.__name__}") for name, ways in WAYS.items() for way in ways]


def test_every_command_that_approves_has_its_ways_written_down() -> None:
    """By permission or by name; who holds such a permission has a role that takes a second person."""
    known = catalogue.all_commands()
    approving = {name for name, one in known.items() if one.permission.endswith(".approve") or "Approve" in name}
    assert approving == set(WAYS)
    for name in approving - {"PutLimitsInForce"}:
        assert known[name].person_only, name
        assert known[name].permission.endswith(".approve"), name
        holders = {role for role, permissions in ROLES.items() if known[name].permission in permissions}
        assert holders <= GUARDED_ROLES, name


def attempts(world: World, waiting: Waiting) -> Iterator[tuple[str, bool]]:
    """Everybody tries, in a transaction that is taken back each time: who got through."""
    for name, actor in world.people.items():
        with world.runtime.database.atomic() as attempt:
            try:
                world.runtime.execute(waiting.command(actor))
                yield name, True
            except CommandError:
                yield name, False
            attempt.rollback()


@pytest.mark.promise("F2")
@pytest.mark.parametrize(("name", "way"), EACH_WAY)
def test_nobody_approves_what_they_had_a_hand_in(world: World, name: str, way: Callable[[World], Waiting]) -> None:
    """Every person tries: exactly those get through whose role may and who had no hand in it, also after a new role."""
    waiting = way(world)
    permission = catalogue.all_commands()[name].permission
    for promoted in (False, True):
        if (
            promoted
            and not UserRole.select()
            .where(UserRole.role == "credit_manager", UserRole.user == world.people["a"])
            .exists()
        ):
            world.promote_all()
        found = {who for who, through in attempts(world, waiting) if through}
        may = {
            who for who, actor in world.people.items()
            if any(permission in ROLES[row.role] for row in UserRole.select().where(UserRole.user == actor))
        }  # fmt: skip
        assert found == may - waiting.hands


@pytest.mark.promise("F2")
def test_in_no_state_and_by_no_other_hash_is_a_version_approved(world: World) -> None:
    """Only as it was proposed, only as it was read: seven states, two hashes, by somebody who could."""
    found = []
    states = ("draft", "proposed", "approved", "live", "retired", "rejected", "withdrawn")
    for number, (state, right) in enumerate(product(states, (True, False))):
        answer = _draft(world, "a", number)
        if state != "draft":
            Document.update(status=state, from_day=DAY, proposed_by=world.people["a"], replaces=_head()).where(
                Document.id == answer["document"]
            ).execute()
        sha256 = answer["sha256"] if right else "0" * 64
        with world.runtime.database.atomic() as attempt:
            try:
                world.do(ApproveDocument, "manager", document_id=answer["document"], sha256=sha256)
                found.append((state, right))
            except CommandError:
                pass
            attempt.rollback()
        Document.delete().where(Document.id == answer["document"]).execute()
    assert found == [("proposed", True)]


def _head() -> str:
    return str(Document.get(Document.key == "segmentation", Document.status == "approved").sha256)


@pytest.mark.promise("F2")
def test_a_version_that_was_edited_behind_the_program_is_not_approved(world: World) -> None:
    """Its content must still be what its name says; the database refuses the change besides."""
    answer = _draft(world, "a", 1)
    Document.update(body=Document.get_by_id(answer["document"]).body.replace("large", "other")).where(
        Document.id == answer["document"]
    ).execute()
    proposed = _propose(world, "a", answer["document"])
    with pytest.raises(CommandError, match="not the one that was proposed"):
        world.do(ApproveDocument, "manager", document_id=proposed["document"], sha256=proposed["sha256"])
