"""What a real RocksDB partition keeps of what was written, however its process ends."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rocksdict

from app.state_folder import MAX_UNREAD_MS
from stream_agents.batch_path.database import MB, READ_UNTIL_KEY, PartitionDatabase, note_read_until

NOW_MS = 1_790_000_000_000
BATCHES, ROWS = 1_500, 5
WRITER = f"""
import os, sys
from pathlib import Path
import rocksdict
from stream_agents.batch_path.database import MB, PartitionDatabase
database = PartitionDatabase(MB, lambda: 0).open(Path(sys.argv[1]))
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


def opened(folder: Path, now_ms: int) -> Any:
    return PartitionDatabase(MB, lambda: now_ms).open(folder)


def written(folder: Path, end: str) -> tuple[int, int]:
    """The newest offset and the number of rows that a partition has after its process ended like this."""
    subprocess.run([sys.executable, "-c", WRITER, str(folder), end], check=end != "killed")  # ours
    database = PartitionDatabase(MB, lambda: 0).open(folder)
    books = (b"offset", READ_UNTIL_KEY)
    return int(database.get(b"offset")), sum(key not in books for key in database.keys())  # noqa: SIM118  # no dict


def test_a_killed_process_leaves_whole_batches_up_to_one_and_none_after_it(tmp_path: Path) -> None:
    offset, rows = written(tmp_path / "p", "killed")

    assert 0 < offset < BATCHES - 1
    assert rows == ROWS * (offset + 1)


def test_whoever_lets_go_of_a_partition_leaves_all_of_it(tmp_path: Path) -> None:
    assert written(tmp_path / "p", "let go") == (BATCHES - 1, ROWS * BATCHES)


def test_there_is_no_log_beside_the_changelog(tmp_path: Path) -> None:
    database = opened(tmp_path, NOW_MS)
    database.put(b"key", b"row")

    assert not any(log.stat().st_size for log in tmp_path.glob("*.log"))


def test_a_partition_that_somebody_else_has_open_says_so_in_the_word_that_faust_looks_for(tmp_path: Path) -> None:
    database = opened(tmp_path, NOW_MS)

    with pytest.raises(Exception, match="lock"):
        opened(tmp_path, NOW_MS)
    del database


def test_a_partition_made_with_faust_s_own_options_can_be_opened(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    before = rocksdict.Rdict(str(tmp_path), options)
    before.put(b"key", b"row")
    note_read_until(before, NOW_MS)
    before.close()

    assert opened(tmp_path, NOW_MS).get(b"key") == b"row"


def test_a_partition_that_was_not_read_on_for_half_a_day_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "interests-0.db"
    database = opened(folder, NOW_MS)
    database.put(b"forgotten meanwhile", b"row")
    note_read_until(database, NOW_MS + 1_000)
    database.close()

    soon = opened(folder, NOW_MS + 1_000 + MAX_UNREAD_MS)
    assert soon.get(b"forgotten meanwhile") == b"row"
    soon.close()
    late = opened(folder, NOW_MS + 1_001 + MAX_UNREAD_MS)
    assert late.get(b"forgotten meanwhile") is None
    late.put(b"ann", b"row")
    late.close()
    assert opened(folder, NOW_MS + 1_002 + MAX_UNREAD_MS).get(b"ann") == b"row"
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]


def test_a_partition_of_which_nobody_knows_until_when_it_was_read_begins_anew(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    before = rocksdict.Rdict(str(tmp_path / "p"), options)
    before.put(b"key", b"row")
    before.close()

    assert opened(tmp_path / "p", NOW_MS).get(b"key") is None
