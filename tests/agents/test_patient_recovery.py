"""Recovery when Kafka does not answer, inside a Faust application that is not connected to anything."""

# ruff: noqa: SLF001  # Faust's private seams are what is tested here

import asyncio
from typing import Any, cast

import faust
import pytest
from aiokafka.errors import IllegalStateError, KafkaTimeoutError
from faust.tables.recovery import RebalanceAgain, ServiceStopped

from stream_agents.batch_path.patient_recovery import PatientRecovery, PatientTableManager


def recovery() -> PatientRecovery:
    """The recovery service that Faust makes for an application with the patient table manager."""
    app = faust.App("test", broker="kafka://127.0.0.1:9", web_enabled=False, TableManager=PatientTableManager)
    made = cast("Any", app.tables).recovery
    assert isinstance(made, PatientRecovery)
    return made


async def raising(error: Exception) -> None:
    raise error


async def test_a_time_out_begins_recovery_again_instead_of_ending_it() -> None:
    patient = recovery()

    with pytest.raises(RebalanceAgain):
        await patient._wait(asyncio.sleep(10), timeout=0.01)
    assert patient.signal_recovery_start.is_set()


async def test_an_error_of_kafka_begins_recovery_again() -> None:
    patient = recovery()

    with pytest.raises(RebalanceAgain):
        await patient._wait(raising(KafkaTimeoutError()), timeout=1)
    assert patient.signal_recovery_start.is_set()


async def test_a_stop_and_a_revocation_stay_what_they_are() -> None:
    patient = recovery()

    with pytest.raises(IllegalStateError):
        await patient._wait(raising(IllegalStateError()), timeout=1)
    patient._stopped.set()
    with pytest.raises(ServiceStopped):
        await patient._wait(asyncio.sleep(10), timeout=0.01)
    assert not patient.signal_recovery_start.is_set()
