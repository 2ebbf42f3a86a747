"""Reading a decision table: rows of cells back into the policy they say.

What a table does not show (cases, source, dates, hit policy, classes) and the order of tests
inside a rule are kept from the document the table was made from.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any as Json

from ledger.canonical import canonical
from ledger.columns import Kind
from ledger.problems import Problem
from rules.cell_words import Tongue, Unreadable
from rules.condition_cells import fact_of, normal, read_cell, terms_of
from rules.documents import MODIFIERS
from rules.effect_cells import read_effect
from rules.figures import read_figure
from rules.limits import RULES_PER_POLICY
from rules.misfits import shape_problems
from rules.tables import FACT, OTHERWISE, PLACE, TEXT_FIELDS, THEN, Line, Rule, TableColumn, cell_at, unknown_words

CELL_LENGTH_MAX = 60_000  # a list of 500 codes of 100 marks each
Where = Callable[[int, TableColumn | None], str]


def document_of(
    lines: Sequence[Line], columns: Sequence[TableColumn], base: Rule, tongue: Tongue, where: Where | None = None
) -> tuple[dict[str, Json] | None, list[Problem]]:
    """The policy that a table says.

    Args:
        lines: rules in order, ``otherwise`` last.
        columns: those that were there; what another column would say stays as the base has it.
        base: the document the table was made from.
        where: names the place of a line's cell, or (None) of the line.

    Returns:
        The document, or None and every problem. Each names its cell: ``place`` as ``where``
        says it, ``line`` the index of the line, ``column`` the key of the column.
    """
    reader = _Reader(tuple(columns), base, tongue, where or _counted)
    rules = [reader.rule(index, line) for index, line in enumerate(lines[:-1])]
    otherwise = reader.otherwise(len(lines) - 1, lines[-1])
    if len(rules) > RULES_PER_POLICY:
        what = reader.say("a policy has at most %(count)s rules") % {"count": RULES_PER_POLICY}
        reader.problems.append(Problem(reader.where(RULES_PER_POLICY, None), what, reader.say("split the policy")))
    if reader.problems:
        return None, reader.problems
    document = {**base, "rules": rules, "otherwise": otherwise}
    problems = [reader.placed(problem, len(rules)) for problem in shape_problems(document, "policy")]
    problems += reader.repeated(rules)
    return (None, problems) if problems else (document, [])


def _counted(index: int, column: TableColumn | None) -> str:
    return f"row {index + 1}" + ("" if column is None else f", column {column.title}")


@dataclass
class _Reader:
    """Reads the lines of one table, and collects what is wrong with them."""

    columns: tuple[TableColumn, ...]
    base: Rule
    tongue: Tongue
    where: Where
    problems: list[Problem] = field(default_factory=list)

    def say(self, message: str) -> str:
        """A message in the reader's language."""
        return self.tongue.voice.say(message)

    def rule(self, index: int, line: Line) -> dict[str, Json]:
        """One rule, as far as it can be read."""
        old = self._origin(line)
        found: dict[str, Json] = dict(old)
        for column in self.columns:
            if column.key in ("key", *TEXT_FIELDS, "priority", "on_unknown"):
                self._put(found, column, self._setting(index, line, column))
        found["then"] = self._then(index, line, old.get("then", {}))
        terms = self._terms(index, line)
        if terms is not None:
            if not terms and not self._kept_terms(old):
                what = self.say("no cell asks of a fact")
                self._wrong(index, None, what, self.say("write a condition under at least one fact"))
            found["when"] = _joined(old.get("when"), terms, {c.key.removeprefix(FACT) for c in self._fact_columns()})
        return found

    def otherwise(self, index: int, line: Line) -> dict[str, Json]:
        """What holds when no rule matches."""
        found = dict(self.base["otherwise"])
        for column in self.columns:
            if column.key in ("because",):
                self._put(found, column, self._setting(index, line, column))
            elif not column.key.startswith(THEN) and column.key not in MODIFIERS and self._foreign(line, column):
                what = self.say("the last row says what else holds; nothing stands here")
                self._wrong(index, column, what, self.say("empty the cell"))
        return {**found, "then": self._then(index, line, found["then"])}

    def repeated(self, rules: Sequence[Rule]) -> list[Problem]:
        """Keys that several rows have."""
        seen: dict[str, int] = {}
        found = []
        for index, rule in enumerate(rules):
            if seen.setdefault(rule["key"], index) != index:
                first = self.where(seen[rule["key"]], None)
                what = self.say("the key “%(key)s” already names %(row)s") % {"key": rule["key"], "row": first}
                place = self.where(index, self._column("key"))
                found.append(Problem(place, what, self.say("give each its own"), line=index))
        return found

    def placed(self, problem: Problem, otherwise: int) -> Problem:
        """A problem of the document, named by its cell."""
        index, key = cell_at(problem.place, {**self.base, "rules": []})
        column = self._column(key)
        line = otherwise if index is None and problem.place.startswith(OTHERWISE) else index
        if line is None:
            return problem
        return replace(problem, place=self.where(line, column), line=line, column=key)

    def _foreign(self, line: Line, column: TableColumn) -> bool:
        return column.key not in ("key", "label") and bool(line.text(column.key).strip())

    def _column(self, key: str | None) -> TableColumn | None:
        return next((column for column in self.columns if column.key == key), None)

    def _fact_columns(self) -> list[TableColumn]:
        return [column for column in self.columns if column.key.startswith(FACT)]

    def _wrong(self, index: int, column: TableColumn | None, what: str, cure: str) -> None:
        place = self.where(index, column)
        self.problems.append(Problem(place, what, cure, line=index, column=None if column is None else column.key))

    def _origin(self, line: Line) -> Rule:
        match = PLACE.match(line.origin or "")
        rules = self.base["rules"]
        return rules[int(match.group(1))] if match and int(match.group(1)) < len(rules) else {}

    def _kept_terms(self, old: Rule) -> bool:
        """Whether the rule asks of facts that have no column here."""
        shown = {column.key.removeprefix(FACT) for column in self._fact_columns()}
        return bool(old) and any(fact_of(term) not in shown for term in terms_of(old["when"]) or ())

    @staticmethod
    def _put(found: dict[str, Json], column: TableColumn, value: Json | None) -> None:
        if value is None:
            found.pop(column.key, None)
        else:
            found[column.key] = value

    def _setting(self, index: int, line: Line, column: TableColumn) -> Json | None:
        text = unicodedata.normalize("NFC", line.text(column.key)).strip()
        if not text:
            if column.key == "key":
                cure = self.say("name the rule with letters, digits and hyphens")
                self._wrong(index, column, self.say("the key is missing"), cure)
            return None
        if column.key == "priority":
            priority = read_figure(text, Kind.COUNT, self.tongue.voice)
            if priority is None:
                what = self.say("“%(text)s” is no whole number") % {"text": text}
                self._wrong(index, column, what, self.say("write a number such as %(value)s") % {"value": 10})
            return priority
        if column.key == "on_unknown":
            words = unknown_words(self.tongue)
            found = next((word for word, said in words.items() if text.casefold() in (said.casefold(), word)), None)
            if found is None:
                what = self.say("“%(text)s” is not one of its values") % {"text": text}
                choices = f" {self.tongue.word('or')} ".join(words.values())
                self._wrong(index, column, what, self.say("write %(value)s") % {"value": choices})
            return found
        return text

    def _then(self, index: int, line: Line, old: Rule) -> dict[str, Json]:
        then = dict(old)
        for column in self.columns:
            name = column.key.removeprefix(THEN)
            if not column.key.startswith(THEN) and column.key not in MODIFIERS:
                continue
            text = line.text(column.key).strip()
            then.pop(name, None)
            if not text:
                continue
            try:
                if column.declared is None:
                    then[name] = self.tongue.read_value(text, Kind.BOOL)
                else:
                    then[name] = read_effect(self._bounded(text), column.declared, self.tongue)
            except Unreadable as error:
                self._wrong(index, column, error.what, error.cure)
        return then

    def _terms(self, index: int, line: Line) -> dict[str, list[Json]] | None:
        """The terms of each fact's cell; None when one of them cannot be read."""
        found: dict[str, list[Json]] = {}
        before = len(self.problems)
        for column in self._fact_columns():
            if column.declared is None:
                continue
            try:
                terms = read_cell(self._bounded(line.text(column.key)), column.declared, self.tongue)
            except Unreadable as error:
                self._wrong(index, column, error.what, error.cure)
                continue
            if terms:
                found[column.declared.name] = terms
        return found if len(self.problems) == before else None

    def _bounded(self, text: str) -> str:
        if len(text) > CELL_LENGTH_MAX:
            what = self.say("the cell is longer than %(count)s marks") % {"count": CELL_LENGTH_MAX}
            raise Unreadable(what, self.say("split the rule"))
        return text


def _joined(when: Json | None, terms: Mapping[str, Sequence[Json]], shown: set[str]) -> Json:
    """A condition with new terms, in the order and form it had where nothing else was said."""
    waiting = {name: list(own) for name, own in terms.items()}
    found: list[Json] = []
    for term in [] if when is None else terms_of(when) or ():
        name = str(fact_of(term))
        if name not in shown:
            found.append(term)
        elif waiting.get(name):
            new = waiting[name].pop(0)
            found.append(term if canonical(normal(term)) == canonical(new) else new)
    found += [term for rest in waiting.values() for term in rest]
    grouped = isinstance(when, Mapping) and "all" in when
    return found[0] if len(found) == 1 and not grouped else {"all": found}
