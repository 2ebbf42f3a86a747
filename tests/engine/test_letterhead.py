"""The letterhead: what letters print of their sender is checked, and another account is noticed."""

import pytest

from engine.commands import Conflict, Invalid, Refused
from engine.letterhead import SetLetterhead
from engine.tables import Alarm, AuditEntry, Entity

IBAN = "DE02 1203 0000 0000 2020 51"


@pytest.fixture
def give(runtime, users):
    """Give the command as a credit manager."""

    def give(key="1", actor=None, **values):
        actor = users.manager if actor is None else actor
        return runtime.execute(
            SetLetterhead(actor=actor.id, reason="new paper", key=key, **{"entity": "main", **values})
        )

    return give


def test_it_is_kept_as_letters_print_it(give, entity):
    """Blanks and empty lines vanish, the IBAN is plain, the trail shows both sides."""
    give(address=" Speicherstraße  12 \n\n20457 Hamburg", iban=IBAN.lower(), bic="bylademm", mail_from="a@b.example")
    kept = Entity.get_by_id(entity.id)
    assert (kept.address, kept.iban, kept.bic) == (
        "Speicherstraße 12\n20457 Hamburg",
        "DE02120300000000202051",
        "BYLADEMM",
    )
    entry = AuditEntry.select().order_by(AuditEntry.id.desc()).first()
    assert entry.command == "SetLetterhead"
    assert "DE02120300000000202051" in entry.after


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("iban", "DE02120300000000202052"),
        ("iban", "DE0212030000000020205"),
        ("iban", "nonsense"),
        ("bic", "BYLADEM"),
        ("mail_from", "nobody"),
        ("address", "\n".join("123456")),
        ("address", "a" * 61),
        ("account_holder", "a" * 71),
    ],
)
def test_what_cannot_be_right_is_refused(give, entity, place, value):
    """Check digits, lengths and forms; nothing is changed."""
    with pytest.raises(Invalid) as refused:
        give(**{"iban": IBAN, place: value})
    assert place in {problem.place for problem in refused.value.problems}
    assert Entity.get_by_id(entity.id).iban == ""


def test_another_account_raises_an_alarm(give, entity):
    """The first account does not, nor does another address; another account does: money goes there."""
    give("1", iban=IBAN)
    give("2", iban=IBAN, address="Somewhere 1")
    assert Alarm.select().where(Alarm.kind == "account_changed").count() == 0
    give("3", iban="GB33BUKB20201555555555")
    assert Alarm.select().where(Alarm.kind == "account_changed").count() == 1


def test_two_at_once_do_not_overwrite_each_other(give, entity):
    """Who saw an older version gets both values."""
    give("1", address="One 1", version=1)
    with pytest.raises(Conflict):
        give("2", address="Two 2", version=1)


def test_a_collector_may_not(give, users):
    """It takes who may propose a go-live."""
    with pytest.raises(Refused):
        give(actor=users.collector)
