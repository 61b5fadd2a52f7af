"""How much data and how much training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["FEW", "Scale"]

FEW: Mapping[str, tuple[float, ...]] = {
    "steps": (300, 1000, 3000),
    "weight_decays": (0.03, 0.3),
    "learning_rates": (3e-3, 1e-2),
    "periodic": (0.0, 0.5),
}
"""What every arm is tried with on few transitions: what serves with many overfits there."""


@dataclass(frozen=True)
class Scale:
    """How much data and how much training. Of what has several entries the one of the least validation error is taken.

    Attributes:
        transitions: collected for training.
        held_out: likewise for validation, and for testing, with seeds of their own.
        half_width: of the slice of orientations [deg].
        steps: of the optimiser; with 0 models stay as they are drawn.
        learning_rates: peaks of the schedule.
        weight_decays: None for the default at this amount of data.
        periodic: sine features as a share of the first hidden layer; the family's own if empty.
        batch_size: transitions a step.
        encoder_steps: of an encoder alone, before; joint_steps: of both together, after.
        width: of hidden layers, or of an encoder's points; the family's own if None.
        size: of the part that each seed trains on, which is its own; everything if None.
        collection: seed of the data.
        device: that models are trained on.
    """

    transitions: int
    held_out: int
    half_width: float
    steps: tuple[int, ...] = (8000,)
    learning_rates: tuple[float, ...] = (1e-2,)
    weight_decays: tuple[float | None, ...] = (None,)
    periodic: tuple[float, ...] = ()
    batch_size: int = 1024
    encoder_steps: int = 1500
    joint_steps: int = 300
    width: int | None = None
    size: int | None = None
    collection: int = 0
    device: str = "cpu"

    def few(self, size: int) -> Scale:
        """The same collection, of which each seed trains on so many transitions, with the choices of `FEW`."""
        return replace(self, size=size, **FEW)  # type: ignore[arg-type]

    def in_words(self) -> str:
        """What was chosen, of a scale with one entry of each kind."""
        sines = f", {self.periodic[0]:g} sines" if self.periodic else ""
        return f"{self.steps[0]} steps, rate {self.learning_rates[0]:g}, decay {self.weight_decays[0]}{sines}"

    def data(self) -> dict[str, Any]:
        """What collected data depends on."""
        return {name: getattr(self, name) for name in ("transitions", "held_out", "half_width", "collection")}
