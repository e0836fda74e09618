"""The model server against a real Kafka: requests in, lists out, whatever happens to either."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from app.contracts.dead_letters import decode_dead_letter
from app.contracts.recommendations import NEWCOMER_ID, decode_recommendations
from app.interests.state import Kind
from app.kafka.access import KafkaAccess
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from tests.support.kafka import unique_prefix
from tests.support.model_server import (
    ModelServerProcess,
    PublishedLists,
    model_server,
    offer,
    read_all,
    request_scores,
    uncommitted,
    writing,
)
from tests.support.planted import planted_model
from tests.support.states import state_of

TOPICS_OF_FILMS = ("space ships and aliens", "a jazz band on tour", "cooking in a small kitchen", "horses and cowboys")
TITLES = {f"film-{number}": f"{TOPICS_OF_FILMS[number % 4]}, part {number // 4}" for number in range(40)}
SPACE = {item_id for item_id, title in TITLES.items() if "space" in title}


@pytest.fixture(scope="module")
def models_dir(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small version that reads the real MiniLM."""
    folder = tmp_path_factory.mktemp("models")
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    save_version(folder, planted_model(TITLES, encoder), now_ms=1_790_000_000_000)
    return folder


@dataclass(frozen=True)
class Shop:
    """A Kafka with a catalog, and the way to start a model server on it."""

    bootstrap_servers: str
    topics: Topics
    models_dir: Path
    folder: Path
    lists: PublishedLists

    def server(self, name: str = "a") -> AbstractContextManager[ModelServerProcess]:
        return model_server(self.bootstrap_servers, self.topics, self.models_dir, self.folder / f"{name}.log")

    def request(self, versions: range, users: int) -> None:
        """Everybody sees one film after the other, the newest state version last."""
        films = list(TITLES)
        request_scores(
            self.bootstrap_servers,
            self.topics,
            (
                (f"user-{user}", state_of((Kind.VIEW, films[(user + version) % 40]), version=version))
                for version in versions
                for user in range(users)
            ),
        )

    def wait_lists(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the lists did not come"
            self.lists.read()

    def assert_all_newest(self, version: int, users: int) -> None:
        """Every user's list was caused by that user's newest event."""
        everybody = [f"user-{user}" for user in range(users)]
        self.wait_lists(lambda: all(self.lists.version(user_id) == version for user_id in everybody))
        for user_id in everybody:
            newest = self.lists.newest[user_id]
            assert newest is not None
            assert newest.cause.event_id == f"event-{version}"
            assert len(newest.lists["home"]) == 20


@contextmanager
def open_shop(bootstrap_servers: str, topics: Topics, models_dir: Path, folder: Path) -> Iterator[Shop]:
    offer(bootstrap_servers, topics, TITLES)
    lists = PublishedLists(bootstrap_servers, topics)
    try:
        yield Shop(bootstrap_servers, topics, models_dir, folder, lists)
    finally:
        lists.close()


@pytest.fixture
def shop(kafka: ResolvedKafka, topics: Topics, models_dir: Path, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(kafka.access.bootstrap_servers, topics, models_dir, tmp_path) as opened:
        yield opened


def test_requests_become_lists_and_the_catalog_is_live(shop: Shop) -> None:
    lists = shop.lists
    with shop.server() as server:
        server.wait_ready()

        # A list is caused by its state, and the newest state wins.
        fan = state_of((Kind.VIEW, "film-1"), (Kind.LIKE, "film-0"), version=7, received_ts_ms=1_234)
        stale = state_of((Kind.VIEW, "film-2"), version=3)
        request_scores(shop.bootstrap_servers, shop.topics, [("ada", fan), ("ada", stale), ("eve", state_of())])
        shop.wait_lists(lambda: lists.version("ada") == 7 and lists.version("eve") == 0)
        newest = lists.newest["ada"]
        assert newest is not None
        assert (newest.cause.event_id, newest.cause.received_ts_ms) == ("event-7", 1_234)
        assert (newest.model_version, newest.variant) == (next(shop.models_dir.glob("2*")).name, "default")
        first = newest.lists["home"][0]
        assert first.item_id in SPACE - {"film-0"}
        assert first.reason == f"Because you liked {TITLES['film-0']}"
        assert len(lists.home("eve")) == 20

        # A new item can be recommended from its text, a delisted one cannot be any more.
        gone = first.item_id
        offer(shop.bootstrap_servers, shop.topics, {"fresh": "space ships and aliens, the return", gone: None})
        server.wait(lambda: server.metric('riverrun_catalog_items{state="new"') == 1, "the new item was not there")
        request_scores(shop.bootstrap_servers, shop.topics, [("bob", fan)])
        shop.wait_lists(lambda: lists.version("bob") == 7)
        assert "fresh" in lists.home("bob")
        assert gone not in lists.home("bob")

        # What cannot be read is set aside, and a forgotten user's lists go.
        with writing(shop.bootstrap_servers) as producer:
            producer.send(shop.topics.score_requests.name, key=b"ada", value=b"\x63from another time")
            producer.send(shop.topics.catalog.name, key=b"film-3", value=b"{no json")
        request_scores(shop.bootstrap_servers, shop.topics, [("ada", None)])
        shop.wait_lists(lambda: lists.newest["ada"] is None)
        letter = decode_dead_letter(read_all(shop.bootstrap_servers, shop.topics.dead_letters, 1)[0])
        assert "schema version 99" in letter.detail
        server.wait(lambda: server.metric("riverrun_catalog_invalid_total") == 1, "the bad item was not counted")

        assert server.metric("riverrun_event_to_recommendation_seconds_count") == 3
        assert server.get("/healthz")[0] == 200
        assert server.stop() == 0
    assert uncommitted(shop.bootstrap_servers, shop.topics) == 0


def test_killed_in_mid_stream_again_and_again_every_user_still_gets_the_newest_list(shop: Shop) -> None:
    for round_ in range(2):
        shop.request(range(10 * round_, 10 * round_ + 10), users=1_500)
        with shop.server() as server:
            server.wait(lambda: server.metric("riverrun_users_scored_total") > 0, "nothing was scored")
            server.kill()
    with shop.server():
        shop.assert_all_newest(19, users=1_500)


def test_under_overload_requests_collapse_buyers_go_first_and_the_queue_is_bounded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, versions, batch = 2_000, 4, 128
    buyers = {f"user-{user}" for user in range(0, users, 10)}
    films = list(TITLES)
    request_scores(
        shop.bootstrap_servers,
        shop.topics,
        (
            (
                user_id,
                state_of(
                    (Kind.VIEW, films[version]), version=version,
                    event_type="purchase" if user_id in buyers else "view",
                ),
            )
            for user_id in (f"user-{user}" for user in range(users))
            for version in range(versions)
        ),
    )  # fmt: skip
    monkeypatch.setenv("RIVERRUN_SCORING__MAX_BATCH_USERS", str(batch))
    backlog: list[float] = []
    with shop.server() as server:

        def everything_read() -> bool:
            backlog.append(server.metric("riverrun_backlog_users"))
            return server.metric("riverrun_score_requests_total") == users * versions and backlog[-1] == 0

        server.wait(everything_read, "it did not catch up")
        server.wait(lambda: uncommitted(shop.bootstrap_servers, shop.topics) == 0, "not everything was committed")
        scored = server.metric("riverrun_users_scored_total")
        assert scored + server.metric("riverrun_score_requests_collapsed_total") == users * versions
        assert scored < 1.1 * users  # a user whose requests came in two polls is scored twice
        # What is read ahead, and the poll that filled it: 1,024 requests, where four of a user stand together.
        assert batch < max(backlog) <= 4 * batch + 1_024 / versions + shop.topics.score_requests.partitions
    shop.assert_all_newest(versions - 1, users=users)
    published = map(decode_recommendations, read_all(shop.bootstrap_servers, shop.topics.recommendations, int(scored)))
    order = sorted(published, key=lambda each: each.generated_ts_ms)
    ranks = [rank for rank, each in enumerate(order) if each.user_id in buyers]
    assert statistics.mean(ranks) < 0.42 * len(order)


def test_newcomers_have_lists_that_follow_the_catalog(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERRUN_SCORING__NEWCOMERS_EVERY_S", "0.3")
    with shop.server() as server:
        shop.wait_lists(lambda: len(shop.lists.home(NEWCOMER_ID)) == 20)
        first, version = shop.lists.home(NEWCOMER_ID), shop.lists.version(NEWCOMER_ID)
        offer(shop.bootstrap_servers, shop.topics, {first[0]: None})
        shop.wait_lists(lambda: first[0] not in shop.lists.home(NEWCOMER_ID))
        assert len(shop.lists.home(NEWCOMER_ID)) == 20
        assert shop.lists.version(NEWCOMER_ID) > version
        assert server.metric("riverrun_fallback_users_total") == 0


def test_servers_that_come_and_go_share_the_users_and_lose_none(shop: Shop) -> None:
    with shop.server("a") as first, shop.server("b") as second:
        first.wait_ready()
        shop.request(range(5), users=800)
        second.wait_ready()
        shop.request(range(5, 10), users=800)
        shop.assert_all_newest(9, users=800)
        assert second.metric("riverrun_users_scored_total") > 0
        shop.request(range(10, 15), users=800)
        assert first.stop() == 0
        shop.assert_all_newest(14, users=800)
        shop.request(range(15, 16), users=800)
        shop.assert_all_newest(15, users=800)


def test_a_broker_that_goes_away_is_waited_for(own_kafka: LocalKafka, models_dir: Path, tmp_path: Path) -> None:
    address = own_kafka.bootstrap_servers
    topics = load_topics().with_prefix(unique_prefix())
    apply_topics(KafkaAccess(address), topics)
    with model_server(address, topics, models_dir, tmp_path / "a.log") as server:
        with open_shop(address, topics, models_dir, tmp_path) as shop:
            server.wait_ready()
            shop.request(range(3), users=300)
            shop.assert_all_newest(2, users=300)
        own_kafka.kill()  # no kafka-python client is open now: each failed connection of it leaks a socket
        server.wait(lambda: server.get("/readyz")[0] == 503, "it still called itself ready")
        assert server.get("/healthz")[0] == 200
        own_kafka.start()
        with open_shop(address, topics, models_dir, tmp_path) as shop:
            shop.request(range(3, 6), users=300)
            shop.assert_all_newest(5, users=300)
        server.wait_ready()
        assert server.stop() == 0


def test_without_a_model_version_it_says_what_to_do(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> None:
    with model_server(kafka.access.bootstrap_servers, topics, tmp_path / "models", tmp_path / "log") as server:
        assert server.ended() == 6
        assert "Run `riverrun train`" in server.log
