"""Decision tables: a policy as rows and columns, printed and read back without a loss."""

import copy
import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.table_export import workbook_of
from admin.table_import import document_from, opened
from admin.tongues import tongue_of
from ledger.canonical import sha256_of
from ledger.columns import Kind
from rules.cell_words import Tongue, Unreadable
from rules.condition_cells import cell_text, read_cell, terms_of
from rules.documents import canonical, parse, parse_parameters, shipped
from rules.effect_cells import effect_text, read_effect
from rules.facts import DICTIONARY, dictionary_of, readable
from rules.figures import figure_text, read_figure
from rules.limits import INTEGER
from rules.stages import OUTCOMES, STAGE
from rules.table_reading import document_of
from rules.tables import FACT, OTHERWISE, THEN, Line, cell_at, no_table, table_of
from rules.words import Voice

SHIPPED = {document["key"]: document for document in shipped()}
PARAMETERS = {one.name: one for one in parse_parameters(SHIPPED["parameters"])[0].parameters}
GERMAN = {
    **{"and": "und", "or": "oder", "not in": "nicht in", "is unknown": "ist unbekannt", "is known": "ist bekannt"},
    **{"yes": "ja", "no": "nein", "none": "nichts", "days": "Tage"},
}
TONGUES = {
    "en": Tongue(Voice(parameters=PARAMETERS)),
    "de": Tongue(Voice(parameters=PARAMETERS, language="de", say=lambda text: GERMAN.get(text, text))),
    "fr": Tongue(Voice(parameters=PARAMETERS, language="fr", currency="JPY")),
}
TONGUE = TONGUES["en"]
TABLES = [key for key in SHIPPED if key not in ("parameters", "escalation")]


def plain_text(limit: int) -> st.SearchStrategy[str]:
    """Any text a document may hold, words and marks of the grammar among them."""
    words = st.sampled_from(
        ["and", "or", "in", "yes", "none", "A", "é", "..", ",", ";", '"', "{", "]", "(", "=", "“", "5"]
    )
    made = st.one_of(
        st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=12),
        st.lists(words, max_size=6).map(" ".join),
        st.lists(words, max_size=6).map("".join),
    )
    return made.map(lambda text: unicodedata.normalize("NFC", text).strip()[:limit].strip()).filter(bool)


INTEGERS = st.one_of(st.integers(-INTEGER, INTEGER), st.integers(-9, 120), st.sampled_from([500_000, 1250, 99, 100]))
NAMES = st.sampled_from([*PARAMETERS, "not_there"])


def constants(kind: Kind) -> st.SearchStrategy[object]:
    """Constants of a fact's kind."""
    if kind is Kind.BOOL:
        return st.booleans()
    return plain_text(60) if kind in (Kind.CODE, Kind.ENUM) else INTEGERS


@st.composite
def asked_of(draw, name: str) -> list[object]:
    """A test of any operator on a fact."""
    column = DICTIONARY[name]
    value = st.one_of(constants(column.kind), NAMES.map(lambda one: {"param": one}))
    op = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "in", "not_in", "between", "is_null", "is_not_null"]))
    if op in ("is_null", "is_not_null"):
        return [name, op]
    if op in ("in", "not_in"):
        return [name, op, draw(st.lists(value, min_size=1, max_size=3))]
    if op == "between" and column.unit is not None:
        return [name, op, draw(st.lists(value, min_size=2, max_size=2))]
    other = st.sampled_from(sorted(DICTIONARY)).map(lambda one: {"fact": one})
    return [name, "==" if op == "between" else op, draw(st.one_of(value, other))]


@st.composite
def terms(draw, stage: str) -> object:
    """A test, or alternatives on one fact."""
    name = draw(st.sampled_from(sorted(readable(stage, DICTIONARY))))
    if draw(st.integers(0, 3)):
        return draw(asked_of(name))
    return {"any": draw(st.lists(asked_of(name), min_size=1, max_size=3))}


def effects(kind: Kind) -> st.SearchStrategy[object]:
    """Effects of an outcome's kind, three levels deep."""
    plain = st.one_of(
        st.none(),
        constants(kind),
        NAMES.map(lambda one: {"param": one}),
        st.sampled_from(sorted(DICTIONARY)).map(lambda one: {"fact": one}),
    )
    if kind in (Kind.CODE, Kind.BOOL):
        return plain
    amount = st.one_of(INTEGERS, NAMES.map(lambda one: {"param": one}))
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.tuples(inner, amount).map(lambda pair: {"percent_of": list(pair)}),
            st.tuples(inner, amount).map(lambda pair: {"round_down": list(pair)}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"min": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"max": parts}),
        ),
        max_leaves=4,
    )


