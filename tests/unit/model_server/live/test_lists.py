"""What goes to Kafka."""

import base64
from dataclasses import dataclass

from app.contracts.dead_letters import DeadReason, decode_dead_letter
from app.contracts.recommendations import RecommendedItem, decode_recommendations
from app.interests.state import Kind
from app.surfaces.touches import history_of
from model_server.lists import Edition, dead_letter_message, list_messages
from model_server.requests import Request, UnreadableRequest
from model_server.scoring.scorer import Lists
from tests.support.states import state_of

EDITION = Edition("recommendations", "m1", "default")


@dataclass(frozen=True)
class Record:
    key: bytes | None = b"ada"
    value: bytes | None = b"\x63rest"
    partition: int = 3
    offset: int = 8
    timestamp: int = 99


def test_lists_carry_their_cause_and_forgotten_users_a_null() -> None:
    state = state_of((Kind.VIEW, "a"), version=5, event_id="e5", received_ts_ms=77)
    requests = [Request("ada", None, None, 1, 0, 0), Request("bob", state, history_of(state), 2, 0, 88)]
    lists: Lists = {"home": (RecommendedItem("x", 1.0, "model", "Picked for you"),)}
    forgotten, made = list_messages(requests, [lists], EDITION, now_ms=123)
    assert (forgotten.key, forgotten.value, forgotten.partition) == (b"ada", None, 1)
    assert (made.topic, made.partition, made.key) == ("recommendations", 2, b"bob")
    assert made.value is not None
    read = decode_recommendations(made.value)
    assert (read.user_id, read.state_version, read.generated_ts_ms, read.model_version) == ("bob", 5, 123, "m1")
    assert (read.cause.event_id, read.cause.received_ts_ms, read.requested_ts_ms) == ("e5", 77, 88)
    assert read.lists == lists


def test_the_same_request_gives_the_same_bytes_but_for_the_time() -> None:
    state = state_of((Kind.VIEW, "a"), version=5)
    requests = [Request("bob", state, history_of(state), 2, 0, 0)]
    assert list_messages(requests, [{}], EDITION, 1) == list_messages(requests, [{}], EDITION, 1)


def test_a_bad_request_becomes_a_dead_letter_that_says_where_it_lies() -> None:
    message = dead_letter_message(UnreadableRequest(Record(), "schema version 99"), "score-requests", "dead-letters")
    assert message.value is not None
    letter = decode_dead_letter(message.value)
    assert (letter.reason, letter.detail, letter.key) == (DeadReason.INVALID, "schema version 99", "ada")
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("score-requests", 3, 8)
    assert base64.b64decode(letter.payload) == b"\x63rest"
