"""Kafka in a container, through testcontainers, where a Docker engine answers.

testcontainers' own Kafka container knows Confluent's images only; `apache/kafka` is started here the same way.
Its reaper (Ryuk) removes the container when this process ends, also when that is killed.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.errors import KafkaError
from app.kafka.install import Progress
from app.kafka.probe import probe

DEFAULT_HOST = "unix:///var/run/docker.sock"
ENGINE_TIMEOUT_S = 5
PULL_TIMEOUT_S = 180.0
START_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 15.0
MIN_GROUP_SESSION_MS = 1_000


class DockerUnusable(KafkaError):
    """No Kafka in a container to be had here; the message says why, and a local Kafka is tried next."""


@contextmanager
def docker_kafka(image: str, on_progress: Progress) -> Iterator[str]:
    """Run the image for the length of the block; gives the address for clients.

    Raises:
        DockerUnusable: no engine answers, the image cannot be had in time, or the container does not start.
    """
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - heavy, seldom needed

    ensure_image(image, on_progress)
    if not testcontainers_config.ryuk_disabled:
        ensure_image(testcontainers_config.ryuk_image, on_progress)
    on_progress(f"Starting {image} in Docker")
    try:
        container = _container(image)
    except Exception as error:
        raise DockerUnusable(f"testcontainers does not take {image}: {_short(error)}") from error
    try:
        try:
            container.start(timeout=START_TIMEOUT_S)
            address: str = container.get_bootstrap_server()
            answer = probe(address, ANSWER_TIMEOUT_S)
        except Exception as error:
            # docker, requests and testcontainers share no base class, and any of them only means: go local
            raise DockerUnusable(f"{image} does not start in Docker: {_short(error)}") from error
        if not answer.ok:
            raise DockerUnusable(f"{image} started in Docker, but {answer.why}")
        yield address
    finally:
        _remove(container, on_progress)


def ensure_image(image: str, on_progress: Progress) -> None:
    """Check that an engine answers and has the image, pulled in bounded time if need be.

    Raises:
        DockerUnusable: otherwise.
    """
    from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped] # noqa: PLC0415 - no types; heavy

    client = _engine()
    try:
        client.ping()
        try:
            client.images.get(image)
        except ImageNotFound:
            _pull(client, image, on_progress)
    except (DockerException, OSError) as error:  # requests' errors are OSErrors
        raise DockerUnusable(f"Docker has no image {image}: {_short(error)}") from error
    finally:
        client.close()


def _engine() -> Any:
    """A client of the engine that testcontainers will use.

    Raises:
        DockerUnusable: it does not answer.
    """
    import docker  # type: ignore[import-untyped] # noqa: PLC0415 - ships no types; heavy, and seldom needed
    from docker.errors import DockerException  # noqa: PLC0415 - same
    from testcontainers.core.docker_client import get_docker_host  # noqa: PLC0415 - heavy, seldom needed

    host = get_docker_host() or DEFAULT_HOST
    path = host.removeprefix("unix://")
    if path != host:
        # docker-py leaves its socket open where nobody answers, so that is found out before.
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(ENGINE_TIMEOUT_S)
            if engine.connect_ex(path) != 0:
                raise DockerUnusable("no Docker engine answers")
    try:
        return docker.from_env(
            environment={**os.environ, "DOCKER_HOST": host},  # docker's own variables: TLS, certificates
            timeout=ENGINE_TIMEOUT_S,
            use_ssh_client=host.startswith("ssh://"),
        )
    except (DockerException, OSError) as error:
        raise DockerUnusable(f"no Docker engine answers at {host}") from error


def _pull(client: Any, image: str, on_progress: Progress) -> None:
    """Pull in bounded time: each read by the client's time-out, all of it by the deadline."""
    from docker.utils import parse_repository_tag  # type: ignore[import-untyped] # noqa: PLC0415 - same

    repository, tag = parse_repository_tag(image)
    deadline = time.monotonic() + PULL_TIMEOUT_S
    on_progress(f"Docker pulls {image}")
    client.api.timeout = 30
    for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
        if "error" in line:
            raise DockerUnusable(f"Docker cannot pull {image}: {line['error']}")
        if time.monotonic() > deadline:
            raise DockerUnusable(f"Docker did not pull {image} within {PULL_TIMEOUT_S:.0f} s")


def _container(image: str) -> Any:
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415

    class ApacheKafkaContainer(KafkaContainer):
        """The image of the Apache project, whose start script and version numbers differ from Confluent's."""

        def _verify_min_kraft_version(self) -> None:
            """Every apache/kafka image runs KRaft."""

        def tc_start(self) -> None:
            """Hand the container its mapped address, which exists only now; it waits for this file."""
            script = (
                "#!/bin/sh\n"
                f"export KAFKA_ADVERTISED_LISTENERS={self.listener_name}://{self.get_bootstrap_server()},"
                "BROKER://localhost:9092\n"
                "exec /etc/kafka/docker/run\n"
            )
            self.create_file(script.encode(), KafkaContainer.TC_START_SCRIPT)

    kind = KafkaContainer if "cp-kafka" in image else ApacheKafkaContainer
    container = kind(image).with_kraft()
    for name, value in {
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": str(MIN_GROUP_SESSION_MS),
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_HEAP_OPTS": "-Xmx512m",
    }.items():
        container.with_env(name, value)
    return container


def _remove(container: Any, on_progress: Progress) -> None:
    try:
        container.stop()
    except Exception as error:  # the work is done, and the reaper removes the container anyway
        on_progress(f"Docker did not remove the Kafka container: {_short(error)}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
