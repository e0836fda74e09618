"""The real commands: the real encoder is fine-tuned, and a version is trained with it."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.settings import Settings
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.text.pretrained import FINGERPRINT, open_text_encoder
from model_server.text.tuned import TunedEncoder, read_tuned
from tests.support.planted import planted_model

CPU = torch.device("cpu")
# Who likes one thing of a group likes the others: nothing that a pretrained encoder could know.
GROUPS = (
    ("hammer", "violin", "lemon"), ("candle", "tractor", "poem"), ("scarf", "router", "walnut"),
    ("anchor", "novel", "cheese"), ("ladder", "perfume", "goat"), ("mirror", "engine", "spinach"),
)  # fmt: skip
# 432 things: of the 43 that are held out at least 30 are asked for.
THINGS = [
    f"{word} of maker {letter * 3}" for group in GROUPS for word in group for letter in "ABCDEFGHIJKLMNOPQRSTUVWX"
]


def riverrun(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "app.cli.main", *arguments, "--threads", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    line: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return line


def write_shop(folder: Path) -> list[str]:
    """Its files, and how the commands are told of them."""
    rng = np.random.default_rng(1)
    group_of = np.repeat(np.arange(len(GROUPS)), len(THINGS) // len(GROUPS))
    with (folder / "clicks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "ts"])
        taken = [rng.permutation(np.flatnonzero(group_of == user // 2 % len(GROUPS)))[:40] for user in range(400)]
        rows.writerows([f"u{user}", f"i{taken[user][step]}", 1_000 * step] for step in range(40) for user in range(400))
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title"])
        rows.writerows([f"i{item}", title] for item, title in enumerate(THINGS))
    return [
        *("--data", str(folder / "clicks.csv"), "--catalog", str(folder / "items.csv")),
        *("--models-dir", str(folder / "models"), "--holdout-events", "0"),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def finetuned(shop: list[str]) -> Path:
    told = riverrun("train", "encoder", *shop, "--steps", "40")
    assert told["helps"], told
    return Path(str(told["folder"]))


def test_a_version_is_trained_with_the_encoder_that_learned_the_shop(
    shop: list[str], finetuned: Path, settings: Settings
) -> None:
    tuned = read_tuned(finetuned)
    assert tuned.findings.cold.low > 0
    told = riverrun("train", *shop, "--encoder", str(finetuned), "--epochs", "1")
    model = load_version(Path(str(told["folder"])), CPU).model
    assert model.tuned is not None
    assert model.text_encoder == model.tuned.fingerprint == tuned.fingerprint != FINGERPRINT
    texts = [THINGS[int(item_id.removeprefix("i"))] for item_id in model.item_ids]
    encoder = open_text_encoder(settings.cache_dir, CPU, print, tuned)
    assert np.allclose(model.texts, encoder.encode(texts), atol=1e-5)
    lemon, hammer = encoder.encode(["lemon", "hammer"])
    before = open_text_encoder(settings.cache_dir, CPU, print).encode(["lemon", "hammer"])
    assert lemon @ hammer > before[0] @ before[1]


def test_where_fine_tuning_did_not_help_a_version_says_so_and_reads_as_before(
    finetuned: Path, settings: Settings, tmp_path: Path
) -> None:
    tuned = replace(read_tuned(finetuned), weights={})
    encoder = open_text_encoder(settings.cache_dir, CPU, print, tuned)
    assert encoder.fingerprint == FINGERPRINT
    model = replace(
        planted_model({"a": "one", "b": "two"}, encoder), tuned=TunedEncoder(FINGERPRINT, {}, tuned.findings)
    )
    folder = save_version(tmp_path, model, now_ms=1_790_000_000_000)
    assert "did not help" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert load_version(folder, CPU).model.text_encoder == FINGERPRINT
