"""Made-up results of the benches, as they print them."""

from typing import Any

PEERS = ("quix", "kafka_streams", "faust_per_event")


def made_up() -> dict[str, dict[str, Any]]:
    """Figures of every bench, with every peer."""
    names = ("riverrun", "riverrun_one_process", *PEERS)
    rate = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), 12.0) | dict.fromkeys(
        ("floor_p50_ms", "floor_p95_ms", "floor_p99_ms"), 4.0
    )
    return {
        "ingest": {
            **{f"{name}_events_per_s": 20_000.0 for name in names},
            **{f"ratio_{peer}{workers}": 2.0 for peer in PEERS for workers in ("", "_one_process")},
            "rounds": {name: [20_000.0] for name in names},
            "cpu_us_per_event": dict.fromkeys(names, 21.5),
            "broker_cpu_us_per_event": dict.fromkeys(names, 9.0),
            "processes": 2,
        },
        "freshness": {
            "rates": [{**rate, "events_per_s": each, "ratio_p50": 3.0} for each in (10.0, 100.0, 1_000.0, 4_800.0)],
            "saturation_events_per_s": 6_000.0,
            "saturation_share": 0.8,
        },
        "scoring": {
            "ratio_bare": 0.6,
            "users_per_s": 2_800.0,
            "points": [
                {"items": 1_682, "batch": batch, "users_per_s": 2_800.0, "ratio_bare": 0.6, "continued_ratio_bare": 0.9}
                for batch in (1, 32, 512)
            ],
        },
        "recovery": {
            "users": 1_000_000,
            "row_bytes": 885,
            "users_per_s": 144_000.0,
            "floor_users_per_s": 288_000.0,
            "ratio_floor": 0.5,
            "seconds_from_changelog": 9.0,
            "seconds_local_disk": 2.0,
        },
        "scale": {
            "points": [
                {"workers": 1, "users": users, "events_per_s": 40_000.0, "cpu_us_per_event": 22.0, "rss_mb": 240.0}
                for users in (10_000, 1_000_000)
            ],
            "cost_most_to_fewest_users": 1.1,
        },
        "gateway": {
            "events_per_s": 100.0,
            "streams": 1_000,
            "post_to_sse_ms": {"p50": 20.0, "p95": 40.0, "p99": 60.0},
            "without_gateway_ms": {"p50": 10.0, "p95": 20.0, "p99": 30.0},
            "ratio_p50": 2.0,
            "post_ack_ms": {"p50": 4.0, "p95": 8.0, "p99": 12.0},
            "idle_streams": 10_000,
            "idle_rss_mb": 260.0,
            "idle_kb_per_stream": 19.0,
        },
    }
