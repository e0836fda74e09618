"""Where torch computes."""

import torch

from app.errors import SettingsError


def resolve_device(name: str) -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:<number>`.

    Raises:
        SettingsError: that CUDA device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"RIVERRUN_SCORING__DEVICE={name}, but there are {torch.cuda.device_count()} CUDA devices.",
            hint="Set it to auto or cpu.",
        )
    return device
