"""How values are shown: in the reader's language, with their unit, never as a bare number."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from flask import Flask, current_app, url_for
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from markupsafe import Markup, escape

from admin import gate
from ledger.days import date_of
from ledger.money import exponent

NOTHING = Markup('<span class="nil" aria-label="unknown">–</span>')


def locale() -> Locale:
    """The locale numbers and dates are written in; English is written the European way."""
    asked = get_locale() or Locale("en")
    return Locale("en", "GB") if asked.language == "en" else asked


def money_text(minor: int | None, currency: str | None, decimals: bool = True) -> str:
    """An amount without its currency: ``1,234.50``; empty when unknown."""
    if minor is None:
        return ""
    places = exponent(currency or "")
    amount = Decimal(minor).scaleb(-places)
    pattern = "#,##0" + ("." + "0" * places if decimals and places else "")
    return str(format_decimal(amount, format=pattern, locale=locale(), decimal_quantization=True))


def money(minor: int | None, currency: str | None = None, decimals: bool = True) -> Markup:
    """An amount with its currency beside it."""
    if minor is None:
        return NOTHING
    unit = Markup(' <span class="unit">{}</span>').format(currency) if currency else Markup("")
    sign = " negative" if minor < 0 else ""
    return Markup('<span class="num{}">{}{}</span>').format(sign, money_text(minor, currency, decimals), unit)


def whole_units(minor: int | None, currency: str) -> str:
    """An amount as a plain decimal number for scripts and files: ``1234.50``."""
    return "" if minor is None else str(Decimal(minor).scaleb(-exponent(currency)))


def percent_text(bp: int | None, places: int = 1) -> str:
    """Basis points as per cent: ``12.5 %``."""
    if bp is None:
        return ""
    pattern = "#,##0" + ("." + "0" * places if places else "")
    return str(format_decimal(Decimal(bp).scaleb(-2), format=pattern, locale=locale())) + "\u202f%"


def percent(bp: int | None, places: int = 1) -> Markup:
    """Basis points as per cent, or the sign for unknown."""
    return NOTHING if bp is None else Markup('<span class="num">{}</span>').format(percent_text(bp, places))


def count(number: int | None) -> Markup:
    """A whole number with separators."""
    if number is None:
        return NOTHING
    return Markup('<span class="num">{}</span>').format(format_decimal(number, locale=locale()))


def day_text(day: int | None) -> str:
    """A day as a date in the reader's language."""
    return "" if day is None else str(format_date(date_of(day), format="medium", locale=locale()))


def day(number: int | None) -> Markup:
    """A day with its machine-readable form."""
    if number is None:
        return NOTHING
    return Markup('<time datetime="{}">{}</time>').format(date_of(number).isoformat(), day_text(number))


def moment(at: int | None) -> datetime:
    """An instant as an aware datetime."""
    return datetime.fromtimestamp((at or 0) / 1_000_000, tz=UTC)


def instant_text(at: int | None) -> str:
    """An instant in the console's time zone."""
    if at is None:
        return ""
    zone = ZoneInfo(gate.runtime().settings.zone)
    return str(format_datetime(moment(at).astimezone(zone), format="medium", locale=locale(), tzinfo=zone))


def instant(at: int | None) -> Markup:
    """An instant with its machine-readable form."""
    if at is None:
        return NOTHING
    return Markup('<time datetime="{}">{}</time>').format(moment(at).isoformat(), instant_text(at))


def ago(at: int | None) -> Markup:
    """How long ago an instant was, the instant itself on hover."""
    if at is None:
        return NOTHING
    passed = gate.runtime().now() - moment(at)
    if abs(passed.total_seconds()) < 1:  # babel would say "in 0 seconds"
        return Markup('<time datetime="{}">{}</time>').format(moment(at).isoformat(), _("just now"))
    words = format_timedelta(-passed, add_direction=True, locale=locale())
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment(at).isoformat(), instant_text(at), words)


