"""The same tasks begun at several orientations of the whole scene, all of them run side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import equiworld.envs  # noqa: F401  registers equiworld/PushT-v0
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import GroupElement
from equiworld.planners import MPCPolicy
from equiworld.rollout import Start, Step, rollout

__all__ = ["TurnedTasks", "draw_tasks", "run_orbit"]

Array = NDArray[np.float64]

SPREAD = 50.0  # [px] of the block's first position about the centre
DISTANCE = (40.0, 110.0)  # [px] from the block to its goal
AGENT = (25.0, 90.0)  # [px] between the agent's rim and the block
MOST_COVERED = 0.6  # share of the goal covered at the start, at most


@dataclass(frozen=True)
class TurnedTasks:
    """N tasks at G orientations, at most T steps each; NaN after the end of an episode.

    Attributes:
        elements: a batch `(G,)`, the identity first.
        goals: goal poses `(G, N, 3)`: x, y [px], heading [rad].
        agents: agent positions `(G, N, T + 1, 2)` [px].
        blocks: block poses `(G, N, T + 1, 3)`.
        success: `(G, N)`, whether more than 95 % of the goal was covered before the time was up.
        coverage: `(G, N)`, share of the goal covered at the end.
    """

    elements: GroupElement
    goals: Array
    agents: Array
    blocks: Array
    success: NDArray[np.bool_]
    coverage: Array

    def steps(self) -> NDArray[np.int_]:
        """How many steps each episode took, `(G, N)`."""
        return np.isfinite(self.agents[..., 0]).sum(-1) - 1

    def deviations(self) -> Array:
        """How far each episode strays from the unturned one, `(G, N)` [px].

        The largest distance, over the steps that both last, of the agent or a corner of the block on
        g⁻¹·(trajectory begun at g·s) from where it is on the trajectory begun at s.
        """
        centre = np.asarray(geometry.CENTRE)
        corners = geometry.keypoints(self.blocks)
        points = np.concatenate([self.agents[..., None, :], corners], -2) - centre
        lasts = np.isfinite(points).all((-1, -2))
        points = np.nan_to_num(points)  # an element moves numbers only
        back = np.stack([g.inverse().act(part) for g, part in zip(self.elements, points, strict=True)])
        distance = np.linalg.norm(back - points[:1], axis=-1).max(-1)
        return np.where(lasts & lasts[:1], distance, 0.0).max(-1)


def draw_tasks(rng: np.random.Generator, count: int, half_width: float) -> list[PushTState]:
    """Starts and goals with both headings within ± `half_width` [rad]: unturned, nothing leaves the slice.

    Args:
        rng: source of randomness.
        count: how many.
        half_width: of the headings [rad].
    """
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


def run_orbit(policy: MPCPolicy, tasks: list[PushTState], elements: GroupElement, steps: int) -> TurnedTasks:
    """Begin every task at g·s with goal g·goal for each g, without walls, and let the policy act in all at once.

    Args:
        policy: never told g; sees observations alone.
        tasks: N of them.
        elements: G of them, the identity first.
        steps: T, environment steps at most.
    """
    shape = (len(elements), len(tasks))
    envs = [_make(steps) for _ in range(shape[0] * shape[1])]
    starts = [Start(0, {"state": task, "group_element": g}) for g in elements for task in tasks]
    record = _Record(len(envs), steps)
    # Episodes that have ended are not planned for any more.
    for step in rollout(policy, envs, starts, steps=steps, drop_ended=True):
        record.put(step)
    return record.orbit(elements, shape)


class _Record:
    """What happens, by environment and step."""

    def __init__(self, count: int, steps: int) -> None:
        self.agents = np.full((count, steps + 1, 2), np.nan)
        self.blocks = np.full((count, steps + 1, 3), np.nan)
        self.success = np.zeros(count, dtype=bool)
        self.coverage = np.zeros(count)
        self.goals = np.zeros((count, 3))

    def put(self, step: Step) -> None:
        index = step.env
        self.agents[index, step.number] = step.observation["agent_pos"]
        self.blocks[index, step.number] = _pose(step.observation, "block")
        self.goals[index] = _pose(step.observation, "goal")
        if step.number:
            self.success[index], self.coverage[index] = step.info["is_success"], step.info["coverage"]

    def orbit(self, elements: GroupElement, shape: tuple[int, int]) -> TurnedTasks:
        def laid_out(part: NDArray[Any]) -> NDArray[Any]:
            return part.reshape(*shape, *part.shape[1:])

        return TurnedTasks(
            elements,
            laid_out(self.goals),
            laid_out(self.agents),
            laid_out(self.blocks),
            laid_out(self.success),
            laid_out(self.coverage),
        )


def _make(steps: int) -> gym.Env:
    return gym.make("equiworld/PushT-v0", walls=False, max_episode_steps=steps, disable_env_checker=True)


def _pose(observation: dict[str, Array], name: str) -> Array:
    return np.concatenate([observation[f"{name}_pos"], observation[f"{name}_heading"]])
