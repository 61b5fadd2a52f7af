"""What questions about trained models have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from equiworld.arguments import integer
from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan, Question
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import disjoint, trained_inputs, trained_model
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.world import World
from equiworld.devices import usable_device
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy

__all__ = ["TrainedQuestion"]

SCALES = ("full", "2k", "demo", "demo-quick", "small")
_SCALE = ("scale", "transitions", "steps", "half_width", "width")


@dataclass(frozen=True)
class TrainedQuestion(Question):
    """A question about models that are trained on the data of a world.

    Attributes:
        scale: of data and training as worlds define it: "full", "2k", "demo", "demo-quick" or "small";
            what follows changes it.
        transitions: collected for training.
        steps: of the optimiser.
        half_width: of the slice of orientations [deg].
        width: of hidden layers, or of an encoder's points.
        device: that models are trained on and policies plan on, such as "cuda".
    """

    scale: str = "full"
    transitions: int | None = None
    steps: int | None = None
    half_width: float | None = None
    width: int | None = None
    device: str = "cpu"

    choosing: ClassVar[tuple[str, ...]] = _SCALE  # what they come to is an input, whichever way it was said

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ArgumentError("scale", self.scale, "an amount of data and training", SCALES)
        for name in ("transitions", "steps", "width"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), least=1)
        if self.half_width is not None and not 0 < self.half_width <= 180:
            raise ArgumentError("half_width", self.half_width, "degrees between 0 and 180")
        object.__setattr__(self, "device", str(usable_device(self.device)))

    def reduced(self) -> Self:
        """The small version, on small data."""
        return replace(super().reduced(), scale="small")

    def world(self, name: str) -> World:
        """A world by its name."""
        return world_of(name)

    def world_at(self, cell: Cell) -> World:
        """The world of a cell."""
        return self.world(cell.world)

    def arm(self, name: str) -> Arm:
        """An arm by its name."""
        return arm_of(name)

    def arm_at(self, cell: Cell) -> Arm:
        """The arm of a cell, where the cell's point may vary it."""
        return self.arm(cell.arm)

    def scale_in(self, world: World) -> Scale:
        """The amounts of data and training in a world; the small version has no number that is larger."""
        if self.scale not in world.scales:
            raise ArgumentError("scale", self.scale, f"one that {world.name} has", world.scales)
        scale = world.scales[self.scale]
        small = self.scale in ("small", "demo-quick")
        changes: dict[str, Any] = {} if self.device == "cpu" else {"device": self.device}
        for name in ("transitions", "half_width", "width"):
            given, known = getattr(self, name), getattr(scale, name)
            if given is not None:
                changes[name] = min(given, known) if small and name != "half_width" and known else given
        if self.steps is not None:
            changes["steps"] = (min(self.steps, *scale.steps) if small else self.steps,)
        return replace(scale, **changes)

    def model(self, cell: Cell, store: Store, scale: Scale | None = None) -> WorldModel:
        """The model of a cell's arm and seed; its data shares nothing with what it is tested on."""
        world, arm = self.world_at(cell), self.arm_at(cell)
        scale = scale or self.scale_in(world)
        disjoint(store, world, arm.part, scale)
        return trained_model(store, world, arm, cell.seed, scale)

    def policy(self, cell: Cell, model: WorldModel, dtype: str = "float32", **others: Any) -> MPCPolicy:
        """The policy of a cell's arm over its model, behind the door or not as the arm has it."""
        door, device = self.arm_at(cell).door, self.device
        return self.world_at(cell).policy(model, cell.seed, dtype, door, device=device, **others)

    def cells(self, plan: Plan) -> list[Cell]:
        """As for every question; unless arms are named, those of the world's own, or that have a family for it."""
        if plan.arms:
            return super().cells(plan)
        found = []
        for name in plan.worlds or self.worlds:
            world = self.world(name)
            own = world.arms or tuple(arm for arm in self.arms if world.kind in self.arm(arm).families)
            found += super().cells(replace(plan, worlds=(name,), arms=own))
        return found

    def prepare(self, cells: Sequence[Cell], store: Store) -> None:
        """Collect the data of the cells."""
        pairs = [(self.world_at(cell), self.arm_at(cell).part) for cell in cells]
        for world, part in {(world.name, part): (world, part) for world, part in pairs}.values():
            disjoint(store, world, part, self.scale_in(world))

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """World, arm and scale as they are defined, and the planner."""
        world = self.world_at(cell)
        return {
            **trained_inputs(world, self.arm_at(cell), self.scale_in(world)),
            "planner": [type(world.planner).__name__, world.planner],
        }

    def modules(self, cell: Cell) -> Sequence[str]:
        """Those of the question and of its world."""
        return (*super().modules(cell), *self.world_at(cell).modules())

    def half_width_of(self, rows: Sequence[Row]) -> float | None:
        """Of the trained slice [deg] in the world of the rows; None if it is not known here."""
        for row in rows:
            with suppress(UnknownNameError):
                return self.scale_in(self.world(row["world"])).half_width
        return None
