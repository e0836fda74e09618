"""Kafka's own ids of topics, by which a re-created topic is recognised."""

from collections.abc import Sequence
from typing import Final

from app.errors import KafkaUnreachable, TopicMismatch
from app.kafka.probe import probe

TIMEOUT_S: Final = 5.0


def topic_ids(bootstrap_servers: str, topics: Sequence[str]) -> dict[str, str]:
    """Topic name -> id.

    Raises:
        KafkaUnreachable: no broker tells.
        TopicMismatch: a topic does not exist.
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - slow to import, not for --help
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    # The client keeps a thread for ever if its first connection fails, so that is tried before.
    answer = probe(bootstrap_servers, TIMEOUT_S)
    if not answer.ok:
        raise KafkaUnreachable(f"No broker answers at {bootstrap_servers}: {answer.why}.")
    timeout_ms = int(1000 * TIMEOUT_S)
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=answer.address,
            request_timeout_ms=timeout_ms, bootstrap_timeout_ms=timeout_ms,
        )  # fmt: skip
        try:
            described = admin.describe_topics(list(topics))
        finally:
            admin.close()
    except KafkaError as error:
        raise KafkaUnreachable(f"No broker at {bootstrap_servers} describes topics: {error}.") from error
    found = {topic["name"]: str(topic["topic_id"]) for topic in described if not topic["error_code"]}
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise TopicMismatch(f"Kafka has no topic {', '.join(missing)}.", hint="Run `riverrun topics apply`.")
    return found
