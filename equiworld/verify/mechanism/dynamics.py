"""Does a MuJoCo model move as its image does: simulations from s and from g·s, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from equiworld.verify.mechanism.model_map import Array, Model

__all__ = ["Deviation", "Moving", "Start", "deviation_of", "stable_starts", "starts_of"]

_FREE, _BALL, _HINGE = 0, 1, 3
_PUSHES = (0.0, 0.5, 2.0)  # added to velocities [m/s, rad/s]
_SKID = 3.0  # [m/s]: friction tells directions apart where something slips
_LONGEST = 600  # steps between starts, at most


class Moving(Protocol):
    """What acts on positions, velocities and controls."""

    def move_positions(self, qpos: Array) -> Array: ...

    def move_tangents(self, rates: Array) -> Array: ...

    def move_controls(self, controls: Array) -> Array: ...


@dataclass(frozen=True)
class Start:
    """A state to begin at, what is done from there on, and whether something touches.

    Attributes:
        qpos: `(nq,)`.
        qvel: `(nv,)`.
        act: `(na,)`, activations.
        controls: `(steps, nu)`.
        push: `(nv,)`, a generalised force, for models without actuators.
        contacts: how many there are at the start.
    """

    qpos: Array
    qvel: Array
    act: Array
    controls: Array
    push: Array
    contacts: int


@dataclass(frozen=True)
class Deviation:
    """How far simulate(g·s) is from g·simulate(s).

    Attributes:
        position: the largest difference of positions, over all starts [m, rad].
        velocity: of velocities [m/s, rad/s].
        median: of positions, over the starts.
        one_step: of positions after one step, the largest.
        starts: how many.
        touching: in how many of them something touched, at the start or later.
        steps: how many each.
        velocities: by start, of velocities.
    """

    position: float
    velocity: float
    median: float
    one_step: float
    starts: int
    touching: int
    steps: int
    velocities: tuple[float, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: value for name, value in self.__dict__.items() if name != "velocities"}


def starts_of(model: Model, reference: Array, count: int, steps: int, seed: int) -> list[Start]:
    """States that random controls lead to from near a pose, some of them with random velocities besides."""
    import mujoco

    rng, data = np.random.default_rng(seed), mujoco.MjData(model)
    found = list[Start]()
    for index in range(count):
        mujoco.mj_resetData(model, data)
        data.qpos[:] = _near(model, reference, rng, tumbled=index % (len(_PUSHES) + 1) == len(_PUSHES))
        data.qvel[:] = 0.3 * rng.normal(size=model.nv)
        _on_the_floor(model, data)
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
            push[np.isin(model.jnt_type[model.dof_jntid], (_FREE,))] = 0.0
        controls = _controls(model, rng, steps)
        found.append(Start(data.qpos.copy(), qvel, np.zeros(model.na), controls, push, int(data.ncon)))
    return found


def deviation_of(
    model: Model,
    moving: Moving,
    starts: list[Start],
    steps: int,
    prepare: Callable[[Any], None] | None = None,
) -> Deviation:
    """Simulate each start and its image, and compare.

    Args:
        model: a mujoco.MjModel.
        moving: the map.
        starts: as `starts_of` gives them.
        steps: of the simulator; at most as many as the starts have controls.
        prepare: done with the data before each simulation, such as to move mocap bodies.
    """
    import mujoco

    data = mujoco.MjData(model)
    positions, velocities, first, touching = [], [], [], 0
    for start in starts:
        plain = _run(model, data, start, steps, prepare)
        image = Start(
            moving.move_positions(start.qpos),
            moving.move_tangents(start.qvel),
            start.act,
            np.stack([moving.move_controls(each) for each in start.controls]),
            moving.move_tangents(start.push),
            0,
        )
        moved = _run(model, data, image, steps, prepare)
        touching += plain.touched
        apart = [
            _apart(model, moving.move_positions(one), other)
            for one, other in zip(plain.qpos, moved.qpos, strict=True)
        ]
        first.append(apart[0])
        positions.append(max(apart))
        velocities.append(float(np.abs(moving.move_tangents(plain.qvel) - moved.qvel).max(initial=0.0)))
    return Deviation(
        float(np.max(positions)),
        float(np.max(velocities)),
        float(np.median(positions)),
        float(np.max(first)),
        len(starts),
        touching,
        steps,
        tuple(velocities),
    )


def stable_starts(model: Model, starts: list[Start], steps: int) -> list[Start]:
    """Without those from which the engine breaks down and begins anew; all if it does from each."""
    import mujoco

    data = mujoco.MjData(model)
    found = [start for start in starts if _run(model, data, start, steps, None).stable]
    return found or starts


@dataclass(frozen=True)
class _Path:
    qpos: list[Array]
    qvel: Array
    touched: bool
    stable: bool


def _run(model: Model, data: Any, start: Start, steps: int, prepare: Callable[[Any], None] | None) -> _Path:
    """Positions after the first and the last step."""
    import mujoco

    mujoco.mj_resetData(model, data)
    data.qpos[:], data.qvel[:], data.act[:] = start.qpos, start.qvel, start.act
    if prepare is not None:
        prepare(data)
    found, touched = [], start.contacts > 0
    for step in range(steps):
        data.ctrl[:] = start.controls[step]
        data.qfrc_applied[:] = start.push
        mujoco.mj_step(model, data)
        touched = touched or data.ncon > 0
        if step in (0, steps - 1):
            found.append(data.qpos.copy())
    broken = sum(
        int(data.warning[getattr(mujoco.mjtWarning, f"mjWARN_BAD{name}")].number)
        for name in ("QPOS", "QVEL", "QACC")
    )
    return _Path(found, data.qvel.copy(), touched, broken == 0)


def _pushed(model: Model, rng: np.random.Generator, index: int) -> Array:
    """Velocities to be added: none, some of all joints, or those of a whole robot that slips along the floor."""
    mode, push = index % (len(_PUSHES) + 1), rng.normal(size=model.nv)
    if mode < len(_PUSHES):
        return np.asarray(_PUSHES[mode] * push)
    found = np.zeros(model.nv)
    length = np.linalg.norm(model.opt.gravity)
    up = model.opt.gravity / length if length else np.array([0.0, 0.0, 1.0])
    for joint in np.flatnonzero(model.jnt_type == _FREE):
        at = int(model.jnt_dofadr[joint])
        along = push[at : at + 3] - up * (up @ push[at : at + 3])
        found[at : at + 3] = _SKID * along / (np.linalg.norm(along) or 1.0)
    return found


def _apart(model: Model, one: Array, other: Array) -> float:
    """The largest difference of positions; quaternions up to their sign."""
    one = one.copy()
    for joint in np.flatnonzero(np.isin(model.jnt_type, (_FREE, _BALL))):
        at = int(model.jnt_qposadr[joint]) + (3 if model.jnt_type[joint] == _FREE else 0)
        one[at : at + 4] *= np.sign(one[at : at + 4] @ other[at : at + 4]) or 1.0
    return float(np.abs(one - other).max(initial=0.0))


def _near(model: Model, reference: Array, rng: np.random.Generator, tumbled: bool) -> Array:
    """A pose near another one, in the joints' ranges; tumbled with floating bodies turned in any way."""
    qpos = np.array(reference)
    for joint in range(model.njnt):
        at, kind = int(model.jnt_qposadr[joint]), int(model.jnt_type[joint])
        if kind == _FREE:
            turn = rng.normal(size=4)
            if tumbled:
                qpos[at + 3 : at + 7] = turn / np.linalg.norm(turn)
            continue
        if kind == _BALL:
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

    if not model.njnt or model.jnt_type[0] != _FREE or not model.ngeom:
        return
    up = -model.opt.gravity / (np.linalg.norm(model.opt.gravity) or 1.0)
    for _ in range(20):
        mujoco.mj_forward(model, data)
        deepest = min((float(contact.dist) for contact in data.contact), default=0.0)
        if deepest > -0.01:
            break
        data.qpos[:3] -= up * (deepest + 0.005)


def _controls(model: Model, rng: np.random.Generator, steps: int) -> Array:
    """Random controls in their ranges; without one of ordinary size."""
    noise = rng.uniform(-1.0, 1.0, size=(steps, model.nu))
    low, high = model.actuator_ctrlrange.T if model.nu else (np.zeros(0), np.zeros(0))
    limited = np.asarray(model.actuator_ctrllimited, bool)
    middle = np.where(limited, (low + high) / 2, 0.0)
    half = np.where(limited, (high - low) / 2, 1.0)
    return np.asarray(middle + half * noise)
