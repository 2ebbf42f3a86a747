"""A trained model becomes the champion by two people; what is no model never gets in."""

from types import SimpleNamespace
from typing import Any

import pytest

from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.promotion import PromoteModel, ProposeModel, WithdrawModel
from engine.runtime import Runtime
from engine.tables import AuditEntry, Entity, ScoreModel
from engine.training import RegisterModel, train
from ledger.canonical import sha256_of
from scoring.model import canonical


def register(runtime: Runtime, actor: int, body: dict[str, Any]) -> dict[str, Any]:
    """Register a body under its name."""
    text = canonical(body).decode()
    return runtime.execute(RegisterModel(actor=actor, reason="new year", body=text, sha256=sha256_of(body)))


def promote(runtime: Runtime, actor: int, answer: dict[str, Any], override: str = "") -> dict[str, Any]:
    """Promote what was registered."""
    named = {"model": answer["model"], "sha256": answer["sha256"], "override": override}
    return runtime.execute(PromoteModel(actor=actor, reason="read its card", **named))


def test_another_person_makes_a_model_the_champion(
    runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]
) -> None:
    """Registered it is a challenger; approved by somebody else it is the champion; both are in the audit trail."""
    answer = register(runtime, users.analyst.id, body)
    assert answer["status"] == "challenger"
    promote(runtime, users.manager.id, answer)
    assert ScoreModel.get().status == "champion"
    assert [entry.command for entry in AuditEntry.select().order_by(AuditEntry.id)] == ["RegisterModel", "PromoteModel"]
    with pytest.raises(Conflict):
        promote(runtime, users.second.id, answer)


def test_nobody_approves_the_model_they_trained(runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]) -> None:
    """A manager may train and a manager may approve, but not the same one."""
    answer = register(runtime, users.manager.id, body)
    with pytest.raises(Refused):
        promote(runtime, users.manager.id, answer)
    assert promote(runtime, users.second.id, answer)["status"] == "champion"


def test_a_new_champion_retires_the_old_one(runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]) -> None:
    """There is one champion at a time."""
    promote(runtime, users.second.id, register(runtime, users.analyst.id, body))
    newer = body | {"card": body["card"] | {"seed": 2}}
    promote(runtime, users.second.id, register(runtime, users.analyst.id, newer), "a longer history")
    assert sorted(model.status for model in ScoreModel.select()) == ["champion", "retired"]


def test_a_model_that_sees_the_future_is_not_promoted(
    runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]
) -> None:
    """An AUC above 0.97 is a leak until shown otherwise."""
    leaking = body | {"card": body["card"] | {"leak_alarm": True}}
    answer = register(runtime, users.analyst.id, leaking)
    with pytest.raises(Invalid):
        promote(runtime, users.manager.id, answer)


def test_a_changed_model_is_not_registered(runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]) -> None:
    """Its content must match its name."""
    changed = canonical(body | {"base": 0}).decode()
    with pytest.raises(Invalid):
        runtime.execute(RegisterModel(actor=users.analyst.id, reason="new", body=changed, sha256=sha256_of(body)))
    assert ScoreModel.select().count() == 0


def test_an_empty_ledger_gives_a_sentence_and_no_model(runtime: Runtime, entity: Entity) -> None:
    """Too little history is told, with what to do."""
    trained = train(runtime, entity, 20_500)
    assert trained.model_id is None
    assert "rows to fit on" in trained.problems[0].what
    assert trained.problems[0].cure


def propose(runtime: Runtime, actor: int, answer: dict[str, Any]) -> dict[str, Any]:
    """Propose what was registered."""
    return runtime.execute(
        ProposeModel(actor=actor, reason="ranks better", model=answer["model"], sha256=answer["sha256"])
    )


def test_a_model_the_system_trained_needs_two_people(
    runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]
) -> None:
    """Unproposed nobody can promote it; who proposes it cannot approve it; a withdrawn proposal does not count."""
    text = canonical(body).decode()
    answer = runtime.execute(RegisterModel(actor=None, reason="monthly", body=text, sha256=sha256_of(body)))
    with pytest.raises(Conflict):
        promote(runtime, users.manager.id, answer)
    assert propose(runtime, users.manager.id, answer)["state"] == "proposed"
    with pytest.raises(Refused):
        promote(runtime, users.manager.id, answer)
    runtime.execute(WithdrawModel(actor=users.analyst.id, reason="not yet", model=answer["model"]))
    with pytest.raises(Conflict):
        promote(runtime, users.second.id, answer)
    propose(runtime, users.analyst.id, answer)
    promote(runtime, users.second.id, answer)
    row = ScoreModel.get()
    assert (row.status, row.approved_by_id, row.proposed_by_id) == ("champion", users.second.id, None)


def test_going_back_to_an_earlier_champion_takes_two_people_too(
    runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]
) -> None:
    """Its trainer's hand does not stand for a proposal any more; of two proposals the latest one waits."""
    first = register(runtime, users.analyst.id, body)
    promote(runtime, users.second.id, first)
    newer = register(runtime, users.analyst.id, body | {"card": body["card"] | {"seed": 2}})
    promote(runtime, users.second.id, newer, "a longer history")
    with pytest.raises(Conflict):
        promote(runtime, users.manager.id, first)
    third = register(runtime, users.analyst.id, body | {"card": body["card"] | {"seed": 3}})
    propose(runtime, users.analyst.id, third)
    propose(runtime, users.manager.id, first)
    assert [row.id for row in ScoreModel.select().where(ScoreModel.proposed_by.is_null(False))] == [first["model"]]
    promote(runtime, users.second.id, first)
    assert ScoreModel.get(ScoreModel.status == "champion").id == first["model"]
    assert ScoreModel.get_by_id(newer["model"]).status == "retired"


def test_a_proposal_names_a_model_that_can_become_champion(
    runtime: Runtime, users: SimpleNamespace, body: dict[str, Any]
) -> None:
    """Not one that leaks, nor the champion, nor another than was read, nor one that is not there."""
    leaking = register(runtime, users.analyst.id, body | {"card": body["card"] | {"leak_alarm": True}})
    with pytest.raises(Invalid):
        propose(runtime, users.analyst.id, leaking)
    champion = register(runtime, users.analyst.id, body)
    promote(runtime, users.second.id, champion)
    for wrong in (champion, leaking | {"sha256": "0" * 64}):
        with pytest.raises(Conflict):
            propose(runtime, users.analyst.id, wrong)
    with pytest.raises(NotFound):
        propose(runtime, users.analyst.id, champion | {"model": 99})
    with pytest.raises(Conflict):
        runtime.execute(WithdrawModel(actor=users.analyst.id, reason="none waits", model=champion["model"]))
