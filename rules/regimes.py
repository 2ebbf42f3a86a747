"""Regimes and rate tables as documents: the law of late payment as data a lawyer can read and sign."""

import json
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any as Json

from ledger.dates import Unclear, detect
from ledger.days import date_of
from ledger.dialect import grid, problem
from ledger.interest import Band, Consumers, DatedRate, FixedSums, RateTable, Regime, share_text
from ledger.money import parse_amount
from ledger.problems import Problem, has_errors
from rules.misfits import shape_problems
from rules.policies import iso_day

REGIME, RATE_TABLE = "regime", "rate_table"
SHIPPED = (
    *("ecb_main_refinancing", "boe_base_rate", "basiszinssatz"),
    *("eu_minimum", "uk", "ireland", "germany_b2b", "france"),
)
FROM, RATE = "from", "rate"  # columns of a file of rates


def shipped_regimes() -> list[dict[str, Json]]:
    """The rate tables and regimes that come with the product, tables first: drafts, until two people approve them."""
    found = (pkgutil.get_data("rules", f"documents/regimes/{name}.json") for name in SHIPPED)
    return [json.loads(content) for content in found if content is not None]


def parse_rate_table(document: Mapping[str, Json]) -> tuple[RateTable | None, list[Problem]]:
    """Read a rate table."""
    problems = shape_problems(document, RATE_TABLE)
    if problems:
        return None, problems
    rates = tuple(DatedRate(iso_day(one["from"]), basis_points(one["rate"])) for one in document["rates"])
    for index, (before, after) in enumerate(pairwise(rates), start=1):
        if after.from_day <= before.from_day:
            place = f"/rates/{index}/from"
            problems.append(Problem(place, "is not after the day before it", "sort the rates by day, each once"))
    known = iso_day(document["known_until"])
    if known < rates[-1].from_day:
        problems.append(Problem("/known_until", "is before the last rate begins", "give the last day it is known for"))
    table = RateTable(document["key"], document["name"], rates, known)
    return (None, problems) if problems else (table, [])


def parse_regime(document: Mapping[str, Json], tables: Mapping[str, RateTable]) -> tuple[Regime | None, list[Problem]]:
    """Read a regime.

    Args:
        tables: the rate tables in force, by key.
    """
    problems = shape_problems(document, REGIME)
    if problems:
        return None, problems
    rate, consumers = document["rate"], document["consumers"]
    fixed = None if document["fixed_sum"] is None else _fixed_sums(document["fixed_sum"], problems)
    table = tables.get(rate["table"])
    if table is None:
        known = ", ".join(sorted(tables)) or "none"
        what = f"no rate table {rate['table']!r} is in force (in force: {known})"
        problems.append(Problem("/rate/table", what, "put the table in force first, or name another"))
    if (rate["fixing"] == "at_default") != ("fixed_on" in rate):
        what = "is asked for by the fixing at_default, and by it only"
        problems.append(Problem("/rate/fixed_on", what, "give due_day or first_late_day, or take it out"))
    if problems or table is None:
        return None, problems
    return Regime(
        key=document["key"],
        name=document["name"],
        law=document["source"],
        creditor=frozenset(document["creditor"]),
        debtor=frozenset(document["debtor"]),
        priority=document["priority"],
        table=table,
        margin_bp=basis_points(rate["margin"]),
        fixing=rate["fixing"],
        fixed_on=rate.get("fixed_on", "due_day"),
        day_basis=rate["day_basis"],
        fixed_sums=fixed,
        consumers=None
        if consumers is None
        else Consumers(margin_bp=basis_points(consumers["margin"]), fixed_sums=consumers["fixed_sum"]),
    ), []


def _fixed_sums(fixed: Mapping[str, Json], problems: list[Problem]) -> FixedSums:
    currency = fixed["currency"]
    bands: list[Band] = []
    for index, band in enumerate(fixed["bands"]):
        place, last = f"/fixed_sum/bands/{index}", index == len(fixed["bands"]) - 1
        values = {name: parse_amount(text, currency) for name, text in band.items()}
        for name, value in values.items():
            if value is None:
                problems.append(Problem(f"{place}/{name}", f"is no amount in {currency}", "write it as in 40.00"))
        bounds = [name for name in ("below", "up_to") if name in band]
        if len(bounds) != (0 if last else 1):
            what = "every band but the last needs one of `below` and `up_to`, the last has none"
            problems.append(Problem(place, what, "correct it"))
        bound = values.get("below") if "below" in band else (values.get("up_to") or 0) + 1 if "up_to" in band else None
        if bands and bound is not None and (bands[-1].below_minor or 0) >= bound:
            problems.append(Problem(place, "the bands do not rise", "sort them by their bound"))
        bands.append(Band(values.get("amount") or 0, bound))
    return FixedSums(currency=currency, per=fixed["per"], bands=tuple(bands))


