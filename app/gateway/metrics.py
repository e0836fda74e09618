"""Every metric of the gateway: one row each."""

from typing import Final

from app.observability import SIZE_BUCKETS, MetricKind, MetricSpec

REQUESTS: Final = MetricSpec(
    "riverrun_gateway_requests_total", MetricKind.COUNTER, "Requests answered, by endpoint and status.",
    ("endpoint", "status"),
)  # fmt: skip
REQUEST_SECONDS: Final = MetricSpec(
    "riverrun_gateway_request_seconds", MetricKind.HISTOGRAM, "How long an answer took; streams are left out.",
    ("endpoint",),
)  # fmt: skip
EVENTS: Final = MetricSpec("riverrun_gateway_events_total", MetricKind.COUNTER, "Events that Kafka took.")
POST_EVENTS: Final = MetricSpec(
    "riverrun_gateway_post_events", MetricKind.HISTOGRAM, "Events in one POST.", buckets=SIZE_BUCKETS
)
IN_FLIGHT: Final = MetricSpec(
    "riverrun_gateway_events_in_flight", MetricKind.GAUGE, "Events waiting for Kafka's acknowledgement."
)
STREAMS: Final = MetricSpec(
    "riverrun_gateway_streams",
    MetricKind.GAUGE,
    "Open streams, of lists and figures, and requests that wait for a list.",
)
STREAMS_DROPPED: Final = MetricSpec(
    "riverrun_gateway_streams_dropped_total", MetricKind.COUNTER, "Streams ended because their client read too slowly."
)
MESSAGES: Final = MetricSpec("riverrun_gateway_stream_messages_total", MetricKind.COUNTER, "Lists sent to streams.")
LISTS: Final = MetricSpec(
    "riverrun_gateway_lists_total", MetricKind.COUNTER, "Users whose newest lists were kept or erased."
)
LISTS_STALE: Final = MetricSpec(
    "riverrun_gateway_lists_stale_total", MetricKind.COUNTER, "Lists dropped because a newer one was there."
)
UNREADABLE: Final = MetricSpec(
    "riverrun_gateway_unreadable_total", MetricKind.COUNTER, "Records that are not what their topic holds.", ("topic",)
)
EVENT_TO_GATEWAY: Final = MetricSpec(
    "riverrun_gateway_event_to_list_seconds",
    MetricKind.HISTOGRAM,
    "From the moment Kafka had an event to the moment the gateway had the lists that it caused; what came before the "
    "gateway started is left out.",
)
WAITS: Final = MetricSpec(
    "riverrun_gateway_waits_total", MetricKind.COUNTER, "Requests with wait_for: whether the list knew of the event.",
    ("reflects",),
)  # fmt: skip
LAG: Final = MetricSpec(
    "riverrun_gateway_lag_messages", MetricKind.GAUGE, "Records of a topic that are not read yet.", ("topic",)
)
CATALOG_ITEMS: Final = MetricSpec("riverrun_gateway_catalog_items", MetricKind.GAUGE, "Items in the catalog.")
READY: Final = MetricSpec("riverrun_gateway_ready", MetricKind.GAUGE, "1 when lists are caught up and Kafka answers.")

TABLE: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    EVENTS,
    POST_EVENTS,
    IN_FLIGHT,
    STREAMS,
    STREAMS_DROPPED,
    MESSAGES,
    LISTS,
    LISTS_STALE,
    UNREADABLE,
    EVENT_TO_GATEWAY,
    WAITS,
    LAG,
    CATALOG_ITEMS,
    READY,
)
