"""Whether a Kafka broker answers at an address, found out in bounded time and without a client library.

A client library retries by itself and keeps what it started; a probe must do neither. It asks Metadata v1 for no topic
(https://kafka.apache.org/protocol#The_Messages_Metadata): the answer starts with the brokers that are up.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

CORRELATION_ID = 0x52495645
DEFAULT_PORT, MAX_PORT = 9092, 65_535
MIN_ANSWER_BYTES, MAX_ANSWER_BYTES = 12, 1 << 20
_METADATA_V1 = struct.pack(">hhih", 3, 1, CORRELATION_ID, -1) + struct.pack(">i", 0)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        why: in a few words why there was no good answer; empty if there was.
        address: whose good answer it is. A client library had better start there: it would wait for a dead one.
    """

    why: str = ""
    address: str = ""

    @property
    def ok(self) -> bool:
        """Whether a broker answers and knows at least one broker that is up."""
        return not self.why


Probe = Callable[[str, float], Answer]


def probe(bootstrap_servers: str, timeout_s: float) -> Answer:
    """The first good answer of all addresses of `host:port[,host:port]`; takes `timeout_s` at most, however many hang.

    Each is asked in a thread of its own, which ends by itself: one after the other, a host that drops packets would
    use up the time of whoever comes behind it, and looking up a name knows no timeout.
    """
    addresses = list(dict.fromkeys(address.strip() for address in bootstrap_servers.split(",")))
    answers: SimpleQueue[tuple[str, str]] = SimpleQueue()
    for address in addresses:
        threading.Thread(target=lambda at=address: answers.put((at, _why_not(at, timeout_s))), daemon=True).start()
    reasons = dict.fromkeys(addresses, _too_late(timeout_s))
    deadline = time.monotonic() + timeout_s
    for _ in addresses:
        try:
            address, why = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        if not why:
            return Answer(address=address)
        reasons[address] = why
    return Answer("; ".join(f"{address}: {why}" for address, why in reasons.items()))


def _why_not(address: str, timeout_s: float) -> str:
    """Why this one gives no good answer; empty if it does."""
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        return f"is not host:port with a port up to {MAX_PORT}"
    try:
        return _ask(host.strip("[]"), int(port), timeout_s)
    except TimeoutError:
        return _too_late(timeout_s)
    except (socket.gaierror, UnicodeError):
        return "unknown host name"
    except OSError as error:
        return (getattr(error, "strerror", None) or str(error)).lower()


def _too_late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _ask(host: str, port: int, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
        (size,) = struct.unpack(">i", _receive(connection, 4, deadline))
        if MIN_ANSWER_BYTES <= size <= MAX_ANSWER_BYTES:
            correlation_id, brokers = struct.unpack(">ii", _receive(connection, size, deadline)[:8])
            if correlation_id == CORRELATION_ID:
                return "" if brokers > 0 else "answers, but has no broker that is up"
    return "something answers that is not Kafka"


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
