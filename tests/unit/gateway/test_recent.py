"""What is remembered of the last minutes is bounded."""

from app.gateway.recent import RecentUser, RecentUsers


def test_users_are_told_newest_first_and_kept_over_a_restart() -> None:
    users = RecentUsers(2)
    for version, user_id in enumerate(["ann", "bob", "cleo", "bob"]):
        users.changed(RecentUser(user_id, version, 10 + version))
    assert [user.user_id for user in users.newest(9)] == ["bob", "cleo"]
    after = RecentUsers(2)
    after.restore(users.to_bytes())
    assert after.newest(9) == users.newest(9)
    after.forgotten("bob")
    assert [user.user_id for user in after.newest(1)] == ["cleo"]


def test_nothing_kept_is_nothing_restored() -> None:
    users = RecentUsers(2)
    users.restore(None)
    assert users.newest(5) == []


def test_a_topic_that_is_read_anew_brings_old_users_and_they_are_told_after_the_new_ones() -> None:
    users = RecentUsers(2)
    for generated_ts_ms in (50, 90, 10, 80, 20, 30):
        users.changed(RecentUser(f"user-{generated_ts_ms}", 1, generated_ts_ms))
    assert [user.user_id for user in users.newest(9)] == ["user-90", "user-80"]