def regimes_of(documents: Iterable[Mapping[str, Json]]) -> tuple[tuple[Regime, ...], list[Problem]]:
    """The regimes of documents that are in force together; what cannot be read is told and left out."""
    documents = list(documents)
    tables, regimes, problems = {}, [], []
    for document in documents:
        if document["kind"] == RATE_TABLE:
            table, faults = parse_rate_table(document)
            problems += faults
            if table is not None:
                tables[table.key] = table
    for document in documents:
        if document["kind"] == REGIME:
            regime, faults = parse_regime(document, tables)
            problems += faults
            if regime is not None:
                regimes.append(regime)
    return tuple(sorted(regimes, key=lambda one: one.key)), problems


def regime_findings(document: Mapping[str, Json], others: Sequence[Mapping[str, Json]]) -> list[Problem]:
    """What is wrong with a regime or rate table beside the documents it is in force with."""
    if document["kind"] == RATE_TABLE:
        table, problems = parse_rate_table(document)
        return problems if table is None else _overtaken(table, document, others)
    tables = {}
    for other in others:
        table = parse_rate_table(other)[0] if other.get("kind") == RATE_TABLE else None
        if table is not None:
            tables[table.key] = table
    regime, problems = parse_regime(document, tables)
    if regime is None:
        return problems
    rivals = [one for one in others if one.get("kind") == REGIME and one.get("key") != document["key"]]
    for rival in (parse_regime(one, tables)[0] for one in rivals):
        if rival is not None and rival.priority == regime.priority and _meet(regime, rival):
            what = f"holds for the same countries as {rival.key}, with the same priority"
            problems.append(Problem("/priority", what, "give the one that shall count a higher priority"))
    return problems


def _meet(one: Regime, other: Regime) -> bool:
    """Whether both fit some pair of countries."""
    sides = ((one.creditor, other.creditor), (one.debtor, other.debtor))
    return all(not mine or not theirs or mine & theirs for mine, theirs in sides)


def _overtaken(table: RateTable, document: Mapping[str, Json], others: Sequence[Mapping[str, Json]]) -> list[Problem]:
    """Past rates that a new version states otherwise: interest charged by them would change."""
    before = next((one for one in others if (one.get("kind"), one.get("key")) == (RATE_TABLE, table.key)), None)
    known = None if before is None else parse_rate_table(before)[0]
    if known is None:
        return []
    changed = [
        one for one in table.rates if one.from_day <= known.known_until_day and known.on(one.from_day) != one.rate_bp
    ]
    return [
        Problem(
            f"/rates/{table.rates.index(one)}",
            f"says {share_text(one.rate_bp)} % from {date_of(one.from_day)}, the table in force says otherwise",
            "make sure that the table in force is wrong: interest since that day will change",
            severity="warning",
        )
        for one in changed
    ]


def rates_from_file(content: bytes) -> tuple[list[dict[str, str]], list[Problem]]:
    """Rates of a CSV file with the columns ``from`` and ``rate`` (percent), as a rate table holds them.

    Returns:
        The rates by day; none of them is to be used when a problem is an error.
    """
    sheet = grid(content, [FROM, RATE])
    problems = list(sheet.problems)
    places = {}
    for name in (FROM, RATE):
        found = [at for at, heading in enumerate(sheet.header) if heading.casefold() == name]
        if len(found) == 1:
            places[name] = found[0]
        elif sheet.header:
            what = f"the file has {len(found) or 'no'} column {name!r}; it has: {', '.join(sheet.header)[:300]}"
            problems.append(problem(1, name, what, "name the columns from and rate, each once"))
    if has_errors(problems):
        return [], problems
    cells = [(line, row[places[FROM]].strip(), row[places[RATE]].strip()) for line, row in sheet.rows]
    format_ = detect({FROM: [day for _, day, _ in cells]})[FROM]
    if isinstance(format_, Unclear):
        line = next(line for line, day, _ in cells if day == format_.cell)
        return [], [problem(line, FROM, f"{format_.cell!r} does not tell which day it is", "write days as 2026-07-01")]
    found_rates: dict[int, str] = {}
    for line, text, rate in cells:
        day, value = format_.day(text), percent(rate)
        if day is None:
            problems.append(problem(line, FROM, f"{text!r} is no day", "write days as 2026-07-01"))
        elif day in found_rates:
            problems.append(problem(line, FROM, f"{date_of(day)} stands there already", "remove one of the two"))
        if value is None:
            problems.append(problem(line, RATE, f"{rate!r} is no rate", "write percent with two decimals, as 2.15"))
        if day is not None and value is not None:
            found_rates[day] = value
    if not cells:
        problems.append(problem(1, RATE, "the file has a heading and no rows", "give a rate a line"))
    return [{"from": date_of(day).isoformat(), "rate": found_rates[day]} for day in sorted(found_rates)], problems


def percent(text: str) -> str | None:
    """A rate as a document writes it, from what a spreadsheet does; None: it is none, or has too many decimals.

    >>> percent("2,15 %"), percent("-0.880"), percent("4.5"), percent("2.155"), percent("high")
    ('2.15', '-0.88', '4.50', None, None)
    """
    minor = parse_amount(text.replace("%", "").replace(",", "."), "EUR")
    return None if minor is None or abs(minor) >= 100_00 else share_text(minor)


def basis_points(text: str) -> int:
    """A rate of a document in hundredths of a percent.

    >>> basis_points("-0.88"), basis_points("8.00")
    (-88, 800)
    """
    return int(Decimal(text) * 100)
