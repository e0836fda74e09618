"""Settings of the Python interpreter that both servers run with. Measured; the numbers are in DECISIONS.md."""

import gc
import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 0.000_5
_GC_THRESHOLDS: Final = (50_000, 20, 100)


def tune_interpreter() -> None:
    """Call once everything is loaded: rare garbage collections, and quick turns between threads.

    A batch makes tens of thousands of objects that reference counts free by themselves; collections that found nothing
    took a third to a half of the time per event.

    Kafka's clients and the work have a thread each. Whoever needs the lock waits for up to a switch interval, once for
    each of many small steps: with Python's five milliseconds that was a third of the time from an event to its list.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays for good
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
