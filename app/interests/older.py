"""What is left of items whose interactions are behind the newest ones: one record of fixed length each. Pure.

A record says how often, how lately, in what rhythm and where; category, brand and price are not in it, because they are
facts of the item, which the catalog knows and may change: whoever reads the state looks them up by the item's id.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from app.interests.columns import MOST_COUNTED, RECORD, pack_ids
from app.interests.state import OlderItem, OlderItems, decode_older

OCCASION_GAP_MS: Final = 30 * 60_000
"""A longer time without an item begins a new occasion of it, and a longer time without anything a new visit."""

DAILY_DECAY: Final = 0.99
MS_PER_DAY: Final = 86_400_000
_BITS: Final = struct.Struct("<H")
_PLACES_AT: Final = 6  # bytes into a record
_LAST: Final = 5  # the last time's number among a record's fields
_encode: Final = msgspec.msgpack.Encoder().encode


class Leaving(Struct, frozen=True, gc=False):
    """An interaction that leaves the newest ones; `place` is the number of one the user knows."""

    item_id: str
    kind: int
    ts_ms: int
    place: int


class OlderBounds(NamedTuple):
    """At most `max_items`, none of them last touched before `oldest_ms`."""

    max_items: int
    oldest_ms: int


def retire(older: Raw, leaving: Sequence[Leaving], bounds: OlderBounds) -> Raw:
    """Take interactions, oldest first, into their items' records, which move to the end; those at the front go first.

    The others' records stay bytes: a thousand objects would cost more than all the events between two cuts.
    """
    items = decode_older(older)
    ids, records = items.item_ids(), bytearray(items.records)
    touched, taken = {each.item_id for each in leaving}, dict[str, OlderItem]()
    for number in reversed([number for number, item_id in enumerate(ids) if item_id in touched]):
        at = number * RECORD.size
        taken[ids.pop(number)] = OlderItem(*RECORD.unpack_from(records, at))
        del records[at : at + RECORD.size]
    for each in leaving:
        item = taken.pop(each.item_id, None)
        taken[each.item_id] = _fresh(each) if item is None else _grown(item, each)
    moved = OlderItems.of(taken)
    return _bounded(OlderItems(pack_ids(ids) + moved.ids, bytes(records) + moved.records), bounds)


def merge(older: Raw, theirs: Mapping[str, OlderItem], bounds: OlderBounds) -> Raw:
    """Take over what another had to do with, in the order of last times.

    Of an item that both know the larger of two numbers stays and not their sum: who logs in again and again brings the
    same past each time, and it must count once.
    """
    items = decode_older(older).items()
    for item_id, their in theirs.items():
        own = items.get(item_id)
        items[item_id] = their if own is None else _joined(own, their)
    return _bounded(OlderItems.of(dict(sorted(items.items(), key=_last_time))), bounds)


def without_place(older: Raw, number: int) -> Raw:
    """What happened at the user's place of this number happened at one that is not known."""
    items = decode_older(older)
    records = bytearray(items.records)
    for at in range(_PLACES_AT, len(records), RECORD.size):
        (places,) = _BITS.unpack_from(records, at)
        if places >> number & 1:
            _BITS.pack_into(records, at, places & ~(1 << number) | 1)
    return Raw(_encode(OlderItems(items.ids, bytes(records))))


def newer_half(older: Raw) -> Raw | None:
    """Without the half that left first; None where there is nothing to leave out."""
    items = decode_older(older)
    ids = items.item_ids()
    return Raw(_encode(_since(items, len(ids) // 2 + 1))) if ids else None


def decay(time_ms: int) -> float:
    """What one of that age still counts."""
    return float(DAILY_DECAY ** (time_ms / MS_PER_DAY))


def _fresh(one: Leaving) -> OlderItem:
    return OlderItem(1 << one.kind, 1, 1, 1 << one.place, 1.0, one.ts_ms, one.ts_ms)


def _grown(item: OlderItem, more: Leaving) -> OlderItem:
    ts_ms = more.ts_ms
    last_ms, first_ms = max(item.last_ts_ms, ts_ms), min(item.first_ts_ms, ts_ms)
    decayed, occasions = item.decayed * decay(last_ms - item.last_ts_ms), item.occasions
    # One that comes late, between two ends that are all that is known of the others, is near one of them or on its own.
    if abs(ts_ms - item.last_ts_ms) > OCCASION_GAP_MS < abs(ts_ms - item.first_ts_ms):
        occasions, decayed = occasions + 1, decayed + decay(last_ms - ts_ms)
    return OlderItem(
        item.kinds | 1 << more.kind,
        min(item.count + 1, MOST_COUNTED),
        min(occasions, MOST_COUNTED),
        item.places | 1 << more.place,
        decayed,
        last_ms,
        first_ms,
    )


def _joined(one: OlderItem, other: OlderItem) -> OlderItem:
    last_ms = max(one.last_ts_ms, other.last_ts_ms)
    return OlderItem(
        one.kinds | other.kinds,
        max(one.count, other.count),
        max(one.occasions, other.occasions),
        one.places | other.places,
        max(each.decayed * decay(last_ms - each.last_ts_ms) for each in (one, other)),
        last_ms,
        min(one.first_ts_ms, other.first_ts_ms),
    )


def _bounded(items: OlderItems, bounds: OlderBounds) -> Raw:
    """Without those at the front that are too many, and then without those that are too old."""
    count = len(items.records) // RECORD.size
    first = max(0, count - bounds.max_items)
    while first < count and RECORD.unpack_from(items.records, first * RECORD.size)[_LAST] < bounds.oldest_ms:
        first += 1
    return Raw(_encode(_since(items, first)))


def _since(items: OlderItems, first: int) -> OlderItems:
    if not first:
        return items
    return OlderItems(pack_ids(items.item_ids()[first:]), items.records[first * RECORD.size :])


def _last_time(item: tuple[str, OlderItem]) -> int:
    return item[1].last_ts_ms
