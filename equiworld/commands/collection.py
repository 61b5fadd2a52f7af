"""`equiworld collect`"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from equiworld.arguments import number
from equiworld.commands.environment import make_env
from equiworld.commands.outcome import Outcome
from equiworld.errors import ArgumentError
from equiworld.files import check_folder, held_folder
from equiworld.symmetry import symmetry_of
from equiworld.training import collect

__all__ = ["Collect"]

QUICK_TRANSITIONS = 5000


@dataclass(frozen=True)
class Collect:
    """Collect transitions from an environment. Interrupted, the same command goes on where it stopped.

    Attributes:
        out: folder for `data.safetensors`, and for finished chunks until all are.
        env: id of the environment; module:id imports the module first.
        env_arguments: arguments of `gym.make`, as JSON.
        transitions: how many.
        headings: keep to starts with the heading within ± this [deg], for environments that observe one.
        seed: of everything random.
        workers: processes; by default this one alone, until it shows that several would be done sooner.
        dtype: that the numbers are kept in; float32 halves the memory, which counts for point clouds.
        quick: a small number of transitions.
        progress: show a progress bar.
    """

    out: Path = Path("runs/data")
    env: str = "equiworld/PushT-v0"
    env_arguments: str = "{}"
    transitions: int = 250_000
    headings: float | None = None
    seed: int = 0
    workers: int | None = None
    dtype: Literal["float64", "float32"] = "float64"
    quick: bool = False
    progress: bool = True

    def run(self) -> Outcome:
        """Collect, and write the dataset."""
        if self.headings is not None:
            number("--headings", self.headings, above=0, most=180)
        out = check_folder("--out", self.out, ["data.safetensors"])
        count = min(self.transitions, QUICK_TRANSITIONS) if self.quick else self.transitions
        env = make_env(self.env, self.env_arguments)
        exploration: Any = getattr(env.unwrapped, "exploration", None)
        half_width = None if self.headings is None else math.radians(self.headings)
        if half_width is not None and symmetry_of(env).heading is None:
            raise ArgumentError(
                "--headings", f"{self.headings} for {self.env}", "an environment that observes one"
            )
        if half_width is not None and hasattr(exploration, "headings"):
            # Starting within the slice wastes nothing; without it, the slice is cut out of all that is collected.
            exploration = copy.copy(exploration)
            exploration.headings = (-half_width, half_width)
        with held_folder("--out", out):
            data = collect(
                env,
                count,
                self.seed,
                exploration=exploration,
                workers=self.workers,
                folder=out / "chunks",
                progress=self.progress,
                dtype=self.dtype,
            )
            env.close()
            if half_width is not None:
                data = data.slice_of_headings(half_width)
            path = data.save(out / "data.safetensors")
        return Outcome(f"{len(data)} transitions of {self.env}, seed {self.seed}: {path}")
