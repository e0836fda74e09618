"""The switch: who serves, who comes, who is refused, and who is taken back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.errors import ModelVersionError
from app.observability import Metrics
from model_server import metrics as table
from model_server.lists import Edition
from model_server.registry.champion import Reign, champion_of, promote, read_succession, roll_back
from model_server.registry.version import ModelVersion
from model_server.scoring.scorer import Scored
from model_server.swap.backstage import Backstage
from model_server.swap.guardrails import Rails
from model_server.swap.switch import Switch
from model_server.swap.tally import Tally
from model_server.worker import Scoring
from tests.support.planted import WordEncoder, planted_model

FIRST, SECOND, THIRD = (f"2026112{day}-130501-ab12cd" for day in (1, 2, 3))
MODEL = planted_model({"a": "one"}, WordEncoder())


class Actor:
    """A `Performer` that is ready when the test says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready, self.failed = asyncio.Event(), asyncio.Event()
        self.tally = Tally(60.0, lambda: 0.0)
        self.scoring = Scoring(lambda *_: Scored([]), Edition("recommendations", name, "default"))
        self.shown = False
        self.on_stage = True

    async def prepare(self, thread: Executor, *, counted: bool) -> None:
        await self.ready.wait()

    async def over(self) -> None:
        await self.failed.wait()
        raise RuntimeError(f"{self.name} broke")

    def show(self) -> None:
        self.shown = True

    def hide(self) -> None:
        self.shown = False


@dataclass
class Theatre:
    """A models folder, and everybody who was started."""

    models: Path
    actors: dict[str, Actor] = field(default_factory=dict)
    announced: list[str] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    metrics: Metrics = field(default_factory=lambda: Metrics(table.TABLE))
    now_s: float = 0.0
    switch: Switch = field(init=False)

    def load(self, folder: Path) -> ModelVersion:
        if folder.name in self.damaged:
            raise ModelVersionError(f"{folder.name} is truncated.")
        return ModelVersion(folder.name, folder, MODEL)

    @asynccontextmanager
    async def start(self, version: ModelVersion, _thread: Executor) -> AsyncIterator[Actor]:
        actor = self.actors[version.name] = Actor(version.name)
        if version.name not in self.slow:
            actor.ready.set()
        try:
            yield actor
        finally:
            actor.on_stage = False

    async def announce(self, reign: Reign) -> None:
        self.announced.append(reign.version)

    def promote(self, name: str) -> None:
        promote(self.models, name, "better", now_ms=1)
        self.switch.look.set()

    def serves(self) -> str:
        return self.switch.scoring().edition.model_version

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110  # what it waits for lies in several places
                await asyncio.sleep(0.002)

    def count(self, spec: str) -> float:
        return self.metrics.registry.get_sample_value(spec) or 0.0


@asynccontextmanager
async def playing(models: Path) -> AsyncIterator[Theatre]:
    theatre = Theatre(models)
    promote(models, FIRST, "first", now_ms=0)
    with ThreadPoolExecutor(1) as loading, ThreadPoolExecutor(1) as scoring:
        theatre.switch = Switch(
            Backstage(
                models_dir=models, load=theatre.load, start=theatre.start, loading=loading, scoring=scoring,
                announce=theatre.announce, metrics=theatre.metrics, rails=Rails(60.0, 0.05, 0.01, 0.2),
                clock_ms=lambda: 5, now_s=lambda: theatre.now_s,
            )
        )  # fmt: skip
        run = asyncio.create_task(theatre.switch.run(lambda: theatre.load(models / FIRST), follow=True))
        try:
            await theatre.switch.begun.wait()
            yield theatre
        finally:
            run.cancel()
            await asyncio.wait({run})
            assert not [actor.name for actor in theatre.actors.values() if actor.on_stage]


async def test_a_promotion_swaps_and_the_one_before_ends(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        first = theatre.actors[FIRST]
        assert (theatre.serves(), first.shown) == (FIRST, True)
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.serves() == SECOND)
        await theatre.until(lambda: not first.on_stage)
        assert not first.shown
        assert theatre.actors[SECOND].shown
        assert theatre.count(table.MODEL_SWAPS.name) == 1


async def test_nobody_takes_over_before_being_ready_and_the_newest_promotion_wins(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.slow |= {SECOND}
        theatre.promote(SECOND)
        await theatre.until(lambda: SECOND in theatre.actors)
        assert theatre.serves() == FIRST
        theatre.promote(THIRD)
        await theatre.until(lambda: theatre.serves() == THIRD)
        assert not theatre.actors[SECOND].on_stage
        assert not theatre.actors[SECOND].shown


async def test_a_rollback_during_the_warm_up_leaves_the_one_that_serves(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.slow |= {SECOND}
        theatre.promote(SECOND)
        await theatre.until(lambda: SECOND in theatre.actors)
        roll_back(theatre.models, "on second thoughts", 2, lambda _name: True)
        theatre.switch.look.set()
        await theatre.until(lambda: not theatre.actors[SECOND].on_stage)
        assert (theatre.serves(), theatre.actors[FIRST].on_stage) == (FIRST, True)


async def test_a_damaged_version_is_refused_once_and_taken_when_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with playing(tmp_path) as theatre:
        theatre.damaged |= {SECOND}
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODELS_REFUSED.name) == 1)
        for _ in range(3):
            theatre.switch.look.set()
            await asyncio.sleep(0.02)
        assert theatre.count(table.MODELS_REFUSED.name) == 1
        assert theatre.serves() == FIRST
        assert f"Version {SECOND} is refused: {SECOND} is truncated." in caplog.text
        theatre.damaged.clear()
        (tmp_path / SECOND).mkdir()  # copied again
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == SECOND)


