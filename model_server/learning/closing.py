"""How a round ends: what was found is written beside the version, a better one is promoted, old ones are removed."""

import logging
import shutil
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from model_server.learning import metrics as table
from model_server.learning.gate import Figures
from model_server.learning.progress import Progress, Stage
from model_server.learning.workshop import Workshop
from model_server.registry.champion import Reign, read_succession, replace_champion
from model_server.registry.judgement import Judgement, remove_versions, write_judgement

_WAYS_BACK: Final = 3  # champions before the present one that are never removed

TRAINING: Final = "training"
JUDGING: Final = "judging"
"""How the folders begin in whose files a round has its data."""

logger = logging.getLogger(__name__)


def conclude(
    shop: Workshop, progress: Progress, *, promoted: bool, why: str, figures: Figures | None = None
) -> Progress:
    """Keep the decision; the next step is to promote, or to collect."""
    judgement = Judgement(
        version=progress.challenger,
        champion=progress.champion,
        at_ms=shop.clock_ms(),
        promoted=promoted,
        why=why,
        figures=msgspec.Raw(msgspec.json.encode(figures)),
    )
    write_judgement(shop.models_dir, judgement)
    shop.passing("judgement written")
    if promoted:
        return structs.replace(progress, stage=Stage.PROMOTING, reason=f"`riverrun learn`: {why}")
    logger.info("Challenger %s is refused: %s.", progress.challenger, why)
    shop.metrics.counter(table.REFUSED).inc()
    return structs.replace(progress, stage=Stage.COLLECTING)


async def take_over(shop: Workshop, progress: Progress) -> None:
    """Promote the challenger, if its champion is still the champion.

    Raises:
        ModelVersionError: `champion.json` cannot be read.
    """
    reign = Reign(version=progress.challenger, since_ms=shop.clock_ms(), reason=progress.reason)
    succession = replace_champion(shop.models_dir, progress.champion, by=reign)
    shop.passing("champion replaced")
    if succession is None:
        logger.warning("Challenger %s is not promoted: %s is not the champion any more, or it was taken back.",
                       progress.challenger, progress.champion)  # fmt: skip
        return
    await shop.announce(succession.champion)
    shop.metrics.counter(table.PROMOTED).inc()
    logger.info("Version %s is promoted: %s.", progress.challenger, progress.reason)


def remove_data(folder: Path) -> None:
    """Of trainings and judgings, with what a kill left of it: it may tell of somebody who is forgotten meanwhile."""
    for data in (*folder.glob(f"{TRAINING}-*"), *folder.glob(f"{JUDGING}*")):
        shutil.rmtree(data, ignore_errors=True)


def clear_up(shop: Workshop, progress: Progress, keep_versions: int) -> Progress:
    """Remove what rounds before this one left: their data, and the oldest versions made here.

    Never the champion, nor one of those that a rollback goes back to first.
    """
    remove_data(shop.folder)
    succession = read_succession(shop.models_dir)
    if succession is None:
        return progress
    needed = {reign.version for reign in (succession.champion, *succession.before[:_WAYS_BACK])} | set(
        progress.made[-keep_versions:]
    )
    old = [name for name in progress.made if name not in needed]
    remove_versions(shop.models_dir, old)
    return structs.replace(progress, made=tuple(name for name in progress.made if name in needed))
