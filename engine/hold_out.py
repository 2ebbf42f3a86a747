"""The hold-out: a small share of the customers whose rank no model moves, to compare the others with.

Who is in it follows from the group, else the customer, by a hash that SQL and Python compute alike;
so nobody chooses, it is the same on every machine, and another seed draws another hold-out.
"""

from typing import TYPE_CHECKING, Any

from peewee import Case

from engine.tables import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE = "hold_out_share"  # the parameter, basis points
SEED = "hold_out_seed"  # the parameter
SHARE_BP = 500  # while no parameter says another
SEED_FIRST = 1
BUCKETS = 10_000
PRIMES = (2_147_483_647, 2_147_483_629, 2_147_483_587)  # below 2**31: a product of two fits what databases count in
FACTORS = (1_597_334_677, 1_160_785_217)


def bucket_of(customer: int, group: int | None, seed: int) -> int:
    """The bucket of a customer, 0 to 9,999; all of a group are in one.

    >>> bucket_of(1, None, 1) != bucket_of(1, None, 2), bucket_of(1, 7, 1) == bucket_of(2, 7, 1)
    (True, True)
    """
    return int(_mixed(2 * customer if group is None else 2 * group + 1, seed))


def _mixed(key: Any, seed: int) -> Any:
    """The same arithmetic on numbers and on columns: whole numbers, products and remainders."""
    spread = (key * FACTORS[0] + seed * 40_503) % PRIMES[0]
    bent = (spread * spread) % PRIMES[1]
    return (bent * FACTORS[1]) % PRIMES[2] % BUCKETS


def is_held_out(share_bp: int, seed: int, customer: Any = Customer) -> Any:
    """The SQL condition of a customer in the hold-out; computes what ``bucket_of`` does."""
    group = customer.customer_group
    return _mixed(Case(None, ((group.is_null(), customer.id * 2),), group * 2 + 1), seed) < share_bp


def terms_of(parameters: "Mapping[str, Any]") -> tuple[int, int]:
    """Share in basis points and seed, as the parameters in force say."""
    return number(parameters, SHARE, SHARE_BP), number(parameters, SEED, SEED_FIRST)


def number(parameters: "Mapping[str, Any]", name: str, without: int) -> int:
    """A whole number among the parameters in force; ``without`` where there is none."""
    found = parameters.get(name)
    return found.value if found is not None and isinstance(found.value, int) else without
