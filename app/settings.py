"""All settings, read once at the entry point and passed down whole.

Each comes from an environment variable `RIVERRUN_<SECTION>__<NAME>`, for example
`RIVERRUN_KAFKA__BOOTSTRAP_SERVERS=broker:9092`. An unknown or contradictory one stops the start with its name.
"""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import SettingsError

PREFIX = "RIVERRUN_"
DELIMITER = "__"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """Where Kafka is; without an address riverrun finds or starts one (app.kafka.resolver)."""

    bootstrap_servers: str | None = Field(None, description="host:port[,host:port]; empty: find or start one")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="what the brokers' listener speaks: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    ssl_cafile: Path | None = Field(
        None, description="PEM file of who signed the brokers' certificates; empty: the system's authorities"
    )
    ssl_certfile: Path | None = Field(None, description="PEM file of this client's certificate, for mutual TLS")
    ssl_keyfile: Path | None = Field(None, description="PEM file of its key; empty: the key is in the certificate's")
    ssl_key_password: SecretStr | None = Field(None, description="of an encrypted key")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str | None = Field(None, description="Kafka's name for this process")
    sasl_password: SecretStr | None = Field(None, description="its password")
    sasl_password_file: Path | None = Field(None, description="or the file that holds it, such as a mounted secret")
    image: str = Field("apache/kafka:4.1.0", description="image for testcontainers where a Docker engine answers")
    version: str = Field("4.1.0", description="Apache Kafka version of a local broker")
    session_timeout_ms: int = Field(10_000, ge=1_000, description="a worker silent this long is replaced")
    heartbeat_interval_ms: int = Field(2_000, ge=100, description="at most a third of the session timeout")
    request_timeout_ms: int = Field(4_000, ge=500, description="must stay under 0.4 of the session timeout")

    @model_validator(mode="after")
    def _fence_fits(self) -> "KafkaSettings":
        # The batch path's lease: a produce request must not outlive the right to write (docs/operations.md).
        if self.request_timeout_ms > 0.4 * self.session_timeout_ms:
            raise ValueError(
                f"RIVERRUN_KAFKA__REQUEST_TIMEOUT_MS={self.request_timeout_ms} must be at most 0.4 of "
                f"RIVERRUN_KAFKA__SESSION_TIMEOUT_MS={self.session_timeout_ms}"
            )
        if self.heartbeat_interval_ms > self.session_timeout_ms / 3:
            raise ValueError(
                f"RIVERRUN_KAFKA__HEARTBEAT_INTERVAL_MS={self.heartbeat_interval_ms} must be at most a third of "
                f"RIVERRUN_KAFKA__SESSION_TIMEOUT_MS={self.session_timeout_ms}"
            )
        return self

    @model_validator(mode="after")
    def _security_is_whole(self) -> "KafkaSettings":
        contradiction = next(iter(_contradictions(self)), "")
        if contradiction:
            raise ValueError(contradiction.replace("$", f"{PREFIX}KAFKA{DELIMITER}"))
        return self


_TLS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password")
_SASL = ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_password_file")


def _contradictions(kafka: KafkaSettings) -> Iterator[str]:
    """What does not go together in the way to Kafka; `$` stands before the name of a variable."""
    protocol, given = kafka.security_protocol, {name for name in (*_TLS, *_SASL) if getattr(kafka, name) is not None}
    said = f"$SECURITY_PROTOCOL={protocol}"
    if protocol != "PLAINTEXT" and not kafka.bootstrap_servers:
        yield f"{said}, but there is no $BOOTSTRAP_SERVERS"
    if not protocol.endswith("SSL"):
        yield from (f"${name.upper()} is set, but {said} has no TLS" for name in _TLS if name in given)
    if "ssl_certfile" not in given:
        yield from (f"${name.upper()} is set, but no $SSL_CERTFILE" for name in _TLS[2:] if name in given)
    if not protocol.startswith("SASL"):
        yield from (f"${name.upper()} is set, but {said} has no login" for name in _SASL if name in given)
    else:
        yield from (f"{said}, but there is no ${name.upper()}" for name in _SASL[:2] if name not in given)
        if len(given.intersection(_SASL[2:])) != 1:
            yield f"{said} takes one of $SASL_PASSWORD and $SASL_PASSWORD_FILE"


