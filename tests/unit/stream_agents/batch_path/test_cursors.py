"""Where partitions continue."""

from stream_agents.batch_path.cursors import Admission, Cursors


def test_a_partition_without_committed_offset_starts_where_its_log_does() -> None:
    cursors = Cursors()

    assert cursors.admit(0, 17) is Admission.PROCESS
    assert cursors.get(0) == 17


def test_a_batch_that_does_not_start_at_the_cursor_sends_the_consumer_back() -> None:
    cursors = Cursors()
    cursors.start(0, 100)

    assert cursors.admit(0, 150) is Admission.REWIND
    assert cursors.admit(0, 50) is Admission.REWIND
    assert cursors.get(0) == 100
    assert cursors.admit(0, 100) is Admission.PROCESS


def test_records_that_are_gone_are_skipped_after_going_back_once() -> None:
    cursors = Cursors()
    cursors.start(0, 100)

    assert cursors.admit(0, 500) is Admission.REWIND
    assert cursors.admit(0, 500) is Admission.PROCESS
    assert cursors.get(0) == 500


def test_going_back_is_tried_anew_after_progress() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.admit(0, 500)
    cursors.admit(0, 100)
    cursors.advance(0, 110)

    assert cursors.admit(0, 500) is Admission.REWIND


def test_a_committed_offset_never_moves_a_partition_that_is_under_way() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.advance(0, 120)
    cursors.start(0, 100)

    assert cursors.get(0) == 120


def test_revoked_partitions_have_no_cursor() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.clear()

    assert cursors.partitions() == frozenset()
    assert cursors.get(0) is None


def test_the_next_batch_starts_behind_what_is_in_hand_and_the_cursor_waits() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.take(0, 110)

    assert cursors.admit(0, 110) is Admission.PROCESS
    assert cursors.admit(0, 100) is Admission.REWIND
    assert (cursors.get(0), cursors.expected(0)) == (100, 110)
    cursors.take(0, 120)
    cursors.advance(0, 110)
    assert cursors.holds(0, 120)
    assert cursors.get(0) == 110


def test_what_was_worked_out_on_a_failed_batch_is_void() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.take(0, 110)
    cursors.take(0, 120)
    cursors.put_back(0)

    assert not cursors.holds(0, 120)
    assert cursors.expected(0) == 100
    assert cursors.admit(0, 120) is Admission.REWIND
    assert cursors.admit(0, 100) is Admission.PROCESS


def test_a_batch_that_fails_twice_takes_the_poll_behind_it_for_no_gap() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    for _ in range(2):
        assert cursors.admit(0, 100) is Admission.PROCESS
        cursors.take(0, 200)
        cursors.put_back(0)
        assert cursors.admit(0, 200) is Admission.REWIND  # polled ahead, before the consumer went back

    assert cursors.get(0) == 100


def test_a_gap_behind_a_batch_in_hand_leaves_the_cursor_where_it_is() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.take(0, 110)

    assert cursors.admit(0, 500) is Admission.REWIND
    assert cursors.admit(0, 500) is Admission.PROCESS
    assert cursors.get(0) == 100


def test_a_seek_voids_what_is_in_hand() -> None:
    cursors = Cursors()
    cursors.start(0, 100)
    cursors.take(0, 150)

    cursors.move(0, 20)

    assert not cursors.holds(0, 150)
    assert cursors.expected(0) == 20
    assert cursors.admit(0, 20) is Admission.PROCESS
