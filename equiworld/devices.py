"""Devices to compute on."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from equiworld.errors import ArgumentError

__all__ = ["available_devices", "processor_name", "usable_device"]


def available_devices() -> tuple[str, ...]:
    """The devices that torch finds here.

    >>> available_devices()[0]
    'cpu'
    """
    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    others = [name for name in ("mps", "xpu") if getattr(torch, name).is_available()]
    return ("cpu", *cuda, *others)


def usable_device(device: Any, dtype: torch.dtype = torch.float32) -> torch.device:
    """A device by name, with its index, on which numbers of a dtype can be computed and read.

    Raises:
        ArgumentError: torch knows no such device, or has none here, or not for that dtype.

    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        if not isinstance(device, str | torch.device):
            raise TypeError(f"a {type(device).__name__}")
        numbers = torch.zeros(1, dtype=dtype, device=device)
        numbers.sum().item()
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        got = f"{device!r}, which cannot be used here for {dtype} ({reason})"
        raise ArgumentError("device", got, "a device of this machine", available_devices()) from error
    return numbers.device


def processor_name() -> str:
    """The processor's model, as the system names it; at least its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), "") or platform.processor() or platform.machine()
