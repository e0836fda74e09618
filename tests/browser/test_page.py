"""The live page in a real browser, before the real loop."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewPage
from tests.support.loop import FAMILIES, HOSTILE_TITLE, Loop

SPACE = FAMILIES["Sci-Fi"]
WESTERN = FAMILIES["Western"]
UNKNOWN = "\N{EN DASH}"


def cards(page: Page) -> Locator:
    """The cards of the list, without those that fade away."""
    return page.locator("#cards > .card:not(.leaving)")


def shown(page: Page) -> list[str]:
    """The item ids of the list."""
    ids: list[str] = cards(page).evaluate_all("cards => cards.map(card => card.dataset.item)")
    return ids


def answered(page: Page, clicks: int) -> None:
    """Wait until so many deeds were answered by a list."""
    expect(page.locator("#clicks-words")).to_contain_text(f"{clicks} click")


def look_for(page: Page, words: str) -> None:
    """Choose a film by the search box."""
    page.locator("#search").fill(words)
    page.locator("#search-options [role=option]").first.click()


def press(page: Page, item_id: str, kind: str) -> None:
    """Open, like or hide a film of the list."""
    page.locator(f'[data-item="{item_id}"] .actions [data-kind="{kind}"]').click()


def test_a_new_visitors_first_click_makes_the_list_theirs(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 3")
    answered(page, 1)
    first = shown(page)
    assert "sci-fi-3" not in first
    assert all(item_id.startswith("sci-fi-") for item_id in first[:8])
    expect(cards(page).first.locator(".reason")).to_contain_text(f"{SPACE} 3")
    expect(page.locator("#history-list li").first).to_contain_text(SPACE)


def test_three_clicks_are_measured_by_stage_and_each_film_vanishes(new_page: NewPage) -> None:
    page = new_page()
    for click in range(1, 4):
        item_id = shown(page)[1]
        press(page, item_id, "like" if click == 2 else "click")
        answered(page, click)
        assert item_id not in shown(page)
    total = float(page.locator("#total-ms").inner_text())
    stages = page.locator(".stage-ms").all_inner_texts()
    assert 0 < total < 5_000
    assert abs(sum(float(ms) for ms in stages if ms != UNKNOWN) - total) < 2 + 0.01 * total


def test_what_is_hidden_never_comes_back(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 1")
    answered(page, 1)
    hidden = shown(page)[0]
    press(page, hidden, "dislike")
    answered(page, 2)
    look_for(page, f"{SPACE} 12")
    answered(page, 3)
    assert hidden not in shown(page)


def test_a_click_says_which_list_and_place_it_answers(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 5")
    answered(page, 1)
    chosen = shown(page)[4]
    with page.expect_request("**/v1/events") as sent:
        press(page, chosen, "click")
    [event] = json.loads(sent.value.post_data or "")
    assert (event["item_id"], event["position"], event["surface"]) == (chosen, 4, "home")
    assert event["recommendation_id"]
    answered(page, 2)


def test_the_page_comes_back_after_the_gateway_and_nothing_done_meanwhile_is_lost(
    new_page: NewPage, loop: Loop, troubles: list[str]
) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 2")
    answered(page, 1)
    port = loop.gateway.port
    loop.gateway.kill()
    expect(page.locator("#connection")).to_have_attribute("data-state", "broken")
    assert shown(page)  # the list stays
    done_meanwhile = shown(page)[0]
    press(page, done_meanwhile, "click")
    expect(page.locator("#toasts")).to_contain_text("sent again")
    loop.restart(port)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    answered(page, 2)
    assert done_meanwhile not in shown(page)
    troubles.clear()  # the refused connections


def test_everything_can_be_done_by_keyboard(new_page: NewPage) -> None:
    page = new_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
    tab_to(page, "#search")
    page.keyboard.type(f"{WESTERN} 4")
    expect(page.locator("#search-options [role=option]").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    answered(page, 1)
    tab_to(page, "#cards .actions button")
    opened = shown(page)[0]
    page.keyboard.press("Enter")
    answered(page, 2)
    assert opened not in shown(page)
    assert page.evaluate("document.activeElement.closest('li')?.dataset.item") == shown(page)[0]
    outline: str = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something of the kind has the focus."""
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_a_phone_has_no_sideways_scroll_and_buttons_for_thumbs(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    cards(page).nth(1).locator('[data-kind="like"]').tap()
    answered(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = page.locator("button:visible").evaluate_all(
        "all => all.filter(one => Math.min(one.offsetWidth, one.offsetHeight) < 32).map(one => one.outerHTML)"
    )
    assert small == []


def test_titles_are_text_whatever_they_say(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, "onerror")
    answered(page, 1)
    expect(page.locator(".history-title").first).to_have_text(HOSTILE_TITLE)
    assert page.title() == "riverrun"
    assert page.locator("main img").count() == 0


def test_another_person_is_chosen_and_stays_after_a_reload(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{WESTERN} 7")
    answered(page, 1)
    person = page.locator("#person-id").inner_text()
    list_of_person = shown(page)

    other = new_page()
    other.locator("#switch").click()
    other.locator(f'[data-user="{person}"]').click()
    expect(other.locator("#person-name")).to_contain_text(person)
    expect(cards(other).first).to_have_attribute("data-item", list_of_person[0])
    other.reload()
    expect(cards(other).first).to_have_attribute("data-item", list_of_person[0])
    assert shown(other) == list_of_person


def test_whoever_is_forgotten_begins_again(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 9")
    answered(page, 1)
    forget = page.locator("#forget")
    forget.click()
    expect(forget).to_have_text("Really forget?")
    forget.click()
    expect(page.locator("#shelf-line")).to_contain_text("forgotten")
    expect(page.locator("#history-list li")).to_have_count(0)


def test_the_dark_page_stays_dark(new_page: NewPage) -> None:
    page = new_page(color_scheme="light")
    light = background(page)
    page.locator("#theme").click()
    assert background(page) != light
    page.reload()
    page.locator(".card").first.wait_for()
    assert background(page) != light


def background(page: Page) -> str:
    """The colour of the page."""
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_cards_slide_to_their_places_unless_motion_is_unwanted(new_page: NewPage) -> None:
    count = (
        "document.querySelector('#cards').getAnimations({subtree: true})"
        ".filter(one => one.playState === 'running').length"
    )
    for motion, moves in (("no-preference", True), ("reduce", False)):
        page = new_page(reduced_motion=motion)
        page.evaluate(f"window.most = 0; (function look() {{ window.most = Math.max(window.most, {count}); "
                      "requestAnimationFrame(look); })()")  # fmt: skip
        look_for(page, f"{SPACE} 6")
        answered(page, 1)
        if moves:
            page.wait_for_function("window.most > 0")
        else:
            page.wait_for_timeout(500)
            most: Any = page.evaluate("window.most")
            assert most == 0


def test_the_pipeline_is_shown_beside_the_list(new_page: NewPage) -> None:
    page = new_page()
    expect(page.locator("#pipeline-status")).to_have_text("Every process answers.")
    expect(page.locator("#figures dd").last).not_to_have_text(UNKNOWN)
    expect(page.locator("#plots .plot")).to_have_count(4)


def test_other_lists_are_a_tab_away_and_live_as_well(new_page: NewPage) -> None:
    page = new_page()
    look_for(page, f"{SPACE} 4")
    answered(page, 1)
    page.get_by_role("button", name="Popular", exact=True).click()
    expect(page.locator("#shelf-title")).to_have_text("Popular")
    expect(cards(page)).to_have_count(10)
    expect(page.get_by_role("button", name="Popular", exact=True)).to_have_attribute("aria-pressed", "true")
    press(page, shown(page)[0], "like")
    answered(page, 2)
