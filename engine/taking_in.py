"""Writing what an import brings: customers, entries in bulk, contacts sealed.

Only inserts on entry tables. Everything happens inside the transaction of the command.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import Model

from engine import tables
from engine.database import write_rows
from engine.known import chunks, customer_ids
from engine.numbers import NUMBER_FIELDS, e164_of
from engine.postal import ADDRESS_FIELDS
from engine.vault import Vault
from ledger.entries import Allocation, Credit, Line, Plan
from ledger.external import AMOUNTS, Rating, Statement
from ledger.records import Record, SaidOfCustomer

CONTACT_FIELDS = ("name", "email", *NUMBER_FIELDS, "chat", *ADDRESS_FIELDS)
Key = tuple[str, int]
MOVED: tuple[tuple[str, Any], ...] = (
    ("dispute", tables.Dispute),
    ("promise", tables.Promise),
    ("plan_line", tables.PlanLine),
    ("block", tables.Block),
)


@dataclass(slots=True, kw_only=True)
class Posted:
    """One import while it is written.

    Args:
        entity: whose ledger.
        import_id: the row of the import.
        at: the instant it is recorded.
        day: today, at the entity.
        customers: number -> id; new ones are added.
        counts: rows written, by what they are.
        dirty: ids of customers that must be decided again.
    """

    entity: tables.Entity
    import_id: int
    at: int
    day: int
    customers: dict[str, int]
    counts: Counter[str] = field(default_factory=Counter)
    dirty: set[int] = field(default_factory=set)

    def common(self, customer: str, booked_day: int, recorded_day: int) -> dict[str, Any]:
        """What every entry carries; its customer becomes dirty."""
        customer_id = self.customers[customer]
        self.dirty.add(customer_id)
        return {
            "entity_id": self.entity.id,
            "customer": customer_id,
            "booked_day": booked_day,
            "recorded_day": recorded_day,
            "recorded_at": self.at,
            "import_id": self.import_id,
        }

    def insert(self, model: type[Model], rows: Sequence[Mapping[str, Any]], counted_as: str) -> None:
        """Insert rows in bulk; columns the rows leave out get their defaults."""
        if rows:
            _insert(model, rows)
            self.counts[counted_as] += len(rows)


def _insert(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """One prepared statement for all rows: several times faster than building SQL for each batch."""
    meta = model._meta
    given = list(rows[0])
    left_out = {name: value for name, value in meta.get_default_dict().items() if name not in rows[0]}
    columns = [meta.fields[name].column_name for name in (*given, *left_out)]
    defaults = tuple(left_out.values())
    write_rows(meta.database, model, columns, [(*(row[name] for name in given), *defaults) for row in rows])


def post_customers(posted: Posted, said: Mapping[str, SaidOfCustomer]) -> None:
    """Create unknown customers; a file about customers also changes known ones."""
    known = posted.customers.keys() & said.keys()
    groups = _groups(posted, said.values())
    rows = [
        {
            "entity": posted.entity.id,
            "number": number,
            "name": one.name or number,
            **{"country": None, "language": "en", "portfolio": None, "terms_days": None, "opened_day": None},
            "customer_group": None,
            **_attributes(one, groups),
        }
        for number, one in sorted(said.items())
        if number not in known
    ]
    posted.insert(tables.Customer, rows, "customers")
    posted.customers.update(customer_ids(posted.entity.id, (row["number"] for row in rows)))
    posted.dirty.update(posted.customers[row["number"]] for row in rows)
    for some in chunks(sorted(known)):
        ids = [posted.customers[number] for number in some]
        for customer in tables.Customer.select().where(tables.Customer.id.in_(ids)):
            _change(posted, customer, said[customer.number], groups)


def _change(posted: Posted, customer: tables.Customer, said: SaidOfCustomer, groups: Mapping[str, int]) -> None:
    """A file about customers is master of their attributes; any other only fills blanks."""
    wanted = _attributes(said, groups)
    if said.name:
        wanted["name"] = said.name
    stored = {name: customer.__data__[name] for name in wanted}
    blank = {name for name, value in stored.items() if value is None or (name == "name" and value == customer.number)}
    changes = {
        name: value for name, value in wanted.items() if value != stored[name] and (said.master or name in blank)
    }
    if changes:
        tables.Customer.update(**changes, version=tables.Customer.version + 1).where(
            tables.Customer.id == customer.id
        ).execute()
        posted.counts["customers changed"] += 1
        posted.dirty.add(customer.id)


def _attributes(said: SaidOfCustomer, groups: Mapping[str, int]) -> dict[str, Any]:
    columns = {"opened_on": "opened_day", "group": "customer_group"}
    return {
        columns.get(name, name): groups[value] if name == "group" else value for name, value in said.attributes.items()
    }


def _groups(posted: Posted, said: Iterable[SaidOfCustomer]) -> dict[str, int]:
    """Ids of the groups the file names; an unknown one is created in the entity's currency."""
    found = {}
    for code in sorted({one.attributes["group"] for one in said if "group" in one.attributes}):
        group, created = tables.CustomerGroup.get_or_create(
            code=code, defaults={"name": code, "currency": posted.entity.currency}
        )
        found[code] = group.id
        posted.counts["groups"] += created
    return found