def chosen(draw, **optional: st.SearchStrategy[object]) -> dict[str, object]:
    """Some of several fields: what is left out stays out."""
    return {name: draw(strategy) for name, strategy in optional.items() if draw(st.booleans())}


@st.composite
def policies(draw) -> dict[str, object]:
    """A policy of plain conjunctions, sound or not."""
    stage = STAGE[draw(st.sampled_from([name for name in STAGE if name != "escalation"]))]

    def then() -> dict[str, object]:
        set_ = chosen(draw, **{name: effects(stage.outcome(name).kind) for name in stage.settable})
        return set_ | chosen(draw, exclusion=st.booleans(), final=st.booleans())

    rules = []
    for index in range(draw(st.integers(0, 4))):
        asked = draw(st.lists(terms(stage.name), min_size=1, max_size=4))
        bare = len(asked) == 1 and draw(st.booleans())
        rules.append(
            {
                "key": f"r{index}",
                "when": asked[0] if bare else {"all": asked},
                "then": then(),
                **chosen(
                    draw,
                    label=plain_text(80),
                    because=plain_text(80),
                    priority=st.integers(-5, 1_000_000),
                    on_unknown=st.sampled_from(["no", "refer"]),
                ),
            }
        )
    return {
        **{"format": 1, "kind": "policy", "key": stage.name, "name": "A", "stage": stage.name, "hit": stage.hits[0]},
        **{"effective": {"from": "2020-01-01"}, "source": "made", "because": "made", "rules": rules},
        "otherwise": {"then": then(), **chosen(draw, because=plain_text(40))},
        "cases": [{"name": "kept", "facts": {"insolvent": True}}],
        **({"bands": [{"risk_class": "A"}]} if stage.name == "scorecard" else {}),
    }


@pytest.mark.parametrize("language", TONGUES)
@pytest.mark.parametrize("key", TABLES)
def test_every_shipped_policy_but_the_scenarios_is_a_table(key, language):
    """Printed and read back it is the same, byte for byte, whatever the language."""
    document, tongue = SHIPPED[key], TONGUES[language]
    assert no_table(document, tongue) == []
    table = table_of(document, tongue)
    found, problems = document_of(table.lines, table.columns, document, tongue)
    assert problems == []
    assert canonical(found) == canonical(document)


@given(policies(), st.sampled_from(sorted(TONGUES)))
@settings(max_examples=100, deadline=None)
def test_printing_and_reading_back_gives_the_same_document(document, language):
    """Byte for byte, for every policy of plain conjunctions: the cells say all, the base only what they do not."""
    tongue = TONGUES[language]
    assert parse(document)[1] == []
    assert no_table(document, tongue) == []
    table = table_of(document, tongue)
    found, problems = document_of(table.lines, table.columns, document, tongue)
    assert problems == []
    assert canonical(found) == canonical(document)


@given(policies())
@settings(max_examples=80, deadline=None)
def test_the_cells_alone_say_every_rule(document):
    """Read without the rules they came from, all is there again but the order of tests inside a rule."""
    table = table_of(document, TONGUE)
    new = [Line(line.cells, line.origin if line.origin == OTHERWISE else None) for line in table.lines]
    empty = {**document, "rules": [], "otherwise": {"then": {}}}
    found, problems = document_of(new, table.columns, empty, TONGUE)
    assert problems == []
    assert {**found, "rules": []} == {**document, "rules": []}
    for rule, old in zip(found["rules"], document["rules"], strict=True):
        assert {**rule, "when": None} == {**old, "when": None}
        assert Counter(map(said, terms_of(rule["when"]))) == Counter(map(said, terms_of(old["when"])))


@given(policies(), st.sampled_from([("en", "EUR"), ("de", "EUR"), ("fr", "JPY")]))
@settings(max_examples=40, deadline=None)
def test_an_excel_file_says_all_of_a_table(document, reader):
    """Out and back it is the same document, byte for byte, in the console's three languages."""
    tongue = tongue_of(*reader, PARAMETERS, DICTIONARY)
    file, problems = opened(workbook_of(document, sha256_of(document), tongue), "table.xlsx")
    assert problems == []
    found, problems = document_from(file, document, sha256_of(document), tongue)
    assert problems == []
    assert canonical(found) == canonical(document)


