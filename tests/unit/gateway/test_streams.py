"""Who waits is told the newest only; messages are made once."""

import asyncio

from app.gateway.replica import Row
from app.gateway.streams import Change, Listeners, Signal, Wanted

HOME, NEW = Wanted("home", expanded=False), Wanted("new", expanded=False)


def change(version: int, made: list[Wanted] | None = None) -> Change:
    def render(_change: Change, wanted: Wanted) -> bytes:
        if made is not None:
            made.append(wanted)
        return b"%d" % version

    return Change(Row(version, 0, b""), render)


async def test_only_the_newest_change_waits_for_a_slow_listener() -> None:
    listeners = Listeners()
    slow = listeners.join("ann")
    for version in (1, 2, 3):
        listeners.tell("ann", change(version))
    news = await slow.next()
    assert isinstance(news, Change)
    assert news.message(HOME) == b"3"
    later = asyncio.create_task(slow.next())
    await asyncio.sleep(0)
    assert not later.done()
    listeners.tell("ann", Signal.BEAT)
    assert await later is Signal.BEAT


async def test_signals_never_take_the_place_of_a_change_but_the_end_does() -> None:
    listeners = Listeners()
    listener = listeners.join("ann")
    listeners.tell("ann", change(1))
    listeners.tell("ann", Signal.BEAT)
    assert isinstance(await listener.next(), Change)
    listeners.tell("ann", Signal.END)
    listeners.tell("ann", change(2))
    assert await listener.next() is Signal.END


async def test_a_message_is_made_once_for_all_listeners_of_a_user_and_surface() -> None:
    made: list[Wanted] = []
    listeners = Listeners()
    all_of_them = [listeners.join("ann") for _ in range(5)]
    listeners.tell("ann", change(7, made))
    for listener in all_of_them:
        news = await listener.next()
        assert isinstance(news, Change)
        assert (news.message(HOME), news.message(NEW)) == (b"7", b"7")
    assert made == [HOME, NEW]


async def test_others_are_not_told_and_who_left_is_forgotten() -> None:
    listeners = Listeners()
    ann, bob = listeners.join("ann"), listeners.join("bob")
    listeners.leave("bob", bob)
    listeners.tell("bob", change(1))
    waiting = asyncio.create_task(ann.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    assert len(listeners) == 1


async def test_everybody_beats_once_in_fifteen_turns() -> None:
    listeners = Listeners()
    everybody = [listeners.join(f"user-{number}") for number in range(40)]
    beats = [0] * len(everybody)
    for _ in range(15):
        listeners.beat()
        for place, listener in enumerate(everybody):
            waiting = asyncio.create_task(listener.next())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            beats[place] += waiting.done()
            waiting.cancel()
    assert beats == [1] * len(everybody)


async def test_who_comes_after_the_end_is_told_so_at_once() -> None:
    listeners = Listeners()
    early = listeners.join("ann")
    listeners.end()
    assert await early.next() is Signal.END
    assert await listeners.join("bob").next() is Signal.END


async def test_who_comes_after_a_restart_stays() -> None:
    listeners = Listeners()
    early = listeners.join("ann")
    listeners.restart()
    assert await early.next() is Signal.ANEW
    late = asyncio.create_task(listeners.join("ann").next())
    await asyncio.sleep(0)
    assert not late.done()
    late.cancel()
