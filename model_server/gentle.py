"""Threads for what may take its time beside clicks."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_NICENESS: Final = 10


def gentle_thread(name: str) -> ThreadPoolExecutor:
    """One thread of low priority: on Linux niceness belongs to the thread, so a click is scored before its work."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=_yield_to_others)


def _yield_to_others() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
