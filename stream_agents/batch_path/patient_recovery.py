"""Faust's recovery, begun again when Kafka does not answer in time.

Faust takes a time-out in any step of recovery for a stop of the service: it leaves the recovery loop quietly and for
ever, and the worker never becomes ready again, whatever is assigned to it later.
"""

import asyncio
import logging
from typing import Any, Final

from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped

log = logging.getLogger("riverrun.agents")

PAUSE_S: Final = 1.0


class PatientRecovery(Recovery):
    """Waits like Faust's, but tells a time-out from a stop."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109  # Faust's signature
        try:
            await super()._wait(coro, timeout=timeout)
        except ServiceStopped:
            if self.should_stop:
                raise
            await self._again("Kafka did not answer in time")
        except IllegalStateError:
            raise  # the partitions were revoked; Faust waits for the next assignment
        except KafkaError as error:
            await self._again(str(error))

    async def _again(self, why: str) -> None:
        log.warning("restoring the table again from the beginning: %s", why)
        await asyncio.sleep(PAUSE_S)
        self.signal_recovery_start.set()
        raise RebalanceAgain


class PatientTableManager(TableManager):
    """Faust's table manager with the recovery above."""

    @property
    def recovery(self) -> Recovery:
        """The one recovery service."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
