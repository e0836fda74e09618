"""`riverrun models`: the versions there are, and which one is served. `list` and `show` import no torch."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.errors import ModelVersionError
from app.settings import Settings, load_settings
from model_server.registry.champion import Succession, champion_of, promote, roll_back
from model_server.registry.folders import finished_versions

if TYPE_CHECKING:
    from app.kafka.access import KafkaAccess

app = typer.Typer(help="Model versions: which there are, and which one is served.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
ModelsDir = Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")]
Reason = Annotated[str, typer.Option(help="why; kept in the history")]
Prefix = Annotated[str, typer.Option("--topic-prefix", hidden=True)]


@app.command("list")
def list_versions(models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """Show every version, the newest first; the champion is marked. Verifies nothing."""
    from model_server.commands.models_shown import listed, table_of  # noqa: PLC0415  # --help stays fast

    folder = models_dir or load_settings().scoring.models_dir
    if as_json:
        _print_json(listed(folder))
    else:
        _print(table_of(folder, _now_ms()))


@app.command("show")
def show_version(
    name: Annotated[str | None, typer.Argument(help="a version; default: the champion")] = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a version's model card, or what the card was made from."""
    from model_server.commands.models_shown import card_of, described  # noqa: PLC0415  # --help stays fast

    folder = models_dir or load_settings().scoring.models_dir
    version = _existing(folder, name)
    if as_json:
        _print_json(described(version))
    else:
        _print(card_of(version))


@app.command("compare")
def compare_versions(
    before: Annotated[str, typer.Argument(help="a version")],
    after: Annotated[str | None, typer.Argument(help="another one; default: the champion")] = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed from one version to another: data, popularity, item vectors, validation."""
    from model_server.commands.models_compared import comparison_of, table_of_changes, values_of  # noqa: PLC0415

    folder = models_dir or load_settings().scoring.models_dir
    comparison = comparison_of(_existing(folder, before), _existing(folder, after))
    if as_json:
        _print_json(values_of(comparison))
    else:
        _print(table_of_changes(comparison))


@app.command("promote")
def promote_version(
    name: Annotated[str, typer.Argument(help="the version to serve")],
    reason: Reason = "by hand",
    models_dir: ModelsDir = None,
    topic_prefix: Prefix = "",
) -> None:
    """Serve this version: verified whole, then named champion. Running model servers warm it up and swap."""
    settings = load_settings()
    access, folder = _access(settings), models_dir or settings.scoring.models_dir
    version = _existing(folder, name)
    _load(version)
    succession = promote(folder, version.name, reason, _now_ms())
    _tell(access, succession, topic_prefix)


@app.command("rollback")
def roll_back_version(reason: Reason = "by hand", models_dir: ModelsDir = None, topic_prefix: Prefix = "") -> None:
    """Serve the champion before this one again; of those before it, the newest that can be loaded."""
    settings = load_settings()
    access, folder = _access(settings), models_dir or settings.scoring.models_dir

    def loads(name: str) -> bool:
        try:
            _load(folder / name)
        except ModelVersionError as error:
            _say(f"Passed over: {error}")
            return False
        return True

    _tell(access, roll_back(folder, reason, _now_ms(), loads), topic_prefix)


def _existing(models_dir: Path, name: str | None) -> Path:
    wanted = name if name is not None else champion_of(models_dir)
    there = [folder.name for folder in finished_versions(models_dir)]
    if wanted is None or wanted not in there:
        known = f"There is: {', '.join(reversed(there))}." if there else "Run `riverrun train`."
        raise ModelVersionError(f"There is no model version {wanted or ''} in {models_dir}.", hint=known)
    return models_dir / wanted


def _load(folder: Path) -> None:
    """Verify it as a model server does.

    Raises:
        ModelVersionError: a server would refuse it.
    """
    import torch  # noqa: PLC0415  # seconds

    from model_server.registry.load import load_fitting  # noqa: PLC0415
    from model_server.text.pretrained import FINGERPRINT  # noqa: PLC0415

    load_fitting(folder, torch.device("cpu"), FINGERPRINT)


def _access(settings: Settings) -> "KafkaAccess | None":
    """To the configured Kafka, if there is one; before anything is changed, for it may be wrong."""
    from app.kafka.access import access_of  # noqa: PLC0415  # --help stays fast

    return access_of(settings.kafka) if settings.kafka.bootstrap_servers else None


def _tell(access: "KafkaAccess | None", succession: Succession, topic_prefix: str) -> None:
    from app.kafka.topics import load_topics  # noqa: PLC0415  # --help stays fast
    from model_server.registry.announce import announce  # noqa: PLC0415

    champion = succession.champion
    typer.echo(champion.version)
    if access is None:
        _say("No Kafka address is set: model servers see it when they next look into the folder.")
        return
    topic = load_topics().with_prefix(topic_prefix).model_updates.name
    if failed := announce(access, topic, champion):
        _say(f"{failed} Model servers see it when they next look into the folder.")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _print(what: Any) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to import, not for --help

    Console(highlight=False).print(what)


def _print_json(record: object) -> None:
    sys.stdout.write(json.dumps(record) + "\n")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
