"""What is worth a line."""

import logging

from app.logs import Rarely


def line(logger: str, message: str, *values: object, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(logger, level, "file", 1, message, values, None)


def test_a_library_repeats_itself_only_after_a_while() -> None:
    now = [0.0]
    rarely = Rarely(10.0, lambda: now[0])

    assert rarely.filter(line("aiokafka.conn", "Unable to connect to %s", 1))
    assert not rarely.filter(line("aiokafka.conn", "Unable to connect to %s", 2))
    assert rarely.filter(line("aiokafka.conn", "Something else"))
    now[0] = 11.0
    assert rarely.filter(line("aiokafka.conn", "Unable to connect to %s", 1))


def test_our_own_lines_are_never_held_back() -> None:
    rarely = Rarely(10.0, lambda: 0.0)

    assert all(rarely.filter(line("riverrun.agents", "the same")) for _ in range(3))
