"""Whether a new version is worse than the one before it. Pure.

The two did not serve at the same time, so an interval alone would see every change of the day: a rail is a margin, and
it trips only when the whole interval of the difference lies beyond it. The intervals are Newcombe's (1998, method 10,
from Wilson's) and wide, because everybody looks every few seconds and events of one visitor are alike.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from model_server.swap.tally import Counts

_Z: Final = 3.29  # 99.9 %
MIN_LISTS: Final = 200  # the first ones after a swap are those of the busiest visitors


@dataclass(frozen=True, slots=True)
class Rails:
    """How much worse is too much.

    Args:
        watch_s: how long after a swap.
        fallback_rise: of the share of users of whom the model knows nothing.
        empty_rise: of the share of empty lists.
        hit_loss: of the live hit rate, as a share of the one before.
    """

    watch_s: float
    fallback_rise: float
    empty_rise: float
    hit_loss: float

    @property
    def soon_s(self) -> float:
        """Events later after their list than this do not count: a version just swapped in cannot have any."""
        return self.watch_s / 6


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total`."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """Between 0 and 1; 0 of nothing."""
        return self.count / self.total if self.total else 0.0


def tripped(before: Counts, now: Counts, rails: Rails, since_swap_s: float) -> str:
    """Why the version must go; empty while it may stay.

    Args:
        before: of the version before, until the swap.
        now: of the new one.
        rails: what is too much.
        since_swap_s: how long ago the swap was; hits are compared once every event that counts can have come.
    """
    if now.lists >= MIN_LISTS:
        for what, old, new, rise in (
            ("users it knows nothing of", before.fallbacks, now.fallbacks, rails.fallback_rise),
            ("empty lists", before.empty, now.empty, rails.empty_rise),
        ):
            was, is_now = Share(old, before.lists), Share(new, now.lists)
            low, high = difference(was, is_now)
            if low > rise:
                return _said(what, was, is_now, low, high)
    was, is_now = Share(before.hits, before.events), Share(now.hits, now.events)
    low, high = difference(was, is_now)
    if since_swap_s >= rails.soon_s and high < -rails.hit_loss * was.value:
        return _said("live hits", was, is_now, low, high)
    return ""


def difference(before: Share, now: Share, z: float = _Z) -> tuple[float, float]:
    """The interval of `now - before`; everything is possible where one of them is of nothing."""
    if not before.total or not now.total:
        return -1.0, 1.0
    (low_before, high_before), (low_now, high_now) = _wilson(before, z), _wilson(now, z)
    middle = now.value - before.value
    down = sqrt((now.value - low_now) ** 2 + (high_before - before.value) ** 2)
    up = sqrt((high_now - now.value) ** 2 + (before.value - low_before) ** 2)
    return middle - down, middle + up


def _wilson(share: Share, z: float) -> tuple[float, float]:
    n, p = share.total, share.value
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return centre - half, centre + half


def _said(what: str, was: Share, now: Share, low: float, high: float) -> str:
    return (
        f"{what}: {now.value:.1%} of {now.total:,}, before it {was.value:.1%} of {was.total:,} "
        f"(difference {low:+.1%} to {high:+.1%})"
    )
