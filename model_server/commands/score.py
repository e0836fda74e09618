"""`riverrun score`: only the options; what it does is in model_server.wiring, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    version: Annotated[
        str | None, typer.Option(help="serve this version only; default: the champion, whoever it is")
    ] = None,
    models_dir: Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N; default: the setting")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="/metrics, /healthz, /readyz; 0: a free one")
    ] = None,
    topic_prefix: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Turn score requests into recommendations, until stopped with Ctrl-C or SIGTERM.

    Start as many as you like, up to the number of partitions: they share the users.
    """
    # --help does without all of these.
    from pydantic import ValidationError  # noqa: PLC0415

    from app.errors import SettingsError  # noqa: PLC0415
    from app.settings import ScoringSettings, load_settings  # noqa: PLC0415

    settings = load_settings()
    given = {"models_dir": models_dir, "device": device, "metrics_port": metrics_port}
    overridden = settings.scoring.model_dump() | {name: value for name, value in given.items() if value is not None}
    try:
        settings = settings.model_copy(update={"scoring": ScoringSettings(**overridden)})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise SettingsError(f"Wrong option --{option}: {first['msg']} (got {first['input']!r}).") from error
    from model_server.start import start  # noqa: PLC0415

    start(settings, version, topic_prefix)
