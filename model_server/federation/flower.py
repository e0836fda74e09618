"""The shops as Flower apps, and federated averaging over them (McMahan et al., arXiv:1602.05629).

Each shop is a `ClientApp` that receives weights and answers with weights and two counts; the strategy is Flower's own.
Here all of them live in this process behind one `Grid`, one after the other, so nothing needs Flower's servers or ray.
The same apps run unchanged under Flower's deployment engine, where each shop starts a SuperNode of its own.

This module alone knows Flower.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from model_server.federation.local import LocalTraining, Share, Weights

_ROUND: Final = "server-round"  # Flower's names
_COUNT: Final = "num-examples"
_SERVER: Final = 0  # the shops are 1, 2, ...


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often weights travel, and how many passes over their own data the shops make each time."""

    rounds: int
    passes: int


@dataclass(frozen=True, slots=True, eq=False)
class Federated:
    """The weights after the round that the shops' validation liked best, and NDCG@10 after each round."""

    weights: Weights
    best_round: int
    validation_ndcg10: tuple[float, ...]


def federate(
    shops: Sequence[LocalTraining], start: Weights, rounds: Rounds, on_pass: Callable[[], object]
) -> Federated:
    """Train one network over all shops. Draws from torch's generator.

    Args:
        shops: two at least.
        start: the weights that the first round sends.
        rounds: see there.
        on_pass: called after every pass of every shop.
    """
    logging.getLogger("flwr").setLevel(logging.WARNING)  # it prints a page a round
    # Messages are stamped with it; Flower's runtime would say it.
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, _SERVER
    after: dict[int, ArrayRecord] = {}
    everybody = len(shops)
    strategy = FedAvg(min_train_nodes=everybody, min_evaluate_nodes=everybody, min_available_nodes=everybody)
    result = strategy.start(
        grid=InProcessGrid([_app_of(shop, rounds, on_pass) for shop in shops]),
        initial_arrays=ArrayRecord(dict(start)),
        num_rounds=rounds.rounds,
        evaluate_fn=after.__setitem__,
    )
    reached: Mapping[int, MetricRecord] = result.evaluate_metrics_clientapp
    history = tuple(float(reached[number]["ndcg10"]) for number in range(1, rounds.rounds + 1))
    best = max(range(rounds.rounds), key=history.__getitem__) + 1
    return Federated(after[best].to_torch_state_dict(), best, history)


def _app_of(shop: LocalTraining, rounds: Rounds, on_pass: Callable[[], object]) -> ClientApp:
    def train(message: Message, _context: Context) -> Message:
        number = int(message.content["config"][_ROUND])
        share = Share((number - 1) / rounds.rounds, number / rounds.rounds, rounds.passes)
        learned = shop.train(message.content["arrays"].to_torch_state_dict(), share, on_pass)
        said = MetricRecord({_COUNT: learned.transitions})
        return Message(RecordDict({"arrays": ArrayRecord(dict(learned.weights)), "metrics": said}), reply_to=message)

    def evaluate(message: Message, _context: Context) -> Message:
        reached = shop.validate(message.content["arrays"].to_torch_state_dict())
        said = MetricRecord({_COUNT: reached.cases, "ndcg10": reached.ndcg10})
        return Message(RecordDict({"metrics": said}), reply_to=message)

    app = ClientApp()
    app.train()(train)
    app.evaluate()(evaluate)
    return app


class InProcessGrid(Grid):  # type: ignore[misc]  # a class of an optional group: unknown where it is not installed
    """Brings every message to its app at once, in this process, and keeps what the app answers.

    Args:
        apps: of the nodes 1, 2, ...
    """

    def __init__(self, apps: Sequence[ClientApp]) -> None:
        self._apps = {node: (app, Context(1, node, {}, RecordDict(), {})) for node, app in enumerate(apps, start=1)}
        self._numbers = count(1)
        self._replies: dict[str, Message] = {}
        self._run: object = None

    def set_run(self, run: object) -> None:
        """Flower asks for it; nothing here depends on it."""
        self._run = run

    @property
    def run(self) -> object:
        """As `set_run` was told."""
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """As Flower's own grids make one."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Every shop, always there."""
        return list(self._apps)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Let the apps answer; the ids are numbers."""
        ids = []
        for message in messages:
            app, context = self._apps[message.metadata.dst_node_id]
            ids.append(str(next(self._numbers)))
            self._replies[ids[-1]] = app(message, context)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """What they answered; each answer once."""
        return [self._replies.pop(each) for each in message_ids if each in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """All answers; whoever fails ends the run, so nobody is waited for."""
        del timeout
        return self.pull_messages(self.push_messages(messages))
