"""Actions chosen below the wrappers that change them, and what to ask of the environment for them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

__all__ = ["Actuation", "project"]

Array = NDArray[np.float64]

AFFINE = 1e-5  # largest deviation from an affine map, relative: actions may be float32


class Actuation:
    """Where the actions of an environment are chosen, and the way back to what it is asked for.

    An environment's own exploration speaks the units of the environment inside all wrappers. Below a wrapper that
    clips, and one that changes actions a by an affine map A a + c (a rescaling, say), is where actions are chosen;
    the inverse of the map says what the wrapped environment must be asked for. No other change can be undone.

    Attributes:
        space: in which actions are chosen.
        whole: whether the environment's own exploration may choose them: nothing below changes them further.
        changed: whether what is asked for is in other units than what is chosen.

    >>> env = gym.wrappers.RescaleAction(gym.make("Pendulum-v1"), -1, 1)
    >>> actuation = Actuation(env)
    >>> actuation.space, actuation.changed, actuation.asked(np.array([1.0]))
    (Box(-2.0, 2.0, (1,), float32), True, array([0.5], dtype=float32))
    """

    whole: bool
    changed: bool

    def __init__(self, env: gym.Env) -> None:
        self._outer, self._maps = env.action_space, list[tuple[Array, Array]]()
        self.whole = True
        while isinstance(env, gym.Wrapper):
            if isinstance(env, gym.ActionWrapper) and not isinstance(env, gym.wrappers.ClipAction):
                found = _affine(env)
                if found is None:
                    self.whole = False
                    break
                if not (np.allclose(found[0], np.eye(len(found[1]))) and np.allclose(found[1], 0)):
                    self._maps.append(found)
            elif not isinstance(env, gym.ActionWrapper) and env.action_space != env.env.action_space:
                # One that shows the whole world differently: observations and actions go together.
                self.whole = not Actuation(env.env).changed
                break
            env = env.env
        self.space = env.action_space
        self.changed = bool(self._maps) or not self.whole

    def asked(self, action: Any) -> NDArray[Any]:
        """What the environment is asked for so that `action`, projected into `space`, acts."""
        inside = project(self.space, action)
        if not self._maps:
            return inside
        for A, c in reversed(self._maps):
            inside = np.linalg.solve(A, inside - c)
        return project(self._outer, inside)


def project(space: spaces.Space, action: Any) -> NDArray[Any]:
    """The nearest action of a space, in its dtype: a ball says itself which that is; a box clips.

    >>> project(spaces.Box(-1, 1, (2,), np.float64), [3.0, 0.5])
    array([1. , 0.5])
    """
    if not isinstance(space, spaces.Box):
        return np.asarray(action)
    nearest = getattr(space, "project", lambda far: np.clip(far, space.low, space.high))
    return nearest(np.asarray(action, np.float64)).astype(space.dtype)


def _affine(wrapper: gym.ActionWrapper) -> tuple[Array, Array] | None:
    """The invertible A and c of a wrapper that makes A a + c of an action a; None if it makes something else."""
    outer, inner = wrapper.action_space, wrapper.env.action_space
    if not (isinstance(outer, spaces.Box) and isinstance(inner, spaces.Box) and outer.shape == inner.shape):
        return None
    if len(outer.shape) != 1:
        return None
    rng, size = np.random.default_rng(0), outer.shape[0]
    probes = rng.uniform(-1, 1, (4 * (size + 1), size))
    bounded = np.isfinite(outer.low) & np.isfinite(outer.high)
    low, high = (np.where(bounded, bound, side) for bound, side in ((outer.low, -1.0), (outer.high, 1.0)))
    probes = ((low + high) / 2 + probes * (high - low) / 2).astype(outer.dtype)
    try:
        images = np.array([wrapper.action(probe.copy()) for probe in probes], np.float64)
    except Exception:  # whatever a function of the user's raises on an action that it does not like
        return None
    design = np.concatenate([probes, np.ones((len(probes), 1))], -1).astype(np.float64)
    if images.shape != probes.shape or not np.isfinite(images).all():
        return None
    solution = np.linalg.lstsq(design, images, rcond=None)[0]
    if np.abs(design @ solution - images).max() > AFFINE * np.abs(images).max():
        return None
    A: Array = np.asarray(solution[:-1].T, np.float64)
    c: Array = np.asarray(solution[-1], np.float64)
    return (A, c) if np.linalg.cond(A) < 1 / AFFINE else None
