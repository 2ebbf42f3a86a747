"""The list of customers: who they are from the tables, what they owe from the last run's facts."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

from flask import g, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import JOIN, ModelSelect, fn

from admin import alerts_shown, figures, finding, formatting, gate, received_mail, silence
from admin.console import PAGE_ROWS, Asked, Choice, ConsoleView, Page, Tab, cursor
from admin.customer_page import file_of
from admin.finding import entities, few_matching, matching, of_entity, some_matching, with_entities
from engine import access
from engine.notes import askable, thread_of
from engine.silence import silence_of
from engine.standing_on import stands_now
from engine.tables import Customer, Outcome
from ledger.money import exponent

# Facts the list can be ranked by, and by which a figure elsewhere links to the rows behind it.
RANKED = {
    "exposure": "exposure_minor",
    "overdue": "overdue_minor",
    "open": "open_minor",
    "not_due": "not_due_minor",
    "d1_30": "d1_30_minor",
    "d31_60": "d31_60_minor",
    "d61_90": "d61_90_minor",
    "d90_over": "d90_over_minor",
    "no_due_date": "no_due_date_minor",
    "credits": "credits_minor",
    "unapplied": "unapplied_minor",
    "disputed": "disputed_minor",
    "promised": "promised_minor",
    "days_late": "leader_days_past_due",
    "utilisation": "utilisation_bp",
}
BATCH_FIRST, BATCH_MAX = 250, 8_000  # customers by rank, asked at a time whether they are meant
MEMBERS_SHOWN = 20  # of a group
FIGURE_LABELS = {
    "exposure": _l("Exposure"),
    "overdue": _l("Overdue"),
    "open": _l("Open"),
    "not_due": _l("Not due"),
    "d1_30": _l("1 to 30 days late"),
    "d31_60": _l("31 to 60 days late"),
    "d61_90": _l("61 to 90 days late"),
    "d90_over": _l("Over 90 days late"),
    "no_due_date": _l("Without a due date"),
    "credits": _l("Credits"),
    "unapplied": _l("Unapplied payments"),
    "disputed": _l("Disputed"),
    "promised": _l("Promised"),
}


def customer_link(customer: Customer) -> Markup:
    """A customer's name, number beneath, leading to their page."""
    address = url_for("customers.customer_page", customer_id=customer.id)
    return Markup('<a class="strong" href="{}">{}</a><span class="sub">{}</span>').format(
        address, customer.name, customer.number
    )


def hold_badge(outcome: Outcome | None) -> Markup:
    """Whether orders are stopped, and why."""
    if outcome is None or not outcome.hold:
        return Markup("")
    return formatting.badge("hold", formatting.title(outcome.hold_reason) or _("Hold"), "bad")


def level_badge(level: int | None) -> Markup:
    """The dunning level."""
    return formatting.NOTHING if not level else formatting.badge(min(level, 5), _("Level %(n)s", n=level))


def _outcome(row: Customer) -> Outcome | None:
    return getattr(row, "outcome", None) if getattr(row, "outcome", None) and row.outcome.run_id else None


def _figure(row: Customer, fact: str) -> Any:
    return g.get("figures_beside", {}).get(row.id, {}).get(fact)


def _money(fact: str) -> Any:
    """The amount; its currency too where the list mixes several."""

    def cell(row: Customer) -> Markup:
        amount, unit = _figure(row, fact), row.entity.currency
        if amount is None or g.get("one_currency") is None:
            return formatting.money(amount, unit)
        return Markup('<span class="num">{}</span>').format(formatting.money_text(amount, unit))

    return cell


def _plain_money(fact: str) -> Any:
    def cell(row: Customer) -> Any:
        minor = _figure(row, fact)
        return None if minor is None else Decimal(minor).scaleb(-exponent(row.entity.currency))

    return cell


