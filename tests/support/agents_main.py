"""`riverrun agents` with the faults that a test wants.

RIVERTEST_FAULT is `<point>:<signal>:<file>`: the first time the worker reaches that point while the file exists, it
removes the file and sends itself the signal. The points are the ones between the steps of one batch:
`processed`, `appending` (past the lease check, before the rows are sent), `appended` (acknowledged) and `written`.
RIVERTEST_SLOW_AGENT names a topic that a plain, slow Faust agent consumes in the same application.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import RiverrunError
from app.logs import LogLevel, log_to_stderr
from app.observability import Metrics
from stream_agents.progress import Progress


class Fault:
    """Strikes once, at its point."""

    def __init__(self, description: str) -> None:
        point, name, file = description.split(":")
        self._point, self._signal, self._file = point, signal.Signals[name], Path(file)

    def reached(self, point: str) -> None:
        """Strike if this is the point and the time."""
        if point == self._point and self._file.exists():
            self._file.unlink()
            os.kill(os.getpid(), self._signal)


class FaultyPublisher:
    """The real publisher with two points."""

    def __init__(self, publisher: Any, changelog: str, fault: Fault) -> None:
        self._publisher, self._changelog, self._fault = publisher, changelog, fault
        self.publish, self.stop, self.build_rows = publisher.publish, publisher.stop, publisher.build_rows

    async def send(self, topic: str, *args: Any) -> Any:
        """Send; strike before or after."""
        if topic == self._changelog:
            self._fault.reached("appending")
        appended = await self._publisher.send(topic, *args)
        if topic == self._changelog:
            self._fault.reached("appended")
        return appended


class FaultyTable:
    """The real table with one point."""

    def __init__(self, table: Any, fault: Fault) -> None:
        self._table, self._fault = table, fault
        self.read, self.changelog_offset = table.read, table.changelog_offset

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write, then strike."""
        self._table.write(partition, rows, changelog_offset)
        if rows:
            self._fault.reached("written")


async def wire_with_faults(
    config: Any, metrics: Metrics, progress: Progress, on_failure: Callable[[BaseException], None]
) -> Any:
    """The real wiring, with a fault and a slow agent if wanted."""
    from stream_agents.wiring import wire_agents  # noqa: PLC0415  # as late as the command imports it

    wired = await wire_agents(config, metrics, progress, on_failure)
    parts = wired.app.path_parts
    if description := os.environ.get("RIVERTEST_FAULT"):
        fault = Fault(description)
        process = parts.process

        def faulty_process(*args: Any) -> Any:
            processed = process(*args)
            fault.reached("processed")
            return processed

        wired.app.path_parts = replace(
            parts,
            process=faulty_process,
            publisher=FaultyPublisher(parts.publisher, parts.hot.changelog, fault),  # type: ignore[arg-type]  # as good
            table=FaultyTable(parts.table, fault),  # type: ignore[arg-type]  # as good
        )
    if topic := os.environ.get("RIVERTEST_SLOW_AGENT"):

        async def slow(stream: Any) -> None:
            async for _ in stream:
                await asyncio.sleep(0.5)

        wired.app.agent(wired.app.topic(topic, value_type=bytes), name="slow")(slow)
    return wired


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
