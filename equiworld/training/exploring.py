"""One chunk's transitions: episodes begun and actions chosen by an exploration, from the chunk's own generator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, EquiworldError, SimulationError
from equiworld.rollout import Start, Step, Transition, rollout
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.holding import held_action
from equiworld.training.actions import Actuation
from equiworld.training.given import Given

__all__ = ["Chunk", "Exploration", "explore"]

MAX_EMPTY_EPISODES = 1000


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
class Chunk:
    """One chunk; its result depends on these values alone, not on which process collects it."""

    spec: Any
    symmetry: Symmetry
    exploration: Exploration | None
    seed: int
    index: int
    transitions: int
    action_repeat: int
    steps_per_start: int
    dtype: str
    given: Given | None = None
    """One that acts itself; None for one that is made from the spec."""


def explore(chunk: Chunk) -> dict[str, list[Any]]:
    """The chunk's transitions, each (state arrays…, action, next state arrays…), and their episodes."""
    rng = np.random.default_rng([chunk.seed, chunk.index])
    given = chunk.given
    env = gym.make(chunk.spec, disable_env_checker=True) if given is None else given.env
    actuation = Actuation(env)
    actuation.space.seed(int(rng.integers(2**31)))
    explorer = _Explorer(chunk, actuation, rng, _symmetry_inside(chunk, env))
    numbers: list[list[NDArray[np.float64]]] = []
    episodes: list[int] = []
    try:
        running = rollout(
            explorer, [env], explorer.starts(numbers), ends=explorer.ends, begin=_begin, take=_take
        )
        for step in running:
            if not step.number:
                before, episode = _state(chunk, step.observation), explorer.episode
            elif explorer.held == 1:
                action = np.asarray(step.action, np.float64)
            if step.number and explorer.held == chunk.action_repeat:
                after = _state(chunk, step.observation)  # copied: some environments reuse their arrays
                numbers.append([*before, action, *after])
                episodes.append(episode)
                before = after
            if len(numbers) == chunk.transitions:
                break
    except Exception as error:
        raise SimulationError(
            f"the environment {chunk.spec.id} failed after {len(numbers)} transitions of chunk {chunk.index} "
            f"(seed {chunk.seed}): {type(error).__name__}: {error}; finished chunks are kept if a folder was given"
        ) from error
    finally:
        if given is None:
            env.close()
    return {"numbers": numbers, "episode": episodes}


class _Explorer:
    """An exploration as a policy of one environment, each of its actions held for `action_repeat` steps.

    Attributes:
        episode: a number of the episode that began last.
        held: how many steps the action has been held, the one that is asked for included.
    """

    def __init__(
        self, chunk: Chunk, actuation: Actuation, rng: np.random.Generator, inside: Symmetry | None
    ) -> None:
        self.chunk, self.actuation, self.rng, self.inside = chunk, actuation, rng, inside
        self.goes_on = getattr(chunk.exploration, "goes_on", lambda info: True)
        self.episode = self.held = 0
        self._action: NDArray[Any] = np.empty(0)
        self._before: Any = None  # the observation at which it was chosen

    def starts(self, numbers: list[Any]) -> Iterator[Start]:
        """Episodes without an end.

        Args:
            numbers: the transitions that there are by now.

        Raises:
            ArgumentError: too many in a row ended before one action had been held to its end.
        """
        empty, before = 0, -1
        while True:
            empty, before = 0 if len(numbers) > before else empty + 1, len(numbers)
            if empty == MAX_EMPTY_EPISODES:
                raise ArgumentError(
                    "action_repeat", self.chunk.action_repeat, "less: no episode lasts that long"
                )
            self.episode = int(self.rng.integers(2**63 - 1))
            exploration = self.chunk.exploration
            options = None if exploration is None else exploration.start(self.rng)
            self.held = self.chunk.action_repeat
            yield Start(int(self.rng.integers(2**31)), options)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], None]:
        """The action of the environment, a batch of one."""
        now = (
            {name: array[0] for name, array in observation.items()}
            if isinstance(observation, dict)
            else observation[0]
        )
        chunk, asked = self.chunk, self._action
        if self.held == chunk.action_repeat:
            self.held, self._before = 0, now
            asked = self._action = self._chosen(_as_inside(chunk, self.inside, now))
        elif chunk.symmetry.action_origin is not None:
            # Never where wrappers change the actions: `collect` refuses to hold a target there.
            asked = self.actuation.asked(held_action(chunk.symmetry, self._action, self._before, now))
        self.held += 1
        return np.asarray(asked)[None], None

    def ends(self, step: Step) -> bool:
        """Whether an episode ends: by itself; or where an action was held to its end, for the next begins nowhere."""
        chunk = self.chunk
        if step.terminated or step.truncated or not step.number:
            return bool(step.number)
        whole = self.held == chunk.action_repeat
        over = step.number == chunk.steps_per_start * chunk.action_repeat
        return whole and (over or not self.goes_on(step.info))

    def _chosen(self, observation: Any) -> NDArray[Any]:
        """The exploration's action where it speaks the environment's units, else a sample of the action space."""
        if self.chunk.exploration is not None and self.actuation.whole:
            return self.actuation.asked(self.chunk.exploration.action(self.rng, observation))
        return self.actuation.asked(self.actuation.space.sample())


def _begin(env: gym.Env, seed: int | None, options: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    return env.reset(seed=seed, options=options)  # type: ignore[arg-type]


def _take(env: gym.Env, action: Any, seed: int | None, step: int) -> Transition:
    return env.step(action)  # type: ignore[return-value]


def _symmetry_inside(chunk: Chunk, env: gym.Env) -> Symmetry | None:
    """How the environment inside all wrappers transforms, where it shows something else and an exploration acts."""
    if chunk.exploration is None or env.observation_space == env.unwrapped.observation_space:
        return None
    try:
        inside = symmetry_of(env.unwrapped)
    except EquiworldError:  # only wrappers know
        return None
    return inside if set(inside.observation) <= set(chunk.symmetry.observation) else None


def _as_inside(chunk: Chunk, inside: Symmetry | None, observation: Any) -> Any:
    """The observation as the environment inside all wrappers shows it, which is what its exploration knows."""
    if inside is None:
        return observation
    fields = chunk.symmetry.observed(observation)
    return inside.assembled({name: fields[name] for name in inside.observation})


def _state(chunk: Chunk, observation: Any) -> list[NDArray[np.float64]]:
    fields = chunk.symmetry.observed(observation, chunk.symmetry.state)
    return [np.array(fields[name], np.float64) for name in chunk.symmetry.state]
