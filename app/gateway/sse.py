"""Server-sent events, byte by byte (https://html.spec.whatwg.org/multipage/server-sent-events.html). Pure."""

from typing import Final

import msgspec

RETRY_MS: Final = 1_000
BEAT: Final = b": beat\n\n"
RETRY: Final = b"retry: %d\n\n" % RETRY_MS
ANEW: Final = b"id\n" + RETRY
"""Come again, as if for the first time: the empty id makes the browser forget the last one."""


def list_message(state_version: int, view: bytes) -> bytes:
    """A list; JSON has no line ends, so it is one line of data."""
    return b"id: %d\nevent: recommendations\ndata: %b\n\n" % (state_version, view)


def forgotten_message(user_id: str) -> bytes:
    """The user was erased. The empty id makes the browser forget the last one."""
    return b"id\nevent: forgotten\ndata: %b\n\n" % msgspec.json.encode({"user_id": user_id})


def figures_message(figures: bytes) -> bytes:
    """Figures of the pipeline."""
    return b"event: pipeline\ndata: %b\n\n" % figures


def last_event_id(header: str | None) -> int | None:
    """The state version after which a stream goes on; None: from the newest list."""
    try:
        return int(header) if header else None
    except ValueError:
        return None
