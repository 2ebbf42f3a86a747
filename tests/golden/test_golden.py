"""Golden decisions: what a release decided, every later one decides again from the same facts and edition.

Each folder beside this file is a release (``make.py`` writes one). What is compared: outcomes before
and after overrides, the rules that held, what was undecided, what became of the escalation, every
rule's verdict, and the score. A difference means that a release decides otherwise than it did for
those who relied on it: that is a break to be avoided or announced, never a file to be made anew.
"""

import json
import lzma
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import frames
from engine.differences import matched_in_columns
from engine.matching import Matcher
from ledger.canonical import canonical, sha256_of
from rules import closures, columns, hits
from rules.book import Book
from rules.conditions import Op
from rules.documents import parse, parse_parameters
from rules.stages import earlier
from rules.stepping import TIED
from scoring.model import load, score
from scoring.risk import with_risk

from .make import DECISIONS, FILE, HERE, said

RELEASES = sorted(path.parent.name for path in Path(HERE).glob(f"*/{FILE}"))
SCORED = ("score_bp", "rival_bp", "thin_history", "at_risk_minor")
DURABLE_SAMPLE = 200  # of a release; the extension runs in a child process


@cache
def golden(release: str) -> SimpleNamespace:
    """A release's file: its rows, what was decided for each, and its editions."""
    content = json.loads(lzma.decompress((HERE / release / FILE).read_bytes()))
    names = list(content["facts"])
    rows = [dict(zip(names, values)) for values in zip(*content["facts"].values(), strict=True)]
    return SimpleNamespace(content=content, rows=rows, decided=content["decided"])


def book_of(content: dict[str, Any], sha256: str) -> Book:
    """An edition's book, rebuilt from the documents it names."""
    edition = content["editions"][sha256]
    body = edition["body"]
    policies = [parse(content["documents"][name]) for name in body["policies"].values()]
    parameters = [parse_parameters(content["documents"][name]) for name in body["parameters_documents"]]
    assert [problems for _, problems in policies + parameters if problems] == []
    return Book.build([p for p, _ in policies], [p for p, _ in parameters], edition["day"], entity=body["entity"])


def by_edition(kept: SimpleNamespace) -> Iterator[tuple[Book, list[int]]]:
    """Each edition's book with the places of the rows decided under it."""
    for sha256 in kept.content["editions"]:
        yield (
            book_of(kept.content, sha256),
            [place for place, one in enumerate(kept.decided) if one["edition"] == sha256],
        )


