"""Which partition a key belongs to: Java's murmur2, as every producer of the keyed topics must use it."""

from collections.abc import Callable
from functools import lru_cache

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of this key among so many."""
    return int((murmur2(key) & 0x7FFF_FFFF) % partitions)


def home_of(partitions: int, remembered_keys: int = 65_536) -> Callable[[str], int]:
    """A function from a user id to its partition that remembers the newest answers (pure Python murmur2 is slow)."""

    @lru_cache(maxsize=remembered_keys)
    def home(user_id: str) -> int:
        return partition_of(user_id.encode(), partitions)

    return home
