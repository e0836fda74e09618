"""Histories become tensors: unknown items out, newest kept, padding behind."""

import numpy as np
import torch

from app.interests.state import Interaction, Kind
from model_server.model.sequences import NO_GAP, first_read, gap_buckets, sequence_batch
from tests.support.model import did
from tests.support.states import touches

POSITIONS = {"tea": 3, "cup": 5, "pot": 7}
ALL_KINDS = frozenset(Kind)


def test_items_without_a_vector_are_skipped() -> None:
    batch = sequence_batch(touches([did("tea", "gone", "pot")], POSITIONS), ALL_KINDS, max_length=10)
    assert batch.positions.tolist() == [[3, 7]]
    assert batch.lengths.tolist() == [2]


def test_the_gap_spans_a_skipped_item() -> None:
    with_gap = sequence_batch(touches([did("tea", "gone", "pot", gap_ms=2_000)], POSITIONS), ALL_KINDS, max_length=10)
    direct = sequence_batch(touches([did("tea", "pot", gap_ms=4_000)], POSITIONS), ALL_KINDS, max_length=10)
    assert torch.equal(with_gap.gaps, direct.gaps)


def test_the_newest_are_read_from_a_start_that_moves_in_jumps() -> None:
    assert first_read(np.array([0, 50, 64, 65, 79, 80]), 50).tolist() == [0, 0, 0, 15, 15, 30]
    batch = sequence_batch(touches([did(*["tea"] * 15, "cup", "pot")], POSITIONS), ALL_KINDS, max_length=2)
    assert batch.positions.tolist() == [[5, 7]]
    assert batch.gaps[0, 0] == NO_GAP


def test_shorter_histories_are_padded_behind_and_empty_ones_have_length_zero() -> None:
    batch = sequence_batch(
        touches([did("tea", "cup"), [], did("gone"), did("pot")], POSITIONS), ALL_KINDS, max_length=10
    )
    assert batch.positions.tolist() == [[3, 5], [0, 0], [0, 0], [7, 0]]
    assert batch.kinds.tolist() == [[8, 8], [0, 0], [0, 0], [8, 0]]
    assert batch.lengths.tolist() == [2, 0, 0, 1]


def test_a_batch_of_nobody_is_a_batch() -> None:
    batch = sequence_batch(touches([], POSITIONS), ALL_KINDS, max_length=10)
    assert batch.lengths.tolist() == []


def test_turning_down_is_read_only_by_a_model_that_was_trained_on_it() -> None:
    history = [*did("tea"), Interaction("cup", Kind.DISLIKE, 2 * 86_400_000)]
    trained = sequence_batch(touches([history], POSITIONS), {Kind.RATE, Kind.DISLIKE}, max_length=10)
    untrained = sequence_batch(touches([history], POSITIONS), {Kind.RATE}, max_length=10)
    assert trained.positions.tolist() == [[3, 5]]
    assert untrained.positions.tolist() == [[3]]


def test_gaps_are_logarithmic_in_seconds_and_an_event_that_came_late_has_none() -> None:
    seconds = np.array([100, 100, 101, 104, 90, 10**10]) * 1_000
    assert gap_buckets(seconds).tolist() == [NO_GAP, 1, 2, 3, 1, 31]
