"""The shape of documents: a JSON Schema, built here from the operators and limits.

``rules/documents/schema.json`` is this schema as a file, for editors; a test holds the two
equal. ``rules.misfits`` says in words what does not fit.
"""

from typing import Any as Json

from ledger.columns import UNITS, Kind
from rules import limits
from rules.conditions import LISTS, NULL_TESTS, Op
from rules.policies import ATTACHMENTS, CHANNELS, WORK_CHANNELS
from rules.stages import HIT_POLICIES, STAGE_NAMES

FORMAT = 1
ROUNDINGS = ("down", "up", "half_even")
NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}
KEY = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
TEXT = {"type": "string", "minLength": 1, "maxLength": limits.TEXT_LENGTH, "title": "text_length"}
CODE = {"type": "string", "minLength": 1, "maxLength": limits.CODE_LENGTH, "title": "code_length"}
INTEGER = {"type": "integer", "minimum": -limits.INTEGER, "maximum": limits.INTEGER}
DATE = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "format": "date"}
PERCENT = {"type": "string", "pattern": "^-?[0-9]{1,2}[.][0-9]{2}$"}
SCALAR = {
    "type": ["integer", "boolean", "string"],
    "maxLength": limits.CODE_LENGTH,
    "title": "code_length",
    **{bound: INTEGER[bound] for bound in ("minimum", "maximum")},
}
SCALAR_OR_NULL = {**SCALAR, "type": ["integer", "boolean", "string", "null"]}


def _record(required: dict[str, Json], optional: dict[str, Json] | None = None) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _either(reference: dict[str, Json], plain: dict[str, Json]) -> dict[str, Json]:
    """An object of one form, or else a plain value: precise errors, unlike anyOf."""
    return {"if": {"type": "object"}, "then": reference, "else": plain}


NOTHING: dict[str, Json] = {"not": {}}  # a schema that no value fits


