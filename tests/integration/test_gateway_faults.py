"""The gateway when something dies: itself, its client, its Kafka, its topic."""

import contextlib
import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from app.contracts.recommendations import Recommendations
from app.gateway.server import GRACE_S
from app.kafka.access import KafkaAccess
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, load_topics
from tests.support.gateway import API_KEY, GatewayProcess, gateway, lists_of, publish_lists
from tests.support.kafka import unique_prefix
from tests.support.model_server import PublishedLists

VIEW = {"type": "view", "user_id": "ann", "item_id": "fargo"}
USERS = 150


def traffic(messages: int, seed: int) -> Iterator[Recommendations | str]:
    """Lists of many users, now and then an old one; some of the users that nobody watches are forgotten."""
    rng = random.Random(seed)
    for number in range(messages):
        version = seed * 1_000_000 + number - rng.choice((0, 0, 0, 0, 40))
        yield lists_of(f"user-{rng.randrange(USERS)}", version, f"item-{number}")
        if number % 20 == 0:
            other = f"other-{rng.randrange(20)}"
            yield other if rng.random() < 0.5 else lists_of(other, version, "item")


def assert_every_newest_list_is_served(process: GatewayProcess, servers: str, topics: Topics) -> None:
    """What a reader of the whole topic holds is what the gateway serves, user by user."""
    published = PublishedLists(servers, topics)
    quiet = 0
    while quiet < 5:
        before = published.messages
        quiet = quiet + 1 if published.read().messages == before else 0
    published.close()
    assert len(published.newest) > USERS / 2
    process.wait(lambda: process.metric("riverrun_gateway_lag_messages") == 0, "it stays behind")
    for user_id, newest in published.newest.items():
        answer = process.ask(f"/v1/users/{user_id}/recommendations").body
        wanted = (False, -1) if newest is None else (True, newest.state_version)
        assert (answer["known"], answer["state_version"]) == wanted, user_id
        if newest is not None:
            assert answer["recommendation_id"] == newest.recommendation_id


class Watcher:
    """Asks for lists all the time and notes whether any of them ever gets older."""

    def __init__(self) -> None:
        self.fell: list[str] = []
        self.answers = 0
        self.events: list[str] = []
        self._newest: dict[str, int] = {}

    def run(self, process: GatewayProcess) -> None:
        """Until the process is gone."""
        rng = random.Random(1)
        while process.process.poll() is None:
            user_id = f"user-{rng.randrange(USERS)}"
            try:
                answer = process.ask(f"/v1/users/{user_id}/recommendations")
                sent = process.ask("/v1/events", VIEW | {"event_id": f"e-{len(self.events)}-{process.process.pid}"})
            except (OSError, HTTPException):  # it dies in the middle of an answer
                continue
            if sent.status == 200:
                self.events.append(sent.body["events"][0]["event_id"])
            if answer.status == 200 and answer.body["known"]:
                version = answer.body["state_version"]
                self.answers += 1
                if version < self._newest.get(user_id, -1):
                    self.fell.append(f"{user_id}: {version} after {self._newest[user_id]}")
                self._newest[user_id] = version


