"""Several processes that train one network together, through torch's own `torchrun` and torch.distributed.

    torchrun --nproc-per-node 2 -m app.cli.main train ...

Every process has the whole network and the whole data; each works on its share of every batch and the gradients are
added up (DistributedDataParallel), so that many processes learn what one would. The first one validates, writes and
talks.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import distributed

T = TypeVar("T")
_PATIENCE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Team:
    """One of the `size` processes that train together; the only one by default."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that validates, writes and talks."""
        return self.rank == 0

    def agreed(self, value: T) -> T:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def gathered(self, value: T) -> list[T]:
        """Everybody's value, by rank."""
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size
        distributed.all_gather_object(values, value)
        return values

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """What is in this block is done by the leader, then by all others at once: they find it in a cache."""
        if self.size > 1 and not self.leads:
            distributed.barrier()
        yield
        if self.size > 1 and self.leads:
            distributed.barrier()


@contextmanager
def joined_team(device: torch.device) -> Iterator[tuple[Team, torch.device]]:
    """The team that `torchrun` started, and this process's own device of it; this process alone where there is none.

    Args:
        device: the kind of device; of several GPUs each process takes its own.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    # The others wait while the leader alone reads texts or grows a ranker; torchrun ends all when one has died.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Team(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()
