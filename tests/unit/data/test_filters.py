"""What may be learned from."""

import pytest

from app.data.filters import check_happened
from app.errors import DataError
from tests.support.model import interactions_of

DAY_MS = 86_400_000


def test_what_has_not_happened_yet_is_not_learned_from() -> None:
    log = interactions_of([(0, 0, 10), (0, 1, 20 + DAY_MS), (0, 2, 400 * DAY_MS)], users=1, items=3)
    with pytest.raises(DataError, match="1 of 3 events lie in the future, the last at 1971-02-05"):
        check_happened(log, now_ms=20)  # clocks differ: a day is no future
    check_happened(log, now_ms=400 * DAY_MS)
