"""Several sequence networks that speak as one: the mean of their logits (deep ensembles, arXiv:1612.01474).

A logit is a cosine over a temperature t, so the mean of M logits is one inner product of vectors laid end to end: items
[v1 ... vM] / sqrt(M), users [u1 / t1 ... uM / tM] brought to length 1. Whoever searches, blends or sends such vectors
knows nothing of members. What the members' GRUs remember is laid end to end too, so encodings are continued.

Members are trained one by one (model_server.training.members); this module knows nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import torch
from msgspec import structs
from torch import Tensor, nn

from model_server.model.config import NetworkConfig
from model_server.model.network import Encoded, SequenceNetwork
from model_server.model.sequences import SequenceBatch


@dataclass(frozen=True, slots=True, eq=False)
class OwnRead:
    """What one member reads: (B * L, D) `vectors` of its own, into which the positions of the sequences index."""

    sequences: SequenceBatch
    vectors: Tensor


class Members(nn.Module):
    """See the module. Used as a `SequenceNetwork` in evaluation mode; M members, each with vectors of width D.

    Args:
        networks: M of one shape.
    """

    def __init__(self, networks: Sequence[SequenceNetwork]) -> None:
        super().__init__()
        self.each = tuple(networks)
        self.networks = nn.ModuleList(networks)
        self.config = structs.replace(networks[0].config, members=len(networks))

    def item_vectors(self, rows: Tensor, texts: Tensor) -> Tensor:
        """(N, M * D), as `SequenceNetwork.item_vectors`."""
        vectors = [member.item_vectors(rows, texts) for member in self.each]
        return torch.cat(vectors, dim=1) / sqrt(len(vectors))

    def encode_users(self, sequences: SequenceBatch, item_vectors: Tensor) -> Encoded:
        """As `SequenceNetwork.encode_users`; M * D and M * hidden wide."""
        reads = zip(self.each, self.own_reads(sequences, item_vectors), strict=True)
        return self.joined([member.encode_users(read.sequences, read.vectors) for member, read in reads])

    def encode_grown(self, sequences: SequenceBatch, item_vectors: Tensor, known: Tensor, hidden: Tensor) -> Encoded:
        """As `SequenceNetwork.encode_grown`, with (B, M * hidden)."""
        memories = hidden.chunk(len(self.each), dim=1)
        reads = zip(self.each, self.own_reads(sequences, item_vectors), memories, strict=True)
        return self.joined(
            [member.encode_grown(read.sequences, read.vectors, known, memory) for member, read, memory in reads]
        )

    def own_reads(self, sequences: SequenceBatch, item_vectors: Tensor) -> list[OwnRead]:
        """What each member reads of these sequences over (N, M * D) `item_vectors`."""
        taken = item_vectors[sequences.positions.flatten()] * sqrt(len(self.each))
        places = torch.arange(len(taken), device=taken.device).view(sequences.positions.shape)
        own = replace(sequences, positions=places)
        return [OwnRead(own, vectors) for vectors in taken.chunk(len(self.each), dim=1)]

    def joined(self, encoded: Sequence[Encoded]) -> Encoded:
        """Each member's encodings of the same users -> everybody's."""
        shares = nn.functional.normalize(self._sharpness(), dim=0)
        users = [each.users * share for each, share in zip(encoded, shares, strict=True)]
        return Encoded(torch.cat(users, dim=1), torch.cat([each.hidden for each in encoded], dim=1))

    def temperature(self) -> Tensor:
        """The one at which a cosine is the mean logit."""
        return self._sharpness().square().mean().rsqrt()

    def scores(self, users: Tensor, item_vectors: Tensor) -> Tensor:
        """(B, M * D) users and (N, M * D) items -> (B, N) logits: the mean of the members'."""
        return users @ item_vectors.T / self.temperature()

    def _sharpness(self) -> Tensor:
        """(M,) one over each member's temperature."""
        return torch.stack([member.temperature() for member in self.each]).reciprocal()


Network = SequenceNetwork | Members
"""What is served: one network, or several that speak as one."""


def together(networks: Sequence[SequenceNetwork]) -> Network:
    """One of them as it is, several as members."""
    return Members(networks) if len(networks) > 1 else networks[0]


def each_of(network: Network) -> tuple[SequenceNetwork, ...]:
    """Its members; itself where there is only one."""
    return network.each if isinstance(network, Members) else (network,)


def fresh_network(config: NetworkConfig) -> Network:
    """Of this shape, with weights that mean nothing yet."""
    alone = structs.replace(config, members=1)
    return together([SequenceNetwork(alone) for _ in range(config.members)])
