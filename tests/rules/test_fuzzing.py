"""Grammar-based fuzzing of documents: whatever is written is read, checked, counted and decided, or refused in words.

Legal documents of every stage, legal ones that were damaged in a few places, and wild JSON made of the
grammar's own words. A seed always gives the same document. While a document is looked at, an audit hook
sees everything the interpreter is asked to run, load or open.
"""

import copy
import json
import random
import sys
import time
from contextlib import contextmanager

import pytest

from ledger.problems import Problem, has_errors
from rules import durable, explanation, reference
from rules.book import Book
from rules.boundary_checks import proposed_cases
from rules.checks import check
from rules.counting import countable
from rules.derived import dictionary_for, parse_derived
from rules.derived_checks import check_derived
from rules.documents import canonical, parse, parse_parameters, sha256_of, shipped
from rules.facts import DICTIONARY
from rules.limits import DOCUMENT_DEPTH, INTEGER, TESTS_PER_RULE
from rules.restating import restated
from rules.stages import STAGES
from rules.thresholds import thresholds_of
from rules.words import Voice, policy_words

DAY = 20_600
ROWS = 3
SECONDS_MAX = 20  # of the processor, for one document, whatever it holds
SEEDS, SEEDS_SLOW, BLOCKS = 1_000, 100_000, 2
WORST = (200, 20)  # rules, and conditions of each
WORST_MS = 5  # promise D3, for one customer by the reference evaluator
FORBIDDEN = (
    *("exec", "compile", "import", "open", "ctypes", "subprocess", "os.system", "os.exec", "os.posix_spawn"),
    *("os.fork", "os.remove", "os.rename", "os.putenv", "socket", "pickle", "marshal", "code.__new__", "sys._getframe"),
)
KEYWORDS = [
    *("format", "kind", "key", "name", "stage", "subject", "entity", "effective", "from", "until", "source", "because"),
    *("hit", "rules", "otherwise", "cases", "bands", "escalation", "when", "then", "priority", "label", "on_unknown"),
    *("all", "any", "not", "param", "fact", "percent_of", "round_down", "min", "max", "facts", "expect", "rule"),
    *("undecided", "parameters", "risk_class", "up_to", "tolerance", "minimum", "minimum_days", "scenarios", "steps"),
    *("days", "level", "channel", "template", "values", "value", "segment", "low", "high", "formula", "rounding"),
    *("end_of_month", "after_previous", "otherwise", "penalties", "attach", "statement", "invoices", "internal", "sms"),
    *("exclusion", "final", "refer", "first", "sum", "unique", "between", "in", "is_null", ">=", "==", "policy"),
]
CODE = [
    "__import__('os').system('touch /tmp/owned')",
    "eval('1')",
    "lambda: 0",
    "{{ 7 * 7 }}",
    "{% import os %}",
    "${jndi:ldap://localhost/a}",
    "=cmd|' /C calc'!A0",
    "'; drop table customer; --",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "%(fact)s %s %d %n",
    "{0.__class__.__mro__}",
    "\x01 0 \x01",
    "!!python/object/apply:os.system ['id']",
    "file:///etc/passwd",
    "#/$defs/rule",
]
ODD_TEXT = [
    *("", " ", "\n", "a\u0000b", "\ud800", "\udfff\ud800", "\ufeffa", "e\u0301", "\u202eabc", "a\u200bb", "\U0010ffff"),
    *("١٢٣", "²", "Ⅷ", "ﬁ", "ß" * 50, "𝟘", "é" * 100, "a" * 101, "x" * 2_001, "null", "true", "NaN", "1e9", "-0"),
    *("2020-02-30", "0000-00-00", "9999-12-31", "+2020-1-1", "２０２０-01-01", "constructor", "__proto__", "__class__"),
]
NUMBERS = [
    *(0, -1, 1, 2**31, 2**53, 2**53 - 1, -(2**53), 2**63 - 1, 2**63, -(2**63) - 1, 10**30, -(10**40), 10**400),
    *(0.0, 0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")),
]


class Wild:
    """Makes values from a seed that no author would write."""

    def __init__(self, dice):
        self.dice = dice

    def text(self):
        dice = self.dice
        return dice.choice([dice.choice(CODE), dice.choice(ODD_TEXT), dice.choice(KEYWORDS), dice.choice(FACT_NAMES)])

    def scalar(self):
        dice = self.dice
        return dice.choice([None, True, False, dice.choice(NUMBERS), self.text(), self.text(), dice.randint(-99, 99)])

    def value(self, depth=4):
        dice = self.dice
        if depth == 0 or dice.random() < 0.4:
            return self.scalar()
        if dice.random() < 0.5:
            return [self.value(depth - 1) for _ in range(dice.randint(0, 4))]
        return {self.text(): self.value(depth - 1) for _ in range(dice.randint(0, 4))}

    def deep(self):
        """Nested as far as a limit, a little farther, or so far that recursion ends."""
        value = self.scalar()
        for _ in range(self.dice.choice([5, 9, DOCUMENT_DEPTH - 1, DOCUMENT_DEPTH + 1, 2_000, 20_000])):
            wrap = self.dice.choice(["list", "not", "all", "when"])
            value = [value] if wrap == "list" else {wrap: value} if wrap != "all" else {"all": [value]}
        return value


FACT_NAMES = sorted(DICTIONARY)


def every_place(node, place=()):
    """Every place of a document below its root."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*place, key)
        yield from every_place(value, (*place, key))


def parent_of(document, place):
    """What holds a place."""
    node = document
    for step in place[:-1]:
        node = node[step]
    return node


def damaged(document, wild):
    """A document with one to four damages: a value, a key, a piece of another place, a wrapping, a repetition."""
    document, dice = copy.deepcopy(document), wild.dice
    for _ in range(dice.randint(1, 4)):
        places = list(every_place(document))
        if not places:
            break
        place = dice.choice(places)
        holder, key = parent_of(document, place), place[-1]
        what = dice.randrange(8)
        if what == 0:
            del holder[key]
        elif what == 1:
            holder[key] = wild.scalar()
        elif what == 2:
            holder[key] = wild.value()
        elif what == 3:
            holder[key] = wild.deep()
            break
        elif what == 4:
            other = dice.choice(places)
            holder[key] = copy.deepcopy(parent_of(document, other)[other[-1]])
        elif what == 5:
            holder[key] = {
                dice.choice(["not", "all", "any", "param", "fact", "min"]): dice.choice([holder[key], [holder[key]]])
            }
        elif what == 6 and isinstance(holder, dict):
            holder[wild.text()] = wild.value(1)
        elif isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[key]) for _ in range(dice.choice([1, 2, TESTS_PER_RULE])))
    return document


def with_words(document, wild):
    """A legal document with the odd words where words may stand, and cases."""
    dice = wild.dice
    document["name"] = dice.choice([*CODE, "plain", "Ümlaut", "漢字"])
    for rule in document.get("rules", ()):
        rule |= {"label": dice.choice(CODE), "because": dice.choice(CODE)}
    names = dice.sample(FACT_NAMES, 3)
    document["cases"] = [
        {"name": f"{dice.choice(CODE)} {n}", "facts": {name: wild.scalar() for name in names}, "expect": {}}
        for n in range(dice.randint(0, 3))
    ]
    return document


class Author:
    """Writes the document of a seed."""

    def __init__(self, maker):
        self.maker = maker
        self.shipped = shipped()

    def document(self, seed):
        make = self.maker(seed)
        dice, wild = make.random, Wild(make.random)
        what = dice.random()
        if what < 0.1:
            return {dice.choice(KEYWORDS): wild.value() for _ in range(dice.randint(0, 12))}
        if what < 0.25:
            own = dice.choice(self.shipped)
            return damaged(own, wild)
        legal = make.policy(dice.choice(STAGES).name, size=dice.choice([2, 6, 12]))
        if what < 0.35:
            return with_words(legal, wild)
        return legal if what < 0.5 else damaged(legal, wild)


SEEN = {"on": False, "events": []}


def hear(event, args):
    """Note what the interpreter is asked to do while a document is looked at."""
    if SEEN["on"] and event.split(".")[0] in HEADS and event.startswith(FORBIDDEN):
        SEEN["events"].append((event, repr(args)[:200]))


HEADS = {name.split(".")[0] for name in FORBIDDEN}


@contextmanager
def watched():
    """Nothing is run, loaded or opened inside."""
    if not SEEN.get("hooked"):
        sys.addaudithook(hear)  # stays for the life of the process, idle outside
        SEEN["hooked"] = True
    SEEN.update(on=True, events=[])
    try:
        yield
    finally:
        SEEN["on"] = False
    assert SEEN["events"] == []


def looked_at(document, sets, rows):
    """Everything the product does with a document before and after it decides. Returns whether it may be proposed."""
    parameters, problems = parse_parameters(document)
    refused_in_words(parameters, problems)
    if parameters is not None:
        thresholds_of(document)
    derived, problems = parse_derived(document)
    refused_in_words(derived, problems)
    if derived is not None:
        problems_in_words(check_derived(derived, [], sets))
        dictionary_for("customer", derived.facts, {one.name: one for part in sets for one in part.parameters})
    resolved = Book.build([], sets, DAY).parameters
    countable(document, sets, resolved, DICTIONARY)
    policy, problems = parse(document)
    refused_in_words(policy, problems)
    if policy is None:
        return False
    policy_words(policy, Voice(dictionary=DICTIONARY))
    thresholds_of(document)
    assert json.loads(canonical(document)) == document
    assert sha256_of(document) == sha256_of(json.loads(canonical(document)))
    problems = check(policy, sets, DICTIONARY)
    problems_in_words(problems)
    if has_errors(problems):
        return False
    day = max(DAY, policy.from_day)
    proposed_cases(policy, sets, DICTIONARY)
    restated(policy, sets, DICTIONARY)
    book = Book.build([policy], sets, policy.from_day, entity=policy.entity, subject=policy.subject)
    stage = book.stages[policy.stage]
    durable.shards_of(stage)
    for row in rows:
        decided = reference.decide({**row, "as_of_day": day}, book)
        explanation.explain(row, book, decided)
    return True


def refused_in_words(found, problems):
    """Read, or refused with a reason."""
    problems_in_words(problems)
    assert (found is None) == has_errors(problems)


def problems_in_words(problems):
    """Each problem has a place, says what is wrong and what to do."""
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.what
        assert problem.cure
        assert problem.place == "" or problem.place.startswith("/"), problem
        assert len(problem.what) < 5_000


@pytest.fixture
def author(maker):
    """Writes the document of a seed."""
    return Author(maker)


def fuzz(author, maker, sets, seeds):
    """Look at the documents of some seeds; how many may be proposed, and the longest time one took."""
    for seed in range(-60, 0):  # libraries make some of their own methods when they are first needed
        looked_at(author.document(seed), sets, [maker(seed).row()])
    for document in author.shipped:
        looked_at(document, sets, [maker(1).row()])
    legal, longest = 0, (0.0, -1)
    for seed in seeds:
        document = author.document(seed)
        rows = [maker(seed).row() for _ in range(ROWS)]
        began = time.process_time()
        try:
            with watched():
                legal += looked_at(document, sets, rows)
        except Exception as error:
            error.add_note(f"the document of seed {seed}")
            raise
        longest = max(longest, (time.process_time() - began, seed))
    assert longest[0] < SECONDS_MAX, f"seed {longest[1]} takes {longest[0]:.1f} s"
    return legal, longest


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_document_raises_or_runs_anything(block, author, maker, generated_parameters):
    """A thousand documents: refused in words, or read, checked, counted, compiled, decided and explained."""
    seeds = range(block, SEEDS, BLOCKS)
    legal, _longest = fuzz(author, maker, [generated_parameters], seeds)
    assert len(seeds) // 40 < legal < len(seeds) // 2  # both sides of the checker are reached


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_a_hundred_thousand_documents(author, maker, generated_parameters):
    """The same with other seeds; prints how many were legal and how long the longest took."""
    began = time.process_time()
    seeds = range(10**6, 10**6 + SEEDS_SLOW)
    legal, longest = fuzz(author, maker, [generated_parameters], seeds)
    print(
        f"{SEEDS_SLOW:,} documents in {time.process_time() - began:.0f} s of the processor, {legal:,} legal;", end=" "
    )
    print(f"the longest, seed {longest[1]}, took {longest[0]:.2f} s")


def test_the_hook_would_hear_it():
    """The watch itself is awake: each kind of thing is noted."""
    for act in (lambda: eval("1 + 1"), lambda: open(__file__).close(), lambda: __import__("this_is_no_module")):
        with pytest.raises((AssertionError, ImportError)), watched():
            act()
        assert SEEN["events"]


# --- the worst legal policy --------------------------------------------------------------


def worst_policy(rules, tests):
    """Every rule asks so many facts, and almost none of them holds early: all of it is asked."""
    dice = random.Random(11)
    integers = [name for name, one in DICTIONARY.items() if one.unit and stage_free(name)]
    written = []
    for number in range(rules):
        names = dice.sample(integers, tests)
        when = [[name, ">=", max(DICTIONARY[name].low or 0, 0)] for name in names[:-1]]
        when.append([names[-1], "==", min(number + 1, DICTIONARY[names[-1]].high or INTEGER)])
        written.append({"key": f"r{number}", "when": {"all": when}, "then": {"segment": f"s{number % 7}"}})
    return {
        "format": 1,
        "kind": "policy",
        "key": "worst",
        "name": "worst",
        "stage": "segmentation",
        "effective": {"from": "2020-01-01"},
        "source": "test",
        "because": "test",
        "hit": "first",
        "rules": written,
        "otherwise": {"then": {"segment": "rest"}},
    }


def stage_free(name):
    """Whether a policy of segments may read a fact."""
    return not name.startswith("previous_") and all(
        name not in {column.name for column in stage.outcomes} for stage in STAGES
    )


def test_the_worst_legal_policy_stays_within_its_limit(generated_parameters):
    """200 rules of 20 conditions: checked within a bounded time, and at most 5 ms a customer by the evaluator."""
    document = worst_policy(*WORST)
    policy, problems = parse(document)
    assert problems == []
    began = time.process_time()
    problems = check(policy, [generated_parameters], DICTIONARY)
    checked = time.process_time() - began
    assert not has_errors(problems)
    assert checked < SECONDS_MAX
    book = Book.build([policy], [generated_parameters], DAY)
    dice = random.Random(3)
    rows = [
        {name: dice.randint(300, 400) if column.unit else None for name, column in DICTIONARY.items()}
        for _ in range(200)
    ]
    reference.decide(rows[0], book)
    began = time.process_time()
    for row in rows:
        reference.decide(row, book)
    taken = (time.process_time() - began) / len(rows) * 1_000
    print(f"worst legal policy: checked in {checked:.1f} s, {taken:.2f} ms a customer")
    assert taken <= WORST_MS


def by_segment(segments):
    """An amount that has its own value for so many segments."""
    values = [{"from": "2020-01-01", "value": 1_000}]
    values += [{"from": "2020-01-01", "value": 100 * n, "segment": f"s{n}"} for n in range(segments)]
    one = {"name": "amount", "kind": "money", "label": "a", "meaning": "a", "values": values}
    body = {"format": 1, "kind": "parameters", "key": "p", "source": "test", "parameters": [one]}
    found, problems = parse_parameters(body)
    assert problems == []
    return found


def hold_on(names):
    """A hold of whom so many amounts lie above the parameter."""
    when = {"all": [[name, ">", {"param": "amount"}] for name in names]}
    body = {**worst_policy(0, 2), "stage": "hold", "hit": "most_severe", "otherwise": {"then": {"hold": False}}}
    return {**body, "rules": [{"key": "held", "when": when, "then": {"hold": True, "hold_reason": "x"}}]}


AMOUNTS = [name for name, one in DICTIONARY.items() if one.unit == "minor" and stage_free(name)]


def test_parameters_by_segment_do_not_multiply_paths():
    """Twenty tests against one such parameter fall into a path for each segment, not for each combination."""
    names = AMOUNTS[:20]
    policy, _ = parse(hold_on(names))
    sets = [by_segment(5)]
    assert not has_errors(check(policy, sets, DICTIONARY))
    book = Book.build([policy], sets, DAY)
    size = durable.size_of(book.stages["hold"])  # five segments, the others, and an unknown segment
    assert (size.rules, size.paths, size.rulesets, size.largest, size.most) == (1, 7, 1, "held", 7)
    dice = random.Random(5)
    for _ in range(300):
        segment = dice.choice([None, "other", *(f"s{n}" for n in range(5))])
        bound = 100 * int(segment[1:]) if segment and segment[1:].isdigit() else 1_000
        row = {name: dice.choice([bound, bound + 1, bound + 1, 2_000, 2_000, 2_000, 2_000]) for name in names}
        row[names[0]] = dice.choice([None, 2_000, 2_000, 2_000])
        row |= {"override_segment": segment, "customer_id": 1}
        expected = row[names[0]] is not None and all(row[name] > bound for name in names)
        matched = reference.decide(row, book).matched["hold"]
        assert (matched == {"held"}) == expected


def test_more_segments_than_paths_are_refused_in_words():
    """Before, such a policy could be proposed, and no worker could confirm it."""
    policy, _ = parse(hold_on(AMOUNTS[:1]))
    assert not has_errors(check(policy, [by_segment(30)], DICTIONARY))
    [problem] = [one for one in check(policy, [by_segment(31)], DICTIONARY) if one.severity == "error"]
    assert (problem.place, "paths_per_rule" in problem.what) == ("/rules/0/when", True)
    assert "same for all segments" in problem.cure
