"""What is learned from, and what is predicted.

`loo`: per user by time, ties in file order; the last event is predicted, the one before it is for validation.
`stream`: all events in global time order; events after the cut are predicted from the state just before them.
Both rank the full catalog; there are no sampled negatives. What the user has had already is left out, unless people
take the same things again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions, by_user
from model_server.judging.cases import Cases
from model_server.judging.questions import Plan, Question, Step


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How the stream is cut and asked.

    Args:
        cut: events before it are learned from.
        share: of the events after it, how many are predicted; all are observed.
        seed: which ones.
    """

    cut: int
    share: float = 1.0
    seed: int = 0


def leave_one_out_training(log: Interactions) -> Interactions:
    """All but every user's last event.

    What is last then is the validation event: a model that chooses its weights by it takes it out itself
    (model_server.training.validation), one that chooses nothing may learn from it.
    """
    kept = np.ones(len(log), dtype=np.bool_)
    kept[[positions[-1] for positions in by_user(log) if len(positions)]] = False
    return log.take(kept)


def leave_one_out(log: Interactions, *, repeats: bool = False) -> Plan:
    """Predict every user's last event; users with a single event are left out."""
    of_user = [positions for positions in by_user(log) if len(positions) > 1]
    by_user_log = log.take(np.concatenate([*of_user, np.zeros(0, dtype=np.intp)]))
    ends = np.cumsum([len(positions) for positions in of_user], dtype=np.intp)
    starts = ends - np.array([len(positions) for positions in of_user], dtype=np.intp)
    nothing = log.take(slice(0, 0))

    def steps(at_once: int) -> Iterator[Step]:
        for first in range(0, len(ends), at_once):
            chosen = slice(first, first + at_once)
            yield Step(_question(by_user_log, starts[chosen], ends[chosen] - 1, repeats=repeats), nothing)

    had = sum(bool(np.isin(log.items[each[-1]], log.items[each[:-1]])) for each in of_user)
    parameters = {"repeats": repeats, "answers_had_before": had}
    return Plan(leave_one_out_training(log), len(ends), steps, parameters, live=False)


def stream(log: Interactions, options: StreamOptions, *, repeats: bool = False) -> Plan:
    """Learn from the first `cut` events, then predict the others, or a random share of them, before they happen."""
    cut, count = options.cut, len(log) - options.cut
    asked = np.arange(cut, len(log))
    if options.share < 1:
        wanted = max(1, round(count * options.share)) if count else 0
        asked = np.sort(np.random.default_rng(options.seed).choice(asked, size=wanted, replace=False))
    order = np.argsort(log.users, kind="stable")
    by_user_log = log.take(order)
    counts = np.bincount(log.users, minlength=len(log.user_ids))
    first_of_user = (np.cumsum(counts) - counts)[log.users]
    place = np.empty(len(log), dtype=np.intp)
    place[order] = np.arange(len(log))

    def steps(at_once: int) -> Iterator[Step]:
        if len(asked) and asked[0] > cut:
            yield Step(None, log.take(slice(cut, int(asked[0]))))
        for begin in range(0, len(asked), at_once):
            chosen = asked[begin : begin + at_once]
            until = asked[begin + at_once] if begin + at_once < len(asked) else len(log)
            question = _question(by_user_log, first_of_user[chosen], place[chosen], repeats=repeats)
            yield Step(question, log.take(slice(int(chosen[0]), int(until))))

    parameters = {"cut": cut, "share": options.share, "sample_seed": options.seed, "repeats": repeats}
    return Plan(log.take(slice(0, cut)), len(asked), steps, parameters)


def _question(
    by_user_log: Interactions, starts: NDArray[np.intp], targets: NDArray[np.intp], *, repeats: bool
) -> Question:
    """Predict the events at `targets` of a log that is sorted by user, from those of their users since `starts`."""
    histories = [by_user_log.take(slice(*ends)) for ends in zip(starts.tolist(), targets.tolist(), strict=True)]
    events = by_user_log.take(targets)
    places = events.places
    return Question(
        cases=Cases(histories, events.users.astype(np.int64), events.ts_ms, places=places),
        relevant=list(events.items[:, None]),
        hidden=None if repeats else [history.items for history in histories],
        kinds=events.kinds,
        ratings=events.ratings,
    )
