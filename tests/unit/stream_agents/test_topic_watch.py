"""The look at the topics' ids, now and then."""

import pytest

from app.errors import KafkaUnreachable, StateError
from stream_agents.topic_watch import TopicWatch


async def test_it_looks_again_only_when_the_answer_is_too_old() -> None:
    looks: list[float] = []
    now_s = 0.0
    watch = TopicWatch(lambda: looks.append(now_s), lambda: now_s)

    await watch.check(60.0)
    now_s = 30.0
    await watch.check(60.0)
    assert looks == [0.0]
    await watch.check(1.0)
    assert looks == [0.0, 30.0]


async def test_an_answer_that_did_not_come_is_asked_for_again() -> None:
    answers = iter([KafkaUnreachable("away"), StateError("made again")])

    def look() -> None:
        raise next(answers)

    watch = TopicWatch(look, lambda: 0.0)
    with pytest.raises(TimeoutError, match="away"):
        await watch.check(60.0)
    with pytest.raises(StateError, match="made again"):
        await watch.check(60.0)
