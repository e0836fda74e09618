"""The event store: what visitors did, on local disk, bounded, in an order that never changes.

Rows and the offsets they came from are published by one rename. A process that is killed anywhere leaves the store as
it was before or after: what had not been published is read again from Kafka. One process, one thread at a time.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs
from pyarrow import parquet

from app.files import sync
from app.interests.intake import ReceivedEvent
from model_server.learning.manifest import Manifest, Segment, read_manifest, write_manifest
from model_server.learning.rows import SCHEMA, Buffer, change_of, changed, event_hash, row_of

Passing = Callable[[str], None]
"""Told of every step behind which a kill would be interesting."""

_FULL: Final = 250_000  # rows of a segment that is merged no more
_RUN: Final = 8  # segments that are worth merging
_REMEMBERED: Final = 200_000  # newest events, by which one sent twice is recognised
_MOST_CHANGES: Final = 10_000
_MS_PER_DAY: Final = 86_400_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; whole segments go, so up to 250,000 rows more.

    Args:
        events: at most so many rows.
        age_days: of a row, seen from the newest that came from the topic; none is newer than the clock here says. Data
            that a store began with is as old as it was at its own end, and ages from then on by the clock.
        erase_within_s: so long a forgotten user's rows may still lie in a file that nobody reads without leaving
            them out.
    """

    events: int
    age_days: int
    erase_within_s: float


def nothing_happens(_step: str) -> None:
    """Nobody wants to know."""


