"""Columns and reference decide alike: random documents, random rows, Polars and DuckDB."""

import duckdb
import narwhals as nw
import polars as pl
import pytest

from rules import columns, hits, reference
from rules.book import Book
from rules.facts import DICTIONARY
from rules.stages import STAGES

DAY = 20_000
ROWS = 40
TYPES = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}


def frame_of(rows):
    names = list(rows[0])
    declared = {name if name in DICTIONARY else name.removeprefix("override_"): name for name in names}
    schema = {full: TYPES[columns.dtype_of(DICTIONARY[name])] for name, full in declared.items()}
    return pl.DataFrame(rows, schema={name: schema[name] for name in names}, orient="row")


def decided_on(engine, table, book):
    if engine == "polars":
        return columns.decide(nw.from_native(table.lazy()), book).to_native().collect()
    with duckdb.connect() as connection:
        relation = connection.from_arrow(table.with_row_index("nr").to_arrow())
        found = columns.decide(nw.from_native(relation), book).to_native()
        return pl.from_arrow(found.order("nr").to_arrow_table()).drop("nr")


def number_of(stage, key):
    return None if key is None else stage.rule(key).index


def assert_alike(rows, table, book):
    for row, found in zip(rows, table.to_dicts(), strict=True):
        expected = reference.decide(row, book)
        for stage in STAGES:
            for column in stage.outcomes:
                assert found[column.name] == expected.outcomes[column.name], (column.name, row)
            if stage.name in book.stages:
                ruled = book.stages[stage.name]
                masks = [found[columns.mask_name(stage.name, word)] for word in range(ruled.words)]
                assert hits.matched_keys(ruled, masks) == expected.matched[stage.name]
                assert found[f"undecided_{stage.name}"] == (stage.name in expected.undecided)
                if stage.name != "escalation" and ruled.policy.hit in hits.SINGLE:
                    assert found[columns.winner_name(stage.name)] == number_of(ruled, expected.winner[stage.name])
        if "escalation" in book.stages:
            settled = (expected.waiting, expected.enters_step, expected.episode_move)
            assert (found["waiting"], found["enters_step"], found["episode_move"]) == settled


def book_and_rows(maker, parsed, parameters, seed):
    make = maker(seed)
    policies = [parsed(make.policy(stage.name)) for stage in STAGES if make.random.random() < 0.8]
    rows = [make.row() for _ in range(ROWS)]
    if make.random.random() < 0.5:
        for name in ("risk_class", "segment", "hold", "proposed_limit_minor", "level"):
            for row in rows:
                row[f"override_{name}"] = make.seen(DICTIONARY[name], 0.7)
    return Book.build(policies, parameters, DAY), rows


def some_at_night(first, each_commit, all_of_them):
    """Numbers to draw from: the first ones at each commit, the others in the slow tier as well."""
    late = [pytest.param(first + n, marks=pytest.mark.slow) for n in range(each_commit, all_of_them)]
    return [*range(first, first + each_commit), *late]


@pytest.mark.parametrize("block", some_at_night(0, 5, 10))
def test_random_documents_and_rows_are_decided_alike_on_polars(block, maker, parsed, generated_parameters):
    """Every outcome, mask and undecided flag of a frame is the reference evaluator's."""
    for seed in range(block * 12, block * 12 + 12):
        book, rows = book_and_rows(maker, parsed, generated_parameters, seed)
        table = frame_of(rows)
        assert_alike(rows, decided_on("polars", table, book), book)


@pytest.mark.parametrize("seed", some_at_night(1000, 6, 12))
def test_random_documents_and_rows_are_decided_alike_on_duckdb(seed, maker, parsed, generated_parameters):
    """The same expressions mean the same on DuckDB."""
    book, rows = book_and_rows(maker, parsed, generated_parameters, seed)
    assert_alike(rows, decided_on("duckdb", frame_of(rows), book), book)


# DuckDB plans some of these books for seconds: the later ones at night.
STOPPED = [
    *[("polars", seed) for seed in range(2000, 2016)],
    *[("duckdb", seed) for seed in range(2000, 2006)],
    *[pytest.param("polars", seed, marks=pytest.mark.slow) for seed in range(2016, 2040)],
    *[pytest.param("duckdb", seed, marks=pytest.mark.slow) for seed in range(2006, 2040)],
]


