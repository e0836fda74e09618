"""What a training shows while it runs: a bar with the time that is left."""

import math
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model_server.training.loop import Progress as TrainingProgress


class TrainingBar:
    """A bar with the time left: of the item texts first, then of the training with its newest validation metric.

    Args:
        console: where it is drawn.
        stack: ends it.
    """

    def __init__(self, console: Console, stack: ExitStack) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = stack.enter_context(Progress(*columns, console=console))
        self._texts: TaskID | None = None
        self._training = self._bar.add_task("Training", total=1.0)

    def on_texts(self, done: int, total: int) -> None:
        """`done` of `total` new texts are encoded."""
        if self._texts is None:
            self._texts = self._bar.add_task("Encoding item texts", total=total)
        self._bar.update(self._texts, completed=done)

    def on_progress(self, progress: TrainingProgress) -> None:
        """A step was made."""
        reached = f", NDCG@10 {progress.validation.ndcg10:.3f}" if progress.validation else ""
        network = f"Network {progress.member}/{progress.members}, epoch" if progress.members > 1 else "Epoch"
        loss = "" if math.isnan(progress.loss) else f", loss {progress.loss:.2f}"
        described = f"{network} {progress.epoch}/{progress.epochs}{loss}{reached}"
        self._bar.update(self._training, completed=progress.done, description=described)