def post_plan(posted: Posted, plan: Plan) -> None:
    """Insert the entries of a plan."""
    lines = _post_lines(posted, plan.lines)
    credits_ = _post_credits(posted, plan.credits)
    _post_allocations(posted, plan.allocations, lines, credits_)
    rows = [
        {
            **posted.common(reversal.customer, reversal.entry.booked_day, posted.day),
            "target": reversal.target,
            "target_id": reversal.entry.id,
            "reason": reversal.reason,
        }
        for reversal in plan.reversals
    ]
    posted.insert(tables.Reversal, rows, "reversals")
    limits = [
        {
            **posted.common(limit.customer, limit.booked_day, limit.recorded_day),
            **{"amount_minor": limit.amount_minor, "from_day": limit.from_day, "until_day": limit.until_day},
            "reason": limit.reason,
        }
        for limit in plan.limits
    ]
    posted.insert(tables.CreditLimit, limits, "credit limits")
    rates = [
        {
            **{"base": base, "currency": currency, "day": day, "rate_e9": rate_e9, "source": source},
            "recorded_at": posted.at,
        }
        for (base, currency, day), (rate_e9, source) in sorted(plan.rates.items())
    ]
    posted.insert(tables.ExchangeRate, rates, "exchange rates")
    if rates:  # a rate changes the figures of every customer with foreign items
        ids = tables.Customer.select(tables.Customer.id).where(tables.Customer.entity == posted.entity.id).tuples()
        posted.dirty.update(customer_id for (customer_id,) in ids)
    posted.insert(tables.Rating, [_rating(posted, one) for one in plan.ratings], "ratings")
    posted.insert(
        tables.FinancialStatement, [_statement(posted, one) for one in plan.statements], "financial statements"
    )
    for old, new in plan.replaced:
        if old.id is not None:
            _move(posted, old.id, lines[new.key])


def _rating(posted: Posted, one: Rating) -> dict[str, Any]:
    return {**posted.common(one.customer, one.booked_day, one.recorded_day), **rating_columns(one), "by": None}


def _statement(posted: Posted, one: Statement) -> dict[str, Any]:
    return {**posted.common(one.customer, one.booked_day, one.recorded_day), **statement_columns(one), "by": None}


def rating_columns(one: Rating) -> dict[str, Any]:
    """What a rating's row says beyond what every entry carries."""
    return {
        **{"agency": one.agency, "scale": one.scale, "grade": one.grade, "score": one.score, "pd_bp": one.pd_bp},
        **{"limit_minor": one.limit_minor, "currency": one.limit_currency or ""},
        **{"identity": one.identity, "revision": one.revision},
    }


def statement_columns(one: Statement) -> dict[str, Any]:
    """What a statement's row says beyond what every entry carries."""
    return {
        **{"period_end_day": one.period_end_day, "months": one.months, "consolidated": one.consolidated},
        **{"audited": one.audited, "filed_day": one.filed_day, "source": one.source, "currency": one.currency},
        **{f"{name}_minor": one.amounts.get(name) for name in AMOUNTS},
        **{"employees": one.employees, "identity": one.identity, "revision": one.revision},
    }


def _post_lines(posted: Posted, lines: Sequence[Line]) -> dict[Key, int]:
    before = _last_id(tables.DueLine)
    rows = [
        {
            **posted.common(line.customer, line.booked_day, line.recorded_day),
            **{"number": line.number, "ordinal": line.ordinal, "identity": line.identity, "revision": line.revision},
            **{"invoice_day": line.invoice_day, "due_day": line.due_day, "amount_minor": line.amount_minor},
            **{"currency": line.currency, "text": line.text},
        }
        for line in lines
    ]
    posted.insert(tables.DueLine, rows, "due lines")
    return _new_ids(tables.DueLine, before, posted.import_id) if rows else {}


def _post_credits(posted: Posted, credits_: Sequence[Credit]) -> dict[Key, int]:
    before = _last_id(tables.Credit)
    rows = [
        {
            **posted.common(credit.customer, credit.booked_day, credit.recorded_day),
            **{"kind": credit.kind, "number": credit.number, "reference": credit.reference},
            **{"identity": credit.identity, "revision": credit.revision},
            **{"amount_minor": credit.amount_minor, "currency": credit.currency},
        }
        for credit in credits_
    ]
    posted.insert(tables.Credit, rows, "credits")
    return _new_ids(tables.Credit, before, posted.import_id) if rows else {}


