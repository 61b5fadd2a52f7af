"""Is a learned latent as predictable, and as readable, at every orientation?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.questions.one_step import element_coordinates
from equiworld.benchmarks.questions.residual import Residual, latent_ranks
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, orbit_figure
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import data_of, disjoint
from equiworld.benchmarks.worlds.pusht import CLEAR_OF_WALLS
from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.training import Dataset
from equiworld.verify.prediction import one_step, relative_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LatentStep"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LatentStep(TrainedQuestion):
    """One step of joint-embedding models of PushT's state: in the model's own latent, and read off it as corners.

    An error in a model's own latent compares with itself over the orbit, and with nothing else: each latent has a
    length of its own. So the T's corners are read from every latent by a linear readout, fitted by least squares to
    transitions of all orientations, which neither model was trained on. Tested on transitions away from walls, which
    no state tells of.

    Attributes:
        scale: as for other questions.
        orbit: elements of it, the identity first.
        read: transitions that the readout is fitted to, at most.
    """

    scale: str = "demo"
    orbit: int = 16
    read: int = 20_000

    name: ClassVar[str] = "latent-step"
    title: ClassVar[str] = "Is a learned latent as predictable, and as readable, at every orientation?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = ("latent", "plain latent")
    seeds: ClassVar[int] = 3
    coordinates: ClassVar[tuple[str, ...]] = ("part", "element", "angle_deg")
    measures: ClassVar[dict[str, Measure]] = {
        "relative_error": Measure(
            "1", "Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖² in the model's own latent, pooled", log=True
        ),
        "read_error": Measure(
            "1", "the same of the corners that are read from F(E(s), a), against the simulator's", log=True
        ),
        "read_rms": Measure("px", "root of the mean square distance of such a corner", log=True),
        "readout_rms": Measure("px", "the same of corners read from E(s′): what the readout costs", log=True),
        "parameters": Measure("1", "numbers that are trained"),
        "rank_effective": Measure("1", "of the latents: exp of the entropy of their singular values' shares"),
        "rank_most": Measure("1", "numbers that the latents can vary by"),
    }
    small: ClassVar[dict[str, Any]] = {"orbit": 3, "read": 200}

    def arm(self, name: str) -> Arm:
        """An arm by its name."""
        return Residual().arm(name)

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """One, in a world whose body is the T."""
        if world not in self.worlds:
            raise ArgumentError("--world", world, "the world whose corners are read", self.worlds)
        return super().points(world, arm)

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row an element, and one of the model."""
        world, model = self.world(cell.world), self.model(cell, store)
        scale = self.scale_in(world)
        disjoint(store, world, "all", scale)
        fitted = data_of(store, world, "all", "train", scale).select(slice(0, self.read))
        readout = _readout(model, fitted)
        test, rows = _clear(data_of(store, world, "slice", "test", scale)), list[Row]()
        for index, g in enumerate(world.orbit(self.orbit, cell.seed)):
            errors = _errors(model, readout, test.transform(g) if index else test)
            rows.append({"part": "orbit", "element": index, **element_coordinates(g), **errors})
        ranks = latent_ranks(model, test)
        row = {"part": "model", "parameters": model.parameter_count}
        return [*rows, row | {name: ranks[name] for name in ("rank_effective", "rank_most")}]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Both errors over the orbit."""
        orbit = [row for row in rows if row["part"] == "orbit"]
        shown = [
            Panel("one-step error in its own latent (relMSE)", "angle_deg", "relative_error", log="y"),
            Panel("one-step error of corners read from it [px]", "angle_deg", "read_rms", log="y"),
        ]
        return orbit_figure(orbit, shown, self.half_width_of(rows))


def _poses(data: Dataset, after: bool) -> Array:
    """Of the T: centre of gravity [px] and heading [rad], `(N, 3)`."""
    arrays = data.next_observation if after else data.observation
    return np.concatenate([arrays["block_pos"], arrays["block_heading"]], -1)


def _corners(data: Dataset, after: bool) -> Array:
    """`(N, 16)` [px]."""
    return geometry.keypoints(_poses(data, after)).reshape(len(data), -1)


def _clear(data: Dataset) -> Dataset:
    """The transitions that are away from walls at both ends."""
    apart = [geometry.wall_gap(_poses(data, after)) for after in (False, True)]
    return data.select(np.all(np.array(apart) > CLEAR_OF_WALLS, axis=0))


def _steps(model: WorldModel, data: Dataset) -> list[Array]:
    """E(s), F(E(s), a) and E(s′), each `(N, numbers)`."""
    parts = [[each.flatten().numpy() for each in part] for part in one_step(model, data)]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _readout(model: WorldModel, data: Dataset) -> Array:
    """Least squares from latents, and a constant, to corners: `(numbers + 1, 16)`."""
    _, _, following = _steps(model, data)
    found = np.linalg.lstsq(_with_constant(following), _corners(data, after=True), rcond=1e-9)[0]
    return np.asarray(found, np.float64)


def _with_constant(latents: Array) -> Array:
    return np.concatenate([latents, np.ones((len(latents), 1))], -1)


def _errors(model: WorldModel, readout: Array, data: Dataset) -> Row:
    now, predicted, following = _steps(model, data)
    before, after = (_corners(data, after) for after in (False, True))
    read, encoded = (_with_constant(each) @ readout for each in (predicted, following))
    squares = [float(((a - b) ** 2).sum()) for a, b in ((read, after), (after, before), (encoded, after))]
    corners = after.size / 2
    return {
        "relative_error": relative_error(*(float(((a - following) ** 2).sum()) for a in (predicted, now))),
        "read_error": relative_error(squares[0], squares[1]),
        "read_rms": float(np.sqrt(squares[0] / corners)),
        "readout_rms": float(np.sqrt(squares[2] / corners)),
    }