def said(term) -> str:
    """A term in one form: any of one test is that test."""
    return json.dumps(term["any"][0] if isinstance(term, dict) and len(term["any"]) == 1 else term)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_text_in_a_cell_is_read_or_refused_with_a_cure(data):
    """Nothing a person types breaks the reader, and what it understands it can say again."""
    alphabet = st.sampled_from([*'<>=!.,;:(){}[]"“” -+*%ABce0159', " and ", " or ", "in ", "not in ", "..", "min("])
    text = data.draw(st.one_of(st.text(max_size=20), st.lists(alphabet, max_size=12).map("".join)))
    column = data.draw(st.sampled_from(list(DICTIONARY.values())))
    outcome = data.draw(st.sampled_from(list(OUTCOMES.values())))
    for read, write, asked in ((read_cell, cell_text, column), (read_effect, effect_text, outcome)):
        try:
            found = read(text, asked, TONGUE)
        except Unreadable:
            continue
        assert read(write(found, asked, TONGUE), asked, TONGUE) == found


@given(INTEGERS, st.sampled_from([Kind.MONEY, Kind.RATIO, Kind.DAYS, Kind.COUNT]), st.sampled_from(sorted(TONGUES)))
def test_every_integer_of_a_document_can_be_written_and_read(value, kind, language):
    """To the last digit, up to the largest a document may hold; nothing is rounded."""
    voice = TONGUES[language].voice
    assert read_figure(figure_text(value, kind, voice), kind, voice) == value


@pytest.mark.parametrize(
    ("fact", "text", "term"),
    [
        ("overdue_net_minor", "> 5,000.00", ["overdue_net_minor", ">", 500_000]),
        ("overdue_net_minor", ">5000 EUR", ["overdue_net_minor", ">", 500_000]),
        ("overdue_net_minor", "≥ 0.01", ["overdue_net_minor", ">=", 1]),
        ("score_bp", "12.5 %", ["score_bp", "==", 1_250]),
        ("leader_days_past_due", "30 .. 60", ["leader_days_past_due", "between", [30, 60]]),
        ("leader_days_past_due", "30...60 days", ["leader_days_past_due", "between", [30, 60]]),
        ("leader_days_past_due", "in 1; 2", ["leader_days_past_due", "in", [1, 2]]),
        ("leader_days_past_due", "IS UNKNOWN", ["leader_days_past_due", "is_null"]),
        ("tenure_days", "> {Hold from days past due}", ["tenure_days", ">", {"param": "hold_set_days"}]),
        ("leader_days_past_due", "{hold_set_days}", ["leader_days_past_due", "==", {"param": "hold_set_days"}]),
        ("exposure_minor", "> [Credit limit]", ["exposure_minor", ">", {"fact": "credit_limit_minor"}]),
        ("country", "in DE, AT", ["country", "in", ["DE", "AT"]]),
        ("country", "DE; AT", ["country", "in", ["DE", "AT"]]),
        ("country", '= "in DE"', ["country", "==", "in DE"]),
        ("country", "<> DE", ["country", "!=", "DE"]),
        ("insolvent", "yes", ["insolvent", "==", True]),
        ("insolvent", "!= no", ["insolvent", "!=", False]),
        (
            "leader_days_past_due",
            "is unknown or <= 5",
            {"any": [["leader_days_past_due", "is_null"], ["leader_days_past_due", "<=", 5]]},
        ),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_people_write_it(fact, text, term):
    """Marks, spaces, units and letter case do not matter; the value does."""
    assert read_cell(text, DICTIONARY[fact], TONGUE) == [term]


@pytest.mark.parametrize(
    ("fact", "text", "what"),
    [
        ("overdue_net_minor", "> 5,000.001", "cannot be read as a number"),
        ("overdue_net_minor", "> 5.000,00", "cannot be read as a number"),
        ("overdue_net_minor", ">", "a value is missing"),
        ("overdue_net_minor", "lots", "cannot be read as a number"),
        ("leader_days_past_due", "1.5", "cannot be read as a number"),
        ("leader_days_past_due", "> 3 and", "cannot be read as a number"),
        ("leader_days_past_due", "1 .. 2 .. 3", "two ends"),
        ("leader_days_past_due", "> 1 and < 9 or is unknown", "belongs together"),
        ("leader_days_past_due", "(> 1", "is missing"),
        ("leader_days_past_due", "> 1)", "closes nothing"),
        ("leader_days_past_due", "> {No such one}", "no parameter"),
        ("leader_days_past_due", "> [No such one]", "no fact"),
        ("leader_days_past_due", "in [Tenure]; 5", "cannot stand"),
        ("insolvent", "maybe", "neither yes nor no"),
        ("country", "A=B", "no plain text"),
        ("country", "= 'x\"", "is missing"),
    ],
)
def test_a_cell_that_cannot_be_read_says_why(fact, text, what):
    """With a cure, and never a guess."""
    with pytest.raises(Unreadable) as found:
        read_cell(text, DICTIONARY[fact], TONGUE)
    assert what in found.value.what
    assert found.value.cure


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("none", None),
        ("2,500", 250_000),
        ("{Highest limit proposed}", {"param": "limit_maximum"}),
        ("10 % * [Overdue]", {"percent_of": [{"fact": "overdue_minor"}, 1000]}),
        ("10 * 50 * [Overdue]", {"percent_of": [{"percent_of": [{"fact": "overdue_minor"}, 5000]}, 1000]}),
        ("max(0; [Overdue])", {"max": [0, {"fact": "overdue_minor"}]}),
        ("Round down([Overdue]; 100)", {"round_down": [{"fact": "overdue_minor"}, 10_000]}),
    ],
)
def test_an_effect_is_read_as_people_write_it(text, effect):
    """A value, a parameter, another fact, a share, the smaller or larger of several, a rounded amount."""
    assert read_effect(text, OUTCOMES["proposed_limit_minor"], TONGUE) == effect


