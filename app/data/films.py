"""Film titles as people write them, from the way in which MovieLens writes them."""

import re
from typing import Final

from app.contracts.catalog import CatalogItem

_ARTICLES: Final = "The|A|An|La|Le|Les|L'|Il|Lo|Das|Der|Die|El|Los|Las|Un|Une"
_MOVED_ARTICLE: Final = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$")
_YEAR_IN_TITLE: Final = re.compile(r"^(?P<title>.+) \((?P<year>\d{4})\)$")
_OTHER_TITLE: Final = re.compile(r"^(?P<title>.+) \((?P<other>[^()]+)\)$")
_NO_GENRES: Final = frozenset({"", "unknown", "(no genres listed)"})


def film(item_id: str, title: str, genres: list[str], year: str = "") -> CatalogItem:
    """One film; a year in the title counts more than the one beside it, an empty title means that nothing is known."""
    title = title.strip()
    if in_title := _YEAR_IN_TITLE.match(title):
        title, year = in_title["title"], in_title["year"]
    if not title:
        return CatalogItem(item_id=item_id, kind="movie", title=f"Unknown film {item_id}")
    return CatalogItem(
        item_id=item_id,
        kind="movie",
        title=f"{readable_title(title)} ({year})" if year else readable_title(title),
        category=tuple(genre for genre in genres if genre not in _NO_GENRES),
        attributes={"year": year} if year else {},
    )


def readable_title(title: str) -> str:
    """The title as a shopper writes it: "Usual Suspects, The" -> "The Usual Suspects", in brackets too."""
    if other := _OTHER_TITLE.match(title):
        return f"{readable_title(other['title'])} ({readable_title(other['other'])})"
    if moved := _MOVED_ARTICLE.match(title):
        space = "" if moved["article"].endswith("'") else " "
        return f"{moved['article']}{space}{moved['rest']}"
    return title
