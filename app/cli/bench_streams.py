"""`riverrun bench ingest`, `bench recovery` and `bench scale`: the stream agents, measured."""

from typing import Annotated

import typer
from rich.table import Table

from app.cli.bench_screen import AsJson, Rounds, Seed, finish, screen
from app.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(recovery)
    app.command()(scale)


def ingest(  # noqa: PLR0913, PLR0917  # a command's options are its arguments
    events: Annotated[
        int, typer.Option(min=1_000, help="Events in the log of each race; Faust per event gets a fifteenth of them.")
    ] = 600_000,
    users: Annotated[int, typer.Option(min=100, max=9_999_999, help="Who they are of.")] = 100_000,
    rounds: Rounds = 3,
    activity_sigma: Annotated[
        float, typer.Option(min=0, max=3, help="How much users differ in activity; 0: not at all.")
    ] = 1.0,
    processes: Annotated[
        int, typer.Option(min=2, max=16, help="Of riverrun agents; as many as Kafka Streams has threads, and one.")
    ] = 2,
    peers: Annotated[
        str, typer.Option(help="Comma-separated; those that cannot run here are left out.")
    ] = "quix,kafka_streams,faust_per_event",
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Stateful events a second of riverrun agents, against Quix Streams, Kafka Streams and Faust per event."""
    from app.bench.ingest import PEERS, IngestPlan, measure_ingest  # noqa: PLC0415  # --help stays fast
    from app.bench.tables import contestant  # noqa: PLC0415

    chosen = frozenset(filter(None, peers.split(",")))
    if not chosen <= set(PEERS):
        raise typer.BadParameter(f"{peers!r}: wanted some of {', '.join(PEERS)}", param_hint="--peers")
    console, say = screen()
    plan = IngestPlan(events, users, rounds, seed, activity_sigma=activity_sigma, peers=chosen, processes=processes)
    result = measure_ingest(load_settings(), plan, say)
    table = Table("", "events/s", "CPU us", "broker's", "out/event", "riverrun /", "1 process /")
    values = result.as_json()
    for name in result.rounds:
        broker_us = result.broker_cpu_us_per_event.get(name)
        ratios = (values.get(f"ratio_{name}"), values.get(f"ratio_{name}_one_process"))
        table.add_row(
            contestant(name, values),
            f"{values[f'{name}_events_per_s']:,.0f}",
            f"{result.cpu_us_per_event[name]:.1f}",
            "" if broker_us is None else f"{broker_us:.1f}",
            f"{result.outputs_per_event[name]:.2f}",
            *("" if ratio is None else f"{ratio:.2f}x" for ratio in ratios),
        )
    finish(console, table, values, as_json)


def recovery(
    users: Annotated[int, typer.Option(min=1_000, max=9_999_999, help="Users in the changelog.")] = 1_000_000,
    interactions: Annotated[int, typer.Option(min=1, max=50, help="Interactions remembered of each.")] = 20,
    rounds: Rounds = 3,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Users a second restored from the changelog, and the time to ready with the local disk and without."""
    from app.bench.recovery import measure_recovery  # noqa: PLC0415
    from app.bench.seeding import Past  # noqa: PLC0415

    console, say = screen()
    result = measure_recovery(load_settings(), Past(users, interactions, seed), rounds, say)
    table = Table("users", "bytes each", "users/s", "bare reader's", "ratio", "s to ready, changelog", "s, local disk")
    table.add_row(
        f"{result.users:,}",
        str(result.row_bytes),
        f"{result.users_per_s:,.0f}",
        f"{result.floor_users_per_s:,.0f}",
        f"{result.ratio_floor:.2f}",
        str(result.seconds_from_changelog),
        str(result.seconds_local_disk),
    )
    finish(console, table, result.as_json(), as_json)


def scale(  # noqa: PLR0913, PLR0917  # a command's options are its arguments
    workers: Annotated[str, typer.Option(help="Numbers of workers, comma-separated.")] = "1,2",
    users: Annotated[str, typer.Option(help="Numbers of users, comma-separated.")] = "10000,100000,1000000",
    interactions: Annotated[int, typer.Option(min=1, max=50, help="Interactions remembered of each.")] = 20,
    events: Annotated[int, typer.Option(min=1_000, help="Events at each point.")] = 200_000,
    rounds: Rounds = 3,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Memory and the cost of an event as users and workers grow."""
    from app.bench.scale import ScalePlan, measure_scale  # noqa: PLC0415

    console, say = screen()
    plan = ScalePlan(
        workers=_numbers(workers, "--workers", 1, 4),
        users=_numbers(users, "--users", 100, 9_999_999),
        interactions=interactions,
        events=events,
        seed=seed,
        rounds=rounds,
    )
    result = measure_scale(load_settings(), plan, say)
    table = Table("workers", "users", "events/s", "CPU us/event", "outputs per event", "RSS MB (all workers)")
    for point in result.points:
        cost = f"{point.cpu_us_per_event:.1f}"
        figures = (f"{point.events_per_s:,.0f}", cost, f"{point.outputs_per_event:.2f}", f"{point.rss_mb:.0f}")
        table.add_row(str(point.workers), f"{point.users:,}", *figures)
    finish(console, table, result.as_json(), as_json)


def _numbers(text: str, option: str, least: int, most: int) -> tuple[int, ...]:
    try:
        numbers = tuple(int(each) for each in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of whole numbers", param_hint=option) from None
    if min(numbers) < least or max(numbers) > most:
        raise typer.BadParameter(f"each must lie between {least} and {most}", param_hint=option)
    return numbers
