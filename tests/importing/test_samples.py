"""The samples import as they stand, and the page on mappings names all there is."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.ledger_hash import ledger_hash
from engine.runtime import Runtime
from engine.tables import Allocation, Credit, CreditLimit, CustomerGroup, DueLine, Entity
from ledger.dialect import LIMITS
from ledger.mapping import RECORDS, TRANSFORMS

ROOT = Path(__file__).parents[2]
FILES = ("customers", "invoices", "payments", "rates", "ratings", "statements")


def test_samples_import_without_a_word(take: Callable[..., dict], entity: Entity) -> None:
    """Every file of samples/accounts comes in by the mapping of its name, without a warning."""
    answers = {name: take(name, ROOT / "samples" / "accounts" / f"{name}.csv", entity) for name in FILES}
    assert [answer["problems"] for answer in answers.values()] == [[]] * 6
    assert answers["customers"]["entries"] == {"customers": 6, "groups": 1, "contacts": 5, "credit limits": 5}
    assert answers["invoices"]["entries"] == {"due lines": 25, "credits": 1}
    assert answers["payments"]["entries"] == {"credits": 18, "allocations": 18}  # one pays two instalments
    assert answers["ratings"]["entries"] == {"ratings": 4}
    assert answers["statements"]["entries"] == {"financial statements": 3}
    assert CustomerGroup.get().code == "BRUECKE"
    assert CreditLimit.select().count() == 5


@pytest.mark.long
def test_samples_in_any_order(take: Callable[..., dict], runtime: Runtime) -> None:
    """Whichever file comes first, the ledger is the same."""
    hashes = set()
    for at, order in enumerate(itertools.permutations(FILES[:3])):
        entity = Entity.create(code=f"e{at}", name="E", currency="EUR")
        for name in order:
            take(name, ROOT / "samples" / "accounts" / f"{name}.csv", entity)
        hashes.add(ledger_hash(entity))
    assert len(hashes) == 1
    assert (DueLine.select().count(), Credit.select().count(), Allocation.select().count()) == (150, 114, 108)


PAGE = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    sorted({*RECORDS, *TRANSFORMS, *(field for fields in RECORDS.values() for field in fields)}),
)
def test_the_page_names_every_record_field_and_transformation(name: str) -> None:
    """Documentation is tested against the code."""
    assert f"`{name}`" in PAGE


def test_the_page_names_every_limit() -> None:
    """With its value."""
    for name in LIMITS.__slots__:
        assert f"| `{name}` | {getattr(LIMITS, name):,} |" in PAGE
