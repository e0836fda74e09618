"""The user tower as it is served: what the trained one says, up to a rounding."""

import logging

import pytest
import torch

from app.interests.state import Kind
from model_server.model.sequences import SequenceBatch, sequence_batch
from model_server.model.serving import Precisions, UserEncoder, fastest_encoder
from tests.support.model import TEXT_DIMENSION, assert_close, did, tiny_config, tiny_network
from tests.support.states import touches

ITEMS = 40
POSITIONS = {f"item-{index}": index for index in range(ITEMS)}


def users(count: int) -> SequenceBatch:
    histories = [
        did(*(f"item-{(7 * user + step) % ITEMS}" for step in range(user % 10)), gap_ms=5_000) for user in range(count)
    ]
    return sequence_batch(touches(histories, POSITIONS), {Kind.RATE}, max_length=10)


@pytest.mark.parametrize("count", [1, 8, 64])
@torch.inference_mode()
def test_half_precision_points_where_the_network_points(count: int) -> None:
    network = tiny_network(config=tiny_config(items=ITEMS, dimension=32))
    texts = torch.randn(ITEMS, TEXT_DIMENSION, generator=torch.Generator().manual_seed(3))
    vectors = network.item_vectors(torch.arange(ITEMS), texts)
    wanted = network.encode_users(users(count), vectors).users
    encoded = UserEncoder(network, half=True).encode(users(count), vectors).users
    assert encoded.dtype == torch.float32
    known = users(count).lengths > 0
    assert bool(((encoded * wanted).sum(dim=1)[known] > 0.995).all())
    assert not encoded[~known].any()  # nobody is nobody in every precision
    assert_close(UserEncoder(network, half=False).encode(users(count), vectors).users, wanted)


def test_the_precision_is_chosen_by_a_trial_and_the_weights_stay_as_they_are() -> None:
    network = tiny_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert isinstance(fastest_encoder(network, torch.device("cpu")), UserEncoder)
    for name, value in network.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_a_shape_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    precisions = Precisions(torch.device("cpu"))
    chosen = [precisions.fastest(tiny_network(config=tiny_config(items=items))) for items in (10, 20)]
    assert chosen[0].half == chosen[1].half
    assert len(caplog.records) == 1
    precisions.fastest(tiny_network(config=tiny_config(items=10, dimension=32)))
    assert len(caplog.records) == 2
