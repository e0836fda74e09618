"""The gateway on a real Kafka: every endpoint, as a server and as a browser sees it."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from app.interests.state import Interaction, Kind, Query, StateCause, UserState, encode_state
from app.kafka.resolver import ResolvedKafka
from tests.support.gateway import gateway
from tests.support.gateway_shop import Shop, open_shop
from tests.support.model_server import read_all, writing

VIEW = {"type": "view", "user_id": "ann", "item_id": "fargo"}


@pytest.fixture(scope="module")
def shop(kafka: ResolvedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(kafka, tmp_path_factory.mktemp("shop")) as opened:
        yield opened


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
    assert ask("/v1/items?id=amelie&id=x%2Cy&id=fargo").body["items"] == ids
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


def status_of_too_large_a_body(shop: Shop) -> int:
    """It is refused by its head, so a sender that is slow finds the connection cut before it has read the answer."""
    for _ in range(10):
        try:
            return shop.gateway.ask("/v1/events", b" " * 1_100_000).status
        except URLError as error:
            assert isinstance(error.reason, BrokenPipeError | ConnectionResetError)
    pytest.fail("The connection was cut ten times without an answer.")


def test_too_much_at_once_is_refused(shop: Shop) -> None:
    assert status_of_too_large_a_body(shop) == 413
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


def test_interests_are_shown_newest_first(shop: Shop) -> None:
    state = UserState.of(
        4,
        StateCause("e4", "view", 2_000, 2_001),
        [Interaction("fargo", Kind.VIEW, 1_000), Interaction("amelie", Kind.RATE, 2_000, 4.5)],
        queries=[Query("coen", 900)],
    )
    with writing(shop.servers) as producer:
        producer.send(shop.topics.interests_changelog.name, key=b"kim", value=encode_state(state))
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
