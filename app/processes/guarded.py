"""The parent's side of supervisor.py: a program that ends with this process, also when that is killed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from app.errors import ProcessFailed


class GuardedProcess:
    """A program under a supervisor; `folder` belongs to the supervisor from now on and is removed with it.

    Args:
        command: the program and its arguments.
        folder: an existing folder; the program's output goes to `output.txt` in it.
        environment: the program's environment variables; without them those of this process.
        lock_fd: an open file whose lock (flock) program and supervisor are to hold while they live.
    """

    def __init__(
        self,
        command: list[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        lock_fd: int | None = None,
    ) -> None:
        self._folder = folder
        supervisor = Path(__file__).with_name("supervisor.py")
        self._supervisor = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", str(supervisor), str(os.getpid()), str(folder), *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=() if lock_fd is None else (lock_fd,),
            start_new_session=True,  # Ctrl-C is for the parent, which then ends this in order
        )

    def __enter__(self) -> "GuardedProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> int:
        """Run the program anew; gives its process id.

        Raises:
            ProcessFailed: the supervisor has ended, which nothing but a kill makes it do.
        """
        answer = self._ask("start")
        if not answer:
            raise ProcessFailed(
                "The supervisor of a child process has ended.",
                hint=f"Something killed it (exit code {self._supervisor.poll()}); start riverrun again.",
            )
        return int(answer)

    def exit_code(self) -> int | None:
        """None while it runs; negative: ended by that signal, be it together with its supervisor."""
        status = self._ask("status") or f"ended {-signal.SIGKILL}"
        return None if status == "running" else int(status.split()[1])

    def stop(self) -> None:
        """End it in order (SIGTERM), by force after 20 s."""
        self._ask("stop")

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._ask("kill")

    def close(self) -> None:
        """End the program and its supervisor, and remove the folder."""
        if self._supervisor.stdin and not self._supervisor.stdin.closed:
            with suppress(BrokenPipeError):  # it has ended already
                self._supervisor.stdin.close()
            self._supervisor.wait()
            shutil.rmtree(self._folder, ignore_errors=True)  # there is something left if the supervisor was killed
        if self._supervisor.stdout:
            self._supervisor.stdout.close()

    def _ask(self, command: str) -> str:
        """The supervisor's answer; empty if it has ended, and the program with it."""
        answer = b""
        if self._supervisor.stdin and self._supervisor.stdout and not self._supervisor.stdin.closed:
            with suppress(BrokenPipeError):
                self._supervisor.stdin.write(command.encode() + b"\n")
                self._supervisor.stdin.flush()
                answer = self._supervisor.stdout.readline()
        return answer.decode().strip()


def exit_name(code: int) -> str:
    """`exit code 1`, or the signal's name for a program that was killed."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
