"""Amazon reviews (McAuley): 2014 and 2018 as `reviews.json(.gz)`, 2023 as `.jsonl(.gz)`, or ratings alone as csv.

Titles, brands, categories and prices come from the `meta_...` file beside it, of the reviewed items only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from app.data.columns import Column, ids, numbers
from app.data.formats.amazon_meta import meta_beside, read_meta
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.formats.text import Layout, delimited, head, json_lines
from app.data.times import times_ms
from app.errors import DataError
from app.interests.state import Kind

_RATING_NAMES: Final = ("user_id", "parent_asin", "rating", "timestamp")
HEADER_2023: Final = ",".join(_RATING_NAMES)
_WITH_HEADER: Final = Layout(wanted=_RATING_NAMES)
_USER_FIRST: Final = Layout(
    wanted=_RATING_NAMES, names=_RATING_NAMES, example="A1C6M8LCIX4M6M,0001713353,5.0,1123804800"
)
_ITEM_FIRST: Final = Layout(
    wanted=_RATING_NAMES,
    names=("parent_asin", "user_id", "rating", "timestamp"),
    example="0001713353,A1C6M8LCIX4M6M,5.0,1123804800",
)
_ASIN: Final = re.compile(r"(B[0-9A-Z]{9}|\d{9}[0-9X])")
_USER: Final = re.compile(r"A[0-9A-Z]{8,20}")
RATING_LINE: Final = re.compile(rf"(?P<first>{_ASIN.pattern}|{_USER.pattern}),[0-9A-Z]+,\d(\.\d)?,\d{{9,13}}")


class _Old(msgspec.Struct):
    """A review of 2014 or 2018: what is read of it, and how the fields are called."""

    reviewer: str = msgspec.field(name="reviewerID")
    asin: str
    time: int = msgspec.field(name="unixReviewTime")
    overall: float | None = None


class _New(msgspec.Struct):
    """A review of 2023."""

    user_id: str
    parent_asin: str
    timestamp: int
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class _Edition:
    line_type: type
    user: str
    item: str
    time: str
    rating: str

    @property
    def fields(self) -> pa.Schema:
        """Arrow's types."""
        text, moment, stars = pa.string(), pa.int64(), pa.float64()
        return pa.schema([(self.user, text), (self.item, text), (self.time, moment), (self.rating, stars)])


_OLD: Final = _Edition(_Old, "reviewerID", "asin", "unixReviewTime", "overall")
_NEW: Final = _Edition(_New, "user_id", "parent_asin", "timestamp", "rating")


def open_amazon(path: Path) -> RawLog:
    """A file of reviews or ratings, or a folder with one such file and its meta file.

    Raises:
        DataError: there is no such file, or there are several.
    """
    log = _log_in(path) if path.is_dir() else path
    meta = meta_beside(log)
    batches = _ratings(log) if ".csv" in log.suffixes else _reviews(log)
    if meta is None:
        return RawLog(files=(log,), batches=batches, catalog=nothing_known)
    return RawLog(files=(log, meta), batches=batches, catalog=partial(read_meta, meta))


def is_log(path: Path) -> bool:
    """A file that may be one of reviews or ratings."""
    return path.is_file() and not path.name.startswith(("meta_", "."))


def _log_in(folder: Path) -> Path:
    found = [one for one in sorted(folder.iterdir()) if is_log(one)]
    if len(found) != 1:
        raise DataError(
            f"{folder} has {len(found)} files of reviews, wanted one.", hint="Give --data the path of the file itself."
        )
    return found[0]


def _reviews(path: Path) -> Iterator[pa.RecordBatch]:
    first = head(path, lines=1)
    edition = _OLD if first and '"reviewerID"' in first[0] else _NEW
    for lines in json_lines(path, edition.fields, edition.line_type):
        names = {name: Column(str(path), name, lines.column(name)) for name in lines.schema.names}
        yield _batch(names[edition.user], names[edition.item], names[edition.time], names[edition.rating])


def _ratings(path: Path) -> Iterator[pa.RecordBatch]:
    for columns in delimited(path, _layout(path)):
        yield _batch(*(columns[name] for name in ("user_id", "parent_asin", "timestamp", "rating")))


def _layout(path: Path) -> Layout:
    """2014: user first; 2018: item first; 2023: a header. The first line says which."""
    lines = head(path, lines=1)
    first = lines[0].split(",")[0] if lines else ""
    if lines and "rating" in lines[0].split(","):
        return _WITH_HEADER
    return _ITEM_FIRST if _ASIN.fullmatch(first) else _USER_FIRST


def _batch(users: Column, items: Column, times: Column, ratings: Column) -> pa.RecordBatch:
    return batch(
        users=ids(users),
        items=ids(items),
        ts_ms=times_ms(times),
        kinds=np.full(len(users.values), Kind.RATE, dtype=np.int8),
        amounts=Amounts(ratings=numbers(ratings)),
    )