@pytest.mark.parametrize(("engine", "seed"), STOPPED)
def test_a_stopped_policy_keeps_what_stood_before_on_every_executor(engine, seed, maker, parsed, generated_parameters):
    """Its rules are still asked, and matter to nobody; stages after it read what stands."""
    book, rows = book_and_rows(maker, parsed, generated_parameters, seed)
    policies = [stage.policy for stage in book.stages.values()]
    stopped = [policy.key for policy in policies if maker(seed).random.random() < 0.5 or policy.stage == "escalation"]
    book = Book.build(policies, generated_parameters, DAY, stopped=stopped)
    assert_alike(rows, decided_on(engine, frame_of(rows), book), book)
    for row in rows:
        decided = reference.decide(row, book)
        for name, stage in book.stages.items():
            if stage.stopped:
                assert decided.winner[name] is None
                assert name not in decided.undecided
                assert {n: decided.by_rules[n] for n in hits.before(stage.stage, row)} == hits.before(stage.stage, row)
        if "escalation" in book.stages:
            assert (decided.waiting, decided.enters_step) == ("stopped", False)


@pytest.mark.parametrize("seed", some_at_night(0, 10, 20))
def test_outcomes_do_not_need_the_masks(seed, maker, parsed, generated_parameters):
    """Without masks a plan is smaller, and says the same of everything else."""
    book, rows = book_and_rows(maker, parsed, generated_parameters, seed)
    frame = nw.from_native(frame_of(rows).lazy())
    whole = columns.decide(frame, book).to_native().collect()
    slim = columns.decide(frame, book, masks=False).to_native().collect()
    masks = [columns.mask_name(name, word) for name, stage in book.stages.items() for word in range(stage.words)]
    assert set(whole.columns) - set(slim.columns) == set(masks)
    assert slim.equals(whole.select(slim.columns))


@pytest.mark.parametrize("seed", some_at_night(3000, 10, 20))
def test_verdicts_that_stand_are_not_asked_again(seed, maker, parsed, generated_parameters):
    """In a column for each rule the verdicts are those of the masks; given back, they decide in place of conditions."""
    book, rows = book_and_rows(maker, parsed, generated_parameters, seed)
    frame = nw.from_native(frame_of(rows).lazy())
    whole = columns.decide(frame, book, masks=False, truths=True).to_native().collect()
    rules = [(name, stage, rule) for name, stage in book.stages.items() for rule in stage.rules]
    told = {columns.truth_name(name, rule.index): rule for name, _stage, rule in rules}
    for name, _stage, rule in rules:
        held = [rule.key in matched for matched in (reference.decide(row, book).matched[name] for row in rows)]
        assert whole[columns.truth_name(name, rule.index)].to_list() == held
    given = frame_of(rows).hstack(whole.select(*told))
    again = columns.decide(nw.from_native(given.lazy()), book, masks=False, truths=True).to_native().collect()
    same = [name for name in whole.columns if name not in told]
    assert again.select(same).equals(whole.select(same))
    # Another verdict, where an unknown one does not count, is taken for granted.
    never = given.with_columns(pl.lit(False).alias(name) for name, rule in told.items() if not rule.may_refer())
    other = columns.decide(nw.from_native(never.lazy()), book, masks=True).to_native().collect()
    for name, stage in book.stages.items():
        masks = [columns.mask_name(name, word) for word in range(stage.words)]
        keys = {key for row in other.select(masks).rows() for key in hits.matched_keys(stage, row)}
        assert all(stage.rule(key).may_refer() for key in keys)


def test_a_share_of_an_amount_is_rounded_alike_on_every_engine(maker, parsed):
    """Around halves of a minor unit, below and above zero, and at the bound of money."""
    effects = [
        {"percent_of": [{"fact": "headroom_minor"}, 3_333]},
        {"percent_of": [{"fact": "headroom_minor"}, -500]},
        {"round_down": [{"fact": "headroom_minor"}, 1_000]},
    ]
    edges = [0, 1, 9, 10, 11, 29, 30, 31, 50, 150, 999, 1_000, 1_001, 10_000, 10**15 - 1, 10**15]
    rows = [{"headroom_minor": sign * edge} for edge in edges for sign in (1, -1)] + [{"headroom_minor": None}]
    for effect in effects:
        document = maker(1).policy("credit_limit")
        document |= {"hit": "first", "rules": [], "cases": []}
        document["otherwise"] = {"then": {"proposed_limit_minor": effect, "proposed_terms_days": 30}}
        book = Book.build([parsed(document)], [], DAY)
        for engine in ("polars", "duckdb"):
            assert_alike(rows, decided_on(engine, frame_of(rows), book), book)
