"""In space: what do the eyes give, and what do the dynamics, beside the strongest alternatives to both?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from textwrap import fill
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.eyes.eyes import Array, Coast, Eyes, PoseEyes, Seeing
from equiworld.benchmarks.eyes.icp import ICP, rigid_motion
from equiworld.benchmarks.eyes.keypoints import Keypoints, encoded_dynamics
from equiworld.benchmarks.eyes.pose_net import PoseNetTraining, trained_pose_net
from equiworld.benchmarks.questions.success import STRIDE, end_figures
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure
from equiworld.benchmarks.suite.trained import data_of, disjoint, trained_inputs, trained_model
from equiworld.benchmarks.worlds.cloudpush import CLOUDPUSH, POSE, CloudPushWorld, within_slice
from equiworld.benchmarks.worlds.loops import SOLVED, run_trials, solved_row
from equiworld.benchmarks.worlds.world import Trials
from equiworld.envs.cloudpush.geometry import angle_between, quaternion_of
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.rollout import Policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EyesQuestion"]

SENSING: Mapping[str, Mapping[str, Any]] = {
    "clean": {},
    "5 mm noise": {"noise": 0.005},
    "half the points lost": {"dropout": 0.5},
    "seen from one side": {"view": "random"},
}
WHERE = {"in slice": CLOUDPUSH.trials["within the slice"], "turned": CLOUDPUSH.trials["near"]}
"""Trials of the world: near goals, their episodes within the slice or at all orientations."""

DYNAMICS: Mapping[str, tuple[str, bool]] = {
    "canonical": ("equivariant", True),
    "augmented": ("augmented", False),
    "plain": ("plain", False),
    "augmented at the door": ("augmented", True),
    "plain at the door": ("plain", True),
}
"""The arm, and whether it decides in the frame of what the eyes see: a canonicalised network, as others call it."""

_POSES = "its dynamics: poses and velocities of the slice"
TOLD: Mapping[str, str] = {
    "true": f"poses and velocities, always; {_POSES}",
    "ICP": f"the body's surface; {_POSES}",
    "pose net": f"poses at all orientations, of the body's clean clouds; {_POSES}",
    "pose net, any sensing": f"poses at all orientations, of clouds of each kind of sensing; {_POSES}",
    "learned": "nothing",
    "latent": "nothing",
}
"""The eyes, and what they are told beside clouds and actions of the slice."""

COMPETENT = 0.9
"""Share of the tasks of its slice that an arm has to solve for its failures elsewhere to say anything."""

HOME: Mapping[str, str] = {"where": "in slice", "sensing": "clean"}
_LOST = 10.0  # [°], as in success


@dataclass(frozen=True)
class EyesQuestion(TrainedQuestion):
    """Every kind of eyes with every kind of dynamics on the same tasks, near goals; and the eyes alone.

    `true` are the simulator's poses, `ICP` fits the known body, a `pose net` was taught poses, `learned` are keypoints
    of the encoder of `latent`. With each of these only the dynamics differ from arm to arm; they are trained on true
    poses in the slice of `cloudpush-pose` or, for `learned`, on keypoints in that of `cloudpush`. `latent` are whole
    families of clouds, in which encoder and dynamics are canonical, augmented or plain together.

    Attributes:
        episodes: of each arm, place and sensing.
        max_steps: of an episode, if fewer than the trial's.
        where: "in slice", "turned" or both.
        sensing: what is done to clouds.
        dynamics: kinds of them.
        net_steps: of the training of a pose net.
        looks: episodes in which the eyes alone are tried.
        look_steps: of each of them, random pushes.
    """

    episodes: int = 100
    max_steps: int | None = None
    where: tuple[str, ...] = tuple(WHERE)
    sensing: tuple[str, ...] = tuple(SENSING)
    dynamics: tuple[str, ...] = tuple(DYNAMICS)
    net_steps: int = 4500
    looks: int = 100
    look_steps: int = 10

    name: ClassVar[str] = "eyes"
    title: ClassVar[str] = "In space, what do equivariant eyes give, and what do equivariant dynamics?"
    worlds: ClassVar[tuple[str, ...]] = ("cloudpush",)
    arms: ClassVar[tuple[str, ...]] = (
        *(f"{eyes} + {dynamics}" for eyes in TOLD for dynamics in DYNAMICS),
        *(eyes for eyes in TOLD if eyes not in ("true", "latent")),
    )
    seeds: ClassVar[int] = 3
    closed: ClassVar[bool] = True
    coordinates: ClassVar[tuple[str, ...]] = ("part", "look")
    choosing: ClassVar[tuple[str, ...]] = (*TrainedQuestion.choosing, "where", "sensing", "dynamics")
    measures: ClassVar[dict[str, Measure]] = {
        **SOLVED,  # within 2 cm and 10°, at the end
        "distance_mm": Measure("mm", "mean distance of points of the body from the goal at the end, median", log=True),
        "distance_mm_worst": Measure("mm", "the same, largest", log=True),
        "final_angle_deg": Measure("°", "angle between body and goal at the end, median"),
        "competent": Measure("1", f"1 if it solves ≥ {COMPETENT:.0%} in its slice, clean clouds, same seed; else 0"),
        "eyes_mm": Measure("mm", "how far the centre of mass is from where the eyes see it, median", log=True),
        "eyes_mm_worst": Measure("mm", "the same, largest", log=True),
        "eyes_deg": Measure("°", "angle between body and what is seen of it, median", log=True),
        "eyes_deg_worst": Measure("°", "the same, largest", log=True),
        "eyes_lost": Measure("1", f"share of looks that are off by more than {_LOST:g}°"),
        "parameters": Measure("1", "numbers of the dynamics (of `latent`, and the encoder) that are trained"),
        "told": Measure("", "what it is told beside clouds and actions of the slice"),
    }  # fmt: skip
    small: ClassVar[dict[str, Any]] = {
        "episodes": 2, "max_steps": 3, "where": ("in slice",), "sensing": ("clean",), "dynamics": ("canonical",),
        "net_steps": 10, "looks": 2, "look_steps": 1,
    }  # fmt: skip

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Where, and by what sensing: true poses, and the door, with clean clouds alone; eyes alone everywhere."""
        eyes, _, dynamics = arm.partition(" + ")
        if dynamics and dynamics not in self.dynamics:
            return []
        where = self.where if dynamics else ("turned",)
        few = eyes == "true" or "door" in dynamics
        sensing = [one for one in self.sensing if one == "clean" or not few]
        return [{"where": place, "sensing": one} for place in where for one in sensing]

    def arm(self, name: str) -> Arm:
        """That of its dynamics."""
        return arm_of(DYNAMICS[name.partition(" + ")[2] or "canonical"][0])

    def prepare(self, cells: Sequence[Cell], store: Store) -> None:
        """Collect the data of the cells, of clouds and of poses."""
        for world in {_world(cell.arm).name: _world(cell.arm) for cell in cells}.values():
            disjoint(store, world, "slice", self.scale_in(world))

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """Eyes and dynamics with their training, the trial and the planner."""
        eyes, _, dynamics = cell.arm.partition(" + ")
        scale, planner = self.scale_in(CLOUDPUSH), CLOUDPUSH.planner
        seeing = {
            "ICP": ICP(),
            "learned": trained_inputs(CLOUDPUSH, arm_of("equivariant"), scale),
            **{name: self._net(name) for name in TOLD if "net" in name},
        }
        trained = trained_inputs(_world(cell.arm), self.arm(cell.arm), scale)
        return {
            "world": CLOUDPUSH.described(),
            "eyes": seeing.get(eyes, eyes),
            "dynamics": [DYNAMICS[dynamics], trained] if dynamics else [],
            "trial": self._trial(cell.point),
            "planner": [type(planner).__name__, planner],
            "told": TOLD[eyes],
        }

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row of the episodes; of eyes alone two, of bodies seen for the first time and again."""
        eyes, _, dynamics = cell.arm.partition(" + ")
        if not dynamics:
            return [{"part": "eyes", "told": TOLD[eyes], **row} for row in self._looked(cell, store)]
        model, seen_by = self._model(cell, store), self._eyes(cell, store)
        policy: Policy = MPCPolicy(model, CLOUDPUSH.planner, seed=cell.seed, door=DYNAMICS[dynamics][1])
        world, scale = _world(cell.arm), self.scale_in(CLOUDPUSH)
        if seen_by:
            coast = Coast.of(data_of(store, world, "slice", "train", scale)) if world is POSE else None
            world, policy = CLOUDPUSH, Seeing(seen_by, policy, coast)
        trial, first = self._trial(cell.point), self._first(cell)
        arguments, seeds = dict(trial.arguments), list(range(first, first + self.episodes))
        if trial.in_slice:
            arguments["max_angle"] = float(np.radians(scale.half_width))
            seeds = within_slice(world, self.episodes, first, **arguments)
        ended = run_trials(policy, world, seeds, arguments, trial.limited(self.max_steps), world.side_by_side)
        row = solved_row(ended) | end_figures(ended) | {"part": "tasks", "parameters": model.parameter_count}
        at_home = row
        if cell.point != HOME:
            (at_home,) = self.answer(replace(cell, at=tuple(HOME.items())), store)
        return [row | {"competent": int(at_home["success"] >= COMPETENT), "told": TOLD[eyes]}]

    def _looked(self, cell: Cell, store: Store) -> list[Row]:
        """How wrong the eyes are, at the first look of an episode and at later ones."""
        eyes = self._eyes(cell, store)
        assert eyes is not None
        seen, turns, places = self._looks(eyes, cell)
        poses = seen if isinstance(eyes, PoseEyes) else _fitted(seen.reshape(len(seen), -1, 3), turns, places)
        pairs = zip(poses[:, :9].reshape(-1, 3, 3), turns, strict=True)
        length = 1e3 * np.linalg.norm(poses[:, 9:] - places, axis=-1)
        angle = np.degrees([angle_between(quaternion_of(one), quaternion_of(two)) for one, two in pairs])
        begins = np.arange(len(seen)) % (1 + self.look_steps) == 0
        return [
            {
                "look": look,
                "eyes_mm": float(np.median(length[of])),
                "eyes_mm_worst": float(length[of].max()),
                "eyes_deg": float(np.median(angle[of])),
                "eyes_deg_worst": float(angle[of].max()),
                "eyes_lost": float((angle[of] > _LOST).mean()),
            }
            for look, of in (("first", begins), ("later", ~begins))
        ]

    def _looks(self, eyes: Eyes, cell: Cell) -> tuple[Array, Array, Array]:
        """What the eyes see along random pushes `(n, size)`, rotations `(n, 3, 3)` and places `(n, 3)` of the body."""
        found, first = list[tuple[Array, Array, Array]](), self._first(cell)
        env = CLOUDPUSH.make(**self._trial(cell.point).arguments)
        rng, exploration = np.random.default_rng([cell.seed, 63]), env.unwrapped.exploration  # type: ignore[attr-defined]
        try:
            for seed in range(first, first + self.looks):
                shown, info = env.reset(seed=seed)
                seen = np.full((1, eyes.size), np.nan)
                for _ in range(1 + self.look_steps):
                    seen = eyes.see(shown["cloud"].reshape(1, -1, 3), seen)
                    found.append((seen[0], info["body_rotation"].reshape(3, 3), info["body_pos"]))
                    shown, _, _, _, info = env.step(exploration.action(rng, shown))
        finally:
            env.close()
        bodies, turns, places = map(np.stack, zip(*found, strict=True))
        return bodies, turns, places

    def _model(self, cell: Cell, store: Store) -> WorldModel:
        world, scale = _world(cell.arm), self.scale_in(CLOUDPUSH)
        if cell.arm.startswith("learned"):
            return encoded_dynamics(store, world, arm_of("equivariant"), self.arm(cell.arm), cell.seed, scale)
        disjoint(store, world, "slice", scale)
        return trained_model(store, world, self.arm(cell.arm), cell.seed, scale)

    def _eyes(self, cell: Cell, store: Store) -> Eyes | None:
        """That stand before the dynamics; none where these are told poses or have an encoder of their own."""
        eyes = cell.arm.partition(" + ")[0]
        if eyes == "ICP":
            return ICP()
        if eyes == "learned":
            arm, scale = arm_of("equivariant"), self.scale_in(CLOUDPUSH)
            return Keypoints(trained_model(store, CLOUDPUSH, arm, cell.seed, scale))
        return trained_pose_net(store, self._net(eyes), cell.seed) if "net" in eyes else None

    def _net(self, eyes: str) -> PoseNetTraining:
        sensors = tuple(SENSING.values()) if "any" in eyes else ({},)
        return PoseNetTraining(sensors=sensors, steps=self.net_steps)

    def _trial(self, point: Mapping[str, Any]) -> Trials:
        trial = WHERE[point["where"]]
        return replace(trial, arguments={**trial.arguments, **SENSING[point["sensing"]]})

    def _first(self, cell: Cell) -> int:
        """Seed of the first episode: the same for all arms and all sensing, another for each seed."""
        return WHERE[cell.point["where"]].first + STRIDE * cell.seed

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success by sensing: a panel for each kind of dynamics and place, a curve for each kind of eyes."""
        kinds, told = [name for name in DYNAMICS if "door" not in name], grouped(rows, "part").get("tasks")
        if not told:
            return None
        sensing = [name for name in SENSING if any(row["sensing"] == name for row in told)]
        aside = {eyes: 0.09 * (index - (len(TOLD) - 1) / 2) for index, eyes in enumerate(TOLD)}
        figure, axes = new_figure(len(kinds), len(WHERE))
        for place, (where, kind) in zip(axes, product(WHERE, kinds), strict=True):
            shown = []
            for row in told:
                eyes, _, dynamics = row["arm"].partition(" + ")
                if (row["where"], dynamics) == (where, kind):
                    shown.append({**row, "arm": eyes, "place": sensing.index(row["sensing"]) + aside[eyes]})
            Panel(f"{kind} dynamics, {where}", "place", "success", share=True).draw(place, shown)
            place.set_xticks(range(len(sensing)), [fill(name, 12) for name in sensing])
            place.set_xlim(-0.5, len(sensing) - 0.5)
        legend_below(figure)
        return figure


def _world(arm: str) -> CloudPushWorld:
    """That whose data an arm's dynamics are trained on."""
    return CLOUDPUSH if arm.startswith(("learned", "latent")) else POSE


def _fitted(keypoints: Array, turns: Array, places: Array) -> Array:
    """Poses `(n, 12)` that lay the mean of keypoints `(n, K, 3)` in body axes on each of them; measured, not told."""
    own = ((keypoints - places[:, None]) @ turns).mean(0)
    turn, place = rigid_motion(np.broadcast_to(own, keypoints.shape), keypoints)
    return np.concatenate([turn.reshape(-1, 9), place], 1)