class AgentsSettings(_Section):
    """The stream agents: events -> interests -> score requests."""

    metrics_port: int = Field(9101, ge=0, le=65535, description="/metrics, /healthz, /readyz; 0 takes a free one")
    state_dir: Path = Field(Path(".riverrun/agents"), description="RocksDB tables; one folder per worker")
    processes: int = Field(1, ge=1, description="workers under one `riverrun agents`; a core and partitions for each")
    standby_replicas: int = Field(0, ge=0, description="warm copies of every table partition on other workers")
    fetch_max_bytes: int = Field(1_048_576, ge=16_384, description="most bytes of one partition in one batch")
    fetch_max_wait_ms: int = Field(5, ge=1, description="how long a fetch waits at the broker while there is traffic")
    max_event_bytes: int = Field(65_536, ge=256, description="a larger event is a dead letter")
    max_future_s: int = Field(86_400, ge=0, description="an event further in the future is a dead letter")
    max_interactions: int = Field(
        50,
        ge=1,
        description="newest interactions kept per user at least, for the model; up to 14 more gather before a cut",
    )
    max_items: int = Field(1_000, ge=1, le=50_000, description="own items kept per user: what was seen and bought")
    max_queries: int = Field(10, ge=0, description="newest search queries kept per user")
    max_age_days: int = Field(730, ge=1, description="interactions older than this, seen from the newest, fade")
    write_buffer_mb: int = Field(16, ge=1, description="RocksDB write buffer, three per table partition")


class ScoringSettings(_Section):
    """The model server: score requests -> recommendations."""

    metrics_port: int = Field(9102, ge=0, le=65535, description="/metrics, /healthz, /readyz; 0 takes a free one")
    models_dir: Path = Field(Path(".riverrun/models"), description="model versions, and which one is served")
    surfaces_file: Path | None = Field(None, description="the lists to make; empty: app/surfaces/surfaces.yml")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")
    max_batch_users: int = Field(512, ge=1, description="most users scored in one batch")
    remembered_users: int = Field(50_000, ge=1, description="users whose encoding can be continued, 1.8 KB each")
    fetch_max_wait_ms: int = Field(5, ge=1, description="how long a fetch waits at the broker while there is traffic")
    popularity_half_life_days: float = Field(14.0, gt=0, description="how fast what was popular fades")
    ranking_every_s: float = Field(
        60.0, gt=0, description="how long what others do may wait before a version's ranker counts it"
    )
    newcomers_every_s: float = Field(30.0, ge=0, description="how often newcomers' lists are made anew; 0: never")
    guard_s: float = Field(1_800.0, ge=0, description="how long a promoted version can be taken back; 0: never is")
    guard_fallback_rise: float = Field(0.05, ge=0, le=1, description="share of users it may know nothing of, in excess")
    guard_empty_rise: float = Field(0.01, ge=0, le=1, description="share of lists that may be empty, in excess")
    guard_hit_loss: float = Field(0.2, ge=0, le=1, description="share of the live hit rate that it may lose")
    threads: int = Field(1, ge=0, description="torch threads; one answers a lone click fastest; 0: torch decides")


class LearningSettings(_Section):
    """The learner: events -> challengers, and the better ones -> champions."""

    metrics_port: int = Field(9104, ge=0, le=65535, description="/metrics, /healthz, /readyz; 0 takes a free one")
    state_dir: Path = Field(Path(".riverrun/learning"), description="the event store, and where the learner is")
    most_events: int = Field(20_000_000, ge=1_000, description="events kept to learn from, 20 bytes each or so")
    max_age_days: int = Field(
        730,
        ge=1,
        description="events older than this, seen from the newest, go; a past from --data ages from when it was taken",
    )
    erase_within_s: float = Field(600.0, ge=0, description="how long a forgotten user's events may lie in a file yet")
    after_events: int = Field(100_000, ge=0, description="new events after which a challenger is trained; 0: by time")
    every_h: float = Field(24.0, ge=0, description="hours after which one is trained anyway; 0: by events alone")
    first_look: int = Field(5_000, ge=1, description="events after its training on which a challenger is judged first")
    looks: int = Field(3, ge=1, le=10, description="how often at most, each time on twice as many")
    coverage_kept: float = Field(0.8, ge=0, description="share of the champion's coverage that it must have")
    keep_versions: int = Field(5, ge=1, description="newest versions made here that are kept, promoted or not")
    options: Path | None = Field(None, description="a file with training options; empty: those that suit the data")
    encoder: Path | None = Field(None, description="folder of `riverrun train encoder`; empty: as it was pretrained")
    threads: int = Field(1, ge=0, description="of training and judging; 0: torch decides")
    niceness: int = Field(15, ge=0, le=19, description="of training and judging: how far they step back for others")

    @model_validator(mode="after")
    def _ever_trains(self) -> "LearningSettings":
        if not self.after_events and not self.every_h:
            raise ValueError("RIVERRUN_LEARNING__AFTER_EVENTS=0 and RIVERRUN_LEARNING__EVERY_H=0: nothing is trained")
        return self


