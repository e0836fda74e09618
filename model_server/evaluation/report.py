"""What an evaluation found, as a record, as the JSON line and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from rich.table import Table

from model_server.evaluation.results import RANKING, Group, Slice
from model_server.judging.bootstrap import Interval
from model_server.judging.questions import Parameter

Json = Mapping[str, object]

RIGHT: Final = {
    "hr10": "HR@10",
    "recall10": "recall@10",
    "ndcg10": "NDCG@10",
    "mrr10": "MRR@10",
    "uncapped_recall10": "uncapped",
}
"""Measures of how right the lists are, and their headings."""

LISTS: Final = {
    "coverage10": "coverage",
    "gini10": "Gini",
    "novelty10": "novelty",
    "ild10": "distance",
    "calibration10": "calibration",
}
"""Measures of what they are like apart from that."""

PREDICTIONS: Final = {
    **{
        f"{measure}_{what}": f"{title} {what}"
        for what in ("like", "click", "purchase")
        for measure, title in (("auc", "AUC"), ("log_loss", "log-loss"))
    },
    "mae": "MAE",
    "rmse": "RMSE",
}
"""Measures of predictions about an event whose item is known."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One recommender.

    Args:
        values: name of a measure -> its mean over the seeds.
        by_seed: the same of each seed.
        intervals: of the ranking metrics.
        difference: this one less the one that it is compared with; None for that one itself.
        fit_seconds: mean over the seeds, as are `fit_peak_mb` and `ask_seconds`.
        slices: NDCG@10 by the length of the history.
        popularity: share of all places by tenth of the catalog, the most popular one first.
        late: lag -> intervals of the ranking metrics with a state that late.
        noisy: `kept10`, the share of the list that a few random events leave, and what they cost; None: not asked.
        groups: name -> of the cases that the protocol tells apart.
    """

    values: Mapping[str, float]
    by_seed: Mapping[int, Mapping[str, float]]
    intervals: Mapping[str, Interval]
    difference: Mapping[str, Interval] | None
    fit_seconds: float
    fit_peak_mb: float
    ask_seconds: float
    slices: Sequence[Slice]
    popularity: Sequence[float]
    late: Mapping[str, Mapping[str, Interval]]
    noisy: Mapping[str, Interval] | None
    groups: Mapping[str, Group] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """One run of `riverrun evaluate`; `against` names the model that the differences are from."""

    protocol: str
    task: str | None
    data: str
    users: int
    items: int
    cases: int
    seconds: float
    seeds: Sequence[int]
    parameters: Mapping[str, Parameter]
    against: str | None
    noise: int
    results: Mapping[str, ModelReport]

    @property
    def title(self) -> str:
        """What was measured, in a line."""
        protocol = f"{self.protocol.upper()} {self.task}" if self.task else self.protocol.upper()
        seeds = f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"
        return f"{protocol}: {self.data}, {self.cases:,} cases, {self.items:,} items, {seeds}"


def json_of(report: Report) -> Json:
    """The line for machines; floats rounded to five places."""
    line: dict[str, object] = {
        "protocol": report.protocol,
        "data": report.data,
        "users": report.users,
        "items": report.items,
        "seconds": round(report.seconds, 1),
        "results": {name: _model_json(model) for name, model in report.results.items()},
        "cases": report.cases,
        "seeds": list(report.seeds),
        "parameters": dict(report.parameters),
        "against": report.against,
    }
    return line | ({"task": report.task} if report.task else {}) | ({"noise": report.noise} if report.noise else {})


def tables_of(report: Report) -> list[Table]:
    """Everything that people read: what was reached, against whom, what the lists are like, and what else was asked."""
    late = any(model.late for model in report.results.values())
    noisy = any(model.noisy for model in report.results.values())
    tables = [_main_table(report), _value_table(report, "What the lists are like", LISTS)]
    tables[1:1] = [_group_table(report, name) for name in next(iter(report.results.values())).groups]
    if report.against:
        tables.insert(1, _difference_table(report, report.against))
    if any(name in model.values for name in PREDICTIONS for model in report.results.values()):
        tables.append(_value_table(report, "Predictions about events whose item is known", PREDICTIONS))
    return [*tables, *([staleness_table(report)] if late else []), *([noise_table(report)] if noisy else [])]


def measured_in(report: Report, measures: Mapping[str, str]) -> list[str]:
    """Which of these measures any model has; recall is left out where it is the same as HR."""
    found = [name for name in measures if any(name in model.values for model in report.results.values())]
    if all(model.values["hr10"] == model.values["recall10"] for model in report.results.values()):
        found = [name for name in found if not name.endswith("recall10")]  # one relevant item in every case
    return found


def _main_table(report: Report) -> Table:
    # Of both recalls the capped one: with the other the figures are cut off in a terminal of 80 columns.
    shown = [name for name in measured_in(report, RIGHT) if name != "uncapped_recall10"]
    table = _table(report.title, [*(RIGHT[name] for name in shown), "fit s", "fit MB"])
    table.caption = caption(report)
    for name, model in report.results.items():
        cells = [f"{model.values[measure]:.4f}" for measure in shown]
        table.add_row(name, *cells, f"{model.fit_seconds:,.1f}", f"{model.fit_peak_mb:,.0f}")
    return table


def _difference_table(report: Report, against: str) -> Table:
    table = _table(f"Less {against}'s, with 95% intervals", ["HR@10", "NDCG@10"])
    for name, model in report.results.items():
        if model.difference:
            table.add_row(name, signed(model.difference["hr10"]), signed(model.difference["ndcg10"]))
    return table


def _group_table(report: Report, group: str) -> Table:
    table = None
    for name, model in report.results.items():
        found = model.groups[group]
        table = table or _table(f"{group}: {found.cases:,} cases", ["HR@10", "NDCG@10", "less HR@10", "less NDCG@10"])
        figures = [f"{found.intervals[measure].mean:.4f}" for measure in ("hr10", "ndcg10")]
        gaps = [signed(found.difference[measure]) for measure in ("hr10", "ndcg10")] if found.difference else ["", ""]
        table.add_row(name, *figures, *gaps)
    assert table is not None  # noqa: S101  # for the type: there is no report without a model
    return table


def _value_table(report: Report, title: str, measures: Mapping[str, str]) -> Table:
    there = measured_in(report, measures)
    table = _table(title, [measures[name] for name in there])
    for name, model in report.results.items():
        table.add_row(name, *(f"{model.values[measure]:.3f}" if measure in model.values else "" for measure in there))
    return table


def staleness_table(report: Report) -> Table:
    """HR@10 by how late the state is."""
    table = _table("HR@10 by how late the user's state is", list(report.results), first="late by")
    table.add_row("nothing", *(f"{model.values['hr10']:.4f}" for model in report.results.values()))
    for lag in next(iter(report.results.values())).late:
        table.add_row(lag, *(f"{model.late[lag]['hr10'].mean:.4f}" for model in report.results.values()))
    return table


def noise_table(report: Report) -> Table:
    """What random events do to the lists."""
    table = _table(
        f"{report.noise} random events among the newest 10 of every history", ["list kept", "HR@10", "change of HR@10"]
    )
    for name, model in report.results.items():
        if model.noisy:
            kept, noisy_hr = model.noisy["kept10"].mean, model.values["hr10"] + model.noisy["hr10"].mean
            table.add_row(name, f"{kept:.3f}", f"{noisy_hr:.4f}", signed(model.noisy["hr10"]))
    return table


def signed(interval: Interval) -> str:
    """A difference, `+.012 [+.009, +.015]`."""
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _table(title: str, headings: Sequence[str], first: str = "model") -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def caption(report: Report) -> str:
    """How it was measured, in a line."""
    hidden = "" if report.parameters.get("repeats", True) else ", what the user has had left out"
    return f"full ranking over the catalog{hidden}; intervals: 95%, paired bootstrap over users"


def _model_json(model: ModelReport) -> Json:
    line: dict[str, object] = {name: round(value, 5) for name, value in model.values.items()}
    line |= {
        "intervals": _intervals(model.intervals),
        "difference": None if model.difference is None else _differences(model.difference),
        "seeds": {str(seed): {key: round(values[key], 5) for key in RANKING} for seed, values in model.by_seed.items()},
        "fit_seconds": round(model.fit_seconds, 2),
        "fit_peak_mb": round(model.fit_peak_mb),
        "ask_seconds": round(model.ask_seconds, 2),
        "by_history": [{**asdict(each), "ndcg10": round(each.ndcg10, 5)} for each in model.slices],
        "places_by_popularity": [round(share, 5) for share in model.popularity],
    }
    if model.late:
        line["late"] = {lag: _differences(measured) for lag, measured in model.late.items()}
    if model.noisy:
        line["noisy"] = _differences(model.noisy)
    if model.groups:
        line["groups"] = {name: _group_json(group) for name, group in model.groups.items()}
    return line


def _group_json(group: Group) -> Json:
    """[mean, low, high] of each measure and of its difference."""
    return {
        "cases": group.cases,
        **_differences(group.intervals),
        "difference": None if group.difference is None else _differences(group.difference),
    }


def _intervals(intervals: Mapping[str, Interval]) -> Json:
    return {name: [round(each.low, 5), round(each.high, 5)] for name, each in intervals.items()}


def _differences(intervals: Mapping[str, Interval]) -> Json:
    """[mean, low, high] of each."""
    return {name: [round(value, 5) for value in (each.mean, each.low, each.high)] for name, each in intervals.items()}
