"""A real Prometheus with the project's own rules, reading the processes of a test."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.dashboard import INFRA

WAIT_S: Final = 30.0
_INTERVAL: Final = "500ms"


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._port = port

    def values(self, expression: str) -> list[float]:
        """What the expression comes to now: a number for each line of a panel.

        Raises:
            urllib.error.HTTPError: it is no PromQL.
        """
        parameters = urllib.parse.urlencode({"query": expression})
        return [float(line["value"][1]) for line in self._get(f"/api/v1/query?{parameters}")["data"]["result"]]

    def alerts(self) -> dict[str, str]:
        """Every rule's state: inactive, pending or firing.

        Raises:
            AssertionError: Prometheus could not work one out.
        """
        rules = [rule for group in self._get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        broken = {rule["name"]: rule["lastError"] for rule in rules if rule["health"] == "err"}
        assert not broken
        return {rule["name"]: rule["state"] for rule in rules}

    def is_ready(self) -> bool:
        """Whether it serves."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            return json.load(answer)


@contextmanager
def prometheus(binary: str, ports: Mapping[str, int], folder: Path, port: int) -> Iterator[Prometheus]:
    """Prometheus with the configuration of docker-compose.yml, but reading these ports, and more often.

    Args:
        binary: the program.
        ports: of /metrics on this machine, by the name of the job.
        folder: empty; its own.
        port: where it listens.
    """
    config = yaml.safe_load((INFRA / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL}
    # A process that does not run has no address in compose's DNS, so its job has no targets.
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in ports]
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(INFRA / "prometheus" / "alerts.yml", folder)
    command = [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        running = Prometheus(port)
        deadline = time.monotonic() + WAIT_S
        while not running.is_ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield running
    finally:
        process.kill()
        process.wait()