@pytest.mark.parametrize("text", ["", "round down(5)", "[Overdue] * 5", "min(", "5 +", "lots", "(" * 60 + ")" * 60])
def test_an_effect_that_cannot_be_read_is_refused(text):
    """Arithmetic that effects do not know is not guessed at."""
    with pytest.raises(Unreadable):
        read_effect(text, OUTCOMES["proposed_limit_minor"], TONGUE)


def test_brackets_in_a_cell_cannot_exhaust_the_reader():
    """A thousand brackets inside each other are refused like three too many."""
    with pytest.raises(Unreadable, match="brackets"):
        read_effect("min(" * 1000 + "5" + ")" * 1000, OUTCOMES["proposed_limit_minor"], TONGUE)


def with_cells(table, row: int, **cells: str) -> list[Line]:
    """The lines of a table with some cells of one row changed."""
    lines = list(table.lines)
    named = {name.replace("__", ":"): text for name, text in cells.items()}
    lines[row] = Line({**lines[row].cells, **named}, lines[row].origin)
    return lines


def test_a_changed_cell_changes_that_test_and_nothing_else():
    """Order and form of the other tests stay."""
    document = SHIPPED["hold"]
    table = table_of(document, TONGUE)
    lines = with_cells(table, 0, **{"fact__leader_days_past_due": "is unknown or <= 45"})
    found, problems = document_of(lines, table.columns, document, TONGUE)
    assert problems == []
    wanted = copy.deepcopy(document)
    wanted["rules"][0]["when"]["all"][2]["any"][1][2] = 45
    assert found == wanted


def test_an_emptied_cell_takes_the_test_away():
    """A condition of one test stays a condition; an empty row is refused at its place."""
    document = SHIPPED["segmentation"]
    table = table_of(document, TONGUE)
    found, _ = document_of(with_cells(table, 3, fact__tenure_days=""), table.columns, document, TONGUE)
    assert found["rules"][3]["when"] == {"all": [["paid_count_12m", "<", 3]]}
    found, problems = document_of(with_cells(table, 1, fact__risk_class=" "), table.columns, document, TONGUE)
    assert found is None
    assert [str(one) for one in problems] == [
        "row 2: no cell asks of a fact; write a condition under at least one fact"
    ]


def test_problems_name_row_and_column():
    """As the reader sees them, each at its own cell."""
    document = SHIPPED["segmentation"]
    table = table_of(document, TONGUE)
    lines = with_cells(table, 3, fact__tenure_days="soon", priority="first", fact__paid_count_12m="< 3.5")
    lines[1] = Line({**lines[1].cells, "key": "insolvent", "on_unknown": "perhaps"}, lines[1].origin)
    lines[-1] = Line({**lines[-1].cells, "then:segment": "", "fact:risk_class": "A"}, OTHERWISE)
    found, problems = document_of(lines, table.columns, document, TONGUE)
    assert found is None
    assert [(one.place, one.line, one.column) for one in problems] == [
        ("row 2, column If unknown", 1, "on_unknown"),
        ("row 4, column Priority", 3, "priority"),
        ("row 4, column Tenure", 3, "fact:tenure_days"),
        ("row 4, column Lines paid in 12 months", 3, "fact:paid_count_12m"),
        ("row 5, column Risk class", 4, "fact:risk_class"),
    ]
    lines = with_cells(table, 1, key="insolvent")
    assert "already names row 1" in document_of(lines, table.columns, document, TONGUE)[1][0].what
    lines = with_cells(table, 1, key="no spaces allowed")
    problem = document_of(lines, table.columns, document, TONGUE)[1][0]
    assert (problem.place, problem.line) == ("row 2, column Key", 1)


