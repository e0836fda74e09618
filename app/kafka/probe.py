"""Whether a Kafka broker answers and lets us in, found out in bounded time and without a client library.

A client library retries by itself, starts threads, and says of most refusals no more than that nobody answers. A probe
does what a client does on its first connection, once: TLS, login, and the question which brokers are up.
"""

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import KafkaRefused, KafkaUnreachable
from app.kafka.access import KafkaAccess
from app.kafka.refusals import Refusal, login_refused, tls_failed, wants_a_login, wants_other_transport
from app.kafka.wire import HungUp, LoginRefused, NotKafka, connected, enter

DEFAULT_PORT, MAX_PORT = 9092, 65_535


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        why: in a few words why there was no good answer; empty if there was.
        hint: which settings to mend; empty where none is at fault.
    """

    why: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether a broker lets us in and knows at least one broker that is up."""
        return not self.why


Probe = Callable[[KafkaAccess, float], Answer]


def probe(access: KafkaAccess, timeout_s: float) -> Answer:
    """Ask each address until one answers well; takes `timeout_s` at most per address."""
    reasons, hint = [], ""
    for address in access.addresses:
        answer = _probe_one(address, access, timeout_s)
        if answer.ok:
            return answer
        reasons.append(f"{address}: {answer.why}")
        hint = hint or answer.hint
    return Answer("; ".join(reasons), hint)


def check_access(access: KafkaAccess, timeout_s: float) -> None:
    """Stop here if no broker lets us in: a client library would keep trying.

    Raises:
        KafkaUnreachable: nobody answers.
        KafkaRefused: somebody does, but not to us; the hint names the settings.
    """
    answer = probe(access, timeout_s)
    if not answer.ok:
        raise no_good(access, answer)


def no_good(access: KafkaAccess, answer: Answer) -> KafkaUnreachable:
    """The error of an answer that is not good."""
    if answer.hint:
        return KafkaRefused(f"Kafka does not let us in: {answer.why}.", hint=answer.hint)
    return KafkaUnreachable(
        f"No Kafka answers at {access.bootstrap_servers}: {answer.why}.",
        hint="Start it or mend RIVERRUN_KAFKA__BOOTSTRAP_SERVERS; where that is unset, demo and bench bring their own.",
    )


def _probe_one(address: str, access: KafkaAccess, timeout_s: float) -> Answer:
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        return Answer(f"is not host:port with a port up to {MAX_PORT}")
    try:
        return _ask(host.strip("[]"), int(port), access, time.monotonic() + timeout_s)
    except TimeoutError:
        return Answer(f"no answer within {timeout_s:g} s")
    except socket.gaierror:
        return Answer("unknown host name")
    except OSError as error:
        return Answer((getattr(error, "strerror", None) or str(error)).lower())


def _ask(host: str, port: int, access: KafkaAccess, deadline: float) -> Answer:
    try:
        with connected(host, port, access.tls, deadline) as wire:
            enter(wire, access)
            return Answer() if wire.brokers() > 0 else Answer("answers, but has no broker that is up")
    except LoginRefused as error:
        refusal = login_refused(error, access)
    except ssl.SSLCertVerificationError as error:
        refusal = tls_failed(error, host, access)
    except (ssl.SSLError, HungUp, ConnectionError, NotKafka) as error:
        refusal = _other_wish(host, port, access, deadline) or _plainly(error, host, access)
    return Answer(refusal.why, refusal.hint)


def _other_wish(host: str, port: int, access: KafkaAccess, deadline: float) -> Refusal | None:
    """What a broker speaks that says nothing we understand; None: nothing that we know of."""
    if access.login is None and _answers(host, port, access.tls, deadline):
        return wants_a_login(access)
    if access.tls is not None and _answers(host, port, None, deadline):
        return wants_other_transport(access)
    if access.tls is None and _speaks_tls(host, port, deadline):
        return wants_other_transport(access)
    return None


def _plainly(error: Exception, host: str, access: KafkaAccess) -> Refusal:
    if isinstance(error, ssl.SSLError):
        return tls_failed(error, host, access)
    if isinstance(error, NotKafka):
        return Refusal("something answers that is not Kafka")
    if isinstance(error, HungUp):
        return Refusal("hung up without an answer")
    return Refusal((getattr(error, "strerror", None) or str(error)).lower())


def _answers(host: str, port: int, tls: ssl.SSLContext | None, deadline: float) -> bool:
    """Whether Kafka is there in this way: it says its versions to everybody."""
    try:
        with connected(host, port, tls, deadline) as wire:
            wire.says_versions()
    except (OSError, HungUp, NotKafka):
        return False
    return True


def _speaks_tls(host: str, port: int, deadline: float) -> bool:
    try:
        with connected(host, port, ssl.create_default_context(), deadline):
            return True
    except ssl.SSLCertVerificationError:
        return True  # it has a certificate; whose does not matter here
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
