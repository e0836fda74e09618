"""A real training process is killed in the middle of an epoch; the same command ends with the same bits."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

from model_server.registry.folders import latest_version
from model_server.training.resumable import FOLDER

_TIMEOUT_S = 120


def write_walks(path: Path) -> None:
    """Every visitor walks round a catalog of 60 from a place of her own."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "ts"])
        for step in range(10):
            rows.writerows([f"user-{user}", f"thing {(7 * user + step) % 60}", 1_000 * step] for user in range(600))


def command(data: Path, models_dir: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "app.cli.main", "train", "--data", str(data), "--models-dir", str(models_dir)),
        *("--members", "2", "--epochs", "3", "--threads", "1", "--holdout-events", "0"),
        *("--deterministic", "--checkpoint-every-s", "0", "--json"),
    ]


def finish(data: Path, models_dir: Path) -> tuple[dict[str, object], str]:
    """Run to the end: the line of JSON and what was said."""
    done = subprocess.run(command(data, models_dir), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    line: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return line, done.stderr


def kill_in_mid_epoch(data: Path, models_dir: Path) -> None:
    """SIGKILL as soon as the second network has a checkpoint: after a step or two of its first epoch."""
    with subprocess.Popen(command(data, models_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + _TIMEOUT_S
        while not list(models_dir.glob(f"{FOLDER}/*/checkpoint-1.pt")):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline, "there was no checkpoint"
            time.sleep(0.005)
        process.kill()


def test_a_killed_training_goes_on_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    data = tmp_path / "walks.csv"
    write_walks(data)
    _, said = finish(data, tmp_path / "undisturbed")
    assert "Going on" not in said
    kill_in_mid_epoch(data, tmp_path / "killed")
    assert latest_version(tmp_path / "killed") is None
    _, said = finish(data, tmp_path / "killed")
    assert "Going on in epoch 1 of network 2 of 2" in said
    one, other = (latest_version(tmp_path / name) for name in ("undisturbed", "killed"))
    assert one is not None
    assert other is not None
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert not [path for path in (tmp_path / "killed" / FOLDER).iterdir() if path.is_dir()]
