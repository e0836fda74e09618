"""The user tower as it is served: the trained weights, in the precision that this machine is fastest with.

A CPU that multiplies bfloat16 natively encodes a batch of 128 in two fifths of the time; quality stays (DECISIONS.md).
One that does not may well be slower with it (not measured): a stopwatch asks the machine, once for every shape of
network, so that a version like the one before it is swapped in without. Small batches stay in float32 everywhere: there
the time goes into reading weights and calling kernels.
"""

import copy
import logging
import time
from typing import Final

import msgspec
import torch
from torch import Tensor, nn

from app.interests.state import Kind
from model_server.model.config import NetworkConfig
from model_server.model.members import Members, Network, each_of
from model_server.model.network import Encoded, SequenceNetwork
from model_server.model.sequences import SequenceBatch

_HALF_FROM_USERS: Final = 16
_TRIAL_USERS: Final = 32
_TRIAL_ROUNDS: Final = 3
_TRIAL_WIN: Final = 0.8  # of float32's time: less is not worth a rounding

logger = logging.getLogger(__name__)


class UserEncoder:
    """Encodes users.

    Args:
        network: in evaluation mode.
        half: whether batches are encoded in bfloat16.
    """

    def __init__(self, network: Network, *, half: bool) -> None:
        self._network = network
        self._halves = tuple(_HalfNetwork(each) for each in each_of(network)) if half else ()

    @property
    def half(self) -> bool:
        """Whether batches are encoded in bfloat16."""
        return bool(self._halves)

    def encode(self, sequences: SequenceBatch, item_vectors: Tensor) -> Encoded:
        """Float32, as `SequenceNetwork.encode_users`, up to the rounding of bfloat16."""
        network, halves = self._network, self._halves
        if not halves or len(sequences.lengths) < _HALF_FROM_USERS:
            return network.encode_users(sequences, item_vectors)
        if not isinstance(network, Members):
            return halves[0].encode(sequences, item_vectors)
        reads = zip(halves, network.own_reads(sequences, item_vectors), strict=True)
        return network.joined([half.encode(read.sequences, read.vectors) for half, read in reads])

    def encode_grown(self, sequences: SequenceBatch, item_vectors: Tensor, known: Tensor, hidden: Tensor) -> Encoded:
        """As `SequenceNetwork.encode_grown`; always float32, for a step or two do not pay for the rounding."""
        return self._network.encode_grown(sequences, item_vectors, known, hidden)


class _HalfNetwork:
    """One network whose large products are in bfloat16."""

    def __init__(self, network: SequenceNetwork) -> None:
        self._network = network
        # autocast knows no GRU on CPU, so it gets a copy of its own: half a megabyte.
        self._gru: nn.GRU = copy.deepcopy(network.recurrence.gru).to(torch.bfloat16)

    def encode(self, sequences: SequenceBatch, item_vectors: Tensor) -> Encoded:
        """As `UserEncoder.encode`."""
        network = self._network
        with torch.autocast("cpu", torch.bfloat16):
            states = network.attention(network.read(sequences, item_vectors))
        # Norms, residual sums and the last projection stay in float32.
        return network.encoded(network.recurrence.newest(states, sequences.lengths, self._gru), sequences.lengths)


@torch.inference_mode()
def fastest_encoder(network: Network, device: torch.device) -> UserEncoder:
    """The encoder in the precision that is faster here; takes about 0.2 s."""
    whole = UserEncoder(network, half=False)
    if device.type != "cpu":
        return whole
    half = UserEncoder(network, half=True)
    whole_s, half_s = (min(_trial(each, network) for _ in range(_TRIAL_ROUNDS)) for each in (whole, half))
    chosen = half if half_s < _TRIAL_WIN * whole_s else whole
    logger.info(
        "Users are encoded in %s: %.2f ms a user in float32, %.2f ms in bfloat16.",
        "bfloat16" if chosen.half else "float32",
        1_000 * whole_s / _TRIAL_USERS,
        1_000 * half_s / _TRIAL_USERS,
    )
    return chosen


class Precisions:
    """Remembers what the stopwatch said of networks of one shape. One thread at a time.

    Args:
        device: where networks compute.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._half: dict[NetworkConfig, bool] = {}

    def fastest(self, network: Network) -> UserEncoder:
        """The encoder in the precision that is faster here; takes no time where the shape is known."""
        shape = msgspec.structs.replace(network.config, items=0)  # how many items there are makes no difference
        if shape not in self._half:
            chosen = fastest_encoder(network, self._device)
            self._half[shape] = chosen.half
            return chosen
        return UserEncoder(network, half=self._half[shape])


def _trial(encoder: UserEncoder, network: Network) -> float:
    """Seconds for one batch of full sequences."""
    shape = (_TRIAL_USERS, network.config.max_length)
    sequences = SequenceBatch(
        positions=torch.zeros(shape, dtype=torch.int64),
        kinds=torch.full(shape, int(Kind.VIEW)),
        gaps=torch.zeros(shape, dtype=torch.int64),
        lengths=torch.full((_TRIAL_USERS,), shape[1]),
    )
    vectors = torch.ones(1, network.config.vector_width)
    started_s = time.perf_counter()
    encoder.encode(sequences, vectors)
    return time.perf_counter() - started_s
