"""What an evaluation found, as a record, as the JSON line and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from model_server.evaluation.bootstrap import Interval
from model_server.evaluation.questions import Parameter
from model_server.evaluation.results import RANKING, Slice

Json = Mapping[str, object]

# Name in the JSON line -> heading; the others are in the JSON line and on the page only.
COLUMNS = {
    "hr10": "HR@10",
    "recall10": "recall@10",
    "ndcg10": "NDCG@10",
    "mrr10": "MRR@10",
    "coverage10": "coverage",
    "novelty10": "novelty",
    "ild10": "distance",
    "gini10": "Gini",
    "calibration10": "calibration",
}


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


def table_of(report: Report) -> Table:
    """Every model with its means, the interval of the difference in NDCG@10, and what its fit took."""
    measures = [name for name in COLUMNS if any(name in model.values for model in report.results.values())]
    if all(model.values["hr10"] == model.values["recall10"] for model in report.results.values()):
        measures.remove("recall10")  # one relevant item in every case
    table = Table(title=report.title, caption=_caption(report))
    table.add_column("model")
    for name in measures:
        table.add_column(COLUMNS[name], justify="right")
    if report.against:
        table.add_column(f"NDCG@10 less {report.against}'s", justify="right")
    table.add_column("fit s", justify="right")
    table.add_column("fit MB", justify="right")
    for name, model in report.results.items():
        cells = [f"{model.values[measure]:.4f}" if measure in model.values else "" for measure in measures]
        compared = [signed(model.difference["ndcg10"]) if model.difference else ""] if report.against else []
        table.add_row(name, *cells, *compared, f"{model.fit_seconds:,.1f}", f"{model.fit_peak_mb:,.0f}")
    return table


def staleness_table(report: Report) -> Table | None:
    """HR@10 by how late the state is; None where that was not asked."""
    lags = list(next(iter(report.results.values())).late) if report.results else []
    if not lags:
        return None
    table = Table(title="HR@10 by how late the user's state is", caption="interval: 95%, bootstrap over users")
    table.add_column("state is late by")
    for name in report.results:
        table.add_column(name, justify="right")
    live = [model.intervals["hr10"] for model in report.results.values()]
    table.add_row("nothing", *(spread(each) for each in live))
    for lag in lags:
        table.add_row(lag, *(spread(model.late[lag]["hr10"]) for model in report.results.values()))
    return table


def noise_table(report: Report) -> Table | None:
    """What random events do to the lists; None where that was not asked."""
    noisy = {name: model.noisy for name, model in report.results.items() if model.noisy}
    if not noisy:
        return None
    table = Table(title=f"{report.noise} random events among the newest 10 of every history")
    for heading in ("model", "share of the list that stays", "HR@10 changes by", "NDCG@10 changes by"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, measured in noisy.items():
        table.add_row(name, spread(measured["kept10"]), signed(measured["hr10"]), signed(measured["ndcg10"]))
    return table


def spread(interval: Interval) -> str:
    """`.1234 [.1200, .1270]`."""
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def signed(interval: Interval) -> str:
    """The same of a difference."""
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _caption(report: Report) -> str:
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
    return line


def _intervals(intervals: Mapping[str, Interval]) -> Json:
    return {name: [round(each.low, 5), round(each.high, 5)] for name, each in intervals.items()}


def _differences(intervals: Mapping[str, Interval]) -> Json:
    """[mean, low, high] of each."""
    return {name: [round(value, 5) for value in (each.mean, each.low, each.high)] for name, each in intervals.items()}
