"""What `riverrun models list` and `show` print."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from app.errors import ModelVersionError
from model_server.registry.champion import Succession, champion_of, read_succession
from model_server.registry.folders import finished_versions
from model_server.registry.judgement import read_judgement
from model_server.registry.summary import Summary, summary_of

_STAMP: Final = "%Y%m%d-%H%M%S"
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_MEGABYTE: Final = 1_000_000


def listed(models_dir: Path) -> dict[str, Any]:
    """Everything, as plain JSON values."""
    succession = read_succession(models_dir)
    versions = []
    for folder in reversed(finished_versions(models_dir)):
        try:
            versions.append(described(folder))
        except ModelVersionError as error:
            versions.append({"version": folder.name, "error": str(error)})
    history: dict[str, Any] = {} if succession is None else msgspec.to_builtins(succession)
    return {"champion": champion_of(models_dir), "succession": history, "versions": versions}


def described(folder: Path) -> dict[str, Any]:
    """A version, as plain JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(summary_of(folder))
    judgement = read_judgement(folder)
    return values if judgement is None else values | {"judged": msgspec.json.decode(msgspec.json.encode(judgement))}


def table_of(models_dir: Path, now_ms: int) -> RenderableType:
    """For people: the versions, and why the champion is the champion."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("Version", no_wrap=True)
    for name in ("Age", "Events", "HR@10", "NDCG@10", "MB"):
        table.add_column(name, justify="right")
    table.add_column("Data", overflow="fold")
    champion = champion_of(models_dir)
    for folder in reversed(finished_versions(models_dir)):
        mark = "[bold green]*[/]" if folder.name == champion else ""
        table.add_row(mark, folder.name, _age(folder.name, now_ms), *_cells(folder))
    succession = read_succession(models_dir)
    if succession is None:
        why = "No champion was named: the newest version is served." if champion else "There is no version yet."
        return Group(table, Text(why, style="dim"))
    return Group(table, Text(_history(succession), style="dim"))


def card_of(folder: Path) -> RenderableType:
    """For people: the model card, and what `riverrun learn` found of the version.

    Raises:
        ModelVersionError: it has none.
    """
    try:
        return Markdown((folder / "MODEL_CARD.md").read_text(encoding="utf-8") + _judged(folder))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelVersionError(f"{folder} has no model card: {error}.", hint="Copy the whole folder again.") from error


def _judged(folder: Path) -> str:
    judgement = read_judgement(folder)
    if judgement is None:
        return ""
    outcome = "Found better than" if judgement.promoted else "Refused; compared with"
    return f"\n## Judged on live events\n\n{outcome} `{judgement.champion}`: {judgement.why}.\n"


def _cells(folder: Path) -> tuple[str, ...]:
    try:
        summary = summary_of(folder)
    except ModelVersionError:
        return ("", "", "", "", "[red]damaged[/]")
    return (
        f"{summary.data.events:,}",
        _figure(summary, "validation_hr10"),
        _figure(summary, "validation_ndcg10"),
        f"{summary.size_bytes / _MEGABYTE:.1f}",
        summary.data.name,
    )


def _figure(summary: Summary, name: str) -> str:
    value = summary.metrics.get(name)
    return "" if value is None else f"{value:.3f}"


def _age(version: str, now_ms: int) -> str:
    made = datetime.strptime(version.rsplit("-", 1)[0], _STAMP).replace(tzinfo=UTC)
    seconds = max(0, now_ms / 1_000 - made.timestamp())
    for size, unit in _AGES:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _history(succession: Succession) -> str:
    champion = succession.champion
    lines = [f"* champion since {_moment(champion.since_ms)}: {champion.reason}"]
    lines += [f"  before it {each.version}: {each.reason}" for each in succession.before[:1]]
    lines += [f"  taken back {each.version}, {_moment(each.at_ms)}: {each.reason}" for each in succession.withdrawn[:3]]
    return "\n".join(lines)


def _moment(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1_000, tz=UTC):%Y-%m-%d %H:%M} UTC"
