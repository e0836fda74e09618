"""From settings to a running gateway; what `riverrun gateway` calls."""

import asyncio
import logging
import time

import uvloop

from app.errors import SettingsError
from app.gateway.auth import AccessRules, checked
from app.gateway.following import FollowState
from app.gateway.health import Health
from app.gateway.metrics import TABLE
from app.gateway.server import raise_descriptor_limit
from app.gateway.shelf import ROLE as LISTS_ROLE
from app.gateway.wiring import CATALOG_ROLE, Installation, serve
from app.kafka.topic_admin import verify_topics
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import load_topics
from app.observability import Metrics, ObservabilityServer
from app.settings import GatewaySettings, Settings
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
    servers = settings.kafka.bootstrap_servers
    if not servers:
        raise SettingsError("No Kafka address is set.", hint="Set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS=host:port.")
    raise_descriptor_limit(gateway.max_streams)
    metrics = Metrics(TABLE)
    followed = {role: FollowState() for role in (LISTS_ROLE, CATALOG_ROLE)}
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
        topics = load_topics().with_prefix(topic_prefix)
        verify_topics(servers, topics)
        names = (topics.recommendations.name, topics.catalog.name, topics.score_requests.name)
        installation = Installation(settings, rules, servers, topics, topic_ids(servers, names), folder, followed)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(installation, metrics, health))


def _rules(gateway: GatewaySettings) -> AccessRules:
    keys = [key.strip() for key in gateway.api_keys.get_secret_value().split(",") if key.strip()]
    return AccessRules(gateway.open_access, keys, gateway.token_secret.get_secret_value(), gateway.token_max_ttl_s)
