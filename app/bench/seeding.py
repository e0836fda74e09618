"""A shop with a past, made at once: users' states in the changelog, as the agents would have left them there.

Folding a million users' histories takes minutes; writing the rows that would come of it takes seconds. Rows are
encoded by the agents' own codec; each stands in the changelog once, as after compaction. The group's offsets are set
behind the events that the states speak of.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.bench.log import append, commit
from app.bench.traffic import FIRST_TS_MS, ITEMS, KeyValue, Visitors, draw_events, item_id
from app.interests.state import Interaction, Kind, StateCause, UserState, encode_state
from app.kafka.access import KafkaAccess
from app.kafka.topics import Topics

PAST_EVENTS: Final = 2_000
"""Real events at the head of the log, so that the states' versions are offsets that exist."""

_TEMPLATES: Final = 1_009
_TS_STEP_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Past:
    """How many users did something before, and how many interactions of each are remembered."""

    users: int
    interactions: int
    seed: int


@dataclass(frozen=True, slots=True)
class Seeded:
    """Who has a past now, and how many bytes a user takes in the changelog (key and state)."""

    visitors: Visitors
    row_bytes: int


def seed_past(access: KafkaAccess, topics: Topics, past: Past) -> Seeded:
    """Fill fresh topics; nobody may be in the agents' group."""
    partitions = topics.events.partitions
    visitors = Visitors.of(past.users, partitions)
    rng = np.random.default_rng(past.seed)
    history = draw_events(visitors, PAST_EVENTS, rng)
    ends = [len(log) for log in history]
    rows = [_rows(visitors, number, ends[number], past) for number in range(partitions)]

    async def fill() -> None:
        await append(access, topics.events.name, history)
        await append(access, topics.interests_changelog.name, rows)
        await commit(access, topics.app_id, topics.events.name, ends)

    asyncio.run(fill())
    key, row = next(_rows(visitors, 0, ends[0], past))
    return Seeded(visitors, len(key) + len(row))


def _rows(visitors: Visitors, partition: int, end: int, past: Past) -> Iterator[KeyValue]:
    """The states of a partition's users; a generator, because a million of them need not be in memory."""
    templates = _histories(past)
    for number in np.flatnonzero(visitors.homes == partition).tolist():
        user_id = visitors.ids[number]
        yield user_id.encode(), encode_state(_state(number, number % end, templates[number % _TEMPLATES]))


def _state(number: int, version: int, interactions: list[Interaction]) -> UserState:
    newest = interactions[-1]
    # Any distinct 64-bit numbers do for the hashes of event ids.
    hashes = [(number * 1_000 + place) * 0x9E37_79B9_7F4A_7C15 % 2**64 for place in range(min(32, len(interactions)))]
    return UserState.of(
        version,
        StateCause(f"event-{number:010d}", "view", newest.ts_ms, newest.ts_ms),
        interactions,
        recent_events=b"".join(each.to_bytes(8) for each in hashes),
    )


def _histories(past: Past) -> list[list[Interaction]]:
    """Some histories that users share, which no row shows: drawing a million would take longer than writing them."""
    items = np.random.default_rng(past.seed).integers(ITEMS, size=(_TEMPLATES, past.interactions)).tolist()
    start_ms = FIRST_TS_MS - past.interactions * _TS_STEP_MS
    return [
        [Interaction(item_id(item), Kind.VIEW, start_ms + place * _TS_STEP_MS) for place, item in enumerate(row)]
        for row in items
    ]
