"""The batch path inside a Faust application that is not connected to anything."""

# ruff: noqa: SLF001  # Faust's private seams are what is tested here

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from app.errors import SettingsError, StateError
from stream_agents.batch_path.app import BatchApp
from stream_agents.batch_path.compatibility import check_compatibility
from stream_agents.batch_path.consumer import BatchConsumer
from stream_agents.batch_path.contract import HotTopic, PathLimits
from stream_agents.batch_path.lease import Lease
from stream_agents.batch_path.parts import PathParts

HOT, COLD = TP("events", 0), TP("catalog", 0)


class SilentObserver:
    """Hears everything, says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture
async def path() -> AsyncIterator[BatchConsumer]:
    """The consumer that Faust makes for an application with a hot topic."""
    app = BatchApp("test", broker="kafka://127.0.0.1:9", store="memory://", web_enabled=False)
    nothing = cast("Any", None)
    app.serve_in_batches(
        PathParts(
            HotTopic("events", "changelog", (), len), PathLimits(100, 6.0, 1_000), process=nothing, table=nothing,
            publisher=nothing, reader=nothing, lease=Lease(6.0), observer=cast("Any", SilentObserver()),
            check_topics=nothing, now_ms=nothing, on_failure=nothing,
        )
    )  # fmt: skip
    made = app.consumer
    assert isinstance(made, BatchConsumer)
    yield made
    made._thread.thread_loop.close()  # Faust makes it with the thread, which never started


async def test_the_hot_topic_is_subscribed_and_its_cursor_is_what_gets_committed(path: BatchConsumer) -> None:
    path._cursors.start(0, 41)
    path._cursors.advance(0, 42)

    assert [topic.get_topic_name() for topic in path.app.topics] == ["events"]
    assert list(path._filter_tps_with_pending_acks()) == [HOT]
    assert list(path._filter_tps_with_pending_acks({"catalog"})) == []
    assert path._filter_committable_offsets([HOT]) == {HOT: 42}
    path._committed_offset[HOT] = 42
    assert path._filter_committable_offsets([HOT]) == {}


async def test_faust_never_polls_the_hot_topic_nor_everything(path: BatchConsumer) -> None:

    assert await path._getmany({HOT}, timeout=0.01) == {}
    assert await path._getmany(set(), timeout=0.01) == {}


async def test_nothing_is_served_before_the_table_is_restored_and_the_lease_is_held(path: BatchConsumer) -> None:
    path._set_active_tps({HOT, COLD})
    assert path._serving() == set()

    cast("Any", path.app.tables).on_actives_ready()
    assert path._serving() == set()

    path.parts.lease.renew(path.parts.lease.now_s())
    assert path._serving() == {HOT}

    path.stop_flow()
    assert path._serving() == set()


async def test_an_open_partition_that_is_out_of_date_ends_the_worker_before_it_is_served(path: BatchConsumer) -> None:
    failures: list[BaseException] = []
    table = cast("Any", SimpleNamespace(outdated=lambda now_ms: [0] if now_ms == 7 else []))
    path.parts = replace(path.parts, table=table, now_ms=lambda: 7, on_failure=failures.append)

    await path.on_partitions_assigned({HOT, TP("changelog", 0)}, generation_id=1)

    (failure,) = failures
    assert isinstance(failure, StateError)
    assert "Start this worker again" in failure.hint


async def test_faust_does_not_complain_about_a_topic_it_does_not_serve(
    path: BatchConsumer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        path.verify_event_path(1e9, HOT)

    assert caplog.records == []


def test_the_installed_libraries_are_the_ones_the_path_was_written_for() -> None:
    check_compatibility()


def test_another_release_is_refused_with_every_reason() -> None:
    with pytest.raises(SettingsError, match=r"aiokafka is .*needed is 0\.99\.; BatchConsumer has no _gone"):
        check_compatibility({"aiokafka": ("0.99.",)}, [(BatchConsumer, ("_gone",))])
