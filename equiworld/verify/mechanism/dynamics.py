"""Does a MuJoCo model move as its image does: simulations from s and from g·s, compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from equiworld.verify.mechanism.model_map import BALL, FREE, Array, Model
from equiworld.verify.mechanism.starts import Start

__all__ = ["Deviation", "Moving", "deviation_of", "stable_starts"]


class Moving(Protocol):
    """What acts on positions, velocities, controls and mocap bodies."""

    def move_positions(self, qpos: Array) -> Array: ...

    def move_tangents(self, rates: Array) -> Array: ...

    def move_controls(self, controls: Array) -> Array: ...

    def move_mocap(self, places: Array, quaternions: Array) -> tuple[Array, Array]: ...


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
        met: numbers of the geoms that something touched.
    """

    position: float
    velocity: float
    median: float
    one_step: float
    starts: int
    touching: int
    steps: int
    velocities: tuple[float, ...] = field(default=(), repr=False)
    met: frozenset[int] = field(default=frozenset(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: value for name, value in self.__dict__.items() if name not in ("velocities", "met")}


def deviation_of(
    model: Model,
    moving: Moving,
    starts: Sequence[Start],
    steps: int,
) -> Deviation:
    """Simulate each start and its image, and compare.

    Args:
        model: a mujoco.MjModel.
        moving: the map.
        starts: as `starts_of` gives them.
        steps: of the simulator; at most as many as the starts have controls.
    """
    images = [
        Start(
            moving.move_positions(start.qpos),
            moving.move_tangents(start.qvel),
            start.act,
            np.stack([moving.move_controls(each) for each in start.controls]),
            moving.move_tangents(start.push),
            moving.move_mocap(*start.mocap),
        )
        for start in starts
    ]
    paths = _runs(model, [*starts, *images], steps)
    pairs = list(zip(paths, paths[len(starts) :], strict=False))
    apart = [
        [
            _apart(model, moving.move_positions(one), other)
            for one, other in zip(plain.qpos, moved.qpos, strict=True)
        ]
        for plain, moved in pairs
    ]
    velocities = [
        float(np.abs(moving.move_tangents(plain.qvel) - moved.qvel).max(initial=0.0))
        for plain, moved in pairs
    ]
    positions = [max(each) for each in apart]
    return Deviation(
        max(positions),
        max(velocities),
        float(np.median(positions)),
        max(each[0] for each in apart),
        len(starts),
        sum(plain.touched for plain, _ in pairs),
        steps,
        tuple(velocities),
        frozenset().union(*(plain.met for plain, _ in pairs)),
    )


def stable_starts(model: Model, starts: list[Start], steps: int) -> list[Start]:
    """Without those from which the engine breaks down and begins anew; all if it does from each."""
    paths = _runs(model, starts, steps)
    return [start for start, path in zip(starts, paths, strict=True) if path.stable] or starts


@dataclass(frozen=True)
class _Path:
    qpos: list[Array]
    qvel: Array
    met: frozenset[int]
    stable: bool

    @property
    def touched(self) -> bool:
        return bool(self.met)


def _runs(model: Model, starts: Sequence[Start], steps: int) -> list[_Path]:
    """All simulations; MuJoCo lets go of Python while it steps, so that each core makes its own."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda start: _run(model, start, steps), starts))


def _run(model: Model, start: Start, steps: int) -> _Path:
    """Positions after the first and the last step."""
    import mujoco

    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.act[:] = start.qpos, start.qvel, start.act
    data.mocap_pos[:], data.mocap_quat[:] = start.mocap
    found, met = [], set[int]()
    for step in range(steps):
        data.ctrl[:] = start.controls[step]
        data.qfrc_applied[:] = start.push
        mujoco.mj_step(model, data)
        if data.ncon:
            met.update(data.contact.geom[: data.ncon].ravel().tolist())
        if step in (0, steps - 1):
            found.append(data.qpos.copy())
    broken = sum(
        int(data.warning[getattr(mujoco.mjtWarning, f"mjWARN_BAD{name}")].number)
        for name in ("QPOS", "QVEL", "QACC")
    )
    return _Path(found, data.qvel.copy(), frozenset(met), broken == 0)


def _apart(model: Model, one: Array, other: Array) -> float:
    """The largest difference of positions; quaternions up to their sign."""
    one = one.copy()
    for joint in np.flatnonzero(np.isin(model.jnt_type, (FREE, BALL))):
        at = int(model.jnt_qposadr[joint]) + (3 if model.jnt_type[joint] == FREE else 0)
        one[at : at + 4] *= np.sign(one[at : at + 4] @ other[at : at + 4]) or 1.0
    return float(np.abs(one - other).max(initial=0.0))
