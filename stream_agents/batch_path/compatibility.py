"""The private names of Faust, mode and aiokafka that the batch path stands on, checked before anything starts.

A minor release may rename any of them. Then the worker must refuse to start, not lose events quietly.
"""

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.app.base import App
from faust.stores.rocksdb import Store
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import QueueServiceThread

from app.errors import SettingsError

PINNED: Final = {"faust-streaming": ("0.15.3",), "aiokafka": ("0.14.",)}

NAMES: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (App, ("_new_transport", "_on_partitions_revoked", "_on_partitions_assigned", "_stop_consumer")),
    (
        Consumer,
        (
            "_getmany", "_filter_tps_with_pending_acks", "_new_offset", "_should_commit", "_commit_offsets",
            "_get_active_partitions", "perform_seek", "seek", "wait_empty", "on_partitions_revoked", "stop_flow",
            "commit", "verify_event_path",
        ),
    ),
    (
        AIOKafkaConsumerThread,
        ("_create_worker_consumer", "_fetch_records", "_ensure_consumer", "call_thread", "on_start"),
    ),
    (QueueServiceThread, ("method_queue", "_method_queue")),
    (Recovery, ("_slurp_changelogs", "need_recovery", "_wait", "signal_recovery_start")),
    (TableManager, ("recovery", "on_actives_ready", "on_rebalance_start")),
    (Store, ("offset_key", "_db_for_partition", "revoke_partitions")),
    (GroupCoordinator, ("_do_heartbeat", "_on_join_complete", "reset_generation", "check_errors")),
    (Fetcher, ("fetched_records",)),
    (BatchBuilder, ("_build",)),
)  # fmt: skip

IN_SOURCE: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (Consumer.__init__, ("_committed_offset",)),
    (TableManager.__init__, ("actives_ready",)),
    (Recovery._wait, ("ServiceStopped", "RebalanceAgain")),  # noqa: SLF001  # checked, not called
    (Store.__init__, ("_dbs",)),
    (Store._open_for_partition, ("rocksdb_options.open",)),  # noqa: SLF001  # checked, not called
    (Store.set_persisted_offset, ("_db_for_partition",)),
    (Recovery.__init__, ("active_offsets", "standby_offsets", "active_tps", "standby_tps")),
    (AIOKafkaConsumer.__init__, ("_fetch_max_wait_ms", "_max_poll_records", "_isolation_level")),
    (AIOKafkaConsumer.start, ("_fetch_max_wait_ms", "_isolation_level", "_coordinator", "_fetcher")),
    (Fetcher._get_actions_per_node, ("_fetch_max_wait_ms", "_fetch_min_bytes")),  # noqa: SLF001  # checked, not called
    (BatchBuilder._build, ("_buffer",)),  # noqa: SLF001  # checked, not called
    (GroupCoordinator.ensure_active_group, ("_do_rejoin_group", "_max_poll_interval")),
    (GroupCoordinator.__init__, ("_session_timeout_ms",)),
    (GroupCoordinator._push_error_to_user, ("_pending_exception", "_error_consumed_fut")),  # noqa: SLF001  # checked, not called
    (AIOKafkaConsumerThread._fetch_records, ("fetched_records",)),  # noqa: SLF001  # checked, not called
)


def check_compatibility(
    pinned: Mapping[str, tuple[str, ...]] = PINNED, names: Sequence[tuple[Any, tuple[str, ...]]] = NAMES
) -> None:
    """Refuse to start on other releases than the ones this was written and measured against.

    Raises:
        SettingsError: a version is not the pinned one, or a private name is gone.
    """
    problems = [
        f"{package} is {version(package)}, needed is {' or '.join(wanted)}"
        for package, wanted in pinned.items()
        if not version(package).startswith(wanted)
    ]
    problems += [
        f"{owner.__name__} has no {name}" for owner, wanted in names for name in wanted if not hasattr(owner, name)
    ]
    problems += [
        f"{function.__qualname__} does not use {name}"
        for function, wanted in IN_SOURCE
        for name in wanted
        if name not in inspect.getsource(function)
    ]
    if problems:
        raise SettingsError(
            f"The batch path does not fit the installed libraries: {'; '.join(problems)}.",
            hint="Install the pinned versions (`make setup`).",
        )
