"""Users per second from score requests to encoded lists, beside the bare model in the same process.

Four ways through the same users, in turn, round by round, so that a noisy neighbour disturbs all of them alike:

    first      decode the requests, score, compose, encode the messages: what `riverrun score` does between two polls,
               for users it sees for the first time
    continued  the same for users it has seen before, one interaction ago: their encodings are continued
    bare       the full encoder and the search that the worker uses, fed with finished tensors; no filters, no words
    plain      the network as it was trained, in float32, one matrix product and torch.topk over the whole catalogue

`bare` and `plain` are spared what the worker must do to get its tensors: reading requests, sorting, padding. They
encode every user in full, as `first` does: those are compared like for like. `continued` can be faster than they are.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from msgspec import Struct, to_builtins

from app.settings import Settings
from app.surfaces.marks import Pairs
from app.surfaces.touches import History, touches_of
from model_server.bench.shop import CPU, BenchRecord, BenchShop, BenchVisit, open_shop, visitors
from model_server.lists import Edition, list_messages
from model_server.model.sequences import SequenceBatch, sequence_batch
from model_server.registry.find import find_version
from model_server.registry.load import load_version
from model_server.requests import Request, read_request

_USERS: Final = 2_048
_SIZE: Final = 20
_CHUNK: Final = 128
_WARM_UP: Final = 2
_RECALL_USERS: Final = 256
_RECALL_BLOCK: Final = 32
_PLAIN_SCORES: Final = 1 << 25  # users x items of one matrix: 128 MiB
_LEAST_ROUNDS: Final = 3
_HIDDEN: Final = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))  # nothing
_EDITION: Final = Edition("recommendations", "bench", "default")


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """What the person asked for; see `riverrun bench scoring --help`."""

    batches: tuple[int, ...]
    items: tuple[int, ...]
    seconds: float
    version: str | None
    models_dir: Path
    seed: int


class ScoringPoint(Struct, frozen=True):
    """One batch size on one catalogue; users/s are medians, ratios those of the medians.

    Attributes:
        items, batch: the point.
        users_per_s: of users seen for the first time.
        continued_users_per_s: of users seen before, as most of a shop's traffic is.
        bare_users_per_s, plain_users_per_s: the floors.
        ratio_bare, ratio_plain: users_per_s to those.
        continued_ratio_bare: continued_users_per_s to the bare model's.
        recall: what share of the plain network's first 20 the search finds too, before anything is hidden.
    """

    items: int
    batch: int
    users_per_s: float
    continued_users_per_s: float
    bare_users_per_s: float
    plain_users_per_s: float
    ratio_bare: float
    continued_ratio_bare: float
    ratio_plain: float
    recall: float


class ScoringBench(Struct, frozen=True):
    """One run. The headline is the largest batch on the smallest catalogue, where the machine is busiest with us."""

    users_per_s: float
    ratio_bare: float
    continued_ratio_bare: float
    ratio_plain: float
    points: tuple[ScoringPoint, ...]
    model_version: str
    half_precision: bool
    threads: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_scoring(request: ScoringRequest, settings: Settings, say: Callable[[str], None]) -> ScoringBench:
    """Measure every point.

    Raises:
        ModelVersionError: there is no usable model version.
    """
    torch.set_num_threads(settings.scoring.threads or torch.get_num_threads())
    version = find_version(request.models_dir, request.version, partial(load_version, device=CPU))
    points: list[ScoringPoint] = []
    half = False
    for items in sorted(request.items):
        started_s = time.perf_counter()
        shop = open_shop(version.model, items, request.seed)
        half = shop.encoder.half
        visits = visitors(shop, _USERS, request.seed)
        recall = _recall(shop, visits)
        say(f"{items:,} items made and indexed in {time.perf_counter() - started_s:.0f} s; recall@20 {recall:.4f}")
        gc.collect()
        gc.freeze()
        for batch in sorted(request.batches):
            points.append(_measure(shop, visits, batch, request.seconds, recall))
            say(f"batch {batch}: {points[-1].users_per_s:,.0f} users/s, {points[-1].ratio_bare} of the bare model")
        del shop, visits
        gc.unfreeze()
    head = max((each for each in points if each.items == points[0].items), key=lambda each: each.batch)
    return ScoringBench(
        users_per_s=head.users_per_s,
        ratio_bare=head.ratio_bare,
        continued_ratio_bare=head.continued_ratio_bare,
        ratio_plain=head.ratio_plain,
        points=tuple(points),
        model_version=version.name,
        half_precision=half,
        threads=torch.get_num_threads(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """The same users as visits and as finished tensors, in chunks of like length."""

    visits: Sequence[BenchVisit]
    chunks: list[SequenceBatch]


@torch.inference_mode()
def _measure(shop: BenchShop, visits: Sequence[BenchVisit], batch: int, seconds: float, recall: float) -> ScoringPoint:
    batches = [_batch(shop, visits[start : start + batch]) for start in range(0, len(visits) - batch + 1, batch)]
    ways = {"first": _now, "continued": _now, "bare": _bare, "plain": _plain}
    taken_s: dict[str, list[float]] = {name: [] for name in ways}
    ends_s = time.perf_counter() + seconds
    for number, one in enumerate(cycle(batches)):
        if number >= _WARM_UP + _LEAST_ROUNDS and time.perf_counter() >= ends_s:
            break
        for name, way in ways.items():
            shop.memory.clear()
            if name == "continued":
                _worker(shop, [visit.before for visit in one.visits])
            started_s = time.perf_counter()
            way(shop, one)
            if number >= _WARM_UP:
                taken_s[name].append(time.perf_counter() - started_s)
    first_s, continued_s, bare_s, plain_s = (statistics.median(taken_s[name]) for name in ways)
    return ScoringPoint(
        items=len(shop.ids),
        batch=batch,
        users_per_s=round(batch / first_s, 1),
        continued_users_per_s=round(batch / continued_s, 1),
        bare_users_per_s=round(batch / bare_s, 1),
        plain_users_per_s=round(batch / plain_s, 1),
        ratio_bare=round(bare_s / first_s, 3),
        continued_ratio_bare=round(bare_s / continued_s, 3),
        ratio_plain=round(plain_s / first_s, 3),
        recall=round(recall, 4),
    )


def _batch(shop: BenchShop, visits: Sequence[BenchVisit]) -> _Batch:
    config = shop.network.config
    histories = sorted(_histories(_requests([visit.now for visit in visits])), key=lambda history: len(history.kinds))
    parts = [histories[start : start + _CHUNK] for start in range(0, len(histories), _CHUNK)]
    chunks = [touches_of(part, shop.position) for part in parts]
    return _Batch(visits, [sequence_batch(chunk, config.kinds_seen, config.max_length) for chunk in chunks])


def _now(shop: BenchShop, batch: _Batch) -> None:
    _worker(shop, [visit.now for visit in batch.visits])


def _worker(shop: BenchShop, records: Sequence[BenchRecord]) -> None:
    requests = _requests(records)
    lists = shop.scorer.score([request.user_id for request in requests], _histories(requests)).lists
    list_messages(requests, lists, _EDITION, now_ms=0)


def _bare(shop: BenchShop, batch: _Batch) -> None:
    with shop.index.reading() as view:
        for chunk in batch.chunks:
            queries = shop.encoder.encode(chunk, view.vectors).users / shop.network.temperature()
            view.by_vector.best(queries, _HIDDEN, _SIZE)


def _plain(shop: BenchShop, batch: _Batch) -> None:
    with shop.index.reading() as view:
        at_once = max(1, _PLAIN_SCORES // len(view.vectors))
        for chunk in batch.chunks:
            users = shop.network.encode_users(chunk, view.vectors).users
            for start in range(0, len(users), at_once):
                shop.network.scores(users[start : start + at_once], view.vectors).topk(_SIZE)


@torch.inference_mode()
def _recall(shop: BenchShop, visits: Sequence[BenchVisit]) -> float:
    """What share of everybody's true first items the search finds, given the same users."""
    shares = []
    with shop.index.reading() as view:
        for start in range(0, min(_RECALL_USERS, len(visits)), _RECALL_BLOCK):
            for chunk in _batch(shop, visits[start : start + _RECALL_BLOCK]).chunks:
                users = shop.network.encode_users(chunk, view.vectors).users
                wanted = shop.network.scores(users, view.vectors).masked_fill_(view.hidden, float("-inf")).topk(_SIZE)
                found = view.by_vector.best(users, _HIDDEN, _SIZE)
                for true, own in zip(wanted.indices.tolist(), found.slots.tolist(), strict=True):
                    shares.append(len(set(true) & set(own)) / _SIZE)
    return statistics.fmean(shares)


def _requests(records: Sequence[BenchRecord]) -> list[Request]:
    return [request for request in map(read_request, records) if isinstance(request, Request)]


def _histories(requests: Sequence[Request]) -> list[History]:
    return [request.history for request in requests if request.history is not None]
