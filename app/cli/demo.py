"""`riverrun demo`: the whole loop on real people's events."""

import json
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from app.settings import load_settings

if TYPE_CHECKING:
    from app.demo.report import DemoReport, FreshnessMs


def demo(
    events: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest events to replay.")] = 5_000,
    rate: Annotated[float, typer.Option(min=0, help="Events per second; 0: as fast as they go.")] = 100.0,
    headless: Annotated[bool, typer.Option("--headless", help="No live screen.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object, as last line.")] = False,
) -> None:
    """Show the whole loop: Kafka, agents, model server, gateway, and real people's events becoming fresh lists.

    Brings its own Kafka unless RIVERRUN_KAFKA__BOOTSTRAP_SERVERS names one. The first run fetches data and
    encoder and trains the model (minutes); later ones start at once. On a terminal the live page stays until
    Ctrl-C; without one, and with --headless, it ends by itself. The exit code is other than 0 if anything was lost.
    """
    from app.demo.live import DemoPlan  # noqa: PLC0415  # --help stays fast
    from app.demo.run import check, run_demo  # noqa: PLC0415
    from app.demo.view import LiveView  # noqa: PLC0415
    from app.demo.watch import Watch  # noqa: PLC0415

    console = Console(stderr=True, highlight=False)

    def screen(watch: Watch, headline: str) -> AbstractContextManager[object]:
        if headless or not console.is_terminal:
            return nullcontext()
        return Live(LiveView(watch, headline), console=console, screen=True, refresh_per_second=8)

    def say(line: str) -> None:
        console.print(f"[dim]·[/dim] {escape(line)}", soft_wrap=True)

    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: topics and folders of the demo go with it
        signal.signal(number, lambda got, _frame: sys.exit(128 + got))

    def on_report(report: "DemoReport", page: str) -> None:
        console.print(_summary(report))
        if as_json:
            typer.echo(json.dumps(report.as_json()))
        check(report)
        if not headless and console.is_terminal:
            console.print(
                f"\nThe live page is at [bold]{page}[/bold] until Ctrl-C: be a visitor, click, watch the list."
            )
            with suppress(KeyboardInterrupt):
                signal.pause()

    run_demo(load_settings(), DemoPlan(events, rate), say, screen, on_report)


def _summary(report: "DemoReport") -> Table:
    live = report.live
    table = Table.grid(padding=(0, 2))
    table.add_row("events", f"{report.events:,} sent, {report.accepted:,} accepted, {report.rejected:,} rejected")
    table.add_row("users", f"{report.users_changed:,} changed, {report.lost} without their newest list")
    table.add_row("click to list", _told(report.freshness_ms))
    table.add_row("browser to browser", f"{_told(report.browser_ms)} (POST to stream, through the gateway)")
    table.add_row(
        "next film in top 10",
        f"{live.hr10:.1%} of {live.events_scored:,} (decayed popularity: {live.popularity_hr10:.1%})",
    )
    table.add_row("model", f"{report.model_version}; it has never seen these events")
    return table


def _told(freshness: "FreshnessMs") -> str:
    return f"p50 {freshness.p50} ms, p95 {freshness.p95} ms, p99 {freshness.p99} ms"
