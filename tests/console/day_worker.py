"""A worker in a process of its own, with a clock that tests move: ``day_worker.py <var> <secret>``.

The same composition as ``huey_consumer wsgi.huey``, only that the instant is read from a file.
"""

import sys
from datetime import datetime
from pathlib import Path

from engine.runtime import build
from engine.settings import Settings
from engine.tasks import make_huey


def main() -> None:
    """Work until told to stop."""
    var, secret = Path(sys.argv[1]), sys.argv[2]
    clock = var / "clock"
    settings = Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key=secret)
    runtime = build(settings, now=lambda: datetime.fromisoformat(clock.read_text()))
    huey = make_huey(runtime)
    consumer = huey.create_consumer(workers=1, worker_type="thread", periodic=True, initial_delay=0.05, max_delay=0.2)
    print("ready", flush=True)
    consumer.run()


if __name__ == "__main__":  # matching children are spawned and import this file again
    main()
