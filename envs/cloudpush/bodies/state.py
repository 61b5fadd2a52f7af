"""The state of several rigid bodies and an end-effector in space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import integer
from equiworld.envs.arguments import finite
from equiworld.envs.cloudpush.geometry import Pose, Triple, as_pose, multiply, quaternion_of
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry.fields import Point, Vector

__all__ = ["BodiesState", "order_of"]

_STILL = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BodiesState:
    """All that determines what follows. Lengths [m], speeds [m/s], spins [rad/s], accelerations, float64.

    Attributes:
        agent_pos: centre of the end-effector.
        bodies: where each body is. All look alike; their order means nothing but which of them is named.
        goal: where the named one should be.
        named: its place among the bodies.
        agent_vel: velocity of the end-effector.
        velocities: of each body, six numbers: of its centre of mass, and its spin in body axes; at rest if empty.
        target: of the end-effector in the last control period; where it is, if None.
        warmstart: accelerations that the engine's solver begins with: the agent's 3, then 6 for each body; 0 if empty.
        time: since the start [s].
        cloud_key: that clouds are drawn by; the env draws one, if None.
        step: control periods since the start.
    """

    agent_pos: Triple
    bodies: tuple[Pose, ...]
    goal: Pose
    named: int = 0
    agent_vel: Triple = _STILL
    velocities: tuple[tuple[float, ...], ...] = ()
    target: Triple | None = None
    warmstart: tuple[float, ...] = ()
    time: float = 0.0
    cloud_key: int | None = None
    step: int = 0

    def __post_init__(self) -> None:
        def settle(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        settle("bodies", tuple(as_pose("state.bodies", pose) for pose in self.bodies))
        settle("goal", as_pose("state.goal", self.goal))
        count = len(self.bodies)
        if not count:
            raise ArgumentError("state.bodies", self.bodies, "one pose or more")
        settle("named", integer("state.named", self.named, least=0, most=count - 1))
        for name in ("agent_pos", "agent_vel", "target"):
            if name != "target" or self.target is not None:
                settle(name, finite(f"state.{name}", getattr(self, name), 3))
        moving = self.velocities or ((0.0,) * 6,) * count
        if len(moving) != count:
            raise ArgumentError(
                "state.velocities", f"{len(moving)} bodies", f"six numbers for each of {count}"
            )
        settle("velocities", tuple(finite("state.velocities", each, 6) for each in moving))
        size = 3 + 6 * count
        settle("warmstart", finite("state.warmstart", self.warmstart or (0.0,) * size, size))
        settle("time", finite("state.time", (self.time,), 1)[0])
        settle("step", integer("state.step", self.step, least=0))
        if self.cloud_key is not None:
            settle("cloud_key", integer("state.cloud_key", self.cloud_key, least=0, most=2**63 - 1))

    def replace(self, **changes: Any) -> BodiesState:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def transform(self, g: GroupElement) -> BodiesState:
        """The state of the world turned about the origin and shifted by g, its bodies called in g's order.

        Raises:
            ArgumentError: g is not one proper isometry of space, or exchanges another number of bodies.
        """
        if g.matrix.shape != (3, 3):
            raise ArgumentError("g", f"matrix of shape {g.matrix.shape}", "one element of dimension 3")
        if np.linalg.det(g.matrix) < 0:
            raise ArgumentError("g", repr(g), "a proper isometry: turned, not mirrored")
        turned, order = quaternion_of(g.matrix), order_of(g, len(self.bodies))

        def vector(v: ArrayLike) -> Any:
            return tuple(Vector(np.size(v) // 3).transform(g, v).tolist())

        def point(p: ArrayLike) -> Any:
            return tuple(Point().transform(g, p).tolist())

        def placed(pose: Pose) -> Pose:
            return Pose(point(pose.position), multiply(turned, pose.quaternion))

        started = [self.warmstart[3 + 6 * body : 9 + 6 * body] for body in order]
        return self.replace(
            agent_pos=point(self.agent_pos),
            bodies=tuple(placed(self.bodies[body]) for body in order),
            goal=placed(self.goal),
            named=int(np.flatnonzero(order == self.named)[0]),
            agent_vel=vector(self.agent_vel),
            velocities=tuple(
                (*vector(self.velocities[body][:3]), *self.velocities[body][3:]) for body in order
            ),
            target=None if self.target is None else point(self.target),
            warmstart=(
                *vector(self.warmstart[:3]),
                *(number for each in started for number in (*vector(each[:3]), *each[3:])),
            ),
        )


def order_of(g: GroupElement, count: int) -> NDArray[np.int64]:
    """Which of the bodies comes to each place, as `Objects` has it; where g knows of no bodies, each stays.

    Raises:
        ArgumentError: g exchanges another number of them.
    """
    if not g.group.stores_labels:
        return np.arange(count)
    images = g.group.labels.natural.get(f"Permutation({count})")
    if images is None:
        raise ArgumentError("g", repr(g), f"an element of a group that exchanges {count} bodies, or of SE3()")
    return images[g.label].argmax(-1)
