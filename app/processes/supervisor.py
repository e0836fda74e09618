"""Keeps a program no longer than the process that wanted it.

Runs as a script of its own, with nothing but the standard library:

    python -I -S supervisor.py PARENT_PID FOLDER PROGRAM [ARGUMENT ...]

It takes commands on its standard input, one a line, and answers each with one line:

    start      runs the program             -> its process id
    status     -                            -> "running" or "ended CODE"
    stop       SIGTERM, then SIGKILL        -> "ended CODE"
    kill       SIGKILL                      -> "ended CODE"

When its input ends or its parent is gone, however that happened, it kills the program, removes FOLDER and ends.

Two signs instead of one, because each alone has a hole: a forked sibling can hold the pipe open, and a process id
says nothing in the instant before it is read. If the supervisor itself is killed, the kernel kills the program
(PR_SET_PDEATHSIG: safe here, because the thread that forks is the only one and lives as long as the process).
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
POLL_S = 0.25
STOP_TIMEOUT_S = 20.0


class Supervised:
    """The program under guard: at most one process at a time."""

    def __init__(self, command: list[str], folder: str) -> None:
        self._command = command
        self._folder = folder
        self._libc = ctypes.CDLL(None)  # loaded here: nothing may be loaded between fork and exec
        self._process: subprocess.Popen[bytes] | None = None

    def _die_with_supervisor(self) -> None:
        if hasattr(self._libc, "prctl"):
            self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def start(self) -> str:
        """Run the program with its output in FOLDER/output.txt."""
        self.kill()
        with open(os.path.join(self._folder, "output.txt"), "ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the command comes from the parent
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=self._die_with_supervisor,  # noqa: PLW1509 - this process has one thread
                close_fds=False,  # a lock that the parent handed down is held as long as the program lives
            )
        return str(self._process.pid)

    def status(self) -> str:
        """Say whether it runs."""
        if self._process is None:
            return "ended 0"
        code = self._process.poll()
        return "running" if code is None else f"ended {code}"

    def stop(self) -> str:
        """Ask it to end, and make it end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                return self.kill()
        return self.status()

    def kill(self) -> str:
        """Make it end now."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        return self.status()


def commands(parent: int) -> "list[str] | None":
    """Wait a moment for whole lines on the standard input; None when the parent is gone."""
    readable, _, _ = select.select([0], [], [], POLL_S)
    if os.getppid() != parent:
        return None
    if not readable:
        return []
    # A command is far shorter than PIPE_BUF and written at once, so a read never splits one.
    received = os.read(0, select.PIPE_BUF)
    return received.decode().split() if received else None


def main(arguments: list[str]) -> None:
    """Serve commands until the parent is gone."""
    parent, folder, command = int(arguments[0]), arguments[1], arguments[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # runs the `finally` below
    supervised = Supervised(command, folder)
    try:
        while (names := commands(parent)) is not None:
            for name in names:
                answer = {
                    "start": supervised.start,
                    "status": supervised.status,
                    "stop": supervised.stop,
                    "kill": supervised.kill,
                }[name]()
                os.write(1, f"{answer}\n".encode())
    except BrokenPipeError:
        pass  # the parent went away between its question and the answer
    finally:
        supervised.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
