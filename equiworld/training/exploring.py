"""One chunk's transitions: episodes begun and actions chosen by an exploration, from the chunk's own generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, EquiworldError, SimulationError
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.holding import held_action
from equiworld.training.actions import Actuation

__all__ = ["Exploration", "Task", "explore"]

BARREN = 1000


class Exploration(Protocol):
    """Where an environment's data is worth collecting; an env may offer one as its `exploration`.

    One that also has `goes_on(info)` ends an episode where that is false: no transition begins there.
    """

    action_repeat: int
    steps_per_start: int

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Options for `env.reset`."""

    def action(self, rng: np.random.Generator, observation: Any) -> NDArray[np.float64]:
        """An action worth trying, in the units of the environment inside all wrappers.

        It is projected into that environment's action space, and what is recorded is what the wrapped
        environment was asked for.
        """


@dataclass(frozen=True)
class Task:
    """One chunk; its result depends on these values alone, not on which process collects it."""

    spec: Any
    symmetry: Symmetry
    exploration: Exploration | None
    seed: int
    chunk: int
    transitions: int
    action_repeat: int
    steps_per_start: int
    dtype: str
    env: gym.Env | None = None
    """One that cannot be made again from its spec: it acts itself, in this process alone."""


def explore(task: Task) -> dict[str, list[Any]]:
    """The chunk's transitions, each (state arrays…, action, next state arrays…), and their episodes."""
    rng = np.random.default_rng([task.seed, task.chunk])
    env = gym.make(task.spec, disable_env_checker=True) if task.env is None else task.env
    actuation = Actuation(env)
    actuation.space.seed(int(rng.integers(2**31)))
    numbers: list[list[NDArray[np.float64]]] = []
    episodes: list[int] = []
    inside = _symmetry_inside(task, env)
    goes_on = getattr(task.exploration, "goes_on", lambda info: True)
    barren = 0  # episodes in a row that ended before one action had been held to its end
    try:
        while len(numbers) < task.transitions:
            if barren == BARREN:
                raise ArgumentError("action_repeat", task.action_repeat, "less: no episode lasts that long")
            barren += 1
            episode = int(rng.integers(2**63 - 1))
            options = None if task.exploration is None else task.exploration.start(rng)
            observation, _ = env.reset(seed=int(rng.integers(2**31)), options=options)
            for _ in range(task.steps_per_start):
                action = _chosen(task, actuation, rng, _as_inside(task, inside, observation))
                before = _state(task, observation)  # copied: some environments reuse their arrays
                observation, info, ended, whole = _hold(env, task, actuation, action, observation)
                ended = ended or not goes_on(info)
                if whole:
                    numbers.append([*before, np.asarray(action, np.float64), *_state(task, observation)])
                    episodes.append(episode)
                    barren = 0
                if ended or len(numbers) == task.transitions:
                    break
    except Exception as error:
        raise SimulationError(
            f"the environment {task.spec.id} failed after {len(numbers)} transitions of chunk {task.chunk} "
            f"(seed {task.seed}): {type(error).__name__}: {error}; finished chunks are kept if a folder was given"
        ) from error
    finally:
        if task.env is None:
            env.close()
    return {"numbers": numbers, "episode": episodes}


def _symmetry_inside(task: Task, env: gym.Env) -> Symmetry | None:
    """How the environment inside all wrappers transforms, where it shows something else and an exploration acts."""
    if task.exploration is None or env.observation_space == env.unwrapped.observation_space:
        return None
    try:
        inside = symmetry_of(env.unwrapped)
    except EquiworldError:  # only wrappers know
        return None
    return inside if set(inside.observation) <= set(task.symmetry.observation) else None


def _as_inside(task: Task, inside: Symmetry | None, observation: Any) -> Any:
    """The observation as the environment inside all wrappers shows it, which is what its exploration knows."""
    if inside is None:
        return observation
    fields = task.symmetry.observed(observation)
    return inside.assembled({name: fields[name] for name in inside.observation})


def _chosen(task: Task, actuation: Actuation, rng: np.random.Generator, observation: Any) -> NDArray[Any]:
    """The exploration's action where it speaks the environment's units, else a sample of the action space."""
    if task.exploration is not None and actuation.whole:
        return actuation.asked(task.exploration.action(rng, observation))
    return actuation.asked(actuation.space.sample())


def _hold(
    env: gym.Env, task: Task, actuation: Actuation, action: NDArray[Any], observation: Any
) -> tuple[Any, dict[str, Any], bool, bool]:
    """Observation and info afterwards, whether the episode ended, and whether the action was held to its end."""
    now, info, asked = observation, dict[str, Any](), action
    for held in range(1, task.action_repeat + 1):
        if held > 1 and task.symmetry.action_origin is not None:
            # Never where wrappers change the actions: `collect` refuses to hold a target there.
            asked = actuation.asked(held_action(task.symmetry, action, observation, now))
        now, _, terminated, truncated, info = env.step(asked)
        if terminated or truncated:
            return now, info, True, held == task.action_repeat
    return now, info, False, True


def _state(task: Task, observation: Any) -> list[NDArray[np.float64]]:
    fields = task.symmetry.observed(observation, task.symmetry.state)
    return [np.array(fields[name], np.float64) for name in task.symmetry.state]
