"""`riverrun tune`: only the options; what it does is in model_server.training.tuning_session, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format


def tune(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    data: Annotated[str, typer.Option(help="as for riverrun train")] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    holdout_events: Annotated[int, typer.Option(min=0, help="the newest events, never learned from; 0: none")] = 10_000,
    trials: Annotated[int, typer.Option(min=1, help="trainings, at most")] = 30,
    budget_minutes: Annotated[float, typer.Option(min=0.1, help="for all of them; the last one is cut off")] = 60.0,
    options: Annotated[
        Path | None, typer.Option(help="where to begin and what not to search over, as for riverrun train")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="of each training, at most")] = None,
    seed: Annotated[int | None, typer.Option(help="of the trainings and of the search")] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    models_dir: Annotated[Path | None, typer.Option(help="where the search is kept; default: the setting")] = None,
    out: Annotated[
        Path | None, typer.Option(help="the file of the best options; default: in the models folder")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Search for better training options within a budget; the same command goes on where it was stopped.

    Chosen by NDCG@10 on validation events; held-out ones are never looked at. A difference below .005 may be chance:
    train both with a few seeds.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.training.chosen import chosen  # noqa: PLC0415
    from model_server.training.tuning_session import TuningRequest, run_tuning  # noqa: PLC0415

    settings = load_settings()
    folder = models_dir or settings.scoring.models_dir
    request = TuningRequest(
        source=DataSource(data, format_, map_, catalog, catalog_map, min_events, newest_events),
        holdout_events=holdout_events,
        choices=chosen(options, epochs=epochs, seed=seed),
        trials=trials,
        budget_minutes=budget_minutes,
        threads=threads,
        models_dir=folder,
        out=out or folder / "best-options.json",
        as_json=json,
    )
    run_tuning(request, settings)
