"""A catalog of a million items trains on one core, in bounded memory, and what was planted in it is found."""

import time

import numpy as np
import torch

from app.interests.state import Kind
from model_server.model.config import NetworkConfig
from model_server.peak_memory import PeakMemory
from model_server.training.batch_loss import ALL_ITEMS
from model_server.training.loop import train_network
from model_server.training.options import TrainingOptions
from model_server.training.validation import split_validation
from tests.support.model import interactions_of

ITEMS = 1_000_000
RING = 2_000
USERS, EVENTS = 600, 20
CPU = torch.device("cpu")


def test_a_million_items_train_in_seconds_and_a_gigabyte() -> None:
    assert ITEMS > ALL_ITEMS
    rng = np.random.default_rng(0)
    ring, begin = rng.choice(ITEMS, RING, replace=False), rng.integers(0, RING, USERS)
    rows = [(user, int(ring[(begin[user] + step) % RING]), step) for step in range(EVENTS) for user in range(USERS)]
    split = split_validation(interactions_of(rows, USERS, items=0), 100, rng)
    config = NetworkConfig(
        items=ITEMS, text_dimension=1, kinds_seen=(Kind.RATE,), dimension=32, hidden=64, max_length=EVENTS, dropout=0.1
    )
    options = TrainingOptions(epochs=5, learning_rate=1e-2, batch_sequences=32, cooccurrence_start=True)
    texts = torch.zeros(ITEMS, 1)
    peak = PeakMemory(CPU)
    before_mb, began_s = peak.mb(), time.process_time()
    torch.set_num_threads(1)
    trained = train_network(config, split, texts, options, lambda _: None)
    assert trained.validation.hr10 > 0.8
    # Adam's table is 384 MB of it, the best weights and those of validation another 384. One step's full logits alone
    # would be 2,400 MB.
    assert peak.mb() - before_mb < 1_300
    # Of 15 s on a quiet core; with a softmax over everything it were many minutes.
    assert time.process_time() - began_s < 60
