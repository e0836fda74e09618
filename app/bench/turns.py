"""The order of a measurement's rounds."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def turned(each: Sequence[T], places: int) -> list[T]:
    """The same in another order each round: nobody always runs after the same one."""
    cut = places % len(each)
    return [*each[cut:], *each[:cut]]
