"""Kafka's own ids of topics, by which a re-created topic is recognised."""

from collections.abc import Sequence
from typing import Final

from app.errors import KafkaError, KafkaForbidden, KafkaUnreachable, TopicMismatch
from app.kafka.access import KafkaAccess
from app.kafka.admin import admin_client

TIMEOUT_S: Final = 5.0


def topic_ids(access: KafkaAccess, topics: Sequence[str]) -> dict[str, str]:
    """Topic name -> id.

    Raises:
        KafkaUnreachable: no broker tells.
        KafkaForbidden: we may not know of a topic.
        TopicMismatch: a topic does not exist.
    """
    from kafka.errors import TopicAuthorizationFailedError  # noqa: PLC0415 - slow to import, not for --help

    try:
        with admin_client(access, int(1000 * TIMEOUT_S)) as admin:
            described = admin.describe_topics(list(topics))
    except (KafkaUnreachable, KafkaForbidden):
        raise
    except KafkaError as error:  # whatever it is: who only looks, looks again
        raise KafkaUnreachable(error.what) from error
    codes = {topic["name"]: topic["error_code"] for topic in described}
    hidden = [name for name, code in codes.items() if code == TopicAuthorizationFailedError.errno]
    if hidden:
        raise KafkaForbidden(f"Kafka shows {access.who} no topic {', '.join(hidden)}.")
    missing = [name for name, code in codes.items() if code]
    if missing:
        raise TopicMismatch(f"Kafka has no topic {', '.join(missing)}.", hint="Run `riverrun topics apply`.")
    return {topic["name"]: str(topic["topic_id"]) for topic in described}
