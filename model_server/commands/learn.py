"""`riverrun learn`: only the options; what it does is in model_server.learning, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format


def learn(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    data: Annotated[
        str,
        typer.Option(help="what an empty store begins with, as for riverrun train; with --replay the stream itself"),
    ] = "",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="columns of a table, as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    models_dir: Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="the event store; default: the setting")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="/metrics, /healthz, /readyz; 0: a free one")
    ] = None,
    options: Annotated[Path | None, typer.Option(help="a file with training options; default: the setting")] = None,
    after_events: Annotated[
        int | None, typer.Option(min=0, help="new events after which a challenger is trained; default: the setting")
    ] = None,
    first_look: Annotated[
        int | None, typer.Option(min=1, help="events on which it is judged first; default: the setting")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="no Kafka: --data is the stream; says what learning is worth, and ends")
    ] = False,
    past_share: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="--replay: of the data, before the stream")
    ] = 0.6,
    drift: Annotated[
        bool, typer.Option("--drift", help="--replay: half of the catalogue changes places in the middle of the stream")
    ] = False,
    poison: Annotated[
        bool, typer.Option("--poison", help="--replay: challengers are trained on items dealt out by chance")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="--replay: end with one line of JSON")] = False,
    topic_prefix: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Keep learning: store events, train challengers, promote those that predict what comes next better.

    One process; it goes on where it was stopped or killed. Training is a child process of low priority.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.learning.start import overridden, start  # noqa: PLC0415

    given = {
        "metrics_port": metrics_port,
        "state_dir": state_dir,
        "options": options,
        "after_events": after_events,
        "first_look": first_look,
    }
    settings = overridden(load_settings(), given, models_dir)
    source = DataSource(data or "movielens-100k", format_, map_, catalog, catalog_map, min_events, newest_events)
    if replay:
        from model_server.learning.replayed import ReplayRequest, replay_and_report  # noqa: PLC0415

        replay_and_report(ReplayRequest(source, past_share, drift, poison, json), settings)
        return
    start(settings, source if data else None, topic_prefix)
