"""Beginning an episode at g·s in a simulator that somebody moves there, or that begins there when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import GroupElement
from equiworld.rollout import Begin, reset_env, stack
from equiworld.symmetry import Symmetry
from equiworld.verify.distances import field_errors
from equiworld.verify.wrapped import wrappers_of

__all__ = ["beginning_asked", "beginning_moved", "observe_now"]

_SLACK_MOVED = 1e-6  # in length scales: far above rounding, far below any real mistake
_SLACK_ASKED = 1e-4  # above what float32 rounds on the way through a reset
_HOW = (
    "one whose reset(seed=…, options={'group_element': g}) starts the same episode at g·s with goal g·goal; or a "
    "function that moves it, register_symmetry(…, move=…); or mode='passive', which shows any environment turned"
)


def beginning_moved(
    move: Callable[[gym.Env, GroupElement], Any], g: GroupElement, symmetry: Symmetry
) -> Begin:
    """How episodes begin at g·s: reset at s, moved by g, and observed again.

    Raises (from what comes back):
        ArgumentError: what is observed afterwards is not g·(what was observed before); names the field.
    """

    def begin(
        env: gym.Env, seed: int | None, options: Mapping[str, Any] | None
    ) -> tuple[Any, dict[str, Any]]:
        before, info = reset_env(env, seed, options)
        try:
            after = move(env, g)
            after = observe_now(env) if after is None else after
        except ArgumentError:
            raise
        except Exception as error:
            raise SimulationError(f"moving the environment failed at seed {seed}: {error}") from error
        for name, apart in _misplaced(symmetry, g, before, after, _SLACK_MOVED):
            got = f"one after which {name} is {apart:.2g} from where g takes it"
            raise ArgumentError(
                "move", got, "a function that brings the simulator to g·s, goal and time with it"
            )
        return after, info

    return begin


def beginning_asked(g: GroupElement, symmetry: Symmetry) -> Begin:
    """How episodes begin at g·s: reset at s, and again with the element among the options.

    Raises (from what comes back):
        ArgumentError: what is observed the second time is not g·(what was observed the first); names the field.
    """

    def begin(
        env: gym.Env, seed: int | None, options: Mapping[str, Any] | None
    ) -> tuple[Any, dict[str, Any]]:
        before, _ = reset_env(env, seed, options)
        after, info = reset_env(env, seed, {**(options or {}), "group_element": g})
        for name, apart in _misplaced(symmetry, g, before, after, _SLACK_ASKED):
            got = f"an environment in whose episode at g·s {name} is {apart:.2g} from where g takes it"
            raise ArgumentError("env", got, _HOW)
        return after, info

    return begin


def _misplaced(
    symmetry: Symmetry, g: GroupElement, before: Any, after: Any, slack: float
) -> Iterator[tuple[str, float]]:
    """The fields that are not where g takes them, and how far off they are."""
    expected = symmetry.transform_observation(g, before)
    for name, _, apart in field_errors(symmetry, stack([after]), stack([expected])):
        if not apart.max() <= slack * max(symmetry.length_scale, 1.0):
            yield name, float(apart.max())


def observe_now(env: gym.Env) -> Any:
    """What is observed now, through the wrappers that change observations."""
    base = env.unwrapped
    look = getattr(base, "_get_obs", None) or getattr(base, "get_obs", None) or _of_dm_control(base)
    if look is None:
        raise ArgumentError(
            "move", "nothing returned", "the observation, from an environment without `_get_obs`"
        )
    observation = look()
    for wrapper in reversed([*wrappers_of(env)]):
        if isinstance(wrapper, gym.ObservationWrapper):
            observation = wrapper.observation(observation)
    return observation


def _of_dm_control(base: Any) -> Callable[[], Any] | None:
    """What dm_control's task shows behind shimmy; None of anything else."""
    inner = getattr(base, "_env", None)
    task, physics = getattr(inner, "_task", None), getattr(inner, "physics", None)
    look = getattr(task, "get_observation", None)
    if physics is None or look is None:
        return None
    return lambda: {name: np.asarray(each) for name, each in look(physics).items()}
