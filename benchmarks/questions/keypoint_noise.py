"""How far do keypoints move when nothing does, from one cloud to the next?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.world import World
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KeypointNoise"]


@dataclass(frozen=True)
class KeypointNoise(TrainedQuestion):
    """Fresh clouds of single instants, encoded.

    Attributes:
        cloud_sizes: points in a cloud.
        instants: how many.
        clouds: of each instant.
    """

    cloud_sizes: tuple[int, ...] = (32, 48, 64, 96, 128, 192, 256, 512)
    instants: int = 64
    clouds: int = 16

    name: ClassVar[str] = "keypoint-noise"
    title: ClassVar[str] = "How far do keypoints move when nothing does, from one cloud to the next?"
    worlds: ClassVar[tuple[str, ...]] = ("cloudpush",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain", "centred", "augmented")
    coordinates: ClassVar[tuple[str, ...]] = ("points",)
    measures: ClassVar[dict[str, Measure]] = {
        "noise_mm": Measure(
            "mm", "root mean square distance of keypoints from their mean over the clouds", log=True
        )
    }
    small: ClassVar[dict[str, Any]] = {"cloud_sizes": (32, 128), "instants": 2}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """One, in worlds that are seen as clouds."""
        if self.world(world).kind != "cloud":
            raise ArgumentError("world", world, "a world that is seen as clouds", self.worlds)
        return ({},)

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row a size."""
        world, model = self.world(cell.world), self.model(cell, store)
        first = 7_600_000 + self.instants * cell.seed
        return [
            {"points": points, "noise_mm": 1e3 * self._noise(world, model, points, first)}
            for points in self.cloud_sizes
        ]

    def _noise(self, world: World, model: WorldModel, points: int, seed: int) -> float:
        env, squares = world.make(points=points * self.clouds), list[float]()
        channel = model.latent.channels()["keypoints"]
        try:
            for instant in range(self.instants):
                seen, _ = env.reset(seed=seed + instant)
                several = {key: np.repeat(array[None], self.clouds, 0) for key, array in seen.items()}
                several["cloud"] = seen["cloud"].reshape(self.clouds, -1)
                del several["goal_cloud"]
                with torch.inference_mode():
                    found = model.encode(several).select(channel)
                squares.append(float((found - found.mean(0)).square().sum(-2).mean()))
        finally:
            env.close()
        return float(np.sqrt(np.mean(squares)))

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Noise against points."""
        return panels(
            rows, [Panel("noise of keypoints [mm]", "points", "noise_mm", "points in the cloud", log="xy")]
        )
