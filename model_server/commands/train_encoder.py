"""`riverrun train encoder`: only the options; the work is in model_server.finetuning.session, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format


def train_encoder(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    data: Annotated[str, typer.Option(help="as for riverrun train")] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items: titles, categories, attributes")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    holdout_events: Annotated[int, typer.Option(min=0, help="the newest events, never learned from; 0: none")] = 10_000,
    items: Annotated[int, typer.Option(min=50, help="that take part, at most; those with more events rather")] = 4_000,
    steps: Annotated[int, typer.Option(min=1, help="at most; it ends when it gets no better")] = 240,
    seed: Annotated[int, typer.Option(help="same seed, same machine, same encoder")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    models_dir: Annotated[
        Path | None, typer.Option(help="where versions are kept; the encoder goes into encoders/ in it")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="begin anew, even where a killed run of the same data and options stands")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Fine-tune the text encoder on what people took together and on queries made of the catalog.

    Minutes on one core. `riverrun train --encoder FOLDER` trains a version that reads texts with it. Where it does
    not help on validation, the pretrained encoder stays, and the model card says so. A run that was stopped or killed
    is gone on with by the same command.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.finetuning.options import FinetuningOptions  # noqa: PLC0415
    from model_server.finetuning.session import FinetuningRequest, run_finetuning  # noqa: PLC0415

    settings = load_settings()
    request = FinetuningRequest(
        source=DataSource(data, format_, map_, catalog, catalog_map, min_events, newest_events),
        holdout_events=holdout_events,
        options=FinetuningOptions(seed=seed, items=items, steps=steps),
        threads=threads,
        models_dir=models_dir or settings.scoring.models_dir,
        fresh=fresh,
        as_json=json,
    )
    run_finetuning(request, settings)
