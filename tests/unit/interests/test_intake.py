"""Good events pass, bad ones become dead letters that say what is wrong."""

import base64
import json
from typing import NamedTuple

import pytest

from app.contracts.dead_letters import DeadLetter, DeadReason, decode_dead_letter, encode_dead_letter
from app.contracts.events import Inherit, View
from app.interests.intake import (
    NOBODY,
    IntakeLimits,
    ReceivedEvent,
    Refusal,
    SourceRecord,
    by_user,
    dead_letter,
    take_in,
)
from app.interests.state import Interaction, Kind, Query
from tests.support.events import NOON_MS, Record, record

LIMITS = IntakeLimits(max_event_bytes=1_000, max_future_ms=60_000)


def view(**changes: object) -> dict[str, object]:
    return {"event_id": "e1", "type": "view", "user_id": "ann", "ts": NOON_MS, "item_id": "tea"} | changes


class Taken(NamedTuple):
    events: list[ReceivedEvent]
    dead_letters: list[DeadLetter]


def taken(*records: SourceRecord) -> Taken:
    refusals: list[Refusal] = []
    events = take_in(records, LIMITS, refusals.append)
    return Taken(events, [dead_letter(refusal, "events", 0) for refusal in refusals])


def at_seven(value: bytes | None, key: bytes | None = b"ann") -> Record:
    return Record(value, key, offset=7)


def without(name: str) -> bytes:
    event = view()
    del event[name]
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("value", "reason", "field", "words"),
    [
        (b"{not json", DeadReason.INVALID, "", "malformed"),
        (b"\xff\xfe{}", DeadReason.INVALID, "", "malformed"),
        (b"", DeadReason.INVALID, "", "malformed"),
        (b"[" * 900, DeadReason.INVALID, "", ""),
        (b"[1, 2]", DeadReason.INVALID, "", "object"),
        (without("item_id"), DeadReason.INVALID, "item_id", "missing"),
        (without("user_id"), DeadReason.INVALID, "user_id", "missing"),
        (without("type"), DeadReason.INVALID, "type", "missing"),
        (json.dumps(view(type="teleport")).encode(), DeadReason.INVALID, "type", "teleport"),
        (json.dumps(view(ts="yesterday")).encode(), DeadReason.INVALID, "ts", "int"),
        (json.dumps(view(ts=-1)).encode(), DeadReason.INVALID, "ts", ">= 0"),
        (json.dumps(view(item_id="")).encode(), DeadReason.INVALID, "item_id", "length"),
        (json.dumps(view(type="rate", rating="five")).encode(), DeadReason.INVALID, "rating", "float"),
        (json.dumps(view(user_id="bob")).encode(), DeadReason.KEY_MISMATCH, "user_id", "key"),
        (json.dumps(view(ts=NOON_MS + 61_000)).encode(), DeadReason.FUTURE, "ts", "61 s after"),
        (json.dumps(view(session_id="s" * 2_000)).encode(), DeadReason.TOO_LARGE, "", "at most 1000"),
        (json.dumps(view(user_id="__faust\0offset__")).encode(), DeadReason.INVALID, "user_id", "NUL"),
        (None, DeadReason.NULL_VALUE, "", "forget"),
        (json.dumps(view(user_id="riverrun.newcomer")).encode(), DeadReason.INVALID, "user_id", "newcomers"),
    ],
)
def test_a_bad_record_becomes_a_dead_letter_that_names_the_trouble(
    value: bytes | None, reason: DeadReason, field: str, words: str
) -> None:
    # The bare key of the reserved id: what is wrong with it is not its key.
    intake = taken(at_seven(value, b"riverrun.newcomer" if words == "newcomers" else b"ann"))
    assert intake.events == []
    (letter,) = intake.dead_letters
    assert (letter.reason, letter.field) == (reason, field)
    assert words in letter.detail
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("events", 0, 7)
    assert letter.payload_bytes == len(value or b"")
    assert base64.b64decode(letter.payload) == (value or b"")[:4096]
    assert decode_dead_letter(encode_dead_letter(letter)) == letter


def test_a_null_key_and_unknown_fields_and_old_times_are_tolerated() -> None:
    value = json.dumps(view(ts=1, colour="blue", item_id="never heard of")).encode()
    record_7 = at_seven(value, key=None)
    assert by_user([record_7]) == {b"ann": [record_7]}
    intake = taken(record_7)
    assert intake.dead_letters == []
    (received,) = intake.events
    assert (received.event.ts_ms, received.offset) == (1, 7)


@pytest.mark.parametrize("interaction", [["tea", 1, 2**64], ["tea", 1, -1], ["tea", 99, 1], ["", 1, 1]])
def test_a_forged_inheritance_is_a_dead_letter_and_never_a_state_that_cannot_be_written(interaction: object) -> None:
    forged = view(type="riverrun.inherit", interactions=[interaction])
    (letter,) = taken(at_seven(json.dumps(forged).encode())).dead_letters
    assert letter.field.startswith("interactions[0]")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("older", {"tea": [1, 0, 1, 1, 1.0, 5, 5]}),
        ("older", {"tea": [1, 1, 1, 1 << 16, 1.0, 5, 5]}),
        ("older", {"tea": [1, 1, 1, 1, -1.0, 5, 5]}),
        ("places", [["shop", -1]]),
        ("places", [[f"shop-{number}", 5] for number in range(16)]),
    ],
)
def test_forged_older_items_and_places_are_dead_letters_too(field: str, value: object) -> None:
    forged = view(type="riverrun.inherit", interactions=[]) | {field: value}
    (letter,) = taken(at_seven(json.dumps(forged).encode())).dead_letters
    assert letter.field.startswith(field)


def test_an_inheritance_of_the_schema_before_is_read() -> None:
    before = view(type="riverrun.inherit", interactions=[["tea", 1, 5, 1.0]], queries=[["q", 3]])
    intake = taken(at_seven(json.dumps(before).encode()))
    assert [received.event for received in intake.events] == [
        Inherit(
            event_id="e1", user_id="ann", ts_ms=NOON_MS, interactions=(Interaction("tea", Kind.VIEW, 5),),
            queries=(Query("q", 3),),
        )
    ]  # fmt: skip


def test_an_inheritance_may_be_larger_than_an_event_from_outside() -> None:
    interactions = tuple(Interaction(f"item-{number}", Kind.VIEW, number) for number in range(100))
    inherit = Inherit(event_id="e", user_id="ann", ts_ms=NOON_MS, interactions=interactions)
    intake = taken(record(inherit))
    assert [received.event for received in intake.events] == [inherit]


def test_good_events_around_a_bad_one_keep_their_order() -> None:
    events = [View(event_id=f"e{n}", user_id="ann", ts_ms=NOON_MS, item_id=f"i{n}") for n in range(4)]
    records = [record(event, offset) for offset, event in enumerate(events)]
    records.insert(2, Record(b"junk", b"ann", 99))
    intake = taken(*records)
    assert [received.event for received in intake.events] == events
    assert len(intake.dead_letters) == 1


def test_records_meet_in_log_order_at_the_user_they_should_be_of() -> None:
    event = json.dumps(view()).encode()
    anns = [Record(event, b"ann", 0), Record(event, None, 2), Record(b"junk", b"ann", 3), Record(None, b"ann", 5)]
    bobs = [Record(event, b"bob", 1)]
    nobodys = [Record(b"junk", None, 4), Record(None, None, 6)]
    records = sorted([*anns, *bobs, *nobodys], key=lambda each: each.offset)
    assert by_user(records) == {b"ann": anns, b"bob": bobs, NOBODY: nobodys}
