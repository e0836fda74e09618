"""`riverrun learn --replay`: from options to the comparison, and how it is shown."""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from rich.console import Console
from rich.table import Table

from app.data.source import DataSource, open_dataset
from app.settings import Settings
from model_server.learning.children import manner_of
from model_server.learning.judge import Encoding
from model_server.learning.learner import Pace
from model_server.learning.planted import drifted
from model_server.learning.replay import Outcome, Replay
from model_server.learning.start import pace_of
from model_server.text.pretrained import text_encoders

_SEED: Final = 0
_ALL: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What the person asked for.

    Args:
        source: the data set.
        past_share: of its events, what lies before the stream.
        drift: half of the catalogue changes places in the middle of the stream.
        poison: challengers are trained on shuffled items.
        as_json: one line of JSON at the end.
    """

    source: DataSource
    past_share: float
    drift: bool
    poison: bool
    as_json: bool


def replay_and_report(request: ReplayRequest, settings: Settings) -> Outcome:
    """Replay; progress to stderr, the result to stdout.

    Raises:
        RiverrunError: the data cannot be read, or a training failed.
    """
    started, console = time.perf_counter(), Console(stderr=True, highlight=False)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    past = int(len(dataset.interactions) * request.past_share)
    if request.drift:
        dataset = drifted(dataset, (past + len(dataset.interactions)) // 2, _SEED)
    encoders = text_encoders(settings.cache_dir, torch.device("cpu"), console.print)
    encoding = Encoding(encoders, settings.scoring.popularity_half_life_days)
    learning = settings.learning
    if learning.threads:
        torch.set_num_threads(learning.threads)
    with tempfile.TemporaryDirectory() as name:
        replay = Replay(
            dataset=dataset,
            past=past,
            pace=_by_events(pace_of(learning)),
            folder=Path(name),
            manner=replace(manner_of(settings), models_dir=Path(name) / "models"),
            poison_seed=_SEED if request.poison else None,
            clock_ms=lambda: time.time_ns() // 1_000_000,
        )
        outcome = asyncio.run(replay.run(encoding))
    Console(highlight=False).print(_table(outcome, dataset.name))
    if request.as_json:
        sys.stdout.write(json.dumps(_line(outcome, dataset.name, time.perf_counter() - started)) + "\n")
    return outcome


def _by_events(pace: Pace) -> Pace:
    """Hours mean nothing in a replay, and every champion is asked again in the end."""
    return replace(pace, every_ms=0, keep_versions=_ALL)


def _table(outcome: Outcome, data: str) -> Table:
    total = outcome.total
    table = Table(title=f"{data}: {total.events:,} events of {total.users:,} users, {len(outcome.periods)} champions")
    for column in ("", "HR@10", "NDCG@10", "coverage"):
        table.add_column(column)
    for name, side in (("frozen", total.champion), ("learning", total.challenger)):
        table.add_row(name, f"{side.hr10:.4f}", f"{side.ndcg10:.4f}", f"{side.coverage10:.3f}")
    gaps = [f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]" for gap in (total.hr10, total.ndcg10)]
    table.add_row("difference", *gaps, "")
    return table


def _line(outcome: Outcome, data: str, seconds: float) -> dict[str, Any]:
    return {
        "protocol": "stream-learning",
        "data": data,
        "seconds": round(seconds, 1),
        "champions": [{"version": period.version, "from_event": period.first} for period in outcome.periods],
        "looks": [
            {"challenger": look.challenger, "at_event": look.at, **msgspec.to_builtins(look.figures)}
            for look in outcome.looks
        ],
        "results": {
            "frozen": msgspec.to_builtins(outcome.total.champion),
            "learning": msgspec.to_builtins(outcome.total.challenger),
        },
        "difference": {
            "hr10": msgspec.to_builtins(outcome.total.hr10),
            "ndcg10": msgspec.to_builtins(outcome.total.ndcg10),
        },
        "events": outcome.total.events,
        "users": outcome.total.users,
    }
