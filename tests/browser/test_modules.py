"""The page's pure modules, run where they live: in the browser."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewPage

NAMES = ("send", "fold", "score", "deliver", "show")


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


def run(page: Page, module: str, call: str, *arguments: object) -> Any:
    """The result of a function of a module."""
    return page.evaluate(
        "async ([module, call, args]) => (await import(module))[call](...args)", [f"/{module}", call, list(arguments)]
    )


def stages(page: Page, stations: list[int | None], sent_ts: int, shown_ts: int) -> Any:
    """The stages of a click with these stations: received, requested, generated, gateway."""
    received, requested, generated, gateway = stations
    answer = {
        "cause": {"received_ts": received}, "requested_ts": requested, "generated_ts": generated, "gateway_ts": gateway,
    }  # fmt: skip
    click = {"totalMs": shown_ts - sent_ts, "sentTs": sent_ts, "shownTs": shown_ts, "list": answer}
    found = run(page, "stages.js", "stagesOf", click)
    assert sum(found["ms"].values()) == pytest.approx(shown_ts - sent_ts)
    assert all(ms >= 0 for ms in found["ms"].values())
    return [found["ms"][name] for name in NAMES], found["bothWays"], found["note"]


def test_a_click_is_split_at_its_stations(page: Page) -> None:
    assert stages(page, [1_004, 1_009, 1_012, 1_014], 1_000, 1_020) == ([4, 5, 3, 2, 6], False, "")


def test_a_list_without_a_station_leaves_its_stage_empty(page: Page) -> None:
    assert stages(page, [1_004, None, 1_012, 1_014], 1_000, 1_020)[0] == [4, 8, 0, 2, 6]


def test_a_browser_with_another_clock_shows_the_way_there_and_back_as_one(page: Page) -> None:
    ms, both_ways, note = stages(page, [61_004, 61_009, 61_012, 61_014], 1_000, 1_020)
    assert (ms, both_ways) == ([0, 5, 3, 2, 10], True)
    assert "59994 ms off" in note


def test_servers_with_clocks_apart_are_said_to_be_and_nothing_is_negative(page: Page) -> None:
    _, _, note = stages(page, [1_004, 991, 1_012, 1_014], 1_000, 1_020)
    assert "servers' clocks disagree" in note
    _, _, note = stages(page, [1_000, 1_900, 1_910, 1_915], 1_000, 1_020)
    assert "servers' clocks disagree" in note


@pytest.mark.parametrize(
    ("pasted", "key"),
    [
        (" demo-key\n", "demo-key"),
        ("\ufeffdemo\u200b-key\u2060", "demo-key"),
        ("demo\u2013key", None),
        ("\u200b", None),
    ],
)
def test_a_pasted_key_is_what_a_request_can_carry(page: Page, pasted: str, key: str | None) -> None:
    assert run(page, "key.js", "keyIn", pasted) == key


def test_changes_are_counted_as_a_person_would(page: Page) -> None:
    words = page.evaluate(
        "async () => { const { changesBetween, inWords } = await import('/changes.js');"
        "return [inWords(changesBetween(['a', 'b', 'c'], ['c', 'a', 'd'])), inWords(changesBetween(['a'], ['a']))] }"
    )
    assert words == ["1 new, 1 gone, 2 moved", "nothing moved"]


def test_a_history_shows_nothing_of_who_was_forgotten_whatever_comes_late(page: Page) -> None:
    """What is answered before the click, while the gateway is behind, and in the end."""
    shown = page.evaluate(
        """async () => {
            const { makeHistory } = await import('/history.js');
            const asked = [];
            const interests = (count) => ({queries: [], interactions: Array.from({length: count}, (_, ts) =>
                ({item_id: `i${ts}`, kind: "click", ts, strength: 1}))});
            const api = {get: (path) => path.includes("interests")
                ? new Promise((answer) => asked.push(answer)) : Promise.resolve({items: []})};
            const history = makeHistory(api);
            const rows = async () => {
                await new Promise((done) => setTimeout(done, 100));
                return document.querySelectorAll("#history-list li").length;
            };
            const found = [];
            history.open("ann");
            asked[0](interests(2));
            found.push(await rows());
            history.refreshSoon();
            while (asked.length < 2) await rows();
            history.forget();
            asked[1](interests(2));  // of before
            found.push(await rows());
            asked[2](interests(2));  // of a gateway that is behind
            found.push(await rows());
            while (asked.length < 4) await rows();
            asked[3](interests(0));
            found.push(await rows());
            return found;
        }"""
    )
    assert shown == [2, 0, 0, 0]


def test_covers_are_the_same_for_the_same_item(page: Page) -> None:
    same = page.evaluate(
        "async () => { const { coverOf } = await import('/cover.js');"
        "const film = { item_id: '7', title: 'Fargo (1996)', category: ['Crime'] };"
        "return [coverOf(film).outerHTML === coverOf(film).outerHTML,"
        " coverOf(film).outerHTML === coverOf({ ...film, item_id: '8' }).outerHTML] }"
    )
    assert same == [True, False]


@pytest.mark.parametrize(
    ("title", "initials"),
    [
        ("The Usual Suspects (1995)", "US"),
        ("12 Angry Men (1957)", "12"),
        ("Fargo (1996)", "Fa"),
        ("Élisa (1995)", "Él"),
    ],
)
def test_initials_leave_small_words_out(page: Page, title: str, initials: str) -> None:
    assert run(page, "cover.js", "initialsOf", title) == initials
