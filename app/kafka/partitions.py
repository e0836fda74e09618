"""Which partition a key belongs to: Java's murmur2, as every producer of the keyed topics must use it."""

from collections.abc import Callable

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of this key among so many."""
    return int((murmur2(key) & 0x7FFF_FFFF) % partitions)


def home_of(partitions: int) -> Callable[[bytes], int]:
    """A function from a user's key to its partition."""
    return lambda key: partition_of(key, partitions)
