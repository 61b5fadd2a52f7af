"""What return a policy gets, how often it succeeds, and how soon, with intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.arguments import flag, integer
from equiworld.errors import ArgumentError, SimulationError
from equiworld.made_with import arguments_as_text
from equiworld.verify.evaluation import Episode, Evaluation
from equiworld.verify.lockstep import (
    EnvLike,
    Policy,
    act,
    as_policy,
    close_copies,
    dtype_of,
    env_copies,
    reset_env,
    step_env,
)
from equiworld.verify.success import Success, SuccessRule

__all__ = ["Episode", "Evaluation", "EvaluationError", "evaluate"]


UNLIMITED = 10_000
"""Steps after which an episode that has no limit at all counts as one that never ends."""


class EvaluationError(SimulationError):
    """The environment failed in the middle of an evaluation; `partial` holds the episodes finished before."""

    def __init__(self, message: str, partial: Evaluation) -> None:
        super().__init__(message)
        self.partial = partial


@dataclass
class _Slot:
    """One of the environments: the episode that it is in, and how far."""

    env: gym.Env
    seed: int = -1
    active: bool = False
    starts: bool = True
    observation: Any = None
    steps: int = 0
    total_reward: float = 0.0

    def begin(self, seed: int, options: Mapping[str, Any] | None) -> None:
        self.observation, _ = reset_env(self.env, seed, options)
        self.seed, self.active, self.starts = seed, True, True
        self.steps, self.total_reward = 0, 0.0


def evaluate(
    policy: Policy,
    env: EnvLike,
    *,
    episodes: int = 100,
    seed: int = 0,
    n_envs: int = 8,
    options: Mapping[str, Any] | None = None,
    success: SuccessRule = "is_success",
    max_steps: int | None = None,
    deterministic: bool = True,
    progress: bool = False,
) -> Evaluation:
    """Run a policy for some episodes, add up what it gets and count its successes.

    Episode i begins with `env.reset(seed=seed + i)`: choose seeds that training did not use. Several copies
    of the environment run in lockstep, so that the policy acts for all of them in one call; a copy whose
    episode has ended begins the next, with `episode_start` true in its row. Results are listed by seed. A
    policy that draws random numbers row by row may draw others for another `n_envs`.

    Args:
        policy: anything with stable-baselines3's `predict`; it always gets a batch.
        env: an environment, its id, or a function that makes one.
        episodes: how many.
        seed: of the first episode.
        n_envs: how many copies of the environment; fewer are made for fewer episodes.
        options: handed to every reset.
        success: what says whether an episode succeeded: an entry of its last `info`, by its key, which the first
            `info` must have too; or a function (info, observation) -> bool of its end, tried at the first step; None
            to judge by the return alone.
        max_steps: cut an episode off after so many steps, as a time limit of the environment would. Without one, and
            without a `TimeLimit` around the environment, an episode of 10,000 steps is taken for one that never ends.
        deterministic: handed to the policy.
        progress: whether to show a progress bar.

    Returns:
        The evaluation; print it, or save it.

    Raises:
        ArgumentError: an argument is wrong, or the first `info` does not say what success is; lists its keys.
        EvaluationError: the environment failed, returned a number that is not finite, or does not end an episode;
            says in which episode and at which step, and holds the episodes finished before as `partial`.

    >>> import gymnasium as gym, equiworld.envs
    >>> class Wait:
    ...     def predict(self, obs, state=None, episode_start=None, deterministic=True):
    ...         return np.zeros((len(obs["agent_pos"]), 2)), state
    >>> env = gym.make("equiworld/PushT-v0", max_episode_steps=5)
    >>> print(evaluate(Wait(), env, episodes=2, success=None))
    return 0.6994 (95 %: -8.188 to 9.587) of 2 episodes
    >>> evaluate(Wait(), env, episodes=2, success=lambda info, observation: info["coverage"] >= 0).successes
    2
    """
    as_policy(policy)
    judge = Success(success)
    episodes, seed = integer("episodes", episodes, least=1, most=10**9), integer("seed", seed, least=0)
    n_envs = integer("n_envs", n_envs, least=1)
    max_steps = None if max_steps is None else integer("max_steps", max_steps, least=1)
    deterministic, progress = flag("deterministic", deterministic), flag("progress", progress)
    if options is not None and not isinstance(options, Mapping):
        raise ArgumentError("options", options, "a mapping, or None")
    began = time.perf_counter()
    slots = [_Slot(one) for one in env_copies(env, min(n_envs, episodes))]
    config = {
        "env": getattr(slots[0].env.spec, "id", str(slots[0].env)),
        "env_settings": arguments_as_text(getattr(slots[0].env.spec, "kwargs", {})),
        "episodes": episodes,
        "seed": seed,
        "n_envs": len(slots),
        "success": judge.describe(),
        "max_steps": max_steps,
        "dtype": dtype_of(policy),
    }
    done: list[Episode] = []

    def finished() -> Evaluation:
        ordered = tuple(sorted(done, key=lambda episode: episode.seed))
        return Evaluation(ordered, config, time.perf_counter() - began)

    try:
        runner = _Runner(policy, slots, options, judge, max_steps, deterministic)
        running = runner.run(range(seed, seed + episodes))
        if progress:
            from tqdm.auto import tqdm

            running = tqdm(running, total=episodes, desc="evaluate", unit="episode")
        for episode in running:
            done.append(episode)
    except SimulationError as error:
        raise EvaluationError(f"{error}; {len(done)} episodes were finished before", finished()) from error
    finally:
        close_copies([slot.env for slot in slots], env)
    return finished()


@dataclass(frozen=True)
class _Runner:
    """Drives the slots in lockstep."""

    policy: Policy
    slots: list[_Slot]
    options: Mapping[str, Any] | None
    success: Success
    max_steps: int | None
    deterministic: bool

    def run(self, seeds: range) -> Iterator[Episode]:
        """The episodes of the seeds, as they end."""
        waiting = iter(seeds)
        for slot in self.slots:
            slot.begin(next(waiting), self.options)
        state: Any = None
        while any(slot.active for slot in self.slots):
            starts = np.array([slot.starts for slot in self.slots])
            # Idle environments stay in the batch with their last observation: the state keeps its rows.
            seen = [slot.observation for slot in self.slots]
            actions, state = act(self.policy, seen, state, starts, self.deterministic)
            for slot, action in zip(self.slots, actions, strict=True):
                slot.starts = False
                episode = self._step(slot, action) if slot.active else None
                if episode is None:
                    continue
                yield episode
                following = next(waiting, None)
                slot.active = following is not None
                if following is not None:
                    slot.begin(following, self.options)

    def _step(self, slot: _Slot, action: Any) -> Episode | None:
        """Take one step; what came of the episode if it ends there."""
        observation, reward, terminated, truncated, info = step_env(slot.env, action, slot.seed, slot.steps)
        slot.observation = observation
        slot.steps += 1
        slot.total_reward += reward
        self.success.check(info, observation)
        if not (terminated or truncated or slot.steps == self.max_steps):
            if self.max_steps is None and slot.steps >= UNLIMITED and not _limited(slot.env):
                raise SimulationError(
                    f"the episode of seed {slot.seed} has not ended after {slot.steps} steps, and nothing limits it: "
                    "pass max_steps=, or make the environment with max_episode_steps="
                )
            return None
        success = self.success.of(info, observation, f"seed {slot.seed}, step {slot.steps}")
        return Episode(slot.seed, success, slot.steps, slot.total_reward, not terminated, _numbers(info))


def _limited(env: gym.Env) -> bool:
    """Whether a time limit of Gymnasium's is among the wrappers; a spec may tell of one that was taken off."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.TimeLimit):
            return True
        env = env.env
    return False


def _numbers(info: Mapping[str, Any]) -> dict[str, float]:
    """The entries of an info that are single numbers."""
    return {
        name: float(value)
        for name, value in info.items()
        if isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool)
    }
