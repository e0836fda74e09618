"""What `riverrun models compare` prints."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model_server.drift.versions import Comparison, compared
from model_server.registry.load import load_version

_CHANGED: Final = 0.25
_MOVED: Final = 0.1


def comparison_of(before: Path, after: Path) -> Comparison:
    """Of the versions in these folders.

    Raises:
        ModelVersionError: one of them is damaged.
    """
    cpu = torch.device("cpu")
    return compared(load_version(before, cpu), load_version(after, cpu))


def values_of(comparison: Comparison) -> dict[str, Any]:
    """Plain JSON values; the churn as mean and quartiles."""
    return {
        "psi": {name: round(value, 5) for name, value in comparison.psi.items()},
        "figures": {name: [change.before, change.after] for name, change in comparison.figures.items()},
        "items_gone": comparison.items_gone,
        "items_come": comparison.items_come,
        "churn": _churn(comparison),
    }


def table_of_changes(comparison: Comparison) -> RenderableType:
    """For people."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    for name, change in comparison.figures.items():
        table.add_row(name, _number(change.before), _number(change.after))
    lines = [f"PSI {name}: {value:.3f}, {_words(value)}" for name, value in comparison.psi.items()]
    lines.append(f"trained items: {comparison.items_gone:,} gone, {comparison.items_come:,} come")
    if churn := _churn(comparison):
        quartiles = ", ".join(f"{churn[name]:.2f}" for name in ("quarter", "median", "three_quarters"))
        lines.append(f"ten nearest items, share that is new: {churn['mean']:.2f} (quartiles {quartiles})")
    return Group(table, Text("\n".join(lines)))


def _churn(comparison: Comparison) -> dict[str, float]:
    if not len(comparison.churn):
        return {}
    names = ("quarter", "median", "three_quarters")
    quartiles = np.quantile(comparison.churn, (0.25, 0.5, 0.75)).tolist()
    return {"mean": float(comparison.churn.mean()), **dict(zip(names, quartiles, strict=True))}


def _words(value: float) -> str:
    if value >= _CHANGED:
        return "changed"
    return "moved" if value >= _MOVED else "stable"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4f}"
