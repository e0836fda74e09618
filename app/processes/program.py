"""A program in a folder of its own, whose output is kept; it ends with this process, however this one ends."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.errors import ProcessFailed
from app.processes.guarded import GuardedProcess, exit_name

_LOG_LINES: Final = 12


class Program:
    """Runs inside the `with` block.

    Args:
        title: for messages.
        command: what to run, made for a folder that goes with it, also when everything is killed.
        environment: beside this process's own.
    """

    def __init__(self, title: str, command: Callable[[Path], Sequence[str]], environment: Mapping[str, str]) -> None:
        self.title = title
        self.pid = 0
        self._folder = Path(tempfile.mkdtemp(prefix="riverrun-program-"))
        self._guard = GuardedProcess([*command(self._folder)], self._folder, environment={**os.environ, **environment})

    def __enter__(self) -> Self:
        self.pid = self._guard.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._guard.stop()
        finally:
            self._guard.close()

    def check(self) -> None:
        """Raise when it has ended.

        Raises:
            ProcessFailed: it has; with the end of its log.
        """
        code = self._guard.exit_code()
        if code is not None:
            raise ProcessFailed(f"{self.title} ended ({exit_name(code)}). Its last words:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines it printed."""
        output = self._folder / "output.txt"
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])
