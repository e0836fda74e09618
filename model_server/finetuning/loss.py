"""The contrastive loss: each text finds its partner among the batch's, in both directions (InfoNCE).

Van den Oord, Li and Vinyals, 2018; symmetrical as in CLIP (Radford et al., 2021). Partners that are just as right as
the one that was drawn are masked: they are no negatives.
"""

import torch
from torch import Tensor
from torch.nn import functional

_MINUS_INFINITY = float("-inf")


def contrastive_loss(left: Tensor, right: Tensor, also_right: Tensor, temperature: float) -> Tensor:
    """The mean of both directions.

    Args:
        left: (B, D) of length 1.
        right: (B + H, D) of length 1: row b is the partner of left row b, the last H are nobody's.
        also_right: (B, B + H) bool: no negatives. The diagonal is ignored.
        temperature: cosines are divided by it.
    """
    count = len(left)
    partners = torch.arange(count, device=left.device)
    masked = also_right.clone()
    masked[partners, partners] = False
    scores = (left @ right.T / temperature).masked_fill(masked, _MINUS_INFINITY)
    return (functional.cross_entropy(scores, partners) + functional.cross_entropy(scores[:, :count].T, partners)) / 2
