"""What README tells a newcomer to copy works as it stands there, but for the address, the key and the topic's name."""

import contextlib
import io
import re
import subprocess
from typing import Final

import pytest

from app.kafka.resolver import ResolvedKafka
from tests.browser.conftest import NewPage
from tests.support.gateway import API_KEY
from tests.support.loop import Loop
from tests.support.process import REPOSITORY

SHOP: Final = (REPOSITORY / "README.md").read_text().partition("## A shop of your own")[2].partition("\n## ")[0]
_TIMEOUT_S: Final = 30


def snippet(language: str, sign: str, changes: dict[str, str]) -> str:
    """The one block of this language that says `sign`, with changes that must apply."""
    blocks = re.findall(rf"```{language}\n(.*?)```", SHOP, re.DOTALL)
    (text,) = [block for block in blocks if sign in block]
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return str(text)


def test_python(kafka: ResolvedKafka, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", API_KEY)
    changes = {"broker:9092": kafka.access.bootstrap_servers, '"catalog"': f'"{loop.catalog}"'}
    changes['"expand": "items"}'] = '"expand": "items", "timeout_ms": 10_000}'  # half a second is for quiet machines
    code = snippet("python", "KafkaProducer", changes | {"http://localhost:8080": loop.address.rstrip("/")})
    names: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)  # noqa: S102  # README's own words
    names["catalog"].close()  # type: ignore[attr-defined]  # the snippet's producer
    lists = names["lists"]
    assert isinstance(lists, dict)
    assert lists["reflects"]
    assert lists["cause"]["event_id"] == names["waited"]["wait_for"]  # type: ignore[index]
    assert len(printed.getvalue().splitlines()) == len(lists["items"]) > 0
    assert names["token"]


def test_javascript(new_page: NewPage, loop: Loop) -> None:
    page = new_page()
    token = loop.gateway.ask("/v1/tokens", {"user_id": "ann"}).body["token"]
    code = snippet("js", "EventSource", {"http://localhost:8080": loop.address.rstrip("/")})
    first, second = page.evaluate(
        """async ([code, token]) => {
            const shown = [];
            const next = (before) => new Promise((done) => {
                const look = () => (shown.length > before ? done() : setTimeout(look, 20));
                look();
            });
            const run = new Function("token", "show", `${code}; return {lists, clicked};`);
            const {lists, clicked} = run(token, (items) => shown.push(items.map((each) => each.item_id)));
            await next(0);
            const first = shown.at(-1), before = shown.length;
            const answer = await clicked(first[0]);
            if (!answer.ok) throw new Error(await answer.text());
            await next(before);
            lists.close();
            return [first, shown.at(-1)];
        }""",
        [code, token],
    )
    assert first
    assert first[0] not in second


def test_curl(loop: Loop) -> None:
    changes = {"localhost:8080": loop.address.removeprefix("http://").rstrip("/"), "-sN": "-sN --max-time 2"}
    ran = subprocess.run(
        ["/bin/bash", "-c", snippet("bash", "curl", changes)],
        env={"API_KEY": API_KEY, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert '{"accepted":1,' in ran.stdout, ran.stderr
    assert "event: recommendations" in ran.stdout
