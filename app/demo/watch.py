"""What the demo knows at any moment, for whoever shows it: counts, quality, and one person's list as it changes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.contracts.events import Event, Rate
from app.contracts.recommendations import RecommendedItem
from app.demo.scorecard import Arrival, Ledger, Ranking


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the person's list; `moved` is places up (+) or down (-), None for an item that came in."""

    item: RecommendedItem
    title: str
    moved: int | None


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing the person did, in words; `hit` when it had been on show."""

    words: str
    hit: bool


@dataclass(slots=True)
class Person:
    """The one person whose list is shown."""

    user_id: str
    deeds: list[Deed] = field(default_factory=list)
    places: tuple[Place, ...] = ()
    lists_seen: int = 0


@dataclass(slots=True)
class Watch:
    """The state of a running demo.

    Attributes:
        total: events to replay; `sent` of them are on their way.
        ledger: what was sent and what came back.
        lists, popularity: the quality so far.
        lag: events that the agents, and users that the model server, have not worked off yet.
    """

    total: int
    titles: Mapping[str, str]
    ledger: Ledger
    person: Person
    sent: int = 0
    lists: Ranking = field(default_factory=Ranking)
    popularity: Ranking = field(default_factory=Ranking)
    accepted: int = 0
    rejected: int = 0
    lag: int = 0
    started_s: float = 0.0

    def did(self, event: Event, hit: bool) -> None:
        """The person did something."""
        if event.user_id == self.person.user_id:
            self.person.deeds = [*self.person.deeds[-4:], Deed(in_words(event, self.titles), hit)]

    def arrived(self, user_id: str, arrival: Arrival) -> None:
        """A newer list of somebody came; keep the person's."""
        if user_id == self.person.user_id:
            before = [place.item.item_id for place in self.person.places]
            self.person.places = tuple(_places(arrival.recommendations.lists["home"], before, self.titles))
            self.person.lists_seen += 1


def busiest_first(events: Iterable[Event]) -> list[str]:
    """The users, those with the most events first: the first is the person worth watching."""
    return [user_id for user_id, _events in Counter(event.user_id for event in events).most_common()]


def in_words(event: Event, titles: Mapping[str, str]) -> str:
    """For example "4 stars for Fargo (1996)"."""
    item_id = getattr(event, "item_id", "")
    title = titles.get(item_id, item_id)
    if isinstance(event, Rate):
        return f"{event.rating:g} stars for {title}"
    return f"{type(event).__name__.lower()} {title}"


def _places(items: Iterable[RecommendedItem], before: list[str], titles: Mapping[str, str]) -> Iterable[Place]:
    for position, item in enumerate(items):
        moved = before.index(item.item_id) - position if item.item_id in before else None
        yield Place(item, titles.get(item.item_id, item.item_id), moved)
