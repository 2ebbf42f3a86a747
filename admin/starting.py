"""Starting processes: the console, the worker, and both together for the demo."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

WEB_WORKERS = 2
WEB_THREADS = 2
QUEUE_WORKERS = 2
STOP_SECONDS = 30
POLL_SECONDS = 0.2


def with_secret(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the secret key of ``var/secret-key`` where none is set.

    The file is written once, readable by its owner only, so that a second start opens what the first one sealed.
    """
    if environment.get("DUNWELL_SECRET_KEY", "").strip():
        return dict(environment)
    path = Path(environment.get("DUNWELL_VAR", "").strip() or "var") / "secret-key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass  # another process was faster; its key counts
    return {**environment, "DUNWELL_SECRET_KEY": path.read_text().strip()}


def bind_address(bind: str) -> str:
    """host:port with a free port in place of port 0."""
    host, _, port = bind.rpartition(":")
    if port != "0":
        return bind
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host.strip("[]"), 0))
        return f"{host}:{probe.getsockname()[1]}"


def serve_command(bind: str) -> list[str]:
    """The command that serves the console at an address."""
    return [
        *(sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", bind),
        *("--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS), "--worker-class", "gthread"),
        *("--no-control-socket", "--graceful-timeout", str(STOP_SECONDS), "--log-level", "warning"),
    ]


def work_command() -> list[str]:
    """The command that runs a worker; it finishes what it is doing when told to stop."""
    consumer = str(Path(sys.executable).with_name("huey_consumer"))
    return [
        *(consumer, "wsgi.huey", "--workers", str(QUEUE_WORKERS), "--worker-type", "thread"),
        *("--graceful-signal", "TERM", "--shutdown-timeout", str(STOP_SECONDS), "--quiet"),
    ]


def replace_process(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Become the command; does not return."""
    os.execve(command[0], list(command), dict(environment))  # noqa: S606 - our own interpreter, no shell


def run_together(commands: Sequence[Sequence[str]], environment: Mapping[str, str], welcome: Callable[[], None]) -> int:
    """Run commands side by side until one ends or we are told to stop; leave no process behind.

    Args:
        welcome: called once all are started.

    Returns:
        0 after a stop that was asked for, else the code of the command that ended first.
    """
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    # Own sessions: Ctrl-C reaches us alone, and each child is stopped with everything below it.
    children = [subprocess.Popen(command, env=dict(environment), start_new_session=True) for command in commands]  # noqa: S603
    try:
        welcome()
        while not asked and all(child.poll() is None for child in children):
            time.sleep(POLL_SECONDS)
        first = next((child.returncode for child in children if child.returncode is not None), 0)
    finally:
        stop(children)
    return 0 if asked else first or 1


def stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End children gently, then firmly, each with its whole process group."""
    for child in children:
        signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
        signal_group(child, signal.SIGKILL)
        child.wait()


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a child and all it started; a group that is gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def wait_until_up(bind: str, seconds: float) -> bool:
    """Whether the console answers at an address within so many seconds."""
    host, _, port = bind.rpartition(":")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex((host, int(port))) == 0:
                return True
        time.sleep(POLL_SECONDS)
    return False
