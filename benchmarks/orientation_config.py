"""The settings of the orientation benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from equiworld.arguments import integer
from equiworld.errors import ArgumentError

__all__ = ["QUICK", "Config"]

QUICK = {
    "transitions": 20_000,
    "test_transitions": 2_000,
    "steps": 1500,
    "batch_size": 256,
    "tasks": 3,
    "task_steps": 60,
    "episodes": 8,
    "episode_steps": 80,
}


@dataclass(frozen=True)
class Config:
    """Train on a slice of headings, then turn the world: prediction, tasks and paths at every orientation.

    In space, `equiworld demo --env cloud` does the like from clouds of points.

    Attributes:
        out: folder for the results; data and models are kept there too and not made again.
        seed: of data, weights, batches, tasks and planner.
        quick: a small version of everything, in about a minute; its numbers prove nothing.
        transitions: collected for training.
        test_transitions: collected for testing, with another seed.
        steps: optimiser steps, the same for each model.
        batch_size: transitions in each.
        width: of each of three hidden layers, the same for each model.
        half_width: of the slice of headings that is trained on [deg].
        tasks: at each orientation.
        task_steps: environment steps in a task at most.
        episodes: of gym-pusht's own task, with its walls and its resets at every heading.
        episode_steps: environment steps in each of these at most.
        workers: processes; as many as cores if None.
        progress: show progress bars.
        pictures: draw `orientation.png` and `orientation.gif`.
    """

    out: Path = Path("runs/demo")
    seed: int = 0
    quick: bool = False
    transitions: int = 250_000
    test_transitions: int = 10_000
    steps: int = 6000
    batch_size: int = 1024
    width: int = 128
    half_width: float = 30.0
    tasks: int = 8
    task_steps: int = 100
    episodes: int = 50
    episode_steps: int = 200
    workers: int | None = None
    progress: bool = True
    pictures: bool = True

    def __post_init__(self) -> None:
        for name in ("transitions", "test_transitions", "steps", "width", "tasks", "task_steps", "episodes"):
            integer(name, getattr(self, name), least=1)
        if not 0 < self.half_width <= 180:
            raise ArgumentError("half_width", self.half_width, "degrees between 0 and 180")

    def reduced(self) -> Config:
        """With `quick`, no number larger than in the small version."""
        if not self.quick:
            return self
        return replace(self, **{name: min(most, getattr(self, name)) for name, most in QUICK.items()})
