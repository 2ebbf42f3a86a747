"""Misfits: what keeps a value from being a document, in words, with the place as a JSON pointer."""

import json
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any as Json

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from ledger.problems import Problem
from rules import limits
from rules.schema import schema

PROBLEMS_SHOWN = 50
DOCUMENTS_KEPT = 32  # of which it is known whether they fit: looking takes ten milliseconds each


def _is_integer(_checker: Json, value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # 1.0 is an integer elsewhere, never here


@cache
def _validator(kind: str) -> Draft202012Validator:
    strict = extend(
        Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    )
    whole = schema()
    found: Draft202012Validator = strict(
        {"$ref": f"#/$defs/{kind}", "$defs": whole["$defs"]}, format_checker=FormatChecker(formats=["date"])
    )
    return found


def shape_problems(document: Json, kind: str) -> list[Problem]:
    """What keeps a value from being a document of a kind (``policy``, ``parameters``, ``regime``, ...)."""
    return plain_problems(document) or list(_misfits(json.dumps(document, default=dict), kind))


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _misfits(text: str, kind: str) -> tuple[Problem, ...]:
    """What of plain JSON does not fit; kept, since documents are read far more often than they change."""
    problems = []
    for error in _validator(kind).iter_errors(json.loads(text)):
        problems.append(_problem(error))
        if len(problems) >= PROBLEMS_SHOWN:
            break
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.place, problem.what)))


def plain_problems(document: Json) -> list[Problem]:
    """Whether this is plain JSON of bounded size: no float, no odd text, no endless nesting."""
    problems: list[Problem] = []
    waiting: list[tuple[Json, str, int]] = [(document, "", 0)]
    seen = 0
    while waiting and len(problems) < PROBLEMS_SHOWN:
        value, place, depth = waiting.pop()
        seen += 1
        if depth > limits.DOCUMENT_DEPTH:
            return [_over(place, "document_depth", "nesting")]
        if seen > limits.DOCUMENT_NODES:
            return [_over(place, "document_nodes", "values in all")]
        if isinstance(value, Mapping):
            for key, part in value.items():
                if not isinstance(key, str) or _odd_text(key):
                    problems.append(Problem(place, f"the key {key!r:.80} is not plain text", "rename it"))
                waiting.append((part, f"{place}/{_escaped(str(key))}", depth + 1))
        elif isinstance(value, list | tuple):
            waiting.extend((part, f"{place}/{index}", depth + 1) for index, part in enumerate(value))
        elif isinstance(value, str):
            odd = _odd_text(value)
            if odd:
                problems.append(Problem(place, f"the text {value!r:.80} {odd}", "type it again, without that"))
        elif isinstance(value, float):
            problems.append(
                Problem(place, f"{value!r} is not an integer", "give minor units, basis points or days as integers")
            )
        elif value is not None and not isinstance(value, bool | int):
            problems.append(Problem(place, f"a {type(value).__name__} is not JSON", "give text, integers, true, false"))
    return problems


def _odd_text(text: str) -> str:
    if text != text.strip():
        return "begins or ends with a space"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in the normal form NFC"
    if any(unicodedata.category(mark) in ("Cc", "Cs") and mark != "\n" for mark in text):
        return "holds a control character"
    return ""


def _over(place: str, name: str, noun: str) -> Problem:
    return Problem(place, f"too much {noun}: the limit {name} is {limits.LIMITS[name]}", "make the document smaller")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{_escaped(str(part))}" for part in error.absolute_path)


def _problem(error: ValidationError) -> Problem:
    place = _pointer(error)
    bound = error.validator_value
    value = f"{error.instance!r:.80}"
    match error.validator:
        case "required":
            missing = next((name for name in bound if error.message.startswith(repr(name))), bound[0])
            return Problem(place, f"the key {missing!r} is missing", "add it")
        case "additionalProperties":
            known = error.schema.get("properties", {})
            unknown = next(iter(sorted(set(error.instance) - set(known))), "")
            return Problem(place, f"unknown key {unknown!r}", f"use one of {', '.join(known)}")
        case "type":
            wanted = bound if isinstance(bound, str) else " or ".join(bound)
            return Problem(place, f"{value} is not of type {wanted}", f"give a value of type {wanted}")
        case "enum" | "const":
            allowed = bound if isinstance(bound, list) else [bound]
            return Problem(place, f"{value} is not allowed", f"use {', '.join(json.dumps(one) for one in allowed)}")
        case "maxItems" | "maxLength" | "maxProperties" | "maximum":
            name = error.schema.get("title")
            limit = f", the limit {name}" if name in limits.LIMITS else ""
            return Problem(place, f"more than {bound}{limit}", f"keep it to at most {bound}")
        case "minItems" | "minLength" | "minProperties" | "minimum":
            return Problem(place, f"less than {bound}", f"give at least {bound}")
        case "pattern" | "format":
            return Problem(place, f"{value} has not the right form", f"match {bound}")
        case "not" if bound == {}:
            return Problem(place, "this key does not belong to a policy of this stage", "remove it")
        case _:
            return Problem(place, f"{value} is not allowed here", "see docs/policies.md")
