"""`riverrun train`: only the options; what it does is in model_server.training.session, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format


def train(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    data: Annotated[
        str, typer.Option(help="movielens-100k or complete-journey (fetched), or a file or folder: docs/data.md")
    ] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[
        str,
        typer.Option("--map", help="columns of a table: user=customer_id,item=sku,ts=time[,type=...][,rating=...]"),
    ] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items: titles make new items work")] = None,
    catalog_map: Annotated[
        str, typer.Option(help="its columns: item=sku,title=name[,category=...][,brand=...][,attribute:colour=...]")
    ] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    holdout_events: Annotated[int, typer.Option(min=0, help="the newest events, never learned from; 0: none")] = 10_000,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the data, at most")] = 16,
    seed: Annotated[int, typer.Option(help="same seed, same machine, same model")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    models_dir: Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="take the newest version trained on this very data, if there is one")
    ] = False,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="only where there is no version yet, on whatever data")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Train the model and keep it as a version, which the model server finds.

    Without options: MovieLens-100K, in two minutes on one core. Ctrl-C leaves nothing behind.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.training.options import TrainingOptions  # noqa: PLC0415
    from model_server.training.session import TrainingRequest, run_training  # noqa: PLC0415

    settings = load_settings()
    request = TrainingRequest(
        source=DataSource(data, format_, map_, catalog, catalog_map, min_events, newest_events),
        holdout_events=holdout_events,
        options=TrainingOptions(epochs=epochs, seed=seed),
        threads=threads,
        models_dir=models_dir or settings.scoring.models_dir,
        reuse=reuse,
        if_none=if_none,
        as_json=json,
    )
    run_training(request, settings)
