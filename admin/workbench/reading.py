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

FIXED = "value"  # of a choice: what is written in the field beside it
YES, NO = "const:true", "const:false"


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

    def rule(self) -> dict[str, Any]:
        """A rule: its condition, effects and words."""
        then: dict[str, Any] = self.then()
        then |= {name: True for name in ("exclusion", "final") if self.ticked(name)}
        rule: dict[str, Any] = {"key": self.text("key"), "when": self.condition("when"), "then": then}
        rule |= {name: self.text(name) for name in ("label", "because") if self.text(name)}
        priority = self.number("priority", Kind.COUNT, empty=True)
        if priority is not None:
            rule["priority"] = priority
        if self.ticked("refer"):
            rule["on_unknown"] = "refer"
        return rule

    def then(self) -> dict[str, Any]:
        """The effects of a rule, outcome by outcome; those not set are left out."""
        columns = {column.name: column for column in self.world.outcomes()}
        asked = [name for name in columns if self.text(f"then/{name}:form") not in {"", "none"}]
        return {name: self.effect(f"then/{name}", columns[name]) for name in asked}

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
