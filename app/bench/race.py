"""One contestant through one log, from fresh topics to a checked result."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from app.bench.contestants import KEPT, Contestant, Course, Interaction
from app.bench.cpu import CpuLog, broker_pid
from app.bench.log import append, committed, length, scan
from app.bench.progress import OutputSeen, Pace, pace
from app.bench.traffic import KeyValue, total
from app.contracts.events import Event, InvalidEvent, decode_event, event_type
from app.errors import ProcessFailed, RiverrunError
from app.kafka.access import KafkaAccess
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, TopicSpec, load_topics
from app.processes.program import Program

FINISH_TIMEOUT_S: Final = 240.0
_POLL_S: Final = 0.25
_MILLION: Final = 1_000_000


class WrongResult(RiverrunError):
    """A contestant did not do the job: its speed means nothing."""

    exit_code = 8


@dataclass(frozen=True, slots=True)
class Finish:
    """What a race came to.

    Attributes:
        pace: of the timed part.
        outputs_per_event: below 1 where one output speaks for several events of a user.
        cpu_us_per_event: processor time of all its processes, in the timed part.
        broker_cpu_us_per_event: the broker's; None where it is out of sight.
    """

    pace: Pace
    outputs_per_event: float
    cpu_us_per_event: float
    broker_cpu_us_per_event: float | None


@contextmanager
def bench_topics(access: KafkaAccess, prefix: str, changelog: str = "") -> Iterator[Topics]:
    """Fresh topics that exist for the length of the block, as riverrun sets them, but stamped by the broker's clock.

    Args:
        access: to Kafka.
        prefix: before every name.
        changelog: another name for the changelog.
    """
    plain = load_topics().with_prefix(prefix)
    topics = replace(
        plain,
        score_requests=_stamped(plain.score_requests),
        interests_changelog=_stamped(plain.interests_changelog, changelog),
    )
    apply_topics(access, topics)
    try:
        yield topics
    finally:
        delete_topics(access, topics)


def new_prefix() -> str:
    """A prefix for topic names that no other run has."""
    return f"bench-{secrets.token_hex(3)}-"


def race(contestant: Contestant, access: KafkaAccess, logs: Sequence[Sequence[KeyValue]], warm_up: int) -> Finish:
    """Let it process these events, all of which are in Kafka before it starts.

    Raises:
        ProcessFailed: it ended, or did not finish in time.
        WrongResult: its output is not the fold of the log.
    """
    prefix = new_prefix()
    with tempfile.TemporaryDirectory(prefix="riverrun-bench-") as scratch:
        nowhere = Course(access, prefix, f"{prefix}events", f"{prefix}score-requests", len(logs), Path())
        with bench_topics(access, prefix, contestant.changelog(nowhere)) as topics:
            course = replace(
                nowhere, events=topics.events.name, output=topics.score_requests.name, scratch=Path(scratch)
            )
            asyncio.run(append(access, course.events, logs))
            with _program(contestant, course) as program:
                own, broker = CpuLog(program.pid), broker_pid(access.bootstrap_servers)
                logged = [own] if broker is None else [own, CpuLog(broker)]
                asyncio.run(_finished(program, contestant.group(course), course, total(logs), logged))
            measured, outputs_per_event = asyncio.run(_judge(contestant, course, logs, warm_up))
    own_us, *brokers_us = (
        log.used_s(measured.start_ms, measured.end_ms) / measured.events * _MILLION for log in logged
    )
    return Finish(measured, outputs_per_event, own_us, brokers_us[0] if brokers_us else None)


def _program(contestant: Contestant, course: Course) -> Program:
    return Program(contestant.title, lambda _own: contestant.command(course), contestant.environment(course))


async def _finished(program: Program, group: str, course: Course, events: int, logged: Sequence[CpuLog]) -> None:
    """Wait until the group has committed the whole log; note who uses how much processor time meanwhile."""
    deadline = time.monotonic() + FINISH_TIMEOUT_S
    done = 0
    while done < events:
        done = await committed(course.access, group, course.events)
        for log in logged:
            log.sample()
        program.check()
        if time.monotonic() > deadline:
            raise ProcessFailed(
                f"{program.title} had committed {done} of {events} events after {FINISH_TIMEOUT_S:.0f} s. "
                f"Its last words:\n{program.log_tail()}"
            )
        await asyncio.sleep(_POLL_S)


async def _judge(
    contestant: Contestant, course: Course, logs: Sequence[Sequence[KeyValue]], warm_up: int
) -> tuple[Pace, float]:
    """Check its result; how fast it was, and its outputs per event."""
    access, partitions = course.access, course.partitions
    seen = OutputSeen(contestant.covered)
    await scan(access, course.output, partitions, seen.see)
    if not seen.records or not await length(access, contestant.changelog(course), partitions):
        raise WrongResult(f"{contestant.title} wrote no output or no changelog.")
    _check(contestant, seen.newest, logs)
    return pace(seen, warm_up), round(seen.records / total(logs), 3)


def _check(contestant: Contestant, newest: Mapping[bytes, bytes], logs: Sequence[Sequence[KeyValue]]) -> None:
    """Hold the newest output of every user against a fold that cannot go wrong."""
    golden = fold_plainly(logs)
    wrong = [key for key, wanted in golden.items() if key not in newest or contestant.read(newest[key]) != wanted]
    if wrong or len(newest) != len(golden):
        raise WrongResult(
            f"{contestant.title}: {len(wrong)} of {len(golden)} users have the wrong list, "
            f"and {len(newest)} have one at all.",
        )


def fold_plainly(logs: Sequence[Sequence[KeyValue]]) -> dict[bytes, list[Interaction]]:
    """Every user's newest interactions, oldest first, in the simplest way there is."""
    histories: dict[bytes, list[Interaction]] = {}
    for log in logs:
        for key, value in log:
            histories.setdefault(key, []).append(_interaction(decode_event(value)))
    return {key: history[-KEPT:] for key, history in histories.items()}


def _interaction(event: Event | InvalidEvent) -> Interaction:
    if isinstance(event, InvalidEvent):
        raise TypeError(f"no event: {event.reason}")
    fields = msgspec.structs.asdict(event)
    return Interaction(fields["item_id"], event_type(event), event.ts_ms)


def _stamped(spec: TopicSpec, name: str = "") -> TopicSpec:
    config = {**spec.config, "message.timestamp.type": "LogAppendTime"}
    return replace(spec, name=name or spec.name, config=MappingProxyType(config))
