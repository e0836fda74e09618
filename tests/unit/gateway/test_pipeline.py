"""The scraper of the page's plots outlives whatever it reads."""

import socket
import threading

import pytest

from app.gateway.scraping import Process, page_of, processes_at


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n# TYPE", id="killed in mid-answer"),
        pytest.param(b"this is no HTTP\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n<html>", id="no metrics"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nriverrun_model_info 1\n", id="other metrics"),
    ],
)
def test_what_does_not_answer_as_it_should_is_away(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        assert page_of(Process(f"http://127.0.0.1:{listener.getsockname()[1]}/metrics", "agents")) is None
        server.join()


def resolving(monkeypatch: pytest.MonkeyPatch, *places: tuple[socket.AddressFamily, str]) -> None:
    def getaddrinfo(_host: str, port: int, type: int) -> list[tuple[object, ...]]:  # socket's name
        return [(family, type, 6, "", (ip, port)) for family, ip in places]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def addresses(address: str) -> list[str]:
    return [process.address for process in processes_at(address)]


def test_a_name_of_several_containers_is_all_of_them_in_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, (socket.AF_INET, "10.0.0.7"), (socket.AF_INET, "10.0.0.3"))
    there = processes_at("http://model-server:9102/metrics")
    assert there == [
        Process("http://10.0.0.3:9102/metrics", "model-server:9102"),
        Process("http://10.0.0.7:9102/metrics", "model-server:9102"),
    ]


def test_a_process_with_two_addresses_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, (socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
    assert addresses("http://localhost:9102/metrics") == ["http://127.0.0.1:9102/metrics"]
    resolving(monkeypatch, (socket.AF_INET6, "fd00::1"))
    assert addresses("http://agents/metrics") == ["http://[fd00::1]/metrics"]


def test_a_certificate_is_for_the_name() -> None:
    assert addresses("https://agents.example/metrics") == ["https://agents.example/metrics"]


def test_an_address_that_is_none_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_asked: object, **_how: object) -> None:
        raise socket.gaierror("Name or service not known")

    assert addresses("http://127.0.0.1:99999/metrics") == []
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert addresses("http://nobody/metrics") == []