def test_kill_9_under_load_loses_no_list_and_serves_no_older_one(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, watcher = kafka.access.bootstrap_servers, Watcher()
    steady = (lists_of(f"user-{number % USERS}", number, "item") for number in range(3_000))
    with ThreadPoolExecutor(2) as threads:
        with gateway(servers, topics, tmp_path / "gateway") as first:
            first.wait_ready()
            watching = threads.submit(watcher.run, first)
            publishing = threads.submit(publish_lists, servers, topics, list(steady))
            first.wait(lambda: first.metric("riverrun_gateway_lists_total") > 500, "nothing comes")
            first.kill()
            watching.result(20)
        publishing.result(30)
        with gateway(servers, topics, tmp_path / "gateway") as second:
            second.wait_ready()
            watching = threads.submit(watcher.run, second)
            publish_lists(servers, topics, traffic(1_500, seed=9))
            assert_every_newest_list_is_served(second, servers, topics)
            second.kill()
            watching.result(20)
    assert watcher.answers > 20
    assert watcher.fell == []
    with gateway(servers, topics, tmp_path / "gateway") as third:
        assert_every_newest_list_is_served(third.wait_ready(), servers, topics)
        assert third.stop() == 0
    with gateway(servers, topics, tmp_path / "another disk") as fourth:
        assert_every_newest_list_is_served(fourth.wait_ready(), servers, topics)


def test_no_list_is_served_before_the_newest_are_there(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> None:
    servers = kafka.access.bootstrap_servers
    publish_lists(
        servers, topics, (lists_of(f"user-{n % 1_000}", n, *["an item with a name"] * 20) for n in range(10_000))
    )
    publish_lists(servers, topics, [lists_of("ann", 40_000, "fargo")])
    seen: list[tuple[int, int]] = []
    with gateway(servers, topics, tmp_path / "gateway") as process:
        port = process.port
        while process.get("/readyz")[0] != 200:
            answer = process.ask("/v1/users/ann/recommendations")
            seen.append((answer.status, process.ask("/readyz").status))
        assert process.ask("/v1/users/ann/recommendations").body["state_version"] == 40_000
    assert port
    assert (503, 503) in seen
    assert all(status in (200, 503) for status, _ in seen)


def test_a_slow_client_is_dropped_and_nobody_else_waits(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> None:
    servers = kafka.access.bootstrap_servers
    environment = {"RIVERRUN_GATEWAY__SLOW_CLIENT_S": "1"}
    large = [f"item-{number}-{'x' * 900}" for number in range(100)]
    with gateway(servers, topics, tmp_path / "gateway", environment) as process:
        process.wait_ready()
        slow = socket.create_connection(("127.0.0.1", process.port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        head = (
            f"GET /v1/users/ann/recommendations/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
        )
        slow.sendall(head.encode())
        with process.stream("/v1/users/ann/recommendations/stream") as quick:
            lists = quick.lists()
            next(lists)
            version = 0
            while not process.metric("riverrun_gateway_streams_dropped_total"):
                version += 5
                publish_lists(servers, topics, (lists_of("ann", version - 4 + n, *large) for n in range(5)))
                while next(lists)["state_version"] < version:
                    pass
                assert version < 400, "the slow client is still there"
        with slow, contextlib.suppress(ConnectionResetError):
            while slow.recv(65_536):  # what the kernel still had, and then the end
                pass


def test_the_end_finishes_what_is_under_way_tells_streams_to_come_again_and_leaves_the_port_free(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers = kafka.access.bootstrap_servers
    body = json.dumps([VIEW] * 50).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with gateway(servers, topics, tmp_path / "gateway") as first:
        first.wait_ready()
        port = first.port
        with (
            first.stream("/v1/users/ann/recommendations/stream") as stream,
            socket.create_connection(("127.0.0.1", port), timeout=10) as under_way,
        ):
            messages = stream.messages()
            assert next(messages) == {"retry": "1000"}
            next(messages)
            under_way.sendall(head.encode() + body[:100])
            assert first.ask("/v1/events", VIEW).status == 200  # by now the half of the other one has been read, too
            first.send(signal.SIGTERM)
            began_s = time.monotonic()
            assert list(messages) == [{"retry": "1000"}]
            under_way.sendall(body[100:])
            answer = b"".join(iter(lambda: under_way.recv(65_536), b""))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b'"accepted":50' in answer
            assert first.ended() == 0
            assert time.monotonic() - began_s < GRACE_S  # nothing was cut
    with gateway(servers, topics, tmp_path / "gateway", port=port) as second:
        second.wait_ready()
        assert second.port == port


def test_while_kafka_is_away_lists_are_served_and_events_refused_and_then_all_is_well(
    own_kafka: LocalKafka, tmp_path: Path
) -> None:
    servers, topics = own_kafka.bootstrap_servers, load_topics()
    apply_topics(KafkaAccess(servers), topics)
    publish_lists(servers, topics, [lists_of("ann", 7, "fargo")])
    environment = {"RIVERRUN_GATEWAY__ACK_TIMEOUT_S": "1"}
    with gateway(servers, topics, tmp_path / "gateway", environment) as process:
        process.wait_ready()
        own_kafka.kill()
        refused = process.ask("/v1/events", VIEW | {"event_id": "while away"})
        assert (refused.status, refused.body["error"]["code"]) == (503, "kafka_unavailable")
        assert refused.headers["retry-after"]
        process.wait(lambda: process.get("/readyz")[0] == 503, "it stays ready")
        assert process.get("/healthz")[0] == 200
        assert process.ask("/v1/users/ann/recommendations").body["state_version"] == 7
        own_kafka.start()
        process.wait_ready()
        process.wait(lambda: process.ask("/v1/events", VIEW).status == 200, "events are still refused")
        with process.stream("/v1/users/ann/recommendations/stream") as stream:
            lists = stream.lists()
            assert next(lists)["state_version"] == 7
            publish_lists(servers, topics, [lists_of("ann", 8, "amelie")])
            assert next(lists)["state_version"] == 8
        process.send(signal.SIGTERM)
        assert process.ended() == 0


def test_a_topic_made_anew_is_read_from_its_beginning_by_a_running_and_by_a_new_gateway(
    kafka: ResolvedKafka, tmp_path: Path
) -> None:
    servers, topics = kafka.access.bootstrap_servers, load_topics().with_prefix(unique_prefix())
    apply_topics(KafkaAccess(servers), topics)
    publish_lists(servers, topics, (lists_of(f"user-{number}", 1_000 + number, "old") for number in range(50)))
    path = "/v1/users/user-1/recommendations"
    with gateway(servers, topics, tmp_path / "gateway") as running:
        running.wait_ready()
        assert running.ask(path).body["state_version"] == 1_001
        with running.stream(f"{path}/stream") as stream:
            lists = stream.lists()
            assert next(lists)["state_version"] == 1_001
            delete_topics(KafkaAccess(servers), topics)
            apply_topics(KafkaAccess(servers), topics)
            publish_lists(servers, topics, [lists_of("user-1", 3, "new")])
            assert list(lists) == []  # it ends, so that the browser comes again
        running.wait(lambda: running.ask(path).status == 200, "it does not come back")
        running.wait(lambda: running.ask(path).body["state_version"] == 3, "the old list is still served")
        assert running.ask("/v1/users/user-2/recommendations").body["known"] is False
        running.kill()
    delete_topics(KafkaAccess(servers), topics)
    apply_topics(KafkaAccess(servers), topics)
    with gateway(servers, topics, tmp_path / "gateway") as after:
        after.wait_ready()
        assert after.ask(path).body["known"] is False
    delete_topics(KafkaAccess(servers), topics)
