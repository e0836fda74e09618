"""Whether somebody answers, against sockets of this machine."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kafka.access import KafkaAccess
from app.kafka.probe import Answer, probe
from app.kafka.wire import CORRELATION_ID
from tests.support.certificates import Authority


@contextmanager
def server(reply: bytes | None) -> Iterator[str]:
    """An address where one caller gets this reply; None: is never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                if reply is None:
                    done.wait(10)
                else:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        done.set()
        thread.join()


def metadata(correlation_id: int, brokers: int) -> bytes:
    body = struct.pack(">iiii", correlation_id, brokers, 0, 0)
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (metadata(CORRELATION_ID, 1), ""),
        (metadata(CORRELATION_ID, 0), "answers, but has no broker that is up"),
        (metadata(7, 1), "something answers that is not Kafka"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "something answers that is not Kafka"),
        (b"\0\0", "hung up without an answer"),
        (None, "no answer within 0.3 s"),
    ],
)
def test_what_answers_is_told(reply: bytes | None, why: str) -> None:
    with server(reply) as address:
        answer = probe(KafkaAccess(address), 0.3)
    assert answer.ok == (not why)
    assert why in answer.why


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "connection refused"),
        ("no-such-host.invalid:9092", "unknown host name"),
        ("localhost:http", "is not host:port"),
        ("localhost:99999", "65535"),
    ],
)
def test_an_address_where_nobody_is_is_told_at_once(address: str, why: str) -> None:
    started = time.monotonic()
    answer = probe(KafkaAccess(address), 5.0)
    assert why in answer.why
    assert address in answer.why
    assert time.monotonic() - started < 8


def test_plain_text_to_a_server_of_tls_is_told_what_it_speaks(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Authority(tmp_path).issue("localhost", "server"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(3):  # the probe, and a look at either way
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        answer = probe(KafkaAccess(f"127.0.0.1:{listener.getsockname()[1]}"), 5.0)
        thread.join()
    assert "it speaks TLS, not plain text" in answer.why
    assert "RIVERRUN_KAFKA__SECURITY_PROTOCOL=SSL" in answer.hint


def test_a_broker_that_resets_one_connection_is_not_told_to_want_a_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            listener.accept()[0].close()
            connection, _ = listener.accept()
            with connection:
                for _question in range(2):
                    (size,) = struct.unpack(">i", connection.recv(4))
                    (correlation_id,) = struct.unpack_from(">i", connection.recv(size), 4)
                    connection.sendall(metadata(correlation_id, brokers=1))
            with contextlib.suppress(OSError):
                listener.accept()[0].close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer = probe(KafkaAccess(f"127.0.0.1:{listener.getsockname()[1]}"), 5.0)
    assert "password" not in answer.why
    assert not answer.hint


def test_one_broker_of_several_is_enough() -> None:
    with server(metadata(CORRELATION_ID, 3)) as address:
        answer = probe(KafkaAccess(f"127.0.0.1:1,{address}"), 1.0)
    assert answer == Answer(address=address)


def test_hosts_that_hang_take_no_time_from_the_one_that_answers() -> None:
    with server(None) as first, server(None) as second, server(metadata(CORRELATION_ID, 3)) as alive:
        started = time.monotonic()
        answer = probe(KafkaAccess(f"{first},{second},{alive}"), 5.0)
        assert time.monotonic() - started < 2.5
    assert answer == Answer(address=alive)


def test_hosts_that_all_hang_take_the_time_of_one() -> None:
    with server(None) as first, server(None) as second:
        started = time.monotonic()
        answer = probe(KafkaAccess(f"{first},{second}"), 0.3)
        assert time.monotonic() - started < 0.55
    assert answer.why == f"{first}: no answer within 0.3 s; {second}: no answer within 0.3 s"
