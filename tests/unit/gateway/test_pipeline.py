"""The scraper of the page's plots outlives whatever it reads."""

import socket
import threading

import pytest

from app.gateway.pipeline import _page


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
        assert _page(f"http://127.0.0.1:{listener.getsockname()[1]}/metrics") is None
        server.join()
