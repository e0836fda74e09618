"""Which version scores now, and how the next one takes its place.

    1  look       at the champion pointer: every few seconds, and at once when Kafka says that it changed
    2  load       the new champion, verified, in a thread of its own, beside the one that serves
    3  warm up    its catalog is read, its counts have caught up, its kernels have run
    4  take over  one reference: the worker reads it once a batch, so no list is of two versions
    5  let go     once the last batch of the one before is scored, its tasks end and its memory goes
    6  watch      for a while the new one is compared with the one before; worse, and the pointer is moved back

A promotion during 2 and 3 replaces the one that warms up. A version that cannot be loaded or fails before 4 is refused:
the one before stays. Killed anywhere, the process starts with the pointer, which is the truth.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from app.errors import KafkaUnreachable, ModelVersionError
from model_server import metrics as table
from model_server.registry.champion import Reign, read_succession
from model_server.registry.version import ModelVersion
from model_server.swap.backstage import Backstage, Performer
from model_server.swap.trial import Trials
from model_server.worker import Scoring

_LOOK_EVERY_S: Final = 3.0
_POSTPONED_S: Final = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Life:
    """A version from its loading to its end."""

    name: str
    task: "asyncio.Task[None]"


class Switch:
    """See the module."""

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self.begun = asyncio.Event()
        self.look = asyncio.Event()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lives: set[asyncio.Task[None]] = set()
        self._serving: tuple[_Life, Performer] | None = None
        self._coming: _Life | None = None
        self._trials = Trials(backstage)
        self._refused: dict[Reign, _Stamp] = {}
        self._postponed_until_s = 0.0

    def scoring(self) -> Scoring:
        """For the next batch; there is one from `begun` on."""
        assert self._serving is not None  # noqa: S101  # for the type: `begun` was awaited
        return self._serving[1].scoring

    async def run(self, find_first: Callable[[], ModelVersion], *, follow: bool) -> None:
        """Serve the version that this finds, then, if `follow`, whoever becomes champion; for ever.

        Raises:
            ModelVersionError: nothing is found.
            Exception: the version that serves has failed.
        """
        self._begin("first", self._first(find_first))
        try:
            while True:
                await self._until_look()
                if follow and self._serving is not None:
                    await self._trials.look()
                    await self._step()
        finally:
            for task in self._lives:
                task.cancel()
            await asyncio.gather(*self._lives, return_exceptions=True)

    async def _until_look(self) -> None:
        """Wait for news, or for the next look without any.

        Raises:
            Exception: the version that serves has failed.
        """
        news = asyncio.get_running_loop().create_task(_true(self.look))
        await asyncio.wait([news, self._broken], timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        if self._broken.done():
            self._broken.result()
        self.look.clear()

    async def _step(self) -> None:
        """Bring the champion, unless it serves, comes, or was refused as it is."""
        target = await asyncio.to_thread(self._target)
        if self._coming is not None and (target is None or self._coming.name != target.version):
            logger.info("Version %s is not brought any further: it is not the champion.", self._coming.name)
            self._coming.task.cancel()
            self._coming = None
        serving = self._serving
        if target is None or serving is None or self._coming is not None or serving[0].name == target.version:
            return
        if self._is_refused(target) or self._backstage.now_s() < self._postponed_until_s:
            return
        logger.info("Version %s is champion (%s): bringing it.", target.version, target.reason)
        self._coming = self._begin(target.version, self._next(target, self._folder(target)))

    def _target(self) -> Reign | None:
        """Whom to serve; None: whoever does. A refused champion is waited for, but not by one that was taken back."""
        try:
            succession = read_succession(self._backstage.models_dir)
        except ModelVersionError as error:
            logger.error("The version that serves stays: %s", error)
            return None
        reigns = () if succession is None else (succession.champion, *succession.before)
        allowed = (reign for reign in reigns if reign not in self._trials.barred)
        return next((one for one in allowed if not (self._trials.barred_serves and self._is_refused(one))), None)

    def _folder(self, reign: Reign) -> Path:
        return self._backstage.models_dir / reign.version

    def _is_refused(self, reign: Reign) -> bool:
        """Whether it was, and is still the same files."""
        return reign in self._refused and self._refused[reign] == _stamp(self._folder(reign))

    def _begin(self, name: str, life: Coroutine[None, None, None]) -> _Life:
        task = asyncio.get_running_loop().create_task(life, name=f"version {name}")
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)
        return _Life(name, task)

    async def _first(self, find_first: Callable[[], ModelVersion]) -> None:
        """Nobody is served meanwhile, so nothing is gentle, and the counts may catch up later."""
        try:
            version = await asyncio.get_running_loop().run_in_executor(self._backstage.scoring, find_first)
            await self._live(version, None)
        except Exception as error:  # whatever it is, it ends the process
            self._broken.set_exception(error)

    def _failed(self, performer: Performer, error: Exception) -> None:
        """Of who serves it ends the process; who has just been replaced goes anyway."""
        if self._serving is not None and self._serving[1] is performer and not self._broken.done():
            self._broken.set_exception(error)

    async def _next(self, reign: Reign, folder: Path) -> None:
        stamp, loop = _stamp(folder), asyncio.get_running_loop()
        try:
            version = await loop.run_in_executor(self._backstage.loading, self._backstage.load, folder)
            await self._live(version, reign)
        except (KafkaUnreachable, KafkaError, OSError) as error:
            logger.warning("Version %s must wait: %r", reign.version, error)
            self._postponed_until_s = self._backstage.now_s() + _POSTPONED_S
        except Exception as error:
            # Whatever a version does while it warms up, the one before goes on serving.
            known = isinstance(error, ModelVersionError)
            logger.error("Version %s is refused: %s", reign.version, error, exc_info=None if known else error)
            self._backstage.metrics.counter(table.MODELS_REFUSED).inc()
            self._refused[reign] = stamp
        finally:
            if self._coming is not None and self._coming.task is asyncio.current_task():
                self._coming = None

    async def _live(self, version: ModelVersion, reign: Reign | None) -> None:
        """Steps 3 to 5, and then the version's time.

        Raises:
            Exception: it failed before it took over.
        """
        backstage, first = self._backstage, reign is None
        thread = backstage.scoring if first else backstage.loading
        async with backstage.start(version, thread) as performer:
            await performer.prepare(thread, counted=not first)
            await self._take_over(_Life(version.name, _current()), performer, reign)
            try:
                await performer.over()
            except Exception as error:
                self._failed(performer, error)

    async def _take_over(self, life: _Life, performer: Performer, reign: Reign | None) -> None:
        """Steps 4 and 5. A function of its own: what it knows of the one before must not outlive the swap."""
        before, self._serving = self._serving, (life, performer)
        self._coming = None
        performer.show()
        self.begun.set()
        if before is None or reign is None:
            logger.info("Version %s serves.", life.name)
            return
        await asyncio.get_running_loop().run_in_executor(self._backstage.scoring, _nothing)  # its last batch is scored
        self._trials.begin(reign, before[1].tally.recent(), performer.tally)
        before[1].hide()
        before[0].task.cancel()
        self._backstage.metrics.counter(table.MODEL_SWAPS).inc()
        logger.info("Version %s serves now, instead of %s.", life.name, before[0].name)


_Stamp = tuple[int, ...]


def _stamp(folder: Path) -> _Stamp:
    """Changes when any file of a version's folder is copied again, or may be read at last."""
    try:
        return tuple(path.stat().st_ctime_ns for path in (folder, *sorted(folder.iterdir())))
    except OSError:
        return ()


def _current() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # for the type: it is asked in a task
    return task


async def _true(event: asyncio.Event) -> None:
    await event.wait()


def _nothing() -> None:
    """Runs when what was handed to the thread before has run."""
