"""What a sample of the customers says of all of them: counts scaled, and how far off they may be."""

from dataclasses import replace
from math import isqrt
from typing import Any

from engine.impact import Simulation, StageImpact

ONE_OF_TWENTY_E4 = 38_416  # 1.96 squared, in ten thousandths: how far off a count is in 19 of 20 samples


def scaled(found: Simulation, sampled: int, of: int) -> Simulation:
    """The answer for a portfolio from that for a sample of it.

    Args:
        found: counted in the sample, or in a part of it.
        sampled: customers in the sample.
        of: customers in the portfolio.

    Returns:
        Counts and amounts times ``of / sampled``, rounded half up; without names and without a hash.
    """

    def up(count: Any) -> Any:
        return None if count is None else (2 * count * of + sampled) // (2 * sampled)

    def both(pair: tuple[int, int]) -> tuple[int, int]:
        return up(pair[0]), up(pair[1])

    def stage(one: StageImpact) -> StageImpact:
        return replace(
            one,
            moves=tuple(
                replace(move, customers=up(move.customers), exposure_minor=up(move.exposure_minor))
                for move in one.moves
            ),
            changed=up(one.changed),
            changed_minor=up(one.changed_minor),
            undecided=both(one.undecided),
            total=None if one.total is None else both(one.total),
            movers=(),
            hits=tuple(replace(hit, before=up(hit.before), after=up(hit.after)) for hit in one.hits),
        )

    return replace(
        found,
        customers=up(found.customers),
        changed=up(found.changed),
        changed_minor=up(found.changed_minor),
        stages=tuple(stage(one) for one in found.stages),
        figures=tuple(replace(one, before=up(one.before), after=up(one.after)) for one in found.figures),
        steps=tuple(replace(one, before=up(one.before), after=up(one.after)) for one in found.steps),
        work=tuple(replace(one, worklist=both(one.worklist), work=both(one.work)) for one in found.work),
        outcomes_sha256="",
        sampled=found.customers,
        margin=margin(found.changed, found.customers, sampled, of),
    )


def margin(counted: int, among: int, sampled: int, of: int) -> int:
    """How many more or fewer there may be than a sample says, in 19 of 20 samples, rounded up.

    Args:
        counted: in the sample, of ``among`` that were looked at.
        sampled, of: customers in the sample and in the portfolio.

    >>> margin(2_000, 20_000, 20_000, 1_000_000), margin(0, 20_000, 20_000, 1_000_000), margin(5, 9, 9, 9)
    (4116, 150, 0)
    """
    if sampled >= of or not among:
        return 0
    if counted in (0, among):
        return -(-3 * of // sampled)  # the rule of three
    # The square of the margin, in ten thousandths: the variance of a share, less for what was seen.
    square = ONE_OF_TWENTY_E4 * counted * (among - counted) * of * (of - sampled) // (among * sampled * sampled)
    return -(-isqrt(square) // 100)
