"""The made-up ledger: how large, how late, how varied it is (semantics.md 5), and that it only grows."""

from collections import Counter, defaultdict
from fractions import Fraction

import holidays
import pytest

from engine.demo.agreements import PARTS, RUNNING, cast, pay_instalments
from engine.demo.building import CUSTOMERS, DECIDED_DAYS, HISTORY_DAYS, SEED
from engine.demo.companies import BOOKS, GROUP_MEMBERS
from engine.demo.year import PREPAID, Year, business_day, generate
from ledger.days import date_of
from rules.documents import shipped

SPAN = HISTORY_DAYS + DECIDED_DAYS
TODAYS = (20_540, 20_650, 20_780)  # the demo ends the day before, whatever day it is
IN_EUR = {"EUR": Fraction(1), "CHF": Fraction(1_048, 1_000), "GBP": Fraction(1_000, 861)}


@pytest.fixture(scope="module", params=TODAYS, ids=lambda day: date_of(day).isoformat())
def year(request: pytest.FixtureRequest) -> Year:
    """The demo's ledger at full size."""
    return generate(SEED, request.param - SPAN, request.param - 1, CUSTOMERS, SPAN)


def open_amounts(year: Year) -> dict[str, Fraction]:
    """What is open of each invoice at the end, in EUR."""
    paid: Counter[str] = Counter()
    for credit in year.credits:
        paid[credit.reference] += credit.amount_minor
    return {one.number: (one.amount_minor - paid[one.number]) * IN_EUR[one.currency] for one in year.invoices}


def test_the_portfolio_is_as_large_and_as_late_as_a_real_one(year: Year) -> None:
    """DSO 45 to 65 days, 18 to 28 % overdue, 2 to 4 % over 90 days; nobody has overpaid an invoice."""
    left = open_amounts(year)
    receivables = sum(left.values())
    sales = sum(one.amount_minor * IN_EUR[one.currency] for one in year.invoices if one.day > year.last_day - 90)
    late = {one.number: year.last_day - one.due_day for one in year.invoices}
    overdue = sum(left[number] for number, days in late.items() if days > 0)
    old = sum(left[number] for number, days in late.items() if days > 90)
    assert min(left.values()) >= 0
    assert 45 <= receivables / sales * 90 <= 65
    assert Fraction(18, 100) <= overdue / receivables <= Fraction(28, 100)
    assert Fraction(2, 100) <= old / receivables <= Fraction(4, 100)


def test_ten_customers_make_two_fifths_of_the_sales(year: Year) -> None:
    """35 to 45 % of a year's sales with the ten largest of 300 to 400."""
    sales: defaultdict[str, Fraction] = defaultdict(Fraction)
    for one in year.invoices:
        if one.day > year.last_day - 365:
            sales[one.customer] += one.amount_minor * IN_EUR[one.currency]
    assert 300 <= len(year.companies) <= 400
    assert Fraction(35, 100) <= sum(sorted(sales.values())[-10:]) / sum(sales.values()) <= Fraction(45, 100)


def test_things_go_wrong_as_often_as_they_do(year: Year) -> None:
    """4 % part payments, 2 % credit notes, 5 % disputes, 8 % promises of which 65 % are kept."""
    invoices = len(year.invoices)
    parts = Counter(credit.reference for credit in year.credits if credit.kind == "payment")
    notes = sum(credit.kind == "credit_note" for credit in year.credits)
    disputed_away = sum(dispute.accepted for dispute in year.disputes)
    assert sum(many > 1 for many in parts.values()) / invoices == pytest.approx(0.04, abs=0.01)
    assert (notes - disputed_away) / invoices == pytest.approx(0.02, abs=0.01)
    assert len(year.disputes) / invoices == pytest.approx(0.05, abs=0.01)
    assert len(year.promises) / invoices == pytest.approx(0.08, abs=0.015)
    assert sum(one.kept for one in year.promises) / len(year.promises) == pytest.approx(0.65, abs=0.04)


def test_one_payment_in_a_hundred_comes_before_its_invoice(year: Year) -> None:
    """Such a prepayment is unapplied cash until the invoice is booked."""
    invoiced = {one.number: one.day for one in year.invoices}
    early = sum(invoiced.get(credit.reference, year.last_day + 1) > credit.day for credit in year.credits)
    assert early / len(year.invoices) == pytest.approx(PREPAID, abs=0.005)


