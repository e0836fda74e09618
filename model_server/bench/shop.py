"""What `riverrun bench scoring` measures on: an index of a near-real catalogue, and users who walk through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
import torch
from msgspec import structs

from app.interests.popularity import PopularItem
from app.interests.state import Interaction, Kind, OlderItem, StateCause, UserState, encode_state
from app.surfaces.surface import load_surfaces
from model_server.bench.catalog import near_real
from model_server.counts.covisitation import CountedPairs
from model_server.counts.live import LiveCoVisitation
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.hybrid.blend import BlendWeights
from model_server.hybrid.counting import options_for
from model_server.hybrid.parts import HybridParts
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.items.view import Listing, TrainedItems
from model_server.model.continued import ContinuedEncoder
from model_server.model.members import Network, each_of, together
from model_server.model.memory import EncodingMemory
from model_server.model.network import SequenceNetwork
from model_server.model.serving import UserEncoder, fastest_encoder
from model_server.registry.version import TrainedModel
from model_server.scoring.scorer import Scorer

CPU: Final = torch.device("cpu")
_NEW_SHARE: Final = 0.01  # items that the model was not trained on
_RANKED: Final = 3_000
_REMEMBERED: Final = 10_000
_FULL: Final = (50, 64)  # interactions of a state that has been full once
_OLDER: Final = 100
_FULL_SHARE: Final = 1 / 3  # of the users; the others have anything up to a full window
_STAYS: Final = 0.7  # how often the next item is near the one before
_NEAR: Final = 20
_SHELF: Final = 5_000  # items that anybody touches
_NEIGHBOURS: Final = 100
_DENSE_ITEMS: Final = 200_000
_NOW_MS: Final = 1_790_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class BenchShop:
    """A scorer over a catalogue; `ids` are its item ids, `position` their slots."""

    network: Network
    encoder: UserEncoder
    memory: EncodingMemory
    index: ItemIndex
    scorer: Scorer
    ids: Sequence[str]
    position: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BenchRecord:
    """A record of `score-requests`."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class BenchVisit:
    """Two score requests of one user: before the newest interaction, and with it."""

    before: BenchRecord
    now: BenchRecord


@torch.inference_mode()
def open_shop(model: TrainedModel, items: int, seed: int) -> BenchShop:
    """A shop of that many items, one in a hundred of them new to the model."""
    made = near_real(model.network, torch.from_numpy(model.texts), items, seed)
    ids = [f"item-{number}" for number in range(items)]
    network = _widened(model.network, made.ids)
    trained = int(items * (1 - _NEW_SHARE))
    texts = made.texts.numpy()
    rows = {item_id: row for row, item_id in enumerate(ids[:trained])}
    item_rows = ItemRows(ids[:trained])
    index = ItemIndex(network, TrainedItems(rows, texts[:trained], {}), CPU, rows=item_rows)
    for start in range(0, items, 50_000):
        part = slice(start, min(start + 50_000, items))
        index.put([Listing(item_id, f"The title of {item_id}") for item_id in ids[part]], texts[part])
    popular = Random(seed).sample(ids, min(_RANKED, items))  # noqa: S311 - a seeded benchmark
    ranking = [PopularItem(item_id, float(_RANKED - place)) for place, item_id in enumerate(popular)]
    encoder = fastest_encoder(network, CPU)
    memory = EncodingMemory(_REMEMBERED, network.config.memory_width, CPU)
    parts = _counted(trained, seed)
    hybrid = hybrid_of(parts, LiveCoVisitation(parts.covisitation, parts.options, item_rows))
    served = ServedModel(network, ContinuedEncoder(encoder, memory, CPU), hybrid)
    scorer = Scorer(served, index, load_surfaces(), lambda: ranking, CPU)
    with index.reading() as view:
        position = dict(view.position)
    return BenchShop(network, encoder, memory, index, scorer, ids, position)


def _counted(items: int, seed: int) -> HybridParts:
    """Counts as full as they can be, all of them blended in: the dearest case."""
    options = options_for(items)
    return HybridParts(
        covisitation=CountedPairs(_full_table(items, options.neighbours, seed), np.ones(items), _NOW_MS),
        options=options,
        neighbours=_full_table(items, _NEIGHBOURS if items <= _DENSE_ITEMS else options.neighbours, seed + 1),
        reading=Reading(recency=0.8, length=20),
        weights=BlendWeights(covisitation=0.4, neighbours=0.3),
    )


def _full_table(items: int, neighbours: int, seed: int) -> NeighbourTable:
    """Any neighbours, each of any weight."""
    rng = np.random.default_rng(seed)
    return NeighbourTable(
        starts=np.arange(items + 1, dtype=np.int64) * neighbours,
        neighbours=rng.integers(0, items, items * neighbours, dtype=np.int32),
        weights=rng.random(items * neighbours, dtype=np.float32),
    )


def _widened(network: Network, item_ids: torch.Tensor) -> Network:
    """The same weights with another table of item ids, of several members one beside the other."""
    networks = each_of(network)
    wide = [SequenceNetwork(structs.replace(each.config, items=len(item_ids))) for each in networks]
    for own, each, table in zip(wide, networks, item_ids.chunk(len(networks), dim=1), strict=True):
        own.load_state_dict(each.state_dict() | {"item_ids.weight": table})
    return together(wide).eval()


def visitors(shop: BenchShop, count: int, seed: int) -> list[BenchVisit]:
    """Visits of that many users: each walks from item to item near it, and now and then somewhere else."""
    rng = Random(seed)  # noqa: S311 - a seeded benchmark
    with shop.index.reading() as view:
        vectors = view.vectors
    shelf = rng.sample(shop.ids, min(_SHELF, len(shop.ids)))
    chosen = vectors[[shop.position[item_id] for item_id in shelf]]
    near = (chosen @ chosen.T).topk(min(_NEAR, len(shelf)), dim=1).indices.tolist()
    return [_visit(rng, shelf, near, number) for number in range(count)]


def _visit(rng: Random, shelf: Sequence[str], near: Sequence[Sequence[int]], number: int) -> BenchVisit:
    full = rng.random() < _FULL_SHARE
    place = rng.randrange(len(shelf))
    interactions = []
    for step in range(rng.randint(*_FULL) if full else rng.randrange(1, _FULL[0] + 1)):
        place = rng.choice(near[place]) if rng.random() < _STAYS else rng.randrange(len(shelf))
        stars = float(rng.randrange(1, 6))
        interactions.append(Interaction(shelf[place], Kind.RATE, _NOW_MS + 60_000 * step, stars))
    older = rng.sample(shelf, min(_OLDER, len(shelf))) if full else []
    age = {item_id: OlderItem(1 << Kind.RATE, 1, 1, 1, 1.0, _NOW_MS, _NOW_MS) for item_id in older}
    cause, recent = StateCause(f"event-{number}", "rate", _NOW_MS, _NOW_MS), rng.randbytes(256)
    states = [
        UserState.of(number, cause, until, older=age, recent_events=recent)
        for until in (interactions[:-1], interactions)
    ]
    key, partition = f"user-{number}".encode(), number % 8
    return BenchVisit(*(BenchRecord(key, encode_state(state), partition, number, _NOW_MS) for state in states))
