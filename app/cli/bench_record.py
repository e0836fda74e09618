"""`riverrun bench record`, `check`, `tables` and `plot`: figures kept, compared and shown."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.cli.bench_screen import AsJson, finish, screen
from app.settings import load_settings

if TYPE_CHECKING:
    from app.bench.check import Verdict
    from app.bench.suite import Bench

Only = Annotated[str, typer.Option(help="Benches, comma-separated; without it all of them.")]
File = Annotated[Path | None, typer.Option(help="The record.", show_default="infra/bench/recorded.json")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (record, check, tables, plot):
        app.command()(command)


def record(only: Only = "", file: File = None) -> None:
    """Measure in full and in short, and keep the figures: what README shows and `check` compares with."""
    from app.bench.recorded import record as measure_and_keep  # noqa: PLC0415  # --help stays fast
    from app.bench.recorded import recorded_path, setting_of  # noqa: PLC0415
    from app.bench.suite import run_bench  # noqa: PLC0415

    _, say = screen()
    setting = setting_of(datetime.now(UTC).date(), load_settings().kafka.version)
    path = file or recorded_path()
    measure_and_keep(path, _chosen(only), setting, run_bench, say)
    say(f"Written: {path}. Now `riverrun bench tables` and `riverrun bench plot`.")


def check(only: Only = "", file: File = None, as_json: AsJson = False) -> None:
    """Compare today's ratios with the recorded ones; fail when one is more than 15 % worse."""
    from app.bench.check import check as compare_all  # noqa: PLC0415
    from app.bench.check import judge  # noqa: PLC0415
    from app.bench.recorded import read_recorded, recorded_path  # noqa: PLC0415
    from app.bench.suite import run_bench  # noqa: PLC0415

    console, say = screen()
    verdicts = compare_all(_chosen(only), read_recorded(file or recorded_path()), run_bench, say)
    finish(console, _table(verdicts), {"ratios": [asdict(each) for each in verdicts]}, as_json)
    judge(verdicts)


def tables(file: File = None) -> None:
    """Print the tables of README's benchmarks, from the record."""
    from app.bench.recorded import read_recorded, recorded_path  # noqa: PLC0415
    from app.bench.tables import markdown  # noqa: PLC0415

    typer.echo(markdown(read_recorded(file or recorded_path())))


def plot(
    file: File = None,
    output: Annotated[Path, typer.Option(help="The picture.")] = Path("docs/benchmarks.svg"),
) -> None:
    """Draw the picture of README's benchmarks, from the record; needs the dependency group `bench`."""
    from app.bench.plot import draw  # noqa: PLC0415
    from app.bench.recorded import recorded_path  # noqa: PLC0415

    draw(file or recorded_path(), output)
    typer.echo(f"Written: {output}")


def _chosen(only: str) -> "list[Bench]":
    from app.bench.suite import benches  # noqa: PLC0415

    names = set(filter(None, only.split(",")))
    known = {bench.name for bench in benches()}
    if not names <= known:
        raise typer.BadParameter(f"{only!r}: wanted some of {', '.join(sorted(known))}", param_hint="--only")
    return [bench for bench in benches() if not names or bench.name in names]


def _table(verdicts: "list[Verdict]") -> Table:
    table = Table("ratio", "recorded", "now", "limit", "")
    for each in verdicts:
        figures = (each.recorded, each.now, each.limit)
        told = f"{each.outcome}: {each.why}" if each.why else each.outcome
        table.add_row(each.name, *("" if figure is None else f"{figure:.3f}" for figure in figures), told)
    return table
