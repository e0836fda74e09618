"""Kafka's own ids of topics, by which a re-created topic is recognised."""

from collections.abc import Sequence

from app.errors import TopicMismatch


def topic_ids(bootstrap_servers: str, topics: Sequence[str]) -> dict[str, str]:
    """Topic name -> id.

    Raises:
        TopicMismatch: a topic does not exist.
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - slow to import, not for --help

    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
    try:
        found = {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics(list(topics))}
    finally:
        admin.close()
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise TopicMismatch(f"Kafka has no topic {', '.join(missing)}.", hint="Run `riverrun topics apply`.")
    return found
