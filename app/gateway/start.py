"""From settings to a running gateway, and its end; what `riverrun gateway` calls."""

import asyncio
import logging
import signal
import socket
import time
from contextlib import AsyncExitStack

import uvloop

from app.gateway.auth import AccessRules, checked
from app.gateway.following import FollowState
from app.gateway.health import Health
from app.gateway.metrics import TABLE
from app.gateway.server import Room, Server, listen, make_server, room_for
from app.gateway.wiring import Gateway, Installation, followed_topics, wire
from app.interpreter import tune_interpreter
from app.kafka.access import access_of
from app.kafka.permissions import GATEWAY, GATEWAY_WITH_INTERESTS
from app.kafka.topic_check import check_topics
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import load_topics
from app.observability import Metrics, ObservabilityServer
from app.settings import GatewaySettings, Settings, listed
from app.state_folder import claimed_folder

logger = logging.getLogger(__name__)


def start(settings: Settings, topic_prefix: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        RiverrunError: no keys, no broker, topics that are not as they should be, a port or folder in use.
    """
    gateway = settings.gateway
    rules = checked(_rules(gateway))
    if rules.open_access:
        logger.warning("Open access: everybody may read every user's lists and send events. For demos only.")
    access = access_of(settings.kafka)
    room = room_for(gateway.max_streams)
    gateway = gateway.model_copy(update={"max_streams": room.streams})
    settings = settings.model_copy(update={"gateway": gateway})
    topics = load_topics().with_prefix(topic_prefix)
    topics_read = followed_topics(settings, topics)
    permissions = GATEWAY_WITH_INTERESTS if gateway.keep_interests else GATEWAY
    metrics, followed = Metrics(TABLE), {role: FollowState() for role in topics_read}
    health = Health(time.monotonic, followed)
    with (
        claimed_folder(gateway.state_dir, "RIVERRUN_GATEWAY__STATE_DIR") as folder,
        ObservabilityServer(
            gateway.metrics_port,
            "RIVERRUN_GATEWAY__METRICS_PORT",
            metrics.registry,
            health=health.healthy,
            ready=health.ready,
        ) as server,
    ):
        logger.info("Metrics and probes on port %d.", server.port)
        check_topics(access, topics, permissions)
        ids = topic_ids(access, [topic.name for topic in topics_read.values()])
        installation = Installation(settings, rules, access, topics, ids, folder, followed)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(installation, metrics, health, room))


async def _serve(installation: Installation, metrics: Metrics, health: Health, room: Room) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = installation.settings.gateway
    async with AsyncExitStack() as stack:
        listener = listen(settings.host, settings.port)
        stack.callback(listener.close)
        gateway = await wire(installation, metrics, health, stack)
        tune_interpreter()
        await _until_stopped(gateway, make_server(gateway.app, room), listener, stop, health)


async def _until_stopped(
    gateway: Gateway, server: Server, listener: socket.socket, stop: asyncio.Event, health: Health
) -> None:
    """Serve until told to stop; then streams end, requests under way are answered, and everything else ends.

    Raises:
        Exception: that of a part that ended before.
    """
    beside = [asyncio.ensure_future(run()) for run in gateway.beside]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    listener.listen()  # whoever reads the next line may come at once: the server takes a moment to begin
    logger.info("Gateway on http://%s:%d.", *listener.getsockname()[:2])
    await asyncio.wait({serving, stopping, *beside}, return_when=asyncio.FIRST_COMPLETED)
    health.stopping = True
    server.should_exit = True
    for listeners in gateway.listeners:
        listeners.end()
    await asyncio.wait({serving})
    for task in (*beside, stopping):
        task.cancel()
    for result in await asyncio.gather(serving, *beside, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _rules(gateway: GatewaySettings) -> AccessRules:
    keys = listed(gateway.api_keys.get_secret_value())
    return AccessRules(gateway.open_access, keys, gateway.token_secret.get_secret_value(), gateway.token_max_ttl_s)
