"""Plant each fault by itself in a copy of the project and say which test notices it.

    python tests/mutants/plant.py [A4 ...]

Ends with 1 when a fault goes unnoticed, or when a test is red that nothing was done to.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "var", "__pycache__", "*.egg-info", "build", "dist")
AT_ONCE = min(2, os.cpu_count() or 1)
SECONDS_MAX = 600
GREEN, RED = 0, 1  # what pytest ends with
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def judged(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """How tests end in a copy of the project, and what was printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def noticed_by(folder: Path, mutant: Mutant) -> str | None:
    """The test that fails once a fault is planted; None when all stay green.

    Raises:
        RuntimeError: the fault has no place, or the tests did not run with it.
    """
    path = folder / mutant.file
    sound = path.read_text(encoding="utf-8")
    if sound.count(mutant.old) != 1:
        raise RuntimeError(f"{mutant.file} holds what is to be replaced {sound.count(mutant.old)} times")
    path.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, printed = judged(folder, mutant.tests)
    finally:
        path.write_text(sound, encoding="utf-8")
    if code not in (GREEN, RED):
        raise RuntimeError(f"the tests did not run: {printed[-1_000:]}")
    return FAILED.findall(printed)[0] if code == RED else None


def planted_all(mutants: list[Mutant], place: Path) -> int:
    """Plant all, a few at once, each in a copy that no other uses; the number of unnoticed ones."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(AT_ONCE):
        copies.put(Path(shutil.copytree(ROOT, place / str(number), ignore=LEFT_OUT)))
    tests = tuple(sorted({test for mutant in mutants for test in mutant.tests}))
    code, printed = judged(place / "0", tests)
    if code != GREEN:
        print(f"red before anything was planted:\n{printed[-2_000:]}")
        return 1

    def plant(mutant: Mutant) -> str | None:
        copy = copies.get()
        try:
            return noticed_by(copy, mutant)
        finally:
            copies.put(copy)

    unnoticed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, test in zip(mutants, pool.map(plant, mutants)):
            unnoticed += test is None
            print(f"{mutant.promise}  without {mutant.removes}: {f'red, {test}' if test else 'UNNOTICED'}", flush=True)
    print(f"{len(mutants)} planted, {len(mutants) - unnoticed} noticed")
    return unnoticed


def main() -> int:
    """Plant the faults of the promises named, by default of all."""
    chosen = [mutant for mutant in MUTANTS if mutant.promise in sys.argv[1:] or len(sys.argv) == 1]
    with tempfile.TemporaryDirectory(prefix="dunwell-mutants-") as place:
        return 1 if planted_all(chosen, Path(place)) else 0


if __name__ == "__main__":
    sys.exit(main())
