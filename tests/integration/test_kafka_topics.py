"""`riverrun topics apply` on a real Kafka."""

import json
from dataclasses import replace
from types import MappingProxyType

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from typer.testing import CliRunner

from app.cli.topics import app
from app.errors import KafkaError, KafkaUnreachable, TopicMismatch
from app.kafka.access import KafkaAccess
from app.kafka.permissions import AGENTS, REPLAY
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topic_check import check_topics
from app.kafka.topics import APP_ID, Topics, load_topics
from tests.support.kafka import unique_prefix


def names(topics: Topics) -> set[str]:
    return {spec.name for spec in topics.by_role().values()}


def with_retention(topics: Topics, retention_ms: str) -> Topics:
    config = MappingProxyType({**topics.events.config, "retention.ms": retention_ms})
    return replace(topics, events=replace(topics.events, config=config))


def test_applying_creates_every_topic_and_a_second_time_changes_nothing(kafka: ResolvedKafka) -> None:
    topics = load_topics().with_prefix(unique_prefix())

    first = apply_topics(kafka.access, topics)
    second = apply_topics(kafka.access, topics)

    assert set(first.created) == names(topics)
    assert (first.changed, first.unchanged) == ((), ())
    assert (second.created, second.changed) == ((), ())
    assert set(second.unchanged) == names(topics)
    delete_topics(kafka.access, topics)


def test_a_setting_that_differs_is_set(kafka: ResolvedKafka, topics: Topics) -> None:
    shorter = with_retention(topics, "3600000")

    applied = apply_topics(kafka.access, shorter)
    again = apply_topics(kafka.access, shorter)

    assert applied.changed == (topics.events.name,)
    assert topics.events.name not in applied.unchanged
    assert again.changed == ()


def test_another_number_of_partitions_is_refused_before_anything_is_written(
    kafka: ResolvedKafka, topics: Topics
) -> None:
    more = with_retention(replace(topics, catalog=replace(topics.catalog, partitions=3)), "3600000")

    with pytest.raises(TopicMismatch) as caught:
        apply_topics(kafka.access, more)

    assert f"{topics.catalog.name} has 1 partitions, topics.yml wants 3" in caught.value.what
    assert "replay the events" in caught.value.hint
    assert apply_topics(kafka.access, topics).changed == ()
    with pytest.raises(TopicMismatch):
        check_topics(kafka.access, more, REPLAY)


def test_a_process_that_starts_without_its_topics_is_told_to_apply_them(kafka: ResolvedKafka) -> None:
    with pytest.raises(TopicMismatch, match="riverrun topics apply"):
        check_topics(kafka.access, load_topics().with_prefix(unique_prefix()), REPLAY)


def test_topics_that_are_there_verify(kafka: ResolvedKafka, topics: Topics) -> None:
    check_topics(kafka.access, topics, AGENTS, topics.app_id.removesuffix(APP_ID))


def test_a_setting_that_kafka_does_not_know_is_an_error_that_names_it(kafka: ResolvedKafka, topics: Topics) -> None:
    wrong = MappingProxyType({**topics.events.config, "retention.weeks": "2"})
    with pytest.raises(KafkaError, match=r"retention\.weeks"):
        apply_topics(kafka.access, replace(topics, events=replace(topics.events, config=wrong)))


def test_a_value_that_kafka_does_not_take_is_an_error_that_shows_it(kafka: ResolvedKafka, topics: Topics) -> None:
    with pytest.raises(KafkaError, match="soon"):
        apply_topics(kafka.access, with_retention(topics, "soon"))


def test_applying_to_nobody_says_so(settings: object) -> None:
    with pytest.raises(KafkaUnreachable, match="connection refused"):
        apply_topics(KafkaAccess("127.0.0.1:1"), load_topics())


def test_a_produced_record_comes_back(kafka: ResolvedKafka, topics: Topics) -> None:
    partition = TopicPartition(topics.events.name, 0)
    producer = KafkaProducer(bootstrap_servers=kafka.access.bootstrap_servers)
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.access.bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    try:
        consumer.assign([partition])
        sent = producer.send(topics.events.name, key=b"u1", value=b"hello", partition=0).get(timeout=20)
        record = next(iter(consumer))
    finally:
        producer.close()
        consumer.close()

    assert (record.key, record.value, record.offset) == (b"u1", b"hello", sent.offset)


def test_the_command_applies_and_prints_json(kafka: ResolvedKafka) -> None:
    # The real names: harmless, because nothing is written into them.
    arguments = ["apply", "--bootstrap-servers", kafka.access.bootstrap_servers, "--json"]

    assert CliRunner().invoke(app, arguments).exit_code == 0
    second = json.loads(CliRunner().invoke(app, arguments).stdout)

    assert set(second["unchanged"]) == names(load_topics())
    assert second["created"] == second["changed"] == []
