"""The contrastive loss by hand."""

import math

import torch

from model_server.finetuning.loss import contrastive_loss


def test_it_is_the_mean_cross_entropy_of_both_directions() -> None:
    left = torch.eye(2)
    right = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    also_right = torch.zeros(2, 3, dtype=torch.bool)
    rows = -sum(math.log(math.exp(2) / (math.exp(2) + 1 + math.exp(wrong))) for wrong in (1.2, 1.6)) / 2
    columns = -math.log(math.exp(2) / (math.exp(2) + 1))
    loss = contrastive_loss(left, right, also_right, temperature=0.5)
    assert math.isclose(float(loss), (rows + columns) / 2, rel_tol=1e-5)


def test_what_is_masked_costs_nothing_and_the_partner_never_is() -> None:
    left = torch.eye(2)
    loss = contrastive_loss(left, left, torch.ones(2, 2, dtype=torch.bool), temperature=0.1)
    assert float(loss) == 0.0
