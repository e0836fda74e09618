"""A real Kafka for tests: one for the whole run, and topics of its own for every test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kafka.local import LocalKafka, local_kafka
from app.kafka.resolver import ResolvedKafka, resolve_kafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, load_topics
from app.settings import Settings, load_settings


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python be imported."""
    # kafka-python 3.0 reads its message schemas with a call that Python 3.11 and 3.12 deprecate (3.13 took it back).
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of this machine: a test run uses the Kafka that they name, if they name one."""
    return load_settings()


@pytest.fixture(scope="session")
def kafka(settings: Settings, request: pytest.FixtureRequest) -> Iterator[ResolvedKafka]:
    """The Kafka of this test run, found or started by the real resolver. Use topics of your own in it."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    with resolve_kafka(settings, lambda _: None) as resolved:
        if terminal is not None:
            terminal.write_line(f"Kafka: {resolved.why}")
        resolved.access.plain_address("A client of the tests")
        yield resolved


@pytest.fixture
def topics(kafka: ResolvedKafka) -> Iterator[Topics]:
    """Every topic of topics.yml under names that only this test has (and a Faust app id that fits)."""
    own = load_topics().with_prefix(unique_prefix())
    apply_topics(kafka.access, own)
    yield own
    if kafka.kind == "configured":  # the others end with the run
        delete_topics(kafka.access, own)


@pytest.fixture
def own_kafka(settings: Settings, tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker for one test alone, to stop, kill and start again; two seconds more than `kafka`."""
    with local_kafka(settings, lambda _: None, data_dir=tmp_path / "kafka-data") as local:
        yield local


def unique_prefix() -> str:
    """A prefix for topic names that no other test has."""
    return f"t{uuid.uuid4().hex[:8]}-"
