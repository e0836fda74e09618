"""From events to the rows that the store keeps, and what an event changes in rows kept before. Pure.

Nothing here knows files. A forgotten user's rows go, also those of the anonymous visitor whom the user turned out to
be. With `HandOver`, which the stream agents send after an `Identify`, an anonymous visitor's rows become the user's: it
lies in the anonymous visitor's own partition, so in the order of what that visitor did.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs

from app.contracts.events import AddToCart, Event, Forget, HandOver, Purchase, Rate
from app.data.formats.kept import COLUMNS
from app.interests.intake import ReceivedEvent
from app.interests.item_kinds import ITEM_KINDS

SCHEMA: Final = pa.schema(
    [pa.field("number", pa.int64()), *COLUMNS, pa.field("origin", pa.string()), pa.field("event", pa.int64())]
)
"""What a snapshot holds, and more: `number` counts all rows that were ever stored; `origin` is whose row it was before
it was handed over; `event` is a hash of the event's id, by which one sent twice is recognised."""


class Row(Struct, frozen=True, gc=False):
    """One event on an item, not stored yet; the fields are those of `SCHEMA` by name."""

    user: str
    origin: str | None
    item: str
    ts_ms: int
    kind: int
    rating: float | None
    quantity: float | None
    place: str | None
    event: int


class Change(Struct, frozen=True, kw_only=True):
    """What became of a user's rows with a number below `before`.

    Args:
        user_id: whose.
        before: see above.
        heir_id: they are this user's from then on; None: they are erased.
        at_ms: when it was learned.
    """

    user_id: str
    before: int
    heir_id: str | None = None
    at_ms: int


def row_of(received: ReceivedEvent, now_ms: int) -> Row | None:
    """The row of an event; None where it is on no item, or says nothing of interests (impressions, searches).

    No event is later than Kafka received it nor than now (ms since 1970, the clock here): clocks that are ahead would
    mix up before and after.
    """
    event = received.event
    kind = ITEM_KINDS.get(type(event))
    if kind is None:
        return None
    return Row(
        user=event.user_id,
        origin=None,
        item=event.item_id,  # type: ignore[union-attr]  # an event of ITEM_KINDS has one
        ts_ms=min(event.ts_ms, received.received_ts_ms, now_ms),
        kind=kind.kind[0],
        rating=event.rating if isinstance(event, Rate) else None,
        quantity=event.quantity if isinstance(event, Purchase | AddToCart) else None,
        place=event.place,  # type: ignore[union-attr]  # as above
        event=event_hash(event),
    )


def event_hash(event: Event) -> int:
    """64 bits of the user's and the event's id."""
    return int.from_bytes(blake2b(f"{event.user_id}\0{event.event_id}".encode(), digest_size=8).digest(), signed=True)


def change_of(event: Event, before: int, now_ms: int) -> Change | None:
    """What the event changes in rows below this number; None: nothing."""
    if isinstance(event, Forget):
        return Change(user_id=event.user_id, before=before, at_ms=now_ms)
    if isinstance(event, HandOver):
        return Change(user_id=event.user_id, before=before, heir_id=event.heir_id, at_ms=now_ms)
    return None


class Buffer:
    """Rows that are not stored yet, with what later events changed in them."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._given = False
        self.events = 0

    def add(self, row: Row) -> None:
        """One more."""
        self._rows.setdefault(row.user, []).append(row)
        self.events += 1

    def apply(self, change: Change) -> None:
        """To all rows there are, whatever `before` says: they came before the event of this change."""
        rows = self._rows.pop(change.user_id, [])
        if change.heir_id is not None:
            given = [_given(row, change.heir_id) for row in rows]
            self._rows.setdefault(change.heir_id, []).extend(given)
            self._given = True
            return
        self.events -= len(rows)
        for user, others in self._rows.items() if self._given else ():
            kept = [row for row in others if row.origin != change.user_id]
            self.events -= len(others) - len(kept)
            self._rows[user] = kept

    def table(self, first_number: int) -> pa.Table:
        """All of them in the order of their times: what a backlog of many partitions mixed up is in order again."""
        rows = sorted((row for of_user in self._rows.values() for row in of_user), key=lambda row: row.ts_ms)
        columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names if name != "number"}
        return pa.table({"number": np.arange(first_number, first_number + len(rows)), **columns}, schema=SCHEMA)


def changed(table: pa.Table, changes: Sequence[Change]) -> pa.Table:
    """Stored rows with these changes, in their order; the very same table where none of them touches it."""
    by_user: dict[str, list[_Numbered]] = {}
    for number, change in enumerate(changes):
        by_user.setdefault(change.user_id, []).append(_Numbered(number, change))
    users = pa.array(by_user, pa.string())
    touched = pc.or_(pc.is_in(table["user"], users), pc.is_in(table["origin"], users)).to_numpy()
    places = np.flatnonzero(touched)
    if not len(places):
        return table
    kept = np.ones(table.num_rows, np.bool_)
    owners, origins = table["user"].to_pylist(), table["origin"].to_pylist()
    for place, number in zip(places.tolist(), table["number"].to_numpy()[places].tolist(), strict=True):
        owner = _owner(number, owners[place], origins[place], by_user)
        if owner is None:
            kept[place] = False
        elif owner != owners[place]:
            origins[place], owners[place] = origins[place] or owners[place], owner
    for name, column in (("user", owners), ("origin", origins)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(column, pa.string()))
    return table.filter(pa.array(kept))


class _Numbered(NamedTuple):
    place: int
    change: Change


def _owner(number: int, owner: str, origin: str | None, by_user: Mapping[str, Sequence[_Numbered]]) -> str | None:
    """Whose row it is in the end; None where it was erased."""
    done = -1
    while True:
        coming = [
            each
            for user in {owner, origin or owner}
            for each in by_user.get(user, ())
            if each.place > done and number < each.change.before and (each.change.heir_id is None or user == owner)
        ]
        if not coming:
            return owner
        done, change = min(coming, key=lambda each: each.place)
        if change.heir_id is None:
            return None
        owner, origin = change.heir_id, origin or owner


def _given(row: Row, heir: str) -> Row:
    return structs.replace(row, user=heir, origin=row.origin or row.user)
