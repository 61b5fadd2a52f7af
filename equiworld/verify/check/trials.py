"""Runs of a simulator from s and from g·s, without a policy: the same seed, the same walk, actions a and ρ(g)·a."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.rollout import Replay, Start, Step, reset_env, rollout
from equiworld.symmetry import Symmetry
from equiworld.symmetry.field import numbers
from equiworld.verify.moving import observe_now

__all__ = ["HOW_TO_MOVE", "Move", "Restore", "Run", "Seen", "Simulator", "Trial"]

Move = Callable[[gym.Env, GroupElement], Any]

HOW_TO_MOVE = (
    "a function move(env, g) that brings the simulator to g·s, given here or to register_symmetry(…, move=…); or an "
    "environment whose reset(seed=…, options={'group_element': g}) starts the same episode there"
)


@dataclass(frozen=True)
class Trial:
    """A state s, told by how it is reached, and what is done from there.

    Attributes:
        seed: of the reset.
        walk: actions `(size,)` from the reset to s.
        actions: those from s on.
        state: what a simulator that can be put there remembers of s; None where s is reached by the walk again.
    """

    seed: int
    walk: tuple[Array, ...]
    actions: tuple[Array, ...]
    state: Any = None


class Restore(Protocol):
    """Puts a simulator where it was, and from there to g·s."""

    def begin(self, env: gym.Env, state: Any, g: GroupElement) -> Any:
        """Bring the simulator to g·s, of a state s that was remembered; what is observed there."""


@dataclass(frozen=True)
class Seen:
    """What one reset, move or step showed; arrays are float64 `(rows, size)`, rows of leading axes.

    Attributes:
        observation: by declared field.
        info: those entries that are declared and there.
        reward: None where there is none, at the beginning.
        ended: terminated, truncated; likewise.
        told: whether info says at which g it is.
        refused: why the environment would not take the next action, where that ended the run.
    """

    observation: dict[str, Array]
    info: dict[str, Array] = field(default_factory=dict)
    reward: float | None = None
    ended: tuple[bool, bool] | None = None
    told: bool = False
    refused: str | None = None


Run = list[Seen]
"""What was seen at s and after each action; it stops where the episode ends."""


class Simulator:
    """An environment that can begin an episode at s or at g·s.

    Args:
        env: is reset again and again.
        symmetry: what it is said to carry.
        move: brings it to g·s; None if its reset does, by `options={"group_element": g}`.
        restore: puts it where it was; None if only a reset and a walk lead there.
    """

    def __init__(
        self, env: gym.Env, symmetry: Symmetry, move: Move | None, restore: Restore | None = None
    ) -> None:
        self.env, self.symmetry, self.move, self.restore = env, symmetry, move, restore
        self.dtype: np.dtype | None = None  # of actions; None for float64, which rounds nothing
        # By role and name, the eps of arrays that are coarser.
        self.roundings: dict[tuple[str, str], float] = {}
        self._seed = 0

    def begin(self, start: Trial, g: GroupElement | None) -> Seen:
        """At s, or at g·s.

        Raises:
            ArgumentError: it cannot be brought there; says why.
            SimulationError: the environment failed.
        """
        self._seed = start.seed
        if self.restore is not None and start.state is not None:
            return self._restored(self.restore, start, self.symmetry.group.identity() if g is None else g)
        if self.move is not None:
            return self._moved(start, self.symmetry.group.identity() if g is None else g)
        if g is None:
            return self.seen(*reset_env(self.env, start.seed, None))
        try:
            found = self.env.reset(seed=start.seed, options={"group_element": g})
        except (ValueError, TypeError, KeyError, NotImplementedError, AssertionError) as error:
            raise ArgumentError("env", " ".join(str(error).split()), HOW_TO_MOVE) from error
        except Exception as error:
            raise SimulationError(
                f"the environment failed at reset of seed {start.seed} at g·s: {error}"
            ) from error
        return self.seen(*found)

    def _restored(self, restore: Restore, start: Trial, g: GroupElement) -> Seen:
        try:
            return self.seen(restore.begin(self.env, start.state, g), {})
        except (ArgumentError, SimulationError):
            raise
        except Exception as error:
            raise SimulationError(f"restoring a state of seed {start.seed} failed: {error}") from error

    def _moved(self, start: Trial, g: GroupElement) -> Seen:
        assert self.move is not None
        self._take(start.walk, ends=lambda step: False)
        try:
            observation = self.move(self.env, g)
        except ArgumentError:
            raise
        except Exception as error:
            raise SimulationError(f"moving the environment failed at seed {start.seed}: {error}") from error
        return self.seen(observe_now(self.env) if observation is None else observation, {})

    def follow(self, first: Seen, actions: list[Array], turned: bool = False) -> Run:
        """What is seen from there on, until the episode ends.

        Args:
            first: what is seen there.
            actions: one after the other.
            turned: whether they are ρ(g)·a, which an environment may refuse where it takes a.

        Raises:
            SimulationError: the environment failed.
        """
        run, begun = [first], (first.observation, dict[str, Any]())
        try:
            for step in self._steps(actions, begin=lambda *_: begun):
                if step.number:
                    seen = self.seen(step.observation, step.info)
                    run.append(replace(seen, reward=step.reward, ended=(step.terminated, step.truncated)))
        except SimulationError as error:
            if not turned or not isinstance(error.__cause__, ValueError | TypeError | AssertionError):
                raise
            run[-1] = replace(run[-1], refused=" ".join(str(error.__cause__).split()))
        return run

    def steps_of(self, start: Trial) -> list[Array]:
        """The actions that are compared: also those of the walk where an episode begins at g·s with its reset."""
        alone = self.move is not None or start.state is not None
        return [*start.actions] if alone else [*start.walk, *start.actions]

    def cut(self, start: Trial) -> Trial:
        """The same with a walk that ends before its episode does."""
        self._seed = start.seed
        for step in self._steps(start.walk):
            if step.terminated or step.truncated:
                return replace(start, walk=start.walk[: step.number - 1])
        return start

    def settle_dtype(self, start: Trial) -> None:
        """Find out whether it takes float64 actions, or those of its space's dtype only."""
        self._seed = start.seed
        try:
            self._take(start.actions[:1])
        except SimulationError:
            self.dtype = self.env.action_space.dtype
            self._take(start.actions[:1])

    def _steps(self, actions: Sequence[Array], **settings: Any) -> Iterator[Step]:
        """What the actions do, one after the other, from the reset of the seed on."""
        batch = [(each if self.dtype is None else each.astype(self.dtype))[None] for each in actions]
        begun = [Start(self._seed)]
        return rollout(Replay(batch), [self.env], begun, steps=len(batch), **settings)

    def _take(self, actions: Sequence[Array], **settings: Any) -> None:
        for _ in self._steps(actions, **settings):
            pass

    def seen(self, observation: Any, info: Mapping[str, Any]) -> Seen:
        """What was shown, by declared field.

        Raises:
            ArgumentError: a field is missing, undeclared, of another shape, or not finite; names it.
        """
        symmetry = self.symmetry

        def rows(role: str, name: str, array: Any, size: int) -> Array:
            values = numbers(array, size, name)
            if values.dtype.kind == "f" and values.dtype.itemsize < 8:
                self.roundings[role, name] = float(np.finfo(values.dtype).eps)
            return values.astype(np.float64).reshape(-1, size)

        observed = {
            name: rows("observation", name, array, symmetry.observation[name].size(symmetry.dim))
            for name, array in symmetry.observed(observation).items()
        }
        told = {
            name: rows("info", name, info[name], declared.size(symmetry.dim))
            for name, declared in symmetry.info.items()
            if name in info
        }
        return Seen(observed, told, told="group_element" in info)
