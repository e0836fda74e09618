"""Two model versions that can be told apart, swapped under traffic whose every list is checked.

One recommends what is most like the newest film, the other what is least like it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from kafka import KafkaConsumer, KafkaProducer

from app.contracts.events import View, encode_event
from app.contracts.recommendations import Recommendations, decode_recommendations
from app.interests.state import Kind, encode_state
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.model.network import SequenceNetwork
from model_server.registry.announce import update_message
from model_server.registry.champion import promote
from model_server.registry.save import save_version
from model_server.registry.version import TrainedModel
from model_server.text.pretrained import open_text_encoder
from tests.support.model_server import ModelServerProcess, reader
from tests.support.planted import planted_model
from tests.support.process import WAIT_S
from tests.support.states import state_of

THEMES: Final = ("space ships and aliens", "a jazz band on tour", "cooking in a small kitchen", "horses and cowboys")
TITLES: Final = {f"film-{number}": f"{THEMES[number % 4]}, part {number // 4}" for number in range(40)}
_EACH_S: Final = 0.02  # 50 requests a second


@dataclass(frozen=True)
class Versions:
    """The folder, and the names of the two in it."""

    folder: Path
    alike: str
    unlike: str


def plant_versions(folder: Path, settings: Settings) -> Versions:
    """Make both; the first one is champion."""
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    alike = save_version(folder, planted_model(TITLES, encoder), now_ms=1_790_000_000_000).name
    unlike = save_version(folder, _turned(planted_model(TITLES, encoder)), now_ms=1_790_000_100_000).name
    promote(folder, alike, "first", now_ms=1)
    return Versions(folder, alike, unlike)


def _turned(model: TrainedModel) -> TrainedModel:
    """The same model with users' vectors the other way round."""
    assert isinstance(model.network, SequenceNetwork)
    with torch.no_grad():
        model.network.user_projection.weight.neg_()
    return model


def fits(lists: Recommendations, versions: Versions, seen: str) -> bool:
    """Whether the list is one that the version it names would make: its films, and its scores."""
    places = lists.lists["home"][:5]
    alike = [_theme_of(place.item_id) == _theme_of(seen) for place in places]
    falling = all(one.score >= next_one.score for one, next_one in pairwise(places))
    return len(places) == 5 and falling and (all(alike) if lists.model_version == versions.alike else not any(alike))


def _theme_of(item_id: str) -> int:
    return int(item_id.removeprefix("film-")) % 4


@dataclass(frozen=True)
class Answer:
    """A list, and how long after what asked for it Kafka had it, in milliseconds."""

    lists: Recommendations
    after_ms: int


@dataclass
class Traffic:
    """Strangers who see one film each, and their lists.

    Args:
        producer: of events or score requests.
        consumer: of recommendations.
        topics: where.
        agents: whether stream agents run; then what is sent are events, otherwise score requests.
        asked: who, of which film.
        answers: by whom.
        last: the newest list's version.
    """

    producer: KafkaProducer
    consumer: KafkaConsumer
    topics: Topics
    agents: bool = False
    asked: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    last: str = ""
    _numbers: Iterator[int] = field(default_factory=count)

    def flow(self, seconds: float, kind: str = "stranger") -> None:
        """Ask and listen for so long."""
        end_s = time.monotonic() + seconds
        self.flow_until(lambda: time.monotonic() >= end_s, "", kind)

    def flow_until(self, condition: Callable[[], bool], otherwise: str, kind: str = "stranger") -> None:
        """Ask and listen until then."""
        deadline_s = time.monotonic() + WAIT_S
        next_s = time.monotonic()
        while not condition():
            assert time.monotonic() < deadline_s, otherwise
            next_s = max(next_s + _EACH_S, time.monotonic())  # what was missed is not caught up with
            self._ask(kind, next(self._numbers))
            self.listen(next_s - time.monotonic())

    def _ask(self, kind: str, number: int) -> None:
        user_id, film = f"{kind}-{number}", f"film-{number % 40}"
        self.asked[user_id] = film
        if self.agents:
            seen = View(event_id=user_id, user_id=user_id, item_id=film, ts_ms=int(time.time() * 1_000))
            topic, value = self.topics.events, encode_event(seen)
        else:
            topic, value = self.topics.score_requests, encode_state(state_of((Kind.VIEW, film), version=number))
        self.producer.send(topic.name, key=user_id.encode(), value=value)

    def walk(self, steps: int, visitors: int) -> None:
        """Visitors see one film of a theme after the other, each once the list before it is there."""
        walk = next(self._numbers)
        for step in range(1, steps + 1):
            for visitor in range(visitors):
                films = [f"film-{visitor % 4 + 4 * (place % 10)}" for place in range(step)]
                user_id = f"visitor-{walk}-{visitor}"
                self.asked[user_id] = films[-1]
                state = state_of(*((Kind.VIEW, film) for film in films), version=step)
                self.producer.send(self.topics.score_requests.name, key=user_id.encode(), value=encode_state(state))
            self.wait_answered(step)

    def listen(self, seconds: float) -> None:
        """Take in what has come, or comes in this time."""
        for records in self.consumer.poll(timeout_ms=max(0, int(seconds * 1_000))).values():
            for record in records:
                lists = decode_recommendations(record.value)
                if lists.user_id in self.asked:
                    since_ms = lists.cause.received_ts_ms if self.agents else lists.requested_ts_ms or 0
                    after_ms = record.timestamp - since_ms
                    self.answers.setdefault(lists.user_id, []).append(Answer(lists, after_ms))
                    self.last = lists.model_version

    def wait_answered(self, lists: int = 1) -> None:
        """Until everybody has so many lists."""
        deadline = time.monotonic() + WAIT_S
        while waiting := [user for user in self.asked if len(self.answers.get(user, ())) < lists]:
            assert time.monotonic() < deadline, f"{len(waiting)} users have no list"
            self.listen(0.1)

    def mixed(self, versions: Versions) -> list[Recommendations]:
        """Lists that are not of the version they name."""
        return [
            each.lists
            for user_id, answers in self.answers.items()
            for each in answers
            if not fits(each.lists, versions, self.asked[user_id])
        ]

    def after_ms(self, kind: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """Of the lists of strangers of this kind."""
        return np.array(
            [answer.after_ms for user_id, own in self.answers.items() if user_id.startswith(kind) for answer in own],
            np.float64,
        )

    def tell(self, folder: Path, version: str, reason: str, now_ms: int) -> None:
        """Promote a version and say so in Kafka, as `riverrun models promote` does."""
        champion = promote(folder, version, reason, now_ms).champion
        message = update_message(self.topics.model_updates.name, champion)
        self.producer.send(message.topic, key=message.key, value=message.value, partition=message.partition)


@contextmanager
def traffic(bootstrap_servers: str, topics: Topics, *, agents: bool = False) -> Iterator[Traffic]:
    """Connected until the block ends; see `Traffic` for `agents`."""
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=0)
    consumer = reader(bootstrap_servers, topics.recommendations)
    try:
        yield Traffic(producer, consumer, topics, agents)
    finally:
        producer.close(5)
        consumer.close()


def serves(server: ModelServerProcess, version: str) -> bool:
    """Whether the server says that this version serves."""
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
