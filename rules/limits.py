"""Limits of policy documents: each has a name, and the message of a refusal tells it."""

RULES_PER_POLICY = 500
TESTS_PER_RULE = 60
CONDITION_DEPTH = 8
VALUES_PER_LIST = 500
EFFECT_DEPTH = 4
PATHS_PER_RULE = 32  # conjunctive paths that one rule may expand into for durable-rules
TEXT_LENGTH = 2_000
CODE_LENGTH = 100
CASES_PER_POLICY = 200
STEPS_PER_SCENARIO = 30
SCENARIOS = 50
BANDS = 50
COUNTRIES = 250
PROVISIONS = 20
RATES = 500
PARAMETERS = 500
VALUES_PER_PARAMETER = 500
DERIVED_FACTS = 200
FORMULA_DEPTH = 8
FORMULA_PARTS = 60
DOCUMENT_DEPTH = 40  # nesting of the JSON itself
DOCUMENT_NODES = 200_000
PRIORITY = 1_000_000
INTEGER = 2**53 - 1  # exact in every JSON reader; far above every money bound

LIMITS = {name.lower(): value for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)}
