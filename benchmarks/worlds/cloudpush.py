"""CloudPush: a body pushed through space and seen as a cloud of points, trained within a slice of orientations."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.suite.arm import Part
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.trained import Split
from equiworld.benchmarks.worlds.world import StepErrors, Trials, World
from equiworld.envs.cloudpush.film import CloudPushFilm
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.errors import ArgumentError
from equiworld.groups import SE3, GroupElement
from equiworld.models import WorldModel
from equiworld.rollout import Start, stack
from equiworld.symmetry import Door, Features
from equiworld.training import Dataset, collect

__all__ = ["BOTTLE", "CLOUDPUSH", "POSE", "ZED", "CloudPushWorld", "random_elements", "within_slice"]

NEAR = {"goal_angle": math.radians(45.0), "goal_distance": 0.12}
FAR = {"goal_angle": math.radians(90.0), "goal_distance": 0.20}
SUCCESS = {"success": (0.02, math.radians(10.0)), "close": (0.01, math.radians(10.0))}
"""Mean point distance [m] and angle [rad] below which the body must be when the episode ends."""

TRAINED_POINTS, TESTED_POINTS = 256, 128
"""Of the clouds that are collected: encoders train on halves of them, and are tested on fresh clouds."""

_NEVER = 1e-9  # [m] from the goal for an episode to end early: the body has to stay where it is put
UNTURNED, UPRIGHT = 64, 1e-9  # clouds whose frames are averaged, and how far bodies are turned in them [rad]
SHIFT = 0.3  # [m] of the elements of an orbit


@dataclass(frozen=True)
class CloudPushWorld(World):
    """Success is judged after the last step, errors are of a latent's keypoints, each cloud being a fresh one."""

    side_by_side: ClassVar[int] = 32

    def check(self, scale: Scale) -> None:
        """Refuse slices that hold no near goal."""
        least = math.degrees(NEAR["goal_angle"]) / 2
        if scale.half_width <= least:
            expected = f"degrees above {least:g}, else no task is within the slice"
            raise ArgumentError("half_width", scale.half_width, expected)

    def make(self, **arguments: Any) -> gym.Env:
        """Its environment, episodes of full length whatever happens."""
        return super().make(**{"success_distance": _NEVER, **arguments})

    def network(self, family: str, width: int | None) -> Mapping[str, Any]:
        """The width of encoders; networks of known poses have theirs."""
        return {} if width is None or self.kind == "state" else {"width": width}

    def collect(
        self, part: Part, split: Split, count: int, seed: int, half_width: float, folder: Path
    ) -> Dataset:
        """Transitions that begin within the slice of orientations; tests of exactness need every bit."""
        test = split == "test"
        arguments: dict[str, Any] = {"max_angle": math.radians(half_width) if part == "slice" else math.pi}
        if self.kind == "cloud":
            arguments["points"] = TESTED_POINTS if test else TRAINED_POINTS
        env = super().make(**arguments)
        try:
            return collect(env, count, seed, folder=folder, dtype="float64" if test else "float32")
        finally:
            env.close()

    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """Of all keypoints, or of the known position [m]."""
        double = copy.deepcopy(model).to(torch.float64).eval()
        state, action, following = (data if g is None else data.transform(g)).features(torch.float64)
        channel = double.latent.channels()["keypoints" if self.kind == "cloud" else "body_pos"]
        with torch.inference_mode():
            z = double.encode_features(state)
            parts = (z, double.predict(z, action), double.encode_features(following))
        before, found, after = (part.select(channel).numpy() for part in parts)
        error, motion = (np.square(one - after).sum((-1, -2)) for one in (found, before))
        return {"everywhere": StepErrors(error, motion, points=after.shape[-1])}

    def body(self, observation: Any, info: Mapping[str, Any]) -> NDArray[np.float64]:
        """Points laid evenly over the body's surface [m], a quarter of those that success is judged by."""
        turn = np.reshape(info["body_rotation"], (3, 3))
        return make_shape(self.arguments.get("shape", "bracket")).points[::4] @ turn.T + info["body_pos"]

    def imagined_body(
        self, model: WorldModel, state: Features, states: Features, body: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Moved from where they were by the rigid motion that takes the first keypoints nearest to the predicted ones.

        Every latent has keypoints of its own; so they are all asked for the same points.

        Reference: Kabsch, A solution for the best rotation to relate two sets of vectors, Acta Cryst. A32, 1976.
        """
        if self.kind != "cloud":
            return super().imagined_body(model, state, states, body)
        channel = model.latent.channels()["keypoints"]
        before, after = (part.select(channel).double().numpy() for part in (state, states))
        middle, there = (points.mean(-1, keepdims=True) for points in (before, after))
        spread = (after - there) @ np.swapaxes(before - middle, -1, -2)
        finite = np.isfinite(spread).all((-2, -1), keepdims=True)
        left, _, right = np.linalg.svd(np.where(finite, spread, np.eye(3)))
        left[..., -1] *= np.linalg.det(left @ right)[..., None]
        turned = np.swapaxes(left @ right, -1, -2)
        moved = (body - np.swapaxes(middle, -1, -2)) @ turned + np.swapaxes(there, -1, -2)
        return np.where(finite, moved, np.nan)

    def orbit(self, count: int, seed: int) -> list[GroupElement]:
        """Turns by angles up to 180°, their axes spread over the sphere, and shifts by 0.3 m."""
        rng = np.random.default_rng([seed, 31])
        found = [SE3().identity()]
        for index, angle in enumerate(np.linspace(0.0, math.pi, count)[1:].tolist()):
            way = rng.standard_normal(3)
            turn = SE3().rotation(angle * _spread(index, count - 1)).matrix
            found.append(SE3().element(turn, SHIFT * way / np.linalg.norm(way)))
        return found

    def elements(self, count: int, seed: int) -> list[GroupElement]:
        """Of SE(3), shifted by 1 m."""
        return random_elements(np.random.default_rng([seed, 41]), count, None, 1.0)

    def pose(self, door: Door) -> GroupElement | None:
        """The mean of the frames that clouds of an unturned body have; no pose is observed."""
        if self.kind == "state":
            return None
        env = self.make(max_angle=UPRIGHT)
        try:
            shown = stack([env.reset(seed=seed)[0] for seed in range(UNTURNED)])
        finally:
            env.close()
        left, _, right = np.linalg.svd(door.enter(shown).element.matrix.mean(0))
        left[:, -1] *= np.linalg.det(left @ right)
        return SE3().element(left @ right)

    def ladder(self, seed: int) -> dict[str, list[GroupElement]]:
        """Shifts, turns, and both, four elements each."""
        rng = np.random.default_rng([seed, 33])
        return {
            "as it is": [SE3().identity()],
            "shifted by 0.1 m": random_elements(rng, 4, 0.0, 0.1),
            "shifted by 1 m": random_elements(rng, 4, 0.0, 1.0),
            "turned": random_elements(rng, 4),
            "turned and shifted by 1 m": random_elements(rng, 4, None, 1.0),
        }

    def shuffled(self, data: Dataset, rng: np.random.Generator) -> Dataset:
        """The points of its clouds in another order."""
        if self.kind != "cloud":
            return data
        count = data.observation["cloud"].shape[-1] // 3
        order = rng.permutation(count)

        def moved(arrays: Any) -> dict[str, Any]:
            cloud = arrays["cloud"].reshape(len(data), count, 3)[:, order].reshape(len(data), -1)
            return {**arrays, "cloud": cloud}

        return replace(
            data, observation=moved(data.observation), next_observation=moved(data.next_observation)
        )

    def starts(self, count: int, half_width: float, seed: int) -> list[Start]:
        """Near goals within the slice."""
        arguments = {**NEAR, "max_angle": math.radians(half_width)}
        return [Start(one) for one in within_slice(self, count, 5_000_000 + 10_000 * seed, **arguments)]

    def loop_arguments(self, half_width: float) -> Mapping[str, Any]:
        """Near goals within the slice."""
        return {**NEAR, "max_angle": math.radians(half_width)}

    def judge(self, info: Mapping[str, Any], observation: Any) -> dict[str, float]:
        """Where the body is: mean point distance ("ADD"; to the surface, "ADD-S", of bodies with symmetries), angle."""
        distance, angle = float(info["mean_point_distance"]), float(info["angle"])
        named = {name: float(distance < near and angle < turned) for name, (near, turned) in SUCCESS.items()}
        return {**named, "distance_mm": 1e3 * distance, "final_angle_deg": math.degrees(angle)}

    def film(self, episodes: Mapping[str, Mapping[str, Sequence[Any]]]) -> CloudPushFilm:
        """By one camera."""
        shape = make_shape(self.arguments.get("shape", "bracket"))
        return CloudPushFilm(episodes, shape, solved=lambda info: bool(self.judge(info, None)["success"]))


def random_elements(
    rng: np.random.Generator, count: int, angle: float | None = None, distance: float = 0.0
) -> list[GroupElement]:
    """Turns about random axes, by `angle` [rad] or uniform over all (Haar) if None, and shifts by `distance` [m]."""
    group, found = SE3(), list[GroupElement]()
    for _ in range(count):
        axis, way = (arrow / np.linalg.norm(arrow) for arrow in rng.standard_normal((2, 3)))
        turn = group.sample(rng).matrix if angle is None else group.rotation(angle * axis).matrix
        found.append(group.element(turn, distance * way))
    return found


def within_slice(world: World, count: int, first: int, **arguments: Any) -> list[int]:
    """Seeds of episodes that start and have their goal within `max_angle` [rad] of the unturned orientation."""
    env, seeds, seed = world.make(**arguments), list[int](), first
    try:
        while len(seeds) < count:
            if seed - first > 10_000 + 1_000 * count:
                expected = "more, else hardly any goal is within the slice"
                raise ArgumentError("half_width", math.degrees(arguments["max_angle"]), expected)
            _, info = env.reset(seed=seed)
            cosine = (np.trace(info["goal_rotation"].reshape(3, 3)) - 1) / 2
            if cosine >= math.cos(arguments["max_angle"]):
                seeds.append(seed)
            seed += 1
    finally:
        env.close()
    return seeds


def _spread(index: int, count: int) -> np.ndarray:
    """One of `count` directions spread evenly over the sphere: Fibonacci's lattice, in an order that mixes them."""
    stride = next(one for one in range(5, count + 6) if math.gcd(one, count) == 1)
    index = index * stride % count
    height = 1.0 - (2 * index + 1) / count
    turn, radius = index * math.pi * (3.0 - math.sqrt(5.0)), math.sqrt(1.0 - height * height)
    return np.array([radius * math.cos(turn), radius * math.sin(turn), height])


_FIRST = 7_000_000
_FEW: dict[str, Any] = {"transitions": 100_000, "steps": (4000,), "encoder_steps": 750}
CLOUDPUSH = CloudPushWorld(
    "cloudpush",
    "equiworld/CloudPush-v0",
    kind="cloud",
    unit="m",
    scales={
        "full": Scale(200_000, 2_000, 45.0),
        "demo": Scale(60_000, 1_000, 45.0, (5000,), encoder_steps=1000, joint_steps=100, width=64),
        "demo-quick": Scale(
            5_000, 200, 45.0, (400,), batch_size=256, encoder_steps=120, joint_steps=10, width=32
        ),
        "small": Scale(3_000, 200, 45.0, (60,), batch_size=128, encoder_steps=20, joint_steps=5, width=32),
    },
    trials={
        "near": Trials(NEAR, 60, _FIRST),
        "far": Trials(FAR, 80, _FIRST),
        "within the slice": Trials(NEAR, 60, _FIRST + 800_000, in_slice=True),
        "64 points": Trials({**NEAR, "points": 64}, 60, _FIRST, share=0.5),
        "5 mm noise": Trials({**NEAR, "noise": 0.005}, 60, _FIRST, share=0.5),
        "half the points lost": Trials({**NEAR, "dropout": 0.5}, 60, _FIRST, share=0.5),
        "seen from one side": Trials({**NEAR, "view": "random"}, 60, _FIRST, share=0.5),
        "256 points, half lost": Trials({**NEAR, "points": 256, "dropout": 0.5}, 60, _FIRST, share=0.5),
        "other bodies": Trials(
            {**NEAR, "shape": "random"},
            60,
            _FIRST,
            False,
            0.5,
            tuple({"shape_seed": body} for body in range(10)),
        ),
    },
)
_BODIES = {
    name: replace(CLOUDPUSH.scales[name], **(_FEW if name == "full" else {})) for name in CLOUDPUSH.scales
}
_ITS_OWN = {name: CLOUDPUSH.trials[name] for name in ("near", "far", "within the slice")}
BOTTLE, ZED = (
    replace(
        CLOUDPUSH,
        name=f"cloudpush-{shape}",
        arms=("equivariant, all data",),
        arguments={"shape": shape},
        scales=_BODIES,
        trials=_ITS_OWN,
    )
    for shape in ("bottle", "zed")
)
"""A body of revolution, and one that half a turn takes to itself: with half the data and steps."""

POSE = replace(
    CLOUDPUSH,
    name="cloudpush-pose",
    arms=("equivariant, all data",),
    arguments={"points": 0, "observe_pose": True},
    kind="state",
    trials=_ITS_OWN,
)
"""The pose told by the simulator: an upper bound for encoders of clouds."""
