"""The properties of a machine that rounding depends on: with others, the same training ends with other last bits."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from equiworld.devices import processor_name

__all__ = ["machine", "warn_of_another"]


def machine(device: torch.device) -> dict[str, Any]:
    """Threads, processor and vector instructions that a run computes with, JSON-able; of a GPU its name."""
    found = {
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "device": device.type,
    }
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
    return found


def warn_of_another(then: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Say where a checkpoint's machine was another: the resumed run is no less valid, but not the same to the bit."""
    different = [
        f"{name} {then[name]!r}, now {value!r}"
        for name, value in now.items()
        if then.get(name, value) != value
    ]
    if different:
        warnings.warn(
            f"{path} was written with {'; '.join(different)}: training goes on, but its last bits may differ from "
            "those of an uninterrupted run",
            stacklevel=4,
        )
