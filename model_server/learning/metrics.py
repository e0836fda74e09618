"""Every metric of the learner: one row each."""

from typing import Final

from app.observability import MetricKind, MetricSpec

ROWS: Final = MetricSpec("riverrun_learning_rows", MetricKind.GAUGE, "Events in the event store.")
BYTES: Final = MetricSpec("riverrun_learning_bytes", MetricKind.GAUGE, "Size of the event store.")
TAKEN: Final = MetricSpec("riverrun_learning_events_total", MetricKind.COUNTER, "Events on items that were stored.")
LEFT_OUT: Final = MetricSpec(
    "riverrun_learning_events_left_out_total", MetricKind.COUNTER, "Records that are no event; they are dead letters."
)
LAG: Final = MetricSpec("riverrun_learning_lag_records", MetricKind.GAUGE, "Records of `events` that are not read yet.")
ERASURES: Final = MetricSpec(
    "riverrun_learning_erasures_waiting",
    MetricKind.GAUGE,
    "Users to forget or hand over whose rows are left out already but not rewritten yet.",
)
STAGE: Final = MetricSpec(
    "riverrun_learning_stage", MetricKind.GAUGE, "1 for what is being done: collecting, training, judging.", ("stage",)
)
TRAINED_AT: Final = MetricSpec(
    "riverrun_learning_trained_timestamp_seconds",
    MetricKind.GAUGE,
    "When the newest challenger was trained, seconds since 1970.",
)
TRAINING_SECONDS: Final = MetricSpec(
    "riverrun_learning_training_seconds", MetricKind.GAUGE, "How long the newest training took since it last began."
)
DIFFERENCE: Final = MetricSpec(
    "riverrun_learning_ndcg10_difference",
    MetricKind.GAUGE,
    "NDCG@10 of the challenger less the champion's at the newest look: mean, low and high of its interval.",
    ("bound",),
)
PROMOTED: Final = MetricSpec("riverrun_learning_promotions_total", MetricKind.COUNTER, "Challengers that took over.")
REFUSED: Final = MetricSpec("riverrun_learning_refusals_total", MetricKind.COUNTER, "Challengers that did not.")
FAILED: Final = MetricSpec(
    "riverrun_learning_failures_total", MetricKind.COUNTER, "Steps that failed, by stage; the log says why.", ("stage",)
)

TABLE: Final = (
    ROWS, BYTES, TAKEN, LEFT_OUT, LAG, ERASURES, STAGE, TRAINED_AT, TRAINING_SECONDS, DIFFERENCE, PROMOTED, REFUSED,
    FAILED,
)  # fmt: skip