def test_a_policy_that_is_no_table_says_which_rule_and_why():
    """Alternatives over several facts, negations, unknown facts, wrong types, scenarios."""
    document = copy.deepcopy(SHIPPED["segmentation"])
    days, insolvent = ["tenure_days", "<", 5], ["insolvent", "==", True]
    for when, place, what in [
        ({"any": [days, insolvent]}, "/rules/1/when", "“or”"),
        ({"not": days}, "/rules/1/when", "“Risky”"),
        ({"all": [days, {"all": [days]}]}, "/rules/1/when/all/1", "“or” or “not”"),
        (["no_such_fact", "<", 5], "/rules/1/when", "no fact"),
        (["tenure_days", "==", "5"], "/rules/1/when", "not of its type"),
        (["insolvent", "in", [True, 1]], "/rules/1/when", "not of its type"),
    ]:
        document["rules"][1]["when"] = when
        [problem] = no_table(document, TONGUE)
        assert problem.place == place
        assert what in problem.what
        assert problem.cure
    assert no_table(SHIPPED["escalation"], TONGUE)[0].place == "/escalation"


def test_a_new_row_and_a_new_column():
    """A fact of the dictionary becomes a column before any rule asks of it; a row is a rule with its key."""
    document = SHIPPED["segmentation"]
    table = table_of(document, TONGUE, ["country", "no_such_fact"])
    assert next(c.heading for c in table.columns if c.key.startswith(FACT)) == "Country"
    row = Line({"key": "abroad", "label": "Abroad", "fact:country": "!= DE", "then:segment": "abroad", "priority": "5"})
    found, problems = document_of([row, *table.lines], table.columns, document, TONGUE)
    assert problems == []
    assert found["rules"][0] == {
        **{"key": "abroad", "label": "Abroad", "when": ["country", "!=", "DE"], "priority": 5},
        "then": {"segment": "abroad"},
    }
    assert found["rules"][1:] == document["rules"]


def test_a_column_left_out_leaves_its_tests_alone():
    """What a smaller sheet does not show is kept."""
    document = SHIPPED["segmentation"]
    table = table_of(document, TONGUE)
    fewer = [column for column in table.columns if column.key not in ("fact:tenure_days", "because", "then:segment")]
    found, problems = document_of(table.lines, fewer, document, TONGUE)
    assert problems == []
    assert canonical(found) == canonical(document)


def test_findings_of_the_checker_find_their_cell():
    """A place of the document is a row and a column of the sheet."""
    document = SHIPPED["hold"]
    assert cell_at("/rules/0/when/all/2/any/1", document) == (0, "fact:leader_days_past_due")
    assert cell_at("/rules/1/when", document) == (1, "fact:insolvent")
    assert cell_at("/rules/0/when", document) == (0, "label")
    assert cell_at("/rules/1/then/final", document) == (1, "final")
    assert cell_at("/rules/1/then/hold", document) == (1, "then:hold")
    assert cell_at("/rules/7", document) == (7, "label")
    assert cell_at("/otherwise/then/hold", document) == (None, "then:hold")
    assert cell_at("/cases/3", document) == (None, None)


def test_the_facts_of_invoices_are_columns_too():
    """A policy that decides per due line reads the line's own facts."""
    tongue = Tongue(Voice(dictionary=dictionary_of("invoice")))
    document = copy.deepcopy(SHIPPED["alert"]) | {"subject": "invoice"}
    document["rules"] = [{"key": "late", "when": ["line_days_past_due", ">", 5], "then": {"alert": "late"}}]
    table = table_of(document, tongue)
    assert table.column("fact:line_days_past_due").heading == "Line days past due (days)"
    assert document_of(table.lines, table.columns, document, tongue) == (document, [])
    assert table.column(f"{THEN}alert").declared == OUTCOMES["alert"]