def _one_key(properties: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _list(item: dict[str, Json], least: int, most: int | str) -> dict[str, Json]:
    """A list of at most so many items, or of at most as many as a limit of that name says."""
    title = {"title": most} if isinstance(most, str) else {}
    bound = limits.LIMITS[most] if isinstance(most, str) else most
    return {"type": "array", "maxItems": bound, "minItems": least, "items": item, **title}


def _ref(name: str) -> dict[str, Json]:
    return {"$ref": f"#/$defs/{name}"}


def _asks(ops: frozenset[Op] | set[Op], then: dict[str, Json]) -> dict[str, Json]:
    """What a test must look like when its operator is one of some."""
    return {"if": {"prefixItems": [True, {"enum": sorted(op.value for op in ops)}]}, "then": then}


def _test() -> dict[str, Json]:
    comparisons = set(Op) - LISTS - NULL_TESTS - {Op.BETWEEN}
    values = _either(_ref("parameter"), SCALAR)
    return {
        "type": "array",
        "prefixItems": [NAME, {"enum": [op.value for op in Op]}],
        "minItems": 2,
        "maxItems": 3,
        "allOf": [
            _asks(NULL_TESTS, {"maxItems": 2}),
            _asks(set(Op) - NULL_TESTS, {"minItems": 3}),
            _asks(comparisons, {"prefixItems": [True, True, _either(_ref("operand"), SCALAR)]}),
            _asks(set(LISTS), {"prefixItems": [True, True, _list(values, 1, "values_per_list")]}),
            _asks({Op.BETWEEN}, {"prefixItems": [True, True, _list(_either(_ref("parameter"), INTEGER), 2, 2)]}),
        ],
    }


def _definitions() -> dict[str, Json]:
    parts = _list(_ref("condition"), 1, "tests_per_rule")
    effects = _list(_ref("effect"), 1, 20)
    share = _list(_ref("effect"), 2, 2)
    amount = _either(_ref("parameter"), INTEGER)
    then = {
        "type": "object",
        "propertyNames": NAME,
        "additionalProperties": _ref("effect"),
        "properties": {"exclusion": {"type": "boolean"}, "final": {"type": "boolean"}},
        "maxProperties": 10,
    }
    return {
        "parameter": _record({"param": NAME}),
        "operand": _one_key({"param": NAME, "fact": NAME}),
        "test": _test(),
        "condition": {
            "type": ["object", "array"],
            "if": {"type": "array"},
            "then": _ref("test"),
            "else": _one_key({"all": parts, "any": parts, "not": _ref("condition")}),
        },
        "effect": _either(
            _one_key(
                {
                    "param": NAME,
                    "fact": NAME,
                    "percent_of": {**share, "prefixItems": [_ref("effect"), amount]},
                    "round_down": {**share, "prefixItems": [_ref("effect"), amount]},
                    "min": effects,
                    "max": effects,
                }
            ),
            SCALAR_OR_NULL,
        ),
        "formula": _formula(),
        "then": then,
        "rule": _record(
            {"key": KEY, "when": _ref("condition"), "then": _ref("then")},
            {
                "label": TEXT,
                "because": TEXT,
                "priority": {**INTEGER, "minimum": -limits.PRIORITY, "maximum": limits.PRIORITY, "title": "priority"},
                "on_unknown": {"enum": ["no", "refer"]},
            },
        ),
        "case": _record(
            {"name": TEXT, "facts": {"type": "object", "propertyNames": NAME, "additionalProperties": SCALAR_OR_NULL}},
            {
                "expect": {"type": "object", "propertyNames": NAME, "additionalProperties": SCALAR_OR_NULL},
                "rule": KEY,
                "undecided": {"type": "boolean"},
                "parameters": {"type": "object", "propertyNames": NAME, "additionalProperties": SCALAR},
            },
        ),
        "escalation": _record(
            {
                "tolerance": amount,
                "minimum": amount,
                "minimum_days": amount,
                "scenarios": {
                    "type": "object",
                    "additionalProperties": _list(_step(), 0, "steps_per_scenario"),
                    "required": ["standard"],
                    "maxProperties": limits.SCENARIOS,
                    "title": "scenarios",
                },
            },
            {
                "after_leader_paid": {"enum": ["resume", "restart"]},
                "catch_up": {"type": "boolean"},
                "scenario_by": NAME,
                "unless": _ref("condition"),
                "mapping": _record(
                    {},
                    {
                        "steps": {"type": "object", "propertyNames": KEY, "additionalProperties": KEY},
                        "levels": {
                            "type": "object",
                            "propertyNames": {"type": "string", "pattern": "^[1-9][0-9]?$", "title": "level"},
                            "additionalProperties": {**INTEGER, "minimum": 0, "maximum": 99},
                        },
                    },
                ),
            },
        ),
    }


def _step() -> dict[str, Json]:
    """A step of a scenario; that it has exactly one of ``TIMINGS`` is asked where it is read."""
    channel = {"enum": list(CHANNELS)}
    return _record(
        {"key": KEY, "channel": channel, "template": CODE},
        {
            "days": {**INTEGER, "not": {"const": 0}, "minimum": -365, "maximum": 3650},
            "end_of_month": {**INTEGER, "minimum": 0, "maximum": 3650},
            "after_previous": {**INTEGER, "minimum": 1, "maximum": 3650},
            "level": {**INTEGER, "minimum": 0, "maximum": 99},
            "mode": {"enum": ["automatic", "confirm"]},
            "owner": CODE,
            "blocks": {"type": "boolean"},
            "otherwise": _list({"enum": [one for one in CHANNELS if one not in WORK_CHANNELS]}, 1, len(CHANNELS)),
            "when": _ref("condition"),
            "penalties": {"type": "boolean"},
            "attach": _list({"enum": list(ATTACHMENTS)}, 1, len(ATTACHMENTS)),
            "label": TEXT,
            "because": TEXT,
        },
    )


def _formula() -> dict[str, Json]:
    """A whole number, one operation over formulas, or a choice."""
    inner = _ref("formula")
    pair = _list(inner, 2, 2)
    some = {"type": "array", "minItems": 1, "maxItems": limits.FORMULA_PARTS, "items": inner, "title": "formula_parts"}
    operations = _one_key(
        {
            "fact": NAME,
            "param": NAME,
            **dict.fromkeys(("money", "ratio", "days"), INTEGER),
            **dict.fromkeys(("add", "min", "max", "coalesce"), some),
            **dict.fromkeys(("subtract", "multiply", "divide", "days_between"), pair),
            "abs": inner,
            "clip": _list(inner, 3, 3),
        }
    )
    choice = _record({"if": _ref("condition"), "then": inner, "else": inner})
    return _either({"if": {"required": ["if"]}, "then": choice, "else": operations}, INTEGER)


def _policy() -> dict[str, Json]:
    rules = _list(_ref("rule"), 0, "rules_per_policy")
    policy = _record(
        {
            "format": {"const": FORMAT},
            "kind": {"const": "policy"},
            "key": KEY,
            "name": TEXT,
            "stage": {"enum": list(STAGE_NAMES)},
            "effective": _record({"from": DATE}, {"until": _nullable(DATE)}),
            "source": TEXT,
            "because": TEXT,
            "hit": {"enum": list(HIT_POLICIES)},
            "otherwise": _record({"then": _ref("then")}, {"because": TEXT}),
        },
        {
            "subject": {"enum": ["customer", "invoice"]},
            "entity": _nullable(CODE),
            "rules": rules,
            "cases": _list(_ref("case"), 0, "cases_per_policy"),
            "bands": _list(_record({"risk_class": CODE}, {"up_to": INTEGER}), 1, "bands"),
            "escalation": _ref("escalation"),
        },
    )
    needs = [("scorecard", ["bands", "rules"], ["escalation"]), ("escalation", ["escalation"], ["bands", "rules"])]
    others = [name for name in STAGE_NAMES if name not in ("scorecard", "escalation")]
    forms = [
        {
            "if": {"properties": {"stage": {"enum": stages}}, "required": ["stage"]},
            "then": {"required": wanted, "properties": {key: dict(NOTHING) for key in refused}},
        }
        for stages, wanted, refused in [
            *(([name], wanted, refused) for name, wanted, refused in needs),
            (others, ["rules"], ["bands", "escalation"]),
        ]
    ]
    return {**policy, "allOf": forms}


def _nullable(form: dict[str, Json]) -> dict[str, Json]:
    return {"if": {"type": "null"}, "then": True, "else": form}


def _parameters() -> dict[str, Json]:
    currency = {"type": "string", "pattern": "^[A-Z]{3}$"}
    value = _record({"from": DATE, "value": SCALAR}, {"segment": _nullable(CODE), "currency": _nullable(currency)})
    parameter = _record(
        {
            "name": NAME,
            "kind": {"enum": [kind.value for kind in Kind if kind is not Kind.ENUM]},
            "label": TEXT,
            "meaning": TEXT,
            "values": _list(value, 1, "values_per_parameter"),
        },
        {"low": INTEGER, "high": INTEGER},
    )
    return _record(
        {
            "format": {"const": FORMAT},
            "kind": {"const": "parameters"},
            "key": KEY,
            "source": TEXT,
            "parameters": _list(parameter, 0, "parameters"),
        },
        {"entity": _nullable(CODE), "name": TEXT, "because": TEXT},
    )


def _derived_facts() -> dict[str, Json]:
    fact = _record(
        {
            "name": NAME,
            "kind": {"enum": [kind.value for kind in UNITS]},
            "label": TEXT,
            "meaning": TEXT,
            "formula": _ref("formula"),
            "rounding": {"enum": list(ROUNDINGS)},
        },
        {"low": INTEGER, "high": INTEGER},
    )
    return _record(
        {
            "format": {"const": FORMAT},
            "kind": {"const": "derived_facts"},
            "key": KEY,
            "source": TEXT,
            "facts": _list(fact, 0, "derived_facts"),
        },
        {"entity": _nullable(CODE), "name": TEXT, "because": TEXT},
    )


def _regime() -> dict[str, Json]:
    countries = _list({"type": "string", "pattern": "^[A-Z]{2}$"}, 0, "countries")
    amount = {"type": "string", "pattern": r"^[0-9]{1,9}([.][0-9]{1,3})?$"}
    band = _record({"amount": amount}, {"below": amount, "up_to": amount})
    currency = {"type": "string", "pattern": "^[A-Z]{3}$"}
    fixed = _record({"currency": currency, "per": {"enum": ["invoice", "account"]}, "bands": _list(band, 1, "bands")})
    rate = _record(
        {
            "table": KEY,
            "margin": PERCENT,
            "fixing": {"enum": ["at_default", "by_period"]},
            "day_basis": {"enum": [360, 365]},
        },
        {"fixed_on": {"enum": ["due_day", "first_late_day"]}},
    )
    return _record(
        {
            "format": {"const": FORMAT},
            "kind": {"const": "regime"},
            "key": KEY,
            "name": TEXT,
            "source": TEXT,
            "law": _list(_record({"provision": TEXT, "says": TEXT}), 1, "provisions"),
            "creditor": countries,
            "debtor": countries,
            "priority": {**INTEGER, "minimum": 0, "maximum": 99},
            "rate": rate,
            "fixed_sum": _nullable(fixed),
            "consumers": _nullable(_record({"margin": PERCENT, "fixed_sum": {"type": "boolean"}})),
        },
        {"entity": _nullable(CODE), "because": TEXT},
    )


def _rate_table() -> dict[str, Json]:
    return _record(
        {
            "format": {"const": FORMAT},
            "kind": {"const": "rate_table"},
            "key": KEY,
            "name": TEXT,
            "source": TEXT,
            "known_until": DATE,
            "rates": _list(_record({"from": DATE, "rate": PERCENT}), 1, "rates"),
        },
        {"entity": _nullable(CODE), "because": TEXT},
    )


def _is_of(kind: str) -> dict[str, Json]:
    return {"properties": {"kind": {"const": kind}}, "required": ["kind"]}


def _by_kind(kinds: tuple[str, ...]) -> dict[str, Json]:
    """One form by kind; what is of none of them is a policy."""
    form = _ref("policy")
    for kind in reversed(kinds):
        form = {"if": _is_of(kind), "then": _ref(kind), "else": form}
    return form


def schema() -> dict[str, Json]:
    """The JSON Schema of a document of any kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dunwell document: policy, parameters, derived facts, regime or rate table, format 1",
        "type": "object",
        **_by_kind(("parameters", "derived_facts", "regime", "rate_table")),
        "$defs": {
            "policy": _policy(),
            "parameters": _parameters(),
            "derived_facts": _derived_facts(),
            "regime": _regime(),
            "rate_table": _rate_table(),
            **_definitions(),
        },
    }
