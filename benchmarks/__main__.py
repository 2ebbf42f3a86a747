"""All benchmarks, one after another, each in a process of its own. Prints; asserts nothing.

python -m benchmarks
"""

import subprocess
import sys

NAMES = ("facts", "stages", "matching", "run")


def main() -> None:
    """Run each by its name as a heading."""
    for name in NAMES:
        print(f"\n== {name} ==", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
