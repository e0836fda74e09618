"""What the gateway brings by itself: streams of lists, and answers that wait for an event."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

from app.kafka.resolver import ResolvedKafka
from tests.support.gateway import API_KEY, publish_lists
from tests.support.gateway_shop import Shop, open_shop

VIEW = {"type": "view", "user_id": "gina", "item_id": "fargo"}


@pytest.fixture(scope="module")
def shop(kafka: ResolvedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(kafka, tmp_path_factory.mktemp("shop")) as opened:
        yield opened


def test_a_stream_takes_a_token_from_its_address_and_the_log_never_shows_it(shop: Shop) -> None:
    token = shop.token("ann")
    with shop.gateway.stream(f"/v1/users/ann/recommendations/stream?token={token}", {"Authorization": ""}) as stream:
        assert stream.status == 200
        assert next(stream.lists())["user_id"] == "ann"
    bob = shop.gateway.ask(f"/v1/users/bob/recommendations/stream?token={token}", key=None)
    assert bob.status == 403
    shop.gateway.wait(lambda: "/v1/users/bob/recommendations/stream?token=***" in shop.gateway.log, "no access log")
    assert token not in shop.gateway.log
    assert API_KEY not in shop.gateway.log


def test_a_stream_brings_the_newest_list_at_once_and_then_each_newer_one(shop: Shop) -> None:
    shop.publish("cleo", 1, "fargo")
    shop.ask_until("/v1/users/cleo/recommendations", 1)
    with shop.gateway.stream("/v1/users/cleo/recommendations/stream?expand=items") as stream:
        lists = stream.lists()
        assert next(lists)["items"][0]["item"]["title"] == "Fargo (1996)"
        shop.publish("cleo", 0, "fargo")
        shop.publish("cleo", 8, "amelie")
        assert next(lists)["state_version"] == 8


def test_a_stream_goes_on_where_it_was(shop: Shop) -> None:
    shop.publish("dora", 5, "fargo")
    shop.ask_until("/v1/users/dora/recommendations", 5)
    path = "/v1/users/dora/recommendations/stream"
    with shop.gateway.stream(path, {"Last-Event-ID": "4"}) as behind:
        assert next(behind.lists())["state_version"] == 5
    with shop.gateway.stream(path, {"Last-Event-ID": "5"}) as abreast:
        shop.publish("dora", 6, "amelie")
        message = next(each for each in abreast.messages() if "data" in each)
        assert (message["id"], message["event"]) == ("6", "recommendations")


def test_a_newcomers_stream_begins_with_the_newcomers_list_and_goes_on_with_the_own(shop: Shop) -> None:
    with shop.gateway.stream("/v1/users/emil/recommendations/stream") as stream:
        lists = stream.lists()
        assert next(lists)["known"] is False
        shop.publish("emil", 0, "fargo")
        assert next(lists)["known"] is True


def test_a_forgotten_users_stream_is_told_and_the_lists_are_gone(shop: Shop) -> None:
    shop.publish("finn", 3, "fargo")
    shop.ask_until("/v1/users/finn/recommendations", 3)
    with shop.gateway.stream("/v1/users/finn/recommendations/stream") as stream:
        messages = stream.messages()
        assert next(messages) == {"retry": "1000"}
        assert next(messages)["id"] == "3"
        publish_lists(shop.servers, shop.topics, ["finn"])
        forgotten = next(messages)
    assert (forgotten["event"], json.loads(forgotten["data"])) == ("forgotten", {"user_id": "finn"})
    assert shop.gateway.ask("/v1/users/finn/recommendations").body["known"] is False
    assert "finn" not in [user["user_id"] for user in shop.gateway.ask("/v1/users?limit=1000").body["users"]]


def test_more_streams_than_allowed_are_refused(shop: Shop) -> None:
    path = "/v1/users/ann/recommendations/stream"
    with shop.gateway.stream(path), shop.gateway.stream(path), shop.gateway.stream(path):
        refused = shop.gateway.ask(path)
        assert (refused.status, refused.body["error"]["code"]) == (503, "too_many_streams")
        assert refused.headers["retry-after"]
    shop.gateway.wait(lambda: shop.gateway.metric("riverrun_gateway_streams") == 0, "streams stay open")


def test_wait_for_answers_as_soon_as_the_list_knows_of_the_event(shop: Shop) -> None:
    sent = shop.gateway.ask("/v1/events", VIEW).body["events"][0]
    path = f"/v1/users/gina/recommendations?wait_for={sent['event_id']}&offset={sent['offset']}"
    early = shop.gateway.ask(f"{path}&timeout_ms=50").body
    assert (early["reflects"], early["known"]) == (False, False)
    threading.Timer(0.3, lambda: shop.publish("gina", sent["offset"] + 1, "fargo", event_id="a later one")).start()
    began_s = time.monotonic()
    answer = shop.gateway.ask(f"{path}&timeout_ms=10000").body
    assert (answer["reflects"], answer["state_version"]) == (True, sent["offset"] + 1)
    assert time.monotonic() - began_s < 9  # not only when the time is over


def test_wait_for_knows_an_event_that_came_another_way_by_the_lists_cause(shop: Shop) -> None:
    shop.publish("hugo", 12, "fargo", event_id="through-kafka")
    answer = shop.gateway.ask("/v1/users/hugo/recommendations?wait_for=through-kafka&timeout_ms=5000").body
    assert (answer["reflects"], answer["state_version"]) == (True, 12)
    assert shop.gateway.ask("/v1/users/hugo/recommendations?wait_for=x&timeout_ms=0").body["reflects"] is False
    assert shop.gateway.ask("/v1/users/hugo/recommendations?wait_for=x&timeout_ms=-1").status == 422
    assert shop.gateway.ask("/v1/users/hugo/recommendations?wait_for=x&offset=first").status == 422


def test_the_users_whose_lists_changed_last_come_first(shop: Shop) -> None:
    for version, user_id in enumerate(["ida", "jon", "ida"]):
        shop.publish(user_id, 50 + version, "fargo")
    shop.ask_until("/v1/users/ida/recommendations", 52)
    users = shop.gateway.ask("/v1/users?limit=2").body["users"]
    assert [user["user_id"] for user in users] == ["ida", "jon"]
    assert users[0]["state_version"] == 52
