"""One run of `riverrun federate`: data, shops, the contest, a table and a line of JSON."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.data.source import DataSource, open_dataset
from app.errors import SettingsError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.federation.contest import ALONE, CENTRAL, FEDERATED, Contest, Outcome, same_for_all
from model_server.federation.shops import Shop, deal_out
from model_server.judging.bootstrap import Interval, bootstrap
from model_server.judging.metrics import case_metrics
from model_server.text.pretrained import open_text_encoder
from model_server.training.chosen import Choices, with_choices
from model_server.training.options import options_for
from model_server.training.run import item_texts

_SEED: Final = 0  # of the resamples


@dataclass(frozen=True, slots=True)
class FederationRequest:
    """What the person asked for; see `riverrun federate --help`."""

    source: DataSource
    shops: int
    rounds: int
    passes: int
    choices: Choices
    threads: int
    as_json: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One contender's means, and its differences to training in one place."""

    hr10: float
    ndcg10: float
    hr10_less_central: Interval
    ndcg10_less_central: Interval


def run_federation(request: FederationRequest, settings: Settings) -> dict[str, Result]:
    """Train and compare; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read, or not be dealt out.
        SettingsError: Flower is not installed.
    """
    started = time.perf_counter()
    if request.threads:
        torch.set_num_threads(request.threads)
    console, device = Console(stderr=True, highlight=False), resolve_device(settings.scoring.device)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    encoder = open_text_encoder(settings.cache_dir, device, console.print)
    log, catalog = dataset.interactions, dataset.catalog
    options = with_choices(options_for(log, catalog), request.choices)
    if options.epsilon is not None:
        raise SettingsError("Shops do not train privately.", hint="Leave epsilon out of --options.")
    shops = deal_out(log, request.shops, options.seed)
    texts = torch.from_numpy(item_texts(catalog, np.arange(len(catalog)), encoder, None)).to(device)
    terms = same_for_all(options, request.rounds, request.passes)
    with console.status("") as status:
        outcome = Contest(dataset, shops, texts, terms, status.update).run()
    results = _results(outcome)
    Console(highlight=False).print(_table(outcome, results, shops))
    if request.as_json:
        line = _json(request, outcome, results, shops)
        line |= {"data": dataset.name, "items": len(catalog), "seconds": round(time.perf_counter() - started, 1)}
        sys.stdout.write(json.dumps(line) + "\n")
    return results


def _results(outcome: Outcome) -> dict[str, Result]:
    columns = {name: _columns(ranks) for name, ranks in outcome.ranks.items()}
    people, found = np.arange(len(outcome.shop_of)), {}
    for name in (CENTRAL, FEDERATED, ALONE):
        means = columns[name].mean(axis=0)
        hr10, ndcg10 = bootstrap(people, columns[name] - columns[CENTRAL], _SEED)
        found[name] = Result(float(means[0]), float(means[1]), hr10, ndcg10)
    return found


def _columns(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, 2) HR@10 and NDCG@10 of each case."""
    metrics = case_metrics(ranks, np.ones(len(ranks), np.int64))
    return np.stack([metrics.hr10, metrics.ndcg10], axis=1)


def _table(outcome: Outcome, results: dict[str, Result], shops: list[Shop]) -> Table:
    people = ", ".join(f"{len(shop.users):,}" for shop in shops)
    table = Table(title=f"{len(shops)} shops of {people} people, {len(outcome.shop_of):,} cases (LOO)", title_style="")
    for head in ("trained", "HR@10", "NDCG@10", "less one place, HR@10 [95 %]", "NDCG@10 [95 %]"):
        table.add_column(head)
    for name, result in results.items():
        less = ("", "") if name == CENTRAL else (_said(result.hr10_less_central), _said(result.ndcg10_less_central))
        table.add_row(name, f"{result.hr10:.4f}", f"{result.ndcg10:.4f}", *less)
    return table


def _said(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _json(
    request: FederationRequest, outcome: Outcome, results: dict[str, Result], shops: list[Shop]
) -> dict[str, object]:
    return {
        "shops": {shop.name: len(shop.users) for shop in shops},
        "cases": len(outcome.shop_of),
        "rounds": request.rounds,
        "passes": request.passes,
        "best_round": outcome.best_round,
        "validation_ndcg10": [round(value, 5) for value in outcome.validation_ndcg10],
        "results": {
            name: {
                "hr10": result.hr10,
                "ndcg10": result.ndcg10,
                "hr10_less_central": [*_ends(result.hr10_less_central)],
                "ndcg10_less_central": [*_ends(result.ndcg10_less_central)],
            }
            for name, result in results.items()
        },
    }


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high
