"""A simulation as a page shows it: names instead of ids, and only to those who see the entity whole."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from markupsafe import Markup

from admin import formatting
from admin.changes import outcome_badge
from admin.steps import step_label
from engine import access
from engine.alerts import codes_of
from engine.comparison import DIRECTIONS, is_graded
from engine.tables import Customer, Entity, User
from rules.stages import POINT_OUTCOMES, STAGE


def _nowhere(*_asked: Any) -> str:
    return ""


@dataclass(frozen=True)
class Ways:
    """Where an impact leads: to the customers of a cell (stage, before, after), and why one of them changes."""

    cell: Callable[[str, Any, Any], str] = _nowhere
    why: Callable[[int], str] = _nowhere


NO_WAYS = Ways()


@dataclass(frozen=True)
class Cell:
    """So many customers, with so much exposure, in one cell of a matrix."""

    customers: int = 0
    exposure_minor: int = 0
    moved: bool = False
    url: str = ""


@dataclass(frozen=True)
class Row:
    """One outcome before, and where its customers go.

    Args:
        customers: all of them; ``url`` leads to them where a list exists.
    """

    label: Markup
    cells: tuple[Cell, ...]
    customers: int
    url: str


@dataclass(frozen=True)
class ShownMover:
    """One customer whose outcome changes."""

    customer: Customer
    before: Markup
    after: Markup
    exposure_minor: int | None
    why: str = ""


@dataclass(frozen=True)
class ShownFigure:
    """A figure of the portfolio before and after."""

    label: str
    before: int
    after: int
    is_money: bool

    @property
    def change(self) -> int:
        """How much more it is after."""
        return self.after - self.before


@dataclass(frozen=True)
class ShownStep:
    """For how many customers a step begins, before and after."""

    label: str
    channel: str
    before: int
    after: int


@dataclass(frozen=True)
class ShownWork:
    """What waits for a collector, before and after: customers on the worklist, calls and tasks that begin.

    Args:
        diary: calls and tasks that are open already; None where that is not asked.
    """

    collector_id: int | None
    name: str
    worklist: tuple[int, int]
    work: tuple[int, int]
    diary: int | None = None


@dataclass(frozen=True)
class Hits:
    """How many customers a rule matches before and after; None where the rule is not there."""

    label: str
    before: int | None
    after: int | None

    @property
    def moved(self) -> bool:
        """Whether the number changes."""
        return self.before != self.after


@dataclass(frozen=True)
class ShownStage:
    """What changes in one stage.

    Args:
        columns, totals: outcomes after, and how many customers have them.
        undecided: customers that wait for a person, before and after.
        sums: of an amount, its sum before and after.
    """

    name: str
    label: str
    outcome: str
    changed: int
    changed_minor: int
    columns: tuple[Markup, ...]
    rows: tuple[Row, ...]
    totals: tuple[int, ...]
    movers: tuple[ShownMover, ...]
    hits: tuple[Hits, ...]
    undecided: tuple[int, int]
    sums: tuple[int, int] | None

    @property
    def direction_only(self) -> bool:
        """Whether columns are ways an amount or points go instead of outcomes."""
        return is_graded(self.outcome)


@dataclass(frozen=True)
class ShownLines:
    """What a changed policy of invoices does to them on the day."""

    lines: int
    changed: int
    steps: tuple[ShownStep, ...]
    adopts: bool


@dataclass(frozen=True)
class ShownImpact:
    """What a change does to one entity."""

    entity: Entity
    currency: str
    as_of_day: int
    customers: int
    changed: int
    changed_minor: int
    stages: tuple[ShownStage, ...]
    figures: tuple[ShownFigure, ...] = ()
    steps: tuple[ShownStep, ...] = ()
    work: tuple[ShownWork, ...] = ()
    outcomes_sha256: str = ""
    lines: ShownLines | None = None

    @property
    def never(self) -> list[tuple[str, str]]:
        """Stage and rule of every rule that nobody would match."""
        return [(stage.label, hit.label) for stage in self.stages for hit in stage.hits if hit.after == 0]

    @property
    def touched(self) -> list[ShownStage]:
        """The stages in which somebody moves."""
        return [stage for stage in self.stages if stage.changed]

    @property
    def untouched(self) -> list[ShownStage]:
        """The stages in which nobody does."""
        return [stage for stage in self.stages if not stage.changed]


def shown(
    impact: Mapping[str, Any] | None,
    user_id: int,
    labels: Mapping[str, Mapping[str, str]],
    ways: Ways = NO_WAYS,
) -> list[ShownImpact] | None:
    """Prepare the impact of a change for its page.

    Args:
        impact: ``{"entities": [{"entity": code, ...simulation values}]}``.
        user_id: the reader; entities they do not see whole are left out, counts and all.
        labels: by stage, the label of each rule's key.
        ways: where its numbers lead.

    Returns:
        None where none was kept.
    """
    if not impact:
        return None
    found = []
    for part in impact.get("entities", ()):
        entity = Entity.get_or_none(Entity.code == part["entity"])
        if entity is not None and access.sees_whole_entity(user_id, entity.id):
            found.append(_shown(part, entity, user_id, labels, ways))
    return found


def _shown(
    part: Mapping[str, Any], entity: Entity, user_id: int, labels: Mapping[str, Mapping[str, str]], ways: Ways
) -> ShownImpact:
    ids = {mover["customer_id"] for stage in part["stages"] for mover in stage["movers"]}
    named = {customer.id: customer for customer in _named(user_id, ids)}
    return ShownImpact(
        entity=entity,
        currency=str(entity.currency),
        as_of_day=part["as_of_day"],
        customers=part["customers"],
        changed=part["changed"],
        changed_minor=part["changed_minor"],
        stages=tuple(_stage(stage, named, entity, labels.get(stage["stage"], {}), ways) for stage in part["stages"]),
        figures=_figures(part.get("figures", ())),
        steps=_steps(part.get("steps", ())),
        work=_work(part.get("work", ())),
        outcomes_sha256=part.get("outcomes_sha256", ""),
        lines=_lines(part.get("lines")),
    )


def _steps(steps: Iterable[Mapping[str, Any]]) -> tuple[ShownStep, ...]:
    return tuple(ShownStep(step_label(one["step"]), one["channel"], one["before"], one["after"]) for one in steps)


def _lines(lines: Mapping[str, Any] | None) -> ShownLines | None:
    if lines is None:
        return None
    return ShownLines(lines["lines"], lines["changed"], _steps(lines["steps"]), lines["adopts"])


def _figures(figures: Iterable[Mapping[str, Any]]) -> tuple[ShownFigure, ...]:
    labels = {
        "exposure_minor": _("Exposure"),
        "held": _("Customers with orders held"),
        "held_minor": _("Exposure held"),
        "proposed_limits_minor": _("Limits proposed"),
        "headroom_minor": _("Headroom below them"),
        "over_limit": _("Customers above them"),
        "over_limit_minor": _("Exposure above them"),
        "dunned": _("Customers being dunned"),
        "worklist": _("Customers on the worklist"),
    }
    return tuple(
        ShownFigure(labels[one["name"]], one["before"], one["after"], one["name"].endswith("_minor"))
        for one in figures
        if one["name"] in labels
    )


def _work(work: Sequence[Mapping[str, Any]]) -> tuple[ShownWork, ...]:
    ids = [one["collector_id"] for one in work if one["collector_id"] is not None]
    names = {user.id: user.name for user in User.select().where(User.id.in_(ids))}
    return tuple(
        ShownWork(
            one["collector_id"],
            names.get(one["collector_id"], _("nobody yet")),
            (one["worklist"][0], one["worklist"][1]),
            (one["work"][0], one["work"][1]),
        )
        for one in work
    )


def _named(user_id: int, ids: Iterable[int]) -> Iterable[Customer]:
    rows: Iterable[Customer] = access.visible_to(user_id, Customer.select().where(Customer.id.in_(list(ids))))
    return rows


def _stage(
    stage: Mapping[str, Any], named: Mapping[int, Customer], entity: Entity, labels: Mapping[str, str], ways: Ways
) -> ShownStage:
    outcome, moves = stage["outcome"], stage["moves"]
    amount = is_graded(outcome)
    before = sorted({move["before"] for move in moves}, key=_order)
    after = list(DIRECTIONS) if amount else sorted({m[side] for m in moves for side in ("before", "after")}, key=_order)
    found = {(move["before"], move["after"]): move for move in moves}

    def cell(row: Any, column: Any) -> Cell:
        move = found.get((row, column))
        moved = column != "unchanged" if amount else row != column
        if not move:
            return Cell()
        return Cell(move["customers"], move["exposure_minor"], moved, ways.cell(stage["stage"], row, column))

    return ShownStage(
        name=stage["stage"],
        label=_(STAGE[stage["stage"]].label),
        outcome=outcome,
        changed=stage["changed"],
        changed_minor=stage["changed_minor"],
        columns=tuple(direction(column) if amount else badge(outcome, column, entity.currency) for column in after),
        rows=tuple(
            Row(
                label=Markup("{}").format(_graded_label(outcome)) if amount else badge(outcome, row, entity.currency),
                cells=tuple(cell(row, column) for column in after),
                customers=sum(move["customers"] for move in moves if move["before"] == row),
                url="" if amount else customers_url(outcome, row, entity),
            )
            for row in before
        ),
        totals=tuple(sum(move["customers"] for move in moves if move["after"] == column) for column in after),
        movers=tuple(
            ShownMover(
                named[mover["customer_id"]],
                badge(outcome, mover["before"], entity.currency),
                badge(outcome, mover["after"], entity.currency),
                mover["exposure_minor"],
                ways.why(mover["customer_id"]),
            )
            for mover in stage["movers"]
            if mover["customer_id"] in named
        ),
        hits=tuple(
            Hits(labels.get(hit["key"], formatting.title(hit["key"])), hit["before"], hit["after"])
            for hit in stage["hits"]
        ),
        undecided=tuple(stage.get("undecided") or (0, 0)),
        sums=tuple(stage["total"]) if stage.get("total") else None,
    )


def _graded_label(outcome: str) -> str:
    return _("Worklist points") if outcome in POINT_OUTCOMES else _("Proposed limits")


def _order(value: Any) -> tuple[int, Any]:
    if isinstance(value, bool) or value is None:
        return (0, value is True)
    return (1, value) if isinstance(value, int) else (2, str(value))


def badge(outcome: str, value: Any, currency: str) -> Markup:
    """An outcome as the console shows it everywhere; what is not set says so."""
    if value is None:
        return Markup('<span class="quiet">{}</span>').format(_("not set"))
    return outcome_badge(outcome, value, currency)


def direction(word: str) -> Markup:
    """Which way an amount goes, in words."""
    words = {
        "unchanged": _("Unchanged"),
        "set": _("Set"),
        "raised": _("Raised"),
        "lowered": _("Lowered"),
        "removed": _("Removed"),
    }
    return Markup("{}").format(words.get(word, word))


def customers_url(outcome: str, value: Any, entity: Entity | None) -> str:
    """The list of the customers that have an outcome now; empty where there is none."""
    scope = {} if entity is None else {"entity": entity.code}
    if value is None:
        return ""
    if outcome in {"risk_class", "segment", "level"}:
        return url_for("customers.index_view", **{outcome: value}, **scope)
    if outcome == "hold" and value:
        return url_for("customers.index_view", view="held", **scope)
    return ""


def outcome_text(outcome: str, value: Any, currency: str) -> str:
    """An outcome in plain words."""
    if value is None:
        return _("none")
    if outcome == "hold":
        return _("orders held") if value else _("orders free")
    if outcome == "level":
        return _("level %(n)s", n=value)
    if outcome.endswith("_minor") and isinstance(value, int):
        return f"{formatting.money_text(value, currency)} {currency}".strip()
    if outcome == "alert":
        return ", ".join(formatting.phrase(code) for code in codes_of(value))
    return formatting.title(str(value)) if len(str(value)) > 2 else str(value)
