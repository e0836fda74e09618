"""Parts hold every sequence once, and their gradients add up to the batch's."""

import numpy as np
import pytest
import torch

from model_server.training.chunks import TrainingBatch, epoch_batches, histories_of
from model_server.training.execution import Execution
from model_server.training.options import TrainingOptions
from model_server.training.parts import parts_of
from model_server.training.step import Stepper
from tests.support.model import TEXT_DIMENSION, interactions_of, tiny_config, tiny_network, tiny_options

ITEMS = 40


def a_batch() -> TrainingBatch:
    rng = np.random.default_rng(3)
    lengths = [2, 3, 2, 30, 4, 2, 12, 3, 2, 11]
    rows = [(user, int(rng.integers(ITEMS)), step) for step in range(30) for user, n in enumerate(lengths) if step < n]
    histories = histories_of(interactions_of(rows, users=len(lengths), items=ITEMS))
    return next(epoch_batches(histories, 10, 100, rng))


def transitions(batch: TrainingBatch) -> list[tuple[int, int]]:
    return sorted(zip(batch.sequences.positions[batch.real].tolist(), batch.targets.tolist(), strict=True))


@pytest.mark.parametrize("parts", [1, 2, 3, 1_000])
def test_parts_hold_every_transition_once(parts: int) -> None:
    batch = a_batch()
    cut = parts_of(batch, parts)
    assert len(cut) == min(parts, len(batch.sequences.lengths))
    assert sorted(pair for part in cut for pair in transitions(part)) == transitions(batch)


def weights_after_a_step(options: TrainingOptions, parts: int) -> list[torch.Tensor]:
    network = tiny_network(config=tiny_config(items=ITEMS, dropout=0.0, id_dropout=0.0, kind_dropout=0.0)).train()
    texts = torch.zeros(ITEMS, TEXT_DIMENSION)
    batch = a_batch()
    stepper = Stepper(network, texts, batch.targets, options, Execution(parts=parts))
    loss = stepper.step(batch, done=0.5)
    return [torch.tensor(loss), *(weight.grad for weight in network.parameters() if weight.grad is not None)]


def test_many_small_parts_give_the_gradient_of_the_large_batch() -> None:
    whole, in_parts = (weights_after_a_step(tiny_options(clip_norm=1e9), parts) for parts in (1, 4))
    assert len(whole) == len(in_parts)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(whole, in_parts, strict=True))
