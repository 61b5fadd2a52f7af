"""The parameters of a MuJoCo model by kind, and how each transforms under a map: to be compared and mended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np

from equiworld.verify.mechanism.model_map import BALL, Array, Indices, Model, ModelMap

__all__ = ["Flags", "Kind", "Numbers", "Parameter", "element_name", "sources_of"]

Kind = Literal["body", "joint", "dof", "geom", "actuator", "tendon", "equality"]


class Parameter(ABC):
    """One kind of parameter, of all elements of a kind.

    Attributes:
        what: in words, such as "stiffness".
        kind: of elements.
        unit: of the numbers.
    """

    def __init__(self, what: str, kind: Kind, unit: str = "") -> None:
        self.what, self.kind, self.unit = what, kind, unit

    @abstractmethod
    def read(self, model: Model) -> Array:
        """The numbers `(n, k)` of all elements."""

    @abstractmethod
    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        """ρ(g) of rows `(n, k)` as `read` gives them; NaN at places to which nothing comes."""

    @abstractmethod
    def write(self, model: Model, places: Indices, rows: Array) -> None:
        """Give elements their numbers."""

    def mean(self, rows: list[Array]) -> Array:
        """What a set of images `(n, k)` have in common, an average that is its own image."""
        return np.asarray(np.mean(rows, axis=0))


class Numbers(Parameter):
    """Rows of an array of the model, which take each other's place, some with signs.

    Args:
        what: in words.
        kind: of elements.
        array: the model's attribute.
        signed: "no"; "number", where all change sign with the element; "interval", where (low, high) ↦ (−high, −low);
            "first", where the first number alone does.
        unit: of the numbers.
    """

    def __init__(
        self,
        what: str,
        kind: Kind,
        array: str,
        signed: Literal["no", "number", "interval", "first"] = "no",
        unit: str = "",
    ) -> None:
        super().__init__(what, kind, unit)
        self.array, self.signed = array, signed

    def read(self, model: Model) -> Array:
        values = np.asarray(getattr(model, self.array), np.float64)
        return values.reshape(len(values), int(np.prod(values.shape[1:]))).copy()

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        order, signs = sources_of(found, self.kind)
        moved = np.where((order >= 0)[:, None], rows[order], np.nan) if len(rows) else rows.copy()
        turned = signs < 0
        if self.signed == "number":
            moved[turned] *= -1.0
        elif self.signed == "interval":
            moved[turned] = -moved[turned][:, ::-1]
        elif self.signed == "first":
            moved[turned, 0] *= -1.0
        if self.array == "jnt_range":
            return self._about_reference(model, found, moved)
        return moved

    def _about_reference(self, model: Model, found: ModelMap, moved: Array) -> Array:
        """Ranges are told from 0, and the pose that is its own image need not be there."""
        at, order = found.addresses["qpos"], found.orders.joints
        numbers = found.orders.joint_signs != 0
        reference = np.where(numbers, found.reference[at], 0.0)
        offset = reference - found.orders.joint_signs * reference[order] + found.slides
        return np.asarray(moved + offset[:, None])

    def write(self, model: Model, places: Indices, rows: Array) -> None:
        values = getattr(model, self.array)
        values[places] = rows.reshape(len(rows), *values.shape[1:])


class Flags(Numbers):
    """Whole numbers, of which the largest is kept: there is no half a flag."""

    def mean(self, rows: list[Array]) -> Array:
        return np.asarray(np.max(rows, axis=0))


def sources_of(found: ModelMap, kind: Kind) -> tuple[Indices, Indices]:
    """Which element comes to each place, and its sign."""
    orders = found.orders
    if kind == "joint":
        return orders.joints, np.where(orders.joint_signs < 0, -1, 1)
    if kind == "dof":
        matrix = found.tangent_matrix
        largest = np.abs(matrix).argmax(axis=1)
        clean = np.abs(matrix[np.arange(len(matrix)), largest]) > 1 - 1e-9
        return np.where(clean, largest, -1), np.ones(len(matrix), np.int64)
    if kind == "actuator":
        return orders.actuators, orders.actuator_signs
    if kind == "tendon":
        return orders.tendons, orders.tendon_signs
    order = {"body": found.bodies, "geom": orders.geoms, "equality": orders.equalities}[kind]
    return order, np.ones(len(order), np.int64)


def element_name(model: Model, kind: Kind, index: int) -> str:
    """The name of an element; of a number of qvel that of its joint."""
    if kind == "dof":
        joint = int(model.dof_jntid[index])
        first = int(model.jnt_dofadr[joint])
        name = model.joint(joint).name or f"joint {joint}"
        return name if model.jnt_type[joint] > BALL else f"{name}[{index - first}]"
    if kind == "geom" and not model.geom(index).name:
        body = int(model.geom_bodyid[index])
        return f"{model.body(body).name or body}'s geom {index - int(model.body_geomadr[body])}"
    named = getattr(model, kind)(index).name
    if kind == "actuator" and not named and int(model.actuator_trntype[index]) == 0:
        named = model.joint(int(model.actuator_trnid[index, 0])).name
    return named or f"{kind} {index}"
