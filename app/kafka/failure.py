"""Why a local Kafka did not start: in one line where its log has a known cause, with the log's end if not."""

import re
from pathlib import Path

from app.errors import KafkaStartFailed

TAIL_LINES, TAIL_WIDTH = 12, 200
# What Kafka's log says -> what that means and what to do. The first that fits is told.
CAUSES = (
    ("Address already in use", "a port is in use", "Start again: it takes other ports."),
    ("No space left on device", "no disk space", "Free some, or set TMPDIR to another disk."),
    ("Could not reserve enough space", "no memory for its heap of 512 MB", "Free some memory."),
    ("insufficient memory for the Java", "no memory for Java", "Free some memory."),
)


def start_failure(what: str, log: list[str], keep_at: Path) -> KafkaStartFailed:
    """The error to raise; a log whose cause is not known is kept at `keep_at`, since the broker's folder ends.

    Args:
        what: what the broker did, for example `ended after 1.6 s (exit code 1)`.
        log: every line of its log.
        keep_at: the file for the log.
    """
    for sign, meaning, remedy in CAUSES:
        if any(sign in line for line in log):
            return KafkaStartFailed(f"The local Kafka {what}: {meaning}.", hint=remedy)
    keep_at.parent.mkdir(parents=True, exist_ok=True)
    keep_at.write_text("\n".join(log))
    tail = "\n  ".join(line[:TAIL_WIDTH] for line in log[-TAIL_LINES:])
    return KafkaStartFailed(
        f"The local Kafka {what}{_reason(log)}.", hint=f"Its log is kept in {keep_at}; it ends with:\n  {tail}"
    )


def _reason(log: list[str]) -> str:
    """The message of the last exception that Kafka wrote down, if there is one."""
    exceptions = [line for line in log if re.match(r"[\w.$]+(Exception|Error): ", line.strip())]
    return f": {exceptions[-1].partition(': ')[2].strip().rstrip('.')}" if exceptions else ""
