"""What a form of the workbench says, read into the JSON of the part it edits.

Fields are named within their part: ``when/all/1:fact``, ``when/all/1:0:value``. The structure is in the
form itself, so that a part is read whole, whatever has become of the draft meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from admin import measures
from admin.workbench.world import World
from ledger.columns import Column, Kind
from rules import limits
from rules.conditions import LISTS, NULL_TESTS, Op
from rules.editing import GROUPS
from rules.policies import ATTACHMENTS, CHANNELS, TIMINGS, Parameter

FIXED = "value"  # of a choice: what is written in the field beside it
YES, NO = "const:true", "const:false"
BEFORE, AFTER = "before", "after"  # the due date


@dataclass
class Reading:
    """One form being read.

    Args:
        given: the fields.
        wrong: by field, what cannot be read; filled while reading.
    """

    given: Mapping[str, str]
    world: World
    wrong: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A field, trimmed."""
        return self.given.get(name, "").strip()

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name) == "yes"

    # --- parts -----------------------------------------------------------------------

    def rule(self, now: Any) -> dict[str, Any]:
        """A rule: its condition, effects and words."""
        then: dict[str, Any] = self.then()
        for name in ("exclusion", "final"):
            self._keep(then, now.get("then", {}), name, self.ticked(name), False)
        rule: dict[str, Any] = {"key": self.text("key"), "when": self.condition("when"), "then": then}
        self._words(rule, "label", "because")
        priority = self.number("priority", Kind.COUNT, empty=True)
        if priority is not None:
            rule["priority"] = priority
        self._keep(rule, now, "on_unknown", "refer" if self.ticked("refer") else "no", "no")
        return rule

    def then(self) -> dict[str, Any]:
        """The effects of a rule, outcome by outcome; those not set are left out."""
        columns = {column.name: column for column in self.world.outcomes()}
        asked = [name for name in columns if self.text(f"then/{name}:form") not in {"", "none"}]
        return {name: self.effect(f"then/{name}", columns[name]) for name in asked}

    def otherwise(self, _now: Any) -> dict[str, Any]:
        """What holds when no rule does."""
        return self._words({"then": self.then()}, "because")

    def head(self, now: Any) -> dict[str, Any]:
        """What a policy is as a whole: its words, how rules are weighed, whom and when it is for."""
        changed = dict(now)
        changed |= {name: self.text(name) for name in ("name", "source", "because", "hit")}
        self._keep(changed, now, "subject", self.text("subject") or "customer", "customer")
        self._keep(changed, now, "entity", self.text("entity") or None, None)
        effective: dict[str, Any] = {"from": self.text("from")}
        self._keep(effective, now.get("effective", {}), "until", self.text("until") or None, None)
        return {**changed, "effective": effective}

    def bands(self, _now: Any) -> list[dict[str, Any]]:
        """The classes of a scorecard; a row without a class is left out."""
        found = []
        for index in range(limits.BANDS + 1):
            if not self.text(f"{index}:risk_class"):
                continue
            band: dict[str, Any] = {"risk_class": self.text(f"{index}:risk_class")}
            up_to = self.number(f"{index}:up_to", Kind.COUNT, empty=True)
            found.append(band if up_to is None else {**band, "up_to": up_to})
        return found

    def terms(self, now: Any) -> dict[str, Any]:
        """The terms of an escalation beside its steps."""
        changed = {name: value for name, value in now.items() if name != "unless"}
        for name, kind in (("tolerance", Kind.MONEY), ("minimum", Kind.MONEY), ("minimum_days", Kind.DAYS)):
            changed[name] = self.amount(name, kind)
        self._keep(changed, now, "after_leader_paid", self.text("after_leader_paid"), "resume")
        self._keep(changed, now, "catch_up", self.ticked("catch_up"), False)
        self._keep(changed, now, "scenario_by", self.text("scenario_by"), "segment")
        if "unless:is" in self.given:
            changed["unless"] = self.condition("unless")
        mapping = {word: found for word in ("steps", "levels") if (found := self._mapped(word))}
        self._keep(changed, now, "mapping", mapping, {})
        return changed

    def _mapped(self, word: str) -> dict[str, Any]:
        """Where customers go on whose step or level is gone; a row without an old one is left out."""
        found: dict[str, Any] = {}
        index = 0
        while (old := self.given.get(f"{word}/{index}:old")) is not None:
            if old.strip() and word == "levels":
                found[old.strip()] = self.number(f"{word}/{index}:new", Kind.COUNT) or 0
            elif old.strip():
                found[old.strip()] = self.text(f"{word}/{index}:new")
            index += 1
        return found

    def step(self, now: Any) -> dict[str, Any]:
        """One timed step of a scenario."""
        step: dict[str, Any] = {name: self.text(name) for name in ("key", "channel", "template")}
        step |= self.timing()
        level = self.number("level", Kind.COUNT, empty=True)
        if level is not None:
            step["level"] = level
        self._keep(step, now, "mode", self.text("mode"), "automatic")
        self._keep(step, now, "owner", self.text("owner") or "collector", "collector")
        self._keep(step, now, "blocks", self.ticked("blocks"), False)
        if otherwise := self._otherwise_channels():
            step["otherwise"] = otherwise
        if "when:is" in self.given:
            step["when"] = self.condition("when")
        self._keep(step, now, "penalties", self.ticked("penalties"), False)
        if papers := [name for name in ATTACHMENTS if self.ticked(f"attach/{name}")]:
            step["attach"] = papers
        return self._words(step, "label", "because")

    def _otherwise_channels(self) -> list[str]:
        """Channels in their order; an empty place is left out."""
        asked = [self.text(f"otherwise/{index}") for index in range(len(CHANNELS))]
        return [channel for channel in asked if channel]

    def timing(self) -> dict[str, int]:
        """When a step comes: a number of days and what it is counted from; never a sign."""
        timing, days = self.text("timing"), self.number("days", Kind.DAYS) or 0
        least = 0 if timing == "end_of_month" else 1
        if "days" not in self.wrong and days < least:
            words = _("The number of days is at least %(n)s: before or after is chosen beside it.", n=least)
            self.wrong["days"] = words
        name = timing if timing in TIMINGS else TIMINGS[0]
        return {name: -days if timing == BEFORE else days}

    def case(self, now: Any) -> dict[str, Any]:
        """An example: facts in, outcomes expected, parameters held fixed."""
        named = self._named("facts"), self._named("expect"), self._named("parameters")
        facts = {name: self.stated(f"facts/{name}", self.world.column(name)) for name in named[0]}
        expect = {
            name: self.stated(f"expect/{name}", self.world.column(name))
            for name in named[1]
            if self.text(f"expect/{name}:as") != "none"
        }
        case: dict[str, Any] = {"name": self.text("name"), "facts": facts}
        if expect or "expect" in now:
            case["expect"] = expect
        if self.text("rule"):
            case["rule"] = self.text("rule")
        self._keep(case, now, "undecided", self.ticked("undecided"), False)
        known, before = self.world.parameters, now.get("parameters", {})
        fixed = {name: self.stated(f"parameters/{name}", column_of(known[name])) for name in named[2] if name in known}
        fixed |= {name: before[name] for name in named[2] if name not in known and name in before}
        if fixed or "parameters" in now:
            case["parameters"] = fixed
        return case

    def stated(self, name: str, column: Column) -> Any:
        """A value of a case, which may be unknown."""
        return (
            None
            if self.text(f"{name}:as") == "null"
            else self.chosen(name, lambda: self.value(f"{name}:value", column))
        )

    def _named(self, head: str) -> list[str]:
        """What a case names, in the order of the form."""
        fields = (name for name in self.given if name.startswith(f"{head}/") and name.endswith(":as"))
        return [name[len(head) + 1 : -len(":as")] for name in fields]

    def _words(self, part: dict[str, Any], *names: str) -> dict[str, Any]:
        part |= {name: self.text(name) for name in names if self.text(name)}
        return part

    def _keep(self, part: dict[str, Any], now: Mapping[str, Any], name: str, value: Any, usual: Any) -> None:
        """Write what is not the usual; the usual only where it was written before."""
        if value != usual or name in now:
            part[name] = value

    # --- conditions ------------------------------------------------------------------

    def condition(self, name: str, depth: int = 0) -> Any:
        """A test or a group of them."""
        word = self.text(f"{name}:is")
        if depth > limits.DOCUMENT_DEPTH // 2:
            self.wrong[f"{name}:is"] = _("This is nested too deeply.")
            return []
        if word in GROUPS:
            return {word: self._numbered(f"{name}/{word}", lambda below: self.condition(below, depth + 1))}
        if word == "not":
            return {"not": self.condition(f"{name}/not", depth + 1)}
        return self.test(name)

    def _numbered(self, name: str, read: Callable[[str], Any], mark: str = "is") -> list[Any]:
        found: list[Any] = []
        while f"{name}/{len(found)}:{mark}" in self.given:
            found.append(read(f"{name}/{len(found)}"))
        return found

    def test(self, name: str) -> list[Any]:
        """One test: fact, operator and as many values as it takes."""
        fact, op = self.text(f"{name}:fact"), self.text(f"{name}:op")
        column = self.world.column(fact)
        if not fact or op not in set(Op):
            self.wrong[f"{name}:op"] = _("Choose a fact and a comparison.")
            return [fact, Op.EQ.value, ""]
        if op in NULL_TESTS:
            return [fact, op]
        if op == Op.BETWEEN:
            return [fact, op, [self.operand(f"{name}:{index}", column) for index in (0, 1)]]
        if op in LISTS:
            return [fact, op, self._values(name, column)]
        return [fact, op, self.operand(f"{name}:0", column)]

    def _values(self, name: str, column: Column) -> list[Any]:
        found, index = [], 0
        while (choice := self.given.get(f"{name}:{index}:as")) is not None:
            if choice != FIXED or self.text(f"{name}:{index}:value"):
                found.append(self.operand(f"{name}:{index}", column))
            index += 1
        if not found:
            self.wrong[f"{name}:0:value"] = _("Give at least one value.")
        return found

    def operand(self, name: str, column: Column) -> Any:
        """What a fact is compared with: a value, a parameter or another fact."""
        return self.chosen(name, lambda: self.value(f"{name}:value", column))

    def chosen(self, name: str, fixed: Callable[[], Any]) -> Any:
        """What a choice names, or the fixed value beside it."""
        choice = self.text(f"{name}:as")
        word, colon, rest = choice.partition(":")
        if colon and word in {"param", "fact"}:
            return {word: rest}
        if choice in {YES, NO}:
            return choice == YES
        if colon and word == "code":
            return rest
        return fixed()

    # --- effects ---------------------------------------------------------------------

    def effect(self, name: str, column: Column, depth: int = 0) -> Any:
        """What an outcome becomes."""
        form = self.text(f"{name}:form")
        if depth > limits.EFFECT_DEPTH:
            self.wrong[f"{name}:form"] = _("This is nested too deeply.")
            return 0
        if form == "nothing":
            return None
        if form in {"param", "fact"}:
            return {form: self.text(f"{name}:{form}")}
        if form in {"percent_of", "round_down"}:
            kind = Kind.RATIO if form == "percent_of" else column.kind
            part = self.effect(f"{name}/{form}/0", column, depth + 1)
            return {form: [part, self.amount(f"{name}/{form}/1", kind)]}
        if form in {"min", "max"}:
            parts = self._numbered(f"{name}/{form}", lambda below: self.effect(below, column, depth + 1), "form")
            return {form: parts}
        return self.chosen(name, lambda: self.value(f"{name}:value", column))

    def amount(self, name: str, kind: Kind) -> Any:
        """A number or a parameter."""
        return self.chosen(name, lambda: self.number(f"{name}:value", kind) or 0)

    # --- values ----------------------------------------------------------------------

    def value(self, name: str, column: Column) -> Any:
        """A fixed value of a column's kind, as the reader writes it."""
        if column.kind is Kind.BOOL:
            return self.text(name) == "yes"
        if column.unit is not None:
            return self.number(name, column.kind) or 0
        if not self.text(name):
            self.wrong[name] = _("Give a value.")
        return self.text(name)

    def number(self, name: str, kind: Kind, *, empty: bool = False) -> int | None:
        """A number with or without its unit; None when it cannot be read, or is left empty where that is allowed."""
        text = self.text(name)
        if empty and not text:
            return None
        found = measures.read_number(text, kind, self.world.currency)
        if found is None:
            example = measures.example_of(kind, self.world.currency)
            self.wrong[name] = _("This cannot be read: write a number such as %(n)s.", n=example)
        return found


def column_of(parameter: Parameter) -> Column:
    """A parameter's kind as a declaration."""
    return Column(name=parameter.name, kind=parameter.kind, label=parameter.label, meaning=parameter.meaning)
