"""`riverrun gateway`: only the options; what it does is in app.gateway."""

from pathlib import Path
from typing import Annotated

import typer


def gateway(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="of the API and the page; 0: a free one")] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="folder of the newest lists; one per gateway", show_default="settings")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="/metrics, /healthz, /readyz; 0: a free one")
    ] = None,
    topic_prefix: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Take events and serve lists over HTTP, to servers and browsers, until stopped with Ctrl-C or SIGTERM.

    Start as many as you like behind a load balancer: each has all lists.
    """
    # --help does without all of these.
    from app.gateway.start import start  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    given = {"port": port, "state_dir": state_dir, "metrics_port": metrics_port}
    chosen = settings.gateway.model_copy(update={name: value for name, value in given.items() if value is not None})
    start(settings.model_copy(update={"gateway": chosen}), topic_prefix)
