"""The recorded figures as one picture, legible on a light and on a dark page."""

from pathlib import Path
from typing import Any, Final

from app.bench.recorded import Recorded, read_recorded
from app.bench.tables import contestant
from app.errors import RiverrunError
from app.files import sha256_of

_INK: Final = "#7b8189"  # stands out from white as much as from GitHub's dark page: 4 to 1
_OURS: Final = "#2f81f7"
_OTHERS: Final = "#9a7bd0"
_MARKS: Final = (("p50", "o"), ("p95", "s"), ("p99", "^"))


def draw(recorded: Path, output: Path) -> None:
    """Draw throughput and freshness; the file says of which record it is (`digest_of`).

    Raises:
        RiverrunError: nothing is recorded.
    """
    figures = read_recorded(recorded)
    if not {"ingest", "freshness"} <= figures.benches.keys():
        raise RiverrunError(f"{recorded} lacks ingest or freshness.", hint="riverrun bench record")
    import matplotlib as mpl  # noqa: PLC0415  # slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "riverrun", "font.family": "sans-serif", "font.size": 9}
    coloured = ("text.color", "xtick.color", "ytick.color", "axes.labelcolor", "axes.edgecolor")
    with mpl.rc_context(style | dict.fromkeys(coloured, _INK)):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _throughput(left, figures)
        _freshness(right, figures)
        metadata = {"Date": None, "Title": "riverrun: benchmarks", "Description": f"record {sha256_of(recorded)}"}
        output.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(output, format="svg", transparent=True, metadata=metadata)


def digest_of(picture: str) -> str:
    """The SHA-256 of the record that a picture was drawn from; empty where it says none."""
    return picture.partition("<dc:description>record ")[2].partition("<")[0]


def _throughput(axes: Any, recorded: Recorded) -> None:
    """A bar per contestant, the fastest on top."""
    full = recorded.benches["ingest"].full
    rates = sorted((full[f"{name}_events_per_s"], name) for name in full["rounds"])
    titles = [contestant(name, full) for _, name in rates]
    colours = [_OURS if name.startswith("riverrun") else _OTHERS for _, name in rates]
    bars = axes.barh(titles, [rate for rate, _ in rates], color=colours, height=0.62)
    axes.bar_label(bars, [f"{rate:,.0f}" for rate, _ in rates], padding=4)
    axes.set_title("Stateful events a second", fontsize=10)
    axes.set_xticks([])
    axes.margins(x=0.22)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(length=0)


def _freshness(axes: Any, recorded: Recorded) -> None:
    """A line from p50 to p99 per rate, riverrun's beside the echo's."""
    full = recorded.benches["freshness"].full
    rates = full["rates"]
    for shift, prefix, colour, title in ((-0.12, "", _OURS, "riverrun"), (0.12, "floor_", _OTHERS, "bare echo")):
        for place, rate in enumerate(rates):
            at, values = place + shift, [rate[f"{prefix}{share}_ms"] for share, _ in _MARKS]
            axes.plot([at, at], [values[0], values[-1]], color=colour, linewidth=2)
            for (share, mark), value in zip(_MARKS, values, strict=True):
                label = f"{title}, {share}" if place == 0 else None
                axes.plot([at], [value], mark, color=colour, markersize=5, label=label)
            axes.annotate(f"{values[0]:.0f}", (at, values[0]), (0, -11), textcoords="offset points", ha="center")
    axes.set_yscale("log")
    axes.set_ylim(1, 10 * max(rate["p99_ms"] for rate in rates))  # room for the legend
    axes.set_yticks([1, 10, 100, 1_000], ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    labels = [f"{rate['events_per_s']:,.0f}" for rate in rates]
    if full["saturation_events_per_s"]:
        labels[-1] += f"\n{full['saturation_share']:.0%} of saturation"
    axes.set_xticks(range(len(rates)), labels)
    axes.set_title("Event to list, ms, by events a second", fontsize=10)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
