"""`riverrun evaluate --through-kafka N`: what is served, event by event, and the line of JSON."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from app.data.source import DataSource, open_dataset
from app.errors import DataError, ModelVersionError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.evaluation.through_kafka import CONTESTANTS, Difference, Served, differences, serve_and_judge
from model_server.registry.load import load_version

_SEED: Final = 0  # of the bootstrap


def evaluate_through_kafka(source: DataSource, folders: list[Path], events: int, settings: Settings) -> None:
    """Serve one version in three ways; progress to stderr, table and JSON to stdout.

    Raises:
        DataError: not exactly one version was given, or nothing comes after its training part.
        ModelVersionError: it is damaged, or was trained on other data.
        RiverrunError: Kafka cannot be had, or a process failed.
    """
    if len(folders) != 1:
        raise DataError("--through-kafka serves one version.", hint="Give --version once, and --protocol stream.")
    started, console = time.perf_counter(), Console(stderr=True, highlight=False)
    dataset = open_dataset(source, settings.cache_dir, console.print)
    version = load_version(folders[0], resolve_device(settings.scoring.device))
    if version.model.data.sha256 != dataset.fingerprint:
        raise ModelVersionError(f"{version.name} was trained on other data than {dataset.name}.")
    cut, log = version.model.data.events, dataset.interactions
    users = log.users[cut : cut + events].astype(np.int64)
    if not len(users):
        raise DataError("There is nothing after the cut to predict.", hint="Train with --holdout-events above 0.")
    served = {}
    with tempfile.TemporaryDirectory() as models:
        for name, weights in CONTESTANTS.items():
            console.print(f"{name}: {len(users):,} events through Kafka")
            served[name] = serve_and_judge(dataset, version, weights, len(users), settings, Path(models) / name)
    found = differences(served, users, _SEED)
    Console(highlight=False).print(_table(served, found, f"{dataset.name}, {len(users):,} events, {version.name}"))
    line = {
        "protocol": "stream-through-kafka",
        "data": dataset.name,
        "users": len(np.unique(users)),
        "items": len(dataset.catalog),
        "seconds": round(time.perf_counter() - started, 1),
        "results": {name: {"hr10": each.hr10, "ndcg10": each.ndcg10} for name, each in served.items()},
        "differences": {name: asdict(each) for name, each in found.items()},
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _table(served: Mapping[str, Served], found: Mapping[str, Difference], what: str) -> Table:
    table = Table(title=f"stream through Kafka: {what}")
    for column in ("served", "HR@10", "NDCG@10", "riverrun less this, HR@10 [95 %]"):
        table.add_column(column)
    for name, each in served.items():
        gap = found[name].hr10 if name in found else None
        words = "" if gap is None else f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
        table.add_row(name, f"{each.hr10:.4f}", f"{each.ndcg10:.4f}", words)
    return table
