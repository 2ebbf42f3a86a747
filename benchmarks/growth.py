"""Whether a night grows no faster than its portfolio: the measured nights of three sizes, step by step.

    python -m benchmarks.growth --customers 1000000

Reads what ``benchmarks.night`` left in the databases of the sizes; decides nothing itself.
"""

import json

from benchmarks.goals import Found, Goal, Table
from benchmarks.night import NIGHT_DAY
from benchmarks.places import arguments, opened
from engine.tables import Run

FACTOR = 10
SHORT_SECONDS = 0.5  # of a step at the smaller size; shorter ones say more of the noise than of growth


def sizes(customers: int) -> list[int]:
    """The sizes compared, smallest first.

    >>> sizes(1_000_000)
    [10000, 100000, 1000000]
    """
    return [customers // FACTOR**2, customers // FACTOR, customers]


def main() -> None:
    """Compare the nights."""
    chosen = arguments(__doc__).parse_args()
    found, nights = Found(chosen.json), []
    with opened(chosen.database, chosen.folder) as place:
        for customers in sizes(chosen.customers):
            runtime = place.runtime(customers)
            run = Run.get(Run.as_of_day == NIGHT_DAY, Run.kind == "nightly", Run.state == "done")
            nights.append(json.loads(run.seconds))
            runtime.close()
    for night in nights:
        night["in all"] = sum(night.values())
    small, middle, large = nights
    for number, (less, more) in enumerate(((small, middle), (middle, large))):
        title = f"{chosen.database}.growth_to_{sizes(chosen.customers)[number + 1]:,}".replace(",", "")
        found.goal(Goal(title, more["in all"] / less["in all"], FACTOR, "x"))
    columns = ["step", *(f"{size:,}" for size in sizes(chosen.customers)), "growth of the last step"]
    rows = [
        [
            step,
            *(f"{night.get(step, 0):.2f}" for night in nights),
            f"{large.get(step, 0) / middle[step]:.1f} x" if middle.get(step, 0) >= SHORT_SECONDS else "-",
        ]
        for step in large
    ]
    note = "Seconds of the measured night by customers; ten times the customers may take ten times as long."
    found.table(Table(f"Growth, {chosen.database}", columns, rows, note))


if __name__ == "__main__":
    main()
