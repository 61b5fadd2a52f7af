"""The same tasks begun at several elements of the group, all of them run side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.worlds.world import World
from equiworld.envs.film import Moment
from equiworld.groups import GroupElement
from equiworld.rollout import Policy, Start, rollout, stack
from equiworld.symmetry import Concatenation, Point, Symmetry, symmetry_of
from equiworld.verify.evaluation.intervals import median_interval

__all__ = [
    "SOLVED",
    "TASKS_SOLVED",
    "Ended",
    "Orbit",
    "run_orbit",
    "run_trials",
    "solved_row",
    "tasks_solved",
]

Array = NDArray[np.float64]

TASKS_SOLVED = Measure("", "task by task: + solved, - not; arms of one seed have the same tasks")

SOLVED: Mapping[str, Measure] = {
    "success": Measure("1", "share of episodes solved, as the world says, with Wilson's 95 % interval"),
    "successes": Measure("1", "episodes solved"),
    "episodes": Measure("1", "episodes"),
    "tasks_solved": TASKS_SOLVED,
    "median_steps": Measure(
        "1", "to the first success, failures counting as longer; 95 % bootstrap interval"
    ),
    "within_100": Measure("1", "share solved within 100 steps"),
}
"""The columns of `solved_row`."""


@dataclass(frozen=True)
class Orbit:
    """N tasks at G elements.

    Attributes:
        world: that they are of.
        symmetry: of what is observed.
        elements: G of them, the identity first.
        episodes: of each element those of its tasks, each from its reset to its end.
    """

    world: World
    symmetry: Symmetry
    elements: Sequence[GroupElement]
    episodes: Sequence[Sequence[Sequence[Moment]]]

    def ends(self) -> list[list[dict[str, float]]]:
        """How each episode ended, as the world judges."""
        return [
            [self.world.judge(episode[-1].info, episode[-1].observation) for episode in row]
            for row in self.episodes
        ]

    def steps(self) -> NDArray[np.int_]:
        """How many steps each episode took, `(G, N)`."""
        return np.array([[len(episode) - 1 for episode in row] for row in self.episodes])

    def deviations(self) -> Array:
        """How far each episode strays from the unturned one, `(G, N)`, in the units of the points.

        The largest distance, over the steps that both last, of a point that is observed or told from g·(where it is
        on the trajectory begun at s). Clouds, which sensors draw anew, are no such points.
        """
        info = self.episodes[0][0][0].info
        shown, told = (
            {name: field for name, field in fields.items() if isinstance(field, Point)}
            for fields in (self.symmetry.observation, self.symmetry.info)
        )
        told = {name: field for name, field in told.items() if name in info}
        places = Concatenation((*shown.values(), *told.values()))

        def points(episode: Sequence[Moment]) -> Array:
            """All points of an episode, `(T + 1, n·d)`."""
            seen = self.symmetry.observed(stack([one.observation for one in episode]), list(shown))
            along = [np.array([one.info[name] for one in episode]) for name in told]
            return np.concatenate([*(seen[name] for name in shown), *along], -1)

        found = np.zeros((len(self.elements), len(self.episodes[0])))
        references = [points(episode) for episode in self.episodes[0]]
        for index, (g, row) in enumerate(zip(self.elements, self.episodes, strict=True)):
            for task, (episode, here) in enumerate(zip(row, references, strict=True)):
                there = points(episode)
                length = min(len(here), len(there))
                apart = there[:length] - places.transform(g, here[:length], self.symmetry.centre)
                apart = apart.reshape(length, -1, self.symmetry.dim)
                found[index, task] = np.linalg.norm(apart, axis=-1).max(initial=0.0)
        return found


def run_orbit(
    policy: Policy,
    world: World,
    starts: Sequence[Start],
    elements: Sequence[GroupElement],
    steps: int,
    arguments: Mapping[str, Any],
) -> Orbit:
    """Begin every task at g·s with goal g·goal for each g, and let the policy act in all at once.

    Args:
        policy: never told g; sees observations alone.
        world: that it acts in.
        starts: N tasks.
        elements: G of them, the identity first.
        steps: of an episode, at most.
        arguments: of the environments.
    """
    pairs = [(g, start) for g in elements for start in starts]
    envs = [world.shown(world.make(max_episode_steps=steps, **arguments), g) for g, _ in pairs]
    turned = [
        world.turned(start, g) if index >= len(starts) else start for index, (g, start) in enumerate(pairs)
    ]
    found: list[list[Moment]] = [[] for _ in pairs]
    try:
        symmetry = symmetry_of(envs[0])
        # Episodes that have ended are not planned for any more.
        for step in rollout(policy, envs, turned, steps=steps, drop_ended=True):
            found[step.env].append(Moment(step.observation, step.info))
    finally:
        for env in envs:
            env.close()
    rows = [found[first : first + len(starts)] for first in range(0, len(found), len(starts))]
    return Orbit(world, symmetry, tuple(elements), rows)


@dataclass(frozen=True)
class Ended:
    """One episode that is over.

    Attributes:
        seed: that it began with.
        steps: that it took.
        figures: what the world says of its end.
        first: the step after which the world first said that it was solved; None if it never did.
    """

    seed: int
    steps: int
    figures: Mapping[str, float]
    first: int | None


def run_trials(
    policy: Policy,
    world: World,
    seeds: Sequence[int],
    arguments: Mapping[str, Any],
    steps: int | None,
    side_by_side: int,
) -> list[Ended]:
    """One episode a seed, in the order of the seeds.

    Args:
        policy: sees observations alone.
        world: that it acts in.
        seeds: of the episodes.
        arguments: of the environments.
        steps: of an episode at most; the environment's own limit if None.
        side_by_side: how many environments it acts in at once.
    """
    if not seeds:
        return []
    envs = [world.make(**arguments) for _ in range(min(side_by_side, len(seeds)))]
    found, solved = dict[int, Ended](), dict[int, int]()
    try:
        for step in rollout(policy, envs, map(Start, seeds), steps=steps):
            seed, figures = step.start.seed, world.judge(step.info, step.observation)
            assert seed is not None
            if figures.get("success"):
                solved.setdefault(seed, step.number)
            if step.ended:
                found[seed] = Ended(seed, step.number, figures, solved.get(seed))
    finally:
        for env in envs:
            env.close()
    return [found[seed] for seed in seeds]


def solved_row(ended: Sequence[Ended]) -> Row:
    """How many episodes are solved at their end, and how soon: the same columns wherever that is asked.

    Steps are those to the first success, failures counting as longer than all; None if most failed.
    """
    row = share_of("success", [one.figures for one in ended])
    if row:
        needed = [math.inf if one.first is None or not one.figures["success"] else one.first for one in ended]
        for end, steps in zip(("", "_low", "_high"), median_interval(needed), strict=True):
            row[f"median_steps{end}"] = steps if math.isfinite(steps) else None
        row["within_100"] = sum(steps <= 100 for steps in needed) / len(needed)
        row["tasks_solved"] = tasks_solved([one.figures for one in ended])
    return row


def tasks_solved(ends: Sequence[Mapping[str, float]]) -> str:
    """Outcomes as a word.

    >>> tasks_solved([{"success": 1.0}, {"success": 0.0}])
    '+-'
    """
    return "".join("+" if end.get("success") else "-" for end in ends)
