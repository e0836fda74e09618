"""The network: the same numbers batched and one by one, blind to padding, to the future and to untrained rows."""

import pytest
import torch
from torch import Tensor

from app.interests.state import Kind
from model_server.model.network import COLD, SequenceNetwork
from model_server.model.sequences import SequenceBatch, sequence_batch
from tests.support.model import TEXT_DIMENSION, assert_close, did, tiny_config, tiny_network
from tests.support.states import touches

POSITIONS = {f"item-{index}": index for index in range(6)}
HISTORIES = [
    did("item-1", "item-2", "item-3", "item-4"),
    did("item-5"),
    did("item-0", "item-0", "item-2", gap_ms=5_000),
]


def vectors_of(network: SequenceNetwork) -> Tensor:
    texts = torch.randn(6, TEXT_DIMENSION, generator=torch.Generator().manual_seed(3))
    return network.item_vectors(torch.arange(6), texts).detach()


def batch_of(*histories: list) -> SequenceBatch:  # type: ignore[type-arg]  # of interactions
    return sequence_batch(touches(histories, POSITIONS), {Kind.RATE}, max_length=10)


def padded(batch: SequenceBatch, more: int) -> SequenceBatch:
    """With garbage behind."""
    behind = torch.full((len(batch.lengths), more), 5)
    return SequenceBatch(
        positions=torch.cat([batch.positions, behind], dim=1),
        kinds=torch.cat([batch.kinds, behind], dim=1),
        gaps=torch.cat([batch.gaps, behind], dim=1),
        lengths=batch.lengths,
    )


def test_batched_users_are_the_users_one_by_one() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    together = network.encode_users(batch_of(*HISTORIES), vectors).users
    alone = torch.cat([network.encode_users(batch_of(history), vectors).users for history in HISTORIES])
    assert_close(together, alone, atol=1e-5)


def test_padding_changes_nothing() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    batch = batch_of(*HISTORIES)
    assert_close(
        network.encode_users(padded(batch, 4), vectors).users, network.encode_users(batch, vectors).users, atol=1e-5
    )


def test_a_position_sees_nothing_that_came_after_it() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    one = network.encode_positions(batch_of(did("item-1", "item-2", "item-3", "item-4")), vectors)
    other = network.encode_positions(batch_of(did("item-1", "item-2", "item-0", "item-5")), vectors)
    assert_close(one[:, :2], other[:, :2], atol=1e-6)
    assert (one[:, 2:] - other[:, 2:]).abs().max() > 1e-2


def test_the_order_of_what_was_done_matters() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    there = network.encode_users(batch_of(did("item-1", "item-2", "item-3")), vectors).users
    back = network.encode_users(batch_of(did("item-3", "item-2", "item-1")), vectors).users
    assert (there - back).abs().max() > 1e-2


def test_users_and_items_have_length_one_and_an_unknown_user_is_zero() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    users = network.encode_users(batch_of(HISTORIES[0], []), vectors).users
    assert_close(vectors.norm(dim=1), torch.ones(6))
    assert_close(users.norm(dim=1), torch.tensor([1.0, 0.0]))


def test_a_cold_item_works_from_its_text_alone() -> None:
    network = tiny_network()
    texts = torch.randn(2, TEXT_DIMENSION)
    both_cold = network.item_vectors(torch.tensor([COLD, COLD]), texts[[0, 0]])
    other_text = network.item_vectors(torch.tensor([COLD]), texts[[1]])
    known = network.item_vectors(torch.tensor([0]), texts[[0]])
    assert_close(both_cold[0], both_cold[1])
    assert (both_cold[0] - other_text[0]).abs().max() > 1e-2
    assert (both_cold[0] - known[0]).abs().max() > 1e-2


def test_a_kind_that_was_never_trained_on_reads_as_the_average_of_those_that_were() -> None:
    network = tiny_network(config=tiny_config(kinds_seen=(Kind.RATE,)))
    vectors = vectors_of(network)
    encoded = [
        network.encode_users(
            sequence_batch(touches([did("item-1", kind=kind)], POSITIONS), {Kind.RATE}, 10), vectors
        ).users
        for kind in (Kind.RATE, Kind.CLICK, Kind.PURCHASE)
    ]
    assert_close(encoded[0], encoded[1])
    assert_close(encoded[0], encoded[2])


def test_kinds_that_were_trained_on_differ() -> None:
    network = tiny_network(config=tiny_config(kinds_seen=(Kind.CLICK, Kind.PURCHASE)))
    vectors = vectors_of(network)
    click, purchase = (
        network.encode_users(
            sequence_batch(touches([did("item-1", kind=kind)], POSITIONS), set(Kind), 10), vectors
        ).users
        for kind in (Kind.CLICK, Kind.PURCHASE)
    )
    assert (click - purchase).abs().max() > 1e-2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_numbers() -> None:
    network = tiny_network()
    vectors = vectors_of(network)
    on_cpu = network.encode_users(batch_of(*HISTORIES), vectors).users
    device = torch.device("cuda")
    on_cuda = network.to(device).encode_users(batch_of(*HISTORIES).to(device), vectors.to(device)).users
    assert_close(on_cuda.cpu(), on_cpu, atol=1e-3)
