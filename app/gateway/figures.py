"""How the pipeline is doing, from the metrics of its processes: what the page's small plots show. Pure."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

AGENTS: Final = "agents"
MODEL_SERVER: Final = "model_server"
_WINDOW_S: Final = 10.0
_SHORTEST_S: Final = 0.001
_MS_PER_S: Final = 1_000

_EVENTS: Final = "riverrun_events_read_total"
_DEAD_LETTERS: Final = "riverrun_dead_letters_total"
_LAG_EVENTS: Final = "riverrun_lag_events"
_BATCH_EVENTS: Final = "riverrun_batch_events"
_USERS_SCORED: Final = "riverrun_users_scored_total"
_LAG_REQUESTS: Final = "riverrun_score_requests_lag"
_BATCH_USERS: Final = "riverrun_score_batch_users"
_FALLBACK: Final = "riverrun_fallback_users_total"
_FRESHNESS: Final = "riverrun_event_to_recommendation_seconds"
_MODEL: Final = "riverrun_model_info"
_READ: Final = {
    _EVENTS, _DEAD_LETTERS, _LAG_EVENTS, f"{_BATCH_EVENTS}_sum", f"{_BATCH_EVENTS}_count", _USERS_SCORED, _LAG_REQUESTS,
    f"{_BATCH_USERS}_sum", f"{_BATCH_USERS}_count", _FALLBACK, f"{_FRESHNESS}_bucket",
}  # fmt: skip


class Percentiles(Struct, frozen=True):
    """Of the last ten seconds, in ms."""

    p50: float
    p95: float


class Figures(Struct, frozen=True, kw_only=True):
    """The contract of `/v1/pipeline`."""

    ts_ms: int = field(name="ts")
    events_per_s: float
    lag_events: int
    lag_requests: int
    batch_events_mean: float | None
    batch_users_mean: float | None
    freshness_ms: Percentiles | None
    lists_per_s: float
    streams_open: int
    dead_letters_total: int
    fallback_share: float | None
    model_version: str | None
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """What is read from one `/metrics` page: samples summed over labels, buckets by their bound.

    Attributes:
        process: whose it is.
        samples: by name; a bucket's name carries its bound. What is no number is left out.
        model_version: of a model server.
    """

    process: str
    samples: Mapping[str, float]
    model_version: str | None


def read_page(text: str) -> Page:
    """Read a page.

    Raises:
        ValueError, LookupError: it is none of riverrun's.
    """
    samples: defaultdict[str, float] = defaultdict(float)
    model_version = None
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in _READ and isfinite(sample.value):
                bound = sample.labels.get("le")
                samples[sample.name if bound is None else _bucket(float(bound))] += sample.value
            elif sample.name == _MODEL:
                model_version = sample.labels["version"]
    return Page(AGENTS if _EVENTS in samples else MODEL_SERVER, dict(samples), model_version)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A page, and when it was read (monotonic)."""

    page: Page
    at_s: float


@dataclass(frozen=True, slots=True)
class _Moment:
    """Sums since the history began, and how much a second they grew just now."""

    at_s: float
    sums: Mapping[str, float]
    rates: Mapping[str, float]


class History:
    """The pages of the last seconds, as sums that never fall: a process that starts again starts at nothing."""

    def __init__(self) -> None:
        self._last: dict[str, _Seen] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._moments: deque[_Moment] = deque()

    def add(self, pages: Mapping[str, Page], now_s: float) -> None:
        """Take in the pages of one moment.

        Args:
            pages: by address, one process at each; those that did not answer are missing.
            now_s: monotonic.
        """
        rates: defaultdict[str, float] = defaultdict(float)
        for address, page in pages.items():
            before = self._last.get(address)
            if before is not None:
                # Not since the moment before: what did not answer for a while has grown all that time.
                seconds = max(now_s - before.at_s, _SHORTEST_S)
                for name, growth in _growth(before.page, page):
                    self._sums[name] += growth
                    rates[name] += growth / seconds
            self._last[address] = _Seen(page, now_s)
        self._moments.append(_Moment(now_s, dict(self._sums), rates))
        while len(self._moments) > 2 and now_s - self._moments[1].at_s >= _WINDOW_S:  # noqa: PLR2004  # a span has two ends
            self._moments.popleft()

    @property
    def complete(self) -> bool:
        """Whether there are two moments, so that rates can be told."""
        return len(self._moments) > 1

    def figures(self, pages: Mapping[str, Page], streams_open: int, now_ms: int) -> Figures:
        """The figures now.

        Args:
            pages: as given to `add` last.
            streams_open: the gateway's own.
            now_ms: ms since 1970.
        """
        last = self._moments[-1]
        window = _grown(self._moments[0], last)
        scored = window[_USERS_SCORED]
        newest = [page.model_version for page in pages.values() if page.model_version]
        return Figures(
            ts_ms=now_ms,
            events_per_s=round(last.rates.get(_EVENTS, 0.0), 1),
            lag_events=int(_now(pages, _LAG_EVENTS)),
            lag_requests=int(_now(pages, _LAG_REQUESTS)),
            batch_events_mean=_mean(window, _BATCH_EVENTS),
            batch_users_mean=_mean(window, _BATCH_USERS),
            freshness_ms=_percentiles(window),
            lists_per_s=round(last.rates.get(_USERS_SCORED, 0.0), 1),
            streams_open=streams_open,
            dead_letters_total=int(_now(pages, _DEAD_LETTERS)),
            fallback_share=round(window[_FALLBACK] / scored, 4) if scored else None,
            model_version=newest[0] if newest else None,
            sources={name: _state(pages.values(), name) for name in (AGENTS, MODEL_SERVER)},
        )


def percentile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """A percentile from a histogram, within a bucket by its place in it.

    Args:
        buckets: upper bounds, ascending, with how many lie at or below each.
        share: for example 0.95.

    Returns:
        None where nothing was counted. What lies above the last finite bound counts as that bound.
    """
    wanted = share * buckets[-1][1] if buckets else 0.0
    if not wanted:
        return None
    for (low, below), (high, within) in pairwise([(0.0, 0.0), *buckets]):
        if within >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (within - below)
    return None


def _growth(before: Page, now: Page) -> Iterator[tuple[str, float]]:
    """How much each sample has grown; a lower one is that of a process which started again."""
    for name, value in now.samples.items():
        then = before.samples.get(name, 0.0)
        yield name, value - then if value >= then else value


def _grown(first: _Moment, last: _Moment) -> Mapping[str, float]:
    grown = {name: value - first.sums.get(name, 0.0) for name, value in last.sums.items()}
    return defaultdict(float, grown)


def _percentiles(window: Mapping[str, float]) -> Percentiles | None:
    prefix = f"{_FRESHNESS}_bucket "
    buckets = sorted((float(name[len(prefix) :]), count) for name, count in window.items() if name.startswith(prefix))
    p50, p95 = percentile(buckets, 0.50), percentile(buckets, 0.95)
    if p50 is None or p95 is None:
        return None
    return Percentiles(round(p50 * _MS_PER_S, 1), round(p95 * _MS_PER_S, 1))


def _bucket(bound: float) -> str:
    return f"{_FRESHNESS}_bucket {bound}"


def _mean(window: Mapping[str, float], name: str) -> float | None:
    count = window[f"{name}_count"]
    return round(window[f"{name}_sum"] / count, 1) if count else None


def _now(pages: Mapping[str, Page], name: str) -> float:
    return sum(page.samples.get(name, 0.0) for page in pages.values())


def _state(pages: Iterable[Page], process: str) -> str:
    return "ok" if any(page.process == process for page in pages) else "away"
