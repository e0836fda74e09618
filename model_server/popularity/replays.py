"""Knows when a partition of the events topic is read again from an earlier place: made anew, restored, or cut off.

What was counted before is not counted twice. Only time can tell, for a topic made anew has other offsets: until the
first event comes that is newer than all that was read, older ones are taken for known.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.interests.intake import SourceRecord
from model_server.popularity.told import Told

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Read:
    """Of one partition: where it goes on, how new its touches were, and up to when all is known (-1: nothing is)."""

    next_offset: int = 0
    newest_ts_ms: int = -1
    known_until_ms: int = -1


class Replays:
    """See the module."""

    def __init__(self) -> None:
        self._read: dict[int, _Read] = {}

    def without(self, partition: int, records: Sequence[SourceRecord], told: Told, now_ms: int) -> Told:
        """What these records, the partition's next ones, tell that was not told before.

        Whoever wants to be forgotten is forgotten again.
        """
        read = self._read.setdefault(partition, _Read())
        if records[0].offset < read.next_offset:
            logger.warning(
                "Partition %d of the events goes on at %d instead of %d: what was counted is not counted again.",
                partition, records[0].offset, read.next_offset,
            )  # fmt: skip
            read.known_until_ms = read.newest_ts_ms
        read.next_offset = records[-1].offset + 1
        new = [touch for touch in told.touches if touch.ts_ms > read.known_until_ms]
        if new:
            read.known_until_ms = -1
            # A clock that is ahead must not make what others do after it look old.
            read.newest_ts_ms = max(read.newest_ts_ms, min(max(touch.ts_ms for touch in new), now_ms))
        return told if len(new) == len(told.touches) else replace(told, touches=new)
