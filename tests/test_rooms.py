"""The walls between the rooms: who may import whom, and what a pure room may not touch.

Read from the syntax trees of every module, so that a forbidden line fails before it runs.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "ledger": set(),
    "rules": {"ledger"},
    "scoring": {"ledger"},
    "notifiers": {"ledger"},
    "engine": {"ledger", "rules", "scoring", "notifiers"},
    "admin": {"ledger", "rules", "scoring", "notifiers", "engine"},
}
PURE = ("ledger", "rules", "scoring")
# In a pure room: what reaches for a database, the web, a queue, a clock, a socket, chance or the system.
IMPURE_MODULES = {
    *("peewee", "playhouse", "sqlite3", "adbc_driver_manager", "adbc_driver_sqlite", "psycopg", "pyarrow"),
    *("polars", "duckdb", "pandas", "pyspark", "huey", "durable", "durable_rules_engine"),
    *("flask", "werkzeug", "flask_admin", "socket", "ssl", "http", "urllib", "requests", "smtplib"),
    *("asyncio", "threading", "multiprocessing", "subprocess", "os", "tempfile", "shutil"),
    *("random", "secrets", "time"),
}
# And what would start or end a computation, or leave narwhals.
IMPURE_CALLS = re.compile(
    r"^(read_(csv|parquet|ipc|json|database|excel)\w*|scan_\w+|write_\w+|sink_\w+|collect|to_native)$"
)
CLOCKS = {"now", "utcnow", "today"}
CLOCK_ROOM = "engine/runtime.py"
NEVER_CALLED = {"eval", "exec", "compile", "__import__"}
NEVER_IMPORTED = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
BANNED_NAMES = {"manager", "helper", "util", "utils", "service", "handler", "processor", "data", "info", "obj", "tmp"}
# Methods that a library calls by this name, with arguments it names: not ours to choose.
OVERRIDES = {"serialize", "deserialize", "_serialize", "_deserialize", "handle_data", "_export_data"}
ALLOWED_NAMES = {"credit_manager", "data_type"}  # a role of the domain; openpyxl's word for text or formula
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")) + sorted(ROOT.glob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in MODULES]


def tree_of(name: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name)


def imports_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each imported module with its line; imports for types only do not run and do not count."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"line {node.lineno}: a relative import leaves the folder"
            if node.level == 0:
                yield (node.module or "", node.lineno)


def calls_of(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Each call as (what it is called on, its name, line)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield (ast.unparse(node.func.value), node.func.attr, node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield ("", node.func.id, node.lineno)


def names_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each name that a module gives: functions, classes, arguments, variables."""
    theirs = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in OVERRIDES
        for inner in (node, *ast.walk(node.args))
    }
    for node in ast.walk(tree):
        if id(node) in theirs:
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield (node.name, node.lineno)
        elif isinstance(node, ast.arg):
            yield (node.arg, node.lineno)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield (node.id, node.lineno)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.attr, node.lineno)


