"""`riverrun bench scoring`: only the options; what it does is in model_server.bench.scoring, which imports torch."""

import json
from pathlib import Path
from typing import Annotated

import typer


def scoring(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    batches: Annotated[str, typer.Option(help="Users per batch, comma-separated.")] = "1,8,32,128,512",
    items: Annotated[str, typer.Option(help="Items of the catalogue, comma-separated.")] = "1682,100000,1000000",
    seconds: Annotated[float, typer.Option(min=0.05, help="How long each point is measured, at least.")] = 2.0,
    version: Annotated[str | None, typer.Option(help="the model version; default: the champion")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")] = None,
    seed: Annotated[int, typer.Option(help="of catalogue and users")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, as last line.")] = False,
) -> None:
    """From score requests to encoded lists, beside the bare model in the same process.

    Items beyond those of the model are put between real neighbours, so that they lie as real ones do.
    """
    from rich.console import Console  # noqa: PLC0415  # --help does without all of these
    from rich.table import Table  # noqa: PLC0415

    from app.settings import load_settings  # noqa: PLC0415
    from model_server.bench.scoring import ScoringRequest, measure_scoring  # noqa: PLC0415

    settings = load_settings()
    console = Console(stderr=True, highlight=False)
    request = ScoringRequest(
        batches=_numbers(batches, "--batches"),
        items=_numbers(items, "--items"),
        seconds=seconds,
        version=version,
        models_dir=models_dir or settings.scoring.models_dir,
        seed=seed,
    )
    result = measure_scoring(request, settings, lambda line: console.print(f"[dim]·[/dim] {line}"))
    columns = (
        "items",
        "batch",
        "users/s",
        "of bare",
        "continued",
        "of bare",
        "bare",
        "plain",
        "of plain",
        "recall@20",
    )
    caption = (
        "users/s: of users first seen; continued: of users seen before; "
        "bare: full encoder + search as served; plain: float32 network + torch.topk"
    )
    table = Table(*columns, caption=caption)
    for point in result.points:
        first = (f"{point.users_per_s:,.0f}", f"{point.ratio_bare:.2f}")
        continued = (f"{point.continued_users_per_s:,.0f}", f"{point.continued_ratio_bare:.2f}")
        floors = (f"{point.bare_users_per_s:,.0f}", f"{point.plain_users_per_s:,.0f}", f"{point.ratio_plain:.2f}")
        table.add_row(f"{point.items:,}", f"{point.batch}", *first, *continued, *floors, f"{point.recall:.4f}")
    console.print(table)
    if as_json:
        typer.echo(json.dumps(result.as_json()))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(each) for each in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of whole numbers", param_hint=option) from None
    if min(numbers) < 1:
        raise typer.BadParameter("a number must be above 0", param_hint=option)
    return numbers
