"""Parameters that are turned with what they belong to: centres of mass, inertias, places and axes of geoms."""

from __future__ import annotations

import itertools

import numpy as np

from equiworld.verify.mechanism.model_map import BALL, HINGE, Array, Indices, Model, ModelMap
from equiworld.verify.mechanism.parameters import Kind, Parameter
from equiworld.verify.mechanism.quaternions import matrix_of, quaternion_of
from equiworld.verify.mechanism.tensors import six_of, tensor_of

__all__ = ["Anchors", "BodyPlaces", "Equalities", "Geometry", "Inertia", "Places", "SpringReferences"]

_PLANE, _HFIELD, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX, _MESH = range(8)
_CONNECT, _WELD, _JOINT = 0, 1, 2


class Places(Parameter):
    """Points in the frames of bodies: x ↦ h x + d. Centres of mass, middles of geoms.

    Args:
        what: in words.
        kind: "body" or "geom".
    """

    def __init__(self, what: str, kind: Kind) -> None:
        super().__init__(what, kind, "m")
        self._array = "body_ipos" if kind == "body" else "geom_pos"
        self._frame = "body_sameframe" if kind == "body" else "geom_sameframe"

    def read(self, model: Model) -> Array:
        return np.array(getattr(model, self._array))

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        if self.kind == "body":
            moved = np.einsum("kij,kj->ki", found.turns, rows[found.bodies]) + found.shifts
            still = (model.body_mass == 0) | (model.body_weldid == 0)  # what is fixed does not feel its mass
            moved[still] = rows[still]
            return moved
        order, bodies = found.orders.geoms, model.geom_bodyid
        moved = np.einsum("kij,kj->ki", found.turns[bodies], rows[order]) + found.shifts[bodies]
        moved[order < 0] = np.nan
        for place in np.flatnonzero((model.geom_type == _PLANE) & (order >= 0)):
            normal = matrix_of(model.geom_quat[place])[:, 2]  # along itself a plane is the same
            moved[place] = rows[place] + normal * (normal @ (moved[place] - rows[place]))
        return moved

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        if self.kind == "body":
            places, rows = _movable(model, places, rows)
        getattr(model, self._array)[places] = rows
        getattr(model, self._frame)[places] = 0  # shortcuts for what stands in the frame of the body


class Inertia(Parameter):
    """Inertia tensors about the centres of mass in the bodies' frames, I ↦ h I hᵀ: xx yy zz xy xz yz."""

    def __init__(self) -> None:
        super().__init__("inertia", "body", "kg m²")

    def read(self, model: Model) -> Array:
        frames = np.stack([matrix_of(each) for each in model.body_iquat])
        return six_of(np.einsum("kij,kj,klj->kil", frames, model.body_inertia, frames))

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        tensors = tensor_of(rows)[found.bodies]
        moved = six_of(found.turns @ tensors @ found.turns.swapaxes(1, 2))
        return np.where((model.body_weldid == 0)[:, None], rows, moved)

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        places, rows = _movable(model, places, rows)
        for place, tensor in zip(places, tensor_of(rows), strict=True):
            moments, axes = np.linalg.eigh(tensor)
            axes[:, 2] *= np.sign(np.linalg.det(axes))
            model.body_inertia[place], model.body_iquat[place] = moments, quaternion_of(axes)
            model.body_sameframe[place] = 0


class Geometry(Parameter):
    """Axes of geoms and their sizes, up to what leaves the shape as it is: turns of capsules, faces of boxes.

    A row is the matrix of an ellipsoid that is turned like the geom, in the frame of its body, `(6,)`; of a mesh which
    one it is and its axes, `(6,)`.
    """

    def __init__(self) -> None:
        super().__init__("size or orientation", "geom", "m²")

    def read(self, model: Model) -> Array:
        rows = np.zeros((model.ngeom, 6))
        for geom in range(model.ngeom):
            axes = matrix_of(model.geom_quat[geom])
            rows[geom] = six_of((axes * self._halves(model, geom) ** 2) @ axes.T)
        return rows

    def _halves(self, model: Model, geom: int) -> Array:
        """Three lengths along a geom's axes; where they are equal its axes mean nothing."""
        first, second, third = model.geom_size[geom]
        kind = int(model.geom_type[geom])
        if kind == _SPHERE:
            return np.full(3, first)
        if kind in (_CAPSULE, _CYLINDER):
            return np.array([first, first, second + (first if kind == _CAPSULE else 0.0)])
        if kind == _PLANE:
            return np.array([0.0, 0.0, 1.0])  # its normal; how far it is drawn does not matter
        if kind in (_ELLIPSOID, _BOX):
            return np.array([first, second, third])
        return np.asarray(model.geom_size[geom])  # of a mesh those of its box

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        order, bodies = found.orders.geoms, model.geom_bodyid
        turns = found.turns[bodies]
        moved = six_of(turns @ tensor_of(rows[order]) @ turns.swapaxes(1, 2))
        moved[order < 0] = np.nan
        return moved

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        for place, tensor in zip(places, tensor_of(rows), strict=True):
            kind = int(model.geom_type[place])
            if kind not in (_SPHERE, _CAPSULE, _CYLINDER, _ELLIPSOID, _BOX):
                continue
            squares, axes = np.linalg.eigh(tensor)
            squares, axes = self._ordered(matrix_of(model.geom_quat[place]), squares, axes)
            first, second, third = np.sqrt(np.maximum(squares, 0.0))
            size = model.geom_size[place]
            if kind == _SPHERE:
                size[0] = first
            elif kind in (_CAPSULE, _CYLINDER):
                size[:2] = first, third - (first if kind == _CAPSULE else 0.0)
            else:
                size[:] = first, second, third
            if kind != _SPHERE:
                model.geom_quat[place] = quaternion_of(axes)
            model.geom_sameframe[place] = 0
            model.geom_rbound[place] = max(
                model.geom_rbound[place], float(np.linalg.norm([first, second, third]))
            )

    def _ordered(self, before: Array, squares: Array, axes: Array) -> tuple[Array, Array]:
        """The axes nearest to those that it had, in their order."""
        best = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(abs(before[:, i] @ axes[:, j]) for i, j in enumerate(order)),
        )
        squares, axes = squares[list(best)], axes[:, list(best)]
        axes = axes * np.where((before * axes).sum(0) < 0, -1.0, 1.0)
        if np.linalg.det(axes) < 0:
            axes[:, 0] *= -1.0
        return squares, axes


