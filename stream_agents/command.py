"""`riverrun agents`: one worker of the stream agents, or several."""

from pathlib import Path
from typing import Annotated

import typer


def agents(
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of this worker's RocksDB tables; one per worker.", show_default="settings"),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of /metrics, /healthz, /readyz; 0 takes a free one.", min=0, max=65535)
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Workers under this one command, each with a core of its own.", min=1, show_default="settings"
        ),
    ] = None,
    topic_prefix: Annotated[str, typer.Option(hidden=True, help="Puts this before every topic name.")] = "",
) -> None:
    """Turn events into interests: run the stream agents.

    Reads events, keeps every visitor's interests, asks for a new list for whoever did something, and sets bad input
    aside in dead-letters. Start as many as you like, up to the number of partitions; they share the work.
    Stops cleanly on SIGTERM and Ctrl-C.
    """
    # Imported here: Faust and aiokafka take a second, and `riverrun --help` has none to spare.
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    overrides = {"state_dir": state_dir, "metrics_port": metrics_port, "processes": processes}
    chosen = settings.agents.model_copy(update={name: value for name, value in overrides.items() if value is not None})
    if chosen.processes > 1:
        from app.kafka.topics import load_topics  # noqa: PLC0415
        from stream_agents.pool import run_pool, worker_commands  # noqa: PLC0415

        run_pool(worker_commands(chosen, topic_prefix, load_topics().events.partitions))
    else:
        from stream_agents.entry import run_agents  # noqa: PLC0415  # see above

        run_agents(settings.model_copy(update={"agents": chosen}), topic_prefix=topic_prefix)
