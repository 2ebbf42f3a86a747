"""The matching child: the only program that loads durable-rules. It matches and does nothing else.

Run as a script by ``engine.matching`` with the number of an inherited socket. It imports
nothing of Dunwell, owns no state and no clock, answers JSON with JSON and ends when its
parent does. How the extension is held: cage.md 7.

Messages: ``{"load": {name: ruleset}}``, ``{"drop": [name]}``, ``{"match": name, "facts":
[text]}``. Only the last is answered, with ``{"hits": [[path number]]}`` or ``{"error": text}``.
"""

import json
import resource
import signal
import sys
import threading
from multiprocessing.connection import Connection

import durable_rules_engine as extension

BATCH_SECONDS = 60  # then the kernel ends the process: a loop in C answers no signal handler
HANDLED, NOT_HANDLED, OBSERVED = 0, 1, 2


class DurableShard:
    """At most 60 conjunctive paths, one sid, no threads, no delete_state while live."""

    def __init__(self, name: str, ruleset: str) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._handle = extension.create_ruleset(name, ruleset)
        # One fired action initialises the context; closing would crash without (cage.md 3, no. 7).
        if self._run('{"id":"s","k":2}') != ["__s"]:
            raise RuntimeError("the sentinel rule did not fire")

    def _run(self, message: str) -> list[str]:
        """Assert, drain all actions, retract; the names of the paths that fired."""
        fired: list[str] = []
        code, offset = extension.assert_fact(self._handle, message)
        if code == OBSERVED:
            raise RuntimeError("the extension takes the fact for one it has seen")
        if code == HANDLED:
            try:
                started = extension.start_action_for_state(self._handle, offset)
                action = started[1] if started else None
                while action:
                    fired.append(action[2 : action.index('"', 2)])  # '{"p3":{"m":{...}}}'
                    action = extension.complete_and_start_action(self._handle, offset)
            finally:
                extension.retract_fact(self._handle, message)
        return fired

    def match(self, fact: str) -> list[int]:
        """Numbers of the paths that a fact matches.

        Args:
            fact: a flat JSON object of integers and strings with the guard, without an id.
        """
        with self._lock:
            self._count += 1
            return sorted({int(name[1:]) for name in self._run(f'{{"id":"f{self._count}",{fact[1:]}')})

    def close(self) -> None:
        """Free it; safe because the sentinel fired."""
        with self._lock:
            if self._handle is not None:
                extension.delete_state(self._handle, None)
                extension.delete_ruleset(self._handle)
                self._handle = None


def serve(connection: Connection) -> None:
    """Answer until the parent closes its end."""
    shards: dict[str, DurableShard] = {}
    texts: dict[str, str] = {}
    generation = 0
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        signal.alarm(BATCH_SECONDS)
        texts.update(message.get("load", {}))
        for name in message.get("drop", ()):
            texts.pop(name, None)
            if name in shards:
                shards.pop(name).close()
        if "match" in message:
            name = message["match"]
            try:
                if name not in shards:
                    generation += 1
                    shards[name] = DurableShard(f"{name}-{generation}", texts[name])
                answer: dict[str, object] = {"hits": [shards[name].match(fact) for fact in message["facts"]]}
            except Exception as error:
                # Whatever went wrong, the shard's state is unknown: discard it, the next use builds another.
                shards.pop(name, None)
                answer = {"error": f"{type(error).__name__}: {error}"}
            try:
                connection.send_bytes(json.dumps(answer, separators=(",", ":")).encode())
            except OSError:
                return
        signal.alarm(0)


def main() -> None:
    """Serve the socket named on the command line."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end ends us
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
