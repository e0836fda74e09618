"""Everything in memory that belongs to one version, put together. Takes seconds: in a thread, not on the event loop."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from app.errors import ModelVersionError
from app.interests.intake import IntakeLimits
from app.interests.state import Interaction, Kind, StateCause, UserState
from app.observability import Metrics
from app.surfaces.surface import load_surfaces
from app.surfaces.touches import history_of
from model_server.counts.live import LiveCoVisitation
from model_server.drift.live import LiveDrift
from model_server.hybrid.again import ServedRanker
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.installation import Installation
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.lists import Edition
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.popularity.follower import Counting
from model_server.popularity.live import LivePopularity
from model_server.popularity.told import Counter
from model_server.ranking.counter import LiveRanking
from model_server.ranking.live import LiveTables
from model_server.registry.version import ModelVersion, trained_items
from model_server.scoring.scorer import Scorer
from model_server.swap.guardrails import Rails
from model_server.swap.tally import Tally
from model_server.swap.watched import Watched
from model_server.worker import Scoring

_VARIANT = "default"
_WARM_UP_USERS: Final = (1, 8, 16)  # one, few, and so many that the precision may be another one


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """One version, ready to be told of items and events.

    Args:
        version: which.
        index: the items there are.
        counting: what is counted live.
        scorer: makes lists.
        scoring: the same, watched, as the worker takes it.
        tally: what became of its lists.
        live: what its ranker is told live; None where it has none.
    """

    version: ModelVersion
    index: ItemIndex
    counting: Counting
    scorer: Scorer
    scoring: Scoring
    tally: Tally
    live: LiveTables | None


def assemble(version: ModelVersion, installation: Installation, metrics: Metrics, redoing: Executor) -> Assembly:
    """Put it together; it counts in `metrics`, and the ranker's tables are redone in the thread `redoing`."""
    settings, model, device = installation.settings, version.model, installation.device
    rows = ItemRows(model.item_ids)
    index = ItemIndex(model.network, trained_items(model), device, rows=rows)
    half_life_days = settings.scoring.popularity_half_life_days
    popularity = LivePopularity(model.popularity, half_life_days, index)
    covisitation = LiveCoVisitation(model.hybrid.covisitation, model.hybrid.options, rows)
    limits = IntakeLimits(settings.agents.max_event_bytes, settings.agents.max_future_s * 1_000)
    surfaces = load_surfaces(settings.scoring.surfaces_file)
    memory = EncodingMemory(settings.scoring.remembered_users, model.network.config.memory_width, device)
    encoder = ContinuedEncoder(installation.precisions.fastest(model.network), memory, device)
    first = surfaces.surfaces[0].name
    drift = LiveDrift(metrics, version.name, model.reference, model.popularity.weights, first)
    counters: list[Counter] = [popularity, covisitation, drift]
    live = ranker = None
    if model.ranker is not None:
        live = LiveTables(model.ranker, index.promoted)
        ranker = ServedRanker(model.ranker.ranker, live, _clock_ms)
        counters.append(LiveRanking(live, settings.scoring.ranking_every_s, redoing, _clock_ms))
    served = ServedModel(model.network, encoder, hybrid_of(model.hybrid, covisitation), ranker)
    scorer = Scorer(served, index, surfaces, lambda: popularity.ranking, device)
    rails = rails_of(installation)
    tally = Tally(rails.watch_s, time.monotonic)
    soon_ms = int(rails.soon_s * 1_000)
    watched = Watched(
        drift.watch(scorer.score), first, tally=tally, soon_ms=soon_ms, version=version.name, metrics=metrics
    )
    edition = Edition(installation.topics.recommendations.name, version.name, _VARIANT)
    return Assembly(
        version=version,
        index=index,
        counting=Counting(counters, limits, half_life_days),
        scorer=scorer,
        scoring=Scoring(watched, edition),
        tally=tally,
        live=live,
    )


def rails_of(installation: Installation) -> Rails:
    """The guardrails, as the settings want them."""
    scoring = installation.settings.scoring
    return Rails(scoring.guard_s, scoring.guard_fallback_rise, scoring.guard_empty_rise, scoring.guard_hit_loss)


def warm_up(assembly: Assembly) -> None:
    """Let torch allocate and choose its kernels before the first shopper waits for it, and look at what comes out.

    Raises:
        ModelVersionError: no lists come out.
    """
    item_ids: Sequence[str] = assembly.version.model.item_ids[:50]
    history = [Interaction(item_id, Kind.VIEW, place) for place, item_id in enumerate(item_ids)]
    for users in _WARM_UP_USERS:
        # Strangers, then the same users again with one interaction more.
        for seen in (49, 50):
            state = UserState.of(0, StateCause("", "", 0, 0), history[:seen])
            scored = assembly.scorer.score([f"\0{number}" for number in range(users)], [history_of(state)] * users)
    places = [place for lists in scored.lists for each in lists.values() for place in each]
    if not places and assembly.index.counts().sellable > len(item_ids):
        raise ModelVersionError(f"{assembly.version.folder} makes empty lists.", hint="Train again.")


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
