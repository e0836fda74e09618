"""Which Kafka is taken, with backends that say what answers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from app.errors import KafkaStartFailed, KafkaUnreachable
from app.kafka.access import KafkaAccess
from app.kafka.docker import DockerUnusable
from app.kafka.install import Progress
from app.kafka.java import Java
from app.kafka.local import LocalKafka
from app.kafka.probe import Answer
from app.kafka.resolver import Backends, resolve_kafka
from app.settings import KafkaSettings, Settings

NOT_SET = Settings(kafka=KafkaSettings())
ANSWERS = Answer()
CONFIGURED = Settings(kafka=KafkaSettings(bootstrap_servers="broker:9092"))


@dataclass
class Machine:
    """A machine on which some ways lead to a Kafka; writes down what was asked of it."""

    answer: Answer = ANSWERS
    docker_says: str = ""
    asked: list[str] = field(default_factory=list)

    def probe(self, access: KafkaAccess, timeout_s: float) -> Answer:
        assert timeout_s <= 10
        self.asked.append(f"probe {access.bootstrap_servers}")
        return self.answer

    @contextmanager
    def docker(self, image: str, on_progress: Progress) -> Iterator[str]:
        self.asked.append(f"docker {image}")
        if self.docker_says:
            raise DockerUnusable(self.docker_says)
        yield "docker-host:32001"
        self.asked.append("docker ended")

    @contextmanager
    def local(self, settings: Settings, on_progress: Progress) -> Iterator[LocalKafka]:
        self.asked.append("local")
        java = Java(Path("/usr/bin/java"), 17, "PATH")
        kafka = SimpleNamespace(access=KafkaAccess("127.0.0.1:20000"), version="4.1.0", java=java)
        yield cast(LocalKafka, kafka)
        self.asked.append("local ended")

    def backends(self) -> Backends:
        local: Callable[[Settings, Progress], AbstractContextManager[LocalKafka]] = self.local
        return Backends(probe=self.probe, docker=self.docker, local=local)


def quiet(_: str) -> None: ...


def test_a_configured_address_is_checked_and_used_alone() -> None:
    machine = Machine()
    with resolve_kafka(CONFIGURED, quiet, machine.backends()) as kafka:
        assert (kafka.access.bootstrap_servers, kafka.kind) == ("broker:9092", "configured")
    assert machine.asked == ["probe broker:9092"]


def test_a_configured_address_that_does_not_answer_is_an_error_and_nothing_else_is_tried() -> None:
    machine = Machine(answer=Answer("broker:9092: connection refused"))
    with (
        pytest.raises(KafkaUnreachable, match=r"broker:9092.*connection refused.*Start it or mend") as caught,
        resolve_kafka(CONFIGURED, quiet, machine.backends()),
    ):
        pass
    assert caught.value.exit_code == 3
    assert machine.asked == ["probe broker:9092"]


def test_docker_comes_before_a_local_kafka() -> None:
    machine = Machine()
    with resolve_kafka(NOT_SET, quiet, machine.backends()) as kafka:
        assert (kafka.access.bootstrap_servers, kafka.kind) == ("docker-host:32001", "docker")
        assert kafka.why == (
            "apache/kafka:4.1.0 in Docker: no RIVERRUN_KAFKA__BOOTSTRAP_SERVERS, and a Docker engine answers"
        )
    assert machine.asked == ["docker apache/kafka:4.1.0", "docker ended"]


def test_without_docker_a_local_kafka_is_taken_and_the_reason_said() -> None:
    machine = Machine(docker_says="no Docker engine answers")
    with resolve_kafka(NOT_SET, quiet, machine.backends()) as kafka:
        assert (kafka.access.bootstrap_servers, kafka.kind) == ("127.0.0.1:20000", "local")
        assert kafka.why == "local Apache Kafka 4.1.0 on Java 17 (/usr/bin/java): no Docker engine answers"
    assert machine.asked == ["docker apache/kafka:4.1.0", "local", "local ended"]


def test_a_local_kafka_that_does_not_start_is_an_error() -> None:
    @contextmanager
    def broken(settings: Settings, on_progress: Progress) -> Iterator[LocalKafka]:
        raise KafkaStartFailed("No Java 17 or newer.")
        yield

    machine = Machine(docker_says="no Docker engine answers")
    backends = Backends(machine.probe, machine.docker, broken)
    with pytest.raises(KafkaStartFailed, match="No Java"), resolve_kafka(NOT_SET, quiet, backends):
        pass


def test_an_error_of_the_work_itself_does_not_look_like_a_missing_docker() -> None:
    machine = Machine()
    with (
        pytest.raises(DockerUnusable, match="from the block"),
        resolve_kafka(NOT_SET, quiet, machine.backends()),
    ):
        raise DockerUnusable("from the block")
    assert "local" not in machine.asked
