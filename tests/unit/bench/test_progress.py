from dataclasses import dataclass

import pytest

from app.bench.progress import OutputSeen, pace
from app.errors import RiverrunError


@dataclass(frozen=True)
class Output:
    offset: int
    timestamp: int
    key: bytes = b"user"
    value: bytes = b""


def per_event(place: int, _value: bytes) -> int:
    return place + 1


def seen(*partitions: list[Output]) -> OutputSeen:
    output = OutputSeen(per_event)
    for number, records in enumerate(partitions):
        output.see(number, records)
    return output


def test_the_clock_runs_from_the_end_of_the_warm_up_to_the_last_output() -> None:
    steady = [Output(offset, 1_000 + 10 * offset) for offset in range(101)]

    measured = pace(seen(steady), warm_up=51)

    assert measured.events == 50
    assert measured.seconds == pytest.approx(0.5)
    assert measured.events_per_s == pytest.approx(100)


def test_start_up_does_not_count() -> None:
    late = [Output(offset, 900_000 + 10 * offset) for offset in range(101)]

    assert pace(seen(late), warm_up=51).events_per_s == pytest.approx(100)


def test_partitions_add_up_and_those_of_one_moment_count_together() -> None:
    first = [Output(0, 1_000), Output(1, 2_000), Output(2, 3_000)]
    second = [Output(0, 1_000), Output(1, 2_000)]

    measured = pace(seen(first, second), warm_up=2)

    assert (measured.events, measured.seconds) == (3, 2.0)


def test_an_output_may_speak_for_several_events() -> None:
    output = OutputSeen(lambda _place, value: int(value))
    output.see(0, [Output(0, 1_000, value=b"10"), Output(1, 1_000, value=b"8"), Output(2, 3_000, value=b"40")])

    assert pace(output, warm_up=10).events == 30
    assert output.records == 3
    assert output.newest == {b"user": b"40"}


@pytest.mark.parametrize(
    "output",
    [seen(), seen([Output(0, 1_000)]), seen([Output(0, 1_000), Output(1, 1_000)])],
    ids=["nothing", "less than the warm-up", "all at once"],
)
def test_too_little_to_time_is_said(output: OutputSeen) -> None:
    with pytest.raises(RiverrunError, match="too few to time"):
        pace(output, warm_up=2)
