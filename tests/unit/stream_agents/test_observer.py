"""What operators see of the batch path."""

from prometheus_client import generate_latest

from app.observability import Metrics
from stream_agents.interests import BatchSummary
from stream_agents.metrics import METRICS
from stream_agents.observer import AgentsObserver
from stream_agents.progress import Progress, ready

SUMMARY = BatchSummary(
    read=10, outcomes={"applied": 6, "duplicate": 1, "ignored": 1}, late=1, dead_letters={"invalid": 2}, follow_ups=1,
    users_changed=5, users_forgotten=1, users_trimmed=0, oldest_received_ts_ms=999_500,
)  # fmt: skip


def observed() -> tuple[AgentsObserver, Metrics, Progress]:
    metrics, progress = Metrics(METRICS), Progress(loop_beat_s=5.0, advanced_s=0.0)
    return AgentsObserver(metrics, progress, lambda: 5.0, lambda: 1_000.0), metrics, progress


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_batch_is_counted_so_that_read_is_accepted_plus_dead_letters() -> None:
    observer, metrics, progress = observed()
    observer.batch_done(3, SUMMARY, next_offset=42, seconds=0.01)

    assert value(metrics, "riverrun_events_read_total") == 10
    assert value(metrics, "riverrun_events_accepted_total") == 8
    assert value(metrics, "riverrun_dead_letters_total", reason="invalid") == 2
    assert value(metrics, "riverrun_events_total", outcome="applied") == 6
    assert value(metrics, "riverrun_event_age_seconds_sum") == 0.5
    assert (progress.cursors, progress.advanced_s) == ({3: 42}, 5.0)


def test_lag_is_what_lies_between_cursor_and_head() -> None:
    observer, metrics, _ = observed()
    observer.positioned(3, 40)
    observer.head_seen(3, 100)
    assert value(metrics, "riverrun_lag_events", partition="3") == 60

    observer.batch_done(3, SUMMARY, next_offset=90, seconds=0.01)
    assert value(metrics, "riverrun_lag_events", partition="3") == 10

    observer.revoked()
    assert value(metrics, "riverrun_lag_events", partition="3") == 0


def test_trouble_makes_the_worker_unready_until_a_batch_gets_through() -> None:
    observer, metrics, progress = observed()

    def is_ready() -> bool:
        assert value(metrics, "riverrun_ready") == ready(progress).ok, "the gauge and /readyz differ"
        return ready(progress).ok

    observer.assigned(frozenset({3}))
    assert progress.restoring
    observer.serving(frozenset({3}))
    assert not progress.restoring
    assert is_ready()
    observer.retrying("Kafka is away")
    assert not is_ready()

    observer.batch_done(3, SUMMARY, next_offset=42, seconds=0.01)
    assert is_ready()

    observer.retrying("Kafka is away")
    observer.not_serving()
    assert not is_ready()
    observer.all_well()
    assert not is_ready()
    observer.serving(frozenset({3}))
    assert is_ready()


def test_every_metric_has_the_prefix_and_a_meaning() -> None:
    page = generate_latest(Metrics(METRICS).registry).decode()

    assert all(spec.name.startswith("riverrun_") and spec.meaning for spec in METRICS)
    assert page.count("# HELP riverrun_") >= len(METRICS)
