"""The hold-out: a small share of the customers whose rank no model moves, to compare the others with.

Who is in it follows from the group, else the customer, by a hash that SQL and Python compute alike;
so nobody chooses, it is the same on every machine, and another seed draws another hold-out.
"""

from collections.abc import Callable
from operator import floordiv, truediv
from typing import TYPE_CHECKING, Any

from peewee import Case

from engine.tables import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE = "hold_out_share"  # the parameter, basis points
SEED = "hold_out_seed"  # the parameter
SHARE_BP = 500  # while no parameter says another
SEED_FIRST = 1
BUCKETS = 2**14
MASK = 2**31 - 1  # so that a product of two fits what both databases count in
FACTORS = (1_597_334_677, 1_160_785_217)
MIDDLE, TOP = 2**24, 2**17  # what is cut off below the middle of a square, and below the bits that are used
ALL_BP = 10_000


def bucket_of(customer: int, group: int | None, seed: int) -> int:
    """The bucket of a customer, from 0 to below ``BUCKETS``; all of a group are in one.

    >>> bucket_of(1, None, 1) != bucket_of(1, None, 2), bucket_of(1, 7, 1) == bucket_of(2, 7, 1)
    (True, True)
    """
    return int(_mixed(2 * customer if group is None else 2 * group + 1, seed, floordiv))


def is_in_hold_out(customer: int, group: int | None, share_bp: int, seed: int) -> bool:
    """Whether a customer is in the hold-out."""
    return bucket_of(customer, group, seed) < _below(share_bp)


def is_held_out(share_bp: int, seed: int, customer: Any = Customer) -> Any:
    """The same as a condition of SQL."""
    group = customer.customer_group
    key = Case(None, ((group.is_null(), customer.id * 2),), group * 2 + 1).cast("bigint")
    return _mixed(key, seed, truediv) < _below(share_bp)


def _mixed(key: Any, seed: int, divided: Callable[[Any, int], Any]) -> Any:
    """The same arithmetic on numbers and on columns: whole numbers, products, bits.

    Args:
        divided: how whole numbers are divided without rest; SQL does so with the sign of a fraction.
    """
    spread = _low(key * FACTORS[0] + seed * 40_503)
    bent = _low(divided(spread * spread, MIDDLE))
    return divided(_low(bent * FACTORS[1]), TOP)


def _low(number: Any) -> Any:
    return number & MASK if isinstance(number, int) else number.bin_and(MASK)


def _below(share_bp: int) -> int:
    return (share_bp * BUCKETS + ALL_BP // 2) // ALL_BP


def terms_of(parameters: "Mapping[str, Any]") -> tuple[int, int]:
    """Share in basis points and seed, as the parameters in force say."""
    return number(parameters, SHARE, SHARE_BP), number(parameters, SEED, SEED_FIRST)


def number(parameters: "Mapping[str, Any]", name: str, without: int) -> int:
    """A whole number among the parameters in force; ``without`` where there is none."""
    found = parameters.get(name)
    return found.value if found is not None and isinstance(found.value, int) else without
