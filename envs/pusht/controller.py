"""The controller that drives PushT's agent to its target."""

from __future__ import annotations

from equiworld.envs.pusht import geometry

__all__ = ["Pair", "followed"]

Pair = tuple[float, float]


def followed(position: Pair, velocity: Pair, target: Pair) -> tuple[Pair, Pair]:
    """Position [px] and velocity [px/s] of the agent after one control period towards a target.

    x′ = x + v′ dt, v′ = v + (k (target − x) − c v) dt, ten times: the agent is kinematic, so that nothing but its
    own controller moves it, contact and walls included.
    """
    dt, stiffness, friction = geometry.TIME_STEP, geometry.STIFFNESS, geometry.DAMPING
    (x, y), (velocity_x, velocity_y), (target_x, target_y) = position, velocity, target
    for _ in range(geometry.ENGINE_STEPS):
        velocity_x += (stiffness * (target_x - x) + friction * (0.0 - velocity_x)) * dt
        velocity_y += (stiffness * (target_y - y) + friction * (0.0 - velocity_y)) * dt
        x += velocity_x * dt
        y += velocity_y * dt
    return (x, y), (velocity_x, velocity_y)
