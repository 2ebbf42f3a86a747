"""The distribution of a fact over today's customers, as a small picture and as a table for those who read it."""

from dataclasses import dataclass

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from admin import formatting, gate
from admin.counting import customers_words, entities_of, number_text
from admin.measures import number_words
from admin.versions import sees_whole, visible_document, visible_entities
from admin.wording import code_words
from admin.workbench.desk import blueprint
from engine.distributions import Bin, Distribution, distribution
from engine.editions import Unusable
from ledger.columns import Kind
from ledger.money import exponent

HEIGHT, WIDTH, GAP = 32, 8, 2  # of the picture and its bars
WHOLE = frozenset({Kind.DAYS, Kind.COUNT})  # nothing lies between two numbers


@dataclass(frozen=True)
class Bar:
    """One bin as it is drawn and read."""

    label: str
    customers: str
    x: int
    y: int
    height: int


@blueprint.get("/facts/<name>/distribution")
@gate.needs("documents.draft")
def fact_distribution(name: str) -> ResponseReturnValue:
    """How a fact is distributed over the customers of a document, or of all entities the reader sees whole."""
    asked = request.args.get("document", "")
    if asked.isdecimal():
        entities = entities_of(visible_document(int(asked)))
    else:
        entities = [entity for entity in visible_entities() if sees_whole(entity)]
    try:
        found = distribution(gate.runtime(), entities, name)
    except KeyError:
        abort(404)
    except Unusable:
        found = None
    bars = bars_of(found) if found is not None else []
    return render_template(
        "console/workbench/_histogram.html",
        label=_(found.fact.label) if found is not None else "",
        found=found,
        bars=bars,
        summary=summary_of(found) if found is not None else "",
        width=len(bars) * (WIDTH + GAP),
        height=HEIGHT,
        bar=WIDTH,
    )


def bars_of(found: Distribution) -> list[Bar]:
    """The bins as bars; one customer is still seen beside a million."""
    most = max((one.customers for one in found.bins), default=0)
    bars = []
    for number, one in enumerate(found.bins):
        height = max(2, one.customers * HEIGHT // most) if one.customers else 0
        label = label_of(one, found)
        bars.append(Bar(label, number_text(one.customers), number * (WIDTH + GAP), HEIGHT - height, height))
    return bars


def label_of(one: Bin, found: Distribution) -> str:
    """Which values a bin holds."""
    if found.fact.unit is None:
        if one.value is None:
            return _("all others")
        if isinstance(one.value, bool):
            return _("yes") if one.value else _("no")
        return code_words(one.value)
    if one.low is not None and one.low == one.high:
        return value_words(one.low, found)
    if one.low is None:
        return _("every value") if one.high is None else _("less than %(high)s", high=value_words(one.high + 1, found))
    if one.high is None:
        return _("at least %(low)s", low=value_words(one.low, found))
    if found.fact.kind in WHOLE:
        return _("%(low)s to %(high)s", low=value_words(one.low, found), high=value_words(one.high, found))
    low, high = value_words(one.low, found), value_words(one.high + 1, found)
    return _("%(low)s to less than %(high)s", low=low, high=high)


def value_words(value: int, found: Distribution) -> str:
    """A number with its unit, an amount of whole units without decimals."""
    if found.fact.kind is Kind.MONEY and value % 10 ** exponent(found.currency) == 0:
        return f"{formatting.money_text(value, found.currency, decimals=False)} {found.currency}"
    return number_words(value, found.fact.kind, found.currency)


def summary_of(found: Distribution) -> str:
    """The distribution in one sentence."""
    parts = []
    if found.lowest is not None and found.median is not None and found.highest is not None:
        low, middle, high = (_rounded(value, found) for value in (found.lowest, found.median, found.highest))
        parts.append(_("median %(middle)s, from %(low)s to %(high)s", middle=middle, low=low, high=high))
    elif found.bins:
        first = found.bins[0]
        value, customers = label_of(first, found), customers_words(first.customers)
        parts.append(_("most often: %(value)s (%(customers)s)", value=value, customers=customers))
    if found.unknown:
        number = number_text(found.unknown)
        parts.append(ngettext("unknown for %(n)s customer", "unknown for %(n)s customers", found.unknown, n=number))
    return "; ".join(parts)


def _rounded(value: int, found: Distribution) -> str:
    if found.fact.kind is Kind.MONEY:
        return f"{formatting.money_text(value, found.currency, decimals=False)} {found.currency}"
    return number_words(value, found.fact.kind, found.currency)
