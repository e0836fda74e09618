"""What waits to be scored, what goes first, and what may be committed."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.interests.state import SCHEMA_VERSION, Kind, encode_state
from app.surfaces.touches import history_of
from model_server.requests import Backlog, Request, UnreadableRequest, read_request
from tests.support.states import state_of


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def request(user: str, version: int | None, offset: int, *, partition: int = 0, event_type: str = "view") -> Request:
    state = None if version is None else state_of((Kind.VIEW, "a"), version=version, event_type=event_type)
    return Request(user, state, None if state is None else history_of(state), partition, offset, 0)


def backlog_of(*requests: Request) -> Backlog:
    backlog = Backlog()
    backlog.add(requests)
    for each in requests:
        backlog.read_until(each.partition, each.offset + 1)
    return backlog


def versions(backlog: Backlog) -> dict[str, int | None]:
    batch = backlog.next_batch(100)
    return {each.user_id: None if each.state is None else each.state.state_version for each in batch}


def test_the_newest_state_of_a_user_wins() -> None:
    assert versions(backlog_of(request("ada", 5, 0), request("ada", 9, 1), request("bob", 6, 2))) == {
        "ada": 9,
        "bob": 6,
    }


def test_an_older_state_that_comes_late_changes_nothing() -> None:
    assert versions(backlog_of(request("ada", 9, 0), request("ada", 5, 1))) == {"ada": 9}


def test_forgetting_wins_over_what_lies_before_and_loses_to_what_lies_behind() -> None:
    assert versions(backlog_of(request("ada", 9, 0), request("ada", None, 1))) == {"ada": None}
    assert versions(backlog_of(request("ada", None, 0), request("ada", 3, 1))) == {"ada": 3}


def test_buyers_go_first_but_not_alone() -> None:
    waiting = [request(f"viewer-{place}", 1, place) for place in range(20)]
    waiting += [request(f"buyer-{place}", 1, 20 + place, event_type="purchase") for place in range(20)]
    batch = [each.user_id for each in backlog_of(*waiting).next_batch(8)]
    assert batch == [f"buyer-{place}" for place in range(6)] + ["viewer-0", "viewer-1"]


def test_commits_stop_at_the_oldest_request_that_waits() -> None:
    backlog = backlog_of(request("ada", 1, 10), request("bob", 2, 11), request("eve", 1, 7, partition=1))
    assert backlog.committable() == {0: 10, 1: 7}
    ada, bob, _ = backlog.next_batch(3)
    assert not backlog
    assert backlog.in_hand == 3
    assert backlog.next_batch(3) == []
    backlog.done([bob])
    assert backlog.committable() == {0: 10, 1: 7}
    backlog.done([ada])
    assert backlog.committable() == {0: 12, 1: 7}


def test_a_newer_request_that_came_while_its_user_was_scored_still_waits() -> None:
    backlog = backlog_of(request("ada", 1, 0))
    batch = backlog.next_batch(1)
    backlog.add([request("ada", 2, 1)])
    backlog.read_until(0, 2)
    newer = backlog.next_batch(1)  # both are in hand now
    assert backlog.committable() == {0: 0}
    backlog.done(batch)
    assert backlog.committable() == {0: 1}
    backlog.done(newer)
    assert backlog.committable() == {0: 2}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 9))), max_size=40), st.data())
def test_nothing_is_committed_that_a_crash_would_lose(log: list[tuple[str, int | None]], data: st.DataObject) -> None:
    """Whatever is read again from the committed offset gives every user's last word that was not published."""
    requests = [request(user, version, offset) for offset, (user, version) in enumerate(log)]
    backlog, published, place = Backlog(), set[int](), 0
    while place < len(requests):
        step = data.draw(st.integers(1, 5))
        backlog.add(requests[place : place + step])
        place = min(len(requests), place + step)
        backlog.read_until(0, place)
        batch = backlog.next_batch(data.draw(st.integers(1, 4)))
        published |= {each.offset for each in batch}
        backlog.done(batch)
        committed = backlog.committable().get(0, 0)
        whole = Backlog()
        whole.add(requests[:place])
        for last in whole.next_batch(100):
            assert last.offset in published or last.offset >= committed
    while backlog:
        backlog.done(backlog.next_batch(3))
    if requests:
        assert backlog.committable() == {0: len(requests)}


def test_a_request_is_its_bytes() -> None:
    state = state_of((Kind.VIEW, "a"), version=4)
    read = read_request(Record(b"ada", encode_state(state), partition=2, offset=8, timestamp=9))
    assert read == Request("ada", state, history_of(state), 2, 8, 9)
    assert read_request(Record(b"ada", None)) == Request("ada", None, None, 0, 0, 0)


def test_what_is_no_request_is_a_value_with_a_reason() -> None:
    for record, reason in [
        (Record(b"ada", b"\x09whatever"), "schema version 9"),
        (Record(b"ada", b""), "schema version none"),
        (Record(b"ada", bytes([SCHEMA_VERSION, 0xFF])), "cannot be read"),
        (Record(b"ada", encode_state(replace(state_of((Kind.VIEW, "a")), times=b"\x01"))), "cannot be read"),
        (Record(b"ada", encode_state(replace(state_of((Kind.VIEW, "a")), ids=b"\xa5a"))), "cannot be read"),
        (Record(b"ada", encode_state(replace(state_of((Kind.VIEW, "a")), kinds=b"\x63"))), "cannot be read"),
        (Record(None, b"\x01"), "key"),
        (Record(b"\xff\xfe", None), "utf-8"),
    ]:
        read = read_request(record)
        assert isinstance(read, UnreadableRequest)
        assert reason in read.reason
