"""`riverrun bench`: measurements, each beside its floor in the same run."""

from importlib.metadata import entry_points
from typing import Annotated

import typer
from rich.table import Table

from app.cli import bench_gateway, bench_record, bench_streams
from app.cli.bench_screen import AsJson, finish, screen
from app.settings import load_settings

app = typer.Typer(help="Measure riverrun beside a floor or a peer in the same run.", no_args_is_help=True)
bench_streams.register(app)
bench_gateway.register(app)
bench_record.register(app)
# Those that need torch belong to the model server.
for _entry in entry_points(group="riverrun.bench"):
    app.command(_entry.name)(_entry.load())


@app.callback()
def _bench() -> None:
    """Measure riverrun beside a floor or a peer in the same run."""


@app.command()
def freshness(
    rates: Annotated[str, typer.Option(help="Events per second, comma-separated.")] = "10,100,1000",
    seconds: Annotated[float, typer.Option(min=1, help="How long each rate is held in a round.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each rate is held; all of it counts together.")] = 3,
    saturation_share: Annotated[
        float, typer.Option(min=0, max=1, help="One more rate, as a share of what can be held at most; 0: none.")
    ] = 0.8,
    as_json: AsJson = False,
) -> None:
    """From sending an event to holding its list, beside a bare echo over as many Kafka hops."""
    from app.bench.freshness import FreshnessPlan, measure_freshness  # noqa: PLC0415  # --help stays fast

    console, say = screen()
    plan = FreshnessPlan(_rates(rates), seconds, rounds, saturation_share)
    result = measure_freshness(load_settings(), plan, say)
    table = Table("events/s", "p50 ms", "p95 ms", "p99 ms", "echo p50 ms", "echo p99 ms", "p50 / echo")
    for rate in result.rates:
        figures = (rate.p50_ms, rate.p95_ms, rate.p99_ms, rate.floor_p50_ms, rate.floor_p99_ms, rate.ratio_p50)
        table.add_row(f"{rate.events_per_s:g}", *(str(figure) for figure in figures))
    finish(console, table, result.as_json(), as_json)


def _rates(text: str) -> tuple[float, ...]:
    try:
        wanted = tuple(float(rate) for rate in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers", param_hint="--rates") from None
    if min(wanted) <= 0:
        raise typer.BadParameter("a rate must be above 0", param_hint="--rates")
    return wanted
