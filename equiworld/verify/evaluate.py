"""What return a policy gets, how often it succeeds, and how soon, with intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, overload

import gymnasium as gym
import numpy as np

from equiworld.arguments import flag, integer
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import Group, GroupElement
from equiworld.made_with import arguments_as_text
from equiworld.rollout import (
    Begin,
    EnvLike,
    Policy,
    Start,
    Step,
    as_policy,
    close_copies,
    dtype_of,
    env_copies,
    reset_env,
    rollout,
)
from equiworld.symmetry import Symmetry
from equiworld.verify.evaluation import Episode, Evaluation, OrbitEvaluation
from equiworld.verify.over_orbit import Mode, Orbit
from equiworld.verify.success import Success, SuccessRule
from equiworld.verify.wrapped import time_limits

__all__ = ["Episode", "Evaluation", "EvaluationError", "OrbitEvaluation", "evaluate"]


UNLIMITED = 10_000
"""Steps after which an episode that has no limit at all counts as one that never ends."""


class EvaluationError(SimulationError):
    """The environment failed in the middle of an evaluation; `partial` holds the episodes finished before."""

    def __init__(self, message: str, partial: Evaluation) -> None:
        super().__init__(message)
        self.partial = partial


@overload
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
    group: None = None,
    elements: int = 8,
    mode: Mode = "active",
    symmetry: Symmetry | None = None,
) -> Evaluation: ...


@overload
def evaluate(
    policy: Policy,
    env: EnvLike,
    *,
    group: Group | GroupElement,
    episodes: int = 100,
    seed: int = 0,
    n_envs: int = 8,
    options: Mapping[str, Any] | None = None,
    success: SuccessRule = "is_success",
    max_steps: int | None = None,
    deterministic: bool = True,
    progress: bool = False,
    elements: int = 8,
    mode: Mode = "active",
    symmetry: Symmetry | None = None,
) -> OrbitEvaluation: ...


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
    group: Group | GroupElement | None = None,
    elements: int = 8,
    mode: Mode = "active",
    symmetry: Symmetry | None = None,
) -> Evaluation | OrbitEvaluation:
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
        group: to evaluate over the orbit: the same episodes, by the same seeds, at the identity and at some elements of
            this group; or at these elements, one batch.
        elements: how many besides the identity; a finite group may have fewer.
        mode: of an orbit: "active", the simulator itself begins at g·s, by the function that `register_symmetry(…,
            move=…)` was given or by `options={"group_element": g}`; or "passive", it is shown turned.
        symmetry: of an orbit: how observations and actions transform; what the environment is registered with if None.

    Returns:
        The evaluation; print it, or save it. With `group` an `OrbitEvaluation`, one at each element.

    Raises:
        ArgumentError: an argument is wrong, or the first `info` does not say what success is; lists its keys. Or an
            episode of an orbit begins elsewhere than at g·s; names the field.
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
    asked = None if group is None else Orbit.asked(group, elements, seed, mode, symmetry)
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
    run = _Run(
        policy, judge, range(seed, seed + episodes), options or {}, max_steps, deterministic, progress, config
    )
    try:
        if asked is None:
            return run.evaluated(envs)
        began, found = time.perf_counter(), list[Evaluation]()
        orbit = asked.of(envs[0], seed, options or {})
        for g in orbit.elements:
            found.append(run.evaluated(orbit.shown(envs, g), orbit.begin(g)))
        config = {**config, **orbit.config}
        return OrbitEvaluation(orbit.elements, tuple(found), config, time.perf_counter() - began)
    finally:
        close_copies(envs, env)


@dataclass(frozen=True)
class _Run:
    """What is the same at every element."""

    policy: Policy
    judge: Success
    seeds: range
    options: Mapping[str, Any]
    max_steps: int | None
    deterministic: bool
    progress: bool
    config: Mapping[str, Any]

    def evaluated(self, envs: list[gym.Env], begin: Begin = reset_env) -> Evaluation:
        """The evaluation in environments, of episodes that begin so."""
        began, done = time.perf_counter(), list[Episode]()

        def finished() -> Evaluation:
            ordered = tuple(sorted(done, key=lambda episode: episode.seed))
            return Evaluation(ordered, self.config, time.perf_counter() - began)

        starts = (Start(each, self.options or None) for each in self.seeds)
        running = rollout(
            self.policy, envs, starts, steps=self.max_steps, deterministic=self.deterministic, begin=begin
        )
        found = _episodes(running, envs, self.judge, self.max_steps is None)
        if self.progress:
            from tqdm.auto import tqdm

            found = tqdm(found, total=len(self.seeds), desc="evaluate", unit="episode")
        try:
            for episode in found:
                done.append(episode)
        except SimulationError as error:
            message = f"{error}; {len(done)} episodes were finished before"
            raise EvaluationError(message, finished()) from error
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
        elif unlimited and step.number >= UNLIMITED and not time_limits(envs[step.env]):
            raise SimulationError(
                f"the episode of seed {seed} has not ended after {step.number} steps, and nothing limits it: "
                "pass max_steps=, or make the environment with max_episode_steps="
            )


def _numbers(info: Mapping[str, Any]) -> dict[str, float]:
    """The entries of an info that are single numbers."""
    return {
        name: float(value)
        for name, value in info.items()
        if isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool)
    }
