"""The parts of one batch path, put together by the composition root and carried by the Faust application."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from stream_agents.batch_path.changelog_reader import ChangelogReader
from stream_agents.batch_path.contract import HotTopic, Observer, PathLimits, Process
from stream_agents.batch_path.delivery import Delivery
from stream_agents.batch_path.lease import Lease
from stream_agents.batch_path.publisher import RowPublisher
from stream_agents.batch_path.table import BatchTable


@dataclass(frozen=True, slots=True)
class PathParts:
    """What the consumer needs to serve the hot topic.

    Attributes:
        process: from records to what they come to.
        observer: metrics and health.
        check_topics: raises when the topics are not those that the state was made from; the argument is how many
            seconds old the answer may be.
        now_ms: the time, ms since 1970.
        on_failure: told about an error that no retry can mend; the worker ends.
    """

    hot: HotTopic
    limits: PathLimits
    process: Process[Any]
    table: BatchTable
    publisher: RowPublisher
    reader: ChangelogReader
    lease: Lease
    observer: Observer[Any]
    check_topics: Callable[[float], Awaitable[None]]
    now_ms: Callable[[], int]
    on_failure: Callable[[BaseException], None]

    def delivery(self, still_member: Callable[[], Awaitable[bool]]) -> Delivery[Any]:
        """The order of one batch over these parts."""
        return Delivery(
            self.hot, self.process, self.table, self.publisher, self.reader, self.lease, still_member,
            self.observer.changelog_healed,
        )  # fmt: skip
