"""What an isometry does to a MuJoCo model: which body, joint, geom and actuator takes whose place, and how it turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.verify.mechanism.quaternions import matrix_of, quaternion_of

__all__ = ["BALL", "FREE", "HINGE", "SLIDE", "Array", "Indices", "Model", "ModelMap", "Orders"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Model = Any
"""A mujoco.MjModel. MuJoCo is optional: it is imported where something is computed."""

FREE, BALL, SLIDE, HINGE = range(4)
"""mjtJoint: the types of joints."""


@dataclass(frozen=True)
class Orders:
    """Which element comes to each place, by kind of element; −1 where none does. Signs are those of its numbers."""

    joints: Indices
    joint_signs: Indices
    geoms: Indices
    sites: Indices
    actuators: Indices
    actuator_signs: Indices
    tendons: Indices
    tendon_signs: Indices
    equalities: Indices
    sensors: Indices


@dataclass(frozen=True)
class ModelMap:
    """The action of one isometry on the state of a MuJoCo model: space by R, the mechanism's parts by their places.

    In the reference pose the mechanism is its own image: the body that comes to place k stands, after
    x ↦ c + R (x − c), where body k stands, with its axes turned by h_k: X_k h_k = R X_j, j = bodies[k].

    Attributes:
        name: such as "mirror y" or "turn by 1/4".
        isometry: R, `(3, 3)`, orthogonal.
        centre: c, `(3,)` [m].
        own: h, `(3, 3)`: what happens to the axes of the first root body; R in that body's frame.
        bodies: `(nbody,)`, which body comes to each place.
        turns: `(nbody, 3, 3)`, h_k.
        shifts: `(nbody, 3)` [m]: a point x of body j's frame comes to h_k x + d_k in the frame of body k.
        slides: `(njnt,)` [m]: what the isometry adds to a slide's position.
        orders: of joints, geoms, actuators and so on.
        reference: `(nq,)`, the pose that is its own image.
        mismatch: by how much joints miss the place of their images, at most [m]; of axes [rad], times the size of the
            mechanism.
        without_partner: names of geoms, actuators and so on that come to no place, in words.
        joint_types: `(njnt,)`, as MuJoCo counts them.
        joint_bodies: `(njnt,)`, the body that each joint moves.
        addresses: by joint where its numbers begin in "qpos" and in "dof", `(njnt,)`; "nv", `(1,)`; and "mocap",
            `(nmocap,)`, the bodies that are led, in MuJoCo's order.
    """

    name: str
    isometry: Array
    centre: Array
    own: Array
    bodies: Indices
    turns: Array
    shifts: Array
    slides: Array
    orders: Orders
    reference: Array
    mismatch: float
    without_partner: tuple[str, ...] = ()
    joint_types: Indices = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    joint_bodies: Indices = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    addresses: Mapping[str, Indices] = field(default_factory=dict, repr=False)

    @property
    def determinant(self) -> float:
        """det R, ±1."""
        return float(np.sign(np.linalg.det(self.isometry)))

    @cached_property
    def trivial(self) -> bool:
        """Whether it leaves every state and action as it is."""
        orders = self.orders
        still = (
            (orders.joints == np.arange(len(orders.joints))).all()
            and (orders.joint_signs >= 0).all()
            and (orders.actuators == np.arange(len(orders.actuators))).all()
            and (orders.actuator_signs > 0).all()
            and not self.slides.any()
        )
        turning = np.isin(self.joint_types, (FREE, BALL))
        moved = [np.abs(self.turns[body] - np.eye(3)).max() for body in self.joint_bodies[turning]]
        if (self.joint_types == FREE).any():
            moved.append(np.abs(self.isometry - np.eye(3)).max())
        return bool(still and max(moved, default=0.0) < 1e-9)

    def _joints(self) -> list[tuple[int, int, int]]:
        """By place: the joint there, which comes to it, and what kind they are."""
        return [(place, int(j), int(self.joint_types[place])) for place, j in enumerate(self.orders.joints)]

    def move_positions(self, qpos: Array) -> Array:
        """ρ(g) of positions `(nq,)`.

        >>> import mujoco
        >>> from equiworld.verify.mechanism import derive_maps
        >>> pole = "<body><joint axis='0 1 0'/><geom size='.1' pos='0 0 1'/></body>"
        >>> model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{pole}</worldbody></mujoco>")
        >>> derive_maps(model).maps[0].move_positions(np.array([0.3]))
        array([-0.3])
        """
        found, at = np.empty_like(qpos), self.addresses["qpos"]
        for place, source, kind in self._joints():
            to, come = int(at[place]), int(at[source])
            body = int(self.joint_bodies[place])
            if kind == FREE:
                found[to : to + 3] = self.centre + self.isometry @ (qpos[come : come + 3] - self.centre)
                pose = matrix_of(qpos[come + 3 : come + 7])
                found[to + 3 : to + 7] = quaternion_of(self.isometry @ pose @ self.turns[body].T)
            elif kind == BALL:
                # the reference is its own image, which fixes what stands in front
                own = self.turns[body]
                front = matrix_of(self.reference[to : to + 4]) @ own
                front = front @ matrix_of(self.reference[come : come + 4]).T
                found[to : to + 4] = quaternion_of(front @ matrix_of(qpos[come : come + 4]) @ own.T)
            else:
                away = qpos[come] - self.reference[come]
                sign = self.orders.joint_signs[place]
                found[to] = self.reference[to] + sign * away + self.slides[place]
        return found

    def move_tangents(self, rates: Array) -> Array:
        """ρ(g) of velocities, accelerations or generalised forces `(nv,)`."""
        return self.tangent_matrix @ rates

    @cached_property
    def tangent_matrix(self) -> Array:
        """The orthogonal matrix `(nv, nv)` of `move_tangents`."""
        at = self.addresses["dof"]
        size = int(self.addresses["nv"][0])
        matrix = np.zeros((size, size))
        for place, source, kind in self._joints():
            to, come, body = int(at[place]), int(at[source]), int(self.joint_bodies[place])
            own = self.turns[body]
            spin = np.sign(np.linalg.det(own)) * own  # angular velocities are told in the body's own axes
            if kind == FREE:
                matrix[to : to + 3, come : come + 3] = self.isometry
                matrix[to + 3 : to + 6, come + 3 : come + 6] = spin
            elif kind == BALL:
                matrix[to : to + 3, come : come + 3] = spin
            else:
                matrix[to, come] = self.orders.joint_signs[place]
        return matrix

    def move_controls(self, controls: Array) -> Array:
        """ρ(g) of controls `(…, nu)`."""
        return np.asarray(self.orders.actuator_signs * controls[..., self.orders.actuators])

    def move_mocap(self, places: Array, quaternions: Array) -> tuple[Array, Array]:
        """ρ(g) of where mocap bodies are `(nmocap, 3)`, and of their quaternions `(nmocap, 4)`."""
        bodies = self.addresses["mocap"]
        number = {int(body): at for at, body in enumerate(bodies)}
        come = [number[int(self.bodies[body])] for body in bodies]
        moved, turned = np.empty_like(places), np.empty_like(quaternions)
        for to, (source, body) in enumerate(zip(come, bodies, strict=True)):
            pose = self.isometry @ matrix_of(quaternions[source]) @ self.turns[body].T
            # a point of the body's own frame comes to another one of the frame in its place
            moved[to] = (
                self.centre + self.isometry @ (places[source] - self.centre) - pose @ self.shifts[body]
            )
            turned[to] = quaternion_of(pose)
        return moved, turned

    def joint_names(self, model: Model) -> dict[str, str]:
        """By joint the one that it goes to, with its sign: {"left_knee": "+right_knee"}."""
        signs = {1: "+", -1: "-", 0: ""}
        names = [model.joint(joint).name or str(joint) for joint in range(model.njnt)]
        found = {}
        for place, source, _ in self._joints():
            found[names[source]] = signs[int(self.orders.joint_signs[place])] + names[place]
        return {name: found[name] for name in names}
