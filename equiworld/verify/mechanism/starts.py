"""States of a MuJoCo model that simulations begin at, and what is done from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.verify.mechanism.model_map import BALL, FREE, Array, Model
from equiworld.verify.mechanism.roots import standing_geoms

__all__ = ["Start", "starts_of"]

_PUSHES = (0.0, 0.5, 2.0)  # added to velocities [m/s, rad/s]
_SKID = 3.0  # [m/s]: friction tells directions apart where something slips
_LONGEST = 600  # steps between starts, at most
_LOOKS = 8  # directions in which something that stands is looked for
_LED = 0.03  # [m]: how far mocap bodies lead


@dataclass(frozen=True)
class Start:
    """A state to begin at, and what is done from there on.

    Attributes:
        qpos: `(nq,)`.
        qvel: `(nv,)`.
        act: `(na,)`, activations.
        controls: `(steps, nu)`.
        push: `(nv,)`, a generalised force, for models without actuators.
        mocap: where mocap bodies are, `(nmocap, 3)` and quaternions `(nmocap, 4)`.
    """

    qpos: Array
    qvel: Array
    act: Array
    controls: Array
    push: Array
    mocap: tuple[Array, Array]


def starts_of(
    model: Model, reference: Array, count: int, steps: int, seed: int, poses: Array | None = None
) -> list[Start]:
    """States that random controls lead to from near a pose, some of them with random velocities besides.

    Args:
        model: a mujoco.MjModel.
        reference: the pose `(nq,)`.
        count: how many.
        steps: that controls are drawn for.
        seed: of all that is drawn.
        poses: `(n, nq)` from which, by turns, the places of what floats are taken, where they are told.
    """
    import mujoco

    rng, data = np.random.default_rng(seed), mujoco.MjData(model)
    found = list[Start]()
    for index in range(count):
        mujoco.mj_resetData(model, data)
        around = reference if poses is None else _placed(model, reference, poses[index % len(poses)])
        data.qpos[:] = _near(model, around, rng, tumbled=index % (len(_PUSHES) + 1) == len(_PUSHES))
        data.qvel[:] = 0.3 * rng.normal(size=model.nv)
        _on_the_floor(model, data)
        _lead(model, data, rng)
        for _ in range(int(rng.integers(0, _LONGEST) * (index + 1) / count)):
            data.ctrl[:] = _controls(model, rng, 1)[0]
            before = data.qpos.copy(), data.qvel.copy()
            mujoco.mj_step(model, data)
            if not np.isfinite(data.qpos).all() or np.abs(data.qvel).max(initial=0.0) > 1e3:
                data.qpos[:], data.qvel[:] = before[0], 0.0
                break
        qvel = data.qvel + _pushed(model, rng, index)
        push = np.zeros(model.nv)
        if not model.nu:
            push = 0.3 * np.median(model.body_mass[1:]) * rng.normal(size=model.nv)
            push[np.isin(model.jnt_type[model.dof_jntid], (FREE,))] = 0.0
        if index % 3 == 2:
            qvel = _against(model, data, rng, qvel)
        _lead(model, data, rng)
        mocap = data.mocap_pos.copy(), data.mocap_quat.copy()
        controls = _controls(model, rng, steps)
        found.append(Start(data.qpos.copy(), qvel, np.zeros(model.na), controls, push, mocap))
    return found


def _pushed(model: Model, rng: np.random.Generator, index: int) -> Array:
    """Velocities to be added: none, some of all joints, or those of a whole robot that slips along the floor."""
    mode, push = index % (len(_PUSHES) + 1), rng.normal(size=model.nv)
    if mode < len(_PUSHES):
        return np.asarray(_PUSHES[mode] * push)
    found = np.zeros(model.nv)
    length = np.linalg.norm(model.opt.gravity)
    up = model.opt.gravity / length if length else np.array([0.0, 0.0, 1.0])
    for joint in np.flatnonzero(model.jnt_type == FREE):
        at = int(model.jnt_dofadr[joint])
        along = push[at : at + 3] - up * (up @ push[at : at + 3])
        found[at : at + 3] = _SKID * along / (np.linalg.norm(along) or 1.0)
    return found


def _placed(model: Model, reference: Array, pose: Array) -> Array:
    """A pose with what floats in the places of another."""
    found = np.array(reference)
    for joint in np.flatnonzero(model.jnt_type == FREE):
        at = int(model.jnt_qposadr[joint])
        found[at : at + 3] = pose[at : at + 3]
    return found


def _near(model: Model, reference: Array, rng: np.random.Generator, tumbled: bool) -> Array:
    """A pose near another one, in the joints' ranges; tumbled with floating bodies turned in any way."""
    qpos = np.array(reference)
    for joint in range(model.njnt):
        at, kind = int(model.jnt_qposadr[joint]), int(model.jnt_type[joint])
        if kind == FREE:
            turn = rng.normal(size=4)
            if tumbled:
                qpos[at + 3 : at + 7] = turn / np.linalg.norm(turn)
            continue
        if kind == BALL:
            qpos[at : at + 4] += 0.1 * rng.normal(size=4)
            qpos[at : at + 4] /= np.linalg.norm(qpos[at : at + 4])
            continue
        low, high = model.jnt_range[joint] if model.jnt_limited[joint] else (-np.inf, np.inf)
        spread = min(0.15, 0.25 * (high - low))
        qpos[at] = np.clip(qpos[at] + spread * rng.normal(), low, high)
    return qpos


