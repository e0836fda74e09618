"""One bare connection to a broker, for a probe: the oldest form of a few requests, in bounded time.

https://kafka.apache.org/protocol has them all; a request is its size, its header and its body.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Final

from app.kafka.access import KafkaAccess, Login

CORRELATION_ID: Final = 0x52495645
MIN_ANSWER_BYTES, MAX_ANSWER_BYTES = 4, 1 << 20
METADATA, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 17, 18, 36
UNSUPPORTED_MECHANISM, ILLEGAL_SASL_STATE = 33, 34


class NotKafka(Exception):
    """Something answers, but not as Kafka does."""


class HungUp(Exception):
    """The other side closed the connection instead of answering."""


class LoginRefused(Exception):
    """The broker refuses a login.

    Args:
        code: Kafka's error code.
        said: what it said: the mechanisms that it has, or its own words.
    """

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


class Wire:
    """See the module. Whatever comes out of it raises the errors of this module, `OSError` or `TimeoutError`.

    Args:
        connection: open; with TLS done.
        deadline: until when there must be answers, by `time.monotonic()`.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def brokers(self) -> int:
        """How many brokers are up (Metadata v1 of no topic)."""
        answer = self._ask(METADATA, 1, struct.pack(">i", 0))
        (count,) = struct.unpack_from(">i", _at_least(answer, 4))
        return int(count)

    def says_versions(self) -> None:
        """What every listener of Kafka answers before anything else (ApiVersions v0)."""
        self._ask(API_VERSIONS, 0, b"")

    def log_in(self, login: Login, protocol: str) -> None:
        """Authenticate as a client does, with kafka-python's mechanisms (SaslHandshake v1, SaslAuthenticate v0)."""
        from kafka.net.sasl.plain import SaslMechanismPlain  # noqa: PLC0415 - slow to import, not for --help
        from kafka.net.sasl.scram import SaslMechanismScram  # noqa: PLC0415 - as above

        self._choose(login.mechanism)
        kind = SaslMechanismPlain if login.mechanism == "PLAIN" else SaslMechanismScram
        mechanism = kind(
            security_protocol=protocol,
            sasl_mechanism=login.mechanism,
            sasl_plain_username=login.username,
            sasl_plain_password=login.password.get_secret_value(),
        )
        while not mechanism.is_done():
            token = mechanism.auth_bytes()
            answer = self._ask(SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
            code, size = struct.unpack_from(">hh", _at_least(answer, 4))
            at = 4 + max(0, size)  # -1: no message
            if code:
                raise LoginRefused(code, answer[4:at].decode(errors="replace"))
            try:
                mechanism.receive(answer[at + 4 :])
            except (ValueError, LookupError) as error:  # no SCRAM, or a server that does not know the password itself
                raise NotKafka from error

    def _choose(self, mechanism: str) -> None:
        name = mechanism.encode()
        answer = self._ask(SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name)
        code, count = struct.unpack_from(">hi", _at_least(answer, 6))
        if code:
            raise LoginRefused(code, ", ".join(_texts(answer[6:], count)))

    def _ask(self, request: int, version: int, body: bytes) -> bytes:
        """Send a request; its answer behind the correlation id."""
        head = struct.pack(">hhih", request, version, CORRELATION_ID, -1)
        self._connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        (size,) = struct.unpack(">i", self._receive(4))
        if not MIN_ANSWER_BYTES <= size <= MAX_ANSWER_BYTES:
            raise NotKafka
        answer = self._receive(size)
        if struct.unpack_from(">i", answer) != (CORRELATION_ID,):
            raise NotKafka
        return answer[4:]

    def _receive(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            self._connection.settimeout(max(0.001, self._deadline - time.monotonic()))
            chunk = self._connection.recv(size - len(received))
            if not chunk:
                raise HungUp
            received += chunk
        return received


@contextmanager
def connected(host: str, port: int, tls: SSLContext | None, deadline: float) -> Iterator[Wire]:
    """A connection for the length of the block; `deadline` by `time.monotonic()`."""
    left_s = max(0.001, deadline - time.monotonic())
    with socket.create_connection((host, port), timeout=left_s) as connection:
        if tls is None:
            yield Wire(connection, deadline)
            return
        with tls.wrap_socket(connection, server_hostname=host) as encrypted:
            yield Wire(encrypted, deadline)


def enter(wire: Wire, access: KafkaAccess) -> None:
    """Log in where the access has a login."""
    if access.login is not None:
        wire.log_in(access.login, access.protocol)


def _at_least(answer: bytes, size: int) -> bytes:
    if len(answer) < size:
        raise NotKafka
    return answer


def _texts(data: bytes, count: int) -> Iterator[str]:
    at = 0
    for _ in range(count):
        (size,) = struct.unpack_from(">h", _at_least(data[at:], 2))
        yield data[at + 2 : at + 2 + size].decode(errors="replace")
        at += 2 + size
