"""The success criterion of CloudPush: distances from the goal, the reward, success."""

from __future__ import annotations

import math
from dataclasses import dataclass

from equiworld.envs.arguments import as_number, check_choice
from equiworld.envs.cloudpush.geometry import METRICS, Metric, Pose, angle_between, mean_point_distance
from equiworld.envs.cloudpush.shapes import Shape

__all__ = ["Criterion"]

REWARD_LENGTH = 0.1  # [m]


@dataclass(frozen=True)
class Criterion:
    """Distances from a goal and what follows from them.

    Attributes:
        metric: "ADD" asks for the one pose, "ADD-S" for any that looks the same.
        success_distance: [m], success is below it
        success_angle: [rad], and below this.
    """

    metric: Metric
    success_distance: float
    success_angle: float

    def __post_init__(self) -> None:
        check_choice("metric", self.metric, "a measure of the distance from the goal", METRICS)
        for name, unit in (("success_distance", "[m]"), ("success_angle", "[rad]")):
            object.__setattr__(self, name, as_number(name, getattr(self, name), unit))

    def measure(self, shape: Shape, pose: Pose, goal: Pose) -> tuple[float, float]:
        """Mean point distance [m] and angle [rad] from the goal."""
        fold = 1 if self.metric == "ADD" else shape.fold
        distance = mean_point_distance(shape, pose, goal, self.metric)
        return distance, angle_between(pose.quaternion, goal.quaternion, fold)

    def reward(self, distance: float) -> float:
        """1 − tanh(distance / 0.1 m), in (0, 1]."""
        return 1.0 - math.tanh(distance / REWARD_LENGTH)

    def success(self, distance: float, angle: float) -> bool:
        """Whether the body is there."""
        return distance < self.success_distance and angle < self.success_angle