def late_text(days: int | None) -> str:
    """Days past due in words: negative is before due."""
    if days is None:
        return ""
    if days > 0:
        return ngettext("%(n)s day late", "%(n)s days late", days, n=days)
    return ngettext("due in %(n)s day", "due in %(n)s days", -days, n=-days) if days else _("due today")


def spelled(code: str | None) -> str:
    """A code of the engine as English words: ``formal_notice`` -> ``Formal notice``."""
    return "" if not code else str(code).replace("_", " ").replace("-", " ").strip().capitalize()


def title(code: str | None) -> str:
    """A code of the engine in the reader's words; one that the catalogs do not know stays English."""
    words = spelled(code)
    return _(words) if words else ""


def phrase(code: str | None) -> str:
    """The same within a sentence: German nouns keep their capital, so it is a message of its own."""
    words = spelled(code).lower()
    return _(words) if words else ""


def said(text: str | None) -> str:
    """A text of a policy in the reader's language; a per cent sign in it is nothing to fill in."""
    return _(text) if text else ""


def iso(number: int | None) -> str:
    """A day as ISO 8601, for form fields."""
    return "" if number is None else date_of(number).isoformat()


@cache
def _fingerprint(path: Path, modified_ns: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Address of a static file with its content's fingerprint, so that a new release is seen at once."""
    path = Path(str(current_app.static_folder)) / name
    return url_for("static", filename=name, v=_fingerprint(path, path.stat().st_mtime_ns))


def icon(name: str, label: str = "") -> Markup:
    """A sign from the sprite; hidden from readers unless it carries a label."""
    spoken = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    address = static_url("vendor/icons.svg")
    return Markup('<svg class="icon" {}><use href="{}#{}"></use></svg>').format(spoken, address, name)


TONES = {
    # risk classes and levels run from calm to alarming; states say whether a person must act
    **dict.fromkeys(("A", "B", "done", "sent", "kept", "live", "approved", "0", "on"), "good"),
    **dict.fromkeys(("C", "waiting", "open", "proposed", "gated", "due", "1", "promised", "draft"), "warm"),
    **dict.fromkeys(("D", "2", "uncertain", "disputed", "pending"), "hot"),
    **dict.fromkeys(("E", "3", "4", "5", "failed", "hold", "broken", "rejected", "withdrawn", "off", "stopped"), "bad"),
    **dict.fromkeys(("claimed", "sending", "deciding", "confirming", "adoption"), "busy"),
}


def badge(value: Any, label: str | None = None, tone: str | None = None) -> Markup:
    """A status as a small coloured word; the word carries the meaning, the colour only helps."""
    if value is None or value == "":
        return NOTHING
    chosen = tone or TONES.get(str(value), "calm")
    return Markup('<span class="badge {}">{}</span>').format(chosen, label or title(str(value)))


def by_kind(value: Any, kind: str, currency: str | None = None) -> Markup:
    """A fact's value in human units, by the kind its declaration gives."""
    if value is None:
        return NOTHING
    if kind == "money":
        return money(value, currency)
    if kind == "ratio":
        return percent(value)
    if kind == "days":
        return Markup('<span class="num">{} <span class="unit">{}</span></span>').format(value, _("days"))
    if kind == "count":
        return count(value)
    if kind == "bool":
        return escape(_("yes") if value else _("no"))
    return escape(value)


def register(app: Flask) -> None:
    """Give templates these words."""
    for function in (
        money,
        percent,
        count,
        day,
        instant,
        ago,
        late_text,
        title,
        phrase,
        said,
        iso,
        badge,
        by_kind,
        day_text,
        whole_units,
    ):
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.globals.update(
        icon=icon,
        nonce=gate.nonce,
        may=gate.may,
        nothing=NOTHING,
        static_url=static_url,
        get_locale=get_locale,
        known_endpoints=lambda: current_app.view_functions,
        sends_for_real=lambda: gate.runtime().settings.send_for_real,
        now_at=lambda: gate.runtime().now_at(),
    )
