"""Pictures of an evaluation, legible on a light and on a dark page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from model_server.evaluation.contestants import OWN
from model_server.evaluation.report import ModelReport, Report
from model_server.judging.bootstrap import Interval

INK: Final = "#7b8189"  # stands out from white as much as from a dark page: 4 to 1
_OURS: Final = "#2f81f7"
_OTHERS: Final = ("#9a7bd0", "#c77d3a", "#3f9c6e", "#c2567a", "#5b8f9e", "#8a8f3c")
_WIDTH: Final = 9.0
_MOST_LINES: Final = 6
_LEGEND: Final[Mapping[str, Any]] = {"frameon": False, "fontsize": 8, "ncols": _MOST_LINES}

Figures = Mapping[str, Any]
"""Name of a picture -> matplotlib's figure."""


@contextmanager
def style() -> Iterator[None]:
    """How all pictures look; drawing and saving happen inside it."""
    import matplotlib as mpl  # noqa: PLC0415  # slow to import

    plain: Any = {"svg.fonttype": "none", "svg.hashsalt": "riverrun", "font.family": "sans-serif", "font.size": 9}
    coloured = ("text.color", "xtick.color", "ytick.color", "axes.labelcolor", "axes.edgecolor")
    with mpl.rc_context(plain | dict.fromkeys(coloured, INK)):
        yield


def figures_of(report: Report) -> Figures:
    """The pictures that this report has something for; to be called inside `style`."""
    drawn = {"quality": _quality(report), "history": _history(report), "popularity": _popularity(report)}
    if any(model.late for model in report.results.values()):
        drawn["staleness"] = staleness(report)
    return drawn


def staleness(report: Report) -> Any:
    """HR@10 by how late the state is: by events or visits on the left, by time on the right."""
    names = list(next(iter(report.results.values())).late)
    counted = [name for name in names if name.endswith(("event", "events", "visit", "visits"))]
    figure = _figure(3.2)
    axes = figure.subplots(1, 2, sharey=True)
    for side, lags in zip(axes, (counted, [name for name in names if name not in counted]), strict=True):
        for (name, model), colour in zip(_some(report), _colours(report), strict=False):
            late = [model.intervals["hr10"], *(model.late[lag]["hr10"] for lag in lags)]
            side.plot(range(len(late)), [each.mean for each in late], "o-", color=colour, markersize=4, label=name)
            low, high = [each.low for each in late], [each.high for each in late]
            side.fill_between(range(len(late)), low, high, color=colour, alpha=0.15, linewidth=0)
        side.set_xticks(range(len(lags) + 1), ["live", *lags])
        side.set_xlabel("the state is late by")
        side.set_ylim(bottom=0)
        side.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("HR@10")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", **_LEGEND)
    return figure


def _quality(report: Report) -> Any:
    """A bar per model with its interval: HR@10 and NDCG@10."""
    figure = _figure(0.9 + 0.34 * len(report.results))
    for axes, (measure, title) in zip(
        figure.subplots(1, 2, sharey=True), (("hr10", "HR@10"), ("ndcg10", "NDCG@10")), strict=True
    ):
        ranked = sorted(report.results.items(), key=lambda each: each[1].values["ndcg10"])
        for place, (name, model) in enumerate(ranked):
            interval = model.intervals[measure]
            axes.barh(place, interval.mean, color=_colour(name), height=0.62)
            axes.errorbar(interval.mean, place, xerr=_errors(interval), color=INK, capsize=3, linewidth=1.2)
            axes.annotate(
                f"{interval.mean:.3f}", (interval.high, place), (5, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(ranked)), [name for name, _ in ranked])
        axes.set_title(title, fontsize=10)
        axes.set_xlim(left=0)
        axes.margins(x=0.16)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def _history(report: Report) -> Any:
    """NDCG@10 by how long the history is."""
    figure = _figure(3.0)
    axes = figure.subplots()
    longest = max((model.slices for model in report.results.values()), key=len)
    for (name, model), colour in zip(_some(report), _colours(report), strict=False):
        axes.plot([each.ndcg10 for each in model.slices], "o-", color=colour, markersize=4, label=name)
    labels = [
        (f"{each.shortest}" if each.shortest == each.longest else f"{each.shortest}-{each.longest}")
        if each.longest is not None
        else f"{each.shortest}+"
        for each in longest
    ]
    counts = [f"{label}\n{each.cases:,}" for label, each in zip(labels, longest, strict=True)]
    axes.set_xticks(range(len(counts)), counts)
    axes.set_xlabel("events of the user before, and how many cases")
    axes.set_ylabel("NDCG@10")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", **_LEGEND)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _popularity(report: Report) -> Any:
    """Which tenth of the catalog, by popularity in training, the recommended items are of."""
    figure = _figure(3.0)
    axes = figure.subplots()
    for (name, model), colour in zip(_some(report), _colours(report), strict=False):
        axes.plot(range(1, 11), model.popularity, "o-", color=colour, markersize=4, label=name)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
    axes.set_xticks(range(1, 11), ["most\npopular", *map(str, range(2, 10)), "least"])
    axes.set_xlabel("tenth of the catalog, by popularity in training")
    axes.set_ylabel("share of all places")
    figure.legend(loc="outside upper left", **_LEGEND)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _figure(height: float) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415  # slow to import

    return Figure(figsize=(_WIDTH, height), layout="constrained")


def _some(report: Report) -> list[tuple[str, ModelReport]]:
    """As many models as lines can be told apart, the best first."""
    ranked = sorted(report.results.items(), key=lambda each: -each[1].values["ndcg10"])
    return ranked[:_MOST_LINES]


def _colours(report: Report) -> list[str]:
    """One per line of `_some`: riverrun's own stands out, no two are alike."""
    others = iter(_OTHERS)
    ours = iter((_OURS, "#79b0ff"))
    return [next(ours if name in OWN else others, INK) for name, _ in _some(report)]


def _colour(name: str) -> str:
    return _OURS if name.partition("@")[0] in OWN else _OTHERS[0]


def _errors(interval: Interval) -> list[list[float]]:
    return [[interval.mean - interval.low], [interval.high - interval.mean]]
