"""The errors of a model by month and part of the portfolio: a chart with its table for each kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _

from admin import charts, formatting
from admin.charts import Chart, Column, Line


def kind_words(kind: str) -> str:
    """What parts of a portfolio are called."""
    return {
        "month": _("Month"),
        "size": _("Quarter by amount"),
        "history": _("History"),
        "segment": _("Segment"),
        "country": _("Country"),
        "portfolio": _("Portfolio"),
        "sector": _("Sector"),
        "legal_form": _("Legal form"),
    }.get(kind, formatting.title(kind))


def part_words(kind: str, part: str) -> str:
    """What one part is called."""
    if not part:
        return _("all others")
    if kind == "country":
        return formatting.locale().territories.get(part, part)
    if kind == "segment":
        return formatting.title(part)
    known = {
        "history": {"thin": _("Fewer than 3 paid invoices"), "known": _("3 paid invoices or more")},
        "size": {"smallest": _("Smallest"), "small": _("Small"), "large": _("Large"), "largest": _("Largest")},
    }
    return known.get(kind, {}).get(part, part)


def part_columns(kind: str) -> list[Column]:
    """The columns of a table of parts."""
    return [
        *(Column(kind_words(kind), "text"), Column(_("Rows"), "count"), Column(_("Customers"), "count")),
        *(Column(_("Turned bad"), "count"), Column(_("Happened")), Column(_("Said"))),
        *(Column(_("AUC"), "figure"), Column(_("Interval"), "figure", range=True)),
        *(Column(_("AUC, naive"), "figure"), Column(_("Brier"), "figure"), Column(_("ECE"), "figure")),
    ]


def part_rows(kind: str, parts: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The cells of a table of parts; what few rows cannot tell is left open."""
    return [
        [
            *(part_words(kind, one["part"]), one["n"], one["customers"], one["bad"]),
            *(one["bad"] / one["n"] if "expected" in one else None, one.get("expected"), one.get("auc")),
            tuple(one["auc_interval"]) if one.get("auc_interval") else None,
            *(one.get("rival_auc"), one.get("brier"), one.get("ece")),
        ]
        for one in parts
    ]


def part_chart(kind: str, parts: Sequence[Mapping[str, Any]]) -> Chart:
    """Said and happened month by month, or part by part."""
    names = [str(part_words(kind, one["part"])) for one in parts]
    told = [one if "expected" in one else None for one in parts]
    said = [(place, None if one is None else one["expected"]) for place, one in enumerate(told)]
    came = [(place, None if one is None else one["bad"] / one["n"]) for place, one in enumerate(told)]
    high = charts.rounded_up(max((value or 0 for _place, value in (*said, *came)), default=1.0))
    lines = kind == "month"
    few = sum(one is None or "auc" not in one for one in told)
    return Chart(
        kind,
        kind_words(kind),
        _("%(few)s of %(all)s parts have too few rows for an AUC.", few=few, all=len(parts))
        if few
        else _("Every part has rows enough to be told."),
        charts.name_axis(_("Month due") if lines else kind_words(kind), names),
        charts.share_axis(_("Turned bad, %"), high),
        [Line(_("Happened"), came, None, 0, bars=not lines), Line(_("Said"), said, None, 1, bars=not lines)],
        part_columns(kind),
        part_rows(kind, parts),
    )


def parts_drawn(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Chart]:
    """A chart with its table for every kind of part: ``parts`` of a card."""
    kinds = sorted(parts, key=lambda kind: (kind != "month", kind != "segment", kind))
    return [part_chart(kind, parts[kind]) for kind in kinds]
