"""Every metric of the model server: one row each."""

from typing import Final

from app.observability import SIZE_BUCKETS, MetricKind, MetricSpec

EVENT_TO_RECOMMENDATION: Final = MetricSpec(
    "riverrun_event_to_recommendation_seconds",
    MetricKind.HISTOGRAM,
    "From the moment Kafka had an event to the moment Kafka had the lists that it caused. The headline.",
)
READY: Final = MetricSpec(
    "riverrun_model_server_ready", MetricKind.GAUGE, "1 when requests are answered from a complete catalog."
)
REQUEST_WAIT: Final = MetricSpec(
    "riverrun_score_request_wait_seconds",
    MetricKind.HISTOGRAM,
    "How long a score request lay in its topic and the backlog before its scoring began.",
)
ENCODE: Final = MetricSpec("riverrun_encode_seconds", MetricKind.HISTOGRAM, "User vectors of one batch.")
RETRIEVE: Final = MetricSpec(
    "riverrun_retrieve_seconds", MetricKind.HISTOGRAM, "Retrieval, reasons and lists of one batch."
)
PUBLISH: Final = MetricSpec(
    "riverrun_publish_seconds", MetricKind.HISTOGRAM, "From the first list of a batch sent to the last acknowledged."
)
BATCH_USERS: Final = MetricSpec(
    "riverrun_score_batch_users", MetricKind.HISTOGRAM, "Users scored in one batch.", buckets=SIZE_BUCKETS
)
REQUESTS: Final = MetricSpec("riverrun_score_requests_total", MetricKind.COUNTER, "Score requests read.")
COLLAPSED: Final = MetricSpec(
    "riverrun_score_requests_collapsed_total",
    MetricKind.COUNTER,
    "Requests that another one of their user made needless before they were scored.",
)
UNREADABLE: Final = MetricSpec(
    "riverrun_score_requests_unreadable_total", MetricKind.COUNTER, "Requests that became dead letters."
)
USERS_SCORED: Final = MetricSpec(
    "riverrun_users_scored_total", MetricKind.COUNTER, "Users whose lists were published and acknowledged."
)
USERS_FORGOTTEN: Final = MetricSpec(
    "riverrun_users_forgotten_total", MetricKind.COUNTER, "Users whose lists were taken back."
)
FALLBACK_USERS: Final = MetricSpec(
    "riverrun_fallback_users_total", MetricKind.COUNTER, "Scored users of whom the model knew nothing."
)
RECOMMENDED_ITEMS: Final = MetricSpec(
    "riverrun_recommended_items_total", MetricKind.COUNTER, "Places in lists, by source.", ("source",)
)
UNKNOWN_ITEMS: Final = MetricSpec(
    "riverrun_unknown_items_total", MetricKind.COUNTER, "Interactions with items that have no vector."
)
CATALOG_ITEMS: Final = MetricSpec(
    "riverrun_catalog_items",
    MetricKind.GAUGE,
    "Items by state: known (with a vector), sellable, new (sellable, not trained on), unencoded (text waits).",
    ("state",),
)
CATALOG_MESSAGES: Final = MetricSpec("riverrun_catalog_messages_total", MetricKind.COUNTER, "Catalog messages read.")
CATALOG_INVALID: Final = MetricSpec(
    "riverrun_catalog_invalid_total", MetricKind.COUNTER, "Catalog messages that are no item."
)
CATALOG_LAG: Final = MetricSpec(
    "riverrun_catalog_lag_messages", MetricKind.GAUGE, "Catalog messages that are not read yet."
)
COUNTED_EVENTS: Final = MetricSpec(
    "riverrun_counted_events_total", MetricKind.COUNTER, "Events counted for popularity and co-visitation."
)
COUNTED_SKIPPED: Final = MetricSpec(
    "riverrun_counted_events_skipped_total",
    MetricKind.COUNTER,
    "Events passed over because the counting was far behind.",
)
LAG: Final = MetricSpec(
    "riverrun_score_requests_lag",
    MetricKind.GAUGE,
    "Score requests of a partition that are not read yet.",
    ("partition",),
)
BACKLOG: Final = MetricSpec("riverrun_backlog_users", MetricKind.GAUGE, "Users read and waiting to be scored.")
MODEL_INFO: Final = MetricSpec(
    "riverrun_model_info", MetricKind.GAUGE, "1 for the model version in use.", ("version", "device")
)
MODEL_SWAPS: Final = MetricSpec(
    "riverrun_model_swaps_total", MetricKind.COUNTER, "Times that another version took over while the process ran."
)
MODELS_REFUSED: Final = MetricSpec(
    "riverrun_models_refused_total",
    MetricKind.COUNTER,
    "Champions that were not served, because they are damaged or do not fit; the one before stayed.",
)
MODELS_TAKEN_BACK: Final = MetricSpec(
    "riverrun_models_taken_back_total", MetricKind.COUNTER, "Versions taken back because a guardrail tripped."
)
LIVE_EVENTS: Final = MetricSpec(
    "riverrun_live_events_total",
    MetricKind.COUNTER,
    "Events of users whose list before the event is known, of events between two lists the newest.",
    ("version",),
)
LIVE_HITS: Final = MetricSpec(
    "riverrun_live_hits_total",
    MetricKind.COUNTER,
    "Those of them whose item was among the list's first ten: divided, the live hit rate.",
    ("version",),
)
VALIDATION_HR10: Final = MetricSpec(
    "riverrun_model_validation_hr10",
    MetricKind.GAUGE,
    "The hit rate at ten that validation promised; the live one far below it is an offline-online gap.",
    ("version",),
)
DRIFT_PSI: Final = MetricSpec(
    "riverrun_drift_psi",
    MetricKind.GAUGE,
    "Population stability index, live against what the version was trained on: kinds, items, activity; and of lists "
    "against its first ones: sources, shown. From .25 on something has changed.",
    ("version", "what"),
)

TABLE: Final = (
    EVENT_TO_RECOMMENDATION,
    READY,
    REQUEST_WAIT,
    ENCODE,
    RETRIEVE,
    PUBLISH,
    BATCH_USERS,
    REQUESTS,
    COLLAPSED,
    UNREADABLE,
    USERS_SCORED,
    USERS_FORGOTTEN,
    FALLBACK_USERS,
    RECOMMENDED_ITEMS,
    UNKNOWN_ITEMS,
    CATALOG_ITEMS,
    CATALOG_MESSAGES,
    CATALOG_INVALID,
    CATALOG_LAG,
    COUNTED_EVENTS,
    COUNTED_SKIPPED,
    LAG,
    BACKLOG,
    MODEL_INFO,
    MODEL_SWAPS,
    MODELS_REFUSED,
    MODELS_TAKEN_BACK,
    LIVE_EVENTS,
    LIVE_HITS,
    VALIDATION_HR10,
    DRIFT_PSI,
)
