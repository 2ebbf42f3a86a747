"""The demo's files: CSV as accounts would export it, and the mappings that read it."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from engine.demo.companies import Books, Company
from engine.demo.names import address_of
from engine.demo.year import Credit, Invoice
from ledger.days import date_of

Mapping_ = dict[str, Any]


def _columns(**names: str) -> dict[str, Any]:
    return {field: {"column": column} for field, column in names.items()}


GRADES = {"I": "0.15", "II": "0.5", "III": "1.1", "IV": "2.25", "V": "5.5", "VI": "8"}
STATED = (
    *("revenue", "operating_result", "net_result", "total_assets", "current_assets", "inventories", "cash", "equity"),
    *("current_liabilities", "total_debt", "interest_cost"),
)

CUSTOMERS_MAPPING: Mapping_ = {
    "format": 1,
    "kind": "mapping",
    "key": "demo_customers",
    "name": "Demo: customers with contacts and limits",
    "decimal_mark": ".",
    "file": {"delimiter": ",", "encoding": "utf-8"},
    "records": [
        {
            "kind": "customer",
            "fields": _columns(
                number="customer",
                name="name",
                country="country",
                language="language",
                portfolio="portfolio",
                terms_days="terms",
                opened_on="opened",
                group="group",
            ),
        },
        {
            "kind": "contact",
            "present_when": "email",
            "fields": _columns(
                customer="customer",
                name="contact",
                email="email",
                language="language",
                address="street",
                postcode="postcode",
                city="city",
            ),
        },
        {
            "kind": "credit_limit",
            "present_when": "limit",
            "fields": _columns(customer="customer", amount="limit", currency="currency", from_on="limit_from"),
        },
    ],
}

ITEMS_MAPPING: Mapping_ = {
    "format": 1,
    "kind": "mapping",
    "key": "demo_items",
    "name": "Demo: invoices, payments and credit notes",
    "decimal_mark": ".",
    "file": {"delimiter": ",", "encoding": "utf-8"},
    "records": [
        {
            "kind": "invoice",
            "present_when": "invoice",
            "fields": _columns(
                customer="customer",
                number="invoice",
                invoiced_on="day",
                due_on="due",
                amount="amount",
                currency="currency",
            ),
        },
        *(
            {
                "kind": kind,
                "present_when": kind,
                "fields": _columns(
                    customer="customer",
                    number=kind,
                    booked_on="day",
                    amount="amount",
                    currency="currency",
                    reference="reference",
                ),
            }
            for kind in ("payment", "credit_note")
        ),
    ],
}

RATES_MAPPING: Mapping_ = {
    "format": 1,
    "kind": "mapping",
    "key": "demo_rates",
    "name": "Demo: exchange rates",
    "decimal_mark": ".",
    "file": {"delimiter": ",", "encoding": "utf-8"},
    "records": [
        {"kind": "exchange_rate", "fields": _columns(currency="currency", day="day", rate="rate", source="source")}
    ],
}

RATINGS_MAPPING: Mapping_ = {
    "format": 1,
    "kind": "mapping",
    "key": "demo_ratings",
    "name": "Demo: ratings of a credit bureau",
    "decimal_mark": ".",
    "file": {"delimiter": ",", "encoding": "utf-8"},
    "records": [
        {
            "kind": "rating",
            "fields": {
                **_columns(customer="customer", agency="agency", from_on="from", grade="grade", score="index"),
                **_columns(recommended_limit="limit", currency="currency"),
                "scale": {"constant": "IFD I-VI"},
                "default_probability": {"column": "grade", "grades": GRADES},
            },
        }
    ],
}

STATEMENTS_MAPPING: Mapping_ = {
    "format": 1,
    "kind": "mapping",
    "key": "demo_statements",
    "name": "Demo: financial statements of the register, in thousands",
    "decimal_mark": ".",
    "file": {"delimiter": ",", "encoding": "utf-8"},
    "records": [
        {
            "kind": "financial_statement",
            "fields": {
                **_columns(customer="customer", period_end_on="end", filed_on="filed", audited="audited"),
                **_columns(source="source", currency="currency", employees="employees"),
                **{name: {"column": name, "transform": ["thousands"]} for name in STATED},
            },
        }
    ],
}


def written(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write a heading and rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _amount(minor: int) -> str:
    """Print an amount of a currency with two decimals; the demo has no other."""
    return f"{minor // 100}.{minor % 100:02d}"


def _day(day: int) -> str:
    return date_of(day).isoformat()


def customers_file(books: Books, companies: Iterable[Company], from_day: int) -> bytes:
    """Write the customers of an entity, one row each."""
    header = "customer,name,country,language,portfolio,terms,opened,group,contact,email"
    header += ",street,postcode,city,limit,currency,limit_from"
    return written(
        header.split(","),
        (
            (
                one.number,
                one.name,
                one.country,
                one.language,
                "home" if one.country == books.country else "abroad",
                one.terms_days,
                _day(one.opened_day),
                one.group or "",
                "",  # a role, not a person: letters greet nobody by name
                one.email,
                *address_of(one.number, one.country),
                "" if one.limit_minor is None else _amount(one.limit_minor),
                books.currency,
                _day(from_day),
            )
            for one in companies
        ),
    )


def items_file(invoices: Iterable[Invoice], credits_: Iterable[Credit]) -> bytes:
    """Write what was booked, invoices first."""
    header = "customer,invoice,payment,credit_note,day,due,amount,currency,reference"
    rows: list[tuple[object, ...]] = [
        (
            one.customer,
            one.number,
            "",
            "",
            _day(one.day),
            _day(one.due_day),
            _amount(one.amount_minor),
            one.currency,
            "",
        )
        for one in invoices
    ]
    for credit in credits_:
        payment = credit.number if credit.kind == "payment" else ""
        note = credit.number if credit.kind == "credit_note" else ""
        amount = _amount(credit.amount_minor)
        rows.append(
            (credit.customer, "", payment, note, _day(credit.day), "", amount, credit.currency, credit.reference)
        )
    return written(header.split(","), rows)


def rates_file(books: Books, days: Iterable[int]) -> bytes:
    """Write a rate per day given; it wanders by at most one percent, the same way each time."""
    rows = []
    for day in days:
        ppm = books.rate_ppm * (10_000 + (day // 30 * 37) % 200 - 100) // 10_000
        rows.append((books.foreign, _day(day), f"{ppm // 10**6}.{ppm % 10**6:06d}", "demo"))
    return written(("currency", "day", "rate", "source"), rows)
