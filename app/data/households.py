"""The Complete Journey's households: who they are, which campaigns reached them, which coupons they redeemed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from app.data.shop import Campaigns, Demographic

_HOUSEHOLD: Final = "household_id"
_NUMBER: Final = re.compile(r"\d+")


def read_demographics(folder: Path, users: Mapping[int, int]) -> tuple[Demographic, ...]:
    """What is known of those households that are known; `users`: household -> index."""
    table = parquet.read_table(folder / "demographics.parquet")
    rows = _indices(table[_HOUSEHOLD], users)
    return tuple(_demographic(name, table[name], rows, len(users)) for name in table.column_names if name != _HOUSEHOLD)


def read_campaigns(folder: Path, users: Mapping[int, int], items: Mapping[int, int]) -> Campaigns:
    """Campaigns with their targets, coupons and redemptions; lines about unknown products are left out."""
    described = parquet.read_table(folder / "campaign_descriptions.parquet").sort_by("campaign_id")
    targets = parquet.read_table(folder / "campaigns.parquet")
    coupons = parquet.read_table(folder / "coupons.parquet")
    redeemed = parquet.read_table(folder / "coupon_redemptions.parquet")
    coupon_items = _indices(coupons["product_id"], items)
    coupons, coupon_items = coupons.filter(pa.array(coupon_items >= 0)), coupon_items[coupon_items >= 0]
    ids = tuple(described["campaign_id"].to_pylist())
    index = {campaign: place for place, campaign in enumerate(ids)}
    type_labels = tuple(sorted(set(described["campaign_type"].to_pylist())))
    return Campaigns(
        ids=ids,
        types=np.array([type_labels.index(one) for one in described["campaign_type"].to_pylist()], dtype=np.int8),
        first_days=_days(described["start_date"]),
        last_days=_days(described["end_date"]),
        type_labels=type_labels,
        target_campaigns=_indices(targets["campaign_id"], index),
        target_users=_indices(targets[_HOUSEHOLD], users),
        coupon_campaigns=_indices(coupons["campaign_id"], index),
        coupon_numbers=coupons["coupon_upc"].to_numpy(),
        coupon_items=coupon_items,
        redemption_campaigns=_indices(redeemed["campaign_id"], index),
        redemption_users=_indices(redeemed[_HOUSEHOLD], users),
        redemption_numbers=redeemed["coupon_upc"].to_numpy(),
        redemption_days=_days(redeemed["redemption_date"]),
    )


def _demographic(name: str, column: pa.ChunkedArray, rows: NDArray[np.int32], users: int) -> Demographic:
    values = column.to_pylist()
    labels = tuple(sorted({value for value in values if value is not None}, key=_natural))
    codes = np.full(users, -1, dtype=np.int8)
    codes[rows] = [-1 if value is None else labels.index(value) for value in values]
    return Demographic(name=name, labels=labels, codes=codes)


def _natural(label: str) -> tuple[int, str]:
    """Sort key: by the first number in the label; "Under 15K" before "15-24K"."""
    number = _NUMBER.search(label)
    return (int(number[0]) - label.startswith("Under") if number else 0, label)


def _indices(ids: pa.ChunkedArray, index: Mapping[int, int]) -> NDArray[np.int32]:
    return np.array([index.get(one, -1) for one in ids.to_pylist()], dtype=np.int32)


def _days(dates: pa.ChunkedArray) -> NDArray[np.int32]:
    """Local days since 1970."""
    days: NDArray[np.int32] = dates.to_numpy().astype("datetime64[D]").astype(np.int32)
    return days
