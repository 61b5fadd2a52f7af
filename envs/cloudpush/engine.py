"""The MuJoCo model of a free rigid body and a spherical end-effector, with nothing that prefers a direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium.error import DependencyNotInstalled

from equiworld.arguments import flag
from equiworld.envs.arguments import as_number, as_real, check_choice, finite
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.surface import Solid

__all__ = ["Physics", "load_mujoco", "make_model"]

TIME_STEP = 0.004  # [s] one engine step
SUBSTEPS = 25  # engine steps in one control period: 10 Hz control
AGENT_RADIUS = 0.015  # [m]
AGENT_MASS, BODY_MASS = 1.0, 0.2  # [kg]
FOLLOW_RATE = 50.0  # [1/s] of the critically damped way of the agent to its target
CONTACT_TIME = 0.01  # [s] in which a penetration dies away
CONES = ("elliptic", "pyramidal")


def load_mujoco() -> Any:
    """The `mujoco` module.

    Raises:
        gymnasium.error.DependencyNotInstalled: It is not installed; says how to install it.
    """
    try:
        import mujoco
    except ImportError as error:
        raise DependencyNotInstalled(
            "equiworld/CloudPush-v0 runs on MuJoCo, which is not installed; "
            "install it with: pip install 'equiworld[mujoco]'"
        ) from error
    return mujoco


@dataclass(frozen=True)
class Physics:
    """What acts on the body besides the agent. The defaults commute with every rotation and translation.

    Attributes:
        cone: shape of the friction cone. MuJoCo's own default, "pyramidal", has edges along tangents that are
            chosen from the world's axes, so that friction depends on the orientation of the scene.
        friction: Coulomb coefficient of every contact; 0 for none.
        gravity: [m/s²], down along z, on the body only.
        table: whether there is a table, the plane z = 0.
        drag: [1/s], how fast a free motion of the body dies away, v ~ exp(−drag·t); linear and angular. Three
            numbers damp the velocity differently along the world's axes x, y and z (the spin by their mean).
    """

    cone: Literal["elliptic", "pyramidal"] = "elliptic"
    friction: float = 0.5
    gravity: float = 0.0
    table: bool = False
    drag: float | tuple[float, float, float] = 50.0

    def __post_init__(self) -> None:
        check_choice("cone", self.cone, "a friction cone", CONES)
        plain: dict[str, Any] = {
            "friction": as_number("friction", self.friction, "(a coefficient)", zero=True),
            "gravity": as_number("gravity", self.gravity, "[m/s²]", zero=True),
            "table": flag("table", self.table),
        }
        if as_real(self.drag) is not None:
            plain["drag"] = as_number("drag", self.drag, "[1/s]", zero=True)
        else:
            along = "[1/s], along each of the world's axes"
            rates = finite("drag", self.drag, 3)
            plain["drag"] = tuple(as_number("drag", rate, along, zero=True) for rate in rates)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @property
    def rates(self) -> tuple[float, float, float]:
        """Drag [1/s] along the world's x, y and z."""
        if isinstance(self.drag, tuple):
            return self.drag
        return self.drag, self.drag, self.drag

    @property
    def symmetry_breakers(self) -> tuple[str, ...]:
        """Names of the effects that break SE(3), such as "gravity"."""
        found = {
            "gravity": self.gravity > 0,
            "a table": self.table,
            "pyramidal friction cones": self.cone == "pyramidal" and self.friction > 0,
            "anisotropic drag": len(set(self.rates)) > 1,
        }
        return tuple(name for name, present in found.items() if present)


def make_model(shape: Shape, physics: Physics, bodies: int = 1) -> Any:
    """The compiled model of an agent and some bodies of one shape; joints in the order agent x, y, z, bodies."""
    model = load_mujoco().MjModel.from_xml_string(_xml(shape, physics, bodies))
    moment = float(np.trace(_inertia(shape))) / 3
    # Implicit in Euler's method. A body's frame is at its centre of mass: a force there, and a torque.
    for first in range(3, 3 + 6 * bodies, 6):
        model.dof_damping[first : first + 3] = np.array(physics.rates) * BODY_MASS
        model.dof_damping[first + 3 : first + 6] = np.mean(physics.rates) * moment
    return model


def _inertia(shape: Shape) -> np.ndarray:
    return shape.surface.inertia * (BODY_MASS / shape.surface.volume)


def _xml(shape: Shape, physics: Physics, bodies: int) -> str:
    inertia = _inertia(shape)
    moments = [inertia[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    slides = [
        f'<joint name="{name}" type="slide" axis="{axis}" damping="{2 * FOLLOW_RATE * AGENT_MASS!r}"/>'
        for name, axis in (("x", "1 0 0"), ("y", "0 1 0"), ("z", "0 0 1"))
    ]
    motors = [f'<position joint="{name}" kp="{FOLLOW_RATE**2 * AGENT_MASS!r}"/>' for name in "xyz"]
    table = '<geom name="table" type="plane" size="0 0 0.1"/>' if physics.table else ""
    free = "\n".join(
        f"""    <body name="body{number or ""}">
      <freejoint/>
      <inertial pos="0 0 0" mass="{BODY_MASS}" fullinertia="{_numbers(moments)}"/>
      {" ".join(_geom(solid) for solid in shape.surface.solids)}
    </body>"""
        for number in range(bodies)
    )
    # Newton iterations until nothing improves: two orientations must not stop at two places.
    return f"""
<mujoco>
  <compiler angle="radian" autolimits="false"/>
  <option timestep="{TIME_STEP}" gravity="0 0 {-physics.gravity!r}" integrator="Euler" cone="{physics.cone}"
    solver="Newton" iterations="100" tolerance="1e-15" ls_iterations="100" ls_tolerance="1e-10">
    <flag autoreset="disable"/>
  </option>
  <visual>
    <headlight ambient="0.5 0.5 0.5" diffuse="0.5 0.5 0.5" specular="0 0 0"/>
  </visual>
  <asset>
    <texture type="skybox" builtin="flat" rgb1="1 1 1" rgb2="1 1 1" width="8" height="8"/>
  </asset>
  <default>
    <geom condim="{3 if physics.friction > 0 else 1}" friction="{max(physics.friction, 1e-9)!r} 0 0"
      solref="{CONTACT_TIME} 1"/>
  </default>
  <worldbody>
    {table}
    <body name="agent" gravcomp="1">
      {" ".join(slides)}
      <inertial pos="0 0 0" mass="{AGENT_MASS}" diaginertia="1e-4 1e-4 1e-4"/>
      <geom name="agent" type="sphere" size="{AGENT_RADIUS}"/>
    </body>
{free}
  </worldbody>
  <actuator>{" ".join(motors)}</actuator>
</mujoco>"""


def _geom(solid: Solid) -> str:
    return f'<geom type="{solid.kind}" pos="{_numbers(solid.centre)}" size="{_numbers(solid.size)}"/>'


def _numbers(values: Any) -> str:
    return " ".join(repr(float(value)) for value in values)
