"""What a shop's frontend does where there is no gateway."""

import asyncio
import socket

import aiohttp
import pytest

from app.demo.frontend import Frontend


async def test_a_gateway_that_is_away_is_said_and_not_waited_for() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with Frontend(f"http://127.0.0.1:{nobody.getsockname()[1]}") as pages, asyncio.timeout(10):
            with pytest.raises(aiohttp.ClientError):
                await pages.open_streams(["ann", "bob"])
