"""What a real RocksDB partition keeps of what was written, however its process ends."""

import subprocess
import sys
from pathlib import Path

import pytest
import rocksdict

from stream_agents.batch_path.database import MB, PartitionDatabase

BATCHES, ROWS = 1_500, 5
WRITER = f"""
import os, sys
from pathlib import Path
import rocksdict
from stream_agents.batch_path.database import MB, PartitionDatabase
database = PartitionDatabase(MB).open(Path(sys.argv[1]))
for batch in range({BATCHES}):
    rows = rocksdict.WriteBatch(raw_mode=True)
    for row in range({ROWS}):
        rows.put(b"%d-%d" % (batch, row), os.urandom(500))
    rows.put(b"offset", b"%d" % batch)
    database.write(rows)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
del database
"""


def written(folder: Path, end: str) -> tuple[int, int]:
    """The newest offset and the number of rows that a partition has after its process ended like this."""
    subprocess.run([sys.executable, "-c", WRITER, str(folder), end], check=end != "killed")  # ours
    database = PartitionDatabase(MB).open(folder)
    return int(database.get(b"offset")), sum(1 for _ in database.keys()) - 1  # noqa: SIM118  # no dict


def test_a_killed_process_leaves_whole_batches_up_to_one_and_none_after_it(tmp_path: Path) -> None:
    offset, rows = written(tmp_path / "p", "killed")

    assert 0 < offset < BATCHES - 1
    assert rows == ROWS * (offset + 1)


def test_whoever_lets_go_of_a_partition_leaves_all_of_it(tmp_path: Path) -> None:
    assert written(tmp_path / "p", "let go") == (BATCHES - 1, ROWS * BATCHES)


def test_there_is_no_log_beside_the_changelog(tmp_path: Path) -> None:
    database = PartitionDatabase(MB).open(tmp_path)
    database.put(b"key", b"row")

    assert not any(log.stat().st_size for log in tmp_path.glob("*.log"))


def test_a_partition_that_somebody_else_has_open_says_so_in_the_word_that_faust_looks_for(tmp_path: Path) -> None:
    database = PartitionDatabase(MB).open(tmp_path)

    with pytest.raises(Exception, match="lock"):
        PartitionDatabase(MB).open(tmp_path)
    del database


def test_a_partition_made_with_faust_s_own_options_can_be_opened(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    before = rocksdict.Rdict(str(tmp_path), options)
    before.put(b"key", b"row")
    before.close()

    assert PartitionDatabase(MB).open(tmp_path).get(b"key") == b"row"
