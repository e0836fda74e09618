"""The processes of a loop, together."""

from contextlib import ExitStack
from types import TracebackType

from app.processes.service import Launch, Service


class Pipeline:
    """Agents and model server, and a gateway where one is wanted, running inside the `with` block."""

    def __init__(self, agents: Launch, model_server: Launch, gateway: Launch | None = None) -> None:
        self._stack = ExitStack()
        self.agents = Service(agents)
        self.model_server = Service(model_server)
        self.gateway = None if gateway is None else Service(gateway)
        self._all = [each for each in (self.agents, self.model_server, self.gateway) if each is not None]

    def __enter__(self) -> "Pipeline":
        with ExitStack() as stack:  # ends the first when the second cannot be started
            for process in self._all:
                stack.enter_context(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise when one of them has ended.

        Raises:
            ProcessFailed: it has; with the end of its log.
        """
        for process in self._all:
            process.check()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until all are ready.

        Raises:
            ProcessFailed: one has ended or takes longer than `timeout_s`.
        """
        for process in self._all:
            process.wait_ready(timeout_s)
