"""A continued encoding is what a full one would be, whatever happened to user and items in between."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from app.interests.state import Interaction, Kind
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.model.network import Encoded
from model_server.model.sequences import SequenceBatch, sequence_batch
from model_server.model.serving import UserEncoder
from tests.support.model import TEXT_DIMENSION, assert_close, did, tiny_config, tiny_network
from tests.support.states import touches

ITEMS = 40
CPU = torch.device("cpu")
NETWORK = tiny_network(config=tiny_config(items=ITEMS, kinds_seen=(Kind.RATE, Kind.VIEW)))


class WatchedEncoder(UserEncoder):
    """Notes how many users it encodes in full and how many it continues."""

    def __init__(self) -> None:
        super().__init__(NETWORK, half=False)
        self.full = self.continued = 0

    def encode(self, sequences: SequenceBatch, item_vectors: Tensor) -> Encoded:
        self.full += len(sequences.lengths)
        return super().encode(sequences, item_vectors)

    def encode_grown(self, sequences: SequenceBatch, item_vectors: Tensor, known: Tensor, hidden: Tensor) -> Encoded:
        self.continued += len(sequences.lengths)
        return super().encode_grown(sequences, item_vectors, known, hidden)


@dataclass
class Desk:
    """Users are encoded at it, and every time it is checked that a full encoding says the same."""

    max_users: int = 100
    positions: dict[str, int] = field(default_factory=lambda: {f"item-{number}": number for number in range(ITEMS)})

    def __post_init__(self) -> None:
        texts = torch.randn(ITEMS, TEXT_DIMENSION, generator=torch.Generator().manual_seed(3))
        self.vectors = NETWORK.item_vectors(torch.arange(ITEMS), texts).detach()
        self.vector_ids = np.arange(ITEMS)
        self.encoder = WatchedEncoder()
        self.memory = EncodingMemory(self.max_users, NETWORK.config.hidden, CPU)
        self.desk = ContinuedEncoder(self.encoder, self.memory, CPU)

    @torch.inference_mode()
    def encode(self, **histories: Sequence[Interaction]) -> tuple[int, int]:
        """How many users were encoded in full, and how many were continued."""
        self.encoder.full = self.encoder.continued = 0
        batch = sequence_batch(touches(list(histories.values()), self.positions), {Kind.RATE, Kind.VIEW}, max_length=10)
        users = self.desk.encode(list(histories), batch, self.vectors, self.vector_ids)
        assert_close(users, NETWORK.encode_users(batch, self.vectors).users)
        return self.encoder.full, self.encoder.continued


def items(*numbers: int) -> list[Interaction]:
    return did(*(f"item-{number}" for number in numbers), gap_ms=5_000)


def test_who_comes_back_with_more_is_continued() -> None:
    desk = Desk()
    assert desk.encode(ann=items(1, 2, 3), bob=items(4)) == (2, 0)
    assert desk.encode(ann=items(1, 2, 3, 9, 5), bob=items(4, 7), eve=items(8, 8)) == (1, 2)
    assert desk.encode(ann=items(1, 2, 3, 9, 5, 6)) == (0, 1)


def test_an_event_that_came_late_begins_anew() -> None:
    desk = Desk()
    desk.encode(ann=items(1, 2, 3))
    later = items(1, 2, 3)
    late = Interaction("item-4", Kind.RATE, later[1].ts_ms + 1_000)
    assert desk.encode(ann=[*later[:2], late, later[2]]) == (1, 0)


def test_a_window_that_moved_begins_anew() -> None:
    desk = Desk()
    desk.encode(ann=items(*range(24)))
    assert desk.encode(ann=items(*range(25))) == (1, 0)  # 25 is 10 and a jump of 15: item 0 to 14 are read no more
    assert desk.encode(ann=items(*range(26))) == (0, 1)
    assert desk.encode(ann=items(*range(5, 27))) == (1, 0)


def test_the_same_again_is_encoded_anew() -> None:
    desk = Desk()
    desk.encode(ann=items(1, 2, 3))
    assert desk.encode(ann=items(1, 2, 3)) == (1, 0)
    assert desk.encode(ann=items(1, 2)) == (1, 0)


def test_an_item_with_another_vector_begins_anew() -> None:
    desk = Desk()
    desk.encode(ann=items(1, 2, 3), bob=items(4, 5))
    desk.vectors[2] = desk.vectors[30]
    desk.vector_ids[2] = ITEMS
    assert desk.encode(ann=items(1, 2, 3, 4), bob=items(4, 5, 6)) == (1, 1)


def test_an_item_that_became_known_begins_anew() -> None:
    desk = Desk()
    place = desk.positions.pop("item-2")
    desk.encode(ann=items(1, 2, 3))
    desk.positions["item-2"] = place
    assert desk.encode(ann=items(1, 2, 3, 4)) == (1, 0)


def test_another_kind_or_another_time_is_another_history() -> None:
    desk = Desk()
    desk.encode(ann=items(1, 2), bob=items(1, 2))
    viewed = did("item-1", "item-2", "item-3", kind=Kind.VIEW, gap_ms=5_000)
    slower = did("item-1", "item-2", "item-3", gap_ms=500_000)
    assert desk.encode(ann=viewed, bob=slower) == (2, 0)


def test_of_whom_nothing_is_known_nothing_is_remembered() -> None:
    desk = Desk()
    assert desk.encode(ann=did("gone"), bob=[]) == (0, 0)
    assert len(desk.memory) == 0


def test_who_was_encoded_longest_ago_is_forgotten_first() -> None:
    desk = Desk(max_users=2)
    desk.encode(ann=items(1), bob=items(2))
    desk.encode(ann=items(1, 2))
    desk.encode(eve=items(3))
    assert desk.encode(ann=items(1, 2, 3)) == (0, 1)
    assert desk.encode(bob=items(2, 3)) == (1, 0)


def test_a_batch_larger_than_the_memory_keeps_its_last_users() -> None:
    desk = Desk(max_users=3)
    desk.encode(**{f"user-{number}": items(number) for number in range(8)})
    assert len(desk.memory) == 3
    assert desk.encode(**{f"user-{number}": items(number, number + 1) for number in (7, 6, 5)}) == (0, 3)


def test_a_thousand_random_visits_are_encoded_as_in_full() -> None:
    rng = random.Random(5)
    desk = Desk(max_users=30)
    histories: dict[str, list[Interaction]] = {f"user-{number}": [] for number in range(40)}
    continued = 0
    for _ in range(100):
        visitors = rng.sample(list(histories), 10)
        for visitor in visitors:
            history = histories[visitor]
            for _ in range(rng.randrange(1, 4)):
                start_ms = history[-1].ts_ms if history else 10_000
                kind = rng.choice((Kind.RATE, Kind.VIEW, Kind.CLICK, Kind.DISLIKE))
                history.append(Interaction(f"item-{rng.randrange(45)}", kind, start_ms + rng.randrange(100_000)))
            if rng.random() < 0.1:
                del history[rng.randrange(len(history))]
        if rng.random() < 0.2:
            place = rng.randrange(ITEMS)
            desk.vectors[place] = desk.vectors[rng.randrange(ITEMS)]
            desk.vector_ids[place] = desk.vector_ids.max() + 1
        continued += desk.encode(**{visitor: histories[visitor] for visitor in visitors})[1]
    assert continued > 200
