"""What the subcommands of `riverrun bench` share: options, progress, and how a result is printed."""

import json
import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, as last line.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often each is measured; medians count.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, the same traffic.")]

Say = Callable[[str], None]


def screen() -> tuple[Console, Say]:
    """Where people read, and how progress is told."""
    # Fresh topics: their first requests find no leader, are tried again, and each says so.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(stderr=True, highlight=False)
    return console, lambda line: console.print(f"[dim]·[/dim] {line}")


def finish(console: Console, table: Table, values: dict[str, Any], as_json: bool) -> None:
    """The table for people, the values for machines."""
    console.print(table)
    if as_json:
        typer.echo(json.dumps(values))
