"""The gateway on a real Kafka: every endpoint, as a server and as a browser sees it."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.interests.state import Interaction, Kind, Query, StateCause, UserState
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, load_topics
from tests.support.gateway import API_KEY, GatewayProcess, gateway, lists_of, publish_lists
from tests.support.kafka import unique_prefix
from tests.support.model_server import offer, read_all, request_scores

VIEW = {"type": "view", "user_id": "ann", "item_id": "fargo"}


@dataclass(frozen=True)
class Shop:
    """A ready gateway and what is behind it."""

    gateway: GatewayProcess
    servers: str
    topics: Topics

    def publish(self, user_id: str, version: int, *item_ids: str, event_id: str | None = None) -> None:
        publish_lists(self.servers, self.topics, [lists_of(user_id, version, *item_ids, event_id=event_id)])

    def ask_until(self, path: str, version: int) -> None:
        """Wait until this list has this version."""
        self.gateway.wait(lambda: self.gateway.ask(path).body["state_version"] == version, f"no {version} at {path}")

    def token(self, user_id: str, ttl_s: int = 60) -> str:
        token: str = self.gateway.ask("/v1/tokens", {"user_id": user_id, "ttl_s": ttl_s}).body["token"]
        return token


@pytest.fixture(scope="module")
def shop(kafka: ResolvedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    servers, topics = kafka.bootstrap_servers, load_topics().with_prefix(unique_prefix())
    apply_topics(servers, topics)
    offer(servers, topics, {"fargo": "Fargo (1996)", "amelie": "Amélie (2001)", "a/b": "Slash"})
    publish_lists(servers, topics, [lists_of("ann", 7, "fargo", "amelie"), lists_of("riverrun.newcomer", 99, "amelie")])
    environment = {
        "RIVERRUN_GATEWAY__KEEP_INTERESTS": "true",
        "RIVERRUN_GATEWAY__MAX_IN_FLIGHT_EVENTS": "400",
        "RIVERRUN_GATEWAY__MAX_STREAMS": "3",
        "RIVERRUN_GATEWAY__ALLOWED_ORIGINS": "https://shop.example",
        "RIVERRUN_GATEWAY__ACCESS_LOG": "true",
    }
    with gateway(servers, topics, tmp_path_factory.mktemp("shop") / "gateway", environment) as process:
        yield Shop(process.wait_ready(), servers, topics)
    if kafka.kind == "configured":
        delete_topics(servers, topics)


def test_a_users_newest_list_is_served_with_what_a_page_shows_of_its_items(shop: Shop) -> None:
    answer = shop.gateway.ask("/v1/users/ann/recommendations?expand=items")
    assert (answer.status, answer.body["known"], answer.body["surface"]) == (200, True, "home")
    assert [each["item"]["title"] for each in answer.body["items"]] == ["Fargo (1996)", "Amélie (2001)"]
    popular = shop.gateway.ask("/v1/users/ann/recommendations?surface=popular").body
    assert [each["item_id"] for each in popular["items"]] == ["fargo"]
    assert "item" not in popular["items"][0]


def test_a_list_that_did_not_change_is_not_sent_again(shop: Shop) -> None:
    first = shop.gateway.ask("/v1/users/ann/recommendations")
    again = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    assert shop.gateway.ask("/v1/users/ann/recommendations", headers=again).status == 304
    assert shop.gateway.ask("/v1/users/ann/recommendations?surface=popular", headers=again).status == 200


def test_a_newcomer_gets_the_newcomers_list_and_is_not_known(shop: Shop) -> None:
    answer = shop.gateway.ask("/v1/users/nobody/recommendations").body
    assert (answer["user_id"], answer["known"], answer["state_version"]) == ("nobody", False, -1)
    assert [each["item_id"] for each in answer["items"]] == ["amelie"]


@pytest.mark.parametrize("user_id", ["ann", "nobody"])
def test_an_unknown_surface_is_refused_with_the_names_of_those_there_are(shop: Shop, user_id: str) -> None:
    for suffix in ("", "/stream"):
        answer = shop.gateway.ask(f"/v1/users/{user_id}/recommendations{suffix}?surface=cart")
        assert (answer.status, answer.body["error"]["code"]) == (404, "unknown_surface")
        assert "home, popular" in answer.body["error"]["message"]


def test_items_are_looked_up_searched_and_sampled(shop: Shop) -> None:
    ask = shop.gateway.ask
    assert ask("/v1/items/a%2Fb").body == {"item_id": "a/b", "title": "Slash"}
    assert ask("/v1/items/nothing").body["error"]["code"] == "unknown_item"
    ids = ask("/v1/items?ids=amelie,nothing,fargo").body["items"]
    assert [each["item_id"] for each in ids] == ["amelie", "fargo"]
    assert [each["item_id"] for each in ask("/v1/items?query=AMEL").body["items"]] == ["amelie"]
    assert len(ask("/v1/items?sample=2&seed=7").body["items"]) == 2
    assert ask("/v1/items?sample=2&seed=7").body == ask("/v1/items?sample=2&seed=7").body
    for wrong in ("", "?sample=0", "?sample=x", "?query=a&limit=101", f"?ids={','.join('x' * 101)}"):
        assert ask(f"/v1/items{wrong}").status == 422


def test_events_are_in_kafka_when_the_answer_comes(shop: Shop) -> None:
    answer = shop.gateway.ask("/v1/events", [VIEW | {"event_id": f"sent-{number}"} for number in range(3)])
    assert (answer.status, answer.body["accepted"]) == (200, 3)
    assert [each["event_id"] for each in answer.body["events"]] == ["sent-0", "sent-1", "sent-2"]
    offsets = [each["offset"] for each in answer.body["events"]]
    assert offsets == sorted(offsets)
    assert abs(answer.body["events"][0]["received_ts"] - time.time() * 1_000) < 60_000
    alone = shop.gateway.ask("/v1/events", VIEW).body["events"][0]
    stored = {json.loads(value)["event_id"] for value in read_all(shop.servers, shop.topics.events, 4)}
    assert {"sent-0", "sent-1", "sent-2", alone["event_id"]} <= stored


def test_a_batch_with_one_wrong_event_is_refused_and_nothing_of_it_is_sent(shop: Shop) -> None:
    before = shop.gateway.metric("riverrun_gateway_events_total")
    answer = shop.gateway.ask("/v1/events", [VIEW, VIEW | {"item_id": ""}])
    assert (answer.status, answer.body["error"]["field"], answer.body["error"]["index"]) == (422, "item_id", 1)
    assert shop.gateway.metric("riverrun_gateway_events_total") == before


def test_too_much_at_once_is_refused(shop: Shop) -> None:
    assert shop.gateway.ask("/v1/events", b" " * 1_100_000).status == 413
    assert shop.gateway.ask("/v1/events", [VIEW] * 501).body["error"]["code"] == "too_many_events"
    statuses: list[int] = []
    senders = [
        threading.Thread(target=lambda: statuses.append(shop.gateway.ask("/v1/events", [VIEW] * 300).status))
        for _ in range(12)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert set(statuses) <= {200, 429}
    assert 200 in statuses


def test_nobody_comes_in_without_a_key(shop: Shop) -> None:
    for path in ("/v1/users/ann/recommendations", "/v1/users", "/v1/items?sample=1", "/v1/pipeline"):
        assert shop.gateway.ask(path, key=None).status == 401
        assert shop.gateway.ask(path, key="wrong").headers["www-authenticate"] == "Bearer"
    assert shop.gateway.ask("/v1/events", VIEW, key=None).status == 401
    assert shop.gateway.ask("/v1/tokens", {"user_id": "ann"}, key="wrong").status == 401


def test_a_visitors_token_opens_the_own_lists_and_events_only(shop: Shop) -> None:
    token, ask = shop.token("ann"), shop.gateway.ask
    assert ask("/v1/users/ann/recommendations", key=token).status == 200
    assert ask("/v1/users/ann/interests", key=token).status == 200
    assert ask("/v1/items/fargo", key=token).status == 200
    assert ask("/v1/events", VIEW, key=token).status == 200
    assert ask("/v1/events", VIEW | {"user_id": "bob"}, key=token).body["error"]["field"] == "user_id"
    for path in ("/v1/users/bob/recommendations", "/v1/users", "/v1/pipeline"):
        assert ask(path, key=token).status == 403
    assert ask("/v1/tokens", {"user_id": "ann"}, key=token).status == 403
    assert ask(f"/v1/users/ann/recommendations?token={token}", key=None).status == 401
    assert ask("/v1/tokens", {"user_id": "ann", "ttl_s": 1_000_000}).status == 422


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
    sent = shop.gateway.ask("/v1/events", VIEW | {"user_id": "gina"}).body["events"][0]
    path = f"/v1/users/gina/recommendations?wait_for={sent['event_id']}"
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


def test_the_users_whose_lists_changed_last_come_first(shop: Shop) -> None:
    for version, user_id in enumerate(["ida", "jon", "ida"]):
        shop.publish(user_id, 50 + version, "fargo")
    shop.ask_until("/v1/users/ida/recommendations", 52)
    users = shop.gateway.ask("/v1/users?limit=2").body["users"]
    assert [user["user_id"] for user in users] == ["ida", "jon"]
    assert users[0]["state_version"] == 52


def test_interests_are_shown_newest_first(shop: Shop) -> None:
    state = UserState.of(
        4,
        StateCause("e4", "view", 2_000, 2_001),
        [Interaction("fargo", Kind.VIEW, 1_000), Interaction("amelie", Kind.RATE, 2_000, 4.5)],
        queries=[Query("coen", 900)],
    )
    request_scores(shop.servers, shop.topics, [("kim", state)])
    path = "/v1/users/kim/interests"
    shop.gateway.wait(lambda: shop.gateway.ask(path).body["state_version"] == 4, "no interests")
    assert shop.gateway.ask(path).body == {
        "user_id": "kim",
        "state_version": 4,
        "interactions": [
            {"item_id": "amelie", "kind": "rate", "ts": 2_000, "strength": 4.5},
            {"item_id": "fargo", "kind": "view", "ts": 1_000, "strength": 1.0},
        ],
        "queries": [{"text": "coen", "ts": 900}],
    }
    assert shop.gateway.ask("/v1/users/nobody/interests").body["interactions"] == []


def test_the_page_and_the_documentation_are_served_and_allow_no_script_from_elsewhere(shop: Shop) -> None:
    for path in ("/", "/docs", "/docs.css"):
        answer = shop.gateway.ask(path, key=None)
        assert answer.status == 200
        assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert "/v1/events" in shop.gateway.ask("/openapi.json", key=None).body["paths"]
    for path in ("/nothing", "/v1/nothing", "/../start.py", "/%2e%2e/start.py"):
        assert shop.gateway.ask(path).body["error"]["code"] == "not_found"
    assert shop.gateway.ask("/v1/items", b"{}").body["error"]["code"] == "method_not_allowed"


def test_only_pages_of_allowed_origins_may_ask(shop: Shop) -> None:
    allowed = shop.gateway.ask("/v1/items/fargo", headers={"Origin": "https://shop.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert (
        "access-control-allow-origin"
        not in shop.gateway.ask("/v1/items/fargo", headers={"Origin": "https://elsewhere.example"}).headers
    )


def test_figures_of_the_pipeline_come_from_the_addresses_that_are_set(shop: Shop, tmp_path: Path) -> None:
    assert shop.gateway.ask("/v1/pipeline").body["error"]["code"] == "not_configured"
    shop.gateway.get("/metrics")
    environment = {"RIVERRUN_GATEWAY__SCRAPE": "http://127.0.0.1:1/metrics"}
    with gateway(shop.servers, shop.topics, tmp_path / "second", environment) as second:
        second.wait_ready()
        assert second.ask("/v1/pipeline").body["sources"] == {"agents": "away", "model_server": "away"}
        with second.stream("/v1/pipeline/stream") as stream:
            figures = [each for each, _ in zip(stream.messages(), range(3), strict=False) if "data" in each]
        assert json.loads(figures[-1]["data"])["model_version"] is None
        assert second.ask("/v1/users/ann/interests").body["error"]["code"] == "interests_not_kept"


def test_nothing_answers_where_nothing_is_decided_about_access(shop: Shop, tmp_path: Path) -> None:
    for environment, words in (
        ({"RIVERRUN_GATEWAY__API_KEYS": ""}, "RIVERRUN_GATEWAY__OPEN_ACCESS"),
        ({"RIVERRUN_GATEWAY__OPEN_ACCESS": "true"}, "RIVERRUN_GATEWAY__API_KEYS"),
    ):
        with gateway(shop.servers, shop.topics, tmp_path / "closed", environment) as closed:
            assert closed.ended() == 2
            assert words in closed.log
