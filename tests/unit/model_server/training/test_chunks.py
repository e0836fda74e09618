"""Chunks cover every transition exactly once, whatever the cut."""

from itertools import permutations

import numpy as np
import pytest
import torch

from model_server.training.chunks import TrainingBatch, epoch_batches, histories_of
from model_server.training.had import Had
from tests.support.model import interactions_of


@pytest.mark.parametrize("seed", range(5))
def test_an_epoch_holds_every_transition_once(seed: int) -> None:
    lengths = [1, 2, 7, 25, 4, 0]
    rows = [(user, user * 30 + step, step) for step in range(25) for user, n in enumerate(lengths) if step < n]
    log = interactions_of(rows, users=len(lengths), items=200)
    seen: list[tuple[int, int]] = []
    for batch in epoch_batches(histories_of(log), 6, 3, np.random.default_rng(seed)):
        assert int(batch.sequences.lengths.max()) <= 6
        seen.extend(zip(batch.sequences.positions[batch.real].tolist(), batch.targets.tolist(), strict=True))
    wanted = [(user * 30 + step, user * 30 + step + 1) for user, n in enumerate(lengths) for step in range(n - 1)]
    assert sorted(seen) == sorted(wanted)


def test_epochs_are_cut_differently_and_a_seed_repeats_them() -> None:
    log = interactions_of([(0, step, step) for step in range(50)], users=1, items=60)

    def targets(rng: np.random.Generator) -> list[list[int]]:
        return [batch.targets.tolist() for batch in epoch_batches(histories_of(log), 8, 2, rng)]

    rng = np.random.default_rng(4)
    first, second = targets(rng), targets(rng)
    assert first != second
    assert targets(np.random.default_rng(4)) == first


def test_batches_hold_chunks_of_like_length_and_about_equally_many_transitions() -> None:
    rng = np.random.default_rng(0)
    users = [(user, int(rng.integers(1_000)), step) for user in range(400) for step in range(2 + user % 20)]
    batches = list(epoch_batches(histories_of(interactions_of(users, users=400, items=1_000)), 50, 32, rng))
    padded = sum(batch.real.numel() for batch in batches)
    real = sum(len(batch.targets) for batch in batches)
    assert real > 0.85 * padded
    sizes = [len(batch.targets) for batch in batches]
    assert max(sizes) - min(sizes) < 0.15 * max(sizes)


def test_what_happened_at_one_instant_comes_in_any_order_and_the_rest_in_its_own() -> None:
    # Ten people: one event, then three at once, then one.
    instants = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2}
    rows = [(user, item, instant) for item, instant in instants.items() for user in range(10)]
    histories = histories_of(interactions_of(rows, users=10, items=5))
    rng = np.random.default_rng(1)
    orders = {tuple(read) for _ in range(5) for batch in epoch_batches(histories, 8, 10, rng) for read in whole(batch)}
    assert {order[0] for order in orders} == {0}
    assert {order[-1] for order in orders} == {4}
    assert {order[1:4] for order in orders} == set(permutations((1, 2, 3)))


def whole(batch: TrainingBatch) -> list[tuple[int, ...]]:
    """Each sequence of the batch with what came last, where it is five long."""
    last = batch.targets[batch.sequences.lengths.cumsum(0) - 1]
    read = torch.cat([batch.sequences.positions, last[:, None]], dim=1)
    return [
        tuple(row) for row, length in zip(read.tolist(), batch.sequences.lengths.tolist(), strict=True) if length == 4
    ]


def test_what_was_had_reaches_back_beyond_the_chunk() -> None:
    rows = [(user, user * 30 + step, step) for step in range(25) for user, n in enumerate((3, 0, 25, 2)) if step < n]
    log = interactions_of(rows, users=4, items=120)
    for batch in epoch_batches(histories_of(log), 6, 3, np.random.default_rng(2)):
        for position, target in enumerate(batch.targets.tolist()):
            assert had_at(batch.had, position) == list(range(target // 30 * 30, target))


def had_at(had: Had, position: int) -> list[int]:
    _, items = had.pairs(slice(position, position + 1), torch.device("cpu"))
    listed: list[int] = items.tolist()
    return listed
