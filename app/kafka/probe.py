"""Whether a Kafka broker answers and lets us in, found out in bounded time and without a client library.

A client library retries by itself, keeps what it started, and says of most refusals no more than that nobody answers. A
probe does what a client does on its first connection, once: TLS, login, and the question which brokers are up.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from app.errors import KafkaRefused, KafkaUnreachable
from app.kafka.access import KafkaAccess
from app.kafka.refusals import Refusal, login_refused, tls_failed, wants_a_login, wants_other_transport
from app.kafka.wire import HungUp, LoginRefused, NotKafka, connected, enter

DEFAULT_PORT, MAX_PORT = 9092, 65_535
PATIENCE_S = 5.0  # with a Kafka that should be up


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        why: in a few words why there was no good answer; empty if there was.
        hint: which settings to mend; empty where none is at fault.
        address: whose good answer it is. A client library had better start there: it would wait for a dead one.
    """

    why: str = ""
    hint: str = ""
    address: str = ""

    @property
    def ok(self) -> bool:
        """Whether a broker lets us in and knows at least one broker that is up."""
        return not self.why


Probe = Callable[[KafkaAccess, float], Answer]


def probe(access: KafkaAccess, timeout_s: float) -> Answer:
    """The first good answer of all addresses; takes `timeout_s` at most, however many hang.

    Each is asked in a thread of its own, which ends by itself: one after the other, a host that drops packets would
    use up the time of whoever comes behind it, and looking up a name knows no timeout.
    """
    addresses = list(dict.fromkeys(access.addresses))
    answers: SimpleQueue[tuple[str, Refusal]] = SimpleQueue()

    def ask(address: str) -> None:
        answers.put((address, _why_not(address, access, timeout_s)))

    for address in addresses:
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    refusals = dict.fromkeys(addresses, _too_late(timeout_s))
    deadline = time.monotonic() + timeout_s
    for _ in addresses:
        try:
            address, refusal = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        if not refusal.why:
            return Answer(address=address)
        refusals[address] = refusal
    hints = [refusal.hint for refusal in refusals.values() if refusal.hint]
    return Answer("; ".join(f"{at}: {refusal.why}" for at, refusal in refusals.items()), hint="".join(hints[:1]))


def check_access(access: KafkaAccess, timeout_s: float) -> KafkaAccess:
    """The same way in, by a broker that answers. Stops here if there is none: a client library would keep trying.

    Raises:
        KafkaUnreachable: nobody answers.
        KafkaRefused: somebody does, but not to us; the hint names the settings.
    """
    answer = probe(access, timeout_s)
    if not answer.ok:
        raise no_good(access, answer)
    return replace(access, bootstrap_servers=answer.address)


def no_good(access: KafkaAccess, answer: Answer) -> KafkaUnreachable:
    """The error of an answer that is not good."""
    if answer.hint:
        return KafkaRefused(f"Kafka does not let us in: {answer.why}.", hint=answer.hint)
    return KafkaUnreachable(
        f"No Kafka answers at {access.bootstrap_servers}: {answer.why}.",
        hint="Start it or mend RIVERRUN_KAFKA__BOOTSTRAP_SERVERS; where that is unset, demo and bench bring their own.",
    )


def _why_not(address: str, access: KafkaAccess, timeout_s: float) -> Refusal:
    """Why this one gives no good answer; empty if it does."""
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, str(DEFAULT_PORT)
    if not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        return Refusal(f"is not host:port with a port up to {MAX_PORT}")
    try:
        return _ask(host.strip("[]"), int(port), access, time.monotonic() + timeout_s)
    except TimeoutError:
        return _too_late(timeout_s)
    except (socket.gaierror, UnicodeError):
        return Refusal("unknown host name")
    except OSError as error:
        return _in_words(error)


def _too_late(timeout_s: float) -> Refusal:
    return Refusal(f"no answer within {timeout_s:g} s")


def _in_words(error: Exception) -> Refusal:
    return Refusal((getattr(error, "strerror", None) or str(error)).lower())


def _ask(host: str, port: int, access: KafkaAccess, deadline: float) -> Refusal:
    try:
        with connected(host, port, access.tls, deadline) as wire:
            enter(wire, access)
            return Refusal("" if wire.brokers() > 0 else "answers, but has no broker that is up")
    except LoginRefused as error:
        return login_refused(error, access)
    except ssl.SSLCertVerificationError as error:
        return tls_failed(error, host, access)
    except (ssl.SSLError, HungUp, ConnectionError, NotKafka) as error:
        return _other_wish(host, port, access, deadline) or _plainly(error, host, access)


def _other_wish(host: str, port: int, access: KafkaAccess, deadline: float) -> Refusal | None:
    """What a broker speaks that says nothing we understand; None: nothing that we know of."""
    if access.login is None and _wants_login(host, port, access.tls, _soon(deadline)):
        return wants_a_login(access)
    if access.tls is not None and _answers(host, port, None, _soon(deadline)):
        return wants_other_transport(access)
    if access.tls is None and _speaks_tls(host, port, _soon(deadline)):
        return wants_other_transport(access)
    return None


def _soon(deadline: float) -> float:
    """An earlier one: what was found out before must still be told in time."""
    now_s = time.monotonic()
    return now_s + (deadline - now_s) / 4


def _plainly(error: Exception, host: str, access: KafkaAccess) -> Refusal:
    if isinstance(error, ssl.SSLError):
        return tls_failed(error, host, access)
    if isinstance(error, NotKafka):
        return Refusal("something answers that is not Kafka")
    if isinstance(error, HungUp):
        return Refusal("hung up without an answer")
    return _in_words(error)


def _answers(host: str, port: int, tls: ssl.SSLContext | None, deadline: float) -> bool:
    """Whether Kafka is there in this way: it says its versions to everybody."""
    try:
        with connected(host, port, tls, deadline) as wire:
            wire.says_versions()
    except (OSError, HungUp, NotKafka):
        return False
    return True


def _wants_login(host: str, port: int, tls: ssl.SSLContext | None, deadline: float) -> bool:
    """Whether Kafka says its versions and then hangs up: a broker that was only away for a moment says more."""
    try:
        with connected(host, port, tls, deadline) as wire:
            wire.says_versions()
            try:
                wire.brokers()
            except (HungUp, ConnectionError):
                return True
    except (OSError, HungUp, NotKafka):
        return False
    return False


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
