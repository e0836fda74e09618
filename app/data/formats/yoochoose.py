"""Yoochoose (RecSys Challenge 2015): clicks and purchases of anonymous sessions, `.dat` without a header.

A session is a user here. The category column says "special offer", a category or a brand in turns; it is not read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.data.columns import numbers, whole_numbers
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.formats.text import Layout, delimited, plain_or_packed
from app.data.times import times_ms
from app.interests.state import Kind

CLICKS: Final = "yoochoose-clicks.dat"
BUYS: Final = "yoochoose-buys.dat"
_CLICKS: Final = Layout(
    wanted=("session", "time", "item"),
    names=("session", "time", "item", "category"),
    example="1,2014-04-07T10:51:09.277Z,214536502,0",
)
_BUYS: Final = Layout(
    wanted=("session", "time", "item", "quantity"),
    names=("session", "time", "item", "price", "quantity"),
    example="420374,2014-04-06T18:44:58.314Z,214537888,12462,1",
)


def open_yoochoose(path: Path) -> RawLog:
    """The clicks alone, the buys alone, or the folder with both: then a session's purchases follow its clicks."""
    both = (plain_or_packed(path / CLICKS), plain_or_packed(path / BUYS))
    files = tuple(one for one in both if one.is_file()) if path.is_dir() else (path,)
    return RawLog(files=files, batches=_batches(files), catalog=nothing_known)


def _batches(files: tuple[Path, ...]) -> Iterator[pa.RecordBatch]:
    for path in files:
        is_buys = "buys" in path.name
        for columns in delimited(path, _BUYS if is_buys else _CLICKS):
            rows = len(columns["session"].values)
            quantities = numbers(columns["quantity"]) if is_buys else np.full(rows, np.nan, dtype=np.float32)
            yield batch(
                users=whole_numbers(columns["session"]),
                items=whole_numbers(columns["item"]),
                ts_ms=times_ms(columns["time"]),
                kinds=np.full(rows, Kind.PURCHASE if is_buys else Kind.CLICK, dtype=np.int8),
                amounts=Amounts(quantities=quantities),
            )