def _post_allocations(
    posted: Posted, allocations: Sequence[Allocation], lines: Mapping[Key, int], credits_: Mapping[Key, int]
) -> None:
    rows = [
        {
            **posted.common(one.line.customer, one.booked_day, one.recorded_day),
            "credit": credits_[one.credit.key] if one.credit.id is None else one.credit.id,
            "due_line": lines[one.line.key] if one.line.id is None else one.line.id,
            "amount_minor": one.amount_minor,
        }
        for one in allocations
    ]
    posted.insert(tables.Allocation, rows, "allocations")


def _last_id(model: Any) -> int:
    last = model.select(model.id).order_by(model.id.desc()).first()
    return 0 if last is None else int(last.id)


def _new_ids(model: Any, after: int, import_id: int) -> dict[Key, int]:
    """Ids of what this import inserted, after the last id there was."""
    query = model.select(model.identity, model.revision, model.id)
    rows = query.where(model.id > after, model.import_id == import_id).tuples()
    return {(identity, revision): row_id for identity, revision, row_id in rows.iterator()}


def _move(posted: Posted, old_line: int, new_line: int) -> None:
    """Disputes, promises, plans and blocks on a replaced line go on, on the line that replaces it."""
    for target, model in MOVED:
        reversed_ = tables.Reversal.select(tables.Reversal.target_id).where(tables.Reversal.target == target)
        rows = model.select().where(model.due_line == old_line, model.id.not_in(reversed_)).order_by(model.id)
        if model is tables.Dispute:
            closed = tables.DisputeClosing.select(tables.DisputeClosing.dispute)
            rows = rows.where(model.id.not_in(closed))
        for row in list(rows):
            moved = {name: value for name, value in row.__data__.items() if name != "id"}
            when = {"recorded_day": posted.day, "recorded_at": posted.at, "import_id": posted.import_id}
            if model is tables.Dispute:
                moved["first_id"] = row.first_id or row.id
            model.insert(**{**moved, **when, "due_line": new_line}).execute()
            tables.Reversal.create(
                **{name: moved[name] for name in ("entity_id", "customer", "booked_day")},
                **when,
                target=target,
                target_id=row.id,
                reason="its due line was replaced; it goes on there",
            )
            posted.counts[f"{target}s moved"] += 1


def post_contacts(posted: Posted, vault: Vault, records: Sequence[Record]) -> None:
    """Seal contacts. One with an e-mail address that the customer has already is brought up to date;
    so is the customer's one contact without any.
    """
    there = _contacts(posted, vault, {record.values["customer"] for record in records})
    countries = _countries(posted, {record.values["customer"] for record in records})
    for record in records:
        values = record.values
        customer_id = posted.customers[values["customer"]]
        personal = {name: values[name] for name in CONTACT_FIELDS if values.get(name)}
        country = personal.get("country") or countries.get(customer_id) or posted.entity.country
        personal |= {
            name: e164_of(personal[name], country) or personal[name] for name in NUMBER_FIELDS if name in personal
        }
        public = {name: values[name] for name in ("role", "language") if values.get(name)}
        found = there.get((customer_id, values.get("email", "").casefold()))
        if found is None:
            person = vault.create_person(personal)
            tables.Contact.create(customer=customer_id, person=person, **public)
            posted.counts["contacts"] += 1
            posted.dirty.add(customer_id)
            continue
        contact, known = found
        if {**known, **personal} != known:
            vault.reseal_person(contact.person, {**known, **personal})
            posted.counts["contacts changed"] += 1
        if any(getattr(contact, name) != value for name, value in public.items()):
            tables.Contact.update(**public).where(tables.Contact.id == contact.id).execute()


def _countries(posted: Posted, numbers: Iterable[str]) -> dict[int, str | None]:
    """Countries of customers, by id: a telephone number without one is of the customer's."""
    found: dict[int, str | None] = {}
    for some in chunks(sorted(posted.customers[number] for number in numbers)):
        query = tables.Customer.select(tables.Customer.id, tables.Customer.country)
        found |= dict(query.where(tables.Customer.id.in_(some)).tuples())
    return found


def _contacts(
    posted: Posted, vault: Vault, numbers: Iterable[str]
) -> dict[tuple[int, str], tuple[tables.Contact, dict[str, Any]]]:
    """Contacts of customers, without erased ones, by customer and e-mail address; the first that lacks one."""
    found: dict[tuple[int, str], tuple[tables.Contact, dict[str, Any]]] = {}
    for some in chunks(sorted(posted.customers[number] for number in numbers)):
        query = (
            tables.Contact.select(tables.Contact, tables.Person)
            .join(tables.Person)
            .where(tables.Contact.customer.in_(some))
        )
        for contact in query:
            known = vault.open_person(contact.person)
            if known is not None:
                found.setdefault((contact.customer_id, str(known.get("email") or "").casefold()), (contact, known))
    return found
