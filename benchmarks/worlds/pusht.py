"""PushT: a T pushed onto its goal in the plane, trained on a slice of its headings."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.arm import Part
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.trained import Split
from equiworld.benchmarks.worlds.world import StepErrors, Trials, World
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.envs.pusht.film import PushTFilm
from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import E2, SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.rollout import Start
from equiworld.symmetry import Features
from equiworld.training import Dataset, collect
from equiworld.verify.prediction import one_step

__all__ = ["PUSHT", "PushTWorld", "draw_tasks"]

SPREAD = 50.0  # [px] of the block's first position about the centre
DISTANCE = (40.0, 110.0)  # [px] from the block to its goal
AGENT = (25.0, 90.0)  # [px] between the agent's rim and the block
MOST_COVERED = 0.6  # share of the goal covered at the start, at most
CLEAR_OF_WALLS = 5.0  # [px]


@dataclass(frozen=True)
class PushTWorld(World):
    """Success is coverage, errors are of the block's corners."""

    def collect(
        self, part: Part, split: Split, count: int, seed: int, half_width: float, folder: Path
    ) -> Dataset:
        """Transitions that begin with the block's heading within the slice; those that left it are dropped."""
        half_width = half_width if part == "slice" else 180.0
        env = self.make()
        exploration = self.exploration(env, half_width)
        try:
            data = collect(env, count, 100 + seed, exploration=exploration, folder=folder)
        finally:
            env.close()
        half_width = math.radians(half_width)
        # Up to rounding: a start at the very edge belongs to the slice.
        return data.slice_of_headings(half_width + math.ulp(half_width))

    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """Of the block's eight corners [px], more than 5 px off the walls at both ends of a transition, and nearer."""
        shown = data if g is None else data.transform(g)
        following = [model.symmetry.observation_arrays(guess) for _, guess, _ in one_step(model, shown)]
        names = ("block_pos", "block_heading")
        predicted = {name: np.concatenate([arrays[name] for arrays in following]) for name in names}
        ends = (shown.observation, shown.next_observation)
        now, after, guess = (geometry.keypoints(_poses(arrays)) for arrays in (*ends, predicted))
        error, motion = ((guess - after) ** 2).sum((-1, -2)), ((after - now) ** 2).sum((-1, -2))
        apart = [geometry.wall_gap(_poses(arrays)) for arrays in (data.observation, data.next_observation)]
        clear = np.all(np.array(apart) > CLEAR_OF_WALLS, axis=0)  # the walls are not turned
        count = now.shape[-2]
        return {
            region: StepErrors(error[which], motion[which], count)
            for region, which in (("interior", clear), ("near walls", ~clear))
        }

    def exploration(self, env: gym.Env, half_width: float) -> PushExploration:
        """Its own, with the block's first heading within the slice."""
        found: PushExploration = copy.copy(env.unwrapped.exploration)  # type: ignore[attr-defined]
        found.headings = (-math.radians(half_width), math.radians(half_width))
        return found

    def body(self, observation: Any, info: Mapping[str, Any]) -> NDArray[np.float64]:
        """The T's eight corners [px]."""
        return np.asarray(observation["block_keypoints"], np.float64).reshape(8, 2)

    def imagined_body(
        self, model: WorldModel, state: Features, states: Features, body: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Those of the predicted poses."""
        return geometry.keypoints(_poses(model.symmetry.observation_arrays(states)))

    def orbit(self, count: int, seed: int) -> list[GroupElement]:
        """Turns evenly over the circle."""
        return list(SE2().grid(count))

    def elements(self, count: int, seed: int) -> list[GroupElement]:
        """Of E(2), with shifts up to 100 px."""
        return list(E2().sample(np.random.default_rng([seed, 11]), count, scale=self.shifts))

    def starts(self, count: int, half_width: float, seed: int) -> list[Start]:
        """Starts and goals with both headings within the slice."""
        tasks = draw_tasks(np.random.default_rng([seed, 3]), count, math.radians(half_width))
        return [Start(0, {"state": task}) for task in tasks]

    def loop_arguments(self, half_width: float) -> Mapping[str, Any]:
        """No walls."""
        return {"walls": False}

    def judge(self, info: Mapping[str, Any], observation: Any) -> dict[str, float]:
        """Success as the environment says, and the share of the goal that is covered."""
        return {"success": float(info["is_success"]), "coverage": float(info["coverage"])}

    def film(self, episodes: Mapping[str, Mapping[str, Sequence[Any]]]) -> PushTFilm:
        """From above."""
        return PushTFilm(episodes)


def draw_tasks(rng: np.random.Generator, count: int, half_width: float) -> list[PushTState]:
    """Starts and goals with both headings within ± `half_width` [rad]: unturned, nothing leaves the slice."""
    tasks: list[PushTState] = []
    while len(tasks) < count:
        block = (*rng.uniform(-SPREAD, SPREAD, 2) + geometry.CENTRE, rng.uniform(-half_width, half_width))
        towards, far = rng.uniform(-math.pi, math.pi), rng.uniform(*DISTANCE)
        goal = (
            block[0] + far * math.cos(towards),
            block[1] + far * math.sin(towards),
            rng.uniform(-half_width, half_width),
        )
        agent = np.asarray(block[:2]) + rng.uniform(-180.0, 180.0, 2)
        gap = float(geometry.distance_to_block(agent, np.array(block))) - geometry.AGENT_RADIUS
        if AGENT[0] <= gap <= AGENT[1] and geometry.coverage(np.array(block), np.array(goal)) < MOST_COVERED:
            tasks.append(PushTState(tuple(agent.tolist()), (0.0, 0.0), block, goal))
    return tasks


def _poses(arrays: Any) -> NDArray[np.float64]:
    """Block poses `(N, 3)`: centre of gravity x, y [px] and heading [rad]."""
    return np.concatenate([arrays["block_pos"], arrays["block_heading"]], -1)


_FULL = Scale(600_000, 60_000, 30.0, (3000, 8000), (3e-3, 1e-2), (1e-3, 3e-2))
PUSHT = PushTWorld(
    "pusht",
    "equiworld/PushT-v0",
    unit="px",
    shifts=100.0,
    scales={
        "full": _FULL,
        "2k": _FULL.few(2_000),
        "demo": Scale(250_000, 10_000, 30.0, (6000,), width=128, periodic=(0.0,)),
        "demo-quick": Scale(20_000, 2_000, 30.0, (1500,), batch_size=256, width=128, periodic=(0.0,)),
        "small": Scale(5_000, 1_000, 30.0, (150,), batch_size=256, encoder_steps=20, joint_steps=5, width=32),
    },
    trials={
        "own": Trials(),  # gym-pusht's resets, goal, walls and success: coverage above 0.95 within 300 steps
        "random goals": Trials({"goal": "random", "starts": "free", "success_coverage": 0.98}),
    },
)
