"""What a credit bureau and the register say of the demo's customers: files like any other, of some of them."""

from collections.abc import Iterable, Iterator
from datetime import date
from random import Random
from typing import TYPE_CHECKING

from engine.demo.companies import BOOKS, Books, Company
from engine.demo.files import GRADES, RATINGS_MAPPING, STATED, STATEMENTS_MAPPING, written
from engine.importing import ImportFile, import_file
from ledger.days import date_of, day_of

if TYPE_CHECKING:
    from engine.demo.days import Demo

AGENCY = "North Credit Bureau"
RATED, STATED_TOO = 0.45, 0.6  # share of the customers, and of those rated
RATED_DAYS_AGO = (420, 160)
WORSE = {"prompt": 0, "improving": 1, "relaxed": 1, "erratic": 2, "slow": 2, "worsening": 3}  # grades, by habit
FILED_DAYS = (240, 400)  # after the end of the year
YEARS = 2
Row = tuple[object, ...]


def take_in(demo: "Demo") -> None:
    """Import what is known on the day before the first decided one, as of when it was known."""
    day = demo.standing.decided_from_day - 1
    random = Random(f"{demo.standing.seed}/bureau")  # noqa: S311 - a demo, not a secret
    demo.clock.set(day, 19)
    for books in BOOKS:
        own = [one for one in demo.year.companies if one.entity == books.code and random.random() < RATED]
        stated = [one for one in own if random.random() < STATED_TOO]
        _import(demo, books, "ratings", RATINGS_MAPPING, _ratings(books, own, day, random), day)
        _import(demo, books, "statements", STATEMENTS_MAPPING, _statements(books, stated, day, random), day)


def _import(demo: "Demo", books: Books, name: str, mapping: dict[str, object], content: bytes | None, day: int) -> None:
    if content is None:
        return
    import_file(
        demo.runtime,
        ImportFile(
            actor=demo.users["analyst"],
            reason=f"{name} of the customers we asked about",
            key=f"demo/{books.code}/{name}",
            entity=books.code,
            mapping=mapping,
            content=content,
            file_name=f"{books.code.lower()}-{name}.csv",
            history_until=day,
        ),
    )


def _file(header: Iterable[str], rows: Iterable[Row]) -> bytes | None:
    found = list(rows)
    return written(list(header), found) if found else None


def _ratings(books: Books, companies: Iterable[Company], day: int, random: Random) -> bytes | None:
    header = ("customer", "agency", "from", "grade", "index", "limit", "currency")
    return _file(header, (row for one in companies for row in _rating(books, one, day, random)))


def _rating(books: Books, one: Company, day: int, random: Random) -> Iterator[Row]:
    steps = tuple(GRADES)
    at = min(WORSE[one.habit] + random.choice((0, 0, 1, 2)) + (one.insolvent_day is not None), len(steps) - 1)
    for ago in RATED_DAYS_AGO:
        from_on = date_of(day - ago + random.randrange(30)).isoformat()
        limit = max(1_000, one.yearly_minor // 100 // (4 + 4 * at) // 500 * 500)
        index = 120 + 70 * at + random.randrange(60)
        yield one.number, AGENCY, from_on, steps[at], index, f"{limit}.00", books.currency
        at = max(0, min(at + random.choice((-1, 0, 0, 1)), len(steps) - 1))


def _statements(books: Books, companies: Iterable[Company], day: int, random: Random) -> bytes | None:
    header = ("customer", "end", "filed", "audited", "source", "currency", "employees", *STATED)
    return _file(header, (row for one in companies for row in _statement(books, one, day, random)))


def _statement(books: Books, one: Company, day: int, random: Random) -> Iterator[Row]:
    """Yearly accounts as far as they were filed by the day; in thousands."""
    revenue = max(400, one.yearly_minor // 100_000 * random.randrange(8, 30))
    health = random.gauss(0.09 - 0.03 * WORSE[one.habit], 0.03)
    for year in range(date_of(day).year - YEARS - 1, date_of(day).year):
        end = day_of(date(year, 12, 31))
        filed = end + random.randrange(*FILED_DAYS)
        if filed > day:
            continue
        revenue = revenue * random.randrange(92, 112) // 100
        margin = health + random.gauss(0, 0.015)
        figures = _figures(revenue, margin, 0.32 + 2 * health + random.gauss(0, 0.05))
        yes = "yes" if random.random() < 0.5 else "no"
        staff = max(3, revenue // 160)
        said = (one.number, date_of(end).isoformat(), date_of(filed).isoformat(), yes, "Register", books.currency)
        yield (*said, staff, *figures)


def _figures(revenue: int, margin: float, equity_share: float) -> tuple[int, ...]:
    """Of ``STATED``, in their order."""
    operating = round(revenue * margin)
    assets = revenue * 62 // 100
    equity = round(assets * min(max(equity_share, -0.05), 0.7))
    current = assets * 58 // 100
    debt = max(0, (assets - equity) * 45 // 100)
    interest = debt * 5 // 100
    owed = max(1, (assets - equity) * 50 // 100)
    net = (operating - interest) * (75 if operating > interest else 100) // 100
    return (
        revenue,
        operating,
        net,
        assets,
        current,
        current * 40 // 100,
        current * 12 // 100,
        equity,
        owed,
        debt,
        interest,
    )
