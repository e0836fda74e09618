"""The composition root of the stream agents: the only file that names concrete things together."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from faust.auth import Credentials, SASLCredentials, SSLCredentials
from yarl import URL

from app.interests.draft import Bounds
from app.interests.intake import IntakeLimits
from app.kafka.access import KafkaAccess
from app.kafka.partitions import home_of
from app.kafka.publisher import MAX_BATCH_BYTES, MAX_VALUE_BYTES, connected_producer
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import Topics
from app.observability import Metrics
from app.settings import AgentsSettings, KafkaSettings
from stream_agents.batch_path.app import BatchApp
from stream_agents.batch_path.changelog_reader import ChangelogReader
from stream_agents.batch_path.contract import HotTopic, PathLimits
from stream_agents.batch_path.database import MB, PartitionDatabase
from stream_agents.batch_path.lease import Lease
from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.patient_recovery import PatientTableManager
from stream_agents.batch_path.publisher import RowPublisher
from stream_agents.batch_path.table import BatchTable
from stream_agents.interests import InterestsProcess, Routes, row_version
from stream_agents.observer import AgentsObserver
from stream_agents.progress import Progress
from stream_agents.state_folder import check_topic_ids
from stream_agents.topic_watch import TopicWatch

LEASE_SHARE: Final = 0.6  # of the session timeout; measured, see docs/operations.md
COMMIT_INTERVAL_S: Final = 1.0
# aiokafka leaves the group when nothing was fetched for so long, and does not come back before something is. But a
# worker without the lease (Kafka was away) or without partitions (a spare one) fetches nothing until it has joined:
# it would wait for ever. The watchdog sees to workers that are stuck. aiokafka keeps this to itself; how long the
# broker waits for members in a rebalance is another setting (rebalance_timeout_ms; Faust's default, 60 s).
IDLE_FOR_EVER_S: Final = 1e9
TABLE_NAME: Final = "interests"


@dataclass(frozen=True, slots=True)
class AgentsConfig:
    """Everything that decides how a worker runs."""

    access: KafkaAccess
    kafka: KafkaSettings
    agents: AgentsSettings
    topics: Topics
    state_folder: Path


@dataclass(frozen=True, slots=True)
class Agents:
    """A wired worker: what the runner starts and stops."""

    app: BatchApp
    publisher: RowPublisher
    table: BatchTable


WireAgents = Callable[[AgentsConfig, Metrics, Progress, Callable[[BaseException], None]], Awaitable[Agents]]


async def wire_agents(
    config: AgentsConfig, metrics: Metrics, progress: Progress, on_failure: Callable[[BaseException], None]
) -> Agents:
    """Put a worker together; must run on the event loop that it will live on.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    app = _faust_app(config)
    table = BatchTable(_interests_table(app, config))
    # Half of the time, because aiokafka may send a batch once more just before its time is up.
    timeout_ms = config.kafka.request_timeout_ms // 2
    publisher = RowPublisher(await connected_producer(config.access, config.topics.app_id, timeout_ms))
    lease_s = LEASE_SHARE * config.kafka.session_timeout_ms / 1000
    app.serve_in_batches(
        PathParts(
            hot=HotTopic(
                source=config.topics.events.name,
                changelog=config.topics.interests_changelog.name,
                row_copies=(config.topics.score_requests.name,),
                row_version=row_version,
            ),
            limits=PathLimits(config.agents.fetch_max_wait_ms, lease_s, MAX_BATCH_BYTES),
            process=_interests_process(config),
            table=table,
            publisher=publisher,
            reader=ChangelogReader(config.access, timeout_s=config.kafka.session_timeout_ms / 1000),
            lease=Lease(lease_s),
            observer=AgentsObserver(metrics, progress, time.monotonic, time.time),
            check_topics=_topic_watch(config).check,
            now_ms=_now_ms,
            on_failure=on_failure,
        )
    )
    return Agents(app, publisher, table)


def _topic_watch(config: AgentsConfig) -> TopicWatch:
    names = (config.topics.events.name, config.topics.interests_changelog.name)
    return TopicWatch(lambda: check_topic_ids(config.state_folder, topic_ids(config.access, names)), time.monotonic)


def _interests_process(config: AgentsConfig) -> InterestsProcess:
    agents, topics = config.agents, config.topics
    return InterestsProcess(
        limits=IntakeLimits(agents.max_event_bytes, agents.max_future_s * 1000),
        bounds=Bounds(
            max_interactions=agents.max_interactions,
            max_items=agents.max_items,
            max_queries=agents.max_queries,
            max_age_ms=agents.max_age_days * 86_400_000,
        ),
        routes=Routes(
            topics.events.name, topics.events.partitions, topics.dead_letters.name, topics.dead_letters.partitions
        ),
        home=home_of(topics.events.partitions),
        max_row_bytes=MAX_VALUE_BYTES,
    )


def _faust_app(config: AgentsConfig) -> BatchApp:
    session_s = config.kafka.session_timeout_ms / 1000
    return BatchApp(
        config.topics.app_id,
        broker=[URL(f"kafka://{address}") for address in config.access.addresses],
        broker_credentials=_credentials(config.access),
        store="rocksdb://",
        datadir=config.state_folder,
        TableManager=PatientTableManager,
        web_enabled=False,
        topic_partitions=config.topics.events.partitions,
        topic_allow_declare=False,  # `riverrun topics apply` makes topics, with their settings
        table_standby_replicas=config.agents.standby_replicas,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=config.kafka.heartbeat_interval_ms / 1000,
        broker_max_poll_interval=IDLE_FOR_EVER_S,
        broker_request_timeout=session_s + 1,  # Faust wants at least the session timeout
        producer_request_timeout=session_s + 1,  # 20 minutes by default, also for a host that hangs while it starts
        broker_commit_interval=COMMIT_INTERVAL_S,
        consumer_max_fetch_size=config.agents.fetch_max_bytes,
        stream_wait_empty=True,
    )


def _credentials(access: KafkaAccess) -> Credentials | None:
    """The access as Faust's own Kafka clients want it."""
    if access.login is None:
        return None if access.tls is None else SSLCredentials(access.tls)
    return SASLCredentials(
        username=access.login.username,
        password=access.login.password.get_secret_value(),
        mechanism=access.login.mechanism,
        ssl_context=access.tls,
    )


def _interests_table(app: BatchApp, config: AgentsConfig) -> Any:
    table: Any = app.Table(
        TABLE_NAME,
        key_type=bytes,
        value_type=bytes,
        partitions=config.topics.events.partitions,
        options={"driver": "rocksdict"},
    )
    # Faust's own options reach neither the write-ahead log nor compaction.
    table.data.rocksdb_options = PartitionDatabase(config.agents.write_buffer_mb * MB, _now_ms)
    return table


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
