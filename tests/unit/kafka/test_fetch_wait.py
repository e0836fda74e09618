"""The wait follows the traffic."""

# ruff: noqa: SLF001  # the private name is what is tested
from types import SimpleNamespace

from app.kafka.fetch_wait import AT_ONCE_BYTES, GATHERED_BYTES, IDLE_AFTER_S, IDLE_WAIT_MS, FetchWait


def test_a_fetch_waits_briefly_while_records_come_and_long_after_a_quiet_time() -> None:
    now_s = [100.0]
    fetcher = SimpleNamespace(_fetch_max_wait_ms=5)
    wait = FetchWait(SimpleNamespace(_fetcher=fetcher), busy_ms=5, now_s=lambda: now_s[0])
    waits = []
    for records, after_s in [(0, 0.0), (3, 0.0), (0, IDLE_AFTER_S / 2), (0, IDLE_AFTER_S), (1, 0.0)]:
        now_s[0] += after_s
        wait.polled(records)
        waits.append(fetcher._fetch_max_wait_ms)
    assert waits == [IDLE_WAIT_MS, 5, 5, IDLE_WAIT_MS, 5]


def test_a_wait_longer_than_the_idle_one_is_kept() -> None:
    fetcher = SimpleNamespace(_fetch_max_wait_ms=0)
    FetchWait(SimpleNamespace(_fetcher=fetcher), busy_ms=300, now_s=lambda: 0.0).polled(0)
    assert fetcher._fetch_max_wait_ms == 300


def test_many_records_gather_at_the_broker_and_a_few_do_not_wait() -> None:
    now_s = [0.0]
    fetcher = SimpleNamespace(_fetch_max_wait_ms=5, _fetch_min_bytes=1)
    wait = FetchWait(SimpleNamespace(_fetcher=fetcher), busy_ms=5, now_s=lambda: now_s[0])
    asked = []
    for records in (20, 100, 100, 20, 0):  # each 0.3 s later
        now_s[0] += 0.3
        wait.polled(records)
        asked.append(fetcher._fetch_min_bytes)
    assert asked == [AT_ONCE_BYTES, GATHERED_BYTES, GATHERED_BYTES, AT_ONCE_BYTES, AT_ONCE_BYTES]
