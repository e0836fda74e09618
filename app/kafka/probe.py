"""Whether a Kafka broker answers at an address, found out in bounded time and without a client library.

A client library retries by itself and starts threads; a probe must do neither. It asks Metadata v1 for no topic
(https://kafka.apache.org/protocol#The_Messages_Metadata): the answer starts with the brokers that are up.
"""

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

CORRELATION_ID = 0x52495645
DEFAULT_PORT, MAX_PORT = 9092, 65_535
MIN_ANSWER_BYTES, MAX_ANSWER_BYTES = 12, 1 << 20
_METADATA_V1 = struct.pack(">hhih", 3, 1, CORRELATION_ID, -1) + struct.pack(">i", 0)


@dataclass(frozen=True)
class Answer:
    """What came back: `why` says in a few words why there was no good answer, and is empty if there was."""

    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether a broker answers and knows at least one broker that is up."""
        return not self.why


Probe = Callable[[str, float], Answer]


def probe(bootstrap_servers: str, timeout_s: float) -> Answer:
    """Ask each address of `host:port[,host:port]` until one answers; takes `timeout_s` at most per address."""
    reasons = []
    for address in bootstrap_servers.split(","):
        answer = _probe_one(address.strip(), timeout_s)
        if answer.ok:
            return answer
        reasons.append(f"{address.strip()}: {answer.why}")
    return Answer("; ".join(reasons))


def _probe_one(address: str, timeout_s: float) -> Answer:
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        return Answer(f"is not host:port with a port up to {MAX_PORT}")
    try:
        return _ask(host.strip("[]"), int(port), timeout_s)
    except TimeoutError:
        return Answer(f"no answer within {timeout_s:g} s")
    except socket.gaierror:
        return Answer("unknown host name")
    except OSError as error:
        return Answer((getattr(error, "strerror", None) or str(error)).lower())


def _ask(host: str, port: int, timeout_s: float) -> Answer:
    deadline = time.monotonic() + timeout_s
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
        (size,) = struct.unpack(">i", _receive(connection, 4, deadline))
        if MIN_ANSWER_BYTES <= size <= MAX_ANSWER_BYTES:
            correlation_id, brokers = struct.unpack(">ii", _receive(connection, size, deadline)[:8])
            if correlation_id == CORRELATION_ID:
                return Answer() if brokers > 0 else Answer("answers, but has no broker that is up")
    return Answer("something answers that is not Kafka")


def _receive(connection: socket.socket, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes.

    Raises:
        TimeoutError: the deadline (monotonic seconds) has passed.
        ConnectionError: the other side hung up.
    """
    received = b""
    while len(received) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise ConnectionResetError("hung up without an answer")
        received += chunk
    return received