class EventStore:
    """See the module.

    Args:
        folder: belongs to it.
        bounds: how much is kept.
        passing: see `Passing`.
    """

    def __init__(self, folder: Path, bounds: Bounds, passing: Passing = nothing_happens) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._bounds = bounds
        self._passing = passing
        self._manifest = read_manifest(folder)
        self._buffer = Buffer()
        self._offsets = dict(self._manifest.offsets)
        self._changes = list(self._manifest.changes)
        self._remove_unnamed()
        self._seen = self._newest_hashes()

    @property
    def manifest(self) -> Manifest:
        """What is published."""
        return self._manifest

    @property
    def pending(self) -> int:
        """Rows that are not published yet."""
        return self._buffer.events

    @property
    def rows(self) -> int:
        """Rows that are published."""
        return sum(segment.rows for segment in self._manifest.segments)

    @property
    def size_bytes(self) -> int:
        """Of the segments."""
        return sum(segment.size_bytes for segment in self._manifest.segments)

    def take(self, partition: int, events: Iterable[ReceivedEvent], next_offset: int, now_ms: int) -> int:
        """A partition's next events, and where it goes on; returns how many became rows. Published by `publish`."""
        before = self._buffer.events
        for received in events:
            change = change_of(received.event, self._manifest.taken, now_ms)
            if change is not None:
                self._changes.append(change)
                self._buffer.apply(change)
            elif (row := row_of(received, now_ms)) is not None and self._is_new(event_hash(received.event)):
                self._buffer.add(row)
        self._offsets[partition] = next_offset
        return max(0, self._buffer.events - before)

    def publish(self, now_ms: int) -> None:
        """Put everything taken on disk, with its offsets; then tidy up if it is time."""
        if (
            self._buffer.events
            or self._offsets != self._manifest.offsets
            or len(self._changes) > len(self._manifest.changes)
        ):
            self.append([self._buffer.table(self._manifest.taken)], now_ms)
            self._buffer = Buffer()
        if self._changes and (
            len(self._changes) > _MOST_CHANGES or now_ms - self._changes[0].at_ms >= self._bounds.erase_within_s * 1_000
        ):
            self._erase()
        self._merge()

    def append(self, tables: Iterable[pa.Table], now_ms: int, past: str | None = None) -> None:
        """Publish rows numbered from `manifest.taken` on; `past` names the data that they are from."""
        manifest = self._manifest
        added, taken, files = [], manifest.taken, manifest.files
        for table in tables:
            if table.num_rows:
                added.append(self._write(files, table))
                taken, files = taken + table.num_rows, files + 1
        self._passing("segment written")
        if past is not None:
            shift_ms = now_ms - max((segment.newest_ts_ms for segment in added), default=now_ms)
            manifest = structs.replace(manifest, past=past, past_rows=taken, past_shift_ms=shift_ms)
        manifest = structs.replace(manifest, taken=taken, files=files, segments=(*manifest.segments, *added))
        self._publish(
            structs.replace(
                manifest,
                segments=self._bounded(manifest, now_ms),
                offsets=dict(self._offsets),
                changes=tuple(self._changes),
            )
        )

    def read(self, until: int) -> Iterator[pa.Table]:
        """The rows numbered below `until`, segment by segment, without what was erased."""
        for segment in self._manifest.segments:
            if segment.first < until:
                table = changed(self._table(segment), self._changes)
                yield table.filter(pc.less(table["number"], until)) if segment.last >= until else table

    def _erase(self) -> None:
        """Make the changes in the segments themselves."""
        manifest, segments = self._manifest, []
        files = manifest.files
        for segment in manifest.segments:
            table = self._table(segment)
            kept = changed(table, self._changes)
            if kept is table:
                segments.append(segment)
            elif kept.num_rows:
                segments.append(self._write(files, kept))
                files += 1
        self._passing("segments rewritten")
        self._changes = []
        self._publish(structs.replace(manifest, segments=tuple(segments), files=files, changes=()))

    def _merge(self) -> None:
        """The newest segments become one where each is no larger than all after it: every row moves a few times."""
        manifest = self._manifest
        start = run_to_merge([segment.rows for segment in manifest.segments])
        run = manifest.segments[start:]
        if len(run) < _RUN:
            return
        merged = self._write(manifest.files, pa.concat_tables([self._table(segment) for segment in run]))
        self._passing("segments merged")
        segments = (*manifest.segments[:start], merged)
        self._publish(structs.replace(manifest, segments=segments, files=manifest.files + 1))

    def _publish(self, manifest: Manifest) -> None:
        write_manifest(self._folder, manifest)
        self._manifest = manifest
        self._passing("manifest written")
        self._remove_unnamed()

    def _write(self, number: int, table: pa.Table) -> Segment:
        path = self._folder / f"{number:08d}.parquet"
        parquet.write_table(table, path)
        sync(path)
        numbers = table["number"]
        return Segment(
            file=path.name,
            rows=table.num_rows,
            first=numbers[0].as_py(),
            last=numbers[-1].as_py(),
            newest_ts_ms=pc.max(table["ts_ms"]).as_py(),
            size_bytes=path.stat().st_size,
        )

    def _bounded(self, manifest: Manifest, now_ms: int) -> tuple[Segment, ...]:
        age_ms = self._bounds.age_days * _MS_PER_DAY
        live = [segment.newest_ts_ms for segment in manifest.segments if segment.last >= manifest.past_rows]
        oldest_live_ms = min(max(live, default=now_ms), now_ms) - age_ms
        oldest_past_ms = now_ms - manifest.past_shift_ms - age_ms
        kept: list[Segment] = []
        for segment in manifest.segments:
            oldest_ms = oldest_live_ms if segment.last >= manifest.past_rows else oldest_past_ms
            if segment.newest_ts_ms < oldest_ms:
                logger.warning(
                    "%d events go: all are older than the %d days that are kept.", segment.rows, self._bounds.age_days
                )
            elif segment.last >= manifest.taken - self._bounds.events:
                kept.append(segment)
        return tuple(kept)

    def _table(self, segment: Segment) -> pa.Table:
        return parquet.read_table(self._folder / segment.file, schema=SCHEMA)

    def _is_new(self, event: int) -> bool:
        if event in self._seen:
            return False
        self._seen[event] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _newest_hashes(self) -> OrderedDict[int, None]:
        parts: list[list[int]] = []
        missing = _REMEMBERED
        for segment in reversed(self._manifest.segments):
            if missing > 0:
                hashes = parquet.read_table(self._folder / segment.file, columns=["event"])["event"]
                parts.append(hashes.drop_null().to_pylist()[-missing:])
                missing -= len(parts[-1])
        return OrderedDict.fromkeys(each for part in reversed(parts) for each in part)

    def _remove_unnamed(self) -> None:
        named = {segment.file for segment in self._manifest.segments}
        for path in self._folder.glob("*.parquet"):
            if path.name not in named:
                path.unlink()


def run_to_merge(rows: Sequence[int]) -> int:
    """Where the run of newest segments begins that are merged into one, if it is long enough to be worth it."""
    start, total = len(rows), 0
    while start and (total == 0 or rows[start - 1] <= total) and total + rows[start - 1] <= _FULL:
        start -= 1
        total += rows[start]
    return start
