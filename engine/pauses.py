"""Pauses between tries: never quite the same, so that many who wait do not come back together."""

from hashlib import sha256


def jittered(pause_us: int, of: str) -> int:
    """A pause with a quarter of jitter either way, drawn from a text: whoever knows it can say when.

    Args:
        pause_us: in the middle, microseconds.
        of: what is tried again.

    >>> 45 <= jittered(60, "a") <= 75, jittered(60, "a") == jittered(60, "a")
    (True, True)
    """
    share = int.from_bytes(sha256(of.encode()).digest()[:4], "big")
    return pause_us * 3 // 4 + pause_us // 2 * share // 2**32
