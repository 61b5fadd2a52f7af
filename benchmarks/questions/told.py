"""Does a closed loop have to be told g, and does it matter whether the scene is turned or shown turned?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import gymnasium as gym
import torch
from torch import Tensor

from equiworld.benchmarks.questions.closed_loop import ClosedLoop
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, orbit_figure
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.loops import Orbit, run_orbit
from equiworld.benchmarks.worlds.world import World
from equiworld.envs import GroupAction
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.models.families import recipe_of
from equiworld.planners import Planner
from equiworld.planners.problem import Plan, Problem, Propose, State
from equiworld.symmetry import Features, Symmetry, Vector, symmetry_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Told", "told"]

ACTIVE, PASSIVE = "active", "passive"
"""The simulator begins at g·s with goal g·goal; or it begins at s, and the policy is shown g·s and acts turned."""


@dataclass(frozen=True)
class Told(ClosedLoop):
    """Closed loops begun turned, and shown turned; of policies without the door also with a planner that is told g.

    A planner that is told g draws its noise, and its first candidates, in the world that g has not turned, and turns
    them. That is how closed loops were shown to be flat before, and it is more than any robot is told.
    """

    name: ClassVar[str] = "told"
    title: ClassVar[str] = (
        "Does a closed loop have to be told g, and is a scene that is turned one that is shown turned?"
    )
    worlds: ClassVar[tuple[str, ...]] = ("pusht",)
    arms: ClassVar[tuple[str, ...]] = (
        "steerable",
        "steerable, no door",
        "plain",
        "augmented",
        "augmented, door",
    )

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Both ways to turn, untold and told; at the door there is nothing to tell."""
        made = self.arm(arm)
        doored = (
            recipe_of(made.family(self.world(world).kind)).equivariant if made.door is None else made.door
        )
        return [
            {"way": way, "told": known} for way in (ACTIVE, PASSIVE) for known in sorted({False, not doored})
        ]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row an element."""
        world, model, starts = self.world(cell.world), self.model(cell, store), self.starts(cell)
        arguments = world.loop_arguments(self.scale_in(world).half_width)
        symmetry, elements, loops = (
            _symmetry(world, arguments),
            world.orbit(self.orbit, cell.seed),
            list[Orbit](),
        )
        for g in elements:
            knows = {"planner": told(world.planner, symmetry, g)} if cell.point["told"] else {}
            policy = self.policy(cell, model, self.dtype, **knows)
            active = cell.point["way"] == ACTIVE
            place = world if active else cast(World, _ShownTurned(world, g))
            begun = [world.turned(start, g) for start in starts] if active else starts
            loops.append(run_orbit(policy, place, begun, elements[:1], self.most_steps(world), arguments))
        episodes = [loop.episodes[0] for loop in loops]
        return self.by_element(Orbit(world, loops[0].symmetry, tuple(elements), episodes))

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Tasks solved, and distances from the unturned path, of scenes that are turned, over the orbit."""
        named = [
            {**row, "arm": f"{row['arm']}, told g" if row["told"] else row["arm"]}
            for row in rows
            if row["way"] == ACTIVE
        ]
        shown = [
            Panel("tasks solved (95 %)", "angle_deg", "success", share=True),
            Panel("distance from the unturned path", "angle_deg", "deviation_median", log="y"),
        ]
        return orbit_figure(named, shown, self.half_width_of(rows))


class _ShownTurned:
    """A world whose environments are shown turned by one element."""

    def __init__(self, world: World, g: GroupElement) -> None:
        self.world, self.g = world, g

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    def shown(self, env: gym.Env, g: GroupElement) -> gym.Env:
        return GroupAction(env, self.g)


def _symmetry(world: World, arguments: Mapping[str, Any]) -> Symmetry:
    env = world.make(**arguments)
    try:
        return symmetry_of(env)
    finally:
        env.close()


def told(planner: Planner, symmetry: Symmetry, g: GroupElement) -> Planner:
    """The planner, told g: its noise and its first candidates are those of the world that g has not turned, turned.

    Args:
        planner: of any kind.
        symmetry: of the environment, whose action turns and does not shift, within balls.
        g: by which the world is turned.

    Raises:
        ArgumentError: the action is another.
    """
    if not isinstance(symmetry.action, Vector):
        raise ArgumentError("symmetry.action", symmetry.action, "vectors, whose limits turn with them")
    size = symmetry.action.size(symmetry.dim)
    rows = torch.as_tensor(symmetry.transform_action(g, torch.eye(size, dtype=torch.float64).numpy()))

    class ToldPlanner(type(planner)):  # type: ignore[misc]
        def plan(
            self,
            problem: Problem,
            generators: Sequence[torch.Generator],
            warm_start: Tensor | None = None,
            active: Tensor | None = None,
        ) -> Plan:
            turn = rows.to(problem.like)
            back = None if warm_start is None else warm_start @ turn.mT
            found: Plan = super().plan(_turned(problem, turn, g), generators, back, active)
            return replace(found, actions=found.actions @ turn, carried=found.carried @ turn)

    return ToldPlanner(**{each.name: getattr(planner, each.name) for each in fields(planner)})


def _turned(problem: Problem, turn: Tensor, g: GroupElement) -> Problem:
    """The problem whose actions are those of the unturned world; models, states and costs stay where they are."""
    return replace(
        problem,
        predict=lambda state, action: problem.predict(state, action @ turn),
        cost=lambda states, actions, goal: problem.cost(states, actions @ turn, goal),
        propose=None if problem.propose is None else _Unturned(problem.propose, g),
        captured=None,
    )


class _Unturned:
    """Proposals of a problem as they would be unturned."""

    def __init__(self, propose: Propose, g: GroupElement) -> None:
        self.propose, self.back, self.random_numbers = propose, g.inverse(), propose.random_numbers

    def __call__(self, state: State, goal: State | None, uniform: Tensor, horizon: int) -> Tensor:
        sides = [None if one is None else cast(Features, one).transform(self.back) for one in (state, goal)]
        return self.propose(cast(State, sides[0]), sides[1], uniform, horizon)
