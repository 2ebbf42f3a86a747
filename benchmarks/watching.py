"""What a benchmark costs beside time: the memory of its whole process tree, and what it ran on."""

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

EVERY_SECONDS = 0.2
GB = 2**30
PAGE = os.sysconf("SC_PAGE_SIZE")
PACKAGES = ("polars", "narwhals", "durable-rules", "peewee", "adbc-driver-sqlite")


class Watched:
    """The largest memory seen so far, in bytes; pages that processes share count once each."""

    def __init__(self) -> None:
        self.peak = 0

    @property
    def peak_gb(self) -> float:
        """In GiB."""
        return self.peak / GB


@contextmanager
def memory_watched() -> Iterator[Watched]:
    """Sample the resident memory of this process and all that descend from it."""
    watched, over = Watched(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            watched.peak = max(watched.peak, resident_bytes(os.getpid()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()
        watched.peak = max(watched.peak, resident_bytes(os.getpid()))


def resident_bytes(root: int) -> int:
    """Resident memory of a process and its descendants now; one that ends meanwhile counts nothing."""
    return sum(map(_resident, _tree(root)))


def cpu_seconds(root: int) -> float:
    """Processor time of a process and its descendants so far, those that have ended and were waited for too."""
    ticks = 0
    for pid in _tree(root):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        used = [int(one) for one in stat[stat.rindex(")") + 2 :].split()[11:15]]  # own, then of ended children
        ticks += sum(used)
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> set[int]:
    """A process and its descendants."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[stat.rindex(")") + 2 :].split()[1])
    tree = {root}
    grown = True
    while grown:
        more = {child for child, parent in parents.items() if parent in tree} - tree
        tree |= more
        grown = bool(more)
    return tree


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def machine() -> str:
    """The processor, its cores and the memory; never the name of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PHYS_PAGES") * PAGE / GB
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB"


def versions() -> str:
    """What the figures depend on."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)])
