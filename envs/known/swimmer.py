"""The symmetry of Gymnasium's Swimmer-v5: a chain of three links in a fluid that is the same everywhere."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import observed
from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, Group, GroupElement, left_right
from equiworld.symmetry import Field, Heading, Parts, Point, Pseudoscalar, Symmetry, Vector

__all__ = ["move_swimmer", "swimmer_symmetry"]

Choice = Literal["all", "mirror"]

_RATE = 8.0  # [rad/s] a typical size
_PLACE = 2  # joints that slide, before the one that turns
_ROOT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # the axes of the root's joints, in their order


def swimmer_symmetry(env: gym.Env, group: Choice = "all") -> Symmetry:
    """How a Swimmer-v5 transforms: turned, mirrored and, where its position is observed, moved to anywhere.

    The heading is that of the first link, along which its mirror axis lies; the bends of the joints and all turning
    rates change sign under a reflection, as torques do. The velocity is that of the first link's end, along the
    world's axes, for its slides come before the hinge. The reward counts what is swum along the world's x: `reward` is
    False, unless `forward_reward_weight` is 0.

    Args:
        env: as `gym.make("Swimmer-v5", …)` made it, with or without positions in what it observes.
        group: "all", O(2), with positions E(2); or "mirror", the reflection y ↦ −y, under which the reward stays too.

    Raises:
        ArgumentError: the model is another one; or no such group.

    >>> symmetry = swimmer_symmetry(gym.make("Swimmer-v5"))
    >>> symmetry.group, symmetry.reward, symmetry.transform_action(symmetry.group.reflection(0.3), [1.0, -2.0])
    (O2(), False, array([-1.,  2.]))
    """
    base: Any = env.unwrapped
    links = _links(base.model)
    placed = not base.observation_structure["skipped_qpos"]
    chosen: Group
    if group == "mirror":
        chosen = left_right((0.0, 1.0))
    elif group == "all":
        chosen = E2() if placed else O2()
    else:
        raise ArgumentError("group", repr(group), "a group of Swimmer-v5", ("all", "mirror"))
    fields: dict[str, Field] = {
        **({"position": Point()} if placed else {}),
        "heading": Heading(),
        "joints": Pseudoscalar(links),
        "velocity": Vector(),
        "spin": Pseudoscalar(scale=_RATE),
        "joint_rates": Pseudoscalar(links, scale=_RATE),
    }
    kept = group == "mirror" or base._forward_reward_weight == 0
    observation = {"observation": Parts(fields)}
    return Symmetry(
        chosen, observation, Pseudoscalar(base.model.nu), heading="heading", flat=True, reward=kept
    )


def move_swimmer(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring a Swimmer from s to g·s: its place and velocity as they are in the plane, θ ↦ arg R ± θ, its bends by sign.

    The warm start of the solver and the last action go with it.

    Args:
        env: reset.
        g: an element of E(2) or of a group in it.

    Returns:
        What is observed then, or None where wrappers change it.
    """
    base: Any = env.unwrapped
    data, sign = base.data, float(g.determinant)

    def tangent(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([g.rotate(rates[:_PLACE]), sign * rates[_PLACE:]])

    angles = sign * data.qpos[_PLACE:]
    angles[0] += np.arctan2(g.matrix[1, 0], g.matrix[0, 0])
    qpos = np.concatenate([g.act(data.qpos[:_PLACE]), angles])
    warm = tangent(data.qacc_warmstart)
    data.ctrl[:] = sign * data.ctrl
    base.set_state(qpos, tangent(data.qvel))
    data.qacc_warmstart[:] = warm  # last, for mj_forward solves too, and keeps that as its warm start
    return observed(env)


def _links(model: Any) -> int:
    """How many joints bend, after two slides and a hinge that place the first link in the plane."""
    root = len(_ROOT)
    upright = model.njnt > root and np.allclose(model.jnt_axis, [*_ROOT, *_ROOT[2:] * (model.njnt - root)])
    if not upright or model.nq != model.njnt or np.abs(model.body_pos[1:, 1:]).max() > 0:
        got = f"joints {[model.joint(index).name for index in range(model.njnt)]}"
        raise ArgumentError("model", got, "slides along x and y, then hinges about z, in one line")
    return model.njnt - root
