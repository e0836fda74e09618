"""Model versions swapped under a real model server on a real Kafka, while requests flow.

Two versions that can be told apart: one recommends what is most like the newest film, the other what is least like it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import pytest
import torch
from kafka import KafkaConsumer, KafkaProducer

from app.contracts.recommendations import Recommendations, decode_recommendations
from app.interests.state import Kind, encode_state
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics
from app.settings import Settings
from model_server.model.network import SequenceNetwork
from model_server.registry.announce import announce
from model_server.registry.champion import promote, read_succession
from model_server.registry.save import save_version
from model_server.registry.version import TrainedModel
from model_server.text.pretrained import open_text_encoder
from tests.support.kafka import unique_prefix
from tests.support.model_server import ModelServerProcess, model_server, offer, reader
from tests.support.planted import planted_model
from tests.support.process import WAIT_S
from tests.support.states import state_of

THEMES: Final = ("space ships and aliens", "a jazz band on tour", "cooking in a small kitchen", "horses and cowboys")
TITLES: Final = {f"film-{number}": f"{THEMES[number % 4]}, part {number // 4}" for number in range(40)}
SWAPS: Final = 20
CALM_S: Final = 5.0
_EACH_S: Final = 0.02  # 50 requests a second


def theme_of(item_id: str) -> int:
    return int(item_id.removeprefix("film-")) % 4


@dataclass(frozen=True)
class Versions:
    """The folder, and the names of the two in it."""

    folder: Path
    alike: str
    unlike: str


@pytest.fixture
def versions(settings: Settings, tmp_path: Path) -> Versions:
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    folder = tmp_path / "models"
    alike = save_version(folder, planted_model(TITLES, encoder), now_ms=1_790_000_000_000).name
    unlike = save_version(folder, turned(planted_model(TITLES, encoder)), now_ms=1_790_000_100_000).name
    promote(folder, alike, "first", now_ms=1)
    return Versions(folder, alike, unlike)


def turned(model: TrainedModel) -> TrainedModel:
    """The same model with users' vectors the other way round."""
    assert isinstance(model.network, SequenceNetwork)
    with torch.no_grad():
        model.network.user_projection.weight.neg_()
    return model


def fits(lists: Recommendations, versions: Versions, seen: str) -> bool:
    """Whether the list is one that the version it names would make."""
    themes = [theme_of(item.item_id) for item in lists.lists["home"][:5]]
    alike = [theme == theme_of(seen) for theme in themes]
    return len(themes) == 5 and (all(alike) if lists.model_version == versions.alike else not any(alike))


