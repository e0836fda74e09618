"""A real browser before the real loop. What every test also proves: no error in the console, no request elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import load_topics
from app.settings import Settings
from tests.support.chromium import NO_CHROMIUM, find_chromium, flags
from tests.support.kafka import unique_prefix

if TYPE_CHECKING:
    from tests.support.loop import Loop

WAIT_MS = 20_000  # two cores, a broker, a browser and two models: patience costs nothing where all is well
NewPage = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, closed after this folder's last test: until then Playwright runs an event loop."""
    path = find_chromium()
    if path is None:
        pytest.skip(NO_CHROMIUM)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags())
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def loop(
    browser: Browser, kafka: ResolvedKafka, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loop]:
    """The loop of all tests in this folder: every test is another visitor. Not started where no browser is."""
    # pytest reads this file before it knows the warnings that kafka-python is forgiven (tests/support/kafka.py).
    from tests.support.loop import running_loop  # noqa: PLC0415

    topics = load_topics().with_prefix(unique_prefix())
    apply_topics(kafka.access, topics)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RIVERRUN_SCORING__NEWCOMERS_EVERY_S", "30")  # tests have none unless they say so
        with running_loop(kafka.access.bootstrap_servers, topics, settings, tmp_path_factory.mktemp("loop")) as running:
            yield running


@pytest.fixture
def troubles() -> list[str]:
    """What went wrong in a page so far; a test that expects trouble clears it."""
    return []


@pytest.fixture
def new_page(browser: Browser, loop: Loop, troubles: list[str]) -> Iterator[NewPage]:
    """Opens the page as a new visitor, with options of a browser context."""
    contexts: list[BrowserContext] = []

    def open_page(path: str = "", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # options as Playwright names them
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: _check_origin(request.url, loop.address, troubles))
        page.goto(loop.address + path)
        page.locator(".card").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


def _check_origin(url: str, address: str, troubles: list[str]) -> None:
    if not url.startswith((address, "data:")):
        troubles.append(f"a request left the origin: {url}")