def _values(field: Any) -> Any:
    def options() -> list[tuple[str, str]]:
        seen = access.visible_entities(current_user.id)
        values: set[str] = set()
        for entity in seen:  # from one value to the next by the index, whatever many rows have it
            last = Outcome.select(fn.MIN(field)).where(Outcome.entity_id == entity).scalar()
            while last is not None:
                values.add(str(last))
                last = Outcome.select(fn.MIN(field)).where(Outcome.entity_id == entity, field > last).scalar()
        return sorted((value, formatting.title(value)) for value in values)

    return options


def _before() -> int | None:
    word = request.args.get("notes", "")
    return int(word) if word.isdigit() else None


def _members(customer: Customer) -> list[tuple[Customer, dict[str, Any]]]:
    """The other customers of the group that the reader may see, with their figures."""
    if customer.customer_group_id is None:
        return []
    query = Customer.select().where(Customer.customer_group == customer.customer_group_id, Customer.id != customer.id)
    found = list(access.visible_to(current_user.id, query).order_by(Customer.name, Customer.id).limit(MEMBERS_SHOWN))
    with_entities(found)
    known = figures.beside(gate.runtime(), found)
    return [(one, known.get(one.id, {})) for one in found]


def _narrows(asked: Asked) -> bool:
    return bool(asked.search or asked.tab not in {"", "all"} or {name for name, _value in asked.filters} - {"figure"})


def _meeting(
    chosen: ModelSelect, best: Callable[..., list[tuple[int, int | None]]], at: tuple[Any, Any] | None, rows: int
) -> list[tuple[int, int | None]]:
    """The best customers of many that were chosen: the best of all, so many at a time, are asked whether they are.

    Args:
        chosen: selects the ids to choose from, more than ``finding.FEW`` of them.
        best: customers and values by rank, from a position on.
    """
    found: list[tuple[int, int | None]] = []
    many = BATCH_FIRST
    while len(found) < rows:
        pairs = best(at, many)
        keys = {key for (key,) in chosen.where(Customer.id.in_([key for key, _value in pairs])).tuples()}
        found += [pair for pair in pairs if pair[0] in keys]
        if len(pairs) < many:
            break
        at = (pairs[-1][1], pairs[-1][0])
        many = min(many * 4, BATCH_MAX)
    return found[:rows]


