"""Kafka in Docker: runs where an engine answers and has the image or gets it, and is skipped elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO

import docker  # type: ignore[import-untyped] # ships no types
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from app.kafka.access import KafkaAccess
from app.kafka.docker import DockerUnusable, check_engine, docker_kafka, ensure_image
from app.kafka.resolver import ResolvedKafka, resolve_kafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import load_topics
from app.settings import KafkaSettings, Settings

STARTER = """
import os, sys, time
from app.kafka.docker import docker_kafka
with docker_kafka(sys.argv[1], lambda _: None) as address:
    if "fork" in sys.argv and os.fork() == 0:
        time.sleep(60)  # a child that lives longer and inherits every file this process has open
        os._exit(0)
    print(address, flush=True)
    time.sleep(120)
"""
BROKEN = """
FROM {image}
USER root
RUN printf '#!/bin/sh\\necho java.lang.IllegalStateException: no such luck\\nexit 3\\n' > /etc/kafka/docker/run
"""


def quiet(_: str) -> None: ...


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def unset(settings: Settings) -> Settings:
    """The settings of this machine, but without an address: what a person has who sets nothing."""
    kafka = KafkaSettings(image=settings.kafka.image, version=settings.kafka.version)
    return settings.model_copy(update={"kafka": kafka})


@pytest.fixture(scope="module")
def engine(unset: Settings) -> Iterator[docker.DockerClient]:
    try:
        check_engine()
        client = docker.from_env()
    except (DockerUnusable, docker.errors.DockerException) as error:
        pytest.skip(f"Kafka in Docker is not tested: {error}")
    try:
        ensure_image(client, unset.kafka.image, quiet)
    except DockerUnusable as error:
        client.close()
        pytest.skip(f"Kafka in Docker is not tested: {error}")
    yield client
    client.close()


def kafka_containers(engine: docker.DockerClient) -> set[str]:
    return {found["Id"] for found in engine.api.containers(all=True, filters={"name": "riverrun-kafka-"})}


@pytest.fixture
def before(engine: docker.DockerClient) -> set[str]:
    """The Kafka containers that others have now."""
    return kafka_containers(engine)


@pytest.fixture(scope="module")
def broken_image(engine: docker.DockerClient, unset: Settings) -> Iterator[str]:
    """The image of the settings with a start script that ends at once."""
    name = "riverrun-test/broken-kafka:1"
    engine.images.build(fileobj=BytesIO(BROKEN.format(image=unset.kafka.image).encode()), tag=name, rm=True)
    yield name
    engine.images.remove(name, force=True)


@pytest.fixture
def silent_registry() -> Iterator[str]:
    """An address where a registry takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_without_an_address_docker_is_taken_and_its_container_ends_with_the_block(
    engine: docker.DockerClient, unset: Settings, before: set[str]
) -> None:
    with resolve_kafka(unset, quiet) as kafka:
        assert kafka.kind == "docker", kafka.why
        assert "a Docker engine answers" in kafka.why
        assert len(kafka_containers(engine) - before) == 1
    assert kafka_containers(engine) <= before


def test_the_topics_are_made_and_what_is_produced_is_consumed_from_this_machine(
    engine: docker.DockerClient, unset: Settings
) -> None:
    topics = load_topics()
    with docker_kafka(unset.kafka.image, quiet) as address:
        apply_topics(KafkaAccess(address), topics)
        apply_topics(KafkaAccess(address), topics)  # as it is: nothing to do
        producer = KafkaProducer(bootstrap_servers=address, acks="all")
        producer.send(topics.events.name, b"from the host", partition=0).get(timeout=20)
        producer.close()
        consumer = KafkaConsumer(
            bootstrap_servers=address, group_id="g", auto_offset_reset="earliest", consumer_timeout_ms=20_000
        )
        consumer.assign([TopicPartition(topics.events.name, 0)])
        assert next(iter(consumer)).value == b"from the host"
        consumer.commit()  # the group coordinator answers from the host, too
        consumer.close()


@pytest.mark.parametrize(
    ("end", "option"), [(signal.SIGKILL, "alone"), (signal.SIGTERM, "alone"), (signal.SIGKILL, "fork")]
)
def test_the_container_ends_with_a_starter_that_is_killed(
    engine: docker.DockerClient, unset: Settings, before: set[str], end: signal.Signals, option: str
) -> None:
    command = [sys.executable, "-c", STARTER, unset.kafka.image, option]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        try:
            assert ":" in starter.stdout.readline()
            assert len(kafka_containers(engine) - before) == 1
        finally:
            os.kill(starter.pid, end)
    assert wait_until(lambda: kafka_containers(engine) <= before)


def test_the_container_ends_with_a_starter_that_is_killed_before_kafka_answers(
    engine: docker.DockerClient, unset: Settings, before: set[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, unset.kafka.image]) as starter:
        try:
            assert wait_until(lambda: any_running(engine, before), 60)
        finally:
            starter.kill()
    assert wait_until(lambda: kafka_containers(engine) <= before)


def any_running(engine: docker.DockerClient, before: set[str]) -> bool:
    running = engine.api.containers(filters={"name": "riverrun-kafka-"})
    return any(found["Id"] not in before for found in running)


def expect_local(settings: Settings, image: str) -> ResolvedKafka:
    kafka = settings.kafka.model_copy(update={"image": image})
    with resolve_kafka(settings.model_copy(update={"kafka": kafka}), quiet) as found:
        assert found.kind == "local", found.why
        return found


def test_a_container_that_fails_is_removed_and_a_local_kafka_is_taken(
    unset: Settings, engine: docker.DockerClient, broken_image: str, before: set[str]
) -> None:
    found = expect_local(unset, broken_image)
    assert "does not start in Docker: Kafka in it ended with exit code 3: java.lang.Illegal" in found.why
    assert kafka_containers(engine) <= before


def test_an_image_that_no_registry_has_leads_to_a_local_kafka(unset: Settings, engine: docker.DockerClient) -> None:
    found = expect_local(unset, "127.0.0.1:1/no/kafka:1")
    assert "Docker has no image 127.0.0.1:1/no/kafka:1" in found.why


def test_a_registry_that_does_not_answer_leads_to_a_local_kafka_in_bounded_time(
    unset: Settings, engine: docker.DockerClient, silent_registry: str
) -> None:
    started = time.monotonic()
    found = expect_local(unset, f"{silent_registry}/kafka:1")
    assert f"{silent_registry}/kafka:1" in found.why
    assert time.monotonic() - started < 120
