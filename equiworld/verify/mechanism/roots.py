"""What hangs on the world, by joints that an isometry of space moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.verify.mechanism.model_map import BALL, FREE, SLIDE, Array, Model
from equiworld.verify.mechanism.quaternions import product, quaternion_of

__all__ = ["Root", "roots_of", "standing_geoms"]

_PLANE = 0  # mjGEOM_PLANE
_SPHERE, _CAPSULE, _CYLINDER = 2, 3, 5  # mjGEOM_…; the latter are round about their third axis
_SLACK = 1e-9  # [m], and of unit vectors


def roots_of(model: Model) -> Iterator[int]:
    """The bodies that move and hang on what does not."""
    for body in range(1, model.nbody):
        parent = model.body_parentid[body]
        if model.body_jntnum[body] and model.body_weldid[parent] == 0:
            if model.body_mocapid[model.body_rootid[body]] >= 0:
                continue  # it goes with what it hangs on
            yield body


def standing_geoms(model: Model) -> list[int]:
    """What stands in the world and can be touched, but for planes: walls, tables, blocks."""
    standing = (model.body_weldid[model.geom_bodyid] == 0) & (model.geom_type != _PLANE)
    standing &= model.body_mocapid[model.geom_bodyid] < 0
    standing &= (model.geom_contype | model.geom_conaffinity) > 0
    return [int(each) for each in np.flatnonzero(standing)]


class Root:
    """A body that hangs on the world, by joints one after the other; `ranged` if these must stay in their ranges."""

    def __init__(self, model: Model, data: Any, body: int, ranged: bool = True) -> None:
        self.model, self.data, self.body, self.ranged = model, data, body, ranged
        first = model.body_jntadr[body]
        self.joints = list(range(first, first + model.body_jntnum[body]))
        kinds = model.jnt_type[self.joints].tolist()
        turning = [joint for joint, kind in zip(self.joints, kinds, strict=True) if kind != SLIDE]
        self.turning = turning[0] if turning else None
        stop = self.joints.index(self.turning) if self.turning is not None else len(self.joints)
        self.slides = self.joints[:stop]

    def move(self, matrix: Array, shift: Array, qpos: Array, tangents: tuple[Array, ...]) -> None:
        """Change its joints' numbers in qpos and in each tangent (qvel, accelerations)."""
        model = self.model
        moves = np.abs(matrix - np.eye(3)).max() > 0
        if self.turning is not None and np.linalg.det(matrix) < 0:
            got = f"a reflection of body {model.body(self.body).name!r}"
            expected = "a rotation or a shift: nothing says which bodies are their own mirror images"
            raise ArgumentError("g", got, expected)
        if self.turning is not None and model.jnt_type[self.turning] == FREE:
            place, rate = model.jnt_qposadr[self.turning], model.jnt_dofadr[self.turning]
            qpos[place : place + 3] = matrix @ qpos[place : place + 3] + shift
            turned = product(quaternion_of(matrix), qpos[place + 3 : place + 7])
            qpos[place + 3 : place + 7] = turned  # its spin is told in its own axes, and stays
            for each in tangents:
                each[rate : rate + 3] = matrix @ each[rate : rate + 3]
            return
        self._slide(matrix, shift, qpos, tangents)
        if self.turning is None and moves:
            self._check_round(matrix)
        elif self.turning is not None and moves:
            self._turn(self.turning, matrix, qpos)

    def _slide(self, matrix: Array, shift: Array, qpos: Array, tangents: tuple[Array, ...]) -> None:
        """Bring the place that it turns about to where g takes it."""
        model, data = self.model, self.data
        joint = self.joints[0] if self.turning is None else self.turning
        here = data.xpos[self.body] if self.turning is None else data.xanchor[self.turning]
        way = matrix @ here + shift - here
        axes = data.xaxis[self.slides].T  # (3, k), fixed in the world: nothing turns before them
        name = model.joint(self.slides[0] if self.slides else joint).name
        expected = "an element that its joints can do"
        if not self.slides:
            if np.abs(way).max() > _SLACK:
                got = f"one that takes joint {name!r}, which is fixed to the world, {np.linalg.norm(way):.2g} away"
                raise ArgumentError("g", got, expected)
            return
        inverse = np.linalg.pinv(axes)
        turned = inverse @ matrix @ axes  # of velocities along the slides
        if np.abs(axes @ turned - matrix @ axes).max() > _SLACK:
            raise ArgumentError("g", f"one that turns the axis of slide {name!r} out of its slides", expected)
        if np.abs(axes @ inverse @ way - way).max() > _SLACK:
            raise ArgumentError(
                "g", f"one that takes the body of slide {name!r} where it cannot slide", expected
            )
        qpos[model.jnt_qposadr[self.slides]] += inverse @ way
        rates = model.jnt_dofadr[self.slides]
        for each in tangents:
            each[rates] = turned @ each[rates]
        self._check_range(self.slides, qpos)

    def _turn(self, joint: int, matrix: Array, qpos: Array) -> None:
        """Turn it, by its first joint that turns: what comes after it is told relative to it."""
        model, data = self.model, self.data
        place = model.jnt_qposadr[joint]
        if model.jnt_type[joint] == BALL:
            own = self._before()  # the orientation that the ball starts from
            own_back = own * np.array([1.0, -1.0, -1.0, -1.0])
            turn = product(own_back, product(quaternion_of(matrix), own))
            qpos[place : place + 4] = product(turn, qpos[place : place + 4])
            return
        axis = data.xaxis[joint]
        if np.abs(matrix @ axis - axis).max() > _SLACK:
            got = f"one that turns the axis of hinge {model.joint(joint).name!r}"
            raise ArgumentError("g", got, "a turn about that axis: nothing else lets it turn")
        across = np.eye(3)[np.abs(axis).argmin()]
        across = across - axis * (across @ axis)
        turned = matrix @ across
        qpos[place] += np.arctan2(np.cross(across, turned) @ axis, across @ turned)
        self._check_range([joint], qpos)

    def _before(self) -> Array:
        """The orientation of the body before its first joint that turns, as a quaternion: that of what it hangs on."""
        parent = self.data.xquat[self.model.body_parentid[self.body]]
        return product(parent, self.model.body_quat[self.body])

    def _check_range(self, joints: list[int], qpos: Array) -> None:
        for joint in joints:
            low, high = self.model.jnt_range[joint]
            value = qpos[self.model.jnt_qposadr[joint]]
            if self.ranged and self.model.jnt_limited[joint] and not low - _SLACK <= value <= high + _SLACK:
                got = f"one that takes joint {self.model.joint(joint).name!r} to {value:.4g}"
                raise ArgumentError("g", got, f"one that keeps it in its range, [{low:.4g}, {high:.4g}]")

    def _check_round(self, matrix: Array) -> None:
        """What only slides cannot be turned: it has to look the same."""
        model, name = self.model, self.model.body(self.body).name
        got = f"one that turns body {name!r}, which slides and does not turn"
        if (model.body_parentid[1:] == self.body).any():
            raise ArgumentError("g", got, "a shift: other bodies hang on it")
        first = model.body_geomadr[self.body]
        for geom in range(first, first + model.body_geomnum[self.body]):
            middle, kind = self.data.geom_xpos[geom] - self.data.xpos[self.body], model.geom_type[geom]
            axis = self.data.geom_xmat[geom].reshape(3, 3)[:, 2]
            axial = kind in (_CAPSULE, _CYLINDER) and np.abs(np.abs(matrix @ axis @ axis) - 1) < _SLACK
            if not (kind == _SPHERE or axial) or np.abs(matrix @ middle - middle).max() > _SLACK:
                raise ArgumentError("g", got, "a shift, or round bodies")
