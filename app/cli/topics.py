"""`riverrun topics`: what topics there are, and making Kafka have them."""

import json
import sys
from typing import Annotated

import typer

from app.errors import KafkaUnreachable
from app.kafka.access import KafkaAccess, access_of
from app.kafka.topics import Topics, TopicSpec, load_topics
from app.settings import KafkaSettings, load_settings

app = typer.Typer(help="The topics of riverrun: list them, create them, set what differs.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Servers = Annotated[
    str | None,
    typer.Option(help="Kafka to change: host:port[,host:port]. Default: RIVERRUN_KAFKA__BOOTSTRAP_SERVERS."),
]

_UNITS_MS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


@app.command("list")
def list_topics(as_json: AsJson = False) -> None:
    """Show every topic that infra/kafka/topics.yml names. Asks no Kafka."""
    topics = load_topics()
    if as_json:
        _print_json({role: _as_record(spec) for role, spec in topics.by_role().items()})
    else:
        _print_table(topics)


@app.command()
def apply(bootstrap_servers: Servers = None, as_json: AsJson = False) -> None:
    """Make Kafka's topics look like infra/kafka/topics.yml. Doing it again changes nothing."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, not for --help

    from app.kafka.topic_admin import apply_topics  # noqa: PLC0415 - slow to import, not for --help

    applied = apply_topics(_access(load_settings().kafka, bootstrap_servers), load_topics())
    if as_json:
        _print_json(
            {
                "created": applied.created,
                "changed": applied.changed,
                "unchanged": applied.unchanged,
                "warnings": applied.warnings,
            }
        )
        return
    console = Console(highlight=False)
    for mark, names in (
        ("[green]created[/]", applied.created),
        ("[yellow]changed[/]", applied.changed),
        ("[dim]unchanged[/]", applied.unchanged),
    ):
        for name in names:
            console.print(f"{mark} {name}")
    for warning in applied.warnings:
        console.print(f"[red]warning[/] {warning}")


def human_ms(milliseconds: int) -> str:
    """`2592000000` -> `30 days`; -1 is Kafka's "for ever"."""
    if milliseconds < 0:
        return "for ever"
    for unit, size in _UNITS_MS:
        if milliseconds >= size and milliseconds % size == 0:
            count = milliseconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{milliseconds} ms"


def retention(spec: TopicSpec) -> str:
    """How long a record stays, in words."""
    if spec.config.get("cleanup.policy") == "compact":
        return "newest per key"
    kept = spec.config.get("retention.ms")
    return "Kafka's default" if kept is None else human_ms(int(kept))


def _access(kafka: KafkaSettings, bootstrap_servers: str | None) -> KafkaAccess:
    servers = bootstrap_servers or kafka.bootstrap_servers
    if not servers:
        raise KafkaUnreachable(
            "There is no Kafka to apply the topics to.",
            hint="Set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS or give --bootstrap-servers. "
            "(`riverrun demo` brings its own Kafka and topics.)",
        )
    return access_of(kafka.model_copy(update={"bootstrap_servers": servers}))


def _as_record(spec: TopicSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "partitions": spec.partitions,
        "replication_factor": spec.replication_factor,
        "config": dict(spec.config),
        "description": spec.description,
    }


def _print_json(record: object) -> None:
    sys.stdout.write(json.dumps(record) + "\n")


def _print_table(topics: Topics) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, not for --help
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Topic", ratio=1)
    table.add_column("Parts", justify="right")
    table.add_column("Cleanup")
    table.add_column("Kept")
    for role, spec in topics.by_role().items():
        name = f"[bold]{role}[/]" if spec.name == role else f"[bold]{role}[/]\n{spec.name}"
        cleanup = spec.config.get("cleanup.policy", "delete")
        text = f"{name}\n[dim]{spec.description}[/]\n"
        table.add_row(text, str(spec.partitions), cleanup, retention(spec))
    Console(highlight=False).print(table)
