"""The symmetry of Gymnasium's InvertedPendulum-v5: a cart and a pole, the same from both sides, but for a lean."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import observed
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement, left_right
from equiworld.symmetry import Heading, Parts, Pseudoscalar, Symmetry

__all__ = ["inverted_pendulum_symmetry", "move_inverted_pendulum"]

_RATE = 2.0  # [rad/s], [m/s] a typical size
_FALLEN = 0.2  # [rad] of the observed angle: beyond it an episode ends
_AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))  # of the slide and of the hinge


def inverted_pendulum_symmetry(env: gym.Env) -> Symmetry:
    """How an InvertedPendulum-v5 transforms where left and right change places: a group of the plane with one axis up
    and the other along the rail.

    Place, rates and force change sign. So would the angle, if the pole stood upright at 0. But in its model the far end
    of the pole is 1 mm to one side, which is a lean of δ = 0.0017 rad: θ ↦ −θ − 2δ. An episode ends where |θ| > 0.2, to
    one side 2δ sooner than to the other. So in few states end and reward are not the same, and `reward` is False.

    Args:
        env: as `gym.make("InvertedPendulum-v5", …)` made it, or with a changed model.

    Raises:
        ArgumentError: the model is another one.

    >>> symmetry = inverted_pendulum_symmetry(gym.make("InvertedPendulum-v5"))
    >>> mirror = symmetry.group.elements()[1]
    >>> symmetry.transform_observation(mirror, [0.5, 0.1, 1.0, 2.0]).round(4)
    array([-0.5   , -0.1033, -1.    , -2.    ])
    """
    model = env.unwrapped.model  # type: ignore[attr-defined]
    lean = _lean(model)
    fields = {"place": Pseudoscalar(), "angle": Heading(axis=lean), "rates": Pseudoscalar(2, scale=_RATE)}
    holds = "everywhere"
    if lean:
        ends = " and ".join(f"{side * _FALLEN + lean:.4f}" for side in (-1, 1))
        holds = f"everywhere but where an episode ends, with the pole at {ends} rad from upright"
    observation = {"observation": Parts(fields)}
    return Symmetry(
        left_right((0.0, 1.0)), observation, Pseudoscalar(), flat=True, holds=holds, reward=lean == 0
    )


def move_inverted_pendulum(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring an InvertedPendulum from s to g·s: x ↦ −x, θ ↦ −θ − 2δ, rates likewise, where g reflects.

    The warm start of the solver and the last action go with it.

    Args:
        env: reset.
        g: an element of `left_right((0, 1))`.

    Returns:
        What is observed then, or None where wrappers change it.
    """
    base: Any = env.unwrapped
    data = base.data
    if g.determinant < 0:
        data.ctrl[:] = -data.ctrl
        warm = -data.qacc_warmstart
        base.set_state(-data.qpos - [0.0, 2 * _lean(base.model)], -data.qvel)
        data.qacc_warmstart[:] = warm  # last, for mj_forward solves too, and keeps that as its warm start
    return observed(env)


def _lean(model: Any) -> float:
    """δ [rad], by how much the pole's centre of mass is off the upright where its hinge is at 0."""
    alike = model.nq == model.nv == model.njnt == 2 and np.allclose(model.jnt_axis, _AXES)
    if not alike or np.abs(model.jnt_pos).max() > 0:
        raise ArgumentError("model", f"{model.njnt} joints", "a slide along x and on it a hinge about y")
    across, _, up = model.body_ipos[model.jnt_bodyid[1]].tolist()
    return float(np.arctan2(across, up))