class SpringReferences(Parameter):
    """Where the springs of slides and hinges pull to, as positions are."""

    def __init__(self) -> None:
        super().__init__("spring reference", "joint", "rad or m")

    def read(self, model: Model) -> Array:
        single = model.jnt_type > BALL
        return np.where(single, model.qpos_spring[model.jnt_qposadr], 0.0)[:, None]

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        at, order = found.addresses["qpos"], found.orders.joints
        signs = found.orders.joint_signs
        reference = np.where(signs != 0, found.reference[at], 0.0)[:, None]
        moved = reference + signs[:, None] * (rows[order] - reference[order]) + found.slides[:, None]
        pulled = (model.jnt_stiffness[:, None] > 0) & (signs[:, None] != 0)
        return np.where(pulled, moved, rows)  # without a spring nothing pulls anywhere

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        model.qpos_spring[model.jnt_qposadr[places]] = rows[:, 0]


class Anchors(Parameter):
    """Where joints stand in the frames of their bodies: what is left of a mechanism's mismatch."""

    def __init__(self) -> None:
        super().__init__("anchor", "joint", "m")

    def read(self, model: Model) -> Array:
        return np.array(model.jnt_pos)

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        order, bodies = found.orders.joints, model.jnt_bodyid
        moved = np.einsum("kij,kj->ki", found.turns[bodies], rows[order]) + found.shifts[bodies]
        turning = np.isin(model.jnt_type, (BALL, HINGE))
        return np.where(turning[:, None], moved, rows)

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        model.jnt_pos[places] = rows


class BodyPlaces(Parameter):
    """Where bodies stand in the frames of what they hang on; of those whose frames are each other's images."""

    def __init__(self) -> None:
        super().__init__("place", "body", "m")

    def read(self, model: Model) -> Array:
        return np.array(model.body_pos)

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        parents = model.body_parentid
        moved = np.einsum("kij,kj->ki", found.turns[parents], rows[found.bodies]) + found.shifts[parents]
        compared = ~found.shifts.any(axis=1) & (model.body_weldid[parents] > 0)
        compared &= found.bodies[parents] == parents[found.bodies]
        return np.where(compared[:, None], moved, rows)

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        model.body_pos[places] = rows


class Equalities(Parameter):
    """The numbers of equality constraints: of coupled joints the polynomial's, of connections the anchors."""

    def __init__(self) -> None:
        super().__init__("data", "equality")

    def read(self, model: Model) -> Array:
        return np.array(model.eq_data)

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        moved = np.full_like(rows, np.nan)
        for place, source in enumerate(found.orders.equalities.tolist()):
            if source < 0:
                continue
            moved[place] = rows[source]
            kind = int(model.eq_type[place])
            if kind == _JOINT:
                signs = [self._sign(model, found, int(model.eq_obj1id[place]))]
                signs.append(self._sign(model, found, int(model.eq_obj2id[place])))
                moved[place, :5] *= signs[0] * signs[1] ** np.arange(5)
            elif kind == _CONNECT and int(getattr(model, "eq_objtype", [1] * (place + 1))[place]) == 1:
                for start, body in ((0, model.eq_obj1id[place]), (3, model.eq_obj2id[place])):
                    point = rows[source, start : start + 3]
                    moved[place, start : start + 3] = found.turns[body] @ point + found.shifts[body]
            elif kind == _WELD:
                moved[place] = rows[place]  # what poses it holds is not compared
        return moved

    def _sign(self, model: Model, found: ModelMap, joint: int) -> int:
        return int(found.orders.joint_signs[joint]) if joint >= 0 else 1

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        model.eq_data[places] = rows


def _movable(model: Model, places: Indices, rows: Array) -> tuple[Indices, Array]:
    """Without bodies compiled as simple: their centres of mass and axes are those of their frames for good."""
    free = model.body_simple[places] == 0
    return places[free], rows[free]