def test_terms_habits_one_group_and_one_failure(year: Year) -> None:
    """Five terms, six habits; the group's members and the insolvent customer are there."""
    assert len({company.terms_days for company in year.companies}) == 5
    assert len({company.habit for company in year.companies}) == 6
    assert sum(company.group is not None for company in year.companies) == GROUP_MEMBERS
    failed = [company for company in year.companies if company.insolvent_day is not None]
    assert len(failed) == 1
    assert all(one.day < failed[0].insolvent_day for one in year.invoices if one.customer == failed[0].number)
    left = open_amounts(year)
    assert any(left[one.number] for one in year.invoices if one.customer == failed[0].number)


def test_the_group_owes_more_than_a_group_may(year: Year) -> None:
    """Its members together are above the exposure that the shipped parameters allow a group."""
    parameters = {one["name"]: one for one in shipped()[0]["parameters"]}
    maximum = parameters["group_exposure_maximum"]["values"][0]["value"]
    left = open_amounts(year)
    members = {company.number for company in year.companies if company.group is not None}
    assert sum(left[one.number] for one in year.invoices if one.customer in members) > maximum


def test_nothing_is_paid_on_weekends_and_holidays(year: Year) -> None:
    """Neither is anything invoiced then, by the calendar of the customer's country."""
    country = {company.number: company.country for company in year.companies}
    calendars = {code: holidays.country_holidays(code) for code in set(country.values())}
    for entry in (*year.credits, *year.invoices):
        day = date_of(entry.day)
        assert day.weekday() < 5
        assert day not in calendars[country[entry.customer]]


@pytest.mark.parametrize(("day", "expected"), [(20_446, 20_446), (20_447, 20_451), (20_450, 20_451), (20_451, 20_451)])
def test_a_business_day_is_neither_weekend_nor_holiday(day: int, expected: int) -> None:
    """In Germany Monday 2025-12-29 is the first one after Christmas Eve."""
    assert date_of(20_451).isoformat() == "2025-12-29"
    assert business_day(day, "DE") == expected


def test_what_is_agreed_is_about_invoices_nobody_pays_or_contests() -> None:
    """Every part has a customer of its own; the plan that runs is paid in time, in the end all of it."""
    last_day = TODAYS[2] - 1
    later = generate(SEED, TODAYS[2] - SPAN, last_day + 60, CUSTOMERS, SPAN)
    parts = cast(later, last_day)
    assert set(parts) == set(PARTS)
    assert len({one.customer for one in parts.values()}) == len(parts)
    settled = {one.reference for one in later.credits if one.day <= last_day} | {one.invoice for one in later.disputes}
    assert not settled & {one.number for one in parts.values()}
    pay_instalments(later, parts, last_day)
    paid = [one for one in later.credits if one.reference == parts["running"].number]
    assert sum(one.amount_minor for one in paid) == parts["running"].amount_minor
    assert all(one.day <= last_day - before for one, (_percent, before) in zip(paid, RUNNING, strict=True))


def test_a_later_end_only_adds() -> None:
    """What has happened by a day stays as it was when the demo goes on."""
    first, span, customers = 20_000, 300, 30
    shorter = generate(SEED, first, first + span, customers, span)
    longer = generate(SEED, first, first + span + 20, customers, span)
    assert longer.companies == shorter.companies
    for name in ("invoices", "credits", "disputes", "promises"):
        until = [one for one in getattr(longer, name) if one.day <= first + span]
        assert until == getattr(shorter, name)
    assert len(longer.invoices) > len(shorter.invoices)


def test_names_and_addresses_belong_to_nobody(year: Year) -> None:
    """Every name is there once; every address is a role at a domain that cannot exist."""
    names = [company.name for company in year.companies]
    assert len({(company.entity, company.name) for company in year.companies}) == len(names)
    assert all(company.email.startswith("accounts.payable@") for company in year.companies)
    assert all(company.email.endswith(".example") for company in year.companies)
    assert {company.entity for company in year.companies} == {books.code for books in BOOKS}
