"""The images: what they are made from is pinned, and their health check tells the truth."""

import http.server
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator

import pytest

from tests.support.process import REPOSITORY

DOCKERFILE = (REPOSITORY / "infra" / "docker" / "Dockerfile").read_text()
PROBE = REPOSITORY / "infra" / "docker" / "probe.py"


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that answers 200 for /readyz and 503 for all else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/readyz" else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def probe(port: int, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-IS", str(PROBE), str(port), path], capture_output=True, text=True, check=False
    )


def test_the_probe_says_yes_to_200_only(port: int) -> None:
    assert probe(port, "/readyz").returncode == 0
    refused = probe(port, "/healthz")
    assert (refused.returncode, refused.stderr.strip()) == (1, "/healthz says 503")


def test_the_probe_says_no_where_nobody_listens() -> None:
    refused = probe(1, "/readyz")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_uv_in_the_images_is_the_one_of_the_lock() -> None:
    locked = {each["name"]: each["version"] for each in tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]}
    assert f"ARG UV_VERSION={locked['uv']}\n" in DOCKERFILE


def test_the_base_image_is_pinned_and_a_python_that_the_project_supports() -> None:
    version = re.search(r"^ARG PYTHON_IMAGE=python:(\d+)\.(\d+)\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert version
    assert (3, 11) <= (int(version[1]), int(version[2])) < (3, 14)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {
        "${PYTHON_IMAGE}", "tools", "runtime", "runtime-model",
    }  # fmt: skip


def test_both_images_run_as_a_user_of_their_own() -> None:
    for target in ("streams", "model"):
        stage = re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
        assert stage
        assert stage[1].rstrip().endswith('USER riverrun\nENTRYPOINT ["riverrun"]\nCMD ["--help"]')


def test_packages_are_installed_as_they_are_locked() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if re.search(r"^\s+(&& )?/opt/uv/bin/uv pip|\$install ", line)]
    assert len(installs) == 6
    for line in installs:
        assert "--require-hashes" in line or "/wheel/" in line or "--constraint /lists/versions.txt" in line, line


def test_no_secret_and_no_git_folder_enters_an_image() -> None:
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert (REPOSITORY / ".dockerignore").read_text().splitlines()[1] == "*"
    assert not any(name.startswith(".") for name in allowed)
    assert all((REPOSITORY / name).exists() for name in allowed)
