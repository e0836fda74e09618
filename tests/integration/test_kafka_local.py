"""The local Apache Kafka: its life, its end with its starter, and its errors."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from app.errors import KafkaStartFailed, ProcessFailed
from app.kafka.access import KafkaAccess
from app.kafka.install import KafkaInstall, install_kafka
from app.kafka.java import find_java
from app.kafka.local import LocalKafka, local_kafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import load_topics
from app.settings import Settings
from tests.support.process import WAIT_S

STARTER = """
import os, sys, time
from app.kafka.local import local_kafka
from app.settings import load_settings
with local_kafka(load_settings(), lambda _: None) as kafka:
    print(kafka.pid, kafka.folder, flush=True)
    if "fork" in sys.argv and os.fork() == 0:
        print(os.getpid(), flush=True)  # a child that inherits every file this process has open
    time.sleep(120)
"""


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def install(settings: Settings) -> KafkaInstall:
    java = find_java(os.environ)
    return install_kafka(settings.cache_dir, settings.kafka.version, java, lambda _: None)


@pytest.mark.parametrize("option", ["alone", "fork"])
def test_the_broker_and_its_folder_end_with_a_starter_that_is_killed(install: KafkaInstall, option: str) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, option], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = None
        try:
            pid, folder = starter.stdout.readline().split()
            if option == "fork":
                child = int(starter.stdout.readline())
            assert Path(folder).is_dir()
        finally:
            starter.kill()
        ended = wait_until(lambda: is_gone(int(pid)) and not Path(folder).exists())
        if child is not None:
            assert not is_gone(child)
            os.kill(child, signal.SIGKILL)
    assert ended


def test_the_broker_ends_with_a_supervisor_that_is_killed(own_kafka: LocalKafka) -> None:
    pid = own_kafka.pid
    assert pid is not None
    supervisor = psutil.Process(pid).parent()
    assert supervisor is not None

    supervisor.kill()

    assert wait_until(lambda: is_gone(pid))
    with pytest.raises(ProcessFailed, match="supervisor"):
        own_kafka.start()
    own_kafka.close()
    assert not own_kafka.folder.exists()


@pytest.mark.parametrize("end", [LocalKafka.stop, LocalKafka.kill])
def test_a_broker_that_is_started_again_has_its_address_and_its_data(
    own_kafka: LocalKafka, end: Callable[[LocalKafka], None]
) -> None:
    address, topics = own_kafka.bootstrap_servers, load_topics()
    apply_topics(KafkaAccess(address), topics)
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    producer.send(topics.events.name, b"kept", partition=0).get(timeout=20)
    producer.close()

    end(own_kafka)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.split(":")[1])), timeout=2)
    own_kafka.start()

    assert own_kafka.bootstrap_servers == address
    consumer = KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topics.events.name, 0)])
    assert next(iter(consumer)).value == b"kept"
    consumer.close()


def test_a_closed_broker_leaves_no_process_and_no_folder(settings: Settings) -> None:
    with local_kafka(settings, lambda _: None) as local:
        pid, folder = local.pid, local.folder
    assert pid is not None
    assert is_gone(pid)
    assert not folder.exists()


def test_a_port_in_use_is_named_with_what_to_do(settings: Settings, install: KafkaInstall) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(KafkaStartFailed, match=f"Port {port} of 127.0.0.1 is in use.*Stop what listens"),
            local_kafka(settings, lambda _: None, port=port),
        ):
            pass


def test_a_data_folder_in_use_is_an_error_of_one_line(
    own_kafka: LocalKafka, settings: Settings, tmp_path: Path
) -> None:
    with (
        pytest.raises(KafkaStartFailed, match="Another broker uses the data folder") as caught,
        local_kafka(settings, lambda _: None, data_dir=tmp_path / "kafka-data"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_broker_that_ends_at_once_shows_the_end_of_its_log(settings: Settings, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=abc\n")
    with (
        pytest.raises(
            KafkaStartFailed, match=r"ended after .* s \(exit code 1\): Stored node id 7 doesn't match"
        ) as caught,
        local_kafka(settings, lambda _: None, data_dir=data),
    ):
        pass
    assert "java.lang.RuntimeException" in (settings.cache_dir / "kafka" / "last-failure.log").read_text()
    assert "last-failure.log; it ends with:\n" in caught.value.hint


def seeded_cache(install: KafkaInstall, cache: Path) -> Path:
    """A cache whose jars are there, but whose download was killed before the end."""
    home = cache / "kafka" / install.version
    shutil.copytree(install.jars, home / "jars")
    (home / "scratch-killed").mkdir()
    return home


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")


def test_a_killed_download_goes_on_with_what_is_whole(
    install: KafkaInstall, settings: Settings, tmp_path: Path, offline: None
) -> None:
    home = seeded_cache(install, tmp_path)
    damaged = sorted((home / "jars").glob("*.jar"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    java, version = find_java(os.environ), settings.kafka.version

    with pytest.raises(KafkaStartFailed, match=rf"Cannot fetch {damaged.name} from Maven Central.*network once"):
        install_kafka(tmp_path, version, java, lambda _: None)
    assert not (home / "complete.json").exists()

    shutil.copy(install.jars / damaged.name, damaged)
    done = install_kafka(tmp_path, version, java, lambda _: None)
    assert (done.formatted / "meta.properties").exists()
    assert not list(home.glob("scratch-*"))


def test_a_complete_cache_needs_no_network(install: KafkaInstall, settings: Settings, offline: None) -> None:
    told: list[str] = []
    java = find_java(os.environ)
    again = install_kafka(settings.cache_dir, settings.kafka.version, java, told.append)
    assert again == install
    assert told == []


def test_two_starts_at_once_complete_the_cache_once(
    install: KafkaInstall, settings: Settings, tmp_path: Path, offline: None
) -> None:
    seeded_cache(install, tmp_path)
    java, told = find_java(os.environ), list[str]()
    starts = [
        threading.Thread(target=install_kafka, args=(tmp_path, settings.kafka.version, java, told.append))
        for _ in range(2)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert sum("formatting" in line for line in told) == 1
    assert sum("Waiting for another process" in line for line in told) == 1


def test_the_resolved_kafka_says_why_it_was_taken(kafka: ResolvedKafka) -> None:
    signs = {"local": "local Apache Kafka", "docker": "in Docker", "configured": "says so"}
    assert signs[kafka.kind] in kafka.why