def _on_the_floor(model: Model, data: Any) -> None:
    """Raise a floating robot that begins in the floor, or lower it to touch."""
    import mujoco

    if not model.njnt or model.jnt_type[0] != FREE or not model.ngeom:
        return
    up = -model.opt.gravity / (np.linalg.norm(model.opt.gravity) or 1.0)
    for _ in range(20):
        mujoco.mj_forward(model, data)
        deepest = min((float(contact.dist) for contact in data.contact), default=0.0)
        if deepest > -0.01:
            break
        data.qpos[:3] -= up * (deepest + 0.005)


def _against(model: Model, data: Any, rng: np.random.Generator, qvel: Array) -> Array:
    """A floating robot beside something that stands in the world, on its way there; where nothing does, as it is."""
    import mujoco

    standing = set(standing_geoms(model))
    free = [joint for joint in range(model.njnt) if model.jnt_type[joint] == FREE][:1]
    if not standing or not free:
        return qvel
    mujoco.mj_kinematics(model, data)
    at, rate = int(model.jnt_qposadr[free[0]]), int(model.jnt_dofadr[free[0]])
    own = model.body_rootid[model.geom_bodyid] == model.body_rootid[model.jnt_bodyid[free[0]]]
    place = data.qpos[at : at + 3].copy()
    apart = np.linalg.norm((data.geom_xpos[own] - place)[:, :2], axis=1)
    reach = float((apart + model.geom_rbound[own]).max(initial=0.1))
    for _ in range(_LOOKS):
        angle = rng.uniform(0, 2 * np.pi)
        way, hit = np.array([np.cos(angle), np.sin(angle), 0.0]), np.full(1, -1, np.int32)
        far = mujoco.mj_ray(model, data, place + reach * way, way, None, 1, -1, hit)
        if far >= 0 and int(hit[0]) in standing:
            data.qpos[at : at + 3] = place + far * way
            found = qvel.copy()
            found[rate : rate + 3] = _SKID * way
            return found
    return qvel


def _lead(model: Model, data: Any, rng: np.random.Generator) -> None:
    """Mocap bodies beside what is welded to them, which goes after them; others beside where they are."""
    import mujoco

    if not model.nmocap:
        return
    mujoco.mj_kinematics(model, data)
    for one, other in zip(model.eq_obj1id, model.eq_obj2id, strict=True):
        for leader, led in ((one, other), (other, one)):
            at = int(model.body_mocapid[leader]) if 0 <= leader < model.nbody else -1
            if at >= 0 and 0 <= led < model.nbody:
                data.mocap_pos[at], data.mocap_quat[at] = data.xpos[led], data.xquat[led]
    data.mocap_pos[:] += _LED * rng.normal(size=data.mocap_pos.shape)


def _controls(model: Model, rng: np.random.Generator, steps: int) -> Array:
    """Random controls in their ranges; without one of ordinary size."""
    noise = rng.uniform(-1.0, 1.0, size=(steps, model.nu))
    low, high = model.actuator_ctrlrange.T if model.nu else (np.zeros(0), np.zeros(0))
    limited = np.asarray(model.actuator_ctrllimited, bool)
    middle = np.where(limited, (low + high) / 2, 0.0)
    half = np.where(limited, (high - low) / 2, 1.0)
    return np.asarray(middle + half * noise)