def schema_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The types of fact columns, from their values; one without any is a number, or text where rules read text."""
    types = {bool: frames.nw.Boolean, str: frames.nw.String, int: frames.nw.Int64}
    empty = {name: str if name == TIED else int for name in rows[0]}
    return {
        name: types[next((type(row[name]) for row in rows if row[name] is not None), empty[name])] for name in rows[0]
    }


def differences(kept: SimpleNamespace) -> list[tuple[int, str]]:
    """Places and parts that the reference evaluator decides otherwise."""
    found = []
    for book, places in by_edition(kept):
        for place in places:
            now = json.loads(canonical(said(kept.rows[place], book)))
            found += [(place, part) for part, value in now.items() if value != kept.decided[place][part]]
    return found


def test_this_release_has_its_golden_decisions():
    """A release without them could not be held to anything: python -m tests.golden.make."""
    assert version("dunwell") in RELEASES


@pytest.mark.parametrize("release", RELEASES)
def test_the_file_is_what_it_promises(release):
    """A thousand decisions under several editions, all stages, undecided and matched rows among them; small."""
    kept = golden(release)
    assert len(kept.rows) == len(kept.decided) == DECISIONS
    assert kept.content["release"] == release
    assert len(kept.content["editions"]) >= 2
    assert {one["body"]["entity"] for one in kept.content["editions"].values()} == {"EU", "UK"}
    assert all(one["body"]["model"] in kept.content["models"] for one in kept.content["editions"].values())
    for part in ("level", "segment", "risk_class", "hold", "proposed_limit_minor"):
        assert len({str(one["outcomes"][part]) for one in kept.decided}) >= 2, part
    assert sum(one["enters_step"] for one in kept.decided) > 100
    assert (HERE / release / FILE).stat().st_size < 600_000


@pytest.mark.parametrize("release", RELEASES)
def test_editions_are_the_same_again(release):
    """Rebuilt from their documents they have the sha256 under which decisions name them."""
    content = golden(release).content
    for sha256, document in content["documents"].items():
        assert sha256_of(document) == sha256
    for sha256, edition in content["editions"].items():
        assert sha256_of({**edition["body"], **book_of(content, sha256).edition()}) == sha256


@pytest.mark.promise("D2")
@pytest.mark.parametrize("release", RELEASES)
def test_the_reference_evaluator_decides_and_explains_them_again(release):
    """Outcomes, rules, undecided stages, the escalation, and the verdict of each rule."""
    assert differences(golden(release)) == []


@pytest.mark.promise("D2")
@pytest.mark.parametrize("release", RELEASES)
def test_columns_decide_them_again(release):
    """A whole edition at once."""
    kept = golden(release)
    schema = schema_of(kept.rows)
    for book, places in by_edition(kept):
        frame = columns.decide(frames.from_rows([kept.rows[place] for place in places], schema), book)
        rows = frames.rows_of(frame)
        for place, row in zip(places, rows, strict=True):
            then = kept.decided[place]
            assert row["customer_id"] == kept.rows[place]["customer_id"]
            assert {name: row[name] for name in then["outcomes"]} == then["outcomes"]
            by_rules = {name: row.get(f"{name}_by_rules", row[name]) for name in then["by_rules"]}
            assert by_rules == then["by_rules"]
            matched = {stage: sorted(keys) for stage, keys in matched_in_columns(row, book).items()}
            assert matched == then["matched"]
            assert {s for s in book.stages if row[f"undecided_{s}"]} == set(then["undecided"])
            for name in ("waiting", "enters_step", "episode_move"):
                assert row[name] == then[name]


@pytest.mark.promise("D2")
@pytest.mark.parametrize("release", RELEASES)
def test_durable_rules_confirms_a_sample_of_them(release):
    """The real extension in its child finds the same rules to hold."""
    kept = golden(release)
    every = DECISIONS // DURABLE_SAMPLE
    with Matcher() as matcher:
        for book, all_places in by_edition(kept):
            places = [place for place in all_places if place % every == 0]
            asked = {
                stage: [
                    {**kept.rows[place], **{c.name: kept.decided[place]["outcomes"][c.name] for c in before}}
                    for place in places
                ]
                for stage in book.stages
                if book.stages[stage].rules
                for before in [[column for done in earlier(stage) for column in done.outcomes]]
            }
            found = matcher.confirm(book, asked)
            assert found.alarms == []
            for stage, matches in found.matches.items():
                assert {match.by for match in matches} <= {"durable"}
                for place, match in zip(places, matches, strict=True):
                    assert sorted(match.keys) == kept.decided[place]["matched"][stage]


@pytest.mark.promise("D2")
@pytest.mark.parametrize("release", RELEASES)
def test_models_score_them_again(release):
    """The score and what is made of it, from the other facts."""
    kept = golden(release)
    for sha256, edition in kept.content["editions"].items():
        name = edition["body"]["model"]
        model, problems = load(kept.content["models"][name], name)
        assert problems == []
        own = [(row, one) for row, one in zip(kept.rows, kept.decided) if one["edition"] == sha256]
        rows = [row for row, one in own if one["at_boundary"] is None]  # the others' facts were changed after scoring
        bare = [{key: value for key, value in row.items() if key not in SCORED} for row in rows]
        scored = frames.rows_of(with_risk(score(frames.from_rows(bare, schema_of(bare)), model)))
        then = [{key: row[key] for key in SCORED if key in row} for row in rows]
        assert [{key: row[key] for key in one} for row, one in zip(scored, then, strict=True)] == then


@pytest.mark.parametrize(("op", "slip"), [(Op.GE, Op.GT), (Op.LE, Op.LT), (Op.LT, Op.LE)])
def test_a_slip_by_one_would_be_seen(monkeypatch, op, slip):
    """The evaluator asks > where the policy says >=, and so on."""
    monkeypatch.setattr(closures, "COMPARE", {**closures.COMPARE, op: closures.COMPARE[slip]})
    assert differences(golden(RELEASES[-1]))


def test_another_winner_would_be_seen(monkeypatch):
    """The last rule that holds decides instead of the first."""
    honest = hits.resolve

    def last_wins(stage, matched, row, unknown=frozenset()):
        ranked = [rule.key for rule in stage.ranked if rule.key in matched]
        return honest(stage, frozenset(ranked[-1:]) if stage.policy.hit == "first" else matched, row, unknown)

    monkeypatch.setattr(hits, "resolve", last_wins)
    assert {part for _, part in differences(golden(RELEASES[-1]))} >= {"outcomes", "winner"}
