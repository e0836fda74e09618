"""What the shelf says of an event that somebody waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.contracts.recommendations import encode_recommendations
from app.gateway.catalog import Catalog
from app.gateway.metrics import TABLE
from app.gateway.recent import RecentEvents
from app.gateway.shelf import Shelf, ShelfParts
from app.gateway.streams import Listeners
from app.observability import Metrics
from tests.support.gateway import lists_of


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes
    offset: int


@pytest.fixture
def recent() -> RecentEvents:
    return RecentEvents(10)


@pytest.fixture
def shelf(tmp_path: Path, recent: RecentEvents) -> Iterator[Shelf]:
    shelf = Shelf(ShelfParts(tmp_path, 1, Catalog(), Listeners(), recent, Metrics(TABLE), lambda: 5), "topic-id")
    yield shelf
    shelf.close()


def reflects(shelf: Shelf, event_id: str, version: int, cause: str) -> bool:
    lists = encode_recommendations(lists_of("ann", version, "fargo", event_id=cause))
    shelf.take({0: [Record(b"ann", lists, version)]})
    return shelf.reflects("ann", event_id, shelf.row("ann"))


def test_a_list_reflects_what_lies_before_its_newest_event(shelf: Shelf, recent: RecentEvents) -> None:
    recent.remember("ann", "bought", 7)
    assert not shelf.reflects("ann", "bought", None)
    assert not reflects(shelf, "bought", 6, "viewed")
    assert reflects(shelf, "bought", 8, "liked")


def test_an_event_sent_again_is_reflected_by_the_list_that_its_first_copy_caused(
    shelf: Shelf, recent: RecentEvents
) -> None:
    recent.remember("ann", "bought", 9)  # Kafka had it at 7 already, but its answer was late: the gateway said 503
    assert reflects(shelf, "bought", 7, "bought")
