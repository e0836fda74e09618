"""A health check without curl: `probe.py PORT PATH` exits with 0 where http://127.0.0.1:PORT/PATH answers 200.

Runs every few seconds in every container, so it imports nothing but `socket`: 30 ms, where `riverrun` takes a second
to start.
"""

import socket
import sys

TIMEOUT_S = 3.0


def status_of(port: int, path: str, timeout_s: float = TIMEOUT_S) -> str:
    """The status code of the answer.

    Raises:
        OSError: nobody answers in time.
    """
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        status_line = connection.recv(64).split(b"\r\n")[0].split()
    return status_line[1].decode() if len(status_line) > 1 else ""


if __name__ == "__main__":
    try:
        got = status_of(int(sys.argv[1]), sys.argv[2])
    except OSError as error:
        sys.exit(str(error))
    sys.exit(None if got == "200" else f"{sys.argv[2]} says {got or 'nothing'}")
