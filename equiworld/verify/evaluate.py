"""What return a policy gets, how often it succeeds, and how soon, with intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.arguments import flag, integer
from equiworld.errors import ArgumentError, SimulationError
from equiworld.made_with import arguments_as_text
from equiworld.rollout import (
    EnvLike,
    Policy,
    Start,
    Step,
    as_policy,
    close_copies,
    dtype_of,
    env_copies,
    rollout,
)
from equiworld.verify.evaluation import Episode, Evaluation
from equiworld.verify.success import Success, SuccessRule

__all__ = ["Episode", "Evaluation", "EvaluationError", "evaluate"]


UNLIMITED = 10_000
"""Steps after which an episode that has no limit at all counts as one that never ends."""


class EvaluationError(SimulationError):
    """The environment failed in the middle of an evaluation; `partial` holds the episodes finished before."""

    def __init__(self, message: str, partial: Evaluation) -> None:
        super().__init__(message)
        self.partial = partial


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
    envs = env_copies(env, min(n_envs, episodes))
    config = {
        "env": getattr(envs[0].spec, "id", str(envs[0])),
        "env_settings": arguments_as_text(getattr(envs[0].spec, "kwargs", {})),
        "episodes": episodes,
        "seed": seed,
        "n_envs": len(envs),
        "success": judge.describe(),
        "max_steps": max_steps,
        "dtype": dtype_of(policy),
    }
    done: list[Episode] = []

    def finished() -> Evaluation:
        ordered = tuple(sorted(done, key=lambda episode: episode.seed))
        return Evaluation(ordered, config, time.perf_counter() - began)

    starts = (Start(each, options) for each in range(seed, seed + episodes))
    running = rollout(policy, envs, starts, steps=max_steps, deterministic=deterministic)
    found = _episodes(running, envs, judge, max_steps is None)
    if progress:
        from tqdm.auto import tqdm

        found = tqdm(found, total=episodes, desc="evaluate", unit="episode")
    try:
        for episode in found:
            done.append(episode)
    except SimulationError as error:
        raise EvaluationError(f"{error}; {len(done)} episodes were finished before", finished()) from error
    finally:
        close_copies(envs, env)
    return finished()


def _episodes(
    running: Iterator[Step], envs: list[gym.Env], success: Success, unlimited: bool
) -> Iterator[Episode]:
    """The episodes of a rollout, as they end.

    Raises:
        SimulationError: one of them does not end; or its last step does not say whether it succeeded.
    """
    returns = [0.0] * len(envs)
    for step in running:
        returns[step.env] = returns[step.env] + step.reward if step.number else 0.0
        if not step.number:
            continue
        success.check(step.info, step.observation)
        seed = step.start.seed
        assert seed is not None
        if step.ended:
            succeeded = success.of(step.info, step.observation, f"seed {seed}, step {step.number}")
            gained, cut = returns[step.env], not step.terminated
            yield Episode(seed, succeeded, step.number, gained, cut, _numbers(step.info))
        elif unlimited and step.number >= UNLIMITED and not _limited(envs[step.env]):
            raise SimulationError(
                f"the episode of seed {seed} has not ended after {step.number} steps, and nothing limits it: "
                "pass max_steps=, or make the environment with max_episode_steps="
            )


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
