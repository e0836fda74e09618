"""Several networks that speak as one: their vectors laid end to end say the mean of their logits."""

import torch
from torch import Tensor

from app.interests.state import Kind
from model_server.model.members import Members, fresh_network, together
from model_server.model.sequences import SequenceBatch, sequence_batch
from model_server.model.serving import UserEncoder
from tests.support.model import TEXT_DIMENSION, assert_close, did, tiny_config, tiny_network
from tests.support.states import touches

ITEMS = 40
POSITIONS = {f"item-{index}": index for index in range(ITEMS)}
ROWS = torch.arange(ITEMS)
TEXTS = torch.randn(ITEMS, TEXT_DIMENSION, generator=torch.Generator().manual_seed(3))


def members() -> Members:
    """Three that differ, in temperature too."""
    networks = [tiny_network(seed, tiny_config(items=ITEMS)) for seed in (1, 2, 3)]
    with torch.no_grad():
        for network, temperature in zip(networks, (0.05, 0.1, 0.2), strict=True):
            network.log_temperature.fill_(temperature).log_()
    return Members(networks).eval()


def users(lengths: tuple[int, ...]) -> SequenceBatch:
    histories = [
        did(*(f"item-{(7 * user + step) % ITEMS}" for step in range(length)), gap_ms=5_000)
        for user, length in enumerate(lengths)
    ]
    return sequence_batch(touches(histories, POSITIONS), {Kind.RATE}, max_length=10)


def lengths_of(vectors: Tensor) -> Tensor:
    return vectors.square().sum(dim=1).sqrt()


@torch.inference_mode()
def test_scores_are_the_mean_of_the_members_logits() -> None:
    network, batch = members(), users((3, 0, 9, 1))
    vectors = network.item_vectors(ROWS, TEXTS)
    encoded = network.encode_users(batch, vectors).users
    own = [(each, each.item_vectors(ROWS, TEXTS)) for each in network.each]
    logits = [each.scores(each.encode_users(batch, items).users, items) for each, items in own]
    assert_close(network.scores(encoded, vectors), torch.stack(logits).mean(dim=0), atol=1e-4)


@torch.inference_mode()
def test_vectors_have_length_one_and_nobody_is_nobody() -> None:
    network = members()
    vectors = network.item_vectors(ROWS, TEXTS)
    encoded = network.encode_users(users((3, 0)), vectors)
    assert vectors.shape == (ITEMS, network.config.vector_width)
    assert encoded.hidden.shape == (2, network.config.memory_width)
    assert_close(lengths_of(vectors), torch.ones(ITEMS))
    assert_close(lengths_of(encoded.users), torch.tensor([1.0, 0.0]))


@torch.inference_mode()
def test_what_grew_is_continued() -> None:
    network, short, long = members(), users((3, 5)), users((4, 8))
    vectors = network.item_vectors(ROWS, TEXTS)
    hidden = network.encode_users(short, vectors).hidden
    grown, full = network.encode_grown(long, vectors, short.lengths, hidden), network.encode_users(long, vectors)
    assert_close(grown.users, full.users)
    assert_close(grown.hidden, full.hidden)


@torch.inference_mode()
def test_half_precision_points_where_the_members_point() -> None:
    network, batch = members(), users(tuple(range(1, 10)) * 3)
    vectors = network.item_vectors(ROWS, TEXTS)
    wanted = network.encode_users(batch, vectors).users
    encoded = UserEncoder(network, half=True).encode(batch, vectors).users
    assert bool(((encoded * wanted).sum(dim=1) > 0.995).all())


def test_one_network_stays_what_it_is() -> None:
    network = tiny_network()
    assert together([network]) is network


def test_weights_go_into_a_fresh_one_of_the_same_shape() -> None:
    network = members()
    fresh = fresh_network(network.config)
    fresh.load_state_dict(network.state_dict(), strict=True)
    assert fresh.config == network.config
    assert torch.equal(fresh.eval().item_vectors(ROWS, TEXTS), network.item_vectors(ROWS, TEXTS))