@dataclass
class Traffic:
    """Strangers who see one film each, and their lists."""

    producer: KafkaProducer
    consumer: KafkaConsumer
    topics: Topics
    asked: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[Recommendations]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def flow(self, seconds: float) -> None:
        """Ask and listen for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            number = next(self.numbers)
            user_id, film = f"stranger-{number}", f"film-{number % 40}"
            self.asked[user_id] = film
            self.producer.send(
                self.topics.score_requests.name,
                key=user_id.encode(),
                value=encode_state(state_of((Kind.VIEW, film), version=number)),
            )
            self.listen(_EACH_S)

    def walk(self, steps: int, visitors: int) -> None:
        """Visitors see one film of a theme after the other, each once the list before it is there."""
        walk = next(self.numbers)
        for step in range(1, steps + 1):
            for visitor in range(visitors):
                films = [f"film-{visitor % 4 + 4 * (place % 10)}" for place in range(step)]
                user_id = f"visitor-{walk}-{visitor}"
                self.asked[user_id] = films[-1]
                state = state_of(*((Kind.VIEW, film) for film in films), version=step)
                self.producer.send(self.topics.score_requests.name, key=user_id.encode(), value=encode_state(state))
            self.wait_answered(step)

    def listen(self, seconds: float) -> None:
        for records in self.consumer.poll(timeout_ms=int(seconds * 1_000)).values():
            for record in records:
                answer = decode_recommendations(record.value)
                if answer.user_id in self.asked:
                    self.answers.setdefault(answer.user_id, []).append(answer)

    def wait_answered(self, lists: int = 1) -> None:
        """Until everybody has so many lists."""
        deadline = time.monotonic() + WAIT_S
        while waiting := [user for user in self.asked if len(self.answers.get(user, ())) < lists]:
            assert time.monotonic() < deadline, f"{len(waiting)} users have no list"
            self.listen(0.1)

    def mixed(self, versions: Versions) -> list[Recommendations]:
        """Lists that are not of the version they name."""
        return [
            each
            for user_id, answers in self.answers.items()
            for each in answers
            if not fits(each, versions, self.asked[user_id])
        ]

    def late_ms(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """From Kafka having the request to the list being made."""
        return np.array(
            [
                each.generated_ts_ms - (each.requested_ts_ms or 0)
                for answers in self.answers.values()
                for each in answers
            ],
            np.float64,
        )


@contextmanager
def traffic(bootstrap_servers: str, topics: Topics) -> Iterator[Traffic]:
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0)
    consumer = reader(bootstrap_servers, topics.recommendations)
    try:
        yield Traffic(producer, consumer, topics)
    finally:
        producer.close(5)
        consumer.close()


def serves(server: ModelServerProcess, version: str) -> bool:
    return server.metric(f'riverrun_model_info{{device="cpu",version="{version}"}}') == 1


def riverrun_models(bootstrap_servers: str, topics: Topics, versions: Versions, *arguments: str) -> str:
    """The command line, as an operator has it."""
    prefix = topics.events.name.removesuffix("events")
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "models", *arguments,
         "--models-dir", str(versions.folder), "--topic-prefix", prefix],
        env={**os.environ, "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "look into the folder" not in done.stderr  # Kafka was told
    return done.stdout.strip()


def test_twenty_swaps_under_load_drop_nothing_and_mix_nothing(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address = kafka.bootstrap_servers
    offer(address, topics, TITLES)
    with (
        model_server(address, topics, versions.folder, tmp_path / "log") as server,
        traffic(address, topics) as calm,
        traffic(address, topics) as busy,
    ):
        server.wait_ready()
        calm.flow(CALM_S)
        calm.wait_answered()
        busy.numbers = count(1_000_000)
        for swap in range(SWAPS):
            name = (versions.unlike, versions.alike)[swap % 2]
            succession = promote(versions.folder, name, f"swap {swap}", now_ms=swap)
            assert announce(address, topics.model_updates.name, succession.champion) == ""
            deadline = time.monotonic() + WAIT_S
            while not serves(server, name):
                assert time.monotonic() < deadline, server.log[-3_000:]
                busy.flow(0.1)
        busy.wait_answered()
        assert busy.mixed(versions) == []
        made_by = {each.model_version for own in busy.answers.values() for each in own}
        assert made_by == {versions.alike, versions.unlike}
        assert server.metric("riverrun_model_swaps_total") == SWAPS
        assert server.metric("riverrun_model_info") == 1  # of the one that serves, and of no other
        memory = psutil.Process(server.process.pid).memory_info().rss >> 20
        calm_ms, busy_ms = (np.percentile(each.late_ms(), (50, 99)) for each in (calm, busy))
        sys.stdout.write(
            f"{SWAPS} swaps, {len(busy.asked)} requests; request to list, p50 and p99 in ms: "
            f"without swaps {calm_ms}, with {busy_ms}; {memory} MB\n"
        )


def test_a_damaged_champion_is_refused_and_rolled_back_by_command_while_serving_goes_on(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address = kafka.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        weights = versions.folder / versions.unlike / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1])
        promote(versions.folder, versions.unlike, "past every check", now_ms=2)  # nobody was told: it looks by itself
        server.wait(lambda: server.metric("riverrun_models_refused_total") == 1, "it was not refused")
        assert "model.safetensors is truncated or was changed" in server.log
        flow.flow(0.5)
        flow.wait_answered()
        assert server.get("/readyz")[0] == 200
        assert serves(server, versions.alike)

        assert riverrun_models(address, topics, versions, "rollback", "--reason", "damaged") == versions.alike
        weights.write_bytes(whole)
        assert riverrun_models(address, topics, versions, "promote", versions.unlike) == versions.unlike
        server.wait(lambda: serves(server, versions.unlike), "it was not swapped in")
        assert riverrun_models(address, topics, versions, "rollback") == versions.alike
        server.wait(lambda: serves(server, versions.alike), "it was not swapped back")
        flow.flow(0.5)
        flow.wait_answered()
        assert flow.mixed(versions) == []
        assert server.metric("riverrun_models_refused_total") == 1


def test_killed_in_a_warm_up_the_next_one_starts_with_the_champion(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address = kafka.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "a.log") as server:
        server.wait_ready()
        promote(versions.folder, versions.unlike, "better", now_ms=2)
        server.wait(lambda: f"{versions.unlike} is champion" in server.log, "it did not look")
        server.send(signal.SIGKILL)
        server.process.wait()
    with model_server(address, topics, versions.folder, tmp_path / "b.log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        assert serves(server, versions.unlike)
        flow.flow(0.5)
        flow.wait_answered()
        assert {each.model_version for own in flow.answers.values() for each in own} == {versions.unlike}
        assert server.stop() == 0


def test_a_champion_that_changes_while_kafka_is_away_serves_when_it_is_back(
    own_kafka: LocalKafka, versions: Versions, tmp_path: Path
) -> None:
    address = own_kafka.bootstrap_servers
    topics = load_topics().with_prefix(unique_prefix())
    apply_topics(address, topics)
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server:
        server.wait_ready()
        own_kafka.kill()
        promote(versions.folder, versions.unlike, "better", now_ms=2)
        server.wait(lambda: f"{versions.unlike} must wait" in server.log, "it did not try")
        assert server.get("/healthz")[0] == 200
        own_kafka.start()
        server.wait(lambda: serves(server, versions.unlike), "it was not swapped in")
        with traffic(address, topics) as flow:
            flow.flow(0.5)
            flow.wait_answered()
        assert flow.mixed(versions) == []
        assert server.stop() == 0


def test_a_version_whose_lists_nobody_wants_is_taken_back(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Visitors go on with films like the last one: the version that shows the others loses its hits."""
    monkeypatch.setenv("RIVERRUN_SCORING__GUARD_S", "60")
    address = kafka.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        flow.walk(steps=6, visitors=30)
        promote(versions.folder, versions.unlike, "by mistake", now_ms=2)
        server.wait(lambda: serves(server, versions.unlike), "it was not swapped in")
        flow.walk(steps=6, visitors=30)
        server.wait(lambda: server.metric("riverrun_models_taken_back_total") == 1, "no guardrail tripped")
        server.wait(lambda: serves(server, versions.alike), "the version before did not come back")
    succession = read_succession(versions.folder)
    assert succession is not None
    assert (succession.champion.version, succession.champion.restored) == (versions.alike, True)
    assert "guardrail: live hits: 0.0% of" in succession.withdrawn[0].reason
