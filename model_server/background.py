"""Work beside the lists: in threads of one kind, that step back when a click is to be answered."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_NICENESS: Final = 10


def background_thread(name: str) -> ThreadPoolExecutor:
    """One thread of low priority."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=_yield_to_others)


def _yield_to_others() -> None:
    """On Linux niceness belongs to the thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
