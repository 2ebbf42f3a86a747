"""A mail server that takes everything, notes when, and keeps nothing: cheap enough not to be what is measured.

python -m benchmarks.sink          prints its port; ends when its input does, and tells what it took
"""

import asyncio
import json
import re
import resource
import sys
import time

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.MULTILINE | re.IGNORECASE)


class Conversation(asyncio.Protocol):
    """One connection, line by line."""

    def __init__(self, taken: list[tuple[float, str, int]]) -> None:
        self.taken = taken
        self.waiting = b""
        self.in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._say(b"220 sink")

    def data_received(self, data: bytes) -> None:
        """Go on as far as whole lines, or a whole content, have come."""
        self.waiting += data
        while self.waiting:
            if self.in_content:
                content, end, rest = self.waiting.partition(b"\r\n.\r\n")
                if not end:
                    return
                self.waiting, self.in_content = rest, False
                found = MESSAGE_ID.search(content)
                self.taken.append((time.monotonic(), found[1].decode() if found else "", len(content)))
                self._say(b"250 taken")
                continue
            line, end, rest = self.waiting.partition(b"\r\n")
            if not end:
                return
            self.waiting = rest
            verb = line[:4].upper()
            self.in_content = verb == b"DATA"
            self._say(
                {b"DATA": b"354 go on", b"QUIT": b"221 bye", b"EHLO": b"250-sink\r\n250 8BITMIME"}.get(verb, b"250 ok")
            )

    def _say(self, text: bytes) -> None:
        self.transport.write(text + b"\r\n")


async def _serve() -> list[tuple[float, str, int]]:
    taken: list[tuple[float, str, int]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(taken), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    return taken


def main() -> None:
    """Take mails until the input ends; then print what was taken and the CPU time it cost."""
    taken = asyncio.run(_serve())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"taken": taken, "cpu": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()
