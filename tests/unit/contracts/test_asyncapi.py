"""The published AsyncAPI document is made from the types and describes what is really sent."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from app.cli.contracts import contracts_document
from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.contracts.dead_letters import DeadLetter, DeadReason, Origin, encode_dead_letter
from app.contracts.events import Event, Forget, Identify, Purchase, Rate, Search, View, encode_event
from app.contracts.model_updates import ModelUpdate, decode_model_update, encode_model_update
from app.contracts.recommendations import Cause, Recommendations, RecommendedItem, encode_recommendations
from app.interests.draft import Bounds
from app.interests.state import encode_state
from tests.support.events import NOON_MS, received
from tests.support.folding import fold_whole

PUBLISHED = Path(__file__).parents[3] / "docs" / "asyncapi.json"


def validate(channel: str, message: Any) -> None:
    """Raise unless the message fits the channel's schema."""
    document = contracts_document()
    payload = document["components"]["messages"][channel]["payload"]
    jsonschema.validate(message, {**payload, "components": document["components"]})


def test_the_published_document_is_the_one_that_the_types_make() -> None:
    hint = "contracts changed: `riverrun contracts > docs/asyncapi.json`"
    assert json.loads(PUBLISHED.read_text()) == json.loads(json.dumps(contracts_document())), hint


@pytest.mark.parametrize(
    "event",
    [
        View(event_id="e", user_id="u", ts_ms=NOON_MS, item_id="i", position=3),
        Rate(event_id="e", user_id="u", ts_ms=NOON_MS, item_id="i", rating=4.5),
        Purchase(event_id="e", user_id="u", ts_ms=NOON_MS, item_id="i", price=1.5, currency="EUR"),
        Search(event_id="e", user_id="u", ts_ms=NOON_MS, query="tea"),
        Identify(event_id="e", user_id="u", ts_ms=NOON_MS, anonymous_id="a"),
        Forget(event_id="e", user_id="u", ts_ms=NOON_MS),
    ],
)
def test_events_fit_their_schema(event: Event) -> None:
    validate("events", json.loads(encode_event(event)))


def test_a_wrong_event_does_not_fit_the_schema() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate("events", {"event_id": "e", "type": "view", "user_id": "u", "ts": NOON_MS})


def test_the_other_messages_fit_their_schemas() -> None:
    item = CatalogItem(item_id="i", title="Tea", category=("food", "drinks"), attributes={"organic": True})
    validate("catalog", json.loads(encode_catalog_item(item)))
    letter = DeadLetter(reason=DeadReason.FUTURE, detail="d", origin=Origin("events", 0, 1, NOON_MS))
    validate("deadLetters", json.loads(encode_dead_letter(letter)))
    update = ModelUpdate(version="20261122-130501-ab12cd", since_ms=NOON_MS, reason="better")
    validate("modelUpdates", json.loads(encode_model_update(update)))
    assert decode_model_update(encode_model_update(update)) == update
    lists: dict[str, tuple[RecommendedItem, ...]] = {"home": (RecommendedItem("i", 0.5, "model", "Popular right now"),)}
    recommendations = Recommendations(
        user_id="u",
        recommendation_id="r",
        state_version=3,
        generated_ts_ms=NOON_MS,
        model_version="m",
        variant="default",
        cause=Cause("e", NOON_MS, NOON_MS),
        lists=lists,
    )
    validate("recommendations", json.loads(encode_recommendations(recommendations)))


def test_a_score_request_fits_its_schema() -> None:
    view = View(event_id="e", user_id="u", ts_ms=NOON_MS, item_id="i")
    state = fold_whole({}, received(view), Bounds()).states[b"u"]
    assert state is not None
    arrays = msgspec.msgpack.decode(encode_state(state)[1:])
    validate("scoreRequests", json.loads(msgspec.json.encode(arrays)))  # bytes as base64, as JSON Schema knows them
