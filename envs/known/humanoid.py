"""The symmetry of Gymnasium's Humanoid-v5, left and right, which its model breaks, and its repair."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.envs.known.mujoco_state import (
    bodies,
    exchanges,
    floating_fields,
    holding,
    motors,
    move_floating,
    signed,
    spatial_fields,
)
from equiworld.groups import GroupElement, left_right
from equiworld.symmetry import Parts, Permuted, Scalar, SymmetricMatrix, Symmetry, Vector

__all__ = ["humanoid_symmetry", "mend_humanoid", "move_humanoid"]

_NEWTON = 2  # mjSOL_NEWTON
_TORQUE, _CONTACT = 64.0, 256.0  # [N m], [N] typical sizes


def humanoid_symmetry(env: gym.Env) -> Symmetry:
    """How a Humanoid-v5 transforms where left and right are exchanged, with all that it observes or a part of it.

    As shipped it does not hold: the stiffness of the knees and the armature of the hips differ, and its solver goes
    through contacts in an order. `holds` names what of it is still so; see `mend_humanoid`.

    The orientation is a quaternion, whose sign and norm mean nothing: it comes out with norm 1 and w ≥ 0. Inertias are
    about the robot's centre of mass, in world axes.

    Args:
        env: as `gym.make("Humanoid-v5", …)` made it, or with a changed model.

    Raises:
        ArgumentError: the model's joints are not where their mirror images are.

    >>> symmetry = humanoid_symmetry(gym.make("Humanoid-v5", include_cinert_in_observation=False))
    >>> symmetry.holds.split("; ")[-1]
    'the solver PGS, whose sweep has an order'
    """
    base: Any = env.unwrapped
    structure, group = base.observation_structure, left_right()
    found = exchanges(base.model, group)
    fields = floating_fields(group, found, positions=not structure["skipped_qpos"])
    at: dict[str, tuple[int, ...]] = {}
    start = structure["qpos"] + structure["qvel"]
    if structure["cinert"]:
        orders = bodies(found)
        first = start + 10 * np.arange(len(orders[0]))[:, None]
        kinds = (
            ("inertias", SymmetricMatrix(), 0, 6),
            ("moments", Vector(), 6, 9),
            ("masses", Scalar(), 9, 10),
        )
        for name, field, begin, end in kinds:
            fields[name] = Permuted(field, orders)
            at[name] = tuple((first + np.arange(begin, end)).ravel().tolist())
        start += structure["cinert"]
    if structure["cvel"]:
        velocities, places = spatial_fields(found, start, 8.0, "body_spins", "body_velocities")
        fields, at = fields | velocities, at | places
        start += structure["cvel"]
    if structure["qfrc_actuator"]:
        fields["torques"] = signed(found, _TORQUE)
        start += structure["qfrc_actuator"]
    if structure["cfrc_ext"]:
        forces, places = spatial_fields(found, start, _CONTACT, "contact_torques", "contact_forces")
        fields, at = fields | forces, at | places
    observation, holds = {"observation": Parts(fields, at)}, holding(base.model, found)
    return Symmetry(group, observation, motors(found), flat=True, holds=holds)


def mend_humanoid(env: gym.Env) -> gym.Env:
    """Make a Humanoid's two sides equal, in place: then its symmetry holds to rounding.

    Knees get the mean of both stiffnesses and hips that of both armatures; the constants that MuJoCo derives from them
    are made anew; and the solver becomes Newton's, which looks at all contacts at once.

    A copy of the environment is made from its arguments, and has to be mended again: where copies are made, hand over
    a function, as in `certify(policy, lambda: mend_humanoid(gym.make("Humanoid-v5")))`.

    Args:
        env: as `gym.make("Humanoid-v5", …)` made it; begin a new episode afterwards.

    Returns:
        The same environment.

    >>> humanoid_symmetry(mend_humanoid(gym.make("Humanoid-v5"))).holds
    'everywhere'
    """
    import mujoco

    model = env.unwrapped.model  # type: ignore[attr-defined]
    knees = [model.joint(f"{side}_knee").id for side in ("left", "right")]
    hips = [model.joint(f"{side}_hip_y").dofadr[0] for side in ("left", "right")]
    model.jnt_stiffness[knees] = model.jnt_stiffness[knees].mean()
    model.dof_armature[hips] = model.dof_armature[hips].mean()
    mujoco.mj_setConst(model, mujoco.MjData(model))  # of its own, for it is brought to the reference pose
    model.opt.solver = _NEWTON
    return env


def move_humanoid(env: gym.Env, g: GroupElement) -> NDArray[np.float64] | None:
    """Bring a Humanoid from s to g·s; see `move_floating`.

    Args:
        env: reset.
        g: an element of `left_right()`.

    Returns:
        What is observed then. The quaternion keeps its norm, and its sign may be either.
    """
    return move_floating(env, g)
