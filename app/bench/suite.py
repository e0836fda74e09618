"""The benches of `riverrun bench`, in full and in short, and the ratios in them that a regression would show.

Only ratios are held against earlier ones: floor and peer are measured in the same run, so a slower machine slows both.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from app.errors import ProcessFailed
from app.processes.python import riverrun

_TIMEOUT_S: Final = 3_600.0

Figures = Mapping[str, Any]
"""What a bench prints with `--json`."""

RunBench = Callable[[str, Sequence[str]], Figures]
"""Runs a bench, by name and options."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One ratio of a bench.

    Attributes:
        name: unique among all benches.
        read: finds it among the figures; None where the peer could not run.
        higher_is_better: as for speed; not for waiting times and costs.
    """

    name: str
    read: Callable[[Figures], float | None]
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench: its options in full (figures to publish) and in short (ratios to compare), and its ratios."""

    name: str
    full: tuple[str, ...]
    short: tuple[str, ...]
    ratios: tuple[Ratio, ...]

    def ratios_in(self, figures: Figures) -> dict[str, float]:
        """The ratios that there are."""
        found = {ratio.name: ratio.read(figures) for ratio in self.ratios}
        return {name: value for name, value in found.items() if value is not None}


def benches() -> tuple[Bench, ...]:
    """All of them. The short forms take about eight minutes together on two cores."""
    peers = ("quix", "kafka_streams", "faust_per_event")
    rates, batches = (10, 100, 1_000), (1, 32, 512)
    return (
        Bench(
            "ingest",
            (),
            ("--events", "200000", "--users", "50000", "--rounds", "3"),
            tuple(_keyed("ingest", f"ratio_{peer}{workers}") for peer in peers for workers in ("", "_one_process")),
        ),
        Bench(
            "freshness",
            (),
            ("--rates", ",".join(map(str, rates)), "--seconds", "3", "--rounds", "3", "--saturation-share", "0"),
            tuple(
                Ratio(f"freshness.ratio_p50@{rate}", partial(_at, "rates", "events_per_s", rate, "ratio_p50"), False)
                for rate in rates
            ),
        ),
        Bench(
            "scoring",
            (),
            ("--items", "1682", "--batches", ",".join(map(str, batches)), "--seconds", "5"),
            tuple(
                Ratio(f"scoring.{key}@{batch}", partial(_at, "points", "batch", batch, key))
                for key in ("ratio_bare", "continued_ratio_bare")
                for batch in batches
            ),
        ),
        Bench("recovery", (), ("--users", "200000", "--rounds", "3"), (_keyed("recovery", "ratio_floor"),)),
        Bench(
            "scale",
            (),
            ("--workers", "1", "--users", "10000,300000", "--events", "100000", "--rounds", "3"),
            (_keyed("scale", "cost_most_to_fewest_users", higher_is_better=False),),
        ),
        Bench(
            "gateway",
            (),
            ("--seconds", "5", "--rounds", "2", "--idle-streams", "0"),
            (_keyed("gateway", "ratio_p50", higher_is_better=False),),
        ),
    )


def run_bench(name: str, options: Sequence[str]) -> Figures:
    """Run one in a process of its own; its progress goes to stderr.

    Raises:
        ProcessFailed: it failed.
    """
    ran = subprocess.run(  # noqa: S603  # our own command
        riverrun("bench", name, *options, "--json"),
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if ran.returncode:
        raise ProcessFailed(
            f"`riverrun bench {name}` failed (exit code {ran.returncode}).", hint="Its own message stands above."
        )
    figures: Figures = json.loads(ran.stdout.splitlines()[-1])
    return figures


def _keyed(bench: str, key: str, *, higher_is_better: bool = True) -> Ratio:
    return Ratio(f"{bench}.{key}", lambda figures: figures[key], higher_is_better)


def _at(points: str, key: str, place: float, wanted: str, figures: Figures) -> float | None:
    """A figure of the point whose `key` is `place`."""
    found: dict[float, float] = {point[key]: point[wanted] for point in figures[points]}
    return found[place]
