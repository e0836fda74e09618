"""`riverrun federate`: only the options; what it does is in model_server.federation.session, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format


def federate(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    data: Annotated[str, typer.Option(help="as for riverrun train")] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    shops: Annotated[
        int, typer.Option(min=2, help="so many: the largest places of the data, or people dealt out by chance")
    ] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="how often weights travel and are averaged")] = 10,
    passes: Annotated[int, typer.Option(min=1, help="of each shop over its own data, in each round")] = 2,
    options: Annotated[
        Path | None, typer.Option(help="a .json or .toml file with training options, as for riverrun train")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of networks and of who is dealt where")] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """What it costs if shops train one network without showing one another their events (federated averaging).

    Compared with the same network trained on everything in one place and by each shop alone, on everybody's last event.
    A simulation in one process, by Flower (uv sync --group privacy).
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.federation.session import FederationRequest, run_federation  # noqa: PLC0415
    from model_server.training.chosen import chosen  # noqa: PLC0415

    request = FederationRequest(
        source=DataSource(data, format_, map_, catalog, catalog_map, min_events, newest_events),
        shops=shops,
        rounds=rounds,
        passes=passes,
        choices=chosen(options, seed=seed),
        threads=threads,
        as_json=json,
    )
    run_federation(request, load_settings())
