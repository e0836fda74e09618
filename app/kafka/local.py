"""A real Apache Kafka on this machine: one node in KRaft mode that ends with the process that started it."""

import fcntl
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.errors import KafkaStartFailed
from app.kafka.access import KafkaAccess
from app.kafka.broker_config import LOG4J, Ports, java_command, prepare_log_dir, server_properties
from app.kafka.failure import start_failure
from app.kafka.install import KafkaInstall, Progress, check_space, install_kafka
from app.kafka.java import Java, find_java
from app.kafka.ports import free_ports
from app.kafka.probe import probe
from app.processes.guarded import GuardedProcess, exit_name
from app.settings import Settings

START_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
POLL_S = 0.05


class LocalKafka:
    """One broker, always on the same port and log folder; start and stop it as often as a test likes.

    Not running at first. Use `local_kafka`, which also closes it.

    Args:
        install: the Apache Kafka to run.
        java: what runs it.
        ports: where it listens.
        data_dir: its log folder, kept after `close`; without one its data goes with it.
        failure_log: where the whole log is kept when a start fails.
        otherwise: properties of the broker in place of the usual ones.
    """

    def __init__(
        self,
        install: KafkaInstall,
        java: Java,
        ports: Ports,
        data_dir: Path | None,
        failure_log: Path,
        otherwise: Mapping[str, str | int],
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="riverrun-kafka-"))
        self._log = self._folder / "kafka.log"
        self._failure_log = failure_log
        self._ports = ports
        self.java = java
        self.version = install.version
        self.pid: int | None = None
        log4j, properties = self._folder / "log4j2.properties", self._folder / "server.properties"
        command = java_command(java, install.class_path, self._log, log4j, ["kafka.Kafka", str(properties)])
        log_dir = (data_dir or self._folder / "data").absolute()
        try:
            with _locked(log_dir) as lock_fd:
                self._process = GuardedProcess(command, self._folder, lock_fd=lock_fd)  # now it removes the folder
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            prepare_log_dir(log_dir, install.formatted)
            check_space(log_dir)
            log4j.write_text(LOG4J)
            properties.write_text(server_properties(log_dir, ports, otherwise))
        except BaseException:
            self.close()
            raise

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return self._ports.bootstrap_servers

    @property
    def access(self) -> KafkaAccess:
        """The way in: plain text."""
        return KafkaAccess(self.bootstrap_servers)

    @property
    def folder(self) -> Path:
        """Its configuration, its log `kafka.log`, and its data if no other folder was given; ends with it."""
        return self._folder

    def start(self) -> None:
        """Run the broker and return when it answers.

        Raises:
            KafkaStartFailed: it ended or did not answer within 60 s; shows its log's last lines.
        """
        started = time.monotonic()
        self.pid = self._process.start()
        while not probe(self.access, PROBE_TIMEOUT_S).ok:
            seconds = time.monotonic() - started
            code = self._process.exit_code()
            if code is not None:
                raise self._failed(f"ended after {seconds:.1f} s ({exit_name(code)})")
            if seconds > START_TIMEOUT_S:
                self._process.kill()
                raise self._failed(f"did not answer within {START_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the broker in order; its data stays."""
        self._process.stop()

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL); its data stays."""
        self._process.kill()

    def close(self) -> None:
        """End the broker and remove its temporary folder."""
        self._process.close()

    def log(self) -> list[str]:
        """What Java printed, then the broker's log."""
        found: list[str] = []
        for name in ("output.txt", "kafka.log"):
            path = self._folder / name
            if path.exists():
                found += [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        return found

    def _failed(self, what: str) -> KafkaStartFailed:
        return start_failure(what, self.log(), self._failure_log)


@contextmanager
def _locked(log_dir: Path) -> Iterator[int]:
    """An open, locked file in the log folder, for handing down.

    Kafka's own lock comes too late: it opens the metadata log first, and two brokers destroy it.

    Raises:
        KafkaStartFailed: another broker has the folder.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    with (log_dir / "riverrun.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KafkaStartFailed(
                f"Another broker uses the data folder {log_dir}.", hint="Stop it, or use another folder."
            ) from error
        yield file.fileno()


@contextmanager
def local_kafka(
    settings: Settings,
    on_progress: Progress,
    *,
    data_dir: Path | None = None,
    port: int | None = None,
    environment: Mapping[str, str] = os.environ,
    otherwise: Callable[[Ports], Mapping[str, str | int]] = lambda _: {},
) -> Iterator[LocalKafka]:
    """Find a Java, complete the jars, and run a broker for the length of the block.

    `otherwise` gives properties of the broker in place of the usual ones.

    Raises:
        KafkaStartFailed: no Java, no jars and no network, no disk space, a port in use, or a broker that ends.
    """
    java = find_java(environment)
    install = install_kafka(settings.cache_dir, settings.kafka.version, java, on_progress)
    check_space(Path(tempfile.gettempdir()))
    ports = free_ports(random.SystemRandom(), port)
    failure_log = settings.cache_dir / "kafka" / "last-failure.log"
    kafka = LocalKafka(install, java, ports, data_dir, failure_log, otherwise(ports))
    try:
        on_progress(f"Starting Apache Kafka {install.version} on {java}")
        kafka.start()
        yield kafka
    finally:
        if data_dir is not None:
            kafka.stop()  # its data outlives it: leave it in order
        kafka.close()
