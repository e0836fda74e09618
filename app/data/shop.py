"""What a shop knows beside its purchases: households, promotions, campaigns. Columns, no text past the labels.

This module does not know whose shop it is; `app.data.complete_journey` fills it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.local_time import DAYS_PER_WEEK, local_days


@dataclass(frozen=True, slots=True, eq=False)
class Demographic:
    """One thing that is known of some households, as codes.

    Args:
        name: `age`, `income`, ...
        labels: what the codes mean, in their natural order.
        codes: (U,) int8 index into `labels` by `Interactions.users`, -1 where it is not known.
    """

    name: str
    labels: tuple[str, ...]
    codes: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """What was paid for each interaction, in the log's currency; all (E,) float32, in the order of the whole log.

    Args:
        paid: what the shop received for the line.
        loyalty_discounts: what the loyalty card took off; on half of all lines, so no sign of a promotion.
        coupon_discounts: what the maker's coupons took off, with what the shop added to them.
    """

    paid: NDArray[np.float32]
    loyalty_discounts: NDArray[np.float32]
    coupon_discounts: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Placements:
    """What is promoted in one place in one week, P products.

    Args:
        items: (P,) int32 index into `Interactions.item_ids`, ascending.
        displays: (P,) int8 index into `Promotions.display_labels`, 0: none.
        mailers: (P,) int8 index into `Promotions.mailer_labels`, 0: none.
    """

    items: NDArray[np.int32]
    displays: NDArray[np.int8]
    mailers: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Promotions:
    """All placements, sorted by week, place and item; the columns may lie on disk (memory-mapped).

    Args:
        starts: (weeks + 1, places + 1) int64: those of week w in place p are `starts[w, p]:starts[w, p + 1]`.
        placements: the columns, (P,) each.
        display_labels: where in the shop; the first means nowhere.
        mailer_labels: where in the leaflet; the first means nowhere.
    """

    starts: NDArray[np.int64]
    placements: Placements
    display_labels: tuple[str, ...]
    mailer_labels: tuple[str, ...]

    def at(self, place: int, week: int) -> Placements:
        """What is promoted in this place (as in `Interactions.places`) in this week; nothing for unknown ones."""
        weeks, places = self.starts.shape
        known = 0 <= place < places - 1 and 0 <= week < weeks
        rows = slice(int(self.starts[week, place]), int(self.starts[week, place + 1])) if known else slice(0, 0)
        columns = self.placements
        return Placements(items=columns.items[rows], displays=columns.displays[rows], mailers=columns.mailers[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Campaigns:
    """C campaigns, the households they were sent to, their coupons, and who redeemed one. Days are local, since 1970.

    Args:
        ids: the campaigns' own numbers.
        types: (C,) int8 index into `type_labels`.
        first_days: (C,) int32.
        last_days: (C,) int32, inclusive.
        type_labels: what the types are called.
        target_campaigns: (T,) int32 index into `ids`: campaign `target_campaigns[t]` was sent to `target_users[t]`.
        target_users: (T,) int32 index into `Interactions.user_ids`.
        coupon_campaigns: (K,) int32: a coupon `coupon_numbers[k]` of this campaign is good for `coupon_items[k]`.
        coupon_numbers: (K,) int64, the coupon's printed number (UPC).
        coupon_items: (K,) int32 index into `Interactions.item_ids`.
        redemption_campaigns: (R,) int32; `redemption_users[r]` redeemed `redemption_numbers[r]` on a day.
        redemption_users: (R,) int32.
        redemption_numbers: (R,) int64.
        redemption_days: (R,) int32.
    """

    ids: tuple[int, ...]
    types: NDArray[np.int8]
    first_days: NDArray[np.int32]
    last_days: NDArray[np.int32]
    type_labels: tuple[str, ...]
    target_campaigns: NDArray[np.int32]
    target_users: NDArray[np.int32]
    coupon_campaigns: NDArray[np.int32]
    coupon_numbers: NDArray[np.int64]
    coupon_items: NDArray[np.int32]
    redemption_campaigns: NDArray[np.int32]
    redemption_users: NDArray[np.int32]
    redemption_numbers: NDArray[np.int64]
    redemption_days: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class ShopFacts:
    """What is known of the shop of one data set, in the indices of its interactions.

    Args:
        zone: the IANA time zone of its clocks.
        first_monday: the local day, since 1970, on which week 0 of `Promotions` began.
        payments: of every interaction.
        demographics: of the households.
        campaigns: with their coupons.
        promotions: read when asked for: twenty million rows, memory-mapped.
    """

    zone: str
    first_monday: int
    payments: Payments
    demographics: tuple[Demographic, ...]
    campaigns: Campaigns
    promotions: Callable[[], Promotions]

    def days(self, ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """(E,) local days since 1970."""
        return local_days(ts_ms, self.zone)

    def weeks(self, ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """(E,) the weeks of `Promotions` in which these moments lie; they change on Mondays at midnight, local."""
        return (self.days(ts_ms) - self.first_monday) // DAYS_PER_WEEK
