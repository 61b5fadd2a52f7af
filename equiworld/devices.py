"""Devices as users name them."""

from __future__ import annotations

from typing import Any

import torch

from equiworld.errors import ArgumentError

__all__ = ["usable_device"]


def usable_device(device: Any) -> torch.device:
    """The device, if torch can compute there.

    Raises:
        ArgumentError: it cannot; lists those where it can.

    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
        return found
    except (RuntimeError, AssertionError, TypeError, ValueError, NotImplementedError) as error:
        options = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        if torch.backends.mps.is_available():
            options.append("mps")
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(
            "device", f"{device!r} ({said})", "a device that torch can use", options
        ) from error
