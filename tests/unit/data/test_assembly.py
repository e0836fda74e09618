"""Batches become a log: only what is newest is held, ties stay as in the file."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from app.data.assembly import assemble
from app.data.formats.raw import RawLog, batch, nothing_known
from app.interests.state import Kind

ROWS = 600_000


def log_of(batches: list[tuple[np.ndarray, np.ndarray]]) -> RawLog:
    made = [
        batch(
            pa.array(users), pa.array(users % 7), ts_ms.astype(np.int64), np.full(len(users), Kind.VIEW, dtype=np.int8)
        )
        for users, ts_ms in batches
    ]
    return RawLog(files=(Path("log"),), batches=made, catalog=nothing_known)


def test_the_newest_of_many_batches_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    batches = [(rng.integers(0, 900, ROWS), rng.integers(0, 50_000, ROWS)) for _ in range(5)]
    users, ts_ms = (np.concatenate(columns) for columns in zip(*batches, strict=True))
    wanted = np.argsort(ts_ms, kind="stable")[-1_000:]
    log = assemble(log_of(batches), newest=1_000).interactions
    assert log.ts_ms.tolist() == ts_ms[wanted].tolist()
    assert [int(log.user_ids[user]) for user in log.users] == users[wanted].tolist()


def test_ids_are_numbered_as_they_first_appear_in_the_file() -> None:
    log = assemble(
        log_of([(np.array([30, 10]), np.array([9, 5])), (np.array([30, 20]), np.array([7, 5]))])
    ).interactions
    assert log.user_ids == ("30", "10", "20")
    assert log.users.tolist() == [1, 2, 0, 0]
    assert log.item_ids == ("2", "3", "6")
