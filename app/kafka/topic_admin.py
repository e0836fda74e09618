"""Makes Kafka's topics look like topics.yml, and checks that they do (through kafka-python).

Only settings that the file names are touched: what an operator or a managed service set beside them stays.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import KafkaError, TopicMismatch
from app.kafka.access import KafkaAccess
from app.kafka.admin import admin_client
from app.kafka.topics import Topics, TopicSpec

REQUEST_TIMEOUT_MS = 15_000
CREATE_ATTEMPTS = 3
POLL_S = 0.05


@dataclass(frozen=True)
class AppliedTopics:
    """What `apply_topics` did, by topic name; `warnings` are differences that only an operator can mend."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A topic as Kafka has it."""

    partitions: int
    replicas: int
    config: Mapping[str, str | None]


def apply_topics(access: KafkaAccess, topics: Topics) -> AppliedTopics:
    """Create the topics that are missing and set the settings that differ; doing it again changes nothing.

    Everything is compared before anything is written, so that a refusal leaves Kafka as it was. Killed half-way,
    the next call does the rest.

    Raises:
        KafkaUnreachable: nobody answers, or nobody lets us in.
        KafkaForbidden: this is not permitted.
        TopicMismatch: a topic has another number of partitions.
        KafkaError: Kafka refuses a topic or a setting.
    """
    from kafka.errors import TopicAlreadyExistsError  # noqa: PLC0415 - slow to import, not for --help

    specs = tuple(topics.by_role().values())
    with admin_client(access, REQUEST_TIMEOUT_MS) as admin:
        for attempt in range(CREATE_ATTEMPTS):
            found = _look(admin, specs)
            refuse_partitions(specs, {name: topic.partitions for name, topic in found.items()})
            missing = [spec for spec in specs if spec.name not in found]
            try:
                _create(admin, missing)
                break
            except TopicAlreadyExistsError:  # somebody else applies at the same time: look again
                if attempt + 1 == CREATE_ATTEMPTS:
                    raise
        changed = _alter(admin, specs, found)
    untouched = (spec.name for spec in specs if spec.name in found and spec.name not in changed)
    return AppliedTopics(
        created=tuple(spec.name for spec in missing),
        changed=changed,
        unchanged=tuple(untouched),
        warnings=tuple(_replica_warnings(specs, found)),
    )


def delete_topics(access: KafkaAccess, topics: Topics) -> None:
    """Delete every one of these topics that exists, with all that is in them.

    Raises:
        KafkaUnreachable: nobody answers, or nobody lets us in.
        KafkaForbidden: this is not permitted.
        KafkaError: Kafka refuses.
    """
    specs = tuple(topics.by_role().values())
    with admin_client(access, REQUEST_TIMEOUT_MS) as admin:
        found = _look(admin, specs)
        if not found:
            return
        admin.delete_topics(list(found), timeout_ms=REQUEST_TIMEOUT_MS)
        deadline = time.monotonic() + REQUEST_TIMEOUT_MS / 1_000
        while left := _look(admin, specs):  # as in `_alter`; who makes them anew must not take them for there
            if time.monotonic() > deadline:
                raise KafkaError(f"Kafka accepted to delete {', '.join(left)}, but still shows it.", hint="Try again.")
            time.sleep(POLL_S)


def refuse_partitions(specs: Iterable[TopicSpec], partitions: Mapping[str, int]) -> None:
    """Hold the topics that there are, by name, against the file.

    Raises:
        TopicMismatch: one has another number of partitions.
    """
    wrong = [
        f"{spec.name} has {partitions[spec.name]} partitions, topics.yml wants {spec.partitions}"
        for spec in specs
        if spec.name in partitions and partitions[spec.name] != spec.partitions
    ]
    if wrong:
        raise TopicMismatch(
            f"{'; '.join(wrong)}.",
            hint="Another number moves users away from their state. Put the old number back into topics.yml, or "
            "stop everything, delete the topics whose key is the user, and replay the events.",
        )


def _look(admin: Any, specs: tuple[TopicSpec, ...]) -> dict[str, _Found]:
    """The topics that exist, by name."""
    from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415
    from kafka.errors import NoError, UnknownTopicOrPartitionError, for_code  # noqa: PLC0415

    existing = {}
    for topic in admin.describe_topics([spec.name for spec in specs]):
        problem = for_code(topic["error_code"])
        if problem is NoError:
            existing[topic["name"]] = topic["partitions"]
        elif problem is not UnknownTopicOrPartitionError:
            raise problem(topic["name"])
    if not existing:
        return {}
    asked = [
        ConfigResource(ConfigResourceType.TOPIC, spec.name, list(spec.config))
        for spec in specs
        if spec.name in existing
    ]
    configs = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {
        name: _Found(
            partitions=len(partitions),
            replicas=min(len(partition["replica_nodes"]) for partition in partitions),
            config={key: entry["value"] for key, entry in configs.get(name, {}).items()},
        )
        for name, partitions in existing.items()
    }


def _create(admin: Any, missing: list[TopicSpec]) -> None:
    """Create and wait until every partition has a leader: a client that comes now finds them."""
    if missing:
        wanted = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replication_factor,
                "configs": dict(spec.config),
            }
            for spec in missing
        }
        admin.create_topics(wanted, timeout_ms=REQUEST_TIMEOUT_MS, wait_for_metadata=True)


def _alter(admin: Any, specs: tuple[TopicSpec, ...], found: Mapping[str, _Found]) -> tuple[str, ...]:
    """Set what differs; gives the names of the changed topics."""
    from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415

    changes = _differences(specs, found)
    if not changes:
        return ()
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, config) for name, config in changes.items()]
    try:
        results = admin.alter_configs(resources)["topic"]
    except ValueError as error:  # kafka-python's way to say that Kafka knows no such setting
        raise KafkaError(f"{error}.", hint="Check `config` in infra/kafka/topics.yml.") from error
    for name, result in results.items():
        if result != "OK":
            raise KafkaError(
                f"Kafka does not take {changes[name]} for {name}: {result}.",
                hint="Check `config` in infra/kafka/topics.yml.",
            )
    deadline = time.monotonic() + REQUEST_TIMEOUT_MS / 1000
    while _differences(specs, _look(admin, specs)):  # the controller has answered, the brokers come to know it later
        if time.monotonic() > deadline:
            raise KafkaError(f"Kafka accepted {changes}, but does not show it.", hint="Apply the topics again.")
        time.sleep(POLL_S)
    return tuple(changes)


def _differences(specs: tuple[TopicSpec, ...], found: Mapping[str, _Found]) -> dict[str, dict[str, str]]:
    """The settings of each topic that Kafka has otherwise."""
    different = {
        spec.name: {key: value for key, value in spec.config.items() if found[spec.name].config.get(key) != value}
        for spec in specs
        if spec.name in found
    }
    return {name: config for name, config in different.items() if config}


def _replica_warnings(specs: tuple[TopicSpec, ...], found: Mapping[str, _Found]) -> Iterator[str]:
    for spec in specs:
        if spec.name in found and found[spec.name].replicas != spec.replication_factor:
            yield (
                f"{spec.name} has {found[spec.name].replicas} replicas, topics.yml wants "
                f"{spec.replication_factor}: kafka-reassign-partitions changes that."
            )
