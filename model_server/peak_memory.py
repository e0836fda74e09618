"""The most memory that this process has held since a moment: the kernel's own high-water mark."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import torch

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5): sets the mark to what is held now
_KB_PER_MB: Final = 1_024
_BYTES_PER_MB: Final = 1 << 20


class PeakMemory:
    """Begins when it is made. On a GPU it is the GPU's memory that counts, on a CPU all that the process holds.

    Where the kernel does not let the mark be set back, what was held before may be in it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            # It is refused as long as nothing else was asked of the GPU.
            torch.cuda.init()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):  # some containers forbid it
            _CLEAR.write_text(_RESET_PEAK)

    def mb(self) -> float:
        """Megabytes (2^20), whole ones."""
        if self._device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self._device) // _BYTES_PER_MB)
        mark = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(int(mark.split()[1]) // _KB_PER_MB)
