"""Ports of this machine that nobody listens on."""

import random
import socket
from itertools import islice

from app.errors import KafkaStartFailed
from app.kafka.broker_config import HOST, Ports

# Below Linux's ephemeral ports (32768 and up): there a client that retries while the broker is away
# can be given the broker's own port as its source, connect to itself and block the broker for ever.
LOWEST, HIGHEST = 15_000, 32_000
ATTEMPTS = 1_000


def free_ports(rng: random.Random, broker: int | None = None) -> Ports:
    """Two free ports; `broker` asks for this one.

    Raises:
        KafkaStartFailed: the port asked for is in use, or none is free.
    """
    if broker is not None and not is_free(broker):
        raise KafkaStartFailed(
            f"Port {broker} of {HOST} is in use.",
            hint=f"Stop what listens there (ss -ltnp 'sport = :{broker}') or choose another port.",
        )
    candidates = (rng.randint(LOWEST, HIGHEST) for _ in range(ATTEMPTS))
    free = list(islice((port for port in dict.fromkeys(candidates) if port != broker and is_free(port)), 2))
    if len(free) < 2:  # noqa: PLR2004 - broker and controller
        raise KafkaStartFailed(
            f"No free port between {LOWEST} and {HIGHEST} on {HOST}.", hint="Stop something that listens."
        )
    return Ports(broker=free[0] if broker is None else broker, controller=free[1])


def is_free(port: int) -> bool:
    """Whether a broker could listen there now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: TIME_WAIT is no hindrance
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True
