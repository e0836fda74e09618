"""Before its first step a private network already recommends what is popular, as sharply as it is."""

import numpy as np
import pytest
import torch

from model_server.model.network import SequenceNetwork
from model_server.model.sequences import padded_batch
from model_server.privacy.start import start_privately
from tests.support.model import HashEncoder, tiny_config

POPULARITY = np.log(np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.125], np.float32))
TEXTS = torch.from_numpy(HashEncoder().encode([f"thing {number}" for number in range(6)]))


@pytest.mark.parametrize("texts", [TEXTS, torch.zeros(6, 0)], ids=["texts", "ids alone"])
def test_it_recommends_what_is_popular(texts: torch.Tensor) -> None:
    torch.manual_seed(0)  # where items have no texts, their directions are drawn
    network = SequenceNetwork(tiny_config(text_dimension=texts.shape[1])).eval()
    start_privately(network, texts, POPULARITY)
    items = network.item_vectors(torch.arange(6), texts)
    histories = padded_batch(np.arange(6), np.ones(6, np.int64), np.zeros(6, np.int64), np.ones(6, np.int64))
    scores = network.scores(network.encode_users(histories, items).users, items).detach().mean(dim=0)
    assert torch.equal(scores.argsort(), torch.arange(6).flip(0))
    assert 2 < scores[0] - scores[5] < 6  # ln 64 = 4.2
    learns = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    assert learns == {"cold_id", *(("text_projection.weight", "text_projection.bias") if texts.shape[1] else ())}
