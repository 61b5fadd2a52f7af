"""States and actions that an audit begins from: reached at random, by pushing about, or by a policy."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.rollout import Policy, Replay, Start, rollout
from equiworld.symmetry import Symmetry
from equiworld.verify.auditing.access import Restored
from equiworld.verify.check.drawn import within
from equiworld.verify.check.trials import Simulator, Trial

__all__ = ["Feasibility", "Origin", "drawn_trials", "feasibility", "replayed"]

_STREAM = 0x6175646974
_FAR = 100  # steps at most from a reset to a state
_HELD = 12  # steps at most that an action is held: what changes at every step goes nowhere


@dataclass(frozen=True)
class Feasibility:
    """Whether ρ(g)·a is allowed where a is, asked of actions drawn from the whole action space.

    Attributes:
        asked: pairs (g, a).
        refused: of them, how many ρ(g)·a lie outside the space.
        by_element: `(n,)`, the share that is refused.
    """

    asked: int
    refused: int
    by_element: Array


@dataclass(frozen=True)
class Origin:
    """Where a state comes from.

    Attributes:
        trial: how it is reached, and what is done from there.
        by: "random actions", "exploration" or "policy".
    """

    trial: Trial
    by: str


def feasibility(env: gym.Env, symmetry: Symmetry, elements: GroupElement, seed: int) -> Feasibility:
    """Ask of 64 actions whether their images lie in the action space."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    outside = np.zeros(len(elements))
    count, centre = 64, np.asarray(symmetry.centre)
    for _ in range(count):
        action = np.asarray(space.sample(), np.float64)
        images = symmetry.action.transform(elements, np.tile(action, (len(elements), 1)), centre, "action")
        outside += [not _holds(space, each) for each in images]
    return Feasibility(count * len(elements), int(outside.sum()), outside / count)


def _holds(space: gym.Space, action: Array) -> bool:
    """Whether it lies in the space, but for rounding."""
    if type(space) is gym.spaces.Box:
        slack = 1e-6 * (1.0 + np.abs(action))
        return bool(((action >= space.low - slack) & (action <= space.high + slack)).all())
    return bool(space.contains(np.asarray(action * (1 - 1e-9), space.dtype)))


def drawn_trials(
    simulator: Simulator,
    elements: GroupElement,
    states: int,
    horizon: int,
    policy: Policy | None,
    seed: int,
) -> list[Origin]:
    """States of as many episodes, each after another number of steps, and the actions that were taken there.

    Half of them along the policy's rollouts where there is one; else half by the environment's own exploration, if it
    has one that speaks its actions.
    """
    env = simulator.env
    lengths = [_FAR * index // max(states - 1, 1) for index in range(states)]
    order = np.random.default_rng([seed, _STREAM]).permutation(lengths).tolist()
    explorer = _Explorer.of(env)
    found: list[Origin] = []
    for index, length in enumerate(order):
        rng = np.random.default_rng([seed, _STREAM, index])
        actor: Policy = _Random(simulator, elements, rng)
        by = "random actions"
        if index % 2 and policy is not None:
            actor, by = policy, "policy"
        elif index % 2 and explorer is not None:
            actor, by = replace(explorer, rng=rng), "exploration"
        found.append(Origin(_reached(simulator, actor, seed + index, length, horizon), by))
    return found


def _reached(simulator: Simulator, actor: Any, seed: int, length: int, horizon: int) -> Trial:
    """The state after so many steps, or as many as leave the horizon before the episode ends."""
    taken: list[Array] = []
    ended = False
    for step in rollout(actor, [simulator.env], [Start(seed)], steps=length + horizon):
        if step.number:
            taken.append(np.asarray(step.action, np.float64).ravel())
            ended = step.terminated or step.truncated
    walk = min(length, max(0, len(taken) - (horizon if not ended else 1 + seed % horizon)))
    trial = Trial(seed, tuple(taken[:walk]), tuple(taken[walk:]))
    if not isinstance(simulator.restore, Restored):
        return trial
    return replace(trial, state=replayed(simulator, simulator.restore, trial))


def replayed(simulator: Simulator, restored: Restored, trial: Trial) -> Any:
    """The snapshot of a trial's state, reached from its seed by its walk."""
    env = simulator.env
    if not trial.walk:
        env.reset(seed=trial.seed)
        return restored.get(env)
    state: Any = None
    actions = [each.astype(simulator.dtype or np.float64)[None] for each in trial.walk]
    for step in rollout(Replay(actions), [env], [Start(trial.seed)], steps=len(actions)):
        if step.number == len(actions):
            state = restored.get(env)
    return state


class _Random:
    """Actions drawn from the space, towards what no element moves out of it, each held for a while."""

    def __init__(self, simulator: Simulator, elements: GroupElement, rng: np.random.Generator) -> None:
        self.space = copy.deepcopy(simulator.env.action_space)
        self.simulator, self.elements, self.rng = simulator, elements, rng
        self.space.seed(int(rng.integers(2**31)))
        self.left, self.action = 0, np.zeros(0)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, Any]:
        """The next one, for a batch of one."""
        if not self.left:
            drawn = np.asarray(self.space.sample(), np.float64)
            near, _ = within(self.space, self.simulator.symmetry, self.elements, drawn)
            self.action = near.astype(self.simulator.dtype or np.float64)
            self.left = int(self.rng.integers(1, _HELD + 1))
        self.left -= 1
        return self.action[None], state


@dataclass(frozen=True)
class _Explorer:
    """The environment's own exploration as a policy, its actions held."""

    exploration: Any
    rng: np.random.Generator | None = None

    @staticmethod
    def of(env: gym.Env) -> _Explorer | None:
        """That of an environment; None if it has none, or wrappers change what it acts with."""
        found = getattr(env.unwrapped, "exploration", None)
        alike = env.action_space == env.unwrapped.action_space
        alike = alike and env.observation_space == env.unwrapped.observation_space
        return _Explorer(found) if alike and callable(getattr(found, "action", None)) else None

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, Any]:
        """The next one, for a batch of one; the state is what is held, and for how long still."""
        held, left = (None, 0) if state is None else state
        if not left:
            first = {name: each[0] for name, each in observation.items()}
            held, left = np.asarray(self.exploration.action(self.rng, first))[None], self._hold()
        return held, (held, left - 1)

    def _hold(self) -> int:
        assert self.rng is not None
        return int(self.exploration.action_repeat * self.rng.integers(1, 4))
