"""Changelog records into the hot table in bulk: one RocksDB write for all that a poll brought.

Faust's own recovery handles one record at a time (11,000 rows a second). Here a poll's records are written at once,
Faust's books are set to the last of them, and only that one is handed on: Faust drops it as seen, and looks whether
recovery has ended.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from faust.types import TP

from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.recovery import Restoration
from stream_agents.batch_path.table import PartitionLost


class ChangelogRestorer:
    """Restores the active and standby partitions of the hot table."""

    def __init__(self, parts: PathParts) -> None:
        self._parts = parts
        self._restorations: dict[int, Restoration] = {}

    def restore(self, polled: Mapping[TP, Sequence[Any]], recovery: Any, *, restored: bool) -> dict[TP, list[Any]]:
        """Write the hot table's records; what is left for Faust: those of other topics, and each last one.

        Once the active partitions are `restored` they have a writer. A poll that was under way at that moment may
        still bring what this writer, or a stranger, has just appended: neither may move the table's offset from here.
        """
        left: dict[TP, list[Any]] = {}
        for tp, records in polled.items():
            if tp.topic != self._parts.hot.changelog:
                left[tp] = list(records)
            elif restored and tp in recovery.active_tps:
                continue
            elif records and self._write(tp, records, recovery):
                left[tp] = [records[-1]]
        return left

    def overruled(self, partition: int) -> set[bytes]:
        """Keys whose rows must be asserted again, now that the partition is served."""
        restoration = self._restorations.get(partition)
        return set() if restoration is None else restoration.overruled

    def newest_version(self, partition: int) -> int:
        """The highest source offset in the restored records; -1 when nothing was restored."""
        restoration = self._restorations.get(partition)
        return -1 if restoration is None else restoration.newest_version

    def asserted(self, partition: int) -> None:
        """It was done; what was remembered for the restoration is not needed any more."""
        self._restorations.pop(partition, None)

    def forget(self) -> None:
        """The partitions were revoked."""
        self._restorations.clear()

    def _write(self, tp: TP, records: Sequence[Any], recovery: Any) -> bool:
        offsets = recovery.active_offsets if tp in recovery.active_tps else recovery.standby_offsets
        if tp not in recovery.active_tps and tp not in recovery.standby_tps:
            return False
        table = self._parts.table
        try:
            seen = table.changelog_offset(tp.partition)
            new = [record for record in records if record.offset > seen]
            if new:
                restoration = self._restorations.setdefault(tp.partition, Restoration(self._parts.hot.row_version))
                rows = restoration.choose(new, partial(table.read, tp.partition))
                table.write(tp.partition, rows, new[-1].offset)
                self._parts.observer.rows_restored(tp.partition, len(new))
        except PartitionLost:
            return False
        offsets[tp] = max(offsets.get(tp) or -1, records[-1].offset)
        return True
