"""The formats there are, and how a file's own is recognised. To add one: write its file, name it in `Format`, list it.

A format recognises a file by its name and first lines, or a folder by the names in it; the first that does is taken.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.data.formats import amazon, diginetica, kept, movielens, otto, recbole, retailrocket, sequences, yoochoose
from app.data.formats.names import Format
from app.data.formats.raw import RawLog
from app.data.formats.text import head
from app.data.table_files import is_table
from app.errors import DataError


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is seen of a path without reading it: the names in a folder, or a file's name and first lines."""

    path: Path
    names: frozenset[str]
    lines: tuple[str, ...]

    @property
    def unpacked(self) -> frozenset[str]:
        """The names without `.gz`."""
        return frozenset(name.removesuffix(".gz") for name in self.names)

    @property
    def first(self) -> str:
        """The first line, or nothing."""
        return self.lines[0] if self.lines else ""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one format is recognised and opened."""

    recognises: Callable[[Glimpse], bool]
    open: Callable[[Path], RawLog]


_SPLIT: Final = re.compile(r"[,;|]|::")
_YOOCHOOSE: Final = re.compile(r"\d+,\d{4}-\d\d-\d\dT[\d:.]+Z,\d+,\w+(,\d+)?")
_MOVIELENS: Final = re.compile(r"\d+::\d+::[\d.]+::\d+")
_DIGINETICA: Final = re.compile(r"session_?[iI]d;user_?[iI]d;.*")
# `user item rating time` has four words a line as well, the last of them a moment.
_LOG_WORDS: Final = 4
_EARLIEST_S: Final = 500_000_000
_PAIR: Final = 2


def glimpse(path: Path) -> Glimpse:
    """Look at a file or folder.

    Raises:
        DataError: it is not there.
    """
    if path.is_dir():
        return Glimpse(path=path, names=frozenset(one.name for one in path.iterdir()), lines=())
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="Give the path of a file or folder that is there.")
    return Glimpse(path=path, names=frozenset({path.name}), lines=head(path))


def recognise(path: Path) -> Format:
    """The format of a file or folder.

    Raises:
        DataError: it is not there, or of none.
    """
    seen = glimpse(path)
    for name, reader in READERS.items():
        if reader.recognises(seen):
            return name
    if any(is_table(one) for one in ([path / name for name in seen.names] if path.is_dir() else [path])):
        return Format.TABLE
    what = f"has {', '.join(sorted(seen.names)[:8])}" if path.is_dir() else f"starts with {seen.first[:80]!r}"
    others = ", ".join(name for name in Format if name is not Format.AUTO)
    raise DataError(f"{path} {what}, which is of no format that is known.", hint=f"Say --format, one of {others}.")


def _is_kept(seen: Glimpse) -> bool:
    return seen.names >= {kept.EVENTS, kept.CATALOG}


def _is_movielens_dat(seen: Glimpse) -> bool:
    return "ratings.dat" in seen.unpacked or bool(_MOVIELENS.fullmatch(seen.first))


def _is_movielens_csv(seen: Glimpse) -> bool:
    return {"ratings.csv", "movies.csv"} <= seen.unpacked or seen.first == "userId,movieId,rating,timestamp"


def _is_amazon(seen: Glimpse) -> bool:
    if seen.path.is_dir():
        logs = [one for one in (seen.path / name for name in seen.names) if amazon.is_log(one)]
        return len(logs) == 1 and _is_amazon(glimpse(logs[0]))
    is_review = seen.first.startswith("{") and '"asin"' in seen.first
    has_user = '"reviewerID"' in seen.first or '"user_id"' in seen.first
    is_rating = seen.first == amazon.HEADER_2023 or bool(amazon.RATING_LINE.fullmatch(seen.first))
    return (is_review and has_user) or is_rating


def _is_retailrocket(seen: Glimpse) -> bool:
    in_folder = "events.csv" in seen.unpacked and any(name.startswith("item_properties") for name in seen.names)
    return in_folder or seen.first.startswith("timestamp,visitorid,event,itemid")


def _is_yoochoose(seen: Glimpse) -> bool:
    return bool({yoochoose.CLICKS, yoochoose.BUYS} & seen.unpacked or _YOOCHOOSE.fullmatch(seen.first))


def _is_otto(seen: Glimpse) -> bool:
    if seen.path.is_dir():
        logs = sorted(name for name in seen.names if ".jsonl" in name)
        return bool(logs) and _is_otto(glimpse(seen.path / logs[0]))
    return seen.first.startswith("{") and '"session"' in seen.first and '"events"' in seen.first


def _is_diginetica(seen: Glimpse) -> bool:
    return diginetica.VIEWS in seen.unpacked or bool(_DIGINETICA.fullmatch(seen.first))


def _is_recbole(seen: Glimpse) -> bool:
    if seen.path.is_dir():
        return sum(name.endswith(".inter") for name in seen.names) == 1
    return "item_id:token\t" in seen.first


def _is_pairs(seen: Glimpse) -> bool:
    words = _words(seen)
    users = Counter(line[0] for line in words)
    return bool(words) and all(len(line) == _PAIR for line in words) and max(users.values()) > 1


def _is_sequences(seen: Glimpse) -> bool:
    """Words only, somebody has several; no header, and no log with a moment in its last column."""
    words = _words(seen)
    is_log = all(len(line) == _LOG_WORDS and line[3].isdigit() and int(line[3]) > _EARLIEST_S for line in words)
    return not is_log and any(len(line) > _PAIR for line in words)


def _words(seen: Glimpse) -> list[list[str]]:
    """The first lines as words; none where they are a table, JSON, or not text."""
    is_other = is_table(seen.path) or any(_SPLIT.search(line) for line in seen.lines)
    if is_other or seen.first.startswith(("{", "[", "<", "#")):
        return []
    return [words for line in seen.lines if (words := line.split())]


READERS: Final[dict[Format, Reader]] = {
    Format.KEPT: Reader(_is_kept, kept.open_kept),
    Format.MOVIELENS_1M: Reader(_is_movielens_dat, movielens.open_dat),
    Format.MOVIELENS_CSV: Reader(_is_movielens_csv, movielens.open_csv),
    Format.RETAILROCKET: Reader(_is_retailrocket, retailrocket.open_retailrocket),
    Format.YOOCHOOSE: Reader(_is_yoochoose, yoochoose.open_yoochoose),
    Format.DIGINETICA: Reader(_is_diginetica, diginetica.open_diginetica),
    Format.OTTO: Reader(_is_otto, otto.open_otto),
    Format.RECBOLE: Reader(_is_recbole, recbole.open_recbole),
    Format.AMAZON_REVIEWS: Reader(_is_amazon, amazon.open_amazon),
    Format.PAIRS: Reader(_is_pairs, sequences.open_pairs),
    Format.SEQUENCES: Reader(_is_sequences, sequences.open_sequences),
}
"""Format -> its reader, the most particular first; tables are opened with their mapping (app.data.tables)."""
