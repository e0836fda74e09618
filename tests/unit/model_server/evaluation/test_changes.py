"""Late states and noisy histories."""

import numpy as np
import pytest

from app.data.interactions import Interactions
from model_server.evaluation.robustness import Noise, kept_share
from model_server.evaluation.staleness import Lag, lags_of, late
from model_server.judging.cases import Cases
from tests.support.model import interactions_of

MINUTE_MS = 60_000
# Three visits: two events, one event, two events.
LOG = interactions_of(
    [(0, item, minute * MINUTE_MS) for item, minute in enumerate((0, 10, 60, 120, 125))], users=1, items=9
)
NOBODY = LOG.take(slice(0, 0))


def at(minute: int, history: Interactions = LOG) -> Cases:
    return Cases([history], users=np.array([0]), now_ms=np.array([minute * MINUTE_MS]))


@pytest.mark.parametrize(
    ("lag", "known"),
    [
        (Lag(), 5),
        (Lag(events=2), 3),
        (Lag(events=9), 0),
        (Lag(time_ms=5 * MINUTE_MS), 5),  # what is exactly that old is known
        (Lag(time_ms=6 * MINUTE_MS), 4),
        (Lag(visits=1), 3),
        (Lag(visits=2), 2),
        (Lag(visits=3), 0),
    ],
)
def test_a_late_state_lacks_the_newest(lag: Lag, known: int) -> None:
    cases = late(at(130), lag)
    assert cases.histories[0].items.tolist() == list(range(known))
    assert cases.now_ms.tolist() == [130 * MINUTE_MS]


def test_an_empty_state_stays_empty() -> None:
    for change in [*lags_of("stream").values(), *lags_of("basket").values()]:
        assert len(change(at(130, NOBODY)).histories[0]) == 0


def test_noise_is_put_among_the_newest_and_is_always_the_same() -> None:
    long = interactions_of([(0, 0, minute) for minute in range(40)], users=1, items=1_000)
    noise = Noise(events=3, items=1_000, seed=1)
    noisy = noise(at(130, long)).histories[0]
    assert len(noisy) == 43
    assert (np.diff(noisy.ts_ms) >= 0).all()
    assert (noisy.items[:30] == 0).all()
    assert (noisy.items[30:] != 0).sum() == 3
    assert noise(at(130, long)).histories[0].items.tolist() == noisy.items.tolist()
    assert len(noise(at(130, NOBODY)).histories[0]) == 0


def test_noise_leaves_the_order_of_what_was_there() -> None:
    noisy = Noise(events=2, items=9, seed=2)(at(130)).histories[0].items.tolist()
    rest = iter(noisy)
    assert all(item in rest for item in LOG.items.tolist())


def test_the_kept_share_is_of_the_list_without_noise() -> None:
    lists = np.array([[1, 2, 3, 4], [5, -1, -1, -1], [-1, -1, -1, -1]], dtype=np.int32)
    noisy = np.array([[4, 1, 8, 9], [6, 7, -1, -1], [1, 2, 3, 4]], dtype=np.int32)
    assert kept_share(lists, noisy).tolist() == [0.5, 0.0, 1.0]
