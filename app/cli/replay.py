"""`riverrun replay`: a data set as live traffic into any Kafka."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from app.data.formats.names import Format
from app.settings import load_settings


def replay(  # noqa: PLR0913, PLR0917  # typer: one parameter per option
    data: Annotated[
        str, typer.Option(help="movielens-100k, complete-journey[-thinned] (fetched), a file or folder: docs/data.md")
    ] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="columns of a table, as in `riverrun train --help`")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns")] = "",
    events: Annotated[int, typer.Option(min=1, help="How many of the newest events.")] = 5_000,
    rate: Annotated[float, typer.Option(min=0, help="Events per second; 0: as fast as they go.")] = 100.0,
    send_catalog: Annotated[bool, typer.Option(help="Send the catalog first.")] = True,
) -> None:
    """Send a data set's newest events to Kafka, in time order, as live traffic.

    Once: a second replay of the same events counts again for every user who has more than 32 of them.

    Needs RIVERRUN_KAFKA__BOOTSTRAP_SERVERS and its topics (`riverrun topics apply`).
    """
    from app.contracts.events import Event  # noqa: PLC0415  # --help stays fast
    from app.data.source import DataSource, open_dataset  # noqa: PLC0415
    from app.kafka.access import access_of  # noqa: PLC0415
    from app.kafka.permissions import REPLAY  # noqa: PLC0415
    from app.kafka.topic_check import check_topics  # noqa: PLC0415
    from app.kafka.topics import load_topics  # noqa: PLC0415
    from app.replay import events_of, paced, publish_catalog, publish_events, replay_producer  # noqa: PLC0415

    settings, topics = load_settings(), load_topics()
    access = access_of(settings.kafka)
    check_topics(access, topics, REPLAY)
    with Progress() as progress:
        source = DataSource(data, format_, map_, catalog, catalog_map)
        dataset = open_dataset(source, settings.cache_dir, progress.console.print)
        stop = len(dataset.interactions)
        start = max(0, stop - events)
        task = progress.add_task("Replaying", total=stop - start)

        def on_stored(_event: Event, _offset: int, _sent_s: float) -> None:
            progress.advance(task)

        async def run() -> None:
            async with replay_producer(access) as producer:
                if send_catalog:
                    await publish_catalog(producer, topics.catalog.name, dataset.catalog)
                traffic = paced(events_of(dataset, start, stop), rate)
                await publish_events(producer, topics.events.name, traffic, lambda _event: None, on_stored)

        asyncio.run(run())