class CustomersView(ConsoleView):
    """Customers with their standing; ranked by a figure on demand."""

    permission = "customers.view"
    can_view_details = False  # they have a page of their own
    heading = _l("Customers")
    lead = _l("Standing from the rules, figures from the last run.")
    empty = _l("No customer matches. Import a ledger, or widen the filter.")
    column_list = ("name", "overdue", "days_late", "exposure", "utilisation", "risk_class", "level", "hold", "segment")
    column_export_list = ("number", "name", "entity", *column_list[1:])
    column_labels: ClassVar[dict[str, Any]] = {
        "name": _l("Customer"),
        "number": _l("Number"),
        "entity": _l("Entity"),
        "segment": _l("Segment"),
        "risk_class": _l("Class"),
        "level": _l("Dunning"),
        "hold": _l("Orders"),
        "exposure": _l("Exposure"),
        "utilisation": _l("Limit used"),
        "overdue": _l("Overdue"),
        "days_late": _l("Leader"),
    }
    column_kinds: ClassVar[dict[str, str]] = {
        "exposure": "money",
        "overdue": "money",
        "utilisation": "count",
        "days_late": "days",
    }
    sorts: ClassVar[dict[str, Any]] = {
        "name": Customer.name,
        "segment": Outcome.segment,
        "risk_class": Outcome.risk_class,
        "level": Outcome.level,
        **dict.fromkeys(RANKED),
    }
    first_sort = ("overdue", True)
    searched = True
    choices = (
        Choice("entity", _l("Entity"), of_entity, entities),
        Choice("segment", _l("Segment"), lambda q, v: q.where(Outcome.segment == v), _values(Outcome.segment)),
        Choice("risk_class", _l("Class"), lambda q, v: q.where(Outcome.risk_class == v), _values(Outcome.risk_class)),
        Choice(
            "level",
            _l("Dunning level"),
            lambda q, v: q.where(Outcome.level == int(v)),
            lambda: [(str(n), _("Level %(n)s", n=n)) for n in range(10)],
        ),
        Choice("figure", _l("With an amount"), lambda q, _v: q, lambda: list(FIGURE_LABELS.items())),
    )
    tabs = (
        Tab("all", _l("All"), lambda q: q),
        Tab("held", _l("Orders held"), lambda q: q.where(Outcome.hold == True)),  # noqa: E712
        Tab("dunned", _l("Being dunned"), lambda q: q.where(Outcome.level > 0)),
        Tab(
            "undecided",
            _l("Not decided yet"),
            lambda q: q.where(Outcome.run_id.is_null()),
        ),
    )
    shown: ClassVar[dict[str, Any]] = {
        "name": customer_link,
        "segment": lambda row: formatting.badge(row.outcome.segment, tone="calm"),
        "risk_class": lambda row: formatting.badge(row.outcome.risk_class),
        "level": lambda row: level_badge(row.outcome.level),
        "hold": lambda row: hold_badge(_outcome(row)),
        "exposure": _money("exposure_minor"),
        "overdue": _money("overdue_minor"),
        "utilisation": lambda row: formatting.percent(_figure(row, "utilisation_bp"), 0),
        "days_late": lambda row: formatting.late_text(_figure(row, "leader_days_past_due")) or formatting.NOTHING,
    }
    plain: ClassVar[dict[str, Any]] = {
        "entity": lambda row: row.entity.code,
        "segment": lambda row: row.outcome.segment,
        "risk_class": lambda row: row.outcome.risk_class,
        "level": lambda row: row.outcome.level,
        "hold": lambda row: row.outcome.hold_reason if row.outcome.hold else "",
        "exposure": _plain_money("exposure_minor"),
        "overdue": _plain_money("overdue_minor"),
        "utilisation": lambda row: _figure(row, "utilisation_bp"),
        "days_late": lambda row: _figure(row, "leader_days_past_due"),
    }

    def visible(self) -> ModelSelect:
        """Customers in the reader's scope, with entity and outcomes."""
        query = Customer.select(Customer, Outcome).join(
            Outcome, JOIN.LEFT_OUTER, on=(Outcome.customer == Customer.id), attr="outcome"
        )
        return access.visible_to(current_user.id, query, in_order=True)

    def search_in(self, query: ModelSelect, words: str) -> ModelSelect:
        """By number or name."""
        some = some_matching(words) if few_matching(words) is None else None
        return matching(query, words) if some is None else query.where(Customer.id.in_(some))

    def asked(self) -> Asked:
        """A figure asked for is also what the list is ranked by."""
        asked = super().asked()
        figure = dict(asked.filters).get("figure")
        if figure and request.args.get("sort") not in self.sorts:
            return replace(asked, sort=figure, desc=True)
        if asked.search and request.args.get("sort") not in self.sorts:
            return replace(asked, sort="name", desc=False)
        return asked

    def page_of(self, asked: Asked, rows: int = PAGE_ROWS) -> Page:
        """By key from the tables; by rank from the facts, then the rows of those customers."""
        figure = dict(asked.filters).get("figure")
        if asked.sort not in RANKED:
            if figure:
                return self._ranked(replace(asked, sort=figure, desc=True), rows, figure)
            return super().page_of(asked, rows)
        if not any(figures.last_run(entity) for entity in access.visible_entities(current_user.id)):
            return super().page_of(replace(asked, sort="name", desc=False), rows)
        return self._ranked(asked, rows, figure)

    def narrowed(self, asked: Asked) -> ModelSelect:
        """Few customers by their ids: the list's own order might lead past a million others to find them."""
        few = self._few(asked)
        return super().narrowed(asked) if few is None else self.visible().where(Customer.id.in_(few))

    def _few(self, asked: Asked) -> list[int] | None:
        """The customers asked for, if somebody asked for some and they are few; read once per request."""
        if not _narrows(asked) or (not _narrows(replace(asked, search="")) and few_matching(asked.search) is None):
            return None  # of many that words alone find, the list's own order meets the first ones soon
        kept: dict[Any, list[int]] = g.setdefault("few_customers", {})
        key = (asked.tab, asked.search, asked.filters)
        if key not in kept:
            chosen = super().narrowed(asked).select(Customer.id).limit(finding.FEW + 1)
            kept[key] = [number for (number,) in chosen.tuples()]
        return kept[key] if len(kept[key]) <= finding.FEW else None

    def _ranked(self, asked: Asked, rows: int, figure: str | None) -> Page:
        user = current_user.id
        seen = sorted(access.visible_entities(user))
        back = asked.before is not None or asked.end
        at = asked.before if back else asked.after

        def best(at: tuple[Any, Any] | None, many: int, only: list[int] | None = None) -> list[tuple[int, int | None]]:
            return figures.ranked(
                gate.runtime(),
                seen,
                RANKED[asked.sort],
                falling=asked.desc != back,
                at=at,
                positive=figure is not None,
                only=only,
                rows=many,
            )

        few = self._few(asked)
        if few is not None:
            pairs = best(at, rows + 1, few)
        elif _narrows(asked) or not all(access.sees_whole_entity(user, entity) for entity in seen):
            pairs = _meeting(self.narrowed(asked).select(Customer.id), best, at, rows + 1)
        else:
            pairs = best(at, rows + 1)
        more, pairs = len(pairs) > rows, pairs[:rows]
        if back:
            pairs.reverse()
        if not pairs:
            return Page([])
        by_id = {row.id: row for row in self._by_ids([key for key, _value in pairs])}
        first, last = (cursor(value, key) for key, value in (pairs[0], pairs[-1]))
        return Page(
            rows=[by_id[key] for key, _value in pairs if key in by_id],
            next=last if (asked.before is not None if back else more) else None,
            previous=first if (more if back else at is not None) else None,
        )

    @expose("/<int:customer_id>")
    def customer_page(self, customer_id: int) -> str:
        """Everything about one customer."""
        from admin.external_view import figures_of, months_of
        from admin.messages_view import opened
        from admin.next_step import next_step
        from admin.thread import SHOWN
        from admin.worklist_view import reasons_in

        customer = self.one_or_404(customer_id)
        file, runtime = file_of(customer), gate.runtime()
        now = stands_now(file.ask, file.row, file.decided)
        answer = silence.shown(silence_of(runtime, customer, file.ask.as_of_day, now), customer)
        reads = gate.may("notes.view")
        return self.render(
            "console/customer.html",
            items=file.items(request.args.get("items", "")),
            next_step=next_step(file, answer, reasons_in(file.ask.edition.book, file.row, file.decided)),
            letters={one.id: opened(one.message) for one in file.actions} if gate.may("people.view") else {},
            notes=thread_of(runtime, customer, SHOWN, _before()) if reads else [],
            handles=[name for name in askable(customer) if "@" not in name] if gate.may("notes.write") else [],
            members=_members(customer),
            once=str(uuid4()),
            mails=received_mail.of_customer(customer_id),
            file=file,
            figures_of=figures_of,
            months_of=months_of,
            silence=answer,
            alerts=alerts_shown.on_customer(customer, url_for(".customer_page", customer_id=customer.id)),
        )

    def _by_ids(self, keys: list[int]) -> list[Customer]:
        found: list[Customer] = []
        for start in range(0, len(keys), 500):
            found += list(self.visible().where(Customer.id.in_(keys[start : start + 500])))
        return found

    def prepare(self, rows: list[Any]) -> None:
        """Give rows their entity and, where they have none, an empty outcome; read their figures at once."""
        with_entities(rows)
        for row in rows:
            if getattr(row, "outcome", None) is None:
                row.outcome = Outcome(level=0, hold=False)
        g.figures_beside = figures.beside(gate.runtime(), rows)
        currencies = {row.entity.currency for row in rows}
        g.one_currency = currencies.pop() if len(currencies) == 1 else None
