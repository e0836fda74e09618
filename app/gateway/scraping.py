"""Reads `/metrics` pages: a name may stand for several processes (`docker compose up --scale`), and each has a page."""

import socket
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

from app.gateway.figures import Page, read_page

_TIMEOUT_S: Final = 0.8
_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class Process:
    """Where one process answers, and what it is called there."""

    address: str
    host: str


def processes_at(address: str) -> list[Process]:
    """Every process that the name in an address stands for; none where nobody knows the name. Blocks.

    Args:
        address: http or https. With https it stays as it is: a certificate is for the name.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme == "https":
            return [Process(address, parts.netloc)]
        found = socket.getaddrinfo(parts.hostname, parts.port or _HTTP_PORT, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    ips, ips_6 = (
        sorted({str(place[0]) for of, _, _, _, place in found if of == family})
        for family in (socket.AF_INET, socket.AF_INET6)
    )
    port = "" if parts.port is None else f":{parts.port}"
    # One family: with both, each process would be there twice.
    hosts = ips or [f"[{ip}]" for ip in ips_6]
    return [Process(parts._replace(netloc=f"{host}{port}").geturl(), parts.netloc) for host in hosts]


def page_of(process: Process) -> Page | None:
    """Its page; None where it is away, dead in mid-answer, or something else answers there. Blocks."""
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy is told of by name, if at all
    asking = urllib.request.Request(process.address, headers={"Host": process.host})  # noqa: S310  # http(s): the settings are checked
    try:
        with straight.open(asking, timeout=_TIMEOUT_S) as answer:
            return read_page(answer.read().decode())
    except (OSError, HTTPException, ValueError, LookupError):
        return None