async def test_a_pointer_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        (tmp_path / "champion.json").write_text("{")
        theatre.switch.look.set()
        await asyncio.sleep(0.05)
        assert theatre.serves() == FIRST
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.serves() == SECOND)


def make_it_bad(actor: Actor) -> None:
    counts = actor.tally.now()
    counts.lists, counts.fallbacks = 500, 400


async def test_a_version_that_trips_a_rail_is_taken_back_for_everybody(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)  # its trial has begun
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == FIRST)
        succession = read_succession(tmp_path)
        assert succession is not None
        assert (succession.champion.version, succession.champion.restored) == (FIRST, True)
        assert "guardrail: users it knows nothing of: 80.0%" in succession.withdrawn[0].reason
        assert theatre.announced == [FIRST]
        assert theatre.count(table.MODELS_TAKEN_BACK.name) == 1


async def test_where_the_pointer_cannot_be_written_the_server_goes_back_alone(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)  # its trial has begun
        (tmp_path / ".champion.json.incomplete").mkdir()  # in the way; permissions would not stop root
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == FIRST)
        assert champion_of(tmp_path) == SECOND
        assert theatre.announced == []
        for _ in range(3):
            theatre.switch.look.set()
            await asyncio.sleep(0.02)
        assert theatre.serves() == FIRST  # not taken again by itself
        (tmp_path / ".champion.json.incomplete").rmdir()
        promote(tmp_path, SECOND, "it is good", now_ms=9)
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == SECOND)


async def test_who_trips_while_somebody_else_warms_up_is_no_way_back_from_him(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)  # its trial has begun
        theatre.slow |= {THIRD}
        promote(tmp_path, THIRD, "newer", now_ms=9)
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.count(table.MODELS_TAKEN_BACK.name) == 1)
        await theatre.until(lambda: THIRD in theatre.actors)
        assert champion_of(tmp_path) == THIRD
        theatre.actors[THIRD].ready.set()
        await theatre.until(lambda: theatre.serves() == THIRD)
        assert roll_back(tmp_path, "", 10, lambda _name: True).champion.version == FIRST


async def test_who_was_taken_back_makes_room_for_whoever_can_be_loaded(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)  # its trial has begun
        theatre.damaged |= {THIRD}
        theatre.promote(THIRD)
        await theatre.until(lambda: theatre.count(table.MODELS_REFUSED.name) == 1)
        assert theatre.serves() == SECOND
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == FIRST)
        assert champion_of(tmp_path) == THIRD


async def test_a_version_promoted_anew_on_trial_stays_on_trial(tmp_path: Path) -> None:
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)
        promote(tmp_path, SECOND, "I said so", now_ms=7)
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await asyncio.sleep(0.05)
        assert theatre.count(table.MODELS_TAKEN_BACK.name) == 0  # of the reign that it began with
        theatre.switch.look.set()
        await theatre.until(lambda: theatre.serves() == FIRST)
        assert champion_of(tmp_path) == FIRST


async def test_a_version_that_has_stood_the_time_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with playing(tmp_path) as theatre:
        theatre.actors[FIRST].tally.now().lists = 5_000
        theatre.promote(SECOND)
        await theatre.until(lambda: theatre.count(table.MODEL_SWAPS.name) == 1)  # its trial has begun
        theatre.now_s = 61.0
        theatre.switch.look.set()
        await theatre.until(lambda: f"{SECOND} has passed its guardrails" in caplog.text)
        make_it_bad(theatre.actors[SECOND])
        theatre.switch.look.set()
        await asyncio.sleep(0.05)
        assert theatre.serves() == SECOND


async def test_the_failure_of_who_serves_ends_it_and_of_who_comes_does_not(tmp_path: Path) -> None:
    models = tmp_path
    promote(models, FIRST, "first", now_ms=0)
    theatre = Theatre(models)
    with ThreadPoolExecutor(1) as loading, ThreadPoolExecutor(1) as scoring:
        theatre.switch = Switch(
            Backstage(
                models_dir=models, load=theatre.load, start=theatre.start, loading=loading, scoring=scoring,
                announce=theatre.announce, metrics=theatre.metrics, rails=Rails(60.0, 0.05, 0.01, 0.2),
                clock_ms=lambda: 5, now_s=lambda: 0.0,
            )
        )  # fmt: skip
        run = asyncio.create_task(theatre.switch.run(lambda: theatre.load(models / FIRST), follow=True))
        await theatre.switch.begun.wait()
        theatre.actors[FIRST].failed.set()
        with pytest.raises(RuntimeError, match="broke"):
            await run
