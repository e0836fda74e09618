"""`riverrun bench gateway`: the gateway, measured."""

from typing import Annotated

import typer
from rich.table import Table

from app.cli.bench_screen import AsJson, finish, screen
from app.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gateway)


def gateway(  # a command's options are its arguments
    events_per_s: Annotated[float, typer.Option("--rate", min=1, help="Events posted a second.")] = 100.0,
    streams: Annotated[int, typer.Option(min=943, help="Open streams meanwhile; 943 users are active.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long a round of each way is.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is measured; all of it counts.")] = 3,
    idle_streams: Annotated[int, typer.Option(min=0, help="Then held open for their memory; 0: none.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """From a POST to the list on an open stream, beside the same loop through Kafka's own client."""
    from app.bench.gateway import GatewayPlan, measure_gateway  # noqa: PLC0415  # --help stays fast

    console, say = screen()
    result = measure_gateway(load_settings(), GatewayPlan(events_per_s, seconds, rounds, streams, idle_streams), say)
    table = Table("", "p50 ms", "p95 ms", "p99 ms")
    for name, taken in (
        (f"POST to stream, {streams:,} streams", result.post_to_sse_ms),
        ("without the gateway", result.without_gateway_ms),
        ("POST to acknowledgement", result.post_ack_ms),
    ):
        table.add_row(name, *(f"{value:.1f}" for value in (taken.p50, taken.p95, taken.p99)))
    if result.idle_rss_mb is not None:
        say(f"{idle_streams:,} idle streams: {result.idle_rss_mb:,.0f} MB, {result.idle_kb_per_stream} KB each.")
    finish(console, table, result.as_json(), as_json)
