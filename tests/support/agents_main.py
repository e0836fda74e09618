"""`riverrun agents` with the faults that a test wants.

RIVERTEST_FAULT is `<point>:<signal>:<file>`: the first time the worker reaches that point while the file exists, it
removes the file and sends itself the signal. The points are the ones between the steps of one batch:
`processed`, `appending` (past the lease check, before the rows are sent), `appended` (the changelog acknowledged, the
copies not even sent) and `written` (to RocksDB); and `restored`, after a write of rows that were restored.
RIVERTEST_SLOW_AGENT is `<topic>:<seconds>`: a plain Faust agent in the same application takes so long over each record.
RIVERTEST_SLOW_APPEND_S is how long every append to the changelog takes at least.
RIVERTEST_HELD is a file: no append begins while it exists. Its lines are the batches that were worked out meanwhile.
RIVERTEST_ORDERS is a folder: the worker does what its files are named after, once (`ORDERS`), and removes them.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from faust.types import TP

from app.errors import RiverrunError
from app.logs import LogLevel, log_to_stderr
from app.observability import Metrics
from stream_agents.progress import Progress

COPIES_BEHIND_S = 0.3


class Fault:
    """Strikes once, at its point."""

    def __init__(self, description: str) -> None:
        point, name, file = description.split(":")
        self._point, self._signal, self._file = point, signal.Signals[name], Path(file)
        self.delivering = False

    def waits_for(self, point: str) -> bool:
        """Whether it will strike at this point."""
        return point == self._point and self._file.exists()

    def reached(self, point: str) -> None:
        """Strike if this is the point and the time."""
        if self.waits_for(point):
            self._file.unlink()
            os.kill(os.getpid(), self._signal)


class FaultyPublisher:
    """The real publisher with two points, and slower."""

    def __init__(self, publisher: Any, changelog: str, fault: Fault, hold_up: Callable[[], Awaitable[None]]) -> None:
        self._publisher, self._changelog, self._fault, self._hold_up = publisher, changelog, fault, hold_up
        self.publish, self.stop, self.build_rows = publisher.publish, publisher.stop, publisher.build_rows

    async def send(self, topic: str, *args: Any) -> Any:
        """Send; strike before or after."""
        if topic == self._changelog:
            await self._hold_up()
            self._fault.reached("appending")
        elif self._fault.waits_for("appended"):
            await asyncio.sleep(COPIES_BEHIND_S)
        appended = await self._publisher.send(topic, *args)
        if topic == self._changelog:
            self._fault.delivering = True
            self._fault.reached("appended")
        return appended


class FaultyTable:
    """The real table with one point, or another."""

    def __init__(self, table: Any, fault: Fault) -> None:
        self._table, self._fault = table, fault
        self.read, self.changelog_offset = table.read, table.changelog_offset
        self.note_read_until, self.outdated = table.note_read_until, table.outdated

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write, then strike."""
        self._table.write(partition, rows, changelog_offset)
        if rows:
            self._fault.reached("written" if self._fault.delivering else "restored")


async def hold_up(held: Path) -> None:
    """Make an append wait."""
    await asyncio.sleep(float(os.environ.get("RIVERTEST_SLOW_APPEND_S", "0")))
    while held.exists():  # noqa: ASYNC110, ASYNC240  # a small local file
        await asyncio.sleep(0.02)


async def wire_with_faults(
    config: Any, metrics: Metrics, progress: Progress, on_failure: Callable[[BaseException], None]
) -> Any:
    """The real wiring, with a fault and a slow agent if wanted."""
    from stream_agents.wiring import wire_agents  # noqa: PLC0415  # as late as the command imports it

    wired = await wire_agents(config, metrics, progress, on_failure)
    parts = wired.app.path_parts
    if {"RIVERTEST_FAULT", "RIVERTEST_SLOW_APPEND_S", "RIVERTEST_HELD"} & os.environ.keys():
        held = Path(os.environ.get("RIVERTEST_HELD", "/nowhere"))
        fault = Fault(os.environ.get("RIVERTEST_FAULT", "never:SIGCONT:/nowhere"))
        process = parts.process

        def faulty_process(*args: Any) -> Any:
            processed = process(*args)
            fault.reached("processed")
            if held.exists():
                with held.open("a") as lines:
                    lines.write("a batch\n")
            return processed

        wired.app.path_parts = replace(
            parts,
            process=faulty_process,
            publisher=FaultyPublisher(parts.publisher, parts.hot.changelog, fault, partial(hold_up, held)),  # type: ignore[arg-type]  # as good
            table=FaultyTable(parts.table, fault),  # type: ignore[arg-type]  # as good
        )
    if "RIVERTEST_SLOW_AGENT" in os.environ:
        topic, seconds = os.environ["RIVERTEST_SLOW_AGENT"].split(":")

        async def slow(stream: Any) -> None:
            async for _ in stream:
                await asyncio.sleep(float(seconds))

        wired.app.agent(wired.app.topic(topic, value_type=bytes), name="slow")(slow)
    if folder := os.environ.get("RIVERTEST_ORDERS"):
        wired.app.task(partial(obey, wired.app.consumer, parts.hot.source, Path(folder)))
    return wired


ORDERS: Mapping[str, Callable[..., Any]] = {
    "stop-flow": lambda consumer: consumer.stop_flow(),
    "resume-flow": lambda consumer: consumer.resume_flow(),
    "pause": lambda consumer, tp: consumer.pause_partitions([tp]),
    "resume": lambda consumer, tp: consumer.resume_partitions([tp]),
    "seek": lambda consumer, tp, offset: consumer.seek(tp, int(offset)),
}
"""What a file in the folder of orders may be called: `<order>[.<partition>[.<offset>]]`, as Faust's consumer has it."""


async def obey(consumer: Any, topic: str, folder: Path) -> None:
    """Do what the files say, for ever."""
    while True:
        for file in sorted(folder.iterdir()):  # noqa: ASYNC240  # a small local folder
            order, *where = file.name.split(".")
            if where:
                await _maybe(ORDERS[order](consumer, TP(topic, int(where[0])), *where[1:]))
            else:
                await _maybe(ORDERS[order](consumer))
            file.unlink()
        await asyncio.sleep(0.02)


async def _maybe(result: Any) -> None:
    if asyncio.iscoroutine(result):
        await result


def main() -> None:
    """Run the worker with the wiring above."""
    from app.settings import load_settings  # noqa: PLC0415  # as late as the command imports it
    from stream_agents.entry import run_agents  # noqa: PLC0415

    log_to_stderr(LogLevel.INFO)
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    settings = load_settings()
    chosen = settings.agents.model_copy(update={"state_dir": Path(options["--state-dir"]), "metrics_port": 0})
    run_agents(
        settings.model_copy(update={"agents": chosen}), topic_prefix=options["--topic-prefix"], wire=wire_with_faults
    )


if __name__ == "__main__":
    try:
        main()
    except RiverrunError as error:
        sys.stderr.write(f"riverrun: {error}\n")
        sys.exit(error.exit_code)
