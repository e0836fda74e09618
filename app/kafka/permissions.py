"""What each component must be permitted in Kafka, as ACLs name it: the least that it needs, and no more.

Processes check theirs when they start, the table in docs/operations.md is made from it, and the tests grant exactly it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.kafka.topics import APP_ID, ROLES


class Operation(StrEnum):
    """As kafka-acls writes them. Read and Write include Describe, AlterConfigs includes DescribeConfigs."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    ALTER_CONFIGS = "AlterConfigs"


READ, WRITE = Operation.READ, Operation.WRITE


@dataclass(frozen=True, slots=True)
class Permissions:
    """Of one component.

    Args:
        topics: the operations on each topic, by role.
        group: the consumer group that it joins (Read), without the topics' prefix; empty: none.
    """

    topics: Mapping[str, tuple[Operation, ...]]
    group: str = ""


_APPLY: Final = (Operation.CREATE, Operation.DESCRIBE, Operation.ALTER_CONFIGS)

TOPICS: Final = Permissions(dict.fromkeys(ROLES, _APPLY))
AGENTS: Final = Permissions(
    {
        "events": (READ, WRITE),
        "interests_changelog": (READ, WRITE),
        "agents_leader": (READ,),
        "score_requests": (WRITE,),
        "dead_letters": (WRITE,),
    },
    group=APP_ID,
)
SCORE: Final = Permissions(
    {
        "score_requests": (READ, WRITE),
        "events": (READ,),
        "catalog": (READ,),
        "recommendations": (WRITE,),
        "dead_letters": (WRITE,),
        "model_updates": (READ, WRITE),
    },
    group="riverrun-model-server",
)
LEARN: Final = Permissions({"events": (READ,), "catalog": (READ,), "model_updates": (WRITE,)})
GATEWAY: Final = Permissions({"events": (WRITE,), "catalog": (READ,), "recommendations": (READ,)})
GATEWAY_WITH_INTERESTS: Final = Permissions({**GATEWAY.topics, "interests_changelog": (READ,)})
REPLAY: Final = Permissions({"events": (WRITE,), "catalog": (WRITE,)})
MODELS: Final = Permissions({"model_updates": (WRITE,)})

COMPONENTS: Final[Mapping[str, Permissions]] = MappingProxyType(
    {
        "`riverrun topics apply`": TOPICS,
        "`riverrun agents`": AGENTS,
        "`riverrun score`": SCORE,
        "`riverrun learn`": LEARN,
        "`riverrun gateway`": GATEWAY,
        "`riverrun gateway` with `RIVERRUN_GATEWAY__KEEP_INTERESTS`": GATEWAY_WITH_INTERESTS,
        "`riverrun replay`": REPLAY,
        "`riverrun models promote`, `rollback`": MODELS,
    }
)
"""Every component that connects to the configured Kafka, by its name for people."""