def words_of(name: str) -> set[str]:
    """The words of a snake or camel case name, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def room_of(name: str) -> str:
    """The room of a module, or its file name when it stands at the root."""
    return name.split("/")[0]


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_one_way(name):
    """ledger <- rules, scoring, notifiers <- engine <- admin <- wsgi, never sideways."""
    room = room_of(name)
    allowed = ROOMS.get(room, set(ROOMS)) | {room}
    crossed = [
        f"{name}:{line} imports {module}"
        for module, line in imports_of(tree_of(name))
        if module.split(".")[0] in ROOMS and module.split(".")[0] not in allowed
    ]
    assert crossed == []


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) in PURE])
def test_pure_rooms_reach_for_nothing(name):
    """No database, web, queue, clock, socket or chance; frames are neither read, written nor collected."""
    tree = tree_of(name)
    found = [f"{name}:{line} imports {m}" for m, line in imports_of(tree) if m.split(".")[0] in IMPURE_MODULES]
    found += [
        f"{name}:{line} calls {of}.{call}" for of, call, line in calls_of(tree) if of and IMPURE_CALLS.match(call)
    ]
    found += [f"{name}:{line} opens a file" for of, call, line in calls_of(tree) if not of and call == "open"]
    assert found == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != CLOCK_ROOM])
def test_only_the_runtime_reads_a_clock(name):
    """The day and the instant are parameters; time.monotonic measures how long and is no clock."""
    tree = tree_of(name)
    found = []
    for of, call, line in calls_of(tree):
        on_type = of.split(".")[-1] in {"datetime", "date"}
        if (on_type and call in CLOCKS) or (of == "time" and call in {"time", "time_ns", "localtime", "gmtime"}):
            found.append(f"{name}:{line} calls {of}.{call}")
    found += [f"{name}:{node.lineno} takes time from time" for node in ast.walk(tree) if _takes_a_clock(node)]
    assert found == []


def _takes_a_clock(node: ast.AST) -> bool:
    names = (
        {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) and node.module == "time" else set()
    )
    return bool(names & {"time", "time_ns", "localtime", "gmtime"})


@pytest.mark.parametrize("name", NAMES)
def test_no_text_becomes_code(name):
    """No eval, exec, compile or __import__ of Python, no pickle, no YAML."""
    tree = tree_of(name)
    found = [f"{name}:{line} calls {call}" for of, call, line in calls_of(tree) if not of and call in NEVER_CALLED]
    found += [f"{name}:{line} imports {m}" for m, line in imports_of(tree) if m.split(".")[0] in NEVER_IMPORTED]
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_names_say_what_things_are(name):
    """Words that would fit anything name nothing."""
    found = [
        f"{name}:{line} names something {given}"
        for given, line in names_of(tree_of(name))
        if given not in ALLOWED_NAMES and words_of(given) & BANNED_NAMES
    ]
    found += [f"{name} is named so"] if words_of(Path(name).stem) & BANNED_NAMES else []
    assert found == []


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) == "ledger"])
def test_no_float_in_the_ledger(name):
    """No float literal, no float(), no true division: money is whole minor units (promise B2)."""
    found = []
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            found.append(f"{name}:{node.lineno} writes {node.value}")
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append(f"{name}:{node.lineno} divides with /")
        elif isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) in {"float", "nw.Float64", "nw.Float32"}:
            found.append(f"{name}:{node.lineno} uses {ast.unparse(node)}")
    found += [f"{name}:{line} takes a mean" for of, call, line in calls_of(tree_of(name)) if call in {"mean", "median"}]
    assert found == []


@pytest.mark.parametrize("name", [name for name in NAMES if room_of(name) in PURE])
def test_every_literal_in_a_frame_is_typed(name):
    """An untyped integer literal is 32 bits wide on Polars and its sums wrap; text, truths and floats are safe."""
    found = []
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "nw.lit":
            is_typed = any(word.arg == "dtype" for word in node.keywords)
            value = node.args[0]
            if not is_typed and isinstance(value, ast.Constant) and type(value.value) not in {str, bool, float}:
                found.append(f"{name}:{node.lineno} {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_every_room_says_what_it_is(room):
    """Its __init__.py has a docstring and nothing that runs."""
    tree = tree_of(f"{room}/__init__.py")
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("import engine.tables", lambda tree: [m for m, _ in imports_of(tree)] == ["engine.tables"]),
        ("def f():\n    from polars import lit", lambda tree: [m for m, _ in imports_of(tree)] == ["polars"]),
        ("frame.lazy().collect()", lambda tree: any(IMPURE_CALLS.match(call) for _, call, _ in calls_of(tree))),
        ("order_data = 1", lambda tree: any(words_of(given) & BANNED_NAMES for given, _ in names_of(tree))),
        ("class MailHandler: pass", lambda tree: any(words_of(given) & BANNED_NAMES for given, _ in names_of(tree))),
    ],
)
def test_the_walls_are_not_made_of_paper(source, check):
    """Each kind of breach is found where it is planted."""
    assert check(ast.parse(source))
