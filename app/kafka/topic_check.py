"""What a process looks at when it starts: whether its topics are as they should be, and whether it may work in them.

Kafka tells what we are permitted together with a topic (KIP-430). Brokers before 2.3 do not; then what is missing shows
when it is first needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.errors import KafkaForbidden, TopicMismatch
from app.kafka.access import KafkaAccess
from app.kafka.admin import admin_client
from app.kafka.permissions import Operation, Permissions
from app.kafka.topic_admin import REQUEST_TIMEOUT_MS, refuse_partitions
from app.kafka.topics import Topics


def check_topics(access: KafkaAccess, topics: Topics, permissions: Permissions, topic_prefix: str = "") -> None:
    """Check that a component can work.

    Args:
        access: to Kafka.
        topics: under the names that they have.
        permissions: what the component needs; looked at are its topics and its group.
        topic_prefix: before the group's name, as before the topics'.

    Raises:
        KafkaUnreachable: nobody answers, or nobody lets us in.
        KafkaForbidden: something is not permitted.
        TopicMismatch: a topic is missing or has another number of partitions.
    """
    specs = {topics.by_role()[role].name: topics.by_role()[role] for role in permissions.topics}
    needed = {topics.by_role()[role].name: operations for role, operations in permissions.topics.items()}
    group = permissions.group and topic_prefix + permissions.group
    with admin_client(access, REQUEST_TIMEOUT_MS) as admin:
        described = _described(admin, list(specs))
        forbidden = [*_forbidden_topics(described, needed), *_forbidden_group(admin, group)]
    if forbidden:
        raise KafkaForbidden(f"Kafka does not permit {access.who} to: {'; '.join(forbidden)}.")
    missing = [name for name, topic in described.items() if topic["error_code"]]
    if missing:
        raise TopicMismatch(
            f"Kafka at {access.bootstrap_servers} has no topic {', '.join(missing)}.",
            hint="Run `riverrun topics apply`.",
        )
    refuse_partitions(specs.values(), {name: len(topic["partitions"]) for name, topic in described.items()})


def _described(admin: Any, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What Kafka says of each topic; that there is none, or that we may not know, is in its `error_code`."""
    from kafka.errors import (  # noqa: PLC0415 - slow to import, not for --help
        NoError,
        TopicAuthorizationFailedError,
        UnknownTopicOrPartitionError,
        for_code,
    )

    described = {topic["name"]: topic for topic in admin.describe_topics(names)}
    for name, topic in described.items():
        problem = for_code(topic["error_code"])
        if problem not in (NoError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError):
            raise problem(name)
    return described


def _forbidden_topics(
    described: Mapping[str, Mapping[str, Any]], needed: Mapping[str, tuple[Operation, ...]]
) -> Iterator[str]:
    from kafka.errors import TopicAuthorizationFailedError  # noqa: PLC0415 - slow to import, not for --help

    for name, operations in needed.items():
        topic = described[name]
        if topic["error_code"] == TopicAuthorizationFailedError.errno:  # not even Describe
            lacking = list(operations)
        elif topic["error_code"] or not topic.get("authorized_operations"):
            continue  # there is none, or the broker does not tell
        else:
            lacking = [each for each in operations if _kafka_python(each) not in topic["authorized_operations"]]
        if lacking:
            yield f"{' and '.join(lacking)} the topic {name}"


def _forbidden_group(admin: Any, group: str) -> Iterator[str]:
    from kafka.errors import GroupAuthorizationFailedError, KafkaError  # noqa: PLC0415 - slow to import

    if not group:
        return
    try:
        described = admin.describe_groups([group])[group]
    except GroupAuthorizationFailedError:
        yield f"{Operation.READ} the group {group}"
        return
    except KafkaError:  # its coordinator is not there yet: the consumer waits for it
        return
    permitted = described.get("authorized_operations")
    if permitted and _kafka_python(Operation.READ) not in permitted:
        yield f"{Operation.READ} the group {group}"


def _kafka_python(operation: Operation) -> str:
    """As kafka-python writes it: AlterConfigs is ALTER_CONFIGS."""
    return operation.name
