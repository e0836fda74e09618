"""What the shelf has for whoever waits for an event, or comes back to a stream."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.requests import Request

from app.contracts.recommendations import Cause, encode_recommendations
from app.gateway.auth import AccessRules, Doorkeeper
from app.gateway.catalog import Catalog
from app.gateway.doors import Doors
from app.gateway.endpoints import ListDesk, ListEndpoints
from app.gateway.health import Health
from app.gateway.metrics import EVENT_TO_GATEWAY, TABLE
from app.gateway.response import EventStream, StreamTerms
from app.gateway.shelf import Awaited, Shelf, ShelfParts
from app.gateway.streams import Listeners
from app.observability import Metrics
from tests.support.gateway import lists_of

NOW_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes | None
    offset: int


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(ShelfParts(tmp_path, 1, Catalog(), Listeners(), Metrics(TABLE), lambda: 5), "topic-id")
    yield shelf
    shelf.close()


def reflects(shelf: Shelf, event: Awaited, version: int, cause: str) -> bool:
    lists = encode_recommendations(lists_of("ann", version, "fargo", event_id=cause))
    shelf.take({0: [Record(b"ann", lists, version)]})
    return shelf.reflects(event, shelf.row("ann"))


def test_a_list_reflects_what_lies_before_its_newest_event(shelf: Shelf) -> None:
    bought = Awaited("bought", 7)
    assert not shelf.reflects(bought, None)
    assert not reflects(shelf, bought, 6, "viewed")
    assert reflects(shelf, bought, 8, "liked")


def test_an_event_sent_again_is_reflected_by_the_list_that_its_first_copy_caused(shelf: Shelf) -> None:
    # Kafka had it at 7 already, but its answer was late: the gateway said 503
    assert reflects(shelf, Awaited("bought", 9), 7, "bought")


async def first_message(shelf: Shelf, last_event_id: str) -> bytes:
    """What ann's stream begins with for a browser that comes back."""
    metrics, health = Metrics(TABLE), Health(lambda: 0.0, {})
    doors = Doors(Doorkeeper(AccessRules(open_access=True, keys=(), token_secret="", max_ttl_s=1), lambda: 0.0), health)
    desk = ListDesk(doors, shelf, StreamTerms(Listeners(), 1.0, metrics), max_streams=1)
    headers = [(b"last-event-id", last_event_id.encode())]
    scope = {"type": "http", "headers": headers, "query_string": b"", "path_params": {"user_id": "ann"}}
    stream = await ListEndpoints(desk).stream(Request(scope))
    assert isinstance(stream, EventStream)
    return stream._first()  # noqa: SLF001  # the rest is tested with the stream


async def test_whoever_was_forgotten_while_their_browser_was_away_is_told_when_it_comes_back(shelf: Shelf) -> None:
    shelf.take({0: [Record(b"ann", encode_recommendations(lists_of("ann", 7, "fargo")), 0)]})
    assert await first_message(shelf, "7") == b""
    assert (await first_message(shelf, "6")).startswith(b"id: 7\n")
    shelf.take({0: [Record(b"ann", None, 1)]})
    assert (await first_message(shelf, "7")).startswith(b"id\nevent: forgotten\n")
    assert await first_message(shelf, "-1") == b""


def test_lists_that_are_read_again_say_nothing_of_how_long_lists_take(tmp_path: Path) -> None:
    metrics, now_ms = Metrics(TABLE), [NOW_MS]
    shelf = Shelf(ShelfParts(tmp_path, 1, Catalog(), Listeners(), metrics, lambda: now_ms[0]), "topic-id")

    def observed(received_ts_ms: int) -> list[float | None]:
        lists = replace(lists_of("ann", received_ts_ms, "fargo"), cause=Cause("e", received_ts_ms, received_ts_ms))
        shelf.take({0: [Record(b"ann", encode_recommendations(lists), 0)]})
        name = EVENT_TO_GATEWAY.name
        return [metrics.registry.get_sample_value(f"{name}_{part}") for part in ("count", "sum")]

    assert observed(NOW_MS - 86_400_000) == [0, 0]
    now_ms[0] += 2_000
    assert observed(NOW_MS + 1_000) == [1, 1]
    shelf.start_over("another-id")
    assert observed(NOW_MS + 1_500) == [1, 1]
    shelf.close()