class GatewaySettings(_Section):
    """The gateway: events in over HTTP, lists out."""

    host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104  # a server; nothing without a key
    port: int = Field(8080, ge=0, le=65535, description="port of the API and the page; 0 takes a free one")
    metrics_port: int = Field(9103, ge=0, le=65535, description="/metrics, /healthz, /readyz; 0 takes a free one")
    state_dir: Path = Field(Path(".riverrun/gateway"), description="the newest lists; one folder per gateway")
    api_keys: SecretStr = Field(SecretStr(""), description="keys of servers, comma-separated, 16 characters at least")
    token_secret: SecretStr = Field(
        SecretStr(""), description="signs the tokens of browsers, 32 bytes at least; empty: no tokens"
    )
    token_max_ttl_s: int = Field(3_600, ge=1, description="longest life of a token")
    open_access: bool = Field(False, description="true: no keys and tokens are asked for; for demos")
    allowed_origins: str = Field("", description="origins of other sites' pages, comma-separated (CORS); empty: none")
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="a larger POST is refused (413)")
    max_in_flight_events: int = Field(10_000, ge=1, description="events waiting for Kafka; beyond, POSTs get 429")
    ack_timeout_s: float = Field(5.0, gt=0, description="a POST that Kafka does not take for this long gets 503")
    max_streams: int = Field(10_000, ge=1, description="open streams; beyond, more get 503")
    slow_client_s: float = Field(10.0, gt=0, description="a stream whose socket takes nothing for this long is dropped")
    keep_interests: bool = Field(
        False, description="keep what is known of each user, for the demo's page; off: what was kept is removed"
    )
    scrape: str = Field(
        "",
        pattern=r"^(\s*https?://[^,\s]+\s*(,|$))*\s*$",
        description="/metrics addresses for /v1/pipeline, comma-separated; a name is all it stands for; empty: none",
    )
    access_log: bool = Field(False, description="a log line for each request; never with a token in it")
    write_buffer_mb: int = Field(16, ge=1, description="RocksDB write buffer, three per topic kept")

    @model_validator(mode="after")
    def _access_is_decided(self) -> "GatewaySettings":
        if self.open_access and self.api_keys.get_secret_value():
            raise ValueError(
                "RIVERRUN_GATEWAY__OPEN_ACCESS=true asks for no key, but RIVERRUN_GATEWAY__API_KEYS has some"
            )
        return self


class Settings(BaseSettings):
    """Every setting of riverrun, checked."""

    # An empty variable is an unset one: that is how compose files and CI write "nothing".
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, env_ignore_empty=True, extra="forbid", frozen=True
    )

    cache_dir: Path = Field(
        Path(os.path.expanduser("~/.cache/riverrun")), description="downloads: Kafka, data sets, encoder"
    )
    kafka: KafkaSettings = KafkaSettings()
    agents: AgentsSettings = AgentsSettings()
    scoring: ScoringSettings = ScoringSettings()
    learning: LearningSettings = LearningSettings()
    gateway: GatewaySettings = GatewaySettings()


def listed(text: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [each.strip() for each in text.split(",") if each.strip()]


def known_variables() -> dict[str, str]:
    """Every environment variable that riverrun reads, with its description."""
    variables: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            for key, inner in section.model_fields.items():
                variables[f"{PREFIX}{name}{DELIMITER}{key}".upper()] = inner.description or ""
        else:
            variables[f"{PREFIX}{name}".upper()] = field.description or ""
    return variables


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a `RIVERRUN_` variable is unknown, or a value is wrong; names the variable.
    """
    known = known_variables()
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            close = difflib.get_close_matches(variable.upper(), known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "`riverrun settings` lists what there is."
            raise SettingsError(f"Unknown setting {variable}.", hint=hint)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = (PREFIX + DELIMITER.join(str(part) for part in first["loc"])).upper()
        if first["type"] == "value_error":  # settings that contradict each other; the message names them
            raise SettingsError(
                f"Wrong settings: {first['msg'].removeprefix('Value error, ')}.", hint="Change one of the two."
            ) from error
        got = "" if isinstance(first["input"], dict | BaseModel) else f" (got {first['input']!r})"
        raise SettingsError(f"Wrong setting {variable}: {first['msg']}{got}.", hint=known.get(variable, "")) from error
