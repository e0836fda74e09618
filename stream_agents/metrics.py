"""The agents' metrics: the table that is also printed into the docs."""

from typing import Final

from app.observability import SIZE_BUCKETS, MetricKind, MetricSpec

EVENTS_READ: Final = MetricSpec(
    "riverrun_events_read_total", MetricKind.COUNTER, "Records of the events topic that were processed."
)
EVENTS_ACCEPTED: Final = MetricSpec(
    "riverrun_events_accepted_total", MetricKind.COUNTER,
    "Valid events, whatever became of them; read = accepted + dead letters.",
)  # fmt: skip
EVENTS: Final = MetricSpec(
    "riverrun_events_total", MetricKind.COUNTER,
    "Valid events by what became of them: applied, replayed (after a crash or rebalance), duplicate (sent twice), "
    "ignored (impressions), rerouted (lay on the wrong partition).",
    ("outcome",),
)  # fmt: skip
EVENTS_LATE: Final = MetricSpec(
    "riverrun_events_late_total", MetricKind.COUNTER, "Applied events older than their user's newest one."
)
DEAD_LETTERS: Final = MetricSpec(
    "riverrun_dead_letters_total", MetricKind.COUNTER, "Records that could not be used, by reason.", ("reason",)
)
FOLLOW_UPS: Final = MetricSpec(
    "riverrun_follow_up_events_total", MetricKind.COUNTER,
    "Events sent back to the events topic: hand-overs, inheritances, rerouted ones.",
)  # fmt: skip
USERS_CHANGED: Final = MetricSpec(
    "riverrun_users_changed_total", MetricKind.COUNTER, "Score requests: users whose state a batch touched."
)
USERS_FORGOTTEN: Final = MetricSpec("riverrun_users_forgotten_total", MetricKind.COUNTER, "States erased on request.")
USERS_TRIMMED: Final = MetricSpec(
    "riverrun_users_trimmed_total", MetricKind.COUNTER, "States cut because they did not fit into a message."
)
BATCH_SIZE: Final = MetricSpec(
    "riverrun_batch_events", MetricKind.HISTOGRAM, "Records per batch of one partition.", buckets=SIZE_BUCKETS
)
BATCH_SECONDS: Final = MetricSpec(
    "riverrun_batch_seconds", MetricKind.HISTOGRAM, "A batch from records to RocksDB, acknowledgements included."
)
EVENT_AGE: Final = MetricSpec(
    "riverrun_event_age_seconds", MetricKind.HISTOGRAM,
    "Age of each batch's oldest event, from Kafka's timestamp to the acknowledged score request.",
)  # fmt: skip
LAG: Final = MetricSpec("riverrun_lag_events", MetricKind.GAUGE, "Records not yet processed.", ("partition",))
COMMIT_TIME: Final = MetricSpec(
    "riverrun_commit_time_seconds", MetricKind.GAUGE, "When offsets were last committed, in seconds since 1970."
)
ASSIGNED: Final = MetricSpec("riverrun_assigned_partitions", MetricKind.GAUGE, "Partitions served by this worker.")
READY: Final = MetricSpec("riverrun_ready", MetricKind.GAUGE, "1 when partitions are assigned, restored and writable.")
RETRIES: Final = MetricSpec(
    "riverrun_batch_retries_total", MetricKind.COUNTER, "Batches to be done again: Kafka away, or lease not held."
)
ROWS_RESTORED: Final = MetricSpec(
    "riverrun_recovery_rows_total", MetricKind.COUNTER, "Changelog rows read to restore the state table."
)
ROWS_HEALED: Final = MetricSpec(
    "riverrun_changelog_healed_rows_total", MetricKind.COUNTER,
    "Rows asserted again because another worker wrote to this worker's changelog.",
)  # fmt: skip
CHANGELOG_HOLES: Final = MetricSpec(
    "riverrun_changelog_holes_total", MetricKind.COUNTER, "Times that foreign records were found in a changelog."
)
TABLE_ROWS: Final = MetricSpec("riverrun_table_rows", MetricKind.GAUGE, "Users in the state table, estimated.")
TABLE_BYTES: Final = MetricSpec("riverrun_table_bytes", MetricKind.GAUGE, "Disk used by the state table.")

METRICS: Final = (
    EVENTS_READ, EVENTS_ACCEPTED, EVENTS, EVENTS_LATE, DEAD_LETTERS, FOLLOW_UPS, USERS_CHANGED, USERS_FORGOTTEN,
    USERS_TRIMMED, BATCH_SIZE, BATCH_SECONDS, EVENT_AGE, LAG, COMMIT_TIME, ASSIGNED, READY, RETRIES, ROWS_RESTORED,
    ROWS_HEALED, CHANGELOG_HOLES, TABLE_ROWS, TABLE_BYTES,
)  # fmt: skip
