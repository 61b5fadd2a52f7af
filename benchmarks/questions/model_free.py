"""Do exactly equivariant policies of stable-baselines3 learn faster than augmented and plain ones, and everywhere?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.arguments import integer
from equiworld.benchmarks.policies.episodes import Episodes, episodes
from equiworld.benchmarks.policies.learners import (
    LEARNERS,
    OFFLINE,
    SAC_SETTINGS,
    Learner,
    Learning,
    symmetrised,
)
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.question import Plan, Question
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.locomotion import ROBOTS, Robot, StartsTurned, symmetry_in
from equiworld.errors import ArgumentError
from equiworld.storage import load_tensors, save_tensors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equiworld.groups import GroupElement
    from equiworld.symmetry import Symmetry

__all__ = ["ModelFree"]

_AFTERWARDS, _ON_POLICY = "symmetrised", "mirror loss"
_RETURNS = {"all goals": "return", "worst element": "return_worst"}


@dataclass(frozen=True)
class ModelFree(Question):
    """Policies tested without noise: where they were trained, on all goals, and with the whole scene turned.

    All arms see the same numbers in the same units and have the same settings; two hidden layers of 64 numbers, half of
    them in vectors for the steerable one of a group with turns. "symmetrised" is the plain policy, symmetrised after it
    was trained. Of a finite group all elements are tried.

    Attributes:
        learner: "ppo"; "sac"; or "offline", SAC on a fixed set of transitions, whose steps are those of the optimiser.
        half_width: of the slice of directions that goals lie in, where there are goals [deg]; 180 for all directions.
        steps: of the environment, in training; the world's own number if None.
        checkpoints: tests on the way, the last at the end.
        episodes: of a test.
        elements: at which the scene is turned, besides the identity, of groups that are not finite.
        mirror_weight: of the mirror loss.
    """

    name = "model-free"
    title = "Do exactly equivariant policies of stable-baselines3 learn faster, and everywhere?"
    worlds, closed = tuple(ROBOTS), True
    arms = ("canonical", "steerable", "augmented", _ON_POLICY, _AFTERWARDS, "plain")
    seeds = 5
    version = 3
    coordinates = ("steps", "element")
    measures: ClassVar = {
        "return": Measure("1", "mean return of an episode without noise, goals in all directions"),
        "return_slice": Measure("1", "the same with goals as in training"),
        "return_turned": Measure("1", "goals as in training, the whole scene turned: mean over elements"),
        "return_worst": Measure("1", "the same at the worst element"),
        "return_at": Measure("1", "the same at one element, numbered as the group does, 0 for none"),
        "success": Measure("1", "share of episodes that reach the goal, goals in all directions"),
        "successes": Measure("1", "how many of them did"),
        "episodes": Measure("1", "of how many"),
        "success_turned": Measure("1", "share, goals as in training and the scene turned, over elements"),
        "legs": Measure("rad", "mean over time of the distance between the angles of left and right hip"),
        "deviation": Measure("1", "rms of π(g·s) - ρ(g)π(s) over that of π(s)", log=True),
        "seconds": Measure("s", "of training until then"),
    }
    small: ClassVar = {"steps": 2048, "checkpoints": 1, "episodes": 2, "elements": 1}

    learner: Learner = "ppo"
    half_width: float = 45.0
    steps: int | None = None
    checkpoints: int = 5
    episodes: int = 50
    elements: int = 6
    mirror_weight: float = 1.0

    def cells(self, plan: Plan) -> list[Cell]:
        """Without the mirror loss, of which PPO alone knows, unless it is asked for."""
        if self.learner not in LEARNERS:
            raise ArgumentError("--learner", repr(self.learner), "a learner", LEARNERS)
        if self.learner != "ppo":
            if _ON_POLICY in plan.arms:
                raise ArgumentError("--arm", repr(_ON_POLICY), "an arm of off-policy learners", self.arms)
            plan = replace(plan, arms=plan.arms or tuple(arm for arm in self.arms if arm != _ON_POLICY))
        if self.steps is not None:
            integer("--steps", self.steps, least=1)
        return super().cells(plan)

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """The learner, so that rows say it."""
        return ({"learner": self.learner},)

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        robot = ROBOTS[cell.world]
        if self.learner == "ppo":
            algorithm = {
                **robot.settings,
                "envs": robot.envs,
                "log_std": robot.log_std,
                "normalised": robot.normalised,
                "spread": robot.spread,
            }
        else:
            algorithm = {**SAC_SETTINGS, **robot.sac, "offline": OFFLINE}
        return {
            "sb3": metadata.version("stable-baselines3"),
            "algorithm": algorithm,
            "steps": self._steps(robot),
        }

    def modules(self, cell: Cell) -> Sequence[str]:
        return (type(self).__module__, "equiworld.sb3.actor_critic", "equiworld.sb3.buffers")

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        trained = replace(cell, arm="plain") if cell.arm == _AFTERWARDS else cell
        what = {
            "cell": trained.coordinates,
            "half_width": self.half_width,
            "learner": self.learner,
            "checkpoints": self.checkpoints,
            "mirror_weight": self.mirror_weight,
            **self.depends(cell),
        }
        make = partial(self._train, trained)
        folder = store.artefact("policies", trained.slug, what, self.modules(cell), make)
        learning, rows, steps = self._learning(trained), list[Row](), 0
        returns = list[float]()
        for made in json.loads((folder / "checkpoints.json").read_text()):
            learning.load(load_tensors(folder / made["file"], "policy")[0])
            steps = made["steps"]
            found, returns = self._tested(cell, learning.policy)
            rows.append({"steps": steps, **found, "seconds": made["seconds"]})
        by_element = [{"steps": steps, "element": i, "return_at": each} for i, each in enumerate(returns)]
        return [*rows, *by_element]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Return against steps, a row of panels a learner, a curve an arm, of what most of its seeds were tested at."""
        from matplotlib.ticker import EngFormatter

        from equiworld.benchmarks.suite.style import legend_below, new_figure

        by_learner = grouped([row for row in rows if "element" not in row], "learner")
        figure, places = new_figure(2, len(by_learner))
        for index, (learner, some) in enumerate(by_learner.items()):
            for place, (where, name) in zip(places[2 * index :], _RETURNS.items(), strict=False):
                Panel(f"{learner or 'ppo'}: return, {where}", "steps", name, "steps").draw(
                    place, _common(some)
                )
                place.locator_params(axis="x", nbins=6)
                place.xaxis.set_major_formatter(EngFormatter(sep=""))
        legend_below(figure)
        return figure

    def _steps(self, robot: Robot) -> int:
        own = robot.steps if self.learner == "ppo" else OFFLINE
        return own if self.steps is None else self.steps

    def _learning(self, cell: Cell) -> Learning:
        robot, symmetry = ROBOTS[cell.world], symmetry_in(cell.world)
        half_width = math.radians(self.half_width)
        return Learning(self.learner, cell.arm, robot, half_width, symmetry, cell.seed, self.mirror_weight)

    def _train(self, cell: Cell, folder: Path) -> None:
        """Weights at each checkpoint, and a list of them."""
        learning, seconds, made = self._learning(cell), 0.0, list[dict[str, Any]]()
        steps = self._steps(ROBOTS[cell.world])
        for part in range(self.checkpoints):
            seconds += learning.train((steps * (part + 1)) // self.checkpoints)
            made.append({"file": f"{part}.safetensors", "steps": learning.steps, "seconds": seconds})
            save_tensors(folder / made[-1]["file"], "policy", learning.weights(), {"steps": learning.steps})
            (folder / "checkpoints.json").write_text(json.dumps(made))

    def _tested(self, cell: Cell, learned: Any) -> tuple[Row, list[float]]:
        """Figures of a policy, and its returns with goals as in training at each element, the identity first."""
        from equiworld.sb3.deviation import action_deviation

        robot, inside, symmetry = ROBOTS[cell.world], math.radians(self.half_width), symmetry_in(cell.world)
        rng = np.random.default_rng([cell.seed, 11])
        policy = symmetrised(learned, robot.make(math.pi, False)) if cell.arm == _AFTERWARDS else learned
        everywhere = episodes(policy, partial(robot.make, math.pi, False), self.episodes, robot.legs)
        ahead = everywhere
        if robot.sliced:
            ahead = episodes(policy, partial(robot.make, inside, False), self.episodes)
        turned = [
            episodes(policy, partial(_at, robot, inside, g), self.episodes) for g in self._turns(symmetry)
        ]
        returns = [float(each.returns.mean()) for each in (ahead, *turned)]
        row: Row = {
            "return": float(everywhere.returns.mean()),
            "return_slice": returns[0],
            "return_turned": float(np.mean(returns[1:])),
            "return_worst": min(returns[1:]),
            "deviation": action_deviation(policy, symmetry, everywhere.seen, rng),
            **_reached(everywhere, turned),
        }
        if everywhere.legs is not None:
            row["legs"] = float(everywhere.legs.mean())
        return row, returns

    def _turns(self, symmetry: Symmetry) -> list[GroupElement]:
        """Elements besides the identity: all of a finite group, some of others."""
        group = symmetry.group
        if group.finite:
            return list(group.elements())[1:]
        return list(group.sample(np.random.default_rng(5), self.elements))


def _common(rows: Sequence[Row]) -> list[Row]:
    """Rows at steps at which more than half of an arm's seeds were tested: a mean of few beside one of all misleads."""
    seeds: dict[tuple[str, int | None], set[int]] = {}
    for row in rows:
        for steps in (row["steps"], None):
            seeds.setdefault((row["arm"], steps), set()).add(row["seed"])
    return [row for row in rows if 2 * len(seeds[row["arm"], row["steps"]]) > len(seeds[row["arm"], None])]


def _at(robot: Robot, half_width: float, g: GroupElement) -> StartsTurned:
    return StartsTurned(robot.make(half_width, False), g)


def _reached(everywhere: Episodes, turned: Sequence[Episodes]) -> Row:
    """Shares of episodes with success; nothing of a world that knows none."""
    if everywhere.success is None:
        return {}
    there = np.concatenate([each.success for each in turned if each.success is not None])
    return {
        **share("success", int(everywhere.success.sum()), len(everywhere.success)),
        "success_turned": float(there.mean()),
    }
