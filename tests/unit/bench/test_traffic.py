from collections import Counter

import numpy as np
from aiokafka.partitioner import murmur2

from app.bench.race import fold_plainly
from app.bench.traffic import Visitors, draw_events, head_of, homes_of, total
from app.contracts.events import InvalidEvent, decode_event

PARTITIONS = 4


def test_visitors_lie_where_java_s_murmur2_puts_them() -> None:
    homes = homes_of(5_000, PARTITIONS)

    expected = [(murmur2(f"user-{number:07d}".encode()) & 0x7FFF_FFFF) % PARTITIONS for number in range(5_000)]
    assert homes.tolist() == expected


def test_the_same_seed_gives_the_same_valid_events_on_their_users_partitions() -> None:
    visitors = Visitors.of(200, PARTITIONS)
    homes = dict(zip(visitors.ids, visitors.homes.tolist(), strict=True))

    logs = draw_events(visitors, 3_000, np.random.default_rng(7))

    assert logs == draw_events(visitors, 3_000, np.random.default_rng(7))
    assert logs != draw_events(visitors, 3_000, np.random.default_rng(8))
    assert total(logs) == 3_000
    for partition, log in enumerate(logs):
        for key, value in log:
            event = decode_event(value)
            assert not isinstance(event, InvalidEvent)
            assert event.user_id.encode() == key
            assert homes[event.user_id] == partition


def test_events_have_the_size_that_is_told() -> None:
    logs = draw_events(Visitors.of(100, PARTITIONS), 1_000, np.random.default_rng(1))

    assert 200 <= sum(len(value) for log in logs for _, value in log) / 1_000 <= 240


def test_the_head_of_a_log_is_the_first_part_of_every_partition() -> None:
    logs = draw_events(Visitors.of(100, PARTITIONS), 1_000, np.random.default_rng(1))

    head = head_of(logs, 250)

    assert abs(total(head) - 250) <= PARTITIONS
    assert all(log[: len(part)] == part for log, part in zip(logs, head, strict=True))
    assert head_of(logs, 5_000) == logs


def test_the_plain_fold_keeps_the_newest_fifty_in_order() -> None:
    logs = draw_events(Visitors.of(4, PARTITIONS), 1_000, np.random.default_rng(1))

    golden = fold_plainly(logs)

    assert len(golden) == 4
    for history in golden.values():
        assert len(history) == 50
        assert [each.ts_ms for each in history] == sorted(each.ts_ms for each in history)
    newest = max(history[-1].ts_ms for history in golden.values())
    assert newest == max(decode_event(log[-1][1]).ts_ms for log in logs if log)  # type: ignore[union-attr]  # all are valid


def test_without_an_activity_everybody_comes_once_before_anybody_comes_again() -> None:
    logs = draw_events(Visitors.of(100, PARTITIONS), 250, np.random.default_rng(1), activity_sigma=None)

    counts = Counter(key for log in logs for key, _ in log)
    assert len(counts) == 100
    assert sorted(counts.values()) == [2] * 50 + [3] * 50
