"""The recorded figures as README's tables; a test compares the two."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from app.bench.recorded import BenchRecord, Recorded

_TITLES: Final = {
    "riverrun": "riverrun, {processes} processes",
    "riverrun_one_process": "riverrun, one process",
    "quix": "Quix Streams",
    "kafka_streams": "Kafka Streams, 2 threads",
    "faust_per_event": "Faust, per event",
}


def markdown(recorded: Recorded) -> str:
    """All tables, and where and when they were measured."""
    parts = []
    for name, table in _TABLES.items():
        if name in recorded.benches:
            bench = recorded.benches[name]
            parts.append(f"**`riverrun bench {name}`** ({bench.setting.date})\n\n{table(bench.full)}")
    return "\n\n".join([*parts, _settings(list(recorded.benches.values()))])


def contestant(name: str, full: dict[str, Any]) -> str:
    """How a contestant of `bench ingest` is called."""
    return _TITLES[name].format(processes=full["processes"])


def _ingest(full: dict[str, Any]) -> str:
    def row(name: str) -> list[str]:
        ratios = [full.get(f"ratio_{name}"), full.get(f"ratio_{name}_one_process")]
        return [
            contestant(name, full),
            f"{full[f'{name}_events_per_s']:,.0f}",
            f"{full['cpu_us_per_event'][name]:.1f}",
            _number(full["broker_cpu_us_per_event"].get(name), ".1f"),
            *(_number(ratio, ".2f") for ratio in ratios),
        ]

    head = ["", "events/s", "CPU us/event", "the broker's", "riverrun / this", "one process / this"]
    return _table(head, [row(name) for name in _TITLES if name in full["rounds"]])


def _freshness(full: dict[str, Any]) -> str:
    figures = ("p50_ms", "p95_ms", "p99_ms", "floor_p50_ms", "floor_p95_ms", "floor_p99_ms")
    rows = [
        [f"{rate['events_per_s']:,.0f}", *(f"{rate[figure]:.1f}" for figure in figures), f"{rate['ratio_p50']:.1f}"]
        for rate in full["rates"]
    ]
    if full["saturation_events_per_s"]:
        rows[-1][0] += f" ({full['saturation_share']:.0%} of saturation)"
    return _table(["events/s", "p50 ms", "p95", "p99", "echo p50 ms", "p95", "p99", "p50 / echo"], rows)


def _scoring(full: dict[str, Any]) -> str:
    batches = sorted({point["batch"] for point in full["points"]})
    cells = {(point["items"], point["batch"]): _scored(point) for point in full["points"]}
    rows = [[f"{items:,}", *(cells[items, batch] for batch in batches)] for items in sorted({key[0] for key in cells})]
    head = ["items", *(f"batch {batch}" for batch in batches)]
    told = (
        "Users first seen, a second, through the whole worker; in brackets: of the bare model, for them and for users "
        "seen before, whose encodings are continued."
    )
    return f"{_table(head, rows)}\n\n{told}"


def _scored(point: dict[str, Any]) -> str:
    return f"{point['users_per_s']:,.0f} ({point['ratio_bare']:.2f} · {point['continued_ratio_bare']:.2f})"


def _recovery(full: dict[str, Any]) -> str:
    row = [
        *(f"{full[key]:,.0f}" for key in ("users", "row_bytes", "users_per_s", "floor_users_per_s")),
        *(f"{full[key]:.2f}" for key in ("ratio_floor", "seconds_from_changelog", "seconds_local_disk")),
    ]
    head = ["users", "bytes each", "users/s restored", "bare reader's", "ratio", "s to ready, empty disk", "disk kept"]
    return _table(head, [row])


def _scale(full: dict[str, Any]) -> str:
    rows = [
        [
            *(f"{point[key]:,.0f}" for key in ("workers", "users", "events_per_s")),
            f"{point['cpu_us_per_event']:.1f}",
            f"{point['rss_mb']:,.0f}",
        ]
        for point in full["points"]
    ]
    grown = _number(full["cost_most_to_fewest_users"], ".2f")
    table = _table(["workers", "users", "events/s", "CPU us/event", "memory MB, all workers"], rows)
    return f"{table}\n\nOne worker's cost of an event, at the most users over that at the fewest: {grown}."


def _gateway(full: dict[str, Any]) -> str:
    titles = {
        "post_to_sse_ms": "POST to the list on an open stream",
        "without_gateway_ms": "the same through Kafka's own client",
        "post_ack_ms": "POST to its answer (Kafka has the event)",
    }
    rows = [[title, *(f"{full[key][share]:.1f}" for share in ("p50", "p95", "p99"))] for key, title in titles.items()]
    head = [f"{full['events_per_s']:g} events/s, {full['streams']:,} streams open", "p50 ms", "p95", "p99"]
    told = f"p50 is {full['ratio_p50']:.2f} times what it is without the gateway."
    if full["idle_rss_mb"] is not None:
        told += (
            f" {full['idle_streams']:,} idle streams held by one process: {full['idle_rss_mb']:,.0f} MB in all, "
            f"{full['idle_kb_per_stream']:.1f} KB each."
        )
    return f"{_table(head, rows)}\n\n{told}"


def _settings(benches: Sequence[BenchRecord]) -> str:
    """Each machine with its versions, once."""
    told = (
        f"Machine: {bench.setting.machine}; "
        + ", ".join(f"{name} {version}" for name, version in bench.setting.versions.items())
        + "."
        for bench in benches
    )
    return "\n".join(dict.fromkeys(told))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


_TABLES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "ingest": _ingest,
    "freshness": _freshness,
    "scoring": _scoring,
    "recovery": _recovery,
    "scale": _scale,
    "gateway": _gateway,
}
